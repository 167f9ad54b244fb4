//! What clients accept, against what is offered.

use super::*;
use crate::http::test_fields::with_fields;
use Coding::{Brotli, Gzip, Identity, Zstd};
use MediaType::{Html, Json, Plain};
use proptest::prelude::*;

fn lines_of(name: &str, values: &str) -> Vec<String> {
    values.split('|').map(|value| format!("{name}: {value}")).collect()
}

fn ask<T>(name: &str, values: &str, ask: impl FnOnce(&Fields<'_>) -> T) -> T {
    let lines = lines_of(name, values);
    with_fields(&lines.iter().map(String::as_str).collect::<Vec<_>>(), ask)
}

#[test]
fn the_coding_is_chosen_by_the_client_first_and_the_server_second() {
    const ALL: &[Coding] = &[Brotli, Zstd, Gzip];
    for (value, available, expected) in [
        ("gzip, deflate, br, zstd", ALL, Some(Brotli)),
        ("gzip, deflate, br, zstd", &[Zstd, Gzip], Some(Zstd)),
        ("gzip, deflate", ALL, Some(Gzip)),
        ("gzip|br", ALL, Some(Brotli)),
        ("GZip", ALL, Some(Gzip)),
        ("x-gzip", ALL, Some(Gzip)),
        ("gzip", &[Brotli], Some(Identity)),
        ("gzip", &[], Some(Identity)),
        ("deflate", ALL, Some(Identity)),
        ("", ALL, Some(Identity)),
        // Weights.
        ("gzip;q=1.0, br;q=0.9", ALL, Some(Gzip)),
        ("gzip ; q=0.5,br;Q=0.501", ALL, Some(Brotli)),
        ("br;q=0, gzip", ALL, Some(Gzip)),
        ("br;q=0.000, gzip;q=0.001", ALL, Some(Gzip)),
        ("gzip;q=0", ALL, Some(Identity)),
        ("gzip;q=0.5, gzip;q=0.7, br;q=0.6", ALL, Some(Gzip)),
        // Identity.
        ("identity", ALL, Some(Identity)),
        ("identity, gzip", ALL, Some(Gzip)),
        ("identity, gzip;q=0.5", ALL, Some(Identity)),
        ("gzip;q=0.001", ALL, Some(Gzip)),
        ("identity;q=0, br", ALL, Some(Brotli)),
        ("identity;q=0", ALL, None),
        ("identity;q=0, br", &[Gzip], None),
        ("identity;q=0.5, *;q=0", ALL, Some(Identity)),
        // `*`.
        ("*", ALL, Some(Brotli)),
        ("*;q=0", ALL, None),
        ("*;q=0, gzip", ALL, Some(Gzip)),
        ("br;q=0, *", ALL, Some(Zstd)),
        ("gzip;q=0.3, *;q=0.5", ALL, Some(Brotli)),
        ("gzip;q=0.3, *;q=0.5", &[Gzip], Some(Identity)),
        // A malformed weight: the coding is ignored.
        ("br;q=high, gzip;q=0.1", ALL, Some(Gzip)),
        ("br;q=2, gzip", ALL, Some(Gzip)),
        ("br;q=-1", ALL, Some(Identity)),
        ("br;q=, gzip", ALL, Some(Gzip)),
        ("identity;q=x", ALL, Some(Identity)),
        (";q=1, ;;, gzip", ALL, Some(Gzip)),
    ] {
        let chosen = ask("Accept-Encoding", value, |fields| choose_coding(fields, available));
        assert_eq!(chosen, expected, "{value:?} of {available:?}");
    }
    assert_eq!(with_fields(&[], |fields| choose_coding(fields, ALL)), Some(Identity));
}

#[test]
fn the_media_type_is_chosen_by_the_client_first_and_the_server_second() {
    const ALL: &[MediaType] = &[Html, Json, Plain];
    for (value, offers, expected) in [
        ("*/*", ALL, Some(Html)),
        ("*/*", &[Plain, Html], Some(Plain)),
        ("application/json", ALL, Some(Json)),
        ("Application/JSON", ALL, Some(Json)),
        ("text/*", &[Json, Plain, Html], Some(Plain)),
        ("image/png", ALL, None),
        ("image/png|text/plain", ALL, Some(Plain)),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", ALL, Some(Html)),
        ("application/json;q=0.9, text/plain", ALL, Some(Plain)),
        ("text/html;q=0", &[Html], None),
        // A named type precedes one that matches a wildcard with the same weight.
        ("application/json, text/plain, */*", ALL, Some(Json)),
        ("application/json, text/plain, */*", &[Plain, Html, Json], Some(Plain)),
        ("*/*, text/*", &[Json, Html], Some(Html)),
        ("*/*, text/html;q=0.9", &[Html, Json], Some(Json)),
        ("application/json, text/html;charset=utf-8", &[Json, Html], Some(Json)),
        // The most specific range counts, not the heaviest nor the first.
        ("text/*, text/html;q=0.1", ALL, Some(Plain)),
        ("text/html;q=0, */*", ALL, Some(Json)),
        ("*/*, text/*;q=0", ALL, Some(Json)),
        ("text/html;q=0.5, text/html;charset=UTF-8, text/plain;q=0.7", ALL, Some(Html)),
        ("text/html;q=0.2, text/html;q=0.9, text/plain;q=0.5", ALL, Some(Html)),
        // Parameters that the offers do not have.
        ("text/html;level=1, text/plain;q=0.1", ALL, Some(Plain)),
        (r#"text/html;a=",text/plain""#, ALL, None),
        (r#"text/html;charset="utf-8""#, ALL, Some(Html)),
        ("text/html;charset=latin1", ALL, None),
        // What Java's HttpURLConnection sends.
        ("text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2", ALL, Some(Html)),
        ("text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2", &[Json], Some(Json)),
        // No valid media range.
        ("", ALL, Some(Html)),
        ("*", ALL, Some(Html)),
        ("*/html, text/, /html, json", &[Plain], Some(Plain)),
        ("text/plain;q=x", ALL, Some(Html)),
        ("*/*", &[], None),
    ] {
        let chosen = ask("Accept", value, |fields| choose_media_type(fields, offers));
        assert_eq!(chosen, expected, "{value:?} of {offers:?}");
    }
    assert_eq!(with_fields(&[], |fields| choose_media_type(fields, &[Plain])), Some(Plain));
}

#[test]
fn a_media_type_is_named_by_itself_and_not_by_a_wildcard() {
    for (value, expected) in [
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", true),
        ("Text/HTML", true),
        ("image/png|text/html;q=0.001", true),
        ("text/html;charset=utf-8", true),
        ("application/json, text/html", true),
        ("text/html;q=0, text/html;q=0.5", true),
        ("*/*", false),
        ("text/*", false),
        ("application/json, text/plain, */*", false),
        ("text/html;q=0, */*", false),
        ("text/html;level=1", false),
        ("text/htmlx", false),
        ("text/html;q=x", false),
        ("", false),
    ] {
        let named = ask("Accept", value, |fields| names_media_type(fields, Html));
        assert_eq!(named, expected, "{value:?}");
    }
    assert!(!with_fields(&[], |fields| names_media_type(fields, Html)));
}

#[test]
fn weights_have_three_digits_at_most() {
    for (text, expected) in [
        ("0", Some(0)),
        ("1", Some(1000)),
        ("0.", Some(0)),
        ("1.", Some(1000)),
        ("0.1", Some(100)),
        ("0.12", Some(120)),
        ("0.123", Some(123)),
        ("1.000", Some(1000)),
        (".2", Some(200)),
        ("0.1234", None),
        ("1.001", None),
        ("2", None),
        ("00", None),
        ("+1", None),
        ("-0", None),
        ("0,5", None),
        ("0.5 ", None),
        ("0.x", None),
        ("0.1.1", None),
        (".", None),
        ("", None),
    ] {
        assert_eq!(parse_weight(text.as_bytes()), expected, "{text:?}");
    }
}

proptest! {
    #[test]
    fn only_offers_are_chosen(value in "[ -~]{0,40}") {
        let media_type = ask("Accept", &value, |fields| choose_media_type(fields, &[Json, Plain]));
        prop_assert_ne!(media_type, Some(Html));
        let coding = ask("Accept-Encoding", &value, |fields| choose_coding(fields, &[Gzip]));
        prop_assert!(matches!(coding, None | Some(Gzip | Identity)));
    }

    #[test]
    fn the_heavier_coding_is_chosen(gzip in 1..=1000_u16, brotli in 1..=1000_u16) {
        let text = |weight: u16| format!("{}.{:03}", weight / 1000, weight % 1000);
        let value = format!("br;q={}, gzip;q={}", text(brotli), text(gzip));
        let chosen = ask("Accept-Encoding", &value, |fields| choose_coding(fields, &[Gzip, Brotli]));
        prop_assert_eq!(chosen, Some(if brotli > gzip { Brotli } else { Gzip }));
    }
}
