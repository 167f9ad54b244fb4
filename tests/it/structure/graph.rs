//! The uses between the files and folders that stand side by side, at every level of the tree.

use std::collections::{BTreeMap, BTreeSet};

use super::resolve::{Use, components};

/// Which of a folder's files and folders use which others, with an example of each.
pub(super) type Siblings = BTreeMap<(String, String), String>;

/// The uses between siblings by the folder that they stand in; that of `src` is `""`.
///
/// A file of one folder that uses a file of another makes the folders depend on each other where the two
/// paths part, so that a cycle of files shows as a cycle of siblings in the folder that holds it all.
pub(super) fn by_folder(uses: &[Use]) -> BTreeMap<String, Siblings> {
    let mut folders = BTreeMap::<String, Siblings>::new();
    for used in uses {
        let (from, to) = (components(&used.from), components(&used.to));
        let common = from.iter().zip(&to).take_while(|(from, to)| from == to).count();
        let pair = (from[common].clone(), to[common].clone());
        let example = used.to_string();
        folders.entry(from[..common].join("/")).or_default().entry(pair).or_insert(example);
    }
    folders
}

/// The uses that lie on a cycle.
pub(super) fn cycles(siblings: &Siblings) -> Vec<&str> {
    let on_cycle = |(from, to): &(String, String)| reachable(siblings, to).contains(from.as_str());
    siblings.iter().filter(|(pair, _)| on_cycle(pair)).map(|(_, example)| &**example).collect()
}

fn reachable<'s>(siblings: &'s Siblings, start: &'s str) -> BTreeSet<&'s str> {
    let (mut reached, mut open) = (BTreeSet::from([start]), vec![start]);
    while let Some(at) = open.pop() {
        for (_, to) in siblings.keys().filter(|(from, _)| from == at) {
            if reached.insert(to) {
                open.push(to);
            }
        }
    }
    reached
}

/// The uses against an order: one row after the other, each of which may use the rows before it.
pub(super) fn against<'s>(siblings: &'s Siblings, order: &[&str]) -> Vec<&'s str> {
    let row = |name: &str| order.iter().position(|row| row.split(' ').any(|entry| entry == name));
    let is_allowed = |(from, to): &(String, String)| match (row(from), row(to)) {
        (Some(from), Some(to)) => from > to,
        _ => false,
    };
    siblings.iter().filter(|(pair, _)| !is_allowed(pair)).map(|(_, example)| &**example).collect()
}
