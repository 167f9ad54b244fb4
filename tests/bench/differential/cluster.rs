//! Differences with their like, and the table of them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;

use super::exchange::Reaction;
use super::known::{Known, known};
use super::message::Case;
use super::verdict::{Reactions, Verdict, is_same};

/// What differences have in common.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) verdict: Verdict,
    /// Of the smallest case.
    pub(crate) features: BTreeSet<String>,
    /// What ours, nginx and Apache made of it.
    pub(crate) reactions: [String; 3],
    pub(crate) is_combined: bool,
}

/// A case from which nothing can be taken away.
pub(crate) struct Smallest {
    pub(crate) case: Case,
    pub(crate) reactions: Reactions,
    /// Each of the others differs for a reason of its own.
    pub(crate) is_combined: bool,
}

struct Cluster {
    count: u64,
    example: Case,
}

#[derive(Default)]
pub(crate) struct Clusters {
    /// All three did the same.
    alike: u64,
    with_nginx: u64,
    with_apache: u64,
    /// Ours as one of them with each message, or refused by all with different statuses.
    between: u64,
    /// Cases that were answered otherwise when they came again.
    pub(crate) unsteady: u64,
    /// By the smallest case.
    found: BTreeMap<Key, Cluster>,
    /// Which cluster a case was found to belong to.
    seen: HashMap<String, Key>,
}

impl Clusters {
    pub(crate) fn count_alike(&mut self, [ours, nginx, apache]: &Reactions) {
        match (is_same(ours, nginx), is_same(ours, apache)) {
            (true, true) => self.alike += 1,
            (true, false) => self.with_nginx += 1,
            (false, true) => self.with_apache += 1,
            (false, false) => self.between += 1,
        }
    }

    /// Counts a case whose like has been seen, and says whether it has.
    pub(crate) fn count_again(
        &mut self,
        verdict: Verdict,
        case: &Case,
        reactions: &Reactions,
    ) -> bool {
        let Some(key) = self.seen.get(&like(verdict, case, reactions)) else { return false };
        if let Some(cluster) = self.found.get_mut(key) {
            cluster.count += 1;
        }
        true
    }

    /// Counts a case by the smallest of its like.
    pub(crate) fn insert(
        &mut self,
        verdict: Verdict,
        (case, reactions): (&Case, &Reactions),
        smallest: Smallest,
    ) {
        let Smallest { case: smallest, reactions: its_reactions, is_combined } = smallest;
        let features = smallest.features();
        let key = Key { verdict, features, reactions: in_words(&its_reactions), is_combined };
        self.seen.insert(like(verdict, case, reactions), key.clone());
        let cluster = self.found.entry(key).or_insert(Cluster { count: 0, example: smallest });
        cluster.count += 1;
    }

    /// Prints all; true if nothing is unknown.
    pub(crate) fn report(&self) -> bool {
        let mut meant: Vec<(&'static Known, u64)> = Vec::new();
        let mut unknown = Vec::new();
        for (key, cluster) in &self.found {
            let Some(entry) = known(key) else {
                unknown.push((key, cluster));
                continue;
            };
            match meant.iter_mut().find(|(other, _)| std::ptr::eq(*other, entry)) {
                Some((_, count)) => *count += cluster.count,
                None => meant.push((entry, cluster.count)),
            }
        }
        let sum = |counts: &mut dyn Iterator<Item = u64>| counts.sum::<u64>();
        println!("{:>8}  all three alike", self.alike);
        println!("{:>8}  ours as nginx, Apache otherwise", self.with_nginx);
        println!("{:>8}  ours as Apache, nginx otherwise", self.with_apache);
        println!("{:>8}  refused by all, or ours as one of them with each message", self.between);
        println!("{:>8}  unsteady", self.unsteady);
        println!(
            "{:>8}  differences that are meant",
            sum(&mut meant.iter().map(|(_, count)| *count))
        );
        for (entry, count) in &meant {
            println!("{count:>18}  {}", entry.reason);
        }
        let count = sum(&mut unknown.iter().map(|(_, cluster)| cluster.count));
        println!("{count:>8}  others, in {} clusters", unknown.len());
        for (Key { verdict, features, reactions: [ours, nginx, apache], .. }, cluster) in &unknown {
            let features: Vec<&str> = features.iter().map(String::as_str).collect();
            println!("\n{} × {verdict}: {}", cluster.count, features.join(" + "));
            println!("  ours    {ours}\n  nginx   {nginx}\n  Apache  {apache}");
            println!("  {}", shortened(&cluster.example.bytes().escape_ascii().to_string()));
        }
        unknown.is_empty()
    }
}

fn like(verdict: Verdict, case: &Case, reactions: &Reactions) -> String {
    format!("{verdict} {:?} {:?}", case.features(), in_words(reactions))
}

fn in_words(reactions: &Reactions) -> [String; 3] {
    reactions.each_ref().map(Reaction::to_string)
}

fn shortened(text: &str) -> String {
    const MOST: usize = 400;
    match text.char_indices().nth(MOST) {
        Some((at, _)) => format!("{}… ({} characters)", &text[..at], text.len()),
        None => text.to_owned(),
    }
}

/// Takes away what a difference does not need, a step at a time.
pub(crate) fn smallest(
    case: &Case,
    mut differs: impl FnMut(&Case) -> io::Result<bool>,
) -> io::Result<Case> {
    let mut smallest = case.clone();
    'again: loop {
        for simpler in smallest.simpler() {
            if differs(&simpler)? {
                smallest = simpler;
                continue 'again;
            }
        }
        return Ok(smallest);
    }
}
