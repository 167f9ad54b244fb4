//! Connections that wait for a slot: very many of them, and those of a few clients beside another one.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::client::{Client, median, status_of};
use super::flood::{self, ATTACKER, BareListener, Floods, LINK};
use super::haproxy::HaProxy;
use super::shortages::has_whole_total;
use super::target::Target;
use super::{Finding, Options};

const CROWD: usize = 10_000;
/// Clients that hold all slots together, and how many each holds.
const CLIENTS: u8 = 5;
const OF_EACH: usize = 12;

/// Connections that hold all slots and send nothing.
fn hold_all(target: &Target) -> io::Result<Vec<Client>> {
    (1..=CLIENTS)
        .flat_map(|host| [host; OF_EACH])
        .map(|host| Client::connect([127, 0, 11, host], target.address()))
        .collect()
}

/// Connections with a request each, a hundred of each client.
fn gather(target: &Target) -> io::Result<Vec<Client>> {
    (0..CROWD)
        .map(|number| {
            let host = u8::try_from(1 + number / 100).expect("there are 100 clients");
            let mut client = Client::connect([127, 0, 12, host], target.address())?;
            client.ask("/small")?;
            Ok(client)
        })
        .collect()
}

/// How many connections wait, once no more are answered.
fn waiting(crowd: &[Client]) -> usize {
    let count = || crowd.iter().filter(|client| !client.is_answered()).count();
    let mut last = count();
    loop {
        thread::sleep(Duration::from_millis(500));
        let now = count();
        if now == last {
            return now;
        }
        last = now;
    }
}

/// How many connections were answered with each status; 0 without a complete response.
fn answers(crowd: Vec<Client>) -> BTreeMap<u16, usize> {
    let mut answers = BTreeMap::new();
    for mut client in crowd {
        let status = client.answer().map_or(0, |answer| status_of(&answer));
        *answers.entry(status).or_default() += 1;
    }
    answers
}

/// Very many wait while all slots are held: some until there are slots, some until their time is over.
pub(crate) fn crowd(_: &Options) -> io::Result<Vec<Finding>> {
    Ok(vec![crowd_that_is_served()?, crowd_that_is_rejected()?])
}

fn crowd_target(time: &str) -> io::Result<Target> {
    let waiting = ["--wait-for-slot", time, "--max-waiting", "10000"];
    Target::start(&[&waiting[..], &["--header-timeout", "600s"]].concat())
}

fn crowd_that_is_served() -> io::Result<Finding> {
    let target = crowd_target("600s")?;
    let held = hold_all(&target)?;
    let before = target.memory()?;
    let crowd = gather(&target)?;
    let waiting = waiting(&crowd);
    // Until those that were rejected linger no longer.
    thread::sleep(Duration::from_secs(6));
    let kib_each = (target.memory()? - before) * 1024.0 / waiting as f64;
    let percent = target.cpu_percent(Duration::from_secs(5))?;
    let begun = Instant::now();
    drop(held);
    let answers = answers(crowd);
    let took = begun.elapsed().as_secs_f64();
    let of = |status: u16| answers.get(&status).copied().unwrap_or(0);
    let (served, told) = (of(200), of(503));
    let all_slots = has_whole_total(&target)?;
    Ok(Finding {
        attack: "10,000 connections of 100 addresses with a request each, while the 60 slots are held",
        must_hold: "they wait without CPU (under 1 %); all are answered; no slot leaked",
        measured: format!(
            "{waiting} wait, as many as the descriptors allow, with {kib_each:.1} KiB each and {percent:.1} % \
             of a CPU; they are served within {took:.1} s once there are slots ({served}; {told} were told \
             503); slots afterwards: {}",
            if all_slots { "all" } else { "not all" }
        ),
        holds: served == waiting && served + told == CROWD && percent < 1.0 && all_slots,
    })
}

fn crowd_that_is_rejected() -> io::Result<Finding> {
    const TIME: Duration = Duration::from_secs(5);
    let target = crowd_target("5s")?;
    let held = hold_all(&target)?;
    let begun = Instant::now();
    let crowd = gather(&target)?;
    let opening = begun.elapsed();
    let waiting = waiting(&crowd);
    let answers = answers(crowd);
    let took = begun.elapsed();
    let told = answers.get(&503).copied().unwrap_or(0);
    drop(held);
    let all_slots = has_whole_total(&target)?;
    Ok(Finding {
        attack: "the same, and no slot becomes free within 5 s",
        must_hold: "all are told 503, within a second of their time; no slot leaked",
        measured: format!(
            "opened within {:.1} s; {waiting} wait in vain; {told} told 503, the last after {:.1} s; slots \
             afterwards: {}",
            opening.as_secs_f64(),
            took.as_secs_f64(),
            if all_slots { "all" } else { "not all" }
        ),
        holds: waiting > 0
            && told == CROWD
            && took < opening + TIME + Duration::from_secs(1)
            && all_slots,
    })
}

/// One address holds its slots, fills the waiting line, and opens connections as fast as it can.
pub(crate) fn full_line(_: &Options) -> io::Result<Vec<Finding>> {
    const LINE: usize = 1_000;
    let waiting = ["--wait-for-slot", "600s", "--max-waiting", "1000"];
    let target = Target::start(&[&waiting[..], &flood::OPTIONS].concat())?;
    let held = flood::hold_all(&target)?;
    let line: Vec<Client> = (0..LINE)
        .map(|_| Client::connect(ATTACKER, target.address()))
        .collect::<io::Result<_>>()?;
    let listener = BareListener::start()?;
    let mut floods = Floods::default();
    let throughput = floods.meanwhile(&target, &listener, Some(LINK))?;
    let waiting = line.iter().filter(|client| !client.is_answered()).count();
    drop((held, line));
    let all_slots = target.has_all_slots(ATTACKER, flood::LIMIT)?;
    let flood = Finding {
        attack: "20,000 connections opened as fast as possible by one address that holds its 12 and fills the \
                 1,000 waiting places",
        must_hold: "each reads a complete 429; its places are kept; no slot leaked",
        measured: format!(
            "{}; {waiting} still wait; slots afterwards: {}",
            floods.text(),
            if all_slots { "all 12" } else { "not all" }
        ),
        holds: floods.are_whole() && waiting == LINE && all_slots,
    };
    Ok(vec![flood, throughput])
}

/// Five addresses keep all slots busy and 200 more connections waiting each, while another one opens connections.
/// The same with the one queue of `HAProxy`, if that is installed.
pub(crate) fn turns(_: &Options) -> io::Result<Vec<Finding>> {
    let waiting = ["--wait-for-slot", "30s", "--reclaim-idle", "--delay", "20ms"];
    let target = Target::start(&waiting)?;
    let ours = Waits::beside_full_lines(target.address())?;
    let unlimited = ["-maxclient", "2000", "-maxtotal", "2000", "--delay", "20ms"];
    let unlimited = Target::start(&unlimited)?;
    let beside = match HaProxy::start(unlimited.address())? {
        Some(haproxy) => Waits::beside_full_lines(haproxy.address())?.text(),
        None => "not installed".to_owned(),
    };
    Ok(vec![Finding {
        attack: "five addresses keep the 60 slots busy, 20 ms for a request, and 200 connections waiting each",
        must_hold: "another address waits for its turn, not for their lines: 10 ms at most (median)",
        measured: format!("{}; HAProxy with `maxconn 60` and its queue: {beside}", ours.text()),
        holds: ours.newcomer - ours.undisturbed <= 10.0,
    }])
}

/// How long connections take for a request, in milliseconds (medians).
struct Waits {
    undisturbed: f64,
    newcomer: f64,
    longest: f64,
    of_a_line: f64,
}

impl Waits {
    fn beside_full_lines(to: SocketAddr) -> io::Result<Self> {
        let undisturbed = median(&mut newcomers(to)?);
        let ended = AtomicBool::new(false);
        let (waits, lines) = thread::scope(|scope| {
            let ended = &ended;
            let attackers: Vec<_> = (1..=CLIENTS)
                .map(|host| scope.spawn(move || keep_waiting(to, [127, 0, 13, host], ended)))
                .collect();
            thread::sleep(Duration::from_secs(1));
            let waits = newcomers(to);
            ended.store(true, Ordering::Relaxed);
            let joined = attackers.into_iter().map(|line| line.join().expect("none panics"));
            (waits, joined.collect::<io::Result<Vec<_>>>())
        });
        let mut waits = waits?;
        Ok(Self {
            undisturbed,
            newcomer: median(&mut waits),
            longest: waits.last().copied().unwrap_or(f64::NAN),
            of_a_line: median(&mut lines?.concat()),
        })
    }

    fn text(&self) -> String {
        let Self { undisturbed, newcomer, longest, of_a_line } = self;
        format!(
            "a newcomer has its 200 after {newcomer:.1} ms (at most {longest:.1}; undisturbed \
             {undisturbed:.1}), one of theirs after {of_a_line:.0} ms"
        )
    }
}

/// How long a hundred connections of another address take for a request, one after the other, in milliseconds.
fn newcomers(to: SocketAddr) -> io::Result<Vec<f64>> {
    (0..100)
        .map(|_| {
            let begun = Instant::now();
            let answer = Client::connect([127, 0, 14, 1], to)?.get("/small")?;
            let took = begun.elapsed().as_secs_f64() * 1e3;
            Ok(if status_of(&answer) == 200 { took } else { f64::INFINITY })
        })
        .collect()
}

/// Keeps 200 connections with a request each open, a new one for each that was answered; returns how long each
/// took, in milliseconds.
fn keep_waiting(to: SocketAddr, host: [u8; 4], ended: &AtomicBool) -> io::Result<Vec<f64>> {
    let mut line = VecDeque::new();
    let mut waits = Vec::new();
    while !ended.load(Ordering::Relaxed) {
        while line.len() < 200 {
            let mut client = Client::connect(host, to)?;
            client.ask("/small")?;
            line.push_back((client, Instant::now()));
        }
        if let Some((mut client, begun)) = line.pop_front() {
            client.answer()?;
            waits.push(begun.elapsed().as_secs_f64() * 1e3);
        }
    }
    Ok(waits)
}
