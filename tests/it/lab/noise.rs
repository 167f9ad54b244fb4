//! Times of runs in the order of an experiment, under known noise: what the estimate makes of them.

#![expect(clippy::cast_precision_loss, reason = "counts of runs are far below 2^53")]

use fastrand::Rng;
use http_concurrent::lab::interval::median_interval;
use http_concurrent::lab::schedule::Schedule;
use http_concurrent::lab::statistics::{Sample, paired_ratios};

/// Noise of the times of runs, which are all 1 without it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Noise {
    /// Independent, with σ = 0.1 on the logarithmic scale.
    Lognormal,
    /// Independent, of Student's t with two degrees of freedom on the logarithmic scale, times 0.05.
    StudentT2,
    /// Lognormal with σ = 0.05, and one run in ten takes two to five times as long.
    Outliers,
    /// Lognormal with σ = 0.05, and each run takes 0.02 longer than the one before.
    Drift,
    /// A first-order autoregression with φ = 0.5 on the logarithmic scale, with σ = 0.1.
    Ar1,
}

impl Noise {
    pub(crate) const ALL: [Self; 5] =
        [Self::Lognormal, Self::StudentT2, Self::Outliers, Self::Drift, Self::Ar1];

    /// The times of this many runs in their order.
    fn times(self, runs: usize, random: &mut Rng) -> Vec<f64> {
        const PHI: f64 = 0.5;
        let mut state = normal(random);
        let mut time = |position: usize| match self {
            Self::Lognormal => (0.1 * normal(random)).exp(),
            Self::StudentT2 => {
                // A normal number divided by the root of an exponential one with mean 1.
                let spread = (-(1.0 - random.f64()).ln()).sqrt();
                (0.05 * normal(random) / spread).exp()
            }
            Self::Outliers => {
                let factor = if random.f64() < 0.1 { 2.0 + 3.0 * random.f64() } else { 1.0 };
                factor * (0.05 * normal(random)).exp()
            }
            Self::Drift => (1.0 + 0.02 * position as f64) * (0.05 * normal(random)).exp(),
            Self::Ar1 => {
                state = PHI * state + (1.0 - PHI * PHI).sqrt() * normal(random);
                (0.1 * state).exp()
            }
        };
        (0..runs).map(&mut time).collect()
    }
}

/// A number of the standard normal distribution, by G. E. P. Box and M. E. Muller (1958).
fn normal(random: &mut Rng) -> f64 {
    let radius = (-2.0 * (1.0 - random.f64()).ln()).sqrt();
    radius * (std::f64::consts::TAU * random.f64()).cos()
}

/// The times of each level in the order of the rounds, every second of which is reversed.
fn by_level(times: &[f64], levels: usize) -> Vec<Vec<f64>> {
    let mut sides = vec![Vec::new(); levels];
    for (index, round) in times.chunks(levels).enumerate() {
        for (position, time) in round.iter().enumerate() {
            sides[if index % 2 == 0 { position } else { levels - 1 - position }].push(*time);
        }
    }
    sides
}

/// The share of simulated experiments in which the intervals of all comparisons cover the truth, which is a
/// ratio of 1.
pub(crate) fn coverage(noise: Noise, schedule: &Schedule, rounds: usize, experiments: u32) -> f64 {
    let mut random = Rng::with_seed(rounds as u64);
    let levels = schedule.levels().len();
    let covered = (0..experiments).filter(|_| {
        // The warm-up is the first run.
        let times = noise.times(1 + rounds * levels, &mut random);
        let sides = by_level(&times[1..], levels);
        sides[1..].iter().all(|side| {
            let ratios = Sample::new(paired_ratios(&sides[0], side)).unwrap();
            let found = median_interval(&ratios, schedule.interval_level()).interval;
            found.low <= 1.0 && 1.0 <= found.high
        })
    });
    covered.count() as f64 / f64::from(experiments)
}
