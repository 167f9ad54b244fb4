//! How this package's server stands to the two others, by what the three did with one case.

use std::fmt;

use super::exchange::{Answer, Reaction};

/// What ours, nginx and Apache did.
pub(crate) type Reactions = [Reaction; 3];

/// A difference, the gravest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Verdict {
    /// What came back cannot be read, contradicts itself or does not end.
    Fault,
    /// Ours and another server see different messages in the same bytes, and neither refuses them: what
    /// request smuggling needs (RFC 9112 §11.2).
    Framing,
    /// Ours serves what both others refuse.
    Laxer,
    /// Ours refuses what both others serve.
    Stricter,
    /// The others agree, on another answer than ours.
    Alone,
    /// Each does something else.
    ThreeWays,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fault => "fault",
            Self::Framing => "framing",
            Self::Laxer => "laxer than both",
            Self::Stricter => "stricter than both",
            Self::Alone => "alone",
            Self::ThreeWays => "three ways",
        })
    }
}

/// The difference, or `None` where ours did with each message what one of the others did, or all three
/// refused it, if with different statuses.
pub(crate) fn verdict(reactions: &Reactions) -> Option<Verdict> {
    let [ours, nginx, apache] = reactions;
    if ours.fault.is_some() {
        return Some(Verdict::Fault);
    }
    if disagree_on_messages(ours, nginx) || disagree_on_messages(ours, apache) {
        return Some(Verdict::Framing);
    }
    // Where one of the others parted from ours, the next messages are held against the other alone.
    let mut others = vec![nginx, apache];
    for index in 0.. {
        let theirs: Vec<Option<&Answer>> =
            others.iter().map(|other| other.answers.get(index)).collect();
        let answer = ours.answers.get(index);
        if !theirs.iter().any(|their| is_alike(answer, *their)) {
            return (others.len() == 2).then(|| between(answer, theirs[0], theirs[1]));
        }
        answer?;
        others.retain(|other| is_alike(answer, other.answers.get(index)));
    }
    None
}

/// The other answers some message otherwise than ours.
pub(crate) fn is_apart(ours: &Reaction, other: &Reaction) -> bool {
    let most = ours.answers.len().max(other.answers.len());
    (0..most).any(|index| !is_alike(ours.answers.get(index), other.answers.get(index)))
}

/// The same answer, or both a refusal. A connection that is closed refuses as well.
fn is_alike(one: Option<&Answer>, other: Option<&Answer>) -> bool {
    let is_granted = |answer: Option<&Answer>| answer.is_some_and(Answer::is_granted);
    match (one, other) {
        _ if !is_granted(one) && !is_granted(other) => true,
        (Some(one), Some(other)) => one.status == other.status && one.content == other.content,
        _ => false,
    }
}

/// What it is that both others answer otherwise.
fn between(ours: Option<&Answer>, nginx: Option<&Answer>, apache: Option<&Answer>) -> Verdict {
    let is_refused = |answer: Option<&Answer>| !answer.is_some_and(Answer::is_granted);
    match (is_refused(ours), is_refused(nginx), is_refused(apache)) {
        (false, true, true) => Verdict::Laxer,
        (true, false, false) => Verdict::Stricter,
        _ if is_alike(nginx, apache) => Verdict::Alone,
        _ => Verdict::ThreeWays,
    }
}

/// Alike but for the words about the connection, which differ where it is closed in any case.
pub(crate) fn is_same(one: &Reaction, other: &Reaction) -> bool {
    let seen = |reaction: &Reaction| -> Vec<(u16, String)> {
        reaction.answers.iter().map(|answer| (answer.status, answer.content.clone())).collect()
    };
    seen(one) == seen(other)
}

/// Walks along the answers up to where one server refuses or closes.
fn disagree_on_messages(one: &Reaction, other: &Reaction) -> bool {
    if one.answers.is_empty() || other.answers.is_empty() {
        return false;
    }
    for index in 0.. {
        match (one.answers.get(index), other.answers.get(index)) {
            (Some(a), Some(b)) if a.is_last() != b.is_last() => {
                // A refusal of the first message refuses all that follows; a later one shows that what
                // is content to one server is a message to the other.
                return index > 0 || (a.is_understood() && b.is_understood());
            }
            (Some(a), Some(b)) if !a.is_understood() || !b.is_understood() => return false,
            (Some(a), Some(b)) if a.closes || b.closes => return false,
            (Some(_), Some(_)) => {}
            (None, None) => return false,
            // One waits for the rest of a message that the other refuses, or answers before it has
            // all of it: neither goes on.
            (Some(only), None) | (None, Some(only)) => {
                let goes_on = one.answers.len().max(other.answers.len()) > index + 1;
                return only.is_last() || (only.is_understood() && goes_on);
            }
        }
    }
    false
}
