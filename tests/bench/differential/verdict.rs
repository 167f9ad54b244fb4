//! The verdict on one case: how this package's server compares with the two others.

use std::fmt;

use super::exchange::{Answer, Reaction};

/// The reactions of ours, nginx and Apache, in this order.
pub(crate) type Reactions = [Reaction; 3];

/// A difference, the most severe first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Verdict {
    /// A response is malformed, inconsistent or endless.
    Fault,
    /// Ours and another server read different messages from the same bytes, and neither refuses them, as
    /// request smuggling needs (RFC 9112 §11.2).
    Framing,
    /// Ours serves what both others refuse.
    Laxer,
    /// Ours refuses what both others serve.
    Stricter,
    /// The others agree on another response than ours.
    Alone,
    /// All three differ.
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

/// The difference, or `None` if for each message ours reacted like one of the others, or all three refused
/// it, with whatever status.
pub(crate) fn verdict(reactions: &Reactions) -> Option<Verdict> {
    let [ours, nginx, apache] = reactions;
    if ours.fault.is_some() {
        return Some(Verdict::Fault);
    }
    if disagree_on_messages(ours, nginx) || disagree_on_messages(ours, apache) {
        return Some(Verdict::Framing);
    }
    // After one of the others differed from ours, later messages are compared with the other one only.
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

/// The other one answers some message differently from ours.
pub(crate) fn is_apart(ours: &Reaction, other: &Reaction) -> bool {
    let most = ours.answers.len().max(other.answers.len());
    (0..most).any(|index| !is_alike(ours.answers.get(index), other.answers.get(index)))
}

/// Equal responses, or both a refusal. A closed connection is a refusal.
fn is_alike(one: Option<&Answer>, other: Option<&Answer>) -> bool {
    let is_granted = |answer: Option<&Answer>| answer.is_some_and(Answer::is_granted);
    match (one, other) {
        _ if !is_granted(one) && !is_granted(other) => true,
        (Some(one), Some(other)) => one.status == other.status && one.content == other.content,
        _ => false,
    }
}

/// The first message that both others answer differently.
fn between(ours: Option<&Answer>, nginx: Option<&Answer>, apache: Option<&Answer>) -> Verdict {
    let is_refused = |answer: Option<&Answer>| !answer.is_some_and(Answer::is_granted);
    match (is_refused(ours), is_refused(nginx), is_refused(apache)) {
        (false, true, true) => Verdict::Laxer,
        (true, false, false) => Verdict::Stricter,
        _ if is_alike(nginx, apache) => Verdict::Alone,
        _ => Verdict::ThreeWays,
    }
}

/// Equal except for the fields about the connection, which differ if it is closed in any case.
pub(crate) fn is_same(one: &Reaction, other: &Reaction) -> bool {
    let seen = |reaction: &Reaction| -> Vec<(u16, String)> {
        reaction.answers.iter().map(|answer| (answer.status, answer.content.clone())).collect()
    };
    seen(one) == seen(other)
}

/// Compares the responses up to the point where one server refuses or closes.
fn disagree_on_messages(one: &Reaction, other: &Reaction) -> bool {
    if one.answers.is_empty() || other.answers.is_empty() {
        return false;
    }
    for index in 0.. {
        match (one.answers.get(index), other.answers.get(index)) {
            (Some(a), Some(b)) if a.is_last() != b.is_last() => {
                // A refusal of the first message refuses everything after it; a later one
                // shows that one server's content is the other one's message.
                return index > 0 || (a.is_understood() && b.is_understood());
            }
            (Some(a), Some(b)) if !a.is_understood() || !b.is_understood() => return false,
            (Some(a), Some(b)) if a.closes || b.closes => return false,
            (Some(_), Some(_)) => {}
            (None, None) => return false,
            // One waits for the rest of a message that the other refuses or answers early:
            // neither goes on.
            (Some(only), None) | (None, Some(only)) => {
                let goes_on = one.answers.len().max(other.answers.len()) > index + 1;
                return only.is_last() || (only.is_understood() && goes_on);
            }
        }
    }
    false
}
