//! Range requests (RFC 9110 §14): which parts of a representation a `Range` field selects.
//!
//! The result is the whole representation, one part, several parts, or none. A range set that is
//! malformed, in another unit or longer than the whole is ignored (§14.2): the whole representation is
//! always a correct response. [`ContentRange`](super::ContentRange) and
//! [`Byteranges`](super::Byteranges) describe the parts in the response.

use super::conditional::{self, Validators};
use super::fields::Fields;
use super::method::Method;
use super::syntax::{parse_decimal, trim_whitespace};

/// Limit on the ranges of a request; with more, the response is the whole representation. Known clients
/// send fewer, and the heads of so many parts cannot be used for traffic amplification.
const MAX_RANGES: usize = 50;

/// A range of bytes within a representation. Positions are counted from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ByteRange {
    /// The position of the first byte.
    pub first: u64,
    /// The position of the last byte: at least `first`, and less than [`u64::MAX`].
    pub last: u64,
}

impl ByteRange {
    /// The length of the range in bytes; at least 1.
    #[must_use]
    pub const fn length(&self) -> u64 {
        self.last - self.first + 1
    }

    /// Whether the two overlap or are adjacent, so that one range covers exactly both.
    const fn touches(&self, other: &Self) -> bool {
        self.first <= other.last.saturating_add(1) && other.first <= self.last.saturating_add(1)
    }

    /// The smallest range that covers both.
    fn joined_with(self, other: Self) -> Self {
        Self { first: self.first.min(other.first), last: self.last.max(other.last) }
    }
}

/// The part of a representation that a request selects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    /// 200: there is no `Range`, or it is ignored.
    Whole,
    /// 206 with the bytes of one range.
    Single(ByteRange),
    /// 206 with two or more parts. No two of them overlap or are adjacent.
    Multiple(Vec<ByteRange>),
    /// 416: no range includes a byte of the representation, which is not empty.
    Unsatisfiable,
}

/// Selects the requested parts of a representation of `complete_length` bytes: the last step of RFC 9110
/// §13.2.2. To be called only if the response would be 200 without `Range`.
///
/// `Range` is ignored in methods other than GET (§14.2), and if it is repeated.
#[must_use]
pub fn select(
    fields: &Fields<'_>,
    validators: &Validators<'_>,
    method: Method,
    complete_length: u64,
) -> Selection {
    match fields.only("Range") {
        Some(value) if method == Method::Get && conditional::range_applies(fields, validators) => {
            Selection::parse(value, complete_length)
        }
        _ => Selection::Whole,
    }
}

impl Selection {
    /// Applies the value of a `Range` field to a representation of `complete_length` bytes.
    ///
    /// Ranges that overlap or are adjacent are combined at the place of the first of them (RFC 9110
    /// §15.3.7.2); otherwise the order of the request is kept. A set of several ranges that is longer than
    /// the representation is ignored.
    ///
    /// All ranges of an empty representation are ignored: a client that reads a file in ranges requests
    /// its first bytes before it knows the length, and would report 416 as a failure.
    #[must_use]
    pub fn parse(value: &[u8], complete_length: u64) -> Self {
        if complete_length == 0 {
            return Self::Whole;
        }
        let Some(set) = byte_range_set(value) else { return Self::Whole };
        let mut ranges: Vec<ByteRange> = Vec::new();
        let mut requested_bytes = 0_u64;
        let mut count = 0;
        for member in set.split(|byte| *byte == b',').map(trim_whitespace) {
            if member.is_empty() {
                continue;
            }
            count += 1;
            let Some(spec) = RangeSpec::parse(member) else { return Self::Whole };
            if count > MAX_RANGES {
                return Self::Whole;
            }
            if let Some(range) = spec.resolve(complete_length) {
                requested_bytes = requested_bytes.saturating_add(range.length());
                coalesce(&mut ranges, range);
            }
        }
        if count == 0 || (count > 1 && requested_bytes > complete_length) {
            return Self::Whole;
        }
        match ranges[..] {
            [] => Self::Unsatisfiable,
            [range] => Self::Single(range),
            _ => Self::Multiple(ranges),
        }
    }
}

/// The range set after `bytes=`. The name of the unit is case-insensitive (RFC 9110 §14.1).
fn byte_range_set(value: &[u8]) -> Option<&[u8]> {
    let (unit, set) = value.split_at_checked(b"bytes=".len())?;
    unit.eq_ignore_ascii_case(b"bytes=").then_some(set)
}

/// Adds `range` to `ranges`, of which no two touch, and combines it with those it touches. One pass is
/// enough: the present ranges do not touch each other, so the combined range touches no further one.
fn coalesce(ranges: &mut Vec<ByteRange>, range: ByteRange) {
    let Some(place) = ranges.iter().position(|present| present.touches(&range)) else {
        ranges.push(range);
        return;
    };
    let joined = ranges
        .iter()
        .filter(|present| present.touches(&range))
        .fold(range, |joined, present| joined.joined_with(*present));
    let mut index = 0;
    ranges.retain(|present| {
        index += 1;
        index <= place + 1 || !present.touches(&range)
    });
    ranges[place] = joined;
}

/// One member of a range set (`range-spec`, RFC 9110 §14.1.1). A number that does not fit into 64 bits
/// is stored as [`u64::MAX`], which is beyond the end of every representation.
#[derive(Clone, Copy)]
enum RangeSpec {
    /// `first-` or `first-last`.
    Int { first: u64, last: Option<u64> },
    /// `-length`: the last `length` bytes.
    Suffix { length: u64 },
}

impl RangeSpec {
    /// `None` if the member is malformed, or its last position is before its first (RFC 9110 §14.1.1).
    fn parse(text: &[u8]) -> Option<Self> {
        let hyphen = text.iter().position(|byte| *byte == b'-')?;
        let (first, last) = (&text[..hyphen], &text[hyphen + 1..]);
        if first.is_empty() {
            return Some(Self::Suffix { length: saturating_decimal(last)? });
        }
        let first = saturating_decimal(first)?;
        if last.is_empty() {
            return Some(Self::Int { first, last: None });
        }
        let last = saturating_decimal(last)?;
        (first <= last).then_some(Self::Int { first, last: Some(last) })
    }

    /// The bytes that are selected; `None` if the representation has none of them.
    fn resolve(self, complete_length: u64) -> Option<ByteRange> {
        let end = complete_length.checked_sub(1)?;
        let (first, last) = match self {
            Self::Int { first, last } => (first, last.unwrap_or(u64::MAX)),
            Self::Suffix { length } => (complete_length.saturating_sub(length), u64::MAX),
        };
        (first <= end).then_some(ByteRange { first, last: last.min(end) })
    }
}

/// Parses digits. The result is [`u64::MAX`] if the number does not fit.
fn saturating_decimal(digits: &[u8]) -> Option<u64> {
    let is_number = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    is_number.then(|| parse_decimal(digits).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::super::entity_tag::EntityTag;
    use super::super::test_fields::with_fields;
    use super::*;
    use proptest::prelude::*;

    /// `whole`, `none`, or the ranges as `first-last` joined with `+`.
    fn shown(selection: &Selection) -> String {
        let show = |range: &ByteRange| format!("{}-{}", range.first, range.last);
        match selection {
            Selection::Whole => "whole".to_owned(),
            Selection::Unsatisfiable => "none".to_owned(),
            Selection::Single(range) => show(range),
            Selection::Multiple(ranges) => {
                assert!(ranges.len() > 1);
                ranges.iter().map(show).collect::<Vec<_>>().join("+")
            }
        }
    }

    #[test]
    fn ranges_are_read_against_the_complete_length() {
        const BEYOND: &str = "99999999999999999999999999";
        for (value, complete_length, expected) in [
            // One range.
            ("bytes=0-0", 14, "0-0"),
            ("bytes=0-13", 14, "0-13"),
            ("bytes=0-14", 14, "0-13"),
            ("bytes=13-13", 14, "13-13"),
            ("bytes=14-", 14, "none"),
            ("bytes=13-", 14, "13-13"),
            ("bytes=0-", 14, "0-13"),
            ("bytes=-1", 14, "13-13"),
            ("bytes=-14", 14, "0-13"),
            ("bytes=-15", 14, "0-13"),
            ("bytes=-0", 14, "none"),
            ("bytes=007-0008", 14, "7-8"),
            ("ByTeS=1-2", 14, "1-2"),
            // Beyond 64 bits.
            (&format!("bytes=2-{BEYOND}"), 14, "2-13"),
            (&format!("bytes={BEYOND}-"), 14, "none"),
            (&format!("bytes={BEYOND}-{BEYOND}1"), u64::MAX, "none"),
            (&format!("bytes=-{BEYOND}"), 14, "0-13"),
            (&format!("bytes={BEYOND}-5"), 14, "whole"),
            ("bytes=0-", u64::MAX, "0-18446744073709551614"),
            // An empty representation.
            ("bytes=0-", 0, "whole"),
            ("bytes=0-0", 0, "whole"),
            ("bytes=7-8", 0, "whole"),
            ("bytes=-0", 0, "whole"),
            ("bytes=-5", 0, "whole"),
            ("bytes=0-0,5-,-1", 0, "whole"),
            // Several.
            ("bytes=0-1,4-5", 14, "0-1+4-5"),
            ("bytes=4-5, 0-1", 14, "4-5+0-1"),
            ("bytes=, \t0-1 ,,4-5,", 14, "0-1+4-5"),
            ("bytes=0-1,20-30", 14, "0-1"),
            ("bytes=20-30,-0", 14, "none"),
            ("bytes=0-0,-1", 14, "0-0+13-13"),
            // Coalesced.
            ("bytes=0-3,2-5", 14, "0-5"),
            ("bytes=0-3,4-5", 14, "0-5"),
            ("bytes=4-5,0-3", 14, "0-5"),
            ("bytes=0-1,3-4", 14, "0-1+3-4"),
            ("bytes=0-0,9-9,4-4,5-8", 14, "0-0+4-9"),
            ("bytes=0-1,4-5,8-9,2-7", 14, "0-9"),
            ("bytes=8-9,0-0,4-5,2-7", 14, "2-9+0-0"),
            // Longer than the whole.
            ("bytes=0-,0-", 14, "whole"),
            ("bytes=0-13,0-0", 14, "whole"),
            ("bytes=0-6,7-13", 14, "0-13"),
            // Malformed, or in another unit.
            ("bytes=", 14, "whole"),
            ("bytes= , ", 14, "whole"),
            ("bytes=-", 14, "whole"),
            ("bytes=5-4", 14, "whole"),
            ("bytes=0-1,5-4", 14, "whole"),
            ("bytes=20-,x", 14, "whole"),
            ("bytes=a-b", 14, "whole"),
            ("bytes=1", 14, "whole"),
            ("bytes=+1-2", 14, "whole"),
            ("bytes=1-+2", 14, "whole"),
            ("bytes=1 - 2", 14, "whole"),
            ("bytes=1--2", 14, "whole"),
            ("bytes=--2", 14, "whole"),
            ("bytes =0-1", 14, "whole"),
            ("bytes:0-1", 14, "whole"),
            ("lines=0-1", 14, "whole"),
            ("0-1", 14, "whole"),
            ("byt", 14, "whole"),
            ("", 14, "whole"),
        ] {
            let selection = Selection::parse(value.as_bytes(), complete_length);
            assert_eq!(shown(&selection), expected, "{value:?} of {complete_length}");
        }
    }

    #[test]
    fn the_number_of_ranges_is_limited() {
        let set = |count: usize| {
            let ranges: Vec<_> = (0..count).map(|index| format!("{0}-{0}", 2 * index)).collect();
            format!("bytes={}", ranges.join(","))
        };
        for (count, expected) in [(MAX_RANGES - 1, MAX_RANGES - 1), (MAX_RANGES, MAX_RANGES)] {
            match Selection::parse(set(count).as_bytes(), 1000) {
                Selection::Multiple(ranges) => assert_eq!(ranges.len(), expected),
                other => panic!("{other:?}"),
            }
        }
        let one_more = set(MAX_RANGES + 1);
        assert_eq!(Selection::parse(one_more.as_bytes(), 1000), Selection::Whole);
        // Ranges that select nothing are counted too.
        assert_eq!(Selection::parse(one_more.as_bytes(), 1), Selection::Whole);
    }

    #[test]
    fn a_range_is_used_only_in_get_only_once_and_only_if_it_applies() {
        let validators = Validators { etag: EntityTag::parse(br#""now""#), last_modified: None };
        for (lines, method, expected) in [
            (&["Range: bytes=1-2"][..], Method::Get, "1-2"),
            (&["Range: bytes=1-2"], Method::Head, "whole"),
            (&["Range: bytes=1-2", "Range: bytes=4-5"], Method::Get, "whole"),
            (&["Range: bytes=1-2", r#"If-Range: "now""#], Method::Get, "1-2"),
            (&["Range: bytes=1-2", r#"If-Range: "old""#], Method::Get, "whole"),
            (&["Range: bytes=20-", r#"If-Range: "old""#], Method::Get, "whole"),
            (&["Range: bytes=20-"], Method::Get, "none"),
            (&[r#"If-Range: "now""#], Method::Get, "whole"),
            (&["Host: a"], Method::Get, "whole"),
        ] {
            let selection = with_fields(lines, |fields| select(fields, &validators, method, 14));
            assert_eq!(shown(&selection), expected, "{lines:?} {method:?}");
        }
    }

    fn ranges_of(selection: Selection) -> Vec<ByteRange> {
        match selection {
            Selection::Single(range) => vec![range],
            Selection::Multiple(ranges) => ranges,
            Selection::Whole | Selection::Unsatisfiable => Vec::new(),
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(
            value in prop::collection::vec(any::<u8>(), 0..40),
            complete_length: u64,
        ) {
            let _ = Selection::parse(&value, complete_length);
            let _ = Selection::parse(&[&b"bytes="[..], &value].concat(), complete_length);
        }

        #[test]
        fn selected_ranges_lie_within_the_representation_and_apart(
            set in "[0-9]{0,2}-[0-9]{0,2}(, ?[0-9]{0,2}-[0-9]{0,2}){0,6}",
            complete_length in 0..100_u64,
        ) {
            let ranges = ranges_of(Selection::parse(format!("bytes={set}").as_bytes(), complete_length));
            for (index, range) in ranges.iter().enumerate() {
                prop_assert!(range.first <= range.last && range.last < complete_length);
                prop_assert!(ranges[..index].iter().all(|other| !range.touches(other)));
            }
        }

        #[test]
        fn the_bytes_selected_are_those_asked_for(
            asked in prop::collection::vec((0..40_u64, 0..8_u64), 1..8),
        ) {
            let set: Vec<_> = asked.iter().map(|(first, more)| format!("{first}-{}", first + more)).collect();
            let value = format!("bytes={}", set.join(","));
            let ranges = ranges_of(Selection::parse(value.as_bytes(), 1000));
            for position in 0..60 {
                let is_asked =
                    asked.iter().any(|(first, more)| (*first..=first + more).contains(&position));
                let is_selected =
                    ranges.iter().any(|range| (range.first..=range.last).contains(&position));
                prop_assert_eq!(is_asked, is_selected, "{}", position);
            }
        }
    }
}
