//! The scaling of a speedup: its knee, and two scalability laws.
//!
//! Pure functions of numbers. The laws are fitted by least squares of the *relative run time* 1/S(c), in
//! which both are linear in their parameters, and errors are weighted by their effect on the run time. The
//! fits describe the measured range only.

use serde::Serialize;

use super::statistics::as_f64;

/// A speedup within this fraction of the best counts as equally good.
pub const MARGIN: f64 = 0.05;

/// The average number of fetches in progress: `Σ busy / wall`, by Little's law L = λW. Both times are in
/// the same unit.
///
/// J. D. C. Little, *A Proof for the Queuing Formula L = λW*, Operations Research 9 (1961),
/// <https://doi.org/10.1287/opre.9.3.383>: with n fetches in the wall time T, λ = n/T and W = Σ busy / n.
#[must_use]
pub fn achieved_concurrency(busy: f64, wall: f64) -> f64 {
    if wall > 0.0 { busy / wall } else { 0.0 }
}

/// A measured speedup at one concurrency.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DataPoint {
    pub concurrency: usize,
    pub speedup: f64,
}

/// The smallest concurrency whose speedup is within [`MARGIN`] of the best.
#[must_use]
pub fn knee(curve: &[DataPoint]) -> Option<usize> {
    let best = best(curve)?;
    curve
        .iter()
        .filter(|point| point.speedup >= (1.0 - MARGIN) * best)
        .map(|point| point.concurrency)
        .min()
}

/// Whether the speedup decreases at high concurrency: the last point is more than [`MARGIN`] below the
/// best.
#[must_use]
pub fn bends_down(curve: &[DataPoint]) -> bool {
    let last = curve.iter().max_by_key(|point| point.concurrency);
    match (best(curve), last) {
        (Some(best), Some(last)) => last.speedup < (1.0 - MARGIN) * best,
        _ => false,
    }
}

fn best(curve: &[DataPoint]) -> Option<f64> {
    curve.iter().map(|point| point.speedup).max_by(f64::total_cmp)
}

/// Amdahl's law: `S(c) = 1 / (σ + (1 − σ)/c)`, with the serial fraction σ.
///
/// G. M. Amdahl, *Validity of the Single Processor Approach to Achieving Large Scale Computing
/// Capabilities*, AFIPS 1967, <https://doi.org/10.1145/1465482.1465560>.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Amdahl {
    /// The fraction of the work that cannot be parallelised, 0 to 1.
    pub serial_fraction: f64,
    /// The root mean squared error of the relative run time.
    pub error: f64,
}

impl Amdahl {
    /// The speedup with `c` connections, which may be fractional for drawing the curve.
    #[must_use]
    pub fn speedup(&self, c: f64) -> f64 {
        1.0 / (self.serial_fraction + (1.0 - self.serial_fraction) / c)
    }

    /// Fits the law; `None` with fewer than two points above one connection.
    ///
    /// `1/S − 1/c = σ·(1 − 1/c)` is a line through the origin. σ is limited to 0 to 1.
    #[must_use]
    pub fn fit(curve: &[DataPoint]) -> Option<Self> {
        let rows = rows(curve, 2)?;
        let serial_fraction = slope(&rows, |row| row.contention).clamp(0.0, 1.0);
        let error = error(&rows, |row| serial_fraction * row.contention);
        Some(Self { serial_fraction, error })
    }
}

/// The Universal Scalability Law: `S(c) = c / (1 + α(c − 1) + β·c(c − 1))`.
///
/// N. J. Gunther, *Guerrilla Capacity Planning*, Springer 2007, chapter 4,
/// <https://doi.org/10.1007/978-3-540-31010-5>. With β = 0 it is Amdahl's law with σ = α.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct UniversalScalability {
    /// α: the cost of contention for shared resources.
    pub contention: f64,
    /// β: the cost of coherency between connections, which makes the speedup decrease.
    pub coherency: f64,
    /// The root mean squared error of the relative run time.
    pub error: f64,
}

impl UniversalScalability {
    /// The speedup with `c` connections, which may be fractional for drawing the curve.
    #[must_use]
    pub fn speedup(&self, c: f64) -> f64 {
        c / (1.0 + self.contention * (c - 1.0) + self.coherency * c * (c - 1.0))
    }

    /// The concurrency with the highest speedup, `√((1 − α)/β)`; `None` if the curve has no maximum.
    #[must_use]
    pub fn peak(&self) -> Option<f64> {
        (self.coherency > 0.0 && self.contention < 1.0)
            .then(|| ((1.0 - self.contention) / self.coherency).sqrt())
    }

    /// Fits the law with non-negative parameters; `None` with fewer than three points above one connection.
    ///
    /// `1/S − 1/c = α·(1 − 1/c) + β·(c − 1)` is solved by least squares. The optimum is the unconstrained
    /// one, or has one parameter equal to 0.
    #[must_use]
    pub fn fit(curve: &[DataPoint]) -> Option<Self> {
        let rows = rows(curve, 3)?;
        let sum = |f: fn(&Row) -> f64| rows.iter().map(f).sum::<f64>();
        let (aa, bb) = (sum(|r| r.contention * r.contention), sum(|r| r.coherency * r.coherency));
        let (ab, ay) = (sum(|r| r.contention * r.coherency), sum(|r| r.contention * r.excess));
        let by = sum(|r| r.coherency * r.excess);
        let determinant = aa * bb - ab * ab;
        let free = ((ay * bb - by * ab) / determinant, (by * aa - ay * ab) / determinant);
        let edges = [
            (slope(&rows, |row| row.contention).max(0.0), 0.0),
            (0.0, slope(&rows, |row| row.coherency).max(0.0)),
        ];
        let error_of =
            |&(a, b): &(f64, f64)| error(&rows, |row| a * row.contention + b * row.coherency);
        let (contention, coherency) = if free.0 >= 0.0 && free.1 >= 0.0 {
            free
        } else {
            edges.into_iter().min_by(|l, r| error_of(l).total_cmp(&error_of(r)))?
        };
        Some(Self { contention, coherency, error: error_of(&(contention, coherency)) })
    }
}

/// One point of a curve as a row of the linear system.
struct Row {
    /// The coefficient of α: `1 − 1/c`.
    contention: f64,
    /// The coefficient of β: `c − 1`.
    coherency: f64,
    /// The relative run time above the ideal: `1/S − 1/c`.
    excess: f64,
}

/// The rows of the points above one connection; `None` if they have fewer than `fewest` distinct
/// concurrencies.
fn rows(curve: &[DataPoint], fewest: usize) -> Option<Vec<Row>> {
    let usable = |point: &&DataPoint| point.concurrency > 1 && point.speedup > 0.0;
    let mut distinct: Vec<_> = curve.iter().filter(usable).map(|p| p.concurrency).collect();
    distinct.sort_unstable();
    distinct.dedup();
    (distinct.len() >= fewest).then(|| {
        let row = |point: &DataPoint| {
            let c = as_f64(point.concurrency);
            let excess = 1.0 / point.speedup - 1.0 / c;
            Row { contention: 1.0 - 1.0 / c, coherency: c - 1.0, excess }
        };
        curve.iter().filter(usable).map(row).collect()
    })
}

/// The slope of the regression line of the excess over a column, through the origin.
fn slope(rows: &[Row], column: fn(&Row) -> f64) -> f64 {
    let (mut product, mut square) = (0.0, 0.0);
    for row in rows {
        product += column(row) * row.excess;
        square += column(row) * column(row);
    }
    product / square
}

/// The root mean squared error.
fn error(rows: &[Row], predicted: impl Fn(&Row) -> f64) -> f64 {
    let squares: f64 = rows.iter().map(|row| (row.excess - predicted(row)).powi(2)).sum();
    (squares / as_f64(rows.len())).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn curve(points: &[(usize, f64)]) -> Vec<DataPoint> {
        let measured = |&(concurrency, speedup): &_| DataPoint { concurrency, speedup };
        points.iter().map(measured).collect()
    }

    fn close(left: f64, right: f64) -> bool {
        (left - right).abs() < 1e-9
    }

    #[test]
    fn achieved_concurrency_is_busy_time_over_wall_time() {
        assert!(close(achieved_concurrency(8.0, 2.0), 4.0));
        assert!(close(achieved_concurrency(8.0, 0.0), 0.0));
    }

    #[test]
    fn the_knee_is_the_smallest_within_five_percent_of_the_best() {
        for (points, expected) in [
            (&[(1, 1.0), (2, 1.9), (4, 3.8), (8, 3.9), (16, 4.0)][..], Some(4)),
            (&[(1, 1.0), (2, 1.9), (4, 3.7), (8, 3.9)], Some(8)),
            (&[(1, 1.0), (2, 0.7)], Some(1)),
            (&[], None),
        ] {
            assert_eq!(knee(&curve(points)), expected, "{points:?}");
        }
    }

    #[test]
    fn a_curve_bends_down_when_its_end_is_below_its_best() {
        assert!(bends_down(&curve(&[(1, 1.0), (2, 1.9), (4, 1.5)])));
        assert!(!bends_down(&curve(&[(1, 1.0), (2, 1.9), (4, 1.85)])));
        assert!(!bends_down(&[]));
    }

    /// Both fits computed by `scipy.optimize.nnls` on the same rows, `SciPy` 1.17.1.
    #[test]
    fn the_fits_are_those_of_scipy() {
        let saturating = [(1, 1.0), (2, 1.9), (4, 3.4), (8, 5.6), (16, 8.1)];
        let retrograde = [(1, 1.0), (2, 1.92), (4, 3.5), (8, 5.4), (16, 6.1), (32, 4.9)];
        let superlinear = [(1, 1.0), (2, 2.1), (4, 4.3), (8, 8.9)];
        for (points, sigma, alpha, beta) in [
            (&saturating[..], 0.061_158_408_453, 0.055_119_043_213, 0.000_646_927_918),
            (&retrograde, 0.103_781_188_609, 0.031_822_965_269, 0.004_612_808_675),
            (&superlinear, 0.0, 0.0, 0.0),
        ] {
            let amdahl = Amdahl::fit(&curve(points)).expect("enough points");
            let universal = UniversalScalability::fit(&curve(points)).expect("enough points");
            assert!(close(amdahl.serial_fraction, sigma), "{amdahl:?}");
            assert!(close(universal.contention, alpha), "{universal:?}");
            assert!(close(universal.coherency, beta), "{universal:?}");
        }
    }

    #[test]
    fn a_fit_recovers_the_parameters_of_a_law() {
        let amdahl = Amdahl { serial_fraction: 0.1, error: 0.0 };
        let universal = UniversalScalability { contention: 0.05, coherency: 0.002, error: 0.0 };
        let counts = [1, 2, 4, 8, 16];
        let made = |speedup: &dyn Fn(f64) -> f64| {
            curve(&counts.map(|concurrency| (concurrency, speedup(as_f64(concurrency)))))
        };
        let fitted = Amdahl::fit(&made(&|c| amdahl.speedup(c))).expect("enough points");
        assert!(close(fitted.serial_fraction, 0.1) && close(fitted.error, 0.0));
        let fitted =
            UniversalScalability::fit(&made(&|c| universal.speedup(c))).expect("enough points");
        assert!(close(fitted.contention, 0.05) && close(fitted.coherency, 0.002));
        assert!((fitted.peak().expect("β is above 0") - 21.794_494_718).abs() < 1e-6);
    }

    #[test]
    fn too_few_points_fit_nothing() {
        assert_eq!(Amdahl::fit(&curve(&[(1, 1.0), (10, 8.0)])), None);
        assert_eq!(UniversalScalability::fit(&curve(&[(1, 1.0), (2, 1.9), (4, 3.0)])), None);
    }
}
