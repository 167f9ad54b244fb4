//! The certificates of the server as a program: messages at the start, the choice by name, SIGHUP.

use std::fs::{self, Permissions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rcgen::date_time_ymd;
use rustix::process::{Signal, geteuid};
use rustls::pki_types::CertificateDer;

use super::any_certificate::TlsConnection;
use super::certificate_files::Files;
use crate::access::passwords::SECRET;
use crate::support::certificates::{Identity, leaf, self_signed};
use crate::support::program::{SERVER, ServerProgram};
use crate::support::{wait_until, with_patience};

fn presented(port: u16, name: &str) -> CertificateDer<'static> {
    let mut connection = TlsConnection::open(port, name);
    assert_eq!(connection.get("/a.txt"), "Hello");
    connection.certificate()
}

/// Ends the server, and returns its log.
fn log_of(server: ServerProgram) -> String {
    server.signal(Signal::TERM);
    server.wait_reading_its_log().1
}

#[test]
fn a_bad_certificate_or_key_is_refused_with_what_to_do() {
    let files = Files::new();
    let (a, b) = (self_signed(&leaf(&["a.example"])), self_signed(&leaf(&["b.example"])));
    files.replace_pair("a", &a);
    files.replace_pair("b", &b);
    files.replace("chain.pem", format!("{}{}", b.0.pem(), a.0.pem()));
    files.replace("empty.pem", "");
    files.replace("a.der", a.0.der());
    files.replace("key.der", a.1.serialize_der());
    let encrypted = a.1.serialize_pem().replace("PRIVATE", "ENCRYPTED PRIVATE");
    files.replace("encrypted.key", encrypted);
    for (certificate, key, expected) in [
        (
            "none.pem",
            "a.key",
            "cannot read the certificate file none.pem: No such file or directory (os error 2) (choose another \
             file with --tls-cert)",
        ),
        (
            "site",
            "a.key",
            "the certificate file site is not a regular file (choose another file with --tls-cert)",
        ),
        (
            "a.key",
            "a.key",
            "the certificate file a.key cannot be used: it has no certificate, only PRIVATE KEY (choose another \
             file with --tls-cert)",
        ),
        (
            "a.pem",
            "a.pem",
            "the key file a.pem cannot be used: it has no key, only CERTIFICATE (choose another file with --tls-key)",
        ),
        (
            "empty.pem",
            "a.key",
            "the certificate file empty.pem cannot be used: it is empty (choose another file with --tls-cert)",
        ),
        (
            "a.der",
            "a.key",
            "the certificate file a.der cannot be used: it is DER, not PEM (convert it: openssl x509 -inform der -in \
             a.der -out FILE)",
        ),
        (
            "a.pem",
            "key.der",
            "the key file key.der cannot be used: it is DER, not PEM (convert it: openssl pkey -inform der -in \
             key.der -out FILE)",
        ),
        (
            "a.pem",
            "encrypted.key",
            "the key file encrypted.key cannot be used: its key is encrypted (decrypt it: openssl pkey -in \
             encrypted.key -out FILE)",
        ),
        (
            "a.pem",
            "b.key",
            "the key in b.key is not that of the certificate in a.pem (give --tls-cert and --tls-key in the same \
             order, each key after its certificate)",
        ),
        (
            "chain.pem",
            "a.key",
            "the key in a.key is that of certificate 2 in chain.pem, which must be the first (put the server's own \
             certificate before those of the authorities)",
        ),
    ] {
        let text = files.refusal(certificate, key);
        assert_eq!(text, format!("http_server_conc: {expected}\n"));
    }
}

#[test]
fn a_key_that_may_not_be_read_is_refused() {
    if !geteuid().is_root() {
        return;
    }
    let files = Files::new();
    files.replace_pair("a", &self_signed(&leaf(&["a.example"])));
    for path in [files.directory.path(), &files.path("a.pem")] {
        fs::set_permissions(path, Permissions::from_mode(0o755)).unwrap();
    }
    let mut server = with_patience();
    server.arg(SERVER).args(files.arguments(&["a"])).current_dir(files.site()).uid(65534);
    let output = server.output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("cannot read the key file"), "{text}");
    assert!(text.contains("Permission denied"), "{text}");
    assert!(
        text.contains("(let this user read it, or choose another file with --tls-key)"),
        "{text}"
    );
}

#[test]
fn a_client_gets_the_certificate_of_the_name_that_it_asks_for() {
    let files = Files::new();
    let pairs =
        [("a", &["a.example"][..]), ("b", &["*.b.example", "b.example"]), ("c", &["c.example"])]
            .map(|(pair, names)| {
                let identity = self_signed(&leaf(names));
                files.replace_pair(pair, &identity);
                identity.0.der().clone()
            });
    let server = files.serve(&["a", "b", "c"]);
    assert!(server.announcement.contains(" https://127.0.0.1:"), "{}", server.announcement);
    for (name, expected) in [
        ("a.example", 0),
        ("b.example", 1),
        ("x.b.example", 1),
        ("C.Example", 2),
        ("none.example", 0),
        ("127.0.0.1", 0),
    ] {
        assert_eq!(presented(server.port(), name), pairs[expected], "{name}");
    }
}

#[test]
fn sighup_replaces_all_certificates_or_none_and_open_connections_go_on() {
    let files = Files::new();
    let identity = |name: &str| self_signed(&leaf(&[name]));
    let der = |identity: &Identity| identity.0.der().clone();
    let (mut a, mut b) = (identity("a.example"), identity("b.example"));
    files.replace_pair("a", &a);
    files.replace_pair("b", &b);
    let mut server = files.serve(&["a", "b"]);
    let (port, log) = (server.port(), server.follow_log());
    let reload = |expected: &str| {
        log.lock().unwrap().clear();
        server.signal(Signal::HUP);
        wait_until(expected, || log.lock().unwrap().contains(expected));
    };
    let kept = "ERROR http_server_conc::signals] the former certificates remain in force: ";
    let mut open = TlsConnection::open(port, "a.example");
    assert_eq!(open.get("/a.txt"), "Hello");
    for round in 0..2 {
        let former = [der(&a), der(&b)];
        (a, b) = (identity("a.example"), identity("b.example"));
        files.replace_pair("a", &a);
        let good = b.0.pem();
        for (certificate, key, reason) in [
            (
                &good[..good.len() / 2],
                b.1.serialize_pem(),
                "its last block does not end (is it being",
            ),
            // The certificate is new, and its key is not there yet.
            (
                &good,
                identity("b.example").1.serialize_pem(),
                "b.key is not that of the certificate in",
            ),
        ] {
            files.replace("b.pem", certificate);
            files.replace("b.key", key);
            reload(kept);
            let line = log.lock().unwrap().clone();
            assert!(line.contains(reason), "{line}");
            assert_eq!(
                [presented(port, "a.example"), presented(port, "b.example")],
                former,
                "{round}"
            );
        }
        files.replace_pair("b", &b);
        assert_eq!(presented(port, "b.example"), former[1], "the files were not read again");
        reload("read the certificates again: a.example until ");
        assert_eq!(
            [presented(port, "a.example"), presented(port, "b.example")],
            [der(&a), der(&b)]
        );
        assert_eq!(open.get("/a.txt"), "Hello", "it goes on");
    }
}

#[test]
fn what_is_wrong_with_dates_and_files_is_warned_of_and_served() {
    let files = Files::new();
    let times = |begin, end| {
        let mut parameters = leaf(&["a.example"]);
        parameters.not_before = date_time_ymd(begin, 1, 1);
        parameters.not_after = date_time_ymd(end, 1, 1);
        self_signed(&parameters)
    };
    let path = |name: &str| files.path(name).display().to_string();
    files.replace_pair("expired", &times(2000, 2010));
    files.replace_pair("future", &times(3000, 3010));
    files.replace_pair("site/public", &times(2000, 3000));
    // Those of a group may read keys, as on Debian.
    fs::set_permissions(files.path("future.key"), Permissions::from_mode(0o640)).unwrap();
    let key = files.path("site/public.key");
    fs::set_permissions(&key, Permissions::from_mode(0o644)).unwrap();
    let server = files.serve(&["expired", "future", "site/public"]);
    presented(server.port(), "a.example");
    let log = log_of(server);
    let key = key.display();
    for expected in [
        format!(
            "the certificate in {} expired on 2010-01-01T00:00:00Z: clients refuse it",
            path("expired.pem")
        ),
        format!(
            "the certificate in {} is not valid before 3000-01-01T00:00:00Z",
            path("future.pem")
        ),
        format!("the key file {key} is within the served directory: move it elsewhere"),
        format!("all users of this machine can read or write the key file {key}: chmod o= {key}"),
    ] {
        assert_eq!(log.matches(&expected).count(), 1, "{expected}: {log}");
    }
    assert_eq!(log.matches("WARN").count(), 4, "{log}");
}

#[test]
fn a_certificate_that_expires_while_it_is_served_is_warned_of_and_so_is_a_new_one() {
    let files = Files::new();
    let ending_at = |end| {
        let mut parameters = leaf(&["a.example"]);
        parameters.not_before = date_time_ymd(2000, 1, 1);
        parameters.not_after = end;
        self_signed(&parameters)
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let soon = date_time_ymd(1970, 1, 1) + now + Duration::from_secs(3);
    files.replace_pair("a", &ending_at(soon));
    let mut server = files.serve(&["a"]);
    let log = server.follow_log();
    wait_until("it expires", || log.lock().unwrap().contains("a.pem expired on "));
    files.replace_pair("a", &ending_at(date_time_ymd(2010, 1, 1)));
    server.signal(Signal::HUP);
    let expected = "a.pem expired on 2010-01-01T00:00:00Z: clients refuse it until it is renewed";
    wait_until("the new one is warned of", || log.lock().unwrap().contains(expected));
}

#[test]
fn passwords_that_tls_encrypts_are_not_warned_of() {
    let files = Files::new();
    files.replace_pair("a", &self_signed(&leaf(&["a.example"])));
    files.replace("users", format!("alice:{SECRET}"));
    let mut arguments = files.arguments(&["a"]);
    let users = files.path("users").to_str().unwrap().to_owned();
    arguments.extend(["--auth", &users, "--bind", "0.0.0.0"].map(str::to_owned));
    let server = ServerProgram::start(&files.site(), &arguments);
    let log = log_of(server);
    assert!(!log.contains("not encrypted"), "{log}");
}

#[test]
fn the_status_says_when_each_certificate_ends() {
    let files = Files::new();
    let mut parameters = leaf(&["a.example"]);
    parameters.not_after = date_time_ymd(2999, 1, 1);
    files.replace_pair("a", &self_signed(&parameters));
    let mut arguments = files.arguments(&["a"]);
    arguments.extend(["--status-path", "/status"].map(str::to_owned));
    let server = ServerProgram::start(&files.site(), &arguments);
    let mut connection = TlsConnection::open(server.port(), "a.example");
    let request =
        "GET /status?format=prometheus HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    connection.0.write_all(request.as_bytes()).unwrap();
    let mut text = String::new();
    connection.0.read_to_string(&mut text).unwrap();
    let file = files.path("a.pem");
    let sample = format!(
        "http_server_conc_certificate_not_after_seconds{{file=\"{}\",names=\"a.example\"}} 32472144000\n",
        file.display()
    );
    assert!(text.contains(&sample), "{text}");
}

/// Keys and certificates as the usual commands make them.
#[test]
#[ignore = "needs openssl"]
fn certificates_of_openssl_are_served() {
    let files = Files::new();
    let openssl = |line: &str| {
        let output = Command::new("openssl")
            .args(line.split_whitespace())
            .current_dir(files.directory.path())
            .output()
            .unwrap();
        assert!(output.status.success(), "openssl {line}: {output:?}");
    };
    let certificate = |name: &str, domain: &str| {
        openssl(&format!(
            "req -x509 -key {name}.key -out {name}.pem -days 30 -subj /CN={domain} -addext subjectAltName=DNS:{domain}"
        ));
        fs::read_to_string(files.path(&format!("{name}.pem"))).unwrap()
    };
    openssl("genrsa -out rsa.key 2048");
    openssl("genrsa -traditional -out pkcs1.key 3072");
    // With a block of its parameters before it.
    openssl("ecparam -name prime256v1 -genkey -out p256.key");
    openssl("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384 -out p384.key");
    openssl("genpkey -algorithm ed25519 -out ed25519.key");
    let names = ["rsa", "pkcs1", "p256", "p384", "ed25519"];
    for name in names {
        let text = certificate(name, &format!("{name}.example"));
        let key = fs::read_to_string(files.path(&format!("{name}.key"))).unwrap();
        // Both in one file.
        fs::write(files.path(&format!("{name}.key")), format!("{key}{text}")).unwrap();
        fs::write(files.path(&format!("{name}.pem")), format!("{key}{text}")).unwrap();
    }
    let server = files.serve(&names);
    let ders: Vec<_> =
        names.iter().map(|name| presented(server.port(), &format!("{name}.example"))).collect();
    for (index, der) in ders.iter().enumerate() {
        assert!(!ders[..index].contains(der), "{}", names[index]);
    }
    // One name with two kinds of keys.
    openssl("ecparam -name prime256v1 -genkey -noout -out other.key");
    certificate("other", "rsa.example");
    let server = files.serve(&["other", "rsa"]);
    for (schemes, expected) in
        [("ECDSA+SHA256:RSA-PSS+SHA256", "id-ecPublicKey"), ("RSA-PSS+SHA256", "rsaEncryption")]
    {
        for version in ["-tls1_2", "-tls1_3"] {
            let presented = openssl_client(files.directory.path(), &server, schemes, version);
            assert!(presented.contains(expected), "{schemes} {version}: {presented}");
        }
    }
    for (kind, command) in [
        ("RSA of 1024 bits", "genrsa -out bad.key 1024"),
        ("on the elliptic curve secp521r1", "ecparam -name secp521r1 -genkey -noout -out bad.key"),
        ("of the algorithm 1.3.101.113", "genpkey -algorithm ed448 -out bad.key"),
    ] {
        openssl(command);
        certificate("bad", "bad.example");
        let text = files.refusal("bad.pem", "bad.key");
        assert!(
            text.contains(&format!("its key is {kind}, and the server can use only")),
            "{text}"
        );
    }
    openssl("pkey -in rsa.key -aes256 -passout pass:secret -out encrypted.key");
    openssl("rsa -in rsa.key -aes128 -traditional -passout pass:secret -out old.key");
    for key in ["encrypted.key", "old.key"] {
        let text = files.refusal("rsa.pem", key);
        assert!(text.contains("its key is encrypted (decrypt it: openssl pkey -in"), "{text}");
    }
    openssl("pkcs12 -export -in rsa.pem -passout pass: -out a.p12");
    let text = files.refusal("a.p12", "a.p12");
    assert!(
        text.contains("it is PKCS#12, not PEM (convert it: openssl pkcs12 -in a.p12"),
        "{text}"
    );
}

/// What the server presents to `openssl s_client` for `rsa.example`, as text.
fn openssl_client(
    directory: &Path,
    server: &ServerProgram,
    schemes: &str,
    version: &str,
) -> String {
    let script = format!(
        "openssl s_client -connect 127.0.0.1:{} -servername rsa.example -sigalgs {schemes} {version} </dev/null \
         2>&1 | openssl x509 -noout -text",
        server.port()
    );
    let output = with_patience().args(["sh", "-c", &script]).current_dir(directory).output();
    String::from_utf8(output.unwrap().stdout).unwrap()
}
