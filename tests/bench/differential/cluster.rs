//! Clusters of similar differences, and their table.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;

use super::exchange::Reaction;
use super::known::{Known, known};
use super::message::Case;
use super::verdict::{Reactions, Verdict, is_same};

/// The common properties of differences.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) verdict: Verdict,
    /// Of the smallest case.
    pub(crate) features: BTreeSet<String>,
    /// The reactions of ours, nginx and Apache.
    pub(crate) reactions: [String; 3],
    pub(crate) is_combined: bool,
}

/// A case from which nothing can be removed.
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
    /// All three reacted equally.
    alike: u64,
    with_nginx: u64,
    with_apache: u64,
    /// For each message ours reacted like one of them, or all refused with different statuses.
    between: u64,
    /// Cases that were answered differently when repeated.
    pub(crate) unsteady: u64,
    /// By the smallest case.
    found: BTreeMap<Key, Cluster>,
    /// The cluster of each case.
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

    /// Counts a case of a known cluster; false if there is none.
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

    /// Counts a case in the cluster of its smallest form.
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

    /// Prints all clusters; true if none is unknown.
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
        println!("{:>8}  all three do the same", self.alike);
        println!("{:>8}  like nginx, unlike Apache", self.with_nginx);
        println!("{:>8}  like Apache, unlike nginx", self.with_apache);
        println!("{:>8}  refused by all, or like one of them for each message", self.between);
        println!("{:>8}  unsteady", self.unsteady);
        println!("{:>8}  intended differences", sum(&mut meant.iter().map(|(_, count)| *count)));
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

/// Removes, step by step, what a difference does not need.
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
