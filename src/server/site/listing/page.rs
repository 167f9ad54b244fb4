//! A listing as a page: one table, readable on a phone, with a dark colour scheme, and in a text browser.
//!
//! All links are relative, so that the page works behind a proxy that serves it under another path. An
//! entry's link is its encoded name alone, with the name as its text: Kodi and httpdirfs recognize only
//! those as entries. Sorting is a form without an action, which submits to the page itself: it needs no
//! script, and crawlers do not follow it as they would a link.

use std::borrow::Cow;

use maud::{Markup, PreEscaped, html};

use super::contents::{Listing, ListingPart};
use super::entries::Totals;
use super::entry::{Entry, EntryKind};
use super::order::{Direction, SortBy};
use crate::server::html::page::page;
use crate::server::html::quantity::size;

const COLUMNS: [(SortBy, &str); 3] =
    [(SortBy::Name, "Name"), (SortBy::Size, "Size"), (SortBy::Date, "Modified")];

const STYLE: &str = "\
th:first-child,td:first-child{white-space:normal;overflow-wrap:anywhere;width:100%}\
th:nth-child(2),td:nth-child(2){text-align:right;font-variant-numeric:tabular-nums}\
td:nth-child(3){font-variant-numeric:tabular-nums}\
td:first-child a{display:block;unicode-bidi:isolate;white-space:pre-wrap;text-decoration:none}\
td:first-child a:hover,td:first-child a:focus{text-decoration:underline}\
form{display:inline}\
footer button{font:inherit;margin:0 .5rem}\
th button{font:inherit;color:LinkText;background:none;border:0;padding:0;cursor:pointer}\
th button:hover,th button:focus{text-decoration:underline}\
@media(max-width:30rem){th,td{padding:.4rem .3rem}h1,p,footer{padding:0 .3rem}th span,td span{display:none}}";

/// Marks the place of the rows in a page without them: no page contains this character.
const ROWS: &str = "\0";

pub(super) fn write(listing: &Listing, part: ListingPart<'_>, out: &mut String) {
    let frame = || {
        let page = frame(listing);
        let (before, after) = page.split_once(ROWS).expect("the frame contains ROWS");
        (before.to_owned(), after.to_owned())
    };
    match part {
        ListingPart::Beginning => out.push_str(&frame().0),
        ListingPart::Entry { entry, .. } => {
            out.push_str(&row(entry).0);
            out.push('\n');
        }
        ListingPart::End => out.push_str(&frame().1),
    }
}

/// The page, with [`ROWS`] in place of the rows of its entries.
fn frame(listing: &Listing) -> String {
    let mut title = String::from("Index of /");
    for segment in &listing.segments {
        // A title cannot isolate writing direction, and must be one line.
        title.extend(
            printable(segment).chars().map(|c| if changes_direction(c) { '\u{fffd}' } else { c }),
        );
        title.push('/');
    }
    let body = html! {
        main {
            h1 { (breadcrumb(&listing.segments)) }
            table {
                thead { tr { @for (column, label) in COLUMNS { (heading(listing, column, label)) } } }
                tbody {
                    "\n"
                    @if !listing.segments.is_empty() {
                        tr { td { a href="../" { "../" } } td {} td {} }
                    }
                    (ROWS)
                }
            }
        }
        footer {
            (summary(listing.shared.entries.totals()))
            " "
            form { button name="format" value="tar" { "Download all as tar" } }
        }
    };
    let head = html! { style { (PreEscaped(STYLE)) } };
    page(&title, &head, &body).into_string()
}

/// `Index of / docs/ deep/`, each part but the last a link to its directory.
fn breadcrumb(segments: &[Vec<u8>]) -> Markup {
    let crumb = |depth: usize, name: &str| {
        let steps = segments.len() - depth;
        html! {
            " "
            bdi {
                @if steps == 0 { (name) "/" } @else { a href=("../".repeat(steps)) { (name) "/" } }
            }
        }
    };
    html! {
        "Index of" (crumb(0, ""))
        @for (index, segment) in segments.iter().enumerate() {
            (crumb(index + 1, &printable(segment)))
        }
    }
}

fn heading(listing: &Listing, column: SortBy, label: &str) -> Markup {
    let sorted = (listing.order.by == column).then_some(listing.order.direction);
    let (aria, arrow) = match sorted {
        Some(Direction::Ascending) => (Some("ascending"), " \u{25b2}"),
        Some(Direction::Descending) => (Some("descending"), " \u{25bc}"),
        None => (None, ""),
    };
    let chosen = listing.order.after_choosing(column);
    html! {
        th scope="col" aria-sort=[aria] {
            form {
                button name="sort" value=(chosen.by.token()) { (label) }
                input type="hidden" name="order" value=(chosen.direction.token());
            }
            @if column == SortBy::Date { span { "\u{a0}(UTC)" } }
            (arrow)
        }
    }
}

fn row(entry: Entry<'_>) -> Markup {
    html! {
        tr {
            td {
                // The style sheet isolates the name, so that its direction marks change nothing else.
                a href=(entry.reference()) {
                    (printable(entry.name))
                    @if entry.kind == EntryKind::Directory { "/" }
                }
            }
            @match entry.length {
                Some(length) => td title={ (length) " bytes" } { (unbroken(&size(length))) },
                None => td {},
            }
            td {
                @if let Some(modified) = entry.modified {
                    time datetime=(modified.strftime("%Y-%m-%dT%H:%M:%SZ")) {
                        // Narrow screens show only the date.
                        (modified.strftime("%Y-%m-%d"))
                        span { (modified.strftime("\u{a0}%H:%M")) }
                    }
                }
            }
        }
    }
}

fn summary(totals: Totals) -> String {
    let count = |count: usize, one: &str, many: &str| match count {
        1 => format!("1 {one}"),
        _ => format!("{count} {many}"),
    };
    format!(
        "{}, {}, {}",
        count(totals.directories, "folder", "folders"),
        count(totals.files, "file", "files"),
        size(totals.bytes)
    )
}

/// A name for display: invalid UTF-8 is replaced, and control characters become control pictures.
fn printable(name: &[u8]) -> Cow<'_, str> {
    let text = String::from_utf8_lossy(name);
    if !text.contains(char::is_control) {
        return text;
    }
    let picture = |character: char| match u32::from(character) {
        control @ 0..=0x1f => {
            char::from_u32(0x2400 + control).unwrap_or(char::REPLACEMENT_CHARACTER)
        }
        0x7f => '\u{2421}',
        0x80..=0x9f => char::REPLACEMENT_CHARACTER,
        _ => character,
    };
    text.chars().map(picture).collect::<String>().into()
}

/// Whether a character embeds, overrides or isolates writing direction (UAX #9), which could affect the rest
/// of the line, or separates lines.
fn changes_direction(character: char) -> bool {
    matches!(character, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Keeps a text on one line, also in text browsers, which ignore style sheets.
fn unbroken(text: &str) -> String {
    text.replace(' ', "\u{a0}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_made_printable() {
        for (name, expected) in [
            (&b"plain"[..], "plain"),
            (b"a\nb\x7f\x1b", "a\u{240a}b\u{2421}\u{241b}"),
            (b"\xff", "\u{fffd}"),
            (b"\xc2\x85", "\u{fffd}"),
            ("\u{1f600}".as_bytes(), "\u{1f600}"),
        ] {
            assert_eq!(printable(name), expected);
        }
    }
}
