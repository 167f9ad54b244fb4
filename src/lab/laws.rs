//! Three laws of scaling: the speedup S(c) with c connections.
//!
//! | law | S(c) | parameters |
//! |---|---|---|
//! | Amdahl's | 1 / (σ + (1 − σ)/c) | the serial fraction σ, 0 to 1 |
//! | hard cap | the lesser of Amdahl's S(c) and a cap | σ, the cap |
//! | Gunther's Universal Scalability Law | c / (1 + α(c − 1) + β·c(c − 1)) | contention α, coherency β, at least 0 |
//!
//! G. M. Amdahl, *Validity of the Single Processor Approach to Achieving Large Scale Computing Capabilities*,
//! AFIPS 1967, <https://doi.org/10.1145/1465482.1465560>; N. J. Gunther, *Guerrilla Capacity Planning*,
//! Springer 2007, chapter 4, <https://doi.org/10.1007/978-3-540-31010-5>. A hard cap is what a limit of
//! connections makes: proportional up to it, and level from there.

/// A law with its parameters.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Law {
    Amdahl { serial_fraction: f64 },
    Cap { serial_fraction: f64, cap: f64 },
    Universal { contention: f64, coherency: f64 },
}

impl Law {
    /// The speedup with `c` connections, which may be fractional for drawing the curve.
    #[must_use]
    pub fn speedup(&self, c: f64) -> f64 {
        match *self {
            Self::Amdahl { serial_fraction } => amdahls_speedup(serial_fraction, c),
            Self::Cap { serial_fraction, cap } => amdahls_speedup(serial_fraction, c).min(cap),
            Self::Universal { contention, coherency } => {
                c / (1.0 + contention * (c - 1.0) + coherency * c * (c - 1.0))
            }
        }
    }

    /// Its parameters, with their names.
    #[must_use]
    pub fn parameters(&self) -> Vec<(&'static str, f64)> {
        match *self {
            Self::Amdahl { serial_fraction } => vec![("serial_fraction", serial_fraction)],
            Self::Cap { serial_fraction, cap } => {
                vec![("serial_fraction", serial_fraction), ("cap", cap)]
            }
            Self::Universal { contention, coherency } => {
                vec![("contention", contention), ("coherency", coherency)]
            }
        }
    }

    /// The concurrency with the highest speedup of Gunther's law, `√((1 − α)/β)`; `None` if it has no maximum.
    #[must_use]
    pub fn peak(&self) -> Option<f64> {
        match *self {
            Self::Universal { contention, coherency } if coherency > 0.0 && contention < 1.0 => {
                Some(((1.0 - contention) / coherency).sqrt())
            }
            _ => None,
        }
    }
}

/// The speedup by Amdahl's law.
pub(super) fn amdahls_speedup(serial_fraction: f64, c: f64) -> f64 {
    1.0 / (serial_fraction + (1.0 - serial_fraction) / c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peak_is_where_gunthers_law_is_highest() {
        let law = Law::Universal { contention: 0.05, coherency: 0.002 };
        let peak = law.peak().expect("β is above 0");
        assert!((peak - 21.794_494_718).abs() < 1e-6);
        assert!(law.speedup(peak) > law.speedup(peak - 1.0).max(law.speedup(peak + 1.0)));
        assert_eq!(Law::Universal { contention: 0.05, coherency: 0.0 }.peak(), None);
        assert_eq!(Law::Amdahl { serial_fraction: 0.05 }.peak(), None);
    }
}
