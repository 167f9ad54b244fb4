//! Requests that need a user name and a password.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http_concurrent::server::{PasswordSettings, ServerConfig, StatusAccess};
use tempfile::TempDir;

use crate::support::conversation::{Conversation, Reply};
use crate::support::server::TestServer;
use crate::support::{PATIENCE, wait_until};

/// The hash of "secret" with the lowest cost.
pub(crate) const SECRET: &str = "$2y$04$PrNmZDb9Zc.5dIsZJFdH4ecFRfqbSo34lxeBr89/jHAgftIxLOYc6";

/// The hash of "secret" with a thousand rounds.
const SECRET_SHA512: &str = "$6$rounds=1000$saltstringsaltst$CAQNWAF1PcltKLhRAkYWaZqdIFjIDsYJvWv4QTe\
     vvEtn7.3rY5iLBOJMF3x8uuTdcia6zvUXW6H7c26XZuk3c0";

/// The hash of "secret" with five thousand rounds, which takes longer.
const SLOW_SECRET: &str = "$6$saltstringsaltst$UXuBvBuPfQU4z1.hi3CoNXH4C7ulNXpsepRT322IE4RHFhcT/ge6WV1Wz\
     4Ryq8EGyu0hllpHMecmXcc/Pudmo.";

/// The hash of "secret" with fifty thousand rounds.
const VERY_SLOW_SECRET: &str = "$6$rounds=50000$saltstringsaltst$fZ7UNNkdfwUy8gj/TQOnnduQ1WZHhWgo4zgARG/QJLd0z30rK\
     jHI5j0ZmO7/rIcxkspkUGVRmYy.Ti40hv9WR/";

/// A server whose users are in a file of their own.
pub(super) struct Guarded {
    pub(super) server: TestServer,
    directory: TempDir,
}

impl Guarded {
    pub(super) fn start(users: &str, configure: impl FnOnce(&mut ServerConfig)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("users"), users).unwrap();
        let server = TestServer::with_config(|config| {
            let file = directory.path().join("users");
            config.passwords = Some(PasswordSettings { file, realm: "my files".to_owned() });
            configure(config);
        });
        server.file("a.txt", "Hello");
        Self { server, directory }
    }

    fn write_users(&self, users: &str) {
        fs::write(self.users_path(), users).unwrap();
    }

    fn users_path(&self) -> std::path::PathBuf {
        Path::new(self.directory.path()).join("users")
    }
}

/// An `Authorization` field with its line ending.
pub(crate) fn basic(user: &str, password: &str) -> String {
    format!("Authorization: Basic {}\r\n", STANDARD.encode(format!("{user}:{password}")))
}

/// Requests `/a.txt` with this field.
pub(super) fn ask(conversation: &mut Conversation, field: &str) -> Reply {
    conversation.send(format!("GET /a.txt HTTP/1.1\r\nHost: a\r\n{field}\r\n")).reply()
}

#[test]
fn only_a_right_password_gets_a_file() {
    let users = format!("alice:{SECRET}\nbob:{SECRET}\n\u{fc}:{SECRET}\n");
    let Guarded { server, .. } = &Guarded::start(&users, |_| {});
    let mut conversation = server.connect();
    let right = basic("alice", "secret");
    let encoded = right.trim_end().rsplit_once(' ').unwrap().1;
    for (field, status) in [
        (right.clone(), 200),
        (String::new(), 401),
        (basic("bob", "secret"), 200),
        (basic("\u{fc}", "secret"), 200),
        (right.replace("Authorization: Basic", "AUTHORIZATION: bASIC"), 200),
        (right.repeat(2), 401),
        (format!("Authorization: {encoded}\r\n"), 401),
        (format!("Authorization: Bearer {encoded}\r\n"), 401),
        ("Authorization: Basic !\r\n".to_owned(), 401),
        ("Authorization:\r\n".to_owned(), 401),
        (format!("Proxy-Authorization: Basic {encoded}\r\n"), 401),
        (right.clone(), 200),
    ] {
        let reply = ask(&mut conversation, &field);
        assert_eq!(reply.status, status, "{field}");
        let challenge = (status == 401).then_some("Basic realm=\"my files\", charset=\"UTF-8\"");
        assert_eq!(reply.field("WWW-Authenticate"), challenge, "{field}");
        assert_eq!(reply.text() == "Hello", status == 200, "{field}");
        assert_eq!(reply.field("Connection"), None, "it is kept");
    }
    for (user, password) in
        [("alice", "Secret"), ("alice", ""), ("eve", "secret"), ("Alice", "secret"), ("", "")]
    {
        let mut conversation = server.connect_from(2);
        let reply = ask(&mut conversation, &basic(user, password));
        assert_eq!(reply.status, 401, "{user}:{password}");
        assert_eq!(reply.field("Connection"), Some("close"), "a guess keeps no slot");
        conversation.expect_end();
    }
    assert_eq!(server.counters().wrong_passwords, 5, "the others were no passwords");
}

/// Verifying takes a while, one after the other.
#[test]
fn passwords_are_verified_while_the_server_drains() {
    let guarded = Guarded::start(&format!("alice:{SLOW_SECRET}"), |config| {
        config.timeouts.drain = 2 * PATIENCE;
    });
    let mut conversations = [(); 8].map(|()| guarded.server.connect());
    for conversation in &mut conversations {
        let field = basic("alice", "secret");
        conversation.send(format!("GET /a.txt HTTP/1.1\r\nHost: a\r\n{field}\r\n"));
    }
    guarded.server.stop();
    for conversation in &mut conversations {
        assert_eq!(conversation.reply().text(), "Hello");
        conversation.expect_end();
    }
    wait_until("the server has ended", || guarded.server.has_ended());
}

/// At most half of the processors verify, and the others wait.
#[test]
fn those_who_wait_for_a_verification_when_the_drain_is_over_are_told_to_come_back() {
    let guarded = Guarded::start(&format!("alice:{VERY_SLOW_SECRET}"), |config| {
        config.limits.total = 600;
        config.timeouts.drain = Duration::ZERO;
    });
    let server = &guarded.server;
    let verifying = (thread::available_parallelism().unwrap().get() / 2).max(1);
    let hosts = (1..=250).take(verifying + 4);
    let mut conversations: Vec<_> = hosts.map(|host| server.connect_from(host)).collect();
    for conversation in &mut conversations {
        let field = basic("alice", "secret");
        conversation.send(format!("GET /a.txt HTTP/1.1\r\nHost: a\r\n{field}\r\n"));
    }
    wait_until("one waits", || server.active() > verifying);
    server.stop();
    // The others were answered before, were not read yet, or found no processor within the tenth of a second.
    let replies = conversations.iter_mut().filter_map(Conversation::reply_unless_closed);
    let refused: Vec<Reply> = replies.filter(|reply| reply.status == 503).collect();
    assert!(!refused.is_empty());
    assert!(refused.iter().all(|reply| reply.field("Retry-After").is_some()));
    wait_until("the server has ended", || server.has_ended());
}

#[test]
fn without_a_password_nothing_is_told_of_the_files() {
    let Guarded { server, .. } = &Guarded::start(&format!("alice:{SECRET}"), |_| {});
    let mut conversation = server.connect();
    let get = conversation.get("/a.txt");
    for request in ["GET /none", "GET /", "GET /%2e%2e/", "POST /a.txt", "BREW /"] {
        let reply = conversation.send(format!("{request} HTTP/1.1\r\nHost: a\r\n\r\n")).reply();
        assert_eq!((reply.status, &reply.body), (401, &get.body), "{request}");
    }
    conversation.send("HEAD /a.txt HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(conversation.reply_to_head().head(), get.head());
    let reply = conversation.send("GET / HTTP/1.1\r\nHost: a b\r\n\r\n").reply();
    assert_eq!(reply.status, 400, "a malformed request");
}

/// A browser's preflight carries none (Fetch standard).
#[test]
fn options_needs_no_password_and_tells_nothing_of_the_files() {
    let Guarded { server, .. } = &Guarded::start(&format!("alice:{SECRET}"), |config| {
        config.status =
            Some(StatusAccess { path: "/status".to_owned(), ..StatusAccess::default() });
        config.extra_fields.further = ["Origin: *", "Headers: Authorization"]
            .map(|field| format!("Access-Control-Allow-{field}").parse().unwrap())
            .to_vec();
    });
    let mut conversation = server.connect();
    let options = |target: &str, field: &str| {
        format!(
            "OPTIONS {target} HTTP/1.1\r\nHost: localhost\r\nOrigin: http://a.example\r\n\
             Access-Control-Request-Method: GET\r\n{field}\r\n"
        )
    };
    let first = conversation.send(options("/a.txt", "")).reply();
    assert_eq!(first.status, 204);
    assert_eq!(first.field("Access-Control-Allow-Headers"), Some("Authorization"));
    for target in ["/", "/none", "*", "/status"] {
        assert_eq!(conversation.send(options(target, "")).reply().head(), first.head(), "{target}");
    }
    let wrong = conversation.send(options("/", &basic("alice", "wrong"))).reply();
    assert_eq!(wrong.head(), first.head(), "it is not verified");
    assert_eq!(ask(&mut conversation, "").status, 401);
    assert_eq!(ask(&mut conversation, &basic("alice", "secret")).status, 200);
    assert_eq!(conversation.send(options("/", "")).reply().status, 204);
    assert_eq!(ask(&mut conversation, "").status, 401);
    assert_eq!(server.counters().wrong_passwords, 0);
}

#[test]
fn errors_have_the_form_that_the_client_prefers_and_the_operators_fields() {
    let Guarded { server, .. } = &Guarded::start(&format!("alice:{SECRET}"), |config| {
        config.extra_fields.further = vec!["X-Note: a".parse().unwrap()];
    });
    for (accept, content_type) in [
        ("text/html", "text/html; charset=utf-8"),
        ("application/json", "application/json"),
        ("*/*", "text/plain; charset=utf-8"),
    ] {
        let reply = server.get_with("/a.txt", &format!("Accept: {accept}\r\n"));
        assert_eq!((reply.status, reply.field("Content-Type")), (401, Some(content_type)));
        assert_eq!(reply.field("X-Note"), Some("a"));
    }
}

#[test]
fn a_connection_verifies_a_password_once() {
    // In a test without optimization this takes some milliseconds.
    let users = format!("alice:{SECRET}\nbob:{SECRET_SHA512}");
    let Guarded { server, .. } = &Guarded::start(&users, |_| {});
    for user in ["alice", "bob"] {
        let field = basic(user, "secret");
        let first = |_| {
            let mut conversation = server.connect();
            let begun = Instant::now();
            assert_eq!(ask(&mut conversation, &field).status, 200);
            (begun.elapsed(), conversation)
        };
        let (verified_in, mut conversation) = (0..5).map(first).max_by_key(|pair| pair.0).unwrap();
        let mut times: Vec<_> = (0..99)
            .map(|_| {
                let begun = Instant::now();
                assert_eq!(ask(&mut conversation, &field).status, 200);
                begun.elapsed()
            })
            .collect();
        times.sort();
        assert!(times[49] < verified_in, "{:?} {verified_in:?}", times[49]);
    }
}

#[test]
fn requests_of_several_users_over_one_connection_are_told_apart() {
    let users = format!("alice:{SECRET}\nbob:{SECRET_SHA512}");
    let Guarded { server, .. } = &Guarded::start(&users, |_| {});
    let mut conversation = server.connect();
    let [alice, bob] = ["alice", "bob"].map(|user| basic(user, "secret"));
    for (field, status) in
        [(&alice, 200), (&bob, 200), (&String::new(), 401), (&bob, 200), (&alice, 200)]
    {
        assert_eq!(ask(&mut conversation, field).status, status, "{field}");
    }
    assert_eq!(ask(&mut conversation, &basic("alice", "secre")).status, 401);
}

#[test]
fn a_password_is_right_no_longer_than_its_line_is_in_the_file() {
    let guarded = Guarded::start(&format!("alice:{SECRET}\n"), |_| {});
    let server = &guarded.server;
    let alice = basic("alice", "secret");
    let mut conversation = server.connect();
    assert_eq!(ask(&mut conversation, &alice).status, 200);
    for (users, reloads, status) in [
        (format!("# the same\nalice:{SECRET}\n"), true, 200),
        // Bad files keep the former passwords.
        ("alice:secret\n".to_owned(), false, 200),
        (String::new(), false, 200),
        (format!("alice:{SECRET_SHA512}\n"), true, 200),
        (format!("bob:{SECRET}\n"), true, 401),
        (format!("bob:{SECRET}\nalice:{SECRET}\n"), true, 200),
    ] {
        guarded.write_users(&users);
        assert_eq!(ask(&mut conversation, &alice).status, 200, "the file was not read again");
        assert_eq!(server.reload().passwords.unwrap().is_ok(), reloads, "{users}");
        assert_eq!(ask(&mut conversation, &alice).status, status, "{users}");
        if status == 401 {
            conversation = server.connect();
            assert_eq!(ask(&mut conversation, &basic("bob", "secret")).status, 200);
            guarded.write_users(&format!("alice:{SECRET}\n"));
            server.reload().passwords.unwrap().unwrap();
        }
    }
    fs::remove_file(guarded.users_path()).unwrap();
    assert!(server.reload().passwords.unwrap().is_err());
    assert_eq!(ask(&mut conversation, &alice).status, 200);
}

#[test]
fn the_status_needs_a_password_as_well_and_is_there_when_the_server_is_full() {
    let Guarded { server, .. } = &Guarded::start(&format!("alice:{SECRET}"), |config| {
        config.status =
            Some(StatusAccess { path: "/status".to_owned(), ..StatusAccess::default() });
        config.limits.per_client = 1;
    });
    let alice = basic("alice", "secret");
    let mut held = server.connect();
    assert_eq!(ask(&mut held, &alice).status, 200);
    let status = |field: &str| {
        let request = format!("GET /status HTTP/1.1\r\nHost: localhost\r\n{field}\r\n");
        server.connect().send(request).reply()
    };
    assert_eq!(status("").status, 401);
    let reply = status(&alice);
    assert_eq!(reply.status, 200);
    assert!(reply.text().contains("\"connections\"") || reply.text().contains("# TYPE"));
    // For a file there is no slot, whether or not the password is right.
    for field in ["", &alice] {
        assert_eq!(ask(&mut server.connect(), field).status, 429);
    }
}
