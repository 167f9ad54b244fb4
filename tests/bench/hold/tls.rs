//! Attacks on a server over TLS: handshakes that never begin or never end, renegotiation, and rejections, each of
//! which costs a handshake.

use std::io::{self, Read as _, Write as _};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustls::ClientConnection;
use rustls::client::Resumption;
use rustls::pki_types::ServerName;
use rustls::version::TLS13;

use super::certificate::Certificate;
use super::client::{Client, median, status_of};
use super::flood::{self, ATTACKER, BareListener, LINK};
use super::target::Target;
use super::{Finding, Options};

/// The server's default.
const HEAD: Duration = Duration::from_secs(10);

/// A whole `ClientHello` of TLS 1.3 has some 240 bytes; this is the beginning of one.
const PART_OF_A_HELLO: &[u8] = b"\x16\x03\x01\x00\xc4\x01\x00\x00\xc0\x03\x03\x5a\x5a\x5a";

/// Starts a server with a certificate, whose connections are over TLS 1.3 and resume no sessions.
fn start(arguments: &[&str]) -> io::Result<Target> {
    let certificate = Certificate::new()?;
    let files = [certificate.file(), certificate.key_file()];
    let [file, key] = files.map(|path| path.display().to_string());
    let mut target =
        Target::start(&[&["--tls-cert", &file, "--tls-key", &key], arguments].concat())?;
    target.tls = Some(certificate.client(&TLS13, Resumption::disabled())?);
    Ok(target)
}

/// The first bytes of a connection.
fn client_hello(target: &Target) -> io::Result<Vec<u8>> {
    let config = target.tls.clone().ok_or(io::ErrorKind::Unsupported)?;
    let name = ServerName::try_from("localhost").map_err(io::Error::other)?;
    let mut session = ClientConnection::new(config, name).map_err(io::Error::other)?;
    let mut hello = Vec::new();
    session.write_tls(&mut hello)?;
    Ok(hello)
}

/// Connections that send nothing, or the beginning of a handshake.
pub(crate) fn silence(_: &Options) -> io::Result<Vec<Finding>> {
    let nothing =
        stalled("1,000 connections over TLS from 100 addresses that send nothing", |client, _| {
            client.stream.set_nodelay(true)
        })?;
    let part = stalled("the same, each with the beginning of a ClientHello", |client, _| {
        client.stream.write_all(PART_OF_A_HELLO)
    })?;
    Ok(vec![nothing, part])
}

/// Connections that have the server compute its part of the handshake, and do not answer.
pub(crate) fn stalls(_: &Options) -> io::Result<Vec<Finding>> {
    let attack = "the same, each with a whole ClientHello and nothing after it";
    Ok(vec![stalled(attack, |client, target| {
        let hello = client_hello(target)?;
        client.stream.write_all(&hello)
    })?])
}

/// Opens the connections, and measures how long newcomers take for a handshake and a request until all are closed.
fn stalled(
    attack: &'static str,
    send: impl Fn(&mut Client, &Target) -> io::Result<()>,
) -> io::Result<Finding> {
    let target = start(&["-maxtotal", "2000"])?;
    let (begun, cpu) = (Instant::now(), target.cpu_time()?);
    let mut open: Vec<Client> = (0..1000_u16)
        .map(|number| {
            let host = 1 + u8::try_from(number / 10).expect("there are 100 hosts");
            let mut client = Client::connect([127, 0, 5, host], target.address())?;
            send(&mut client, &target)?;
            Ok(client)
        })
        .collect::<io::Result<_>>()?;
    let opening = begun.elapsed();
    let mut waits = Vec::new();
    while !open.is_empty() && begun.elapsed() < HEAD * 3 {
        let asked = Instant::now();
        let answer = target.connect([127, 0, 6, 1])?.get("/small")?;
        if status_of(&answer) == 200 {
            waits.push(asked.elapsed().as_secs_f64() * 1e3);
        }
        open.retain_mut(|client| !has_ended(client));
        thread::sleep(Duration::from_millis(20));
    }
    let last_end = begun.elapsed();
    let cpu = target.cpu_time()?.saturating_sub(cpu).as_secs_f64();
    let wait = median(&mut waits);
    let longest = waits.last().copied().unwrap_or(f64::NAN);
    let all_slots = target.has_all_slots([127, 0, 5, 1], 12)?;
    Ok(Finding {
        attack,
        must_hold: "closed by the head's deadline (10 s); a newcomer has its handshake and its 200 within 100 ms \
                    (median); no slot leaked",
        measured: format!(
            "{} closed after {:.1} s (opening them took {:.1} s); newcomer: {wait:.1} ms (at most {longest:.0}, \
             {} asked); {cpu:.1} s of a CPU, with the newcomers; slots afterwards: {}",
            1000 - open.len(),
            last_end.as_secs_f64(),
            opening.as_secs_f64(),
            waits.len(),
            if all_slots { "all" } else { "not all" }
        ),
        holds: open.is_empty()
            && last_end < opening + HEAD + Duration::from_secs(1)
            && wait < 100.0
            && all_slots,
    })
}

/// True if the server has closed, whatever it sent before.
fn has_ended(client: &mut Client) -> bool {
    client.stream.set_nonblocking(true).expect("it is a socket");
    let mut received = [0; 4096];
    let ended = loop {
        match client.stream.read(&mut received) {
            Ok(0) => break true,
            Ok(_) => {}
            Err(error) => break error.kind() != io::ErrorKind::WouldBlock,
        }
    };
    client.stream.set_nonblocking(false).expect("it is a socket");
    ended
}

/// Clients of TLS 1.2 that ask for another handshake once they have had one (RFC 5246 §7.4.1.1).
pub(crate) fn renegotiation(_: &Options) -> io::Result<Vec<Finding>> {
    const ATTEMPTS: u32 = 50;
    let target = start(&[])?;
    let mut refused = 0;
    for _ in 0..ATTEMPTS {
        let Some(printed) = renegotiate(&target)? else {
            let measured = "not measured: openssl(1) is not installed".to_owned();
            return Ok(vec![renegotiation_finding(measured, true)]);
        };
        refused += u32::from(printed.contains("no renegotiation"));
    }
    let served = target.connect([127, 0, 6, 1])?.get("/small")?;
    let is_served = status_of(&served) == 200;
    let all_slots = target.has_all_slots([127, 0, 0, 1], 12)?;
    let measured = format!(
        "{refused} of {ATTEMPTS} refused (`openssl s_client -tls1_2`, `R`); a newcomer is {}; slots afterwards: {}",
        if is_served { "served" } else { "not served" },
        if all_slots { "all" } else { "not all" }
    );
    Ok(vec![renegotiation_finding(measured, refused == ATTEMPTS && is_served && all_slots)])
}

fn renegotiation_finding(measured: String, holds: bool) -> Finding {
    Finding {
        attack: "50 clients of TLS 1.2 ask for renegotiation",
        must_hold: "each is refused; no slot leaked",
        measured,
        holds,
    }
}

/// What openssl(1) prints when it asks for renegotiation; `None` if it is not installed.
fn renegotiate(target: &Target) -> io::Result<Option<String>> {
    let to = target.address().to_string();
    let started = Command::new("openssl")
        .args(["s_client", "-connect", &to, "-servername", "localhost", "-tls1_2"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = match started {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        started => started?,
    };
    // At the end of its input it would leave before the server's answer.
    let mut input = child.stdin.take().ok_or(io::ErrorKind::BrokenPipe)?;
    // It may have ended already.
    let _ = input.write_all(b"R\n");
    let output = child.wait_with_output()?;
    drop(input);
    Ok(Some(String::from_utf8_lossy(&output.stderr).into_owned()))
}

/// What became of the connections of a flood.
#[derive(Clone, Copy, Default)]
struct Rejections {
    /// A complete response, then the end of the stream, as it is announced.
    told: u32,
    /// Without a byte of HTTP.
    closed: u32,
    broken: u32,
}

impl Rejections {
    const TOLD: Self = Self { told: 1, closed: 0, broken: 0 };
    const CLOSED: Self = Self { told: 0, closed: 1, broken: 0 };
    const BROKEN: Self = Self { told: 0, closed: 0, broken: 1 };

    fn and(self, other: Self) -> Self {
        Self {
            told: self.told + other.told,
            closed: self.closed + other.closed,
            broken: self.broken + other.broken,
        }
    }
}

/// Clients that are not served open connections over TLS as fast as they can: one address over its limit, and many
/// that are denied.
pub(crate) fn rejections(_: &Options) -> io::Result<Vec<Finding>> {
    let target = start(&[&flood::OPTIONS[..], &["--deny", "127.0.7.0/24"]].concat())?;
    let held = flood::hold_all(&target)?;
    let one = Attackers {
        attack: "over TLS: connections opened as fast as possible by eight threads of one address that holds its 12",
        hosts: 1,
        threads: 8,
        status: 429,
    };
    let many = Attackers {
        attack: "the same by 32 threads of 200 addresses that are denied",
        hosts: 200,
        threads: 32,
        status: 403,
    };
    let mut findings = under(&target, one)?;
    findings.extend(under(&target, many)?);
    drop(held);
    let all_slots = target.has_all_slots(ATTACKER, flood::LIMIT)?;
    for flood in findings.iter_mut().step_by(2) {
        flood.holds &= all_slots;
        flood.measured += if all_slots { "all 12" } else { "not all" };
    }
    Ok(findings)
}

/// Who opens connections.
#[derive(Clone, Copy)]
struct Attackers {
    attack: &'static str,
    hosts: u32,
    threads: usize,
    /// What they are told.
    status: u16,
}

impl Attackers {
    /// The address of a connection.
    fn host(self, number: u32) -> [u8; 4] {
        match self.hosts {
            1 => ATTACKER,
            hosts => [127, 0, 7, 1 + u8::try_from(number % hosts).expect("there are fewer")],
        }
    }
}

/// The flood, and another client meanwhile. The number of slots afterwards is to be added.
fn under(target: &Target, attackers: Attackers) -> io::Result<Vec<Finding>> {
    let listener = BareListener::start()?;
    let (mut alone, mut under, mut beside) = (Vec::new(), Vec::new(), Vec::new());
    let (mut sum, mut percents) = (Rejections::default(), Vec::new());
    for _ in 0..ROUNDS {
        alone.push(flood::fetch(target, Some(LINK), flood::undisturbed)?.0);
        // Without the other client, whose requests use the processor as well.
        let (found, percent) = attack(target, attackers)?;
        percents.push(percent);
        let (rate, attacked) = flood::fetch(target, Some(LINK), || attack(target, attackers))?;
        sum = sum.and(found).and(attacked?.0);
        under.push(rate);
        let vain = || attack_listener(target, &listener, attackers);
        let (rate, attacked) = flood::fetch(target, Some(LINK), vain)?;
        attacked?;
        beside.push(rate);
    }
    let percent = median(&mut percents);
    let all = sum.told + sum.closed + sum.broken;
    let told_per_second = f64::from(sum.told) / (2.0 * f64::from(ROUNDS) * FLOOD.as_secs_f64());
    let flood = Finding {
        attack: attackers.attack,
        must_hold: "each reads a complete response or is closed without a byte of HTTP, some read it; under 60 % of a \
                    CPU; no slot leaked",
        measured: format!(
            "{all} connections: {} read a complete {} ({told_per_second:.0} a second), {} closed, {} broken; \
             {percent:.0} % of a CPU; slots afterwards: ",
            sum.told, attackers.status, sum.closed, sum.broken,
        ),
        holds: sum.told > 0 && sum.broken == 0 && percent < 60.0,
    };
    Ok(vec![flood, flood::throughput(Some(LINK), [&mut alone, &mut under, &mut beside])])
}

const ROUNDS: u32 = 3;
/// The length of one flood.
const FLOOD: Duration = Duration::from_secs(3);

/// Opens connections; returns what became of them, and the server's share of a processor, in percent.
fn attack(target: &Target, attackers: Attackers) -> io::Result<(Rejections, f64)> {
    let (begun, cpu) = (Instant::now(), target.cpu_time()?);
    let found = flood_with(attackers, |host| rejection(target, host, attackers.status))?;
    let cpu = target.cpu_time()?.saturating_sub(cpu);
    Ok((found, 100.0 * cpu.as_secs_f64() / begun.elapsed().as_secs_f64()))
}

/// The same connections to a listener that does not speak TLS, on which they fail at once.
fn attack_listener(
    target: &Target,
    listener: &BareListener,
    attackers: Attackers,
) -> io::Result<Rejections> {
    flood_with(attackers, |host| {
        let client = target.connect_to(host, listener.address);
        // It cannot succeed.
        let _ = client.and_then(|mut client| client.get("/small"));
        Rejections::CLOSED
    })
}

fn flood_with(
    attackers: Attackers,
    open: impl Fn([u8; 4]) -> Rejections + Sync,
) -> io::Result<Rejections> {
    let (is_over, next) = (AtomicBool::new(false), AtomicU32::new(0));
    let run = || {
        let mut sum = Rejections::default();
        while !is_over.load(Ordering::Relaxed) {
            sum = sum.and(open(attackers.host(next.fetch_add(1, Ordering::Relaxed))));
        }
        sum
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..attackers.threads).map(|_| scope.spawn(run)).collect();
        thread::sleep(FLOOD);
        is_over.store(true, Ordering::Relaxed);
        let sums = threads.into_iter().map(|thread| thread.join().expect("no thread panics"));
        Ok(sums.fold(Rejections::default(), Rejections::and))
    })
}

/// Opens one connection that is not to be served.
fn rejection(target: &Target, host: [u8; 4], status: u16) -> Rejections {
    let Ok(mut client) = target.connect(host) else { return Rejections::BROKEN };
    match client.get("/small") {
        Ok(answer) if status_of(&answer) == status && client.is_closed() => Rejections::TOLD,
        Err(_) if client.received() == 0 => Rejections::CLOSED,
        _ => Rejections::BROKEN,
    }
}
