//! Listings of real directories in each form, and where their links lead.

use std::ffi::OsStr;
use std::fs::{File, FileTimes, create_dir, create_dir_all, hard_link, write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::time::{Duration, SystemTime};

use rustix::fs::{CWD, Mode, mkfifoat};
use tempfile::TempDir;

use super::*;
use crate::http::{Method, Target, TargetPath, encode_segment};
use crate::server::site::lookup::{Resource, Site};
use crate::server::site::settings::{DotFiles, SiteSettings, SymbolicLinks};

const AWKWARD: [&[u8]; 18] = [
    b"a b",
    b"a+b",
    b"100%",
    b"%41",
    b"it's \"quoted\"",
    b"<script>alert(1)",
    b"a&amp;b",
    b"what?",
    b"#1",
    b"new\nline",
    b"\x1b[31m",
    b"\xf0\x9f\x98\x80",
    b"\xff\xfe",
    b"javascript:alert(1)",
    b"http:",
    b"back\\slash",
    b"-rf",
    "\u{202e}txt.exe".as_bytes(),
];

fn path(target: &str) -> TargetPath {
    match Target::parse(Method::Get, target.as_bytes()) {
        Ok(Target::Path(path)) => path,
        refused => panic!("{target}: {refused:?}"),
    }
}

fn list(site: &Site, target: &str) -> Listing {
    match site.find(&path(target)) {
        Ok(Resource::Listing(listing)) => listing,
        other => panic!("{target} is {other:?}"),
    }
}

fn names(listing: &Listing) -> String {
    let names = listing.entries().map(|entry| String::from_utf8_lossy(entry.name));
    names.collect::<Vec<_>>().join(" ")
}

/// The references of a page, as a browser reads them: nothing in them was to be escaped.
fn references(page: &str) -> Vec<&str> {
    let after = page.split(" href=\"").skip(1);
    after.map(|rest| rest.split_once('"').expect("the attribute is closed").0).collect()
}

/// The whole of a listing in one of its forms.
fn written(listing: &Listing, form: MediaType) -> String {
    let (mut whole, mut piece, mut writer) =
        (String::new(), String::new(), ListingWriter::new(listing, form));
    while !writer.is_complete() {
        piece.clear();
        writer.write_next(&mut piece);
        assert!(writer.is_complete() || piece.len() >= PIECE_BYTES, "{} bytes", piece.len());
        assert!(piece.len() < 2 * PIECE_BYTES, "{} bytes", piece.len());
        whole.push_str(&piece);
    }
    whole
}

fn tree() -> TempDir {
    let tree = tempfile::tempdir().unwrap();
    create_dir_all(tree.path().join("root/sub/deep")).unwrap();
    write(tree.path().join("secret"), "secret").unwrap();
    tree
}

fn open(tree: &TempDir) -> Site {
    Site::open(&tree.path().join("root"), SiteSettings::default()).unwrap()
}

#[test]
fn a_directory_is_dropped_from_the_cache_with_its_last_listing() {
    let root = TempDir::new().unwrap();
    create_dir(root.path().join("other")).unwrap();
    let site = Site::open(root.path(), SiteSettings::default()).unwrap();
    let kept = || site.listings.len();
    let (first, second) = (list(&site, "/"), list(&site, "/"));
    let other = list(&site, "/other/");
    assert_eq!(kept(), 2);
    drop(first);
    assert_eq!(kept(), 2, "another one shares it");
    drop(second);
    assert_eq!(kept(), 1);
    drop(other);
    assert_eq!(kept(), 0);
}

#[test]
fn every_name_is_listed_linked_and_served() {
    let tree = tree();
    for name in AWKWARD {
        let at = tree.path().join("root/sub").join(OsStr::from_bytes(name));
        write(at, name.escape_ascii().to_string()).unwrap();
    }
    let site = open(&tree);
    let listing = list(&site, "/sub/");
    let json: serde_json::Value =
        serde_json::from_str(&written(&listing, MediaType::Json)).unwrap();
    let page = written(&listing, MediaType::Html);
    let lines = written(&listing, MediaType::Plain);
    let references = references(&page);
    for name in AWKWARD {
        let reference = encode_segment(name);
        assert!(references.contains(&reference.as_str()), "{reference} in {page}");
        assert!(lines.lines().any(|line| line == reference), "{reference} in {lines}");
        let entries = json["entries"].as_array().unwrap();
        let entry = entries.iter().find(|entry| entry["href"] == reference.as_str()).unwrap();
        assert_eq!(entry["name"], String::from_utf8_lossy(name).as_ref());
        let target = format!("/sub/{reference}");
        let path = path(&target);
        let Ok(Resource::File(found)) = site.find(&path) else { panic!("{target} is no file") };
        assert_eq!(found.file.read(), name.escape_ascii().to_string().as_bytes());
    }
    assert_eq!(lines.lines().count(), AWKWARD.len() + 1);
    assert!(!page.contains("<script"), "{page}");
    assert!(page.contains(">&lt;script&gt;alert(1)</a>"), "{page}");
    assert!(page.contains(">new\u{240a}line</a>"), "{page}");
}

#[test]
fn only_what_would_be_served_is_listed() {
    let tree = tree();
    let root = tree.path().join("root");
    write(root.join("file"), "file").unwrap();
    write(root.join(".hidden"), "hidden").unwrap();
    create_dir(root.join(".git")).unwrap();
    mkfifoat(CWD, root.join("fifo"), Mode::RUSR).unwrap();
    for (link, target) in [
        ("in", "file"),
        ("in-dir", "sub"),
        ("out", "../secret"),
        ("absolute", "/etc"),
        ("dangling", "nothing"),
        ("loop", "loop"),
        ("fifo-link", "fifo"),
        ("sub/up", "../file"),
        ("sub/out", "../../secret"),
    ] {
        symlink(target, root.join(link)).unwrap();
    }
    let site = open(&tree);
    assert_eq!(names(&list(&site, "/")), "in-dir sub file in");
    assert_eq!(names(&list(&site, "/sub/")), "deep up");
    assert_eq!(names(&list(&site, "/in-dir/")), "deep up");
    let listing = list(&site, "/");
    let link = listing.entries().nth(3).unwrap();
    assert_eq!(link.length, Some(4), "a link is as long as its target");

    let all = SiteSettings {
        dot_files: DotFiles::Shown,
        symbolic_links: SymbolicLinks::Followed,
        ..Default::default()
    };
    let all = Site::open(&root, all).unwrap();
    assert_eq!(names(&list(&all, "/")), ".git absolute in-dir sub .hidden file in out");
}

#[test]
fn a_page_has_a_table_with_links_to_sort_it_and_a_way_up() {
    let tree = tree();
    let root = tree.path().join("root/sub");
    write(root.join("small.txt"), "small").unwrap();
    File::create(root.join("large.bin")).unwrap().set_len(1_610_612_736).unwrap();
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_612_625);
    let file = File::options().write(true).open(root.join("small.txt")).unwrap();
    file.set_times(FileTimes::new().set_modified(time)).unwrap();
    let site = open(&tree);
    let page = written(&list(&site, "/sub/"), MediaType::Html);
    for part in [
        "<!DOCTYPE html>",
        "<title>Index of /sub/</title>",
        "<bdi><a href=\"../\">/</a></bdi>",
        "<bdi>sub/</bdi>",
        "<a href=\"../\">../</a>",
        "<th scope=\"col\" aria-sort=\"ascending\"><form><button name=\"sort\" value=\"name\">Name</button>\
         <input type=\"hidden\" name=\"order\" value=\"desc\"></form>",
        "<th scope=\"col\"><form><button name=\"sort\" value=\"size\">",
        "<th scope=\"col\"><form><button name=\"sort\" value=\"date\">",
        "<a href=\"deep/\">deep/</a>",
        "<td title=\"5 bytes\">5\u{a0}B</td>",
        "<td title=\"1610612736 bytes\">1.5\u{a0}GiB</td>",
        "<time datetime=\"2026-11-25T13:17:05Z\">2026-11-25<span>\u{a0}13:17</span></time>",
        "1 folder, 2 files, 1.5 GiB",
    ] {
        assert!(page.contains(part), "{part} in {page}");
    }
    let root_page = written(&list(&site, "/"), MediaType::Html);
    assert!(!root_page.contains("href=\"../\""), "no way up from the root: {root_page}");
    let deep = written(&list(&site, "/sub/deep/"), MediaType::Html);
    for part in ["<a href=\"../../\">/</a>", "<a href=\"../\">sub/</a>", "0 files, 0 B"] {
        assert!(deep.contains(part), "{part} in {deep}");
    }
}

#[test]
fn the_query_sorts_every_form() {
    let tree = tree();
    for (name, length) in [("file10", 1), ("file9", 3), ("file1", 2)] {
        write(tree.path().join("root").join(name), "x".repeat(length)).unwrap();
    }
    let site = open(&tree);
    for (target, expected) in [
        ("/", "sub/ file1 file9 file10"),
        ("/?order=desc", "sub/ file10 file9 file1"),
        ("/?sort=size", "sub/ file10 file1 file9"),
        ("/?sort=size&order=desc", "sub/ file9 file1 file10"),
    ] {
        let listing = list(&site, target);
        let plain = written(&listing, MediaType::Plain);
        assert_eq!(plain.split_whitespace().collect::<Vec<_>>().join(" "), expected, "{target}");
        let page = written(&listing, MediaType::Html);
        assert_eq!(references(&page).join(" "), expected, "{target}");
    }
}

#[test]
fn json_has_paths_types_sizes_and_times() {
    let tree = tree();
    let path = tree.path().join("root/sub/a b");
    write(&path, "fourteen bytes").unwrap();
    let time = SystemTime::UNIX_EPOCH + Duration::from_millis(1_795_612_625_999);
    for path in [path, tree.path().join("root/sub/deep")] {
        let opened = File::open(path).unwrap();
        opened.set_times(FileTimes::new().set_modified(time)).unwrap();
    }
    let json = written(&list(&open(&tree), "/sub/"), MediaType::Json);
    assert_eq!(
        json,
        "{\"path\":\"/sub/\",\"entries\":[\
         {\"name\":\"deep\",\"href\":\"deep/\",\"type\":\"directory\",\
         \"modified\":\"2026-11-25T13:17:05Z\"},\
         {\"name\":\"a b\",\"href\":\"a%20b\",\"type\":\"file\",\"size\":14,\
         \"modified\":\"2026-11-25T13:17:05Z\"}]}\n"
    );
}

#[test]
fn a_directory_of_fifty_thousand_entries_is_listed_whole() {
    const ENTRIES: usize = 50_000;
    let tree = tree();
    // One file under many names: quicker to make than as many files.
    let directory = tree.path().join("root/sub/deep");
    for index in 0..ENTRIES {
        hard_link(tree.path().join("secret"), directory.join(format!("entry {index}"))).unwrap();
    }
    let listing = list(&open(&tree), "/sub/deep/");
    assert_eq!(listing.entries().len(), ENTRIES);
    let last = listing.entries().last().unwrap();
    assert_eq!(last.reference(), format!("entry%20{}", ENTRIES - 1));
    assert_eq!(written(&listing, MediaType::Html).matches("<tr>").count(), ENTRIES + 2);
}
