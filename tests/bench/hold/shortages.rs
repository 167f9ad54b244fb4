//! Exhausted resources, shutdown during transfers, and very many connections.

use std::io::{self, Read as _};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Signal, geteuid};

use super::client::{Client, median, status_of};
use super::target::{LARGE_BYTES, Target};
use super::{Finding, Options};

const SECONDS: Duration = Duration::from_secs(3);

/// Silent connections from many addresses.
fn silent_peers(target: &Target, count: u8) -> io::Result<Vec<Client>> {
    (1..=count).map(|host| Client::connect([127, 0, 5, host], target.address())).collect()
}

pub(crate) fn descriptors(_: &Options) -> io::Result<Vec<Finding>> {
    let fitted =
        Target::start_under(&["prlimit", "--nofile=64"], None, &["--access-log", "/dev/full"])?;
    let held = silent_peers(&fitted, 60)?;
    let mut most = 0;
    for _ in 0..500 {
        Client::connect([127, 0, 6, 1], fitted.address())?.get("/small")?;
        most = most.max(fitted.descriptors()?);
    }
    drop(held);
    thread::sleep(Duration::from_millis(500));
    let served = Client::connect([127, 0, 6, 1], fitted.address())?.get("/small")?;
    let served = status_of(&served) == 200;
    // Lowered on a running server: accept fails until the limit is restored.
    let starved = Target::start(&[])?;
    let limit = starved.limit_descriptors(0)?;
    let waiting = silent_peers(&starved, 20)?;
    thread::sleep(Duration::from_secs(1));
    let percent = starved.cpu_percent(SECONDS)?;
    starved.limit_descriptors(limit)?;
    let mut recovered = 0;
    for mut client in waiting {
        recovered += u8::from(status_of(&client.get("/small")?) == 200);
    }
    Ok(vec![
        Finding {
            attack: "64 descriptors, the log on a full disk, 60 silent peers and 500 more",
            must_hold: "the limit is never reached; serving continues",
            measured: format!("at most {most} in use; served afterwards: {served}"),
            holds: most < 64 && served,
        },
        Finding {
            attack: "no descriptor free for 4 s, while 20 peers wait",
            must_hold: "no spin (CPU under 5 %); they are served once descriptors are free",
            measured: format!("{percent:.1} % of a CPU; served afterwards: {recovered} of 20"),
            holds: percent < 5.0 && recovered == 20,
        },
    ])
}

pub(crate) fn threads(_: &Options) -> io::Result<Vec<Finding>> {
    const ATTACK: &str = "10 threads in all, 30 connections at a time";
    const MUST_HOLD: &str =
        "503 for those without a thread, the others served; no spin (CPU under 5 %)";
    if !geteuid().is_root() {
        println!("skipped: {ATTACK} (a limit of threads is set for another user, by root)");
        return Ok(Vec::new());
    }
    // A separate user, whose only tasks are those of the server.
    let user = Some(900_000_000 + std::process::id());
    let target = Target::start_under(&["prlimit", "--nproc=10"], user, &["-maxclient", "60"])?;
    let mut statuses = Vec::new();
    let mut held = Vec::new();
    for _ in 0..30 {
        let mut client = Client::connect([127, 0, 7, 1], target.address())?;
        statuses.push(client.get("/small").map_or(0, |answer| status_of(&answer)));
        held.push(client);
    }
    let percent = target.cpu_percent(SECONDS)?;
    drop(held);
    thread::sleep(Duration::from_millis(500));
    let recovered = Client::connect([127, 0, 7, 1], target.address())?.get("/small")?;
    let count = |wanted: u16| statuses.iter().filter(|status| **status == wanted).count();
    let (served, told) = (count(200), count(503));
    Ok(vec![Finding {
        attack: ATTACK,
        must_hold: MUST_HOLD,
        measured: format!(
            "{served} served, {told} told 503; {percent:.1} % of a CPU; served afterwards: {}",
            status_of(&recovered) == 200
        ),
        holds: served > 0
            && told > 0
            && served + told == 30
            && percent < 5.0
            && status_of(&recovered) == 200,
    }])
}

pub(crate) fn end(_: &Options) -> io::Result<Vec<Finding>> {
    let mut target = Target::start(&["--drain-timeout", "60s"])?;
    let mut transfers = Vec::new();
    for number in 0..50_u8 {
        let mut client = Client::connect([127, 0, 8, 1 + number / 10], target.address())?;
        client.ask("/large")?;
        client.stream.peek(&mut [0])?;
        transfers.push(client);
    }
    target.signal(Signal::TERM)?;
    thread::sleep(Duration::from_millis(200));
    let refused = Client::connect([127, 0, 8, 9], target.address()).is_err();
    let whole = AtomicUsize::new(0);
    thread::scope(|scope| {
        for mut client in transfers {
            let whole = &whole;
            scope.spawn(move || {
                let mut content = Vec::new();
                let read = client.stream.read_to_end(&mut content);
                let is_whole = read.is_ok() && content.len() > LARGE_BYTES;
                whole.fetch_add(usize::from(is_whole), Ordering::Relaxed);
            });
        }
    });
    let whole = whole.into_inner();
    let status = target.end(Duration::from_secs(20))?;
    Ok(vec![Finding {
        attack: "kill -TERM in the middle of 50 transfers of 20 MB",
        must_hold: "the 50 complete, new ones are refused, status 0",
        measured: format!("{whole} complete; a new one refused: {refused}; {status}"),
        holds: whole == 50 && refused && status == "status 0",
    }])
}

/// True if sixty connections of ten addresses are served, and the next one is not.
pub(crate) fn has_whole_total(target: &Target) -> io::Result<bool> {
    thread::sleep(Duration::from_millis(500));
    let mut held: Vec<Client> = (0..60_u8)
        .map(|number| Client::connect([127, 0, 9, 1 + number / 6], target.address()))
        .collect::<io::Result<_>>()?;
    let is_denied = Client::connect([127, 0, 10, 1], target.address())?.is_denied("/small", 503)?;
    let mut served = 0;
    for client in &mut held {
        served += usize::from(client.get("/small").is_ok_and(|answer| status_of(&answer) == 200));
    }
    Ok(served == 60 && is_denied)
}

/// Half of the connections sequentially, half by eight clients at a time; some are rejected, and some reset.
pub(crate) fn endurance(options: &Options) -> io::Result<Vec<Finding>> {
    let target = Target::start(&["-maxclient", "6"])?;
    let half = options.connections / 2;
    // Each address closes at most some thousands, whose ports stay in use for a minute (TIME_WAIT).
    let client = |number: u32, network: u8| -> io::Result<()> {
        let [_, _, high, low] = (number / 500).to_be_bytes();
        let mut client = Client::connect([127, network, high, low.max(1)], target.address())?;
        if number.is_multiple_of(16) {
            return client.reset();
        }
        // A rejected client may find the connection closed while it sends.
        let _ = client.get("/small");
        Ok(())
    };
    // Memory that the server keeps permanently is allocated within the first few thousand connections.
    (0..5_000).try_for_each(|number| client(number, 1))?;
    let mut memory = vec![target.memory()?];
    let begun = Instant::now();
    for tenth in 0..10 {
        (0..half / 10).try_for_each(|number| client(number, 2 + tenth))?;
        memory.push(target.memory()?);
    }
    thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| (0..half / 8).try_for_each(|number| client(number, 20))))
            .collect();
        let joined = threads.into_iter().map(|thread| thread.join().expect("no client panics"));
        joined.collect::<io::Result<Vec<()>>>()
    })?;
    let rate = f64::from(options.connections) / begun.elapsed().as_secs_f64();
    // Lingering sockets and parked threads end after some seconds.
    thread::sleep(Duration::from_secs(7));
    memory.push(target.memory()?);
    let (first, last) = (memory[0], memory[memory.len() - 1]);
    let (middle, most) = (median(&mut memory), memory[memory.len() - 1]);
    let descriptors = target.descriptors()?;
    let all_slots = target.has_all_slots([127, 20, 0, 1], 6)? && has_whole_total(&target)?;
    Ok(vec![Finding {
        attack: "very many connections, half of them eight at a time, some rejected, some reset",
        must_hold: "counts return to zero, memory stays flat (within 2 MiB)",
        measured: format!(
            "{} connections, {rate:.0} a second; memory {first:.1} MiB before, {last:.1} after (median \
             {middle:.1}, most {most:.1}); {descriptors} descriptors afterwards; slots: {}",
            options.connections,
            if all_slots { "all" } else { "not all" }
        ),
        holds: last - first < 2.0 && all_slots,
    }])
}
