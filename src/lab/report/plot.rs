//! Axes: positions of values within a plot, and ticks.
//!
//! Plots are SVG without a fixed width. Positions are percentages, so that a plot fits any screen while text
//! and strokes keep their size.

use std::fmt;

use super::super::figures::Seconds;
use super::super::statistics::as_f64;

/// The width of a plot on a screen of 360 pixels.
const NARROWEST: f64 = 252.0;
/// The width of a character of a label, and the space between labels, in pixels.
const CHARACTER: f64 = 7.5;
const SPACE: f64 = 5.0;

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

    /// Round values with their labels: as many as fit side by side on the narrowest screen.
    pub(super) fn ticks(&self, label: fn(f64) -> String) -> Vec<Tick> {
        let tick = |value: f64| Tick { at: self.place(value), label: label(value) };
        let ticks = |values: Vec<f64>| values.into_iter().map(tick).collect::<Vec<_>>();
        let do_fit = |ticks: &Vec<Tick>| {
            ticks.windows(2).all(|pair| are_clear(pair[0].extent(), pair[1].extent()))
        };
        self.round_values().into_iter().map(ticks).find(do_fit).unwrap_or_default()
    }

    /// Sets of round values on the axis, each with fewer than the one before it: multiples of 1, 2 and 5 times a
    /// power of ten; on a logarithmic axis the powers of ten with their 2- and 5-fold, with their threefold,
    /// alone, and every second one.
    fn round_values(&self) -> Vec<Vec<f64>> {
        match self.scale {
            Scale::Linear => {
                let first = round_step((self.high - self.low) / 10.0);
                let steps = std::iter::successors(Some(first), |step| Some(round_step(step * 1.5)));
                steps.take(6).map(|step| self.multiples(step)).collect()
            }
            Scale::Logarithmic => {
                let first = 10_f64.powf(self.low.log10().floor());
                let is_within = |tick: &f64| (self.low * 0.999..=self.high * 1.001).contains(tick);
                let sets: [(f64, &[f64]); 4] = [
                    (10.0, &[1.0, 2.0, 5.0]),
                    (10.0, &[1.0, 3.0]),
                    (10.0, &[1.0]),
                    (100.0, &[1.0]),
                ];
                let values = |(factor, steps): (f64, &[f64])| -> Vec<f64> {
                    std::iter::successors(Some(first), |power| Some(power * factor))
                        .take_while(|power| *power <= self.high)
                        .flat_map(|power| steps.iter().map(move |step| power * step))
                        .filter(is_within)
                        .collect()
                };
                sets.into_iter().map(values).collect()
            }
        }
    }

    fn multiples(&self, step: f64) -> Vec<f64> {
        let first = (self.low / step).ceil() * step;
        (0..=10)
            // Remove floating-point noise: 0.6, not 0.6000000000000001.
            .map(|index| ((first + as_f64(index) * step) * 1e9).round() / 1e9)
            .take_while(|tick| *tick <= self.high + step * 1e-6)
            .collect()
    }
}

/// A mark of an axis, with its label.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Tick {
    pub(super) at: Percent,
    pub(super) label: String,
}

impl Tick {
    /// The `text-anchor` which keeps the first and the last label within the plot.
    pub(super) fn anchor(&self) -> &'static str {
        match self.at.0 {
            ..4.0 => "start",
            4.0..96.0 => "middle",
            _ => "end",
        }
    }

    /// Where the middle of the label is, and its length.
    fn extent(&self) -> Label {
        let length = self.label.chars().count();
        let half = as_f64(length) * CHARACTER / NARROWEST * 50.0;
        let middle = match self.anchor() {
            "start" => self.at.0 + half,
            "end" => self.at.0 - half,
            _ => self.at.0,
        };
        (Percent(middle), length)
    }
}

/// A round time as the label of a tick, without final zeros: `0 s`, `0.2 ms`, `100 ms`, `1.5 s`.
pub(super) fn time_label(tick: f64) -> String {
    let text = Seconds::new(tick).to_string();
    let (number, unit) = text.split_once(' ').unwrap_or((&text, ""));
    let number = if number.contains('.') {
        number.trim_end_matches('0').trim_end_matches('.')
    } else {
        number
    };
    format!("{number} {unit}")
}

/// The label of a tick of a horizontal axis: its place, and its number of characters.
pub(super) type Label = (Percent, usize);

/// Which of these labels, in ascending order, fit side by side on the narrowest screen. The first and the last
/// have precedence.
pub(super) fn legible(labels: &[Label]) -> Vec<bool> {
    let mut shown = vec![false; labels.len()];
    let Some(last) = labels.len().checked_sub(1) else { return shown };
    let mut left = 0;
    for (index, label) in labels.iter().enumerate() {
        let is_clear = are_clear(labels[left], *label) && are_clear(*label, labels[last]);
        shown[index] = index == 0 || index == last || is_clear;
        if shown[index] {
            left = index;
        }
    }
    shown
}

/// Whether there is space between two labels on the narrowest screen.
fn are_clear((left, left_length): Label, (right, right_length): Label) -> bool {
    let distance = (right.0 - left.0) / 100.0 * NARROWEST;
    distance >= as_f64(left_length + right_length) * CHARACTER / 2.0 + SPACE
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
    fn ticks_are_round_and_as_many_as_have_space() {
        for (axis, expected) in [
            (Axis::linear(0.0, 11.0), &["0 s", "2 s", "4 s", "6 s", "8 s", "10 s"][..]),
            (Axis::linear(0.0, 12.3), &["0 s", "5 s", "10 s"]),
            (Axis::linear(0.0, 0.468), &["0 s", "100 ms", "200 ms", "300 ms", "400 ms"]),
            (Axis::linear(0.0, 0.001_1), &["0 s", "0.5 ms", "1 ms"]),
            (Axis::logarithmic(0.015, 0.35), &["20 ms", "50 ms", "100 ms", "200 ms"]),
            (Axis::logarithmic(0.015, 1.5), &["30 ms", "100 ms", "300 ms", "1 s"]),
            (Axis::logarithmic(0.001, 1.0), &["1 ms", "10 ms", "100 ms", "1 s"]),
        ] {
            let ticks = axis.ticks(time_label);
            let labels: Vec<&str> = ticks.iter().map(|tick| tick.label.as_str()).collect();
            assert_eq!(labels, expected, "{axis:?}");
        }
    }

    /// Longest times over nine decades; the shortest of a logarithmic axis are at least 0.1 ms.
    #[test]
    fn every_axis_of_times_has_two_ticks() {
        for power in -6..3 {
            for lead in 10..100 {
                let high = f64::from(lead) * 10_f64.powi(power);
                let spans = [20.5, 25.0, 26.0, 100.0, 199.0, 200.0, 1e4];
                let spans = spans.into_iter().filter(|span| high / span >= 1e-4);
                let logarithmic = spans.map(|span| Axis::logarithmic(high / span, high));
                for axis in logarithmic.chain([Axis::linear(0.0, high)]) {
                    assert!(axis.ticks(time_label).len() >= 2, "{axis:?}");
                }
            }
        }
    }

    #[test]
    fn labels_that_would_collide_are_left_out() {
        let at = |places: &[f64]| -> Vec<_> {
            places.iter().map(|place| (Percent(*place), 2)).collect()
        };
        for (places, expected) in [
            (&[0.0, 50.0, 100.0][..], &[true, true, true][..]),
            (&[0.0, 4.0, 50.0, 95.0, 100.0], &[true, false, true, false, true]),
            (&[0.0, 5.0, 9.0, 10.0, 100.0], &[true, false, true, false, true]),
            (&[40.0], &[true]),
            (&[], &[]),
        ] {
            assert_eq!(legible(&at(places)), expected, "{places:?}");
        }
    }

    #[test]
    fn labels_of_times_have_no_final_zeros() {
        for (tick, expected) in
            [(0.0, "0 s"), (0.000_2, "0.2 ms"), (0.1, "100 ms"), (1.5, "1.5 s"), (20.0, "20 s")]
        {
            assert_eq!(time_label(tick), expected);
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
