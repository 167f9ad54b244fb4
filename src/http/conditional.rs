//! Conditional requests (RFC 9110 §13): evaluates the preconditions of a request.
//!
//! Decides the order of evaluation and which fields are ignored. The caller evaluates them only if the
//! response would be 200 without them (§13.2.1), and makes the response.

use std::time::SystemTime;

use super::date::{self, whole_seconds};
use super::entity_tag::EntityTag;
use super::fields::Fields;
use super::method::Method;

/// The validators of the selected representation (RFC 9110 §8.8).
#[derive(Clone, Copy, Debug, Default)]
pub struct Validators<'a> {
    /// Its entity tag, if it has one.
    pub etag: Option<EntityTag<'a>>,
    /// Its modification date. Compared in whole seconds, the precision of HTTP dates.
    pub last_modified: Option<SystemTime>,
}

/// The result of evaluating the preconditions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evaluation {
    /// All hold, or there are none: respond with 200, or with 206 if a range applies.
    Proceed,
    /// 304: the client already has the current representation.
    NotModified,
    /// 412: the current representation is not the one that the client requires.
    PreconditionFailed,
}

/// Evaluates the preconditions in the order of RFC 9110 §13.2.2, except the last step (`If-Range`, see
/// [`range_applies`]).
///
/// Ignores the preconditions of methods other than GET and HEAD, which select no representation here
/// (§13.2.1), and dates that are malformed or repeated. Of a malformed list of tags, only the tags
/// before the error are compared.
#[must_use]
pub fn evaluate(fields: &Fields<'_>, validators: &Validators<'_>, method: Method) -> Evaluation {
    let is_conditional = |name: &[u8]| name.len() > 3 && name[..3].eq_ignore_ascii_case(b"if-");
    if !matches!(method, Method::Get | Method::Head)
        // Most requests have no precondition and return here, after one pass over the fields.
        || !fields.iter().any(|(name, _)| is_conditional(name))
    {
        return Evaluation::Proceed;
    }
    let date_of = |name| fields.only(name).and_then(date::parse).map(whole_seconds);
    let last_modified = validators.last_modified.map(whole_seconds);

    let is_wanted = match any_tag(fields, "If-Match", validators, EntityTag::strongly_equals) {
        Some(matched) => matched,
        None => match (last_modified, date_of("If-Unmodified-Since")) {
            (Some(modified), Some(date)) => modified <= date,
            _ => true,
        },
    };
    if !is_wanted {
        return Evaluation::PreconditionFailed;
    }
    let is_known = match any_tag(fields, "If-None-Match", validators, EntityTag::weakly_equals) {
        Some(matched) => matched,
        None => match (last_modified, date_of("If-Modified-Since")) {
            (Some(modified), Some(date)) => modified <= date,
            _ => false,
        },
    };
    if is_known { Evaluation::NotModified } else { Evaluation::Proceed }
}

/// Whether a tag in the field `name` matches, or the field is `*`, which matches any representation.
/// `None` if there is no such field.
fn any_tag<'a>(
    fields: &Fields<'a>,
    name: &str,
    validators: &Validators<'a>,
    equals: fn(&EntityTag<'a>, &EntityTag<'a>) -> bool,
) -> Option<bool> {
    fields.first(name)?;
    if fields.only(name) == Some(b"*") {
        return Some(true);
    }
    let mut tags = fields.all(name).flat_map(EntityTag::list);
    Some(validators.etag.is_some_and(|etag| tags.any(|tag| equals(&tag, &etag))))
}

/// Whether the request's `Range` applies: `If-Range` is absent, or equals the current representation's
/// strong entity tag or its exact modification date (RFC 9110 §13.1.5).
///
/// False if `If-Range` is malformed, repeated or a weak tag; the response is then the whole
/// representation.
#[must_use]
pub fn range_applies(fields: &Fields<'_>, validators: &Validators<'_>) -> bool {
    if fields.first("If-Range").is_none() {
        return true;
    }
    let Some(value) = fields.only("If-Range") else { return false };
    if let Some(tag) = EntityTag::parse(value) {
        return validators.etag.is_some_and(|etag| etag.strongly_equals(&tag));
    }
    match (date::parse(value), validators.last_modified) {
        (Some(date), Some(modified)) => whole_seconds(date) == whole_seconds(modified),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::test_fields::with_fields;
    use Evaluation::{NotModified, PreconditionFailed, Proceed};
    use proptest::prelude::*;
    use std::time::{Duration, UNIX_EPOCH};

    const BEFORE: &str = "Sun, 06 Nov 1994 08:49:36 GMT";
    const EXACT: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    const AFTER: &str = "Sun, 06 Nov 1994 08:49:38 GMT";

    /// The tag `"now"`, and `EXACT` plus a fraction of a second.
    fn validators() -> Validators<'static> {
        Validators {
            etag: EntityTag::parse(br#""now""#),
            last_modified: Some(UNIX_EPOCH + Duration::new(784_111_777, 999_999_999)),
        }
    }

    fn lines_of(text: &str) -> Vec<String> {
        let dates = [("BEFORE", BEFORE), ("EXACT", EXACT), ("AFTER", AFTER)];
        let replace = |text: String, (name, date): &(&str, &str)| text.replace(name, date);
        text.split('|').map(|line| dates.iter().fold(line.to_owned(), replace)).collect()
    }

    fn evaluate_lines(text: &str, validators: &Validators<'_>, method: Method) -> Evaluation {
        let lines = lines_of(text);
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        with_fields(&lines, |fields| evaluate(fields, validators, method))
    }

    #[test]
    fn preconditions_are_evaluated_in_the_order_of_rfc_9110() {
        for (text, expected) in [
            ("Host: a", Proceed),
            // Step 1: If-Match, strongly.
            (r#"If-Match: "now""#, Proceed),
            (r#"if-match: "old", "now""#, Proceed),
            (r#"If-Match: "old"|If-Match: "now""#, Proceed),
            ("If-Match: *", Proceed),
            (r#"If-Match: "*""#, PreconditionFailed),
            (r#"If-Match: W/"now""#, PreconditionFailed),
            (r#"If-Match: "old""#, PreconditionFailed),
            ("If-Match: now", PreconditionFailed),
            ("If-Match:", PreconditionFailed),
            (r#"If-Match: *|If-Match: "old""#, PreconditionFailed),
            // Step 2: If-Unmodified-Since, where If-Match is absent.
            ("If-Unmodified-Since: BEFORE", PreconditionFailed),
            ("If-Unmodified-Since: EXACT", Proceed),
            ("If-Unmodified-Since: AFTER", Proceed),
            ("If-Unmodified-Since: yesterday", Proceed),
            ("If-Unmodified-Since: BEFORE|If-Unmodified-Since: BEFORE", Proceed),
            (r#"If-Match: "now"|If-Unmodified-Since: BEFORE"#, Proceed),
            (r#"If-Match: "old"|If-Unmodified-Since: AFTER"#, PreconditionFailed),
            // Step 3: If-None-Match, weakly.
            (r#"If-None-Match: "now""#, NotModified),
            (r#"If-None-Match: W/"now""#, NotModified),
            (r#"If-None-Match: "a,b" , W/"now""#, NotModified),
            (r#"If-None-Match: "old"|If-None-Match: "now""#, NotModified),
            ("If-None-Match: *", NotModified),
            (r#"If-None-Match: "old""#, Proceed),
            (r#"If-None-Match: "*""#, Proceed),
            ("If-None-Match: now", Proceed),
            (r#"If-None-Match: x, "now""#, Proceed),
            // Step 4: If-Modified-Since, where If-None-Match is absent.
            ("If-Modified-Since: BEFORE", Proceed),
            ("If-Modified-Since: EXACT", NotModified),
            ("If-Modified-Since: AFTER", NotModified),
            ("If-Modified-Since: Sunday, 06-Nov-94 08:49:37 GMT", NotModified),
            ("If-Modified-Since: Sun Nov  6 08:49:37 1994", NotModified),
            ("If-Modified-Since: 784111777", Proceed),
            ("If-Modified-Since: AFTER, AFTER", Proceed),
            ("If-Modified-Since: AFTER|If-Modified-Since: AFTER", Proceed),
            (r#"If-None-Match: "old"|If-Modified-Since: AFTER"#, Proceed),
            (r#"If-None-Match: "now"|If-Modified-Since: BEFORE"#, NotModified),
            // Steps 1 and 2 come before 3 and 4, in whatever order the lines came.
            (r#"If-None-Match: "now"|If-Match: "old""#, PreconditionFailed),
            (r#"If-None-Match: "now"|If-Match: "now""#, NotModified),
            ("If-Modified-Since: AFTER|If-Unmodified-Since: BEFORE", PreconditionFailed),
            ("If-Modified-Since: EXACT|If-Unmodified-Since: EXACT", NotModified),
            // Step 5 is not part of it.
            (r#"If-Range: "old""#, Proceed),
        ] {
            for method in [Method::Get, Method::Head] {
                assert_eq!(evaluate_lines(text, &validators(), method), expected, "{text}");
            }
            assert_eq!(evaluate_lines(text, &validators(), Method::Options), Proceed, "{text}");
        }
    }

    #[test]
    fn missing_validators_are_not_compared() {
        for (text, expected) in [
            (r#"If-Match: "now""#, PreconditionFailed),
            ("If-Match: *", Proceed),
            (r#"If-None-Match: "now""#, Proceed),
            ("If-None-Match: *", NotModified),
            ("If-Unmodified-Since: BEFORE", Proceed),
            ("If-Modified-Since: AFTER", Proceed),
        ] {
            let none = Validators::default();
            assert_eq!(evaluate_lines(text, &none, Method::Get), expected, "{text}");
        }
        let ancient = Validators {
            last_modified: Some(UNIX_EPOCH - Duration::from_secs(1)),
            ..Validators::default()
        };
        let text = "If-Modified-Since: Thu, 01 Jan 1970 00:00:00 GMT";
        assert_eq!(evaluate_lines(text, &ancient, Method::Get), NotModified);
    }

    #[test]
    fn a_range_applies_to_exactly_the_representation_it_was_meant_for() {
        for (text, expected) in [
            ("Range: bytes=0-1", true),
            (r#"If-Range: "now""#, true),
            ("If-Range: EXACT", true),
            ("If-Range: Sun Nov  6 08:49:37 1994", true),
            (r#"If-Range: W/"now""#, false),
            (r#"If-Range: "old""#, false),
            (r#"If-Range: "now", "now""#, false),
            (r#"If-Range: "now"|If-Range: "now""#, false),
            ("If-Range: *", false),
            ("If-Range: BEFORE", false),
            ("If-Range: AFTER", false),
            ("If-Range: now", false),
            ("If-Range:", false),
        ] {
            let lines = lines_of(text);
            let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
            with_fields(&lines, |fields| {
                assert_eq!(range_applies(fields, &validators()), expected, "{text}");
                let is_absent = fields.first("If-Range").is_none();
                assert_eq!(range_applies(fields, &Validators::default()), is_absent, "{text}");
            });
        }
        let weak = Validators { etag: EntityTag::parse(br#"W/"now""#), last_modified: None };
        let applies = with_fields(&[r#"If-Range: "now""#], |fields| range_applies(fields, &weak));
        assert!(!applies);
    }

    proptest! {
        #[test]
        fn any_values_are_evaluated_without_panic(
            names in prop::collection::vec(0..5_usize, 0..6),
            value in "[ -~]{0,40}",
        ) {
            const NAMES: [&str; 5] =
                ["If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since", "If-Range"];
            let lines: Vec<_> = names.iter().map(|name| format!("{}: {value}", NAMES[*name])).collect();
            let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
            with_fields(&lines, |fields| {
                let _ = evaluate(fields, &validators(), Method::Get);
                let _ = range_applies(fields, &validators());
            });
        }
    }
}
