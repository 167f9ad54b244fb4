//! Paths of requests against a tree of real files.

use std::fs::{create_dir, create_dir_all, write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;

use rustix::fs::{CWD, Mode, mkfifoat};
use tempfile::TempDir;

use super::*;
use crate::http::{Method, Target};
use crate::server::site::content_type::OCTET_STREAM;
use crate::server::site::settings::{DotFiles, SymbolicLinks};

/// The path that a request target names.
fn path(target: &str) -> TargetPath {
    match Target::parse(Method::Get, target.as_bytes()) {
        Ok(Target::Path(path)) => path,
        refused => panic!("{target}: {refused:?}"),
    }
}

/// Describes the resource of a request target.
fn find(site: &Site, target: &str) -> String {
    match site.find(&path(target)) {
        Ok(Resource::File(NamedFile { file, .. })) => {
            let length = file.description.length();
            let content = String::from_utf8(file.read()).unwrap();
            assert_eq!(length, content.len() as u64);
            content
        }
        Ok(Resource::Listing(listing)) => {
            let names = listing.entries().map(|entry| entry.reference());
            format!("listing {}", names.collect::<Vec<_>>().join(" "))
        }
        Ok(Resource::Archive(archive)) => archive.file_name(),
        Ok(Resource::Redirect(location)) => format!("to {location}"),
        Err(error) => format!("{error:?}"),
    }
}

fn tree() -> TempDir {
    let tree = tempfile::tempdir().unwrap();
    let root = tree.path();
    create_dir_all(root.join("docs/deep")).unwrap();
    create_dir(root.join("index.html")).unwrap();
    create_dir(root.join("empty")).unwrap();
    create_dir(root.join("a b?")).unwrap();
    write(root.join("index.htm"), "root index").unwrap();
    write(root.join("docs/index.html"), "docs index").unwrap();
    write(root.join("docs/index.htm"), "second choice").unwrap();
    write(root.join("docs/deep/file.txt"), "deep").unwrap();
    write(root.join("file.txt"), "file").unwrap();
    write(root.join(".env"), "secret").unwrap();
    create_dir_all(root.join(".git/objects")).unwrap();
    write(root.join(".git/objects/a"), "object").unwrap();
    create_dir(root.join(".well-known")).unwrap();
    write(root.join(".well-known/security.txt"), "contact").unwrap();
    write(root.join(".well-known/.hidden"), "hidden").unwrap();
    symlink(".env", root.join("link")).unwrap();
    symlink("docs", root.join("docs-link")).unwrap();
    symlink("/etc/passwd", root.join("passwd")).unwrap();
    tree
}

fn settings() -> SiteSettings {
    SiteSettings { index: vec!["index.html".into(), "index.htm".into()], ..Default::default() }
}

#[test]
fn paths_lead_to_files_index_files_and_redirects() {
    let tree = tree();
    let site = Site::open(tree.path(), settings()).unwrap();
    for (target, expected) in [
        ("/file.txt", "file"),
        ("/file.txt?v=1", "file"),
        ("/%66ile.txt", "file"),
        ("/docs/deep/file.txt", "deep"),
        ("/docs/../file.txt", "file"),
        ("/", "root index"),
        ("/docs/", "docs index"),
        ("/docs", "to /docs/"),
        ("/docs?a=b&c", "to /docs/?a=b&c"),
        ("/docs?\u{e4}\"", "to /docs/?%C3%A4\""),
        ("//docs", "to /docs/"),
        ("/a%20b%3F", "to /a%20b%3F/"),
        ("/docs-link", "to /docs-link/"),
        ("/docs-link/deep/file.txt", "deep"),
        ("/empty/", "listing "),
        ("/docs/deep/", "listing file.txt"),
        ("/file.txt/", "NotFound"),
        ("/file.txt/more", "NotFound"),
        ("/file.txt/more/", "NotFound"),
        ("/nothing", "NotFound"),
        ("/nothing/", "NotFound"),
        ("/passwd", "NotFound"),
        ("/index.html", "to /index.html/"),
    ] {
        assert_eq!(find(&site, target), expected, "{target}");
    }
    let long = format!("/{}", "n".repeat(5000));
    assert_eq!(find(&site, &long), "NotFound");
    let deep = "/n".repeat(4000);
    assert_eq!(find(&site, &deep), "NotFound");
}

#[test]
fn names_with_a_dot_in_front_do_not_exist_unless_they_are_shown() {
    let tree = tree();
    let hidden = Site::open(tree.path(), settings()).unwrap();
    let shown = SiteSettings { dot_files: DotFiles::Shown, ..settings() };
    let shown = Site::open(tree.path(), shown).unwrap();
    for (target, when_hidden, when_shown) in [
        ("/.env", "NotFound", "secret"),
        ("/.git", "NotFound", "to /.git/"),
        ("/.git/", "NotFound", "listing objects/"),
        ("/.well-known/", "listing security.txt", "listing .hidden security.txt"),
        ("/.git/objects/a", "NotFound", "object"),
        ("/docs/%2eenv", "NotFound", "NotFound"),
        ("/%2eenv", "NotFound", "secret"),
        ("/.well-known/security.txt", "contact", "contact"),
        ("/.well-known/.hidden", "NotFound", "hidden"),
        ("/link", "secret", "secret"),
    ] {
        assert_eq!(find(&hidden, target), when_hidden, "{target}");
        assert_eq!(find(&shown, target), when_shown, "{target}");
    }
}

#[test]
fn directories_without_an_index_are_forbidden_where_listings_are_refused() {
    let tree = tree();
    let settings = SiteSettings { listings: Listings::Refused, ..settings() };
    let site = Site::open(tree.path(), settings).unwrap();
    for (target, expected) in [
        ("/empty/", "Forbidden"),
        ("/docs/deep/", "Forbidden"),
        ("/docs/deep/file.txt", "deep"),
        ("/docs/", "docs index"),
        ("/nothing/", "NotFound"),
    ] {
        assert_eq!(find(&site, target), expected, "{target}");
    }
}

#[test]
fn a_site_without_index_files_lists_every_directory() {
    let tree = tree();
    let settings = SiteSettings { index: Vec::new(), ..Default::default() };
    let site = Site::open(tree.path(), settings).unwrap();
    let root = "listing .well-known/ a%20b%3F/ docs/ docs-link/ empty/ index.html/ \
                file.txt index.htm link";
    assert_eq!(find(&site, "/"), root);
    assert_eq!(find(&site, "/docs/"), "listing deep/ index.htm index.html");
    assert_eq!(find(&site, "/file.txt/"), "NotFound");
}

#[test]
fn the_content_decides_the_type_if_the_extension_is_unknown() {
    let tree = tree();
    for (name, content, content_type) in [
        ("Makefile", &b"all:\n"[..], "text/plain; charset=utf-8"),
        ("core", b"\x7fELF\0", OCTET_STREAM),
        ("a.unheard-of", b"text", "text/plain; charset=utf-8"),
        // A known extension decides, whatever the content.
        ("a.png", b"text", "image/png"),
    ] {
        write(tree.path().join(name), content).unwrap();
        let site = Site::open(tree.path(), settings()).unwrap();
        let Ok(Resource::File(NamedFile { file: found, .. })) =
            site.find(&path(&format!("/{name}")))
        else {
            panic!("{name} is not found")
        };
        assert_eq!(found.description.content_type, content_type, "{name}");
        assert_eq!(found.read(), content, "{name}");
    }
}

#[test]
fn fifos_sockets_and_devices_are_not_found_without_waiting() {
    let tree = tree();
    mkfifoat(CWD, tree.path().join("fifo"), Mode::RUSR | Mode::WUSR).unwrap();
    let _listener = UnixListener::bind(tree.path().join("socket")).unwrap();
    symlink("fifo", tree.path().join("fifo-link")).unwrap();
    symlink("/dev/zero", tree.path().join("zero")).unwrap();
    let followed = SiteSettings { symbolic_links: SymbolicLinks::Followed, ..settings() };
    for settings in [settings(), followed] {
        let site = Site::open(tree.path(), settings).unwrap();
        for target in ["/fifo", "/fifo/", "/fifo-link", "/socket", "/zero"] {
            assert_eq!(find(&site, target), "NotFound", "{target}");
        }
    }
    let devices = Site::open(Path::new("/dev"), settings()).unwrap();
    for target in ["/null", "/zero", "/tty"] {
        assert_eq!(find(&devices, target), "NotFound", "{target}");
    }
}

#[test]
fn a_found_file_has_the_data_of_its_head() {
    let tree = tree();
    let site = Site::open(tree.path(), settings()).unwrap();
    let metadata = std::fs::metadata(tree.path().join("docs/index.html")).unwrap();
    let Ok(Resource::File(NamedFile { file: found, .. })) = site.find(&path("/docs/")) else {
        panic!("no index")
    };
    assert_eq!(found.description.length(), 10);
    assert_eq!(found.description.content_type, "text/html; charset=utf-8");
    assert_eq!(found.description.modified(), metadata.modified().unwrap());
    let path = path("/file.txt");
    let Ok(Resource::File(other)) = site.find(&path) else { panic!("no file") };
    assert_ne!(found.description.version.inode, other.file.description.version.inode);
}

#[test]
fn names_of_any_bytes_are_served() {
    let tree = tree();
    for name in [
        &b"a b"[..],
        b"a%20b",
        b"a\"b'c",
        b"#?",
        b"a\nb",
        b"\xf0\x9f\x98\x80",
        b"\xff\xfe",
        b"a:b",
        b"\\",
        b"...",
        b"-",
    ] {
        write(tree.path().join(std::ffi::OsStr::from_bytes(name)), name.escape_ascii().to_string())
            .unwrap();
        let shown = SiteSettings { dot_files: DotFiles::Shown, ..settings() };
        let site = Site::open(tree.path(), shown).unwrap();
        let target = format!("/{}", crate::http::encode_segment(name));
        assert_eq!(find(&site, &target), name.escape_ascii().to_string());
    }
}

#[test]
fn a_site_needs_a_directory_and_names_of_index_files() {
    let tree = tree();
    let error = Site::open(&tree.path().join("file.txt"), settings()).unwrap_err();
    assert!(error.to_string().ends_with("/file.txt"), "{error}");
    assert!(std::error::Error::source(&error).is_some());
    for name in ["", ".", "..", "../index.html", "a/b", "a\0b"] {
        let settings = SiteSettings { index: vec![name.to_owned()], ..Default::default() };
        let error = Site::open(tree.path(), settings).unwrap_err();
        assert!(matches!(&error, SiteError::IndexName(refused) if refused == name), "{error}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_file_of_length_zero_is_not_read() {
    let site = Site::open(Path::new("/proc/self"), SiteSettings::default()).unwrap();
    // Reading this file from its beginning fails.
    let Ok(Resource::File(NamedFile { file, .. })) = site.find(&path("/mem")) else {
        panic!("it is not found")
    };
    let file = file.description;
    assert_eq!((file.length(), &*file.content_type), (0, "text/plain; charset=utf-8"));
}
