//! Fits the laws of scaling to a measured curve, and chooses between them.
//!
//! Each is fitted by least squares of the relative deviation, measured / law − 1, which is linear in the
//! parameters (in 1/cap for the cap). A law *describes* a curve if it deviates by at most [`MAX_ERROR`] at
//! every level. Of several, the one with the lowest corrected Akaike criterion is chosen, in which a further
//! parameter must pay by a smaller error: K. P. Burnham and D. R. Anderson, *Model Selection and Multimodel
//! Inference*, Springer 2002, §2.4, <https://doi.org/10.1007/b97636>. The laws describe the measured range
//! only.

use super::laws::{Law, amdahls_speedup};
use super::statistics::as_f64;

/// The largest relative deviation, at any level, of a law that describes a curve.
pub const MAX_ERROR: f64 = 0.05;

/// The difference of the criterion up to which a law is not told from a better one.
pub const RIVAL: f64 = 4.0;

/// Deviations below this are not evidence for or against a law.
const NEGLIGIBLE_ERROR: f64 = 0.001;

/// A measured speedup at one concurrency.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DataPoint {
    pub concurrency: usize,
    pub speedup: f64,
}

/// The law that describes a curve best.
#[derive(Clone, Debug, PartialEq)]
pub struct Fit {
    pub law: Law,
    /// The largest relative deviation at any level, at most [`MAX_ERROR`].
    pub error: f64,
    /// Other laws with no more parameters that describe the curve about as well: their criterion is higher by
    /// at most [`RIVAL`].
    pub rivals: Vec<Law>,
}

impl Fit {
    /// The law that describes the curve best; `None` if none describes it, or there are fewer than three
    /// levels above one connection. The laws with two parameters need four.
    #[must_use]
    pub fn of(curve: &[DataPoint]) -> Option<Self> {
        let rows = rows(curve);
        let laws = match rows.len() {
            0..3 => Vec::new(),
            3 => vec![amdahl(&rows)],
            _ => vec![amdahl(&rows), cap(&rows), universal(&rows)],
        };
        let described = laws.into_iter().filter(|law| law.largest_error(&rows) <= MAX_ERROR);
        let mut ranked: Vec<(f64, Law)> =
            described.map(|law| (law.criterion(&rows), law)).collect();
        let squared_error = |law: &Law| law.squared_error(&rows);
        ranked.sort_by(|(one, law), (other, rival)| {
            one.total_cmp(other).then(squared_error(law).total_cmp(&squared_error(rival)))
        });
        let &(lowest, law) = ranked.first()?;
        let rivals = ranked[1..].iter().filter(|(criterion, rival)| {
            *criterion <= lowest + RIVAL && rival.parameters().len() <= law.parameters().len()
        });
        Some(Self {
            law,
            error: law.largest_error(&rows),
            rivals: rivals.map(|(_, rival)| *rival).collect(),
        })
    }
}

impl Law {
    /// The same law fitted to another curve of the same levels. The levels at the cap remain the same.
    #[must_use]
    pub fn refitted(&self, curve: &[DataPoint]) -> Self {
        let rows = rows(curve);
        match *self {
            Self::Amdahl { .. } => amdahl(&rows),
            Self::Universal { .. } => universal(&rows),
            Self::Cap { serial_fraction, cap } => {
                let is_rising = |row: &&Row| amdahls_speedup(serial_fraction, row.c) < cap;
                let rising = rows.iter().filter(is_rising).count();
                capped(&rows, rising)
            }
        }
    }

    fn largest_error(&self, rows: &[Row]) -> f64 {
        rows.iter().map(|row| self.deviation(row).abs()).fold(0.0, f64::max)
    }

    fn squared_error(&self, rows: &[Row]) -> f64 {
        rows.iter().map(|row| self.deviation(row).powi(2)).sum()
    }

    /// Measured / law − 1.
    fn deviation(&self, row: &Row) -> f64 {
        row.speedup / self.speedup(row.c) - 1.0
    }

    /// Akaike's criterion with the correction for few points; infinite if there are too few for it.
    fn criterion(&self, rows: &[Row]) -> f64 {
        // The variance of the deviations counts as a parameter.
        let (count, parameters) = (rows.len(), self.parameters().len() + 1);
        let Some(spare @ 1..) = count.checked_sub(parameters + 1) else { return f64::INFINITY };
        let (count, parameters, spare) = (as_f64(count), as_f64(parameters), as_f64(spare));
        let variance = (self.squared_error(rows) / count).max(NEGLIGIBLE_ERROR * NEGLIGIBLE_ERROR);
        let correction = 2.0 * parameters * (parameters + 1.0) / spare;
        count * variance.ln() + 2.0 * parameters + correction
    }
}

/// A point above one connection, as a row of the linear system: `excess = α·contention + β·coherency`.
struct Row {
    c: f64,
    speedup: f64,
    /// S·(1 − 1/c)
    contention: f64,
    /// S·(c − 1)
    coherency: f64,
    /// S·(1/S − 1/c)
    excess: f64,
}

/// The rows of the points above one connection, in ascending order.
fn rows(curve: &[DataPoint]) -> Vec<Row> {
    let usable = curve.iter().filter(|point| point.concurrency > 1 && point.speedup > 0.0);
    let mut rows: Vec<Row> = usable
        .map(|&DataPoint { concurrency, speedup }| {
            let c = as_f64(concurrency);
            Row {
                c,
                speedup,
                contention: speedup * (1.0 - 1.0 / c),
                coherency: speedup * (c - 1.0),
                excess: 1.0 - speedup / c,
            }
        })
        .collect();
    rows.sort_by(|one, other| one.c.total_cmp(&other.c));
    rows
}

fn amdahl(rows: &[Row]) -> Law {
    Law::Amdahl { serial_fraction: serial_fraction(rows) }
}

fn serial_fraction(rows: &[Row]) -> f64 {
    slope(rows, |row| row.contention, |row| row.excess).clamp(0.0, 1.0)
}

/// The hard cap that fits best, with at least the last two points at the cap.
fn cap(rows: &[Row]) -> Law {
    let laws = (0..=rows.len().saturating_sub(2)).map(|rising| capped(rows, rising));
    let by_error =
        |one: &Law, other: &Law| one.squared_error(rows).total_cmp(&other.squared_error(rows));
    laws.min_by(by_error).expect("the range has a value")
}

/// The hard cap of which the first `rising` points are below the cap.
fn capped(rows: &[Row], rising: usize) -> Law {
    let (rising, level) = rows.split_at(rising);
    let serial_fraction = if rising.is_empty() { 0.0 } else { serial_fraction(rising) };
    // speedup·(1/cap) = 1
    let reciprocal = slope(level, |row| row.speedup, |_| 1.0);
    Law::Cap { serial_fraction, cap: 1.0 / reciprocal }
}

/// Gunther's law. The optimum is the unconstrained one, or has one parameter equal to 0.
fn universal(rows: &[Row]) -> Law {
    let sum = |f: fn(&Row) -> f64| rows.iter().map(f).sum::<f64>();
    let (aa, bb) = (sum(|r| r.contention * r.contention), sum(|r| r.coherency * r.coherency));
    let (ab, ay) = (sum(|r| r.contention * r.coherency), sum(|r| r.contention * r.excess));
    let by = sum(|r| r.coherency * r.excess);
    let determinant = aa * bb - ab * ab;
    let law = |contention, coherency| Law::Universal { contention, coherency };
    let free = ((ay * bb - by * ab) / determinant, (by * aa - ay * ab) / determinant);
    if free.0 >= 0.0 && free.1 >= 0.0 {
        return law(free.0, free.1);
    }
    let contention = law((ay / aa).max(0.0), 0.0);
    let coherency = law(0.0, (by / bb).max(0.0));
    if contention.squared_error(rows) <= coherency.squared_error(rows) {
        contention
    } else {
        coherency
    }
}

/// The slope of the regression line through the origin.
fn slope(rows: &[Row], x: fn(&Row) -> f64, y: fn(&Row) -> f64) -> f64 {
    let product: f64 = rows.iter().map(|row| x(row) * y(row)).sum();
    let square: f64 = rows.iter().map(|row| x(row) * x(row)).sum();
    product / square
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEVELS: [usize; 7] = [1, 2, 4, 8, 16, 32, 64];

    /// The law at these levels, with normal noise of this standard deviation.
    fn made(law: Law, levels: &[usize], noise: f64, random: &mut fastrand::Rng) -> Vec<DataPoint> {
        let mut normal = || (0..12).map(|_| random.f64()).sum::<f64>() - 6.0;
        let point = |&concurrency: &usize| {
            let factor = if concurrency > 1 { (noise * normal()).exp() } else { 1.0 };
            DataPoint { concurrency, speedup: factor * law.speedup(as_f64(concurrency)) }
        };
        levels.iter().map(point).collect()
    }

    fn curve(points: &[(usize, f64)]) -> Vec<DataPoint> {
        let measured = |&(concurrency, speedup): &_| DataPoint { concurrency, speedup };
        points.iter().map(measured).collect()
    }

    fn parameters(law: Law) -> (&'static str, f64, f64) {
        match law {
            Law::Amdahl { serial_fraction } => ("amdahl", serial_fraction, 0.0),
            Law::Cap { serial_fraction, cap } => ("cap", serial_fraction, cap),
            Law::Universal { contention, coherency } => ("universal", contention, coherency),
        }
    }

    #[test]
    fn exact_data_give_their_law_and_its_parameters() {
        let mut random = fastrand::Rng::with_seed(1);
        for law in [
            Law::Amdahl { serial_fraction: 0.0 },
            Law::Amdahl { serial_fraction: 0.1 },
            Law::Amdahl { serial_fraction: 0.9 },
            Law::Cap { serial_fraction: 0.0, cap: 12.0 },
            Law::Cap { serial_fraction: 0.02, cap: 5.0 },
            Law::Cap { serial_fraction: 0.0, cap: 2.5 },
            Law::Universal { contention: 0.03, coherency: 0.002 },
            Law::Universal { contention: 0.0, coherency: 0.01 },
        ] {
            let fit = Fit::of(&made(law, &LEVELS, 0.0, &mut random)).expect("a law describes it");
            let (found, expected) = (parameters(fit.law), parameters(law));
            assert_eq!(found.0, expected.0, "{law:?}: {fit:?}");
            let distance = (found.1 - expected.1).abs() + (found.2 - expected.2).abs();
            assert!(distance < 1e-6 && fit.error < 1e-6, "{law:?}: {fit:?}");
        }
    }

    #[test]
    fn noisy_data_give_their_law() {
        let mut random = fastrand::Rng::with_seed(2);
        for law in [
            Law::Amdahl { serial_fraction: 0.01 },
            Law::Amdahl { serial_fraction: 0.1 },
            Law::Cap { serial_fraction: 0.0, cap: 6.0 },
            Law::Cap { serial_fraction: 0.01, cap: 12.0 },
            Law::Universal { contention: 0.05, coherency: 0.005 },
            Law::Universal { contention: 0.1, coherency: 0.01 },
        ] {
            for levels in [&LEVELS[..], &LEVELS[..6]] {
                let fits: Vec<_> = (0..100)
                    .filter_map(|_| Fit::of(&made(law, levels, 0.01, &mut random)))
                    .map(|fit| parameters(fit.law).0)
                    .collect();
                let right = fits.iter().filter(|found| **found == parameters(law).0).count();
                assert!(right >= 97, "{law:?}, {levels:?}: {right} of {fits:?}");
            }
        }
    }

    /// At 16 and 32 connections this law is as level as a cap.
    #[test]
    fn a_law_that_describes_the_curve_about_as_well_is_named_too() {
        let mut random = fastrand::Rng::with_seed(4);
        let law = Law::Universal { contention: 0.03, coherency: 0.002 };
        let curve = made(law, &LEVELS[..6], 0.01, &mut random);
        let fit = Fit::of(&curve).expect("a law describes it");
        let names: Vec<_> =
            [fit.law].iter().chain(&fit.rivals).map(|law| parameters(*law).0).collect();
        assert!(names.contains(&"universal") && names.contains(&"cap"), "{fit:?}");
        let clear = Fit::of(&made(law, &LEVELS, 0.01, &mut random)).expect("a law describes it");
        assert_eq!((parameters(clear.law).0, clear.rivals), ("universal", vec![]));
    }

    #[test]
    fn a_curve_that_no_law_describes_has_none() {
        for (name, points) in [
            // 20 equal files take 10, 5, 3, 2, 2, 1 rounds.
            (
                "stairs",
                &[
                    (1, 1.0),
                    (2, 2.0),
                    (4, 4.0),
                    (8, 20.0 / 3.0),
                    (16, 10.0),
                    (19, 10.0),
                    (20, 20.0),
                ][..],
            ),
            (
                "stairs, doubling",
                &[(1, 1.0), (2, 2.0), (4, 4.0), (8, 20.0 / 3.0), (16, 10.0), (20, 20.0)],
            ),
            ("a dip", &[(1, 1.0), (2, 1.9), (4, 3.6), (8, 2.0), (16, 8.0), (32, 9.0)]),
            ("superlinear", &[(1, 1.0), (2, 2.3), (4, 5.0), (8, 11.0), (16, 24.0)]),
            ("two levels", &[(1, 1.0), (2, 1.9), (4, 3.6)]),
            ("nothing", &[]),
        ] {
            assert_eq!(Fit::of(&curve(points)), None, "{name}");
        }
    }

    #[test]
    fn a_cap_needs_two_levels_at_it_and_four_in_all() {
        for (points, expected) in [
            (&[(1, 1.0), (2, 2.0), (4, 4.0), (8, 6.0), (16, 6.0)][..], Some("cap")),
            (&[(1, 1.0), (2, 2.0), (4, 4.0), (8, 8.0), (16, 10.0)], None),
            (&[(1, 1.0), (2, 2.0), (4, 3.0), (8, 3.0)], None),
        ] {
            let fit = Fit::of(&curve(points));
            let found = fit.as_ref().map(|fit| parameters(fit.law).0);
            assert_eq!(found, expected, "{points:?}: {fit:?}");
        }
    }

    #[test]
    fn no_parameters_nearby_fit_better() {
        let mut random = fastrand::Rng::with_seed(3);
        let law = Law::Universal { contention: 0.05, coherency: 0.003 };
        let rows = rows(&made(law, &LEVELS, 0.05, &mut random));
        let nearby = |step: f64| [-step, 0.0, step];
        let (_, sigma, _) = parameters(amdahl(&rows));
        for step in nearby(1e-4) {
            let law = Law::Amdahl { serial_fraction: sigma + step };
            assert!(law.squared_error(&rows) >= amdahl(&rows).squared_error(&rows));
        }
        let (_, alpha, beta) = parameters(universal(&rows));
        for (contention, coherency) in
            nearby(1e-4).into_iter().flat_map(|a| nearby(1e-5).map(|b| (alpha + a, beta + b)))
        {
            let law = Law::Universal { contention, coherency };
            assert!(law.squared_error(&rows) >= universal(&rows).squared_error(&rows));
        }
    }

    #[test]
    fn a_refitted_cap_keeps_its_levels() {
        let law = Law::Cap { serial_fraction: 0.0, cap: 6.0 };
        let points = curve(&[(1, 1.0), (2, 2.0), (4, 4.0), (8, 5.0), (16, 5.0)]);
        assert_eq!(law.refitted(&points), Law::Cap { serial_fraction: 0.0, cap: 5.0 });
    }
}
