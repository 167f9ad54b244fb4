//! Very many wrong passwords, while others fetch and give the right one.

use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tempfile::TempDir;

use super::client::{Client, median, status_of};
use super::flood::{LINK, fetch, undisturbed};
use super::target::Target;
use super::{Finding, Options};

/// Of htpasswd(1), `-nbB -C 10`: a verification takes some 60 ms.
const USERS: &str = "alice:$2y$10$.sx16nVUrOPapFJ11.qDWuEdFdrDFGA2s/J/waVMOc/toJ8mkB96m\n";

const GUESSES: u32 = 10_000;
const THREADS: u32 = 10;
const TIME: Duration = Duration::from_secs(10);
/// It has logged in before the attack.
const VISITOR: [u8; 4] = [127, 0, 15, 1];
/// It logs in for the first time during the attack.
const NEWCOMER: [u8; 4] = [127, 0, 15, 2];
const PAUSE: Duration = Duration::from_millis(100);

fn authorization(password: &str) -> String {
    format!("Authorization: Basic {}\r\n", STANDARD.encode(format!("alice:{password}")))
}

pub(crate) fn passwords(_: &Options) -> io::Result<Vec<Finding>> {
    let from_one =
        "10,000 wrong passwords within 10 s from one address, a connection each (bcrypt, cost 10)";
    Ok(vec![
        guessing(from_one, 1)?,
        guessing("the same from 100 addresses", 100)?,
        guessing("the same from 10,000 addresses", GUESSES)?,
    ])
}

/// So many addresses guess.
fn guessing(attack: &'static str, addresses: u32) -> io::Result<Finding> {
    let directory = TempDir::new()?;
    let users = directory.path().join("users");
    fs::write(&users, USERS)?;
    let users = users.to_str().expect("temporary paths are UTF-8");
    let mut target = Target::start(&["--auth", users, "--keep-alive-requests", "1000000000"])?;
    target.fields = authorization("right");
    let mut alone = visits(&target, &AtomicBool::new(true))?;
    let undisturbed = fetch(&target, Some(LINK), undisturbed)?.0;
    let (cpu, begun) = (target.cpu_time()?, Instant::now());
    let (rate, attacked) = fetch(&target, Some(LINK), || attack_and_visit(&target, addresses))?;
    let Attacked { statuses, mut visits, newcomer } = attacked?;
    let cpu = target.cpu_time()?.saturating_sub(cpu).as_secs_f64() / begun.elapsed().as_secs_f64();
    let all_slots = target.has_all_slots(VISITOR, 12)?;
    let (share, count) = (100.0 * rate / undisturbed, visits.len());
    let visit = median(&mut visits);
    let longest = visits.last().copied().unwrap_or(f64::NAN);
    Ok(Finding {
        attack,
        must_hold: "at most 1.2 of two processors; an address that has logged in before keeps 90 % of 100 \
                    Mbit/s and is let in within two seconds",
        measured: format!(
            "{:.0} % of a CPU; {share:.0} %; {visit:.0} ms (median of {count}, at most {longest:.0}; \
             undisturbed {:.0}), a new address {newcomer:.0}; guesses by status (0: given up without one): \
             {statuses:?}; slots afterwards: {}",
            100.0 * cpu,
            median(&mut alone),
            if all_slots { "all" } else { "not all" }
        ),
        holds: cpu < 1.2 && share >= 90.0 && longest < 2000.0 && all_slots,
    })
}

/// How often each status was received.
type Statuses = BTreeMap<u16, u32>;

/// The guesses by their statuses, and how long visits took meanwhile, in milliseconds.
struct Attacked {
    statuses: Statuses,
    visits: Vec<f64>,
    newcomer: f64,
}

/// Guesses, and meanwhile sends the right password from other addresses.
fn attack_and_visit(target: &Target, addresses: u32) -> io::Result<Attacked> {
    let ended = AtomicBool::new(false);
    thread::scope(|scope| {
        let visits = scope.spawn(|| visits(target, &ended));
        let newcomer = scope.spawn(|| {
            thread::sleep(TIME / 10);
            visit(target, NEWCOMER)
        });
        let to = target.address();
        let guessing: Vec<_> =
            (0..THREADS).map(|thread| scope.spawn(move || guess(to, addresses, thread))).collect();
        let mut statuses = Statuses::new();
        for of_one in guessing {
            for (status, count) in of_one.join().expect("none panics")? {
                *statuses.entry(status).or_default() += count;
            }
        }
        ended.store(true, Ordering::Relaxed);
        Ok(Attacked {
            statuses,
            visits: visits.join().expect("none panics")?,
            newcomer: newcomer.join().expect("none panics")?,
        })
    })
}

/// Sends every tenth wrong password, each over a new connection and at its time, without waiting for responses.
fn guess(to: SocketAddr, addresses: u32, thread: u32) -> io::Result<Statuses> {
    /// Connections that are kept until their response comes.
    const OPEN: usize = 500;
    let mut open = VecDeque::<Client>::new();
    let mut statuses = Statuses::new();
    let mut end = |mut client: Client| {
        let answer = client.is_answered().then(|| client.answer());
        let status = answer.map_or(0, |answer| answer.map_or(0, |answer| status_of(&answer)));
        *statuses.entry(status).or_default() += 1;
    };
    let begun = Instant::now();
    for guess in (thread..GUESSES).step_by(THREADS as usize) {
        thread::sleep((TIME * guess / GUESSES).saturating_sub(begun.elapsed()));
        let [_, _, high, low] = (guess % addresses).to_be_bytes();
        let mut client = Client::connect([127, 16, high, low.max(1)], to)?;
        client.fields = authorization(&guess.to_string());
        // A rejected client may find the connection closed while it sends.
        let _ = client.ask("/small");
        open.push_back(client);
        if open.len() > OPEN
            && let Some(oldest) = open.pop_front()
        {
            end(oldest);
        }
    }
    open.into_iter().for_each(end);
    Ok(statuses)
}

/// Visits until `ended` and ten times at least; returns how long each visit took, in milliseconds.
fn visits(target: &Target, ended: &AtomicBool) -> io::Result<Vec<f64>> {
    let mut visits = Vec::new();
    while visits.len() < 10 || !ended.load(Ordering::Relaxed) {
        visits.push(visit(target, VISITOR)?);
        thread::sleep(PAUSE);
    }
    Ok(visits)
}

/// Sends the right password over new connections until it is let in; returns how long that took, in milliseconds.
fn visit(target: &Target, host: [u8; 4]) -> io::Result<f64> {
    let begun = Instant::now();
    while status_of(&target.connect(host)?.get("/small")?) != 200 {
        thread::sleep(PAUSE);
    }
    Ok(begun.elapsed().as_secs_f64() * 1e3)
}
