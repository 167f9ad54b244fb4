//! A listing for people: one table, readable on a phone, in the dark, and in a text browser.
//!
//! All links are relative, so that the page also works behind a proxy that serves it under another
//! path; sorting is a link, since no script runs.

use std::borrow::Cow;

use maud::{Markup, PreEscaped, html};

use super::{Direction, Entry, EntryKind, Listing, SortBy};
use crate::server::page::page;
use crate::server::page::quantity::size;

const COLUMNS: [(SortBy, &str); 3] =
    [(SortBy::Name, "Name"), (SortBy::Size, "Size"), (SortBy::Date, "Modified")];

const STYLE: &str = "\
th:first-child,td:first-child{white-space:normal;overflow-wrap:anywhere;width:100%}\
th:nth-child(2),td:nth-child(2){text-align:right;font-variant-numeric:tabular-nums}\
td:nth-child(3){font-variant-numeric:tabular-nums}\
td:first-child a{display:block}\
@media(max-width:30rem){th,td{padding:.4rem .3rem}h1,p,footer{padding:0 .3rem}th span,td span{display:none}}";

pub(super) fn write(listing: &Listing) -> String {
    let mut title = String::from("Index of /");
    for segment in &listing.segments {
        title.push_str(&legible(segment));
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
                    @for entry in &listing.entries { (row(entry)) "\n" }
                }
            }
        }
        footer { (summary(&listing.entries)) }
    };
    let head = html! { style { (PreEscaped(STYLE)) } };
    page(&title, &head, &body).into_string()
}

/// `Index of / docs/ deep/`, each a link to that directory.
fn breadcrumb(segments: &[Vec<u8>]) -> Markup {
    let to_ancestor = |steps: usize| if steps == 0 { "./".to_owned() } else { "../".repeat(steps) };
    html! {
        "Index of " a href=(to_ancestor(segments.len())) { "/" }
        @for (index, segment) in segments.iter().enumerate() {
            " " a href=(to_ancestor(segments.len() - 1 - index)) { bdi { (legible(segment)) } "/" }
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
    let link = listing.order.after_choosing(column).to_query();
    html! {
        th scope="col" aria-sort=[aria] {
            a href=(link) rel="nofollow" { (label) }
            @if column == SortBy::Date { span { "\u{a0}(UTC)" } }
            (arrow)
        }
    }
}

fn row(entry: &Entry) -> Markup {
    // A direction mark in a name must not turn around what stands beside it: hence `bdi`.
    html! {
        tr {
            td {
                a href=(entry.reference()) {
                    bdi { (legible(&entry.name)) }
                    @if entry.kind == EntryKind::Directory { "/" }
                }
            }
            @match entry.kind {
                EntryKind::Directory => td {},
                EntryKind::File { length } => td title={ (length) " bytes" } { (unbroken(&size(length))) },
            }
            td {
                time datetime=(entry.modified.strftime("%Y-%m-%dT%H:%M:%SZ")) {
                    // A narrow screen shows the day alone.
                    (entry.modified.strftime("%Y-%m-%d"))
                    span { (entry.modified.strftime("\u{a0}%H:%M")) }
                }
            }
        }
    }
}

fn summary(entries: &[Entry]) -> String {
    let mut directories = 0;
    let mut files = 0;
    let mut bytes: u64 = 0;
    for entry in entries {
        match entry.kind {
            EntryKind::Directory => directories += 1,
            EntryKind::File { length } => {
                files += 1;
                bytes = bytes.saturating_add(length);
            }
        }
    }
    let count = |count: usize, one: &str, many: &str| match count {
        1 => format!("1 {one}"),
        _ => format!("{count} {many}"),
    };
    format!(
        "{}, {}, {}",
        count(directories, "folder", "folders"),
        count(files, "file", "files"),
        size(bytes)
    )
}

/// A name as it can be shown: bytes that are not UTF-8 replaced, control characters as pictures.
fn legible(name: &[u8]) -> Cow<'_, str> {
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

/// Kept on one line, also by a text browser, which knows no style sheet.
fn unbroken(text: &str) -> String {
    text.replace(' ', "\u{a0}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_made_legible() {
        for (name, expected) in [
            (&b"plain"[..], "plain"),
            (b"a\nb\x7f\x1b", "a\u{240a}b\u{2421}\u{241b}"),
            (b"\xff", "\u{fffd}"),
            (b"\xc2\x85", "\u{fffd}"),
            ("\u{1f600}".as_bytes(), "\u{1f600}"),
        ] {
            assert_eq!(legible(name), expected);
        }
    }
}
