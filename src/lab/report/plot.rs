//! Axes: positions of values within a plot, and ticks.
//!
//! Plots are SVG without a fixed width. Positions are percentages, so that a plot fits any screen while text
//! and strokes keep their size.

use std::fmt;

use super::super::statistics::as_f64;

/// A position along an axis, displayed as a percentage.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Percent(pub(super) f64);

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", (self.0 * 100.0).round() / 100.0)
    }
}

/// An axis from `low` to `high`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Axis {
    scale: Scale,
    low: f64,
    high: f64,
}

#[derive(Clone, Copy, Debug)]
enum Scale {
    Linear,
    Logarithmic,
}

impl Axis {
    pub(super) fn linear(low: f64, high: f64) -> Self {
        let high = if high > low { high } else { low + 1.0 };
        Self { scale: Scale::Linear, low, high }
    }

    /// Both values must be above 0.
    pub(super) fn logarithmic(low: f64, high: f64) -> Self {
        let low = low.max(f64::MIN_POSITIVE);
        let high = if high > low { high } else { low * 2.0 };
        Self { scale: Scale::Logarithmic, low, high }
    }

    pub(super) fn high(&self) -> f64 {
        self.high
    }

    /// The position of a value, limited to the axis.
    pub(super) fn place(&self, value: f64) -> Percent {
        let share = match self.scale {
            Scale::Linear => (value - self.low) / (self.high - self.low),
            Scale::Logarithmic => {
                (value.max(self.low) / self.low).ln() / (self.high / self.low).ln()
            }
        };
        Percent((share * 100.0).clamp(0.0, 100.0))
    }

    /// The vertical position of a value. The y axis of SVG points downwards.
    pub(super) fn height(&self, value: f64) -> Percent {
        Percent(100.0 - self.place(value).0)
    }

    /// Round values: up to seven on a linear axis; powers of ten, or also their 2- and 5-fold, on a
    /// logarithmic one.
    pub(super) fn ticks(&self) -> Vec<f64> {
        match self.scale {
            Scale::Linear => {
                let step = round_step((self.high - self.low) / 5.0);
                let first = (self.low / step).ceil() * step;
                let places = (0..8).map(|index| first + as_f64(index) * step);
                // Remove floating-point noise: 0.6, not 0.6000000000000001.
                let places = places.map(|tick| (tick * 1e9).round() / 1e9);
                places.take_while(|tick| *tick <= self.high + step * 1e-6).collect()
            }
            Scale::Logarithmic => {
                let decades = (self.high / self.low).log10();
                let steps: &[f64] = if decades > 2.5 { &[1.0] } else { &[1.0, 2.0, 5.0] };
                let first = 10_f64.powf(self.low.log10().floor());
                let powers = std::iter::successors(Some(first), |power| Some(power * 10.0));
                powers
                    .take_while(|power| *power <= self.high)
                    .flat_map(|power| steps.iter().map(move |step| power * step))
                    .filter(|tick| (self.low * 0.999..=self.high * 1.001).contains(tick))
                    .collect()
            }
        }
    }
}

/// The smallest of 1, 2 and 5 times a power of ten that is at least `step`.
fn round_step(step: f64) -> f64 {
    let power = 10_f64.powf(step.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * power);
    steps.into_iter().find(|round| *round >= step * 0.999_999).unwrap_or(step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_few() {
        for (axis, expected) in [
            (Axis::linear(0.0, 12.3), &[0.0, 5.0, 10.0][..]),
            (Axis::linear(0.0, 1.0), &[0.0, 0.2, 0.4, 0.6, 0.8, 1.0]),
            (Axis::logarithmic(0.015, 0.6), &[0.02, 0.05, 0.1, 0.2, 0.5]),
            (Axis::logarithmic(0.001, 1.0), &[0.001, 0.01, 0.1, 1.0]),
        ] {
            let ticks = axis.ticks();
            assert_eq!(ticks.len(), expected.len(), "{ticks:?}");
            for (tick, expected) in ticks.iter().zip(expected) {
                assert!((tick - expected).abs() < 1e-9, "{ticks:?}");
            }
        }
    }

    #[test]
    fn places_stay_on_the_axis() {
        let axis = Axis::linear(0.0, 4.0);
        assert_eq!(axis.place(1.0).to_string(), "25%");
        assert_eq!(axis.height(1.0).to_string(), "75%");
        assert_eq!(axis.place(9.0).to_string(), "100%");
        let axis = Axis::logarithmic(1.0, 16.0);
        assert_eq!(axis.place(4.0).to_string(), "50%");
        assert_eq!(axis.place(0.0).to_string(), "0%");
    }
}
