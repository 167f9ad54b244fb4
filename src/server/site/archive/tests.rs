//! Archives of real trees, read back by the package `tar`.

use std::ffi::OsStr;
use std::fs::{File, create_dir, create_dir_all, remove_file, write};
use std::io::Read as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileExt as _, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use rustix::fs::{CWD, Mode, mkfifoat};
use tempfile::TempDir;

use super::contents::{Archive, asks_for_archive};
use super::error::ArchiveError;
use super::writer::{ArchiveWriter, LongFile};
use crate::http::{Method, Target};
use crate::server::site::file::FileContent;
use crate::server::site::lookup::{Resource, Site};
use crate::server::site::settings::{DotFiles, SiteSettings, SymbolicLinks};

/// Opens the directory at `target` for archiving.
fn open(site: &Site, target: &str) -> Box<Archive> {
    let target = format!("{target}?format=tar");
    let Ok(Target::Path(path)) = Target::parse(Method::Get, target.as_bytes()) else {
        panic!("{target} is a path")
    };
    match site.find(&path) {
        Ok(Resource::Archive(archive)) => archive,
        other => panic!("{target}: {other:?}"),
    }
}

fn site(root: &Path) -> Site {
    Site::open(root, SiteSettings::default()).unwrap()
}

fn content(file: &LongFile) -> Vec<u8> {
    let FileContent::Opened(opened) = &file.content else { panic!("it is not in memory") };
    let mut content = vec![0; usize::try_from(file.length).unwrap()];
    opened.read_exact_at(&mut content, 0).unwrap();
    content
}

/// The whole archive.
fn written(archive: &Archive) -> Result<Vec<u8>, ArchiveError> {
    let (mut writer, mut whole) = (ArchiveWriter::new(archive), Vec::new());
    while !writer.is_complete() {
        let begin = whole.len();
        let long = writer.write_next(&mut whole)?;
        assert!(whole.len() > begin, "a piece is never empty");
        assert!(whole.len() - begin < 80 * 1024, "{} bytes in memory", whole.len() - begin);
        whole.extend(long.iter().flat_map(content));
    }
    Ok(whole)
}

/// The paths of an archive: directories with a slash, files with `=` and their content.
fn members(site: &Site, target: &str) -> String {
    let whole = written(&open(site, target)).unwrap();
    let mut archive = tar::Archive::new(&*whole);
    let members = archive.entries().unwrap().map(|member| {
        let mut member = member.unwrap();
        let path = String::from_utf8_lossy(&member.path_bytes()).into_owned();
        let mut content = String::new();
        member.read_to_string(&mut content).unwrap();
        if path.ends_with('/') { path } else { format!("{path}={content}") }
    });
    members.collect::<Vec<_>>().join(" ")
}

/// Links out of the root, beneath it, and to the directories above them; names with a dot; special files.
fn tree() -> TempDir {
    let tree = tempfile::tempdir().unwrap();
    let root = tree.path().join("root");
    create_dir_all(root.join("docs/deep/empty")).unwrap();
    create_dir_all(root.join("docs/.git")).unwrap();
    create_dir(root.join("pages")).unwrap();
    for (name, content) in [
        ("../secret", "s"),
        ("a.txt", "a"),
        ("docs/file10", "10"),
        ("docs/file2", "2"),
        ("docs/.env", "e"),
        ("docs/.git/config", "c"),
        ("docs/deep/d", "d"),
        ("pages/index.html", "i"),
        ("pages/unlisted", "u"),
    ] {
        write(root.join(name), content).unwrap();
    }
    for (link, target) in [
        ("docs/to-a", "../a.txt"),
        ("docs/out", "../../secret"),
        ("docs/dangling", "nothing"),
        ("docs/self", "."),
        ("docs/deep/up", ".."),
        ("docs/deep/top", "../.."),
        ("pages-link", "pages"),
        ("deep-link", "docs/deep"),
    ] {
        symlink(target, root.join(link)).unwrap();
    }
    mkfifoat(CWD, root.join("docs/fifo"), Mode::RUSR | Mode::WUSR).unwrap();
    drop(UnixListener::bind(root.join("docs/socket")).unwrap());
    tree
}

#[test]
fn an_archive_has_what_the_site_shows() {
    let tree = tree();
    let (root, default) = (tree.path().join("root"), SiteSettings::default());
    let with = |settings| Site::open(&root, settings).unwrap();
    let docs = "docs/ docs/deep/ docs/deep/empty/ docs/deep/d=d \
                docs/file2=2 docs/file10=10 docs/to-a=a";
    let shown = SiteSettings { dot_files: DotFiles::Shown, ..default.clone() };
    let followed = SiteSettings { symbolic_links: SymbolicLinks::Followed, ..default.clone() };
    let no_index = SiteSettings { index: Vec::new(), ..default.clone() };
    for (settings, target, expected) in [
        (&default, "/docs/", docs.to_owned()),
        (&default, "/docs/deep/", "deep/ deep/empty/ deep/d=d".to_owned()),
        (&default, "/docs/deep/empty/", "empty/".to_owned()),
        // A link to the directory has its own name, and leads up to other directories.
        (
            &default,
            "/deep-link/",
            "deep-link/ deep-link/empty/ deep-link/up/ deep-link/up/file2=2 \
             deep-link/up/file10=10 deep-link/up/to-a=a deep-link/d=d"
                .to_owned(),
        ),
        (
            &shown,
            "/docs/",
            docs.replace("docs/deep/ ", "docs/.git/ docs/.git/config=c docs/deep/ ")
                .replace("docs/file2", "docs/.env=e docs/file2"),
        ),
        (&followed, "/docs/", docs.replace("docs/to-a", "docs/out=s docs/to-a")),
        (&no_index, "/pages/", "pages/ pages/index.html=i pages/unlisted=u".to_owned()),
    ] {
        assert_eq!(members(&with(settings.clone()), target), expected, "{target} {settings:?}");
    }
    // What no listing shows is not in an archive either.
    let whole = members(&with(default), "/");
    assert!(whole.starts_with("files/ files/deep-link/ files/deep-link/empty/ "), "{whole}");
    let pages = " files/pages/ files/pages/index.html=i files/pages-link/ \
                 files/pages-link/index.html=i files/a.txt=a";
    assert!(whole.ends_with(pages), "{whole}");
}

#[test]
fn names_of_any_bytes_and_length_come_back() {
    let tree = tempfile::tempdir().unwrap();
    let mut names: Vec<Vec<u8>> = vec![
        b"a b\n\"'\\*?".to_vec(),
        b"\xff\xfe".to_vec(),
        b"-rf".to_vec(),
        b"...".to_vec(),
        "\u{e9}\u{1f600}".into(),
        b"\xff".repeat(255),
        b"..".repeat(127),
    ];
    // Around the lengths at which a header has no room for the path.
    names.extend((90..=110).map(|length| b"n".repeat(length)));
    let mut directory = tree.path().join("d");
    create_dir(&directory).unwrap();
    for name in &names {
        write(directory.join(OsStr::from_bytes(name)), name).unwrap();
    }
    // Almost as long as the system allows for the path of a file in a temporary directory.
    let mut path = b"d".to_vec();
    while path.len() < 3500 {
        let name = b"\xfe".repeat(130);
        directory.push(OsStr::from_bytes(&name));
        create_dir(&directory).unwrap();
        path.extend([&b"/"[..], &name].concat());
    }
    write(directory.join("f"), "end").unwrap();
    path.extend(b"/f");

    let settings = SiteSettings { dot_files: DotFiles::Shown, ..Default::default() };
    let site = Site::open(tree.path(), settings).unwrap();
    let whole = written(&open(&site, "/d/")).unwrap();
    let mut archive = tar::Archive::new(&*whole);
    let mut found = Vec::new();
    for member in archive.entries().unwrap() {
        let mut member = member.unwrap();
        let path = member.path_bytes().into_owned();
        let mut content = Vec::new();
        member.read_to_end(&mut content).unwrap();
        found.push((path, content));
    }
    for name in names {
        let expected = ([b"d/", &*name].concat(), name);
        assert!(found.contains(&expected), "{}", expected.1.escape_ascii());
    }
    assert!(found.contains(&(path, b"end".to_vec())));
    assert!(found.contains(&(b"d/".to_vec(), Vec::new())));
}

#[test]
fn headers_have_lengths_times_and_modes_and_no_owner() {
    const LARGE: u64 = 9 * 1024 * 1024 * 1024;
    let tree = tempfile::tempdir().unwrap();
    for (name, length, second) in [("1", 7, -5), ("2", 0, 0), ("3", LARGE, 4_102_444_800_i64)] {
        let file = File::create(tree.path().join(name)).unwrap();
        file.set_len(length).unwrap();
        let since = Duration::from_secs(second.unsigned_abs());
        let modified = if second < 0 { UNIX_EPOCH - since } else { UNIX_EPOCH + since };
        file.set_modified(modified).unwrap();
    }
    let time = UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    File::open(tree.path()).unwrap().set_modified(time).unwrap();
    let site = site(tree.path());
    let archive = open(&site, "/");
    let (mut writer, mut out) = (ArchiveWriter::new(&archive), Vec::new());
    let long = writer.write_next(&mut out).unwrap().expect("one is not copied");
    assert_eq!((long.length, &*long.path), (LARGE, &b"3"[..]));
    let expected = [
        ("files/", 0, 1_700_000_000, 0o755),
        ("files/1", 7, 0, 0o644),
        ("files/2", 0, 0, 0o644),
        ("files/3", LARGE, 4_102_444_800, 0o644),
    ];
    let starts = [0, 512, 1536, 2048];
    assert_eq!(out.len(), 2560);
    for ((path, length, modified, mode), start) in expected.into_iter().zip(starts) {
        let header = tar::Header::from_byte_slice(&out[start..start + 512]);
        assert_eq!(header.path_bytes().as_ref(), path.as_bytes());
        assert_eq!(header.entry_size().unwrap(), length, "{path}");
        assert_eq!(header.mtime().unwrap(), modified, "{path}");
        assert_eq!(header.mode().unwrap(), mode, "{path}");
        assert_eq!((header.uid().unwrap(), header.gid().unwrap()), (0, 0), "{path}");
        assert_eq!(header.username(), Ok(Some("")), "{path}");
    }
}

#[test]
fn contents_of_every_length_begin_at_a_block() {
    let tree = tempfile::tempdir().unwrap();
    let lengths =
        [0, 1, 511, 512, 513, 1024, 32_767, 32_768, 32_769, 33_280, 33_281, 100_000, 1_000_000];
    for length in lengths {
        write(tree.path().join(format!("{length}")), "x".repeat(length)).unwrap();
    }
    let whole = written(&open(&site(tree.path()), "/")).unwrap();
    assert_eq!(whole.len() % 512, 0);
    assert_eq!(whole[whole.len() - 1024..], [0; 1024]);
    let mut archive = tar::Archive::new(&*whole);
    let sizes: Vec<_> =
        archive.entries().unwrap().skip(1).map(|member| member.unwrap().size()).collect();
    assert_eq!(sizes, lengths.map(|length| length as u64));
}

#[test]
fn a_file_that_has_gone_is_left_out_and_one_that_has_grown_is_cut() {
    let tree = tempfile::tempdir().unwrap();
    let path = |name: &str| tree.path().join(name);
    for name in ["1", "2", "3"] {
        write(path(name), name.repeat(50_000)).unwrap();
    }
    let site = site(tree.path());
    let archive = open(&site, "/");
    let (mut writer, mut out) = (ArchiveWriter::new(&archive), Vec::new());
    let first = writer.write_next(&mut out).unwrap().expect("it is long");
    write(path("1"), "1".repeat(60_000)).unwrap();
    remove_file(path("2")).unwrap();
    out.extend(content(&first));
    let third = writer.write_next(&mut out).unwrap().expect("it is long");
    out.extend(content(&third));
    assert!(writer.write_next(&mut out).unwrap().is_none() && writer.is_complete());
    let mut archive = tar::Archive::new(&*out);
    let members: Vec<_> = archive
        .entries()
        .unwrap()
        .map(|member| {
            let member = member.unwrap();
            (member.path().unwrap().to_str().unwrap().to_owned(), member.size())
        })
        .collect();
    let expected = [("files/", 0), ("files/1", 50_000), ("files/3", 50_000)];
    assert_eq!(members, expected.map(|(path, size)| (path.to_owned(), size)));
}

#[test]
fn an_archive_is_named_after_its_directory() {
    let tree = tempfile::tempdir().unwrap();
    for (name, target, expected) in [
        ("docs/deep dir", "/docs/deep%20dir/", "deep dir.tar"),
        ("\u{e9}", "/%C3%A9/", "\u{e9}.tar"),
        ("a\n\u{202e}b", "/a%0A%E2%80%AEb/", "a__b.tar"),
        ("", "/", "files.tar"),
    ] {
        create_dir_all(tree.path().join(name)).unwrap();
        assert_eq!(open(&site(tree.path()), target).file_name(), expected);
    }
    create_dir(tree.path().join(OsStr::from_bytes(b"\xff"))).unwrap();
    assert_eq!(open(&site(tree.path()), "/%FF/").file_name(), "\u{fffd}.tar");
}

#[test]
fn the_query_asks_for_an_archive() {
    for (query, expected) in [
        ("format=tar", true),
        ("sort=size&format=tar&order=asc", true),
        ("format=%74ar", true),
        ("format=zip", false),
        ("format=TAR", false),
        ("format", false),
        ("x=format=tar", false),
        ("", false),
    ] {
        assert_eq!(asks_for_archive(query.as_bytes()), expected, "{query}");
    }
}
