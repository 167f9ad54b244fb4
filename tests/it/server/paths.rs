//! No spelling of a path leads outside the root, and every file within it is found by its name.

use std::fs;
use std::os::unix::fs::symlink;

use crate::support::server::TestServer;
use crate::support::with_patience;

/// A root with a secret beside it, and links of all kinds.
fn site() -> (TestServer, tempfile::TempDir) {
    let server = TestServer::start();
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("secret.txt"), "secret").unwrap();
    server.file("a.txt", "Hello");
    server.file("dir/index.html", "index");
    server.file("dir/b.txt", "b");
    let root = server.root();
    symlink(outside.path(), root.join("absolute")).unwrap();
    symlink(outside.path().join("secret.txt"), root.join("file-link")).unwrap();
    let name = outside.path().file_name().unwrap();
    let climbing = std::path::Path::new("..").join(name);
    symlink(&climbing, root.join("climbing")).unwrap();
    symlink("../a.txt", root.join("dir/inside")).unwrap();
    symlink("loop", root.join("loop")).unwrap();
    (server, outside)
}

#[test]
fn nothing_outside_the_root_is_served_by_any_spelling() {
    let (server, outside) = site();
    let name = outside.path().file_name().unwrap().to_str().unwrap();
    let depth = "../".repeat(20);
    for target in [
        format!("/../{name}/secret.txt"),
        format!("/{depth}etc/passwd"),
        format!("/dir/../../{name}/secret.txt"),
        format!("/%2e%2e/{name}/secret.txt"),
        format!("/%2e%2e%2f{name}%2fsecret.txt"),
        format!("/..%2f{name}/secret.txt"),
        format!("/.%2e/{name}/secret.txt"),
        format!("/%2E%2E/{name}/secret.txt"),
        format!("/dir/%2e%2e/%2e%2e/{name}/secret.txt"),
        format!("/%252e%252e/{name}/secret.txt"),
        format!("/dir%2f..%2f..%2f{name}%2fsecret.txt"),
        format!("/%2f{name}/secret.txt"),
        "/climbing%2fsecret.txt".to_owned(),
        "/absolute%2Fsecret.txt".to_owned(),
        format!("/..%5c{name}%5csecret.txt"),
        format!("/..%00/{name}/secret.txt"),
        format!("//{name}/secret.txt"),
        format!("http://localhost/../{name}/secret.txt"),
        format!("file://{}/secret.txt", outside.path().display()),
        format!("{}/secret.txt", outside.path().display()),
        "/etc/passwd".to_owned(),
        "//etc/passwd".to_owned(),
        "/absolute/secret.txt".to_owned(),
        "/climbing/secret.txt".to_owned(),
        "/file-link".to_owned(),
        "/loop".to_owned(),
        "/a.txt%00.html".to_owned(),
    ] {
        let reply = server.connect().get(&target);
        assert!(matches!(reply.status, 400 | 404), "{target}: {}", reply.status);
        assert!(!reply.text().contains("secret\n") && !reply.text().contains("root:"), "{target}");
        assert!(
            !reply.text().contains(server.root().to_str().unwrap()),
            "{target}: paths of the machine must not be shown"
        );
    }
}

#[test]
fn a_file_within_the_root_is_found_by_every_spelling_of_its_name() {
    let (server, _outside) = site();
    server.file("with space & 'quote' #1?.txt", "awkward");
    for (target, body) in [
        ("/a.txt", "Hello"),
        ("/%61.txt", "Hello"),
        ("/dir/../a.txt", "Hello"),
        ("//a.txt", "Hello"),
        ("/dir%2Finside", "Hello"),
        ("/dir%2f", "index"),
        ("/dir%2f..%2fa.txt", "Hello"),
        ("/./a.txt?query=1", "Hello"),
        ("http://localhost/a.txt", "Hello"),
        ("/dir/", "index"),
        ("/dir/inside", "Hello"),
        ("/with%20space%20%26%20'quote'%20%231%3F.txt", "awkward"),
    ] {
        let reply = server.connect().get(target);
        assert_eq!((reply.status, reply.text()), (200, body), "{target}");
    }
}

#[test]
fn a_directory_without_its_slash_is_redirected_to_itself() {
    let (server, _outside) = site();
    server.file("@scope/c++/a.txt", "");
    for (target, location) in [
        ("/dir", "/dir/"),
        ("/dir?a=b", "/dir/?a=b"),
        ("//dir", "/dir/"),
        ("/%2fdir", "/dir/"),
        ("/%2f%2fdir%2f..%2fdir", "/dir/"),
        ("/@scope%2fc++", "/%40scope/c%2B%2B/"),
    ] {
        let reply = server.connect().get(target);
        assert_eq!((reply.status, reply.field("Location")), (301, Some(location)), "{target}");
    }
    assert_eq!(server.connect().get("/a.txt/").status, 404);
}

/// npm requests packages with a scope by an encoded slash.
#[test]
#[ignore = "needs npm"]
fn npm_finds_a_package_with_a_scope() {
    let (server, _outside) = site();
    let registry = format!("http://{}/", server.address());
    let package = r#"{"name":"@scope/name","dist-tags":{"latest":"1.2.3"},"versions":{"1.2.3":
        {"name":"@scope/name","version":"1.2.3","dist":{"tarball":"http://127.0.0.1/a.tgz"}}}}"#;
    server.file("@scope/name", package);
    let home = tempfile::tempdir().unwrap();
    let output = with_patience()
        .args(["npm", "view", "@scope/name", "version", "--no-update-notifier"])
        .args(["--registry", &registry, "--cache"])
        .arg(home.path())
        .env("HOME", home.path())
        .current_dir(home.path())
        .output()
        .expect("timeout(1) is there");
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "1.2.3", "{output:?}");
}
