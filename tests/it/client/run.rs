//! Runs over several URLs: workers, results and files.

use std::fs;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use http_concurrent::client::{
    Algorithm, Destination, Hashing, Observer, Outcome, OutputDirectory, SaveSettings, Settings,
    Silent, Stop, download,
};

use crate::support::fetching::{fetch, fetch_with, names_in, plan_all, settings};
use crate::support::scripted::{Scripted, answer, ok};
use crate::support::wait_until;

#[test]
fn results_come_in_the_order_of_the_urls_and_a_failure_costs_only_its_own() {
    let server = Scripted::answering(|target| {
        let number: usize = target[1..].parse().unwrap();
        if number.is_multiple_of(5) {
            answer("410 Gone", "", "gone")
        } else {
            ok(target.repeat(number))
        }
    });
    let urls: Vec<_> = (0..40).map(|number| server.url(&format!("/{number}"))).collect();
    let fetched = fetch(8, &urls);
    assert_eq!(fetched.run.workers, 8);
    for (number, outcome) in fetched.run.outcomes.iter().enumerate() {
        assert_eq!(outcome.result.is_err(), number % 5 == 0, "{number}: {outcome:?}");
        if let Ok(saved) = &outcome.result {
            assert_eq!(saved.path.file_name().unwrap(), &*number.to_string());
            assert_eq!(saved.bytes, fetched.content(&number.to_string()).len() as u64);
        }
        assert!(outcome.took <= fetched.run.wall);
    }
    assert_eq!((fetched.run.failures(), fetched.names().len()), (8, 32));
    assert!(server.connections() <= 8, "{}", server.connections());
}

#[test]
fn waiting_for_content_is_transfer_and_work_on_the_file_is_write() {
    const DELAY: Duration = Duration::from_millis(60);
    const PAUSE: Duration = Duration::from_millis(20);
    struct SlowObserver;
    impl Observer for SlowObserver {
        fn content_started(&self, _: usize, _: Option<u64>, _: u64) {
            thread::sleep(DELAY);
        }
    }
    let server = Scripted::start(|peer| {
        while peer.read_head().is_some() {
            peer.send("HTTP/1.1 200 OK\r\nContent-Length: 21\r\n\r\na");
            for _ in 0..20 {
                thread::sleep(PAUSE);
                peer.send("b");
            }
        }
    });
    let directory = tempfile::tempdir().unwrap();
    let output = OutputDirectory::prepare(directory.path()).unwrap();
    let jobs = plan_all(&[server.url("/a")], &output);
    let run = download(&jobs, &output, &settings(1), &Stop::default(), &SlowObserver).unwrap();
    let outcome = &run.outcomes[0];
    let phases = outcome.phases;
    // A busy machine may read late, but hardly after every one of the 20 pauses.
    assert!(phases.transfer >= PAUSE && phases.write >= DELAY, "{outcome:?}");
    assert!(phases.total() <= phases.queue + outcome.took, "{outcome:?}");
}

#[test]
fn as_many_urls_are_in_progress_as_there_are_workers() {
    static REQUESTS: AtomicUsize = AtomicUsize::new(0);
    let server = Scripted::answering(|_| {
        REQUESTS.fetch_add(1, Ordering::SeqCst);
        wait_until("4 requests came at a time", || REQUESTS.load(Ordering::SeqCst) >= 4);
        ok("a")
    });
    let urls: Vec<_> = (0..6).map(|number| server.url(&format!("/{number}"))).collect();
    let fetched = fetch(4, &urls);
    fetched.assert_success();
    assert_eq!((fetched.run.workers, server.connections()), (4, 4));
    // There are no more threads than URLs.
    assert_eq!(fetch(4, &urls[..2]).run.workers, 2);
}

#[test]
fn an_older_file_is_replaced_completely_or_not_at_all() {
    let server = Scripted::answering(|target| match target {
        "/new" => ok("new"),
        _ => answer("404 Not Found", "", ""),
    });
    let directory = tempfile::tempdir().unwrap();
    let output = OutputDirectory::prepare(directory.path()).unwrap();
    for name in ["new", "gone"] {
        fs::write(directory.path().join(name), "an older file").unwrap();
    }
    let jobs = plan_all(&["/new", "/gone"].map(|path| server.url(path)), &output);
    download(&jobs, &output, &settings(2), &Stop::default(), &Silent).unwrap();
    assert_eq!(fs::read(directory.path().join("new")).unwrap(), b"new");
    assert_eq!(fs::read(directory.path().join("gone")).unwrap(), b"an older file");
    assert_eq!(names_in(directory.path()), ["gone", "new"]);
}

#[test]
fn discarded_content_is_received_and_hashed_and_no_file_is_made() {
    let server = Scripted::answering(|target| match target {
        "/file" => ok("Hello"),
        _ => answer("404 Not Found", "", ""),
    });
    let saving = SaveSettings {
        destination: Destination::Discard,
        hashing: Hashing::Sha256,
        ..SaveSettings::default()
    };
    let urls = ["/file", "/gone"].map(|path| server.url(path));
    let fetched = fetch_with(&Settings { saving, ..settings(1) }, &urls);
    let saved = fetched.run.outcomes[0].result.as_ref().unwrap();
    assert_eq!((saved.bytes, fetched.run.bytes()), (5, 5));
    assert!(saved.checksum(Algorithm::Sha256).unwrap().to_string().starts_with("185f8db3"));
    assert_eq!((fetched.names(), fetched.run.failures()), (Vec::<String>::new(), 1));
}

#[test]
fn an_observer_is_notified_of_every_step() {
    #[derive(Default)]
    struct Notes(Mutex<Vec<String>>);
    impl Notes {
        fn note(&self, note: String) {
            self.0.lock().unwrap().push(note);
        }
    }
    impl Observer for Notes {
        fn started(&self, job: usize) {
            self.note(format!("{job} started"));
        }
        fn content_started(&self, job: usize, bytes: Option<u64>, already: u64) {
            self.note(format!("{job} of {bytes:?} behind {already}"));
        }
        fn received(&self, job: usize, bytes: usize) {
            self.note(format!("{job} received {bytes}"));
        }
        fn finished(&self, job: usize, outcome: &Outcome) {
            self.note(format!("{job} is there: {}", outcome.result.is_ok()));
        }
    }
    let server = Scripted::answering(|target| match target {
        "/file" => ok("Hello"),
        _ => answer("404 Not Found", "", ""),
    });
    let directory = tempfile::tempdir().unwrap();
    let output = OutputDirectory::prepare(directory.path()).unwrap();
    let jobs = plan_all(&["/file", "/gone"].map(|path| server.url(path)), &output);
    let notes = Notes::default();
    download(&jobs, &output, &settings(1), &Stop::default(), &notes).unwrap();
    assert_eq!(
        *notes.0.lock().unwrap(),
        [
            "0 started",
            "0 of Some(5) behind 0",
            "0 received 5",
            "0 is there: true",
            "1 started",
            "1 is there: false"
        ]
    );
}
