//! Interleaved rounds: A B C A B C …, so that a change of the machine's speed affects all contenders alike.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{SIGINT, SIGTERM};

use super::row::Contender;

/// True after SIGINT or SIGTERM: the next measurement then fails, and all that was started is dropped.
#[derive(Clone)]
pub(crate) struct Interrupted(Arc<AtomicBool>);

impl Interrupted {
    pub(crate) fn on_signals() -> io::Result<Self> {
        let flag = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            signal_hook::flag::register(signal, Arc::clone(&flag))?;
        }
        Ok(Self(flag))
    }

    pub(crate) fn check(&self) -> anyhow::Result<()> {
        anyhow::ensure!(!self.0.load(Ordering::Relaxed), "interrupted");
        Ok(())
    }
}

/// Measures each contender once without counting it, and then once in every round.
pub(crate) fn interleaved<C>(
    contenders: &mut [C],
    rounds: u32,
    interrupted: &Interrupted,
    name: impl Fn(&C) -> &'static str,
    mut measure: impl FnMut(&mut C) -> anyhow::Result<Vec<f64>>,
) -> anyhow::Result<Vec<Contender>> {
    for contender in &mut *contenders {
        interrupted.check()?;
        measure(contender)?;
    }
    in_rounds(contenders, |_| rounds, interrupted, name, measure)
}

/// Measures each contender once in every round, as many times as `rounds` says for it.
pub(crate) fn in_rounds<C>(
    contenders: &mut [C],
    rounds: impl Fn(&C) -> u32,
    interrupted: &Interrupted,
    name: impl Fn(&C) -> &'static str,
    mut measure: impl FnMut(&mut C) -> anyhow::Result<Vec<f64>>,
) -> anyhow::Result<Vec<Contender>> {
    let mut measured: Vec<Contender> = contenders
        .iter()
        .map(|contender| Contender { name: name(contender), rounds: Vec::new() })
        .collect();
    for round in 0..contenders.iter().map(&rounds).max().unwrap_or(0) {
        for (contender, results) in contenders.iter_mut().zip(&mut measured) {
            if round < rounds(contender) {
                interrupted.check()?;
                results.rounds.push(measure(contender)?);
            }
        }
    }
    interrupted.check()?;
    Ok(measured)
}
