//! Files verified against a list, by its algorithms and in its formats.

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

use http_concurrent::client::{
    ChecksumList, Destination, ExistingFile, InputEntry, Layout, OutputDirectory, SaveSettings,
    Settings, Silent, Stop, download, plan,
};
use serde_json::Value;
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};
use tempfile::TempDir;

use crate::support::client::{program, stderr, stdout};
use crate::support::fetching::settings;
use crate::support::ranged::{pattern, range, ranged};
use crate::support::scripted::{Scripted, ok};
use crate::support::wait_until;

fn hex(octets: impl AsRef<[u8]>) -> String {
    let digits = octets.as_ref().iter().flat_map(|octet| [octet >> 4, octet & 0xf]);
    digits.map(|digit| char::from_digit(digit.into(), 16).unwrap()).collect()
}

/// The SHA-1, SHA-256 and SHA-512 of the content, by name.
fn sums(content: &[u8]) -> [(&'static str, String); 3] {
    [
        ("SHA1", hex(Sha1::digest(content))),
        ("SHA256", hex(Sha256::digest(content))),
        ("SHA512", hex(Sha512::digest(content))),
    ]
}

fn hello() -> [(&'static str, String); 3] {
    sums(b"Hello")
}

fn server() -> Scripted {
    Scripted::answering(|_| ok("Hello"))
}

/// Fetches with a list of checksums into a temporary directory, and expects this status.
#[track_caller]
fn verify(list: impl AsRef<[u8]>, arguments: &[&str], status: i32) -> (Output, TempDir) {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("sums"), list).unwrap();
    let output = verify_in(directory.path(), arguments, status);
    (output, directory)
}

#[track_caller]
fn verify_in(directory: &Path, arguments: &[&str], status: i32) -> Output {
    let mut command = program();
    command.args(["--checksum-file", "sums"]).args(arguments).current_dir(directory);
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(status), "{arguments:?}: {output:?}");
    output
}

#[test]
fn a_file_is_verified_by_the_algorithm_of_its_list() {
    let server = server();
    let url = server.url("/a");
    for (tag, digits) in hello() {
        for list in [format!("{digits}  a\n"), format!("{tag} (a) = {digits}\n"), digits.clone()] {
            let (output, _) = verify(&list, &["--json", "-", "-urls", &url], 0);
            let json: Value = serde_json::from_slice(&output.stdout).unwrap();
            for (other, value) in hello() {
                let expected = if other == tag { value.into() } else { Value::Null };
                assert_eq!(json["fetches"][0][&*other.to_lowercase()], expected, "{list}");
            }
        }
        // `--sha256` prints SHA-256 for every file all the same.
        let list = format!("{tag} (a) = {digits}\n");
        let (output, _) = verify(&list, &["--sha256", "-urls", &url], 0);
        for sum in [&digits, &hello()[1].1] {
            assert_eq!(stdout(&output).matches(&**sum).count(), 1, "{output:?}");
        }
    }
}

#[test]
fn a_wrong_file_is_named_with_both_sums_and_their_algorithm() {
    let server = server();
    let url = server.url("/a");
    let wrong = sums(b"hello");
    for (index, name) in ["SHA-1", "SHA-256", "SHA-512"].into_iter().enumerate() {
        let ((tag, found), (_, expected)) = (&hello()[index], &wrong[index]);
        let message = format!("the {name} is {found}, not {expected}");
        for (list, may_be_blake) in [
            (format!("{expected}  a\n"), name == "SHA-512"),
            (format!("{tag} (a) = {expected}\n"), false),
        ] {
            let (output, directory) = verify(&list, &["-urls", &url], 1);
            let text = stdout(&output);
            assert!(text.contains(&message), "{list}: {output:?}");
            assert_eq!(text.contains("BLAKE2b"), may_be_blake, "{list}: {output:?}");
            assert!(!directory.path().join("downloads/a").exists());
        }
    }
    // The strongest algorithm counts.
    let list = format!("{}  a\n{}  a\n", hello()[1].1, wrong[2].1);
    verify(list, &["-urls", &url], 1);
    let list = format!("{}  a\n{}  a\n", hello()[2].1, wrong[1].1);
    verify(list, &["-urls", &url], 0);
}

#[test]
fn unusable_lines_cause_warnings_and_the_others_count() {
    let server = server();
    let url = server.url("/a");
    let [_, (_, good), _] = hello();
    let md5 = "8b1a9953c4611296a827abf8c47804d7";
    let list = format!("MD5 (a) = {md5}\nwhat\x07? is this\n{md5}  b\n{good}  a\n");
    let (output, _) = verify(&list, &["-urls", &url], 0);
    for text in [
        "skipping line 2 of sums, which is not a checksum: \"what\\u{7}? …\"",
        "skipping lines of sums by other algorithms than SHA-1, SHA-256 and SHA-512: 2 MD5",
    ] {
        assert_eq!(stderr(&output).matches(text).count(), 1, "{output:?}");
    }
    let many = "?\n".repeat(100);
    let (output, _) = verify(format!("{many}{good}  a\n"), &["-urls", &url], 0);
    assert!(stderr(&output).contains("90 more"), "{output:?}");
    assert_eq!(stderr(&output).lines().count(), 11, "{output:?}");
    // If nothing can be verified, nothing is fetched.
    let before = server.connections();
    let (output, _) = verify(format!("{md5}  a\n"), &["-urls", &url], 2);
    assert!(
        stderr(&output).contains("sums has no usable checksum for any file of this run"),
        "{output:?}"
    );
    assert!(stderr(&output).contains("1 MD5"), "{output:?}");
    let list = format!("{good}  a\n\nSHA256 (./a) = {}\n", sums(b"hello")[1].1);
    let (output, _) = verify(list, &["-urls", &url], 2);
    assert!(stderr(&output).contains("lines 1 and 3 have different SHA-256"), "{output:?}");
    let (output, _) = verify(b"\x1f\x8b\x08\0", &["-urls", &url], 2);
    assert!(stderr(&output).contains("sums: the list is compressed (gzip)"), "{output:?}");
    assert_eq!(server.connections(), before);
    // A checksum without a name applies to a single URL.
    let (one, two) = (server.url("/a"), server.url("/b"));
    let (output, _) = verify(&good, &["-urls", &one, &two], 2);
    assert!(stderr(&output).contains("skipping line 1 of sums, which names no file"), "{output:?}");
}

#[test]
fn an_existing_file_is_skipped_only_if_its_checksum_matches() {
    let server = server();
    let url = server.url("/a");
    for (index, (tag, digits)) in hello().into_iter().enumerate() {
        let directory = tempfile::tempdir().unwrap();
        let (sums, out) = (directory.path().join("sums"), directory.path().join("downloads"));
        fs::write(sums, format!("{tag} (a) = {digits}\n")).unwrap();
        fs::create_dir(&out).unwrap();
        fs::write(out.join("a"), "hello").unwrap();
        // The first run fetches it, and the second skips it.
        for _ in 0..2 {
            verify_in(directory.path(), &["--skip-existing", "-urls", &url], 0);
            assert_eq!(fs::read(out.join("a")).unwrap(), b"Hello", "{tag}");
            assert_eq!(server.connections(), index + 1, "{tag}");
        }
    }
}

#[test]
fn split_and_continued_files_are_verified_too() {
    let content = pattern(3 << 20);
    let copy = content.clone();
    let is_helped = AtomicBool::new(false);
    let server = Scripted::start(move |peer| {
        while let Some(head) = peer.read_head() {
            let bytes = ranged(&head, "\"v1\"", &copy);
            if head.contains("/split ") && range(&head).is_some() {
                is_helped.store(true, Ordering::SeqCst);
            } else if head.contains("/split ") {
                // The rest is sent once a piece of it was requested, however late on a busy
                // machine.
                let (beginning, rest) = bytes.split_at(1 << 19);
                peer.send(beginning);
                wait_until("a second worker helps", || is_helped.load(Ordering::SeqCst));
                peer.send(rest);
                continue;
            }
            if head.contains("/cut ") && peer.first_time("/cut") {
                peer.send(&bytes[..1 << 20]);
                return;
            }
            peer.send(bytes);
        }
    });
    let (split, cut) = (server.url("/split"), server.url("/cut"));
    for (right, wrong) in sums(&content).into_iter().zip(sums(b"hello")) {
        for ((tag, digits), status) in [(right, 0), (wrong, 1)] {
            let list = format!("{tag} (split) = {digits}\n{tag} (cut) = {digits}\n");
            let (_, directory) = verify(&list, &["--split", "4", "-urls", &split], status);
            let is_there = directory.path().join("downloads/split").exists();
            assert_eq!(is_there, status == 0, "{tag}");
            let (_, directory) = verify(&list, &["-urls", &cut], status);
            let is_there = directory.path().join("downloads/cut").exists();
            assert_eq!(is_there, status == 0, "{tag}");
        }
    }
    let continued = server.heads().iter().filter(|head| head.contains("Range: ")).count();
    assert!(continued >= 2, "{continued}");
}

#[test]
fn discarded_content_is_verified_too() {
    let server = server();
    let root = tempfile::tempdir().unwrap();
    let directory = OutputDirectory::prepare(root.path()).unwrap();
    let saving = SaveSettings { destination: Destination::Discard, ..SaveSettings::default() };
    let settings = Settings { saving, ..settings(1) };
    for (right, wrong) in hello().into_iter().zip(sums(b"hello")) {
        for ((tag, digits), is_right) in [(right, true), (wrong, false)] {
            let wanted = [InputEntry::url(server.url("/a"))];
            let mut plan = plan(wanted, Layout::Flat, ExistingFile::Replace, directory.path());
            let list = ChecksumList::read(format!("{tag} (a) = {digits}").as_bytes()).unwrap();
            assert_eq!(plan.expect_checksums(&list), 1);
            let run = download(&plan.jobs, &directory, &settings, &Stop::default(), &Silent);
            assert_eq!(run.unwrap().failures() == 0, is_right, "{tag}");
        }
    }
}

/// Runs another program in a directory, and returns its standard output.
fn output_of(directory: &Path, program: &str, arguments: &[&str]) -> Vec<u8> {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(directory)
        .env("GNUPGHOME", directory.join("gnupg"))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(output.status.success(), "{program} {arguments:?}: {output:?}");
    output.stdout
}

/// Names that lists write in different ways, and their URL paths.
const NAMES: [(&str, &str); 4] = [
    ("plain.txt", "/plain.txt"),
    ("a (1) = b", "/a%20(1)%20=%20b"),
    (" blanks ", "/%20blanks%20"),
    ("back\\slash\nline", "/back%5Cslash%0Aline"),
];

/// Another program lists files with awkward names; each is fetched and verified, none is skipped, and a
/// changed file is noticed.
fn check_list_of(program: &str, arguments: &[&str], names: &[(&str, &str)]) {
    let directory = tempfile::tempdir().unwrap();
    let files = directory.path().join("files");
    fs::create_dir(&files).unwrap();
    for (name, _) in names {
        fs::write(files.join(name), "Hello").unwrap();
    }
    let all = arguments.iter().copied().chain(names.iter().map(|(name, _)| *name));
    let list = output_of(&files, program, &all.collect::<Vec<_>>());
    fs::write(directory.path().join("sums"), list).unwrap();
    for (content, status) in [("Hello", 0), ("hello", 1)] {
        let server = Scripted::answering(move |_| ok(content));
        let urls: Vec<_> = names.iter().map(|(_, path)| server.url(path)).collect();
        let arguments: Vec<_> = ["-urls"].into_iter().chain(urls.iter().map(|u| &**u)).collect();
        let output = verify_in(directory.path(), &arguments, status);
        let messages = stderr(&output);
        assert!(!messages.contains("WARN"), "{messages}");
        let failed = stdout(&output).matches("the SHA-").count();
        assert_eq!(failed, if status == 0 { 0 } else { names.len() }, "{output:?}");
    }
}

#[test]
#[ignore = "needs coreutils"]
fn lists_of_coreutils_are_read() {
    for program in ["sha1sum", "sha256sum", "sha512sum"] {
        for arguments in [&[][..], &["--binary"], &["--tag"]] {
            check_list_of(program, arguments, &NAMES);
        }
    }
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("a"), "Hello").unwrap();
    let mut list = output_of(directory.path(), "sha256sum", &["a"]);
    for (program, arguments) in [
        ("md5sum", &["a"][..]),
        ("sha224sum", &["a"]),
        ("sha384sum", &["--tag", "a"]),
        ("b2sum", &["--tag", "a"]),
        ("cksum", &["a"]),
        ("sum", &["a"]),
    ] {
        list.extend(output_of(directory.path(), program, arguments));
    }
    fs::write(directory.path().join("sums"), list).unwrap();
    let output = verify_in(directory.path(), &["-urls", &server().url("/a")], 0);
    let counts = ": 1 BLAKE2b, 2 CRC, 1 MD5, 1 SHA224, 1 SHA384\n";
    assert!(stderr(&output).ends_with(counts), "{output:?}");
    assert_eq!(stderr(&output).lines().count(), 1, "{output:?}");
}

#[test]
#[ignore = "needs openssl"]
fn lists_of_openssl_are_read() {
    for algorithm in ["-sha1", "-sha256", "-sha512"] {
        // Names with backslashes and line ends are not escaped.
        check_list_of("openssl", &["dgst", algorithm], &NAMES[..3]);
        check_list_of("openssl", &["dgst", "-r", algorithm], &NAMES[..3]);
    }
}

/// A temporary home for gpg; its agent ends when dropped.
struct Gnupg(TempDir);

impl Drop for Gnupg {
    fn drop(&mut self) {
        let home = self.0.path().join("gnupg");
        let _ = Command::new("gpgconf").args(["--kill", "all"]).env("GNUPGHOME", home).status();
    }
}

#[test]
#[ignore = "needs gnupg"]
fn a_list_signed_by_gpg_is_read_with_a_warning_that_the_signature_is_not_verified() {
    use std::os::unix::fs::PermissionsExt as _;
    let gnupg = Gnupg(tempfile::tempdir().unwrap());
    let directory = gnupg.0.path();
    let home = directory.join("gnupg");
    fs::create_dir(&home).unwrap();
    fs::set_permissions(&home, fs::Permissions::from_mode(0o700)).unwrap();
    let quiet = ["--batch", "--quiet", "--pinentry-mode", "loopback", "--passphrase", ""];
    let gpg = |arguments: &[&str]| output_of(directory, "gpg", &[&quiet[..], arguments].concat());
    gpg(&["--quick-generate-key", "tests@localhost", "ed25519", "sign", "1d"]);
    let [_, (_, digits), _] = hello();
    // The second line begins with a dash, which PGP escapes.
    fs::write(directory.join("plain"), format!("{digits}  a\n-----\nSHA256 (b) = {digits}\n"))
        .unwrap();
    let signed = gpg(&["--clearsign", "--output", "-", "plain"]);
    fs::write(directory.join("sums"), signed).unwrap();
    let server = server();
    let output = verify_in(directory, &["-urls", &server.url("/a"), &server.url("/b")], 0);
    let messages = stderr(&output);
    assert!(
        messages.contains("skipping line 5 of sums, which is not a checksum: \"-----\""),
        "{messages}"
    );
    assert!(messages.contains("the PGP signature of sums is not verified"), "{messages}");
    assert_eq!(messages.lines().count(), 2, "{messages}");
}
