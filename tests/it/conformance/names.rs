//! Names of all kinds: listed, linked and served; and the ways to a directory (RFC 3986 §3.3, §4.2).

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{Permissions, create_dir, set_permissions, write};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;

use http_concurrent::server::{DotFiles, Listings};
use rustix::process::geteuid;

use crate::support::program::ServerProgram;
use crate::support::server::TestServer;

/// All bytes that a file name may have: everything but NUL and the slash.
const NAMES: [&[u8]; 37] = [
    b"plain.txt",
    b"two words.txt",
    b" leading and trailing ",
    b"quote\"quote.txt",
    b"apostrophe's",
    b"hash#tag",
    b"question?mark=1&b=2",
    b"percent%",
    b"percent%41",
    b"percent%zz",
    b"percent%2Fslash",
    b"plus+sign",
    b"amp&amp;",
    b"<b>bold<i>",
    b"'><script>alert(1)<!--",
    b"{curly}[square]^`|",
    b"semi;colon,comma=equals",
    b"javascript:alert(1)",
    b"http:a",
    b"C:",
    b"a:b",
    b"back\\slash",
    b"..\\..\\windows",
    b"...",
    b"-dash",
    b"~tilde",
    b"$dollar!(parentheses)*@",
    b"new\nline",
    b"tab\tbed\rreturned",
    b"bell\x07escape\x1b[31m\x7f",
    "caf\u{e9} \u{65e5}\u{672c}.txt".as_bytes(),
    "\u{1f600} emoji".as_bytes(),
    "right\u{202e}txt.exe".as_bytes(),
    "line\u{2028}end\u{2066}isolated".as_bytes(),
    "e\u{301} combined".as_bytes(),
    b"latin1 caf\xe9",
    b"\xff\xfe\x80",
];

fn site() -> TestServer {
    let server = TestServer::with_config(|config| config.site.dot_files = DotFiles::Shown);
    for name in NAMES {
        let name = OsStr::from_bytes(name);
        std::fs::write(server.root().join(name), content_of(name.as_bytes())).unwrap();
        let directory = server.root().join("directories").join(name);
        std::fs::create_dir_all(&directory).unwrap();
        std::fs::write(directory.join("inside.txt"), content_of(name.as_bytes())).unwrap();
    }
    server
}

fn content_of(name: &[u8]) -> String {
    format!("this is {}", name.escape_ascii())
}

/// Every reference of a listing's page, as a browser reads its attribute.
fn references(page: &str) -> Vec<String> {
    let unescape = |value: &str| {
        value
            .replace("&lt;", "<")
            .replace("&gt;", ">")
            .replace("&quot;", "\"")
            .replace("&amp;", "&")
    };
    let (_, table) = page.split_once("<tbody>").expect("a table");
    let links = table.split("href=\"").skip(1);
    links.map(|link| unescape(link.split_once('"').unwrap().0)).collect()
}

/// The target of a reference that is relative to the directory at `base` (RFC 3986 §5.2).
fn resolve(base: &str, reference: &str) -> String {
    let base = url::Url::parse(&format!("http://localhost{base}")).unwrap();
    let url = base.join(reference).unwrap();
    assert_eq!((url.host_str(), url.query(), url.fragment()), (Some("localhost"), None, None));
    url.path().to_owned()
}

#[test]
fn every_name_is_listed_linked_and_served() {
    let server = site();
    let mut conversation = server.connect();
    let expected: BTreeSet<String> = NAMES.iter().map(|name| content_of(name)).collect();

    let page = conversation.send("GET / HTTP/1.1\r\nHost: a\r\nAccept: text/html\r\n\r\n").reply();
    assert!(!page.text().contains("<script>") && !page.text().contains("<b>"), "{}", page.text());
    let control = |byte: &u8| byte.is_ascii_control() && *byte != b'\n';
    assert!(!page.body.iter().any(control), "no name's control byte comes through");
    let files = references(page.text()).into_iter().filter(|reference| !reference.ends_with('/'));
    let delivered: Vec<String> =
        files.map(|file| conversation.get(&resolve("/", &file)).text().to_owned()).collect();
    assert_eq!(delivered.len(), NAMES.len());
    assert_eq!(delivered.into_iter().collect::<BTreeSet<_>>(), expected, "linked from the page");

    conversation.send("GET / HTTP/1.1\r\nHost: a\r\nAccept: application/json\r\n\r\n");
    let listing: serde_json::Value = serde_json::from_slice(&conversation.reply().body).unwrap();
    let entries = listing["entries"].as_array().unwrap();
    let files = entries.iter().filter(|entry| entry["type"] == "file");
    let delivered: BTreeSet<String> = files
        .map(|entry| {
            let reply = conversation.get(&resolve("/", entry["href"].as_str().unwrap()));
            assert_eq!(entry["size"], reply.body.len(), "{entry}");
            reply.text().to_owned()
        })
        .collect();
    assert_eq!(delivered, expected, "named in the JSON");

    conversation.send("GET / HTTP/1.1\r\nHost: a\r\nAccept: text/plain\r\n\r\n");
    let lines = conversation.reply();
    let files = lines.text().lines().filter(|line| !line.ends_with('/'));
    let delivered: BTreeSet<String> =
        files.map(|file| conversation.get(&resolve("/", file)).text().to_owned()).collect();
    assert_eq!(delivered, expected, "a line each");
}

#[test]
fn directories_of_every_name_are_entered_and_left() {
    let server = site();
    let mut conversation = server.connect();
    conversation.send("GET /directories/ HTTP/1.1\r\nHost: a\r\nAccept: text/html\r\n\r\n");
    let page = conversation.reply();
    let references = references(page.text());
    assert_eq!(references[0], "../", "the way back");
    assert_eq!(references.len(), NAMES.len() + 1);
    for reference in &references[1..] {
        let path = resolve("/directories/", reference);
        // Without its slash it is redirected to itself only.
        let redirect = conversation.get(&format!("{}?q=%zz&r", path.trim_end_matches('/')));
        assert_eq!(redirect.field("Location"), Some(&*format!("{path}?q=%zz&r")), "{path}");
        let inside = conversation.get(&resolve(&path, "./inside.txt"));
        let name = inside.text().strip_prefix("this is ").expect("its own file");
        conversation.send(format!("GET {path} HTTP/1.1\r\nHost: a\r\nAccept: text/html\r\n\r\n"));
        let page = conversation.reply();
        let (head, body) = page.text().split_once("</head>").unwrap();
        assert!(head.contains("<title>Index of /directories/"), "{name}: {head}");
        let turns = |c: char| matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        assert!(!head.contains(turns), "nothing in the window's title is turned around: {head}");
        assert!(body.contains("href=\"../\"") && body.contains("inside.txt"), "{name}: {body}");
    }
}

#[test]
fn redirects_keep_the_query_and_never_lead_to_another_host() {
    let server = site();
    server.file("dir/a.txt", "a");
    for (target, location) in [
        ("/dir", Some("/dir/")),
        ("/dir?a=b", Some("/dir/?a=b")),
        ("/dir?", Some("/dir/?")),
        ("/dir?a=/../b?c", Some("/dir/?a=/../b?c")),
        ("/%64ir", Some("/dir/")),
        ("//dir", Some("/dir/")),
        ("///localhost/../dir", Some("/dir/")),
        ("/./dir", Some("/dir/")),
        ("http://elsewhere/dir", Some("/dir/")),
        ("/dir/", None),
        ("/dir/.", None),
        ("/dir/a.txt/..", None),
        ("/\\elsewhere/..", None),
    ] {
        let reply = server.connect().get(target);
        let status = if location.is_some() { 301 } else { 200 };
        assert_eq!((reply.status, reply.field("Location")), (status, location), "{target}");
    }
}

/// No name or query can add a field to the response or an element to its page.
#[test]
fn a_request_cannot_add_a_field_or_an_element_to_a_redirect() {
    let server = site();
    std::fs::create_dir(server.root().join("a\r\nX-Made-Up: 1")).unwrap();
    server.file("dir/a.txt", "a");
    for (target, location) in [
        ("/a%0D%0AX-Made-Up:%201", "/a%0D%0AX-Made-Up%3A%201/"),
        ("/dir?%0D%0AX-Made-Up:%201", "/dir/?%0D%0AX-Made-Up:%201"),
        ("/dir?\u{85}\u{202e}", "/dir/?%C2%85%E2%80%AE"),
        ("/dir?\"><script>'&amp;", "/dir/?\"><script>'&amp;"),
    ] {
        let mut conversation = server.connect();
        conversation.send(format!("GET {target} HTTP/1.1\r\nHost: a\r\nAccept: text/html\r\n\r\n"));
        let reply = conversation.reply();
        assert_eq!((reply.status, reply.field("Location")), (301, Some(location)), "{target}");
        assert_eq!(reply.field("X-Made-Up"), None, "{target}");
        assert!(!reply.text().contains("<script"), "{target}: {}", reply.text());
    }
}

/// The index file is served for its directory; the first of several.
#[test]
fn index_files() {
    let server = TestServer::with_config(|config| {
        config.site.index = vec!["first.html".to_owned(), "second.txt".to_owned()];
        config.site.listings = Listings::Refused;
    });
    for name in ["both/first.html", "both/second.txt", "second/second.txt", "none/index.html"] {
        server.file(name, name);
    }
    std::fs::create_dir_all(server.root().join("directory/first.html")).unwrap();
    for (target, status, text) in [
        ("/both/", 200, "both/first.html"),
        ("/second/", 200, "second/second.txt"),
        ("/none/", 403, "403 Forbidden\nthis may not be read\n"),
        ("/directory/", 403, "403 Forbidden\nthis may not be read\n"),
        ("/none/index.html", 200, "none/index.html"),
        ("/", 403, "403 Forbidden\nthis may not be read\n"),
    ] {
        let reply = server.connect().get(target);
        assert_eq!((reply.status, reply.text()), (status, text), "{target}");
    }
    assert_eq!(
        server.connect().get("/second/").field("Content-Type"),
        Some("text/plain; charset=utf-8")
    );
}

/// RFC 9110 §15.5.4. A directory that may be traversed but not read exists all the same.
#[test]
fn unreadable_files_are_forbidden() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    create_dir(root.join("passable")).unwrap();
    create_dir(root.join("closed")).unwrap();
    write(root.join("passable/index.html"), "index").unwrap();
    write(root.join("a.txt"), "a").unwrap();
    let set_modes = |modes: [u32; 4]| {
        for (name, mode) in ["", "passable", "closed", "a.txt"].into_iter().zip(modes) {
            set_permissions(root.join(name), Permissions::from_mode(mode)).unwrap();
        }
    };
    set_modes([0o755, 0o111, 0, 0]);
    // Root may read everything, so the server runs as another user.
    let user = geteuid().is_root().then_some(65_534);
    let server = ServerProgram::start_under("--nofile=1024", user, root, &["-q", "-p", "0"]);
    for (target, status) in [
        ("/passable", 301),
        ("/passable/", 200),
        ("/passable/index.html", 200),
        ("/closed", 301),
        ("/closed/", 403),
        ("/a.txt", 403),
    ] {
        assert_eq!(server.connect_from(1).get(target).status, status, "{target}");
    }
    set_modes([0o700; 4]);
}
