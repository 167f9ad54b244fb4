//! One address opens connections as fast as it can, while another fetches.
//!
//! On one machine the flood takes processor time from the fetching client, whatever the server does. So the
//! same flood is also sent to a minimal listener in its own process: what the client loses then is due to the
//! machine. The fetching client is measured twice: at full speed, and behind a link of 100 Mbit/s.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::client::{Client, is_closing, median, status_of};
use super::target::{MEDIUM_BYTES, Target, announced_port};
use super::{Finding, Options};

const CONNECTIONS: usize = 20_000;
pub(crate) const LIMIT: usize = 12;
pub(crate) const ATTACKER: [u8; 4] = [127, 0, 0, 2];
const OTHER: [u8; 4] = [127, 0, 0, 3];
/// Bytes per second of a client behind a link of 100 Mbit/s.
pub(crate) const LINK: f64 = 12.5e6;

/// The slots of the attacker are held, and neither they nor the connection that fetches time out.
pub(crate) const OPTIONS: [&str; 4] =
    ["--header-timeout", "600s", "--keep-alive-requests", "1000000000"];

/// The argument that makes this program the minimal listener.
pub(crate) const BARE_LISTENER: &str = "--bare-listener";

pub(crate) fn bare_listener() -> io::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    println!("http://{}/", listener.local_addr()?);
    let answer =
        format!("HTTP/1.1 429 Too Many Requests\r\nContent-Length: 200\r\n\r\n{}", "x".repeat(200));
    // Ends when the harness closes its standard input.
    thread::spawn(|| {
        let _ = io::stdin().read(&mut [0]);
        std::process::exit(0);
    });
    for stream in listener.incoming() {
        let mut stream = stream?;
        // The client may have closed.
        let _ = stream.write_all(answer.as_bytes());
        let _ = stream.shutdown(Shutdown::Write);
    }
    Ok(())
}

/// Opens the connections; returns the number of complete 429s, and the time.
fn attack(to: SocketAddr) -> io::Result<(usize, Duration)> {
    let begun = Instant::now();
    let mut whole = 0;
    for _ in 0..CONNECTIONS {
        let answer = Client::connect(ATTACKER, to)?.get("/small");
        whole += usize::from(answer.is_ok_and(|answer| status_of(&answer) == 429));
    }
    Ok((whole, begun.elapsed()))
}

/// The throughput of the other client while `meanwhile` runs, in MB/s. `link` limits its rate.
pub(crate) fn fetch<T>(
    target: &Target,
    link: Option<f64>,
    meanwhile: impl FnOnce() -> T,
) -> io::Result<(f64, T)> {
    let (fetched, ended) = (AtomicU64::new(0), AtomicBool::new(false));
    thread::scope(|scope| {
        let fetching = scope.spawn(|| {
            let mut client = target.connect(OTHER)?;
            let mut link_free_at = Instant::now();
            while !ended.load(Ordering::Relaxed) {
                let asked_at = Instant::now();
                let answer = client.get("/medium")?;
                if is_closing(&answer) {
                    client = target.connect(OTHER)?;
                }
                if status_of(&answer) != 200 {
                    continue;
                }
                fetched.fetch_add(MEDIUM_BYTES as u64, Ordering::Relaxed);
                if let Some(link) = link {
                    // A link cannot make up for the time in which it had nothing to carry.
                    link_free_at = link_free_at.max(asked_at)
                        + Duration::from_secs_f64(MEDIUM_BYTES as f64 / link);
                    thread::sleep(link_free_at.saturating_duration_since(Instant::now()));
                }
            }
            io::Result::Ok(())
        });
        let begun = Instant::now();
        let result = meanwhile();
        let rate = fetched.load(Ordering::Relaxed) as f64 / begun.elapsed().as_secs_f64();
        ended.store(true, Ordering::Relaxed);
        fetching.join().expect("the fetching client does not panic")?;
        Ok((rate / 1e6, result))
    })
}

pub(crate) fn undisturbed() {
    thread::sleep(Duration::from_secs(2));
}

pub(crate) fn flood(_: &Options) -> io::Result<Vec<Finding>> {
    let target = Target::start(&OPTIONS)?;
    let held = hold_all(&target)?;
    let listener = BareListener::start()?;
    let mut floods = Floods::default();
    let links = [Some(LINK), None];
    let mut findings = links
        .map(|link| floods.meanwhile(&target, &listener, link))
        .into_iter()
        .collect::<io::Result<Vec<_>>>()?;
    drop(held);
    let all_slots = target.has_all_slots(ATTACKER, LIMIT)?;
    findings.insert(
        0,
        Finding {
            attack: "20,000 connections opened as fast as possible by one address that holds its 12",
            must_hold: "each reads a complete 429; no slot leaked",
            measured: format!(
                "{}; slots afterwards: {}",
                floods.text(),
                if all_slots { "all 12" } else { "not all" }
            ),
            holds: floods.are_whole() && all_slots,
        },
    );
    Ok(findings)
}

/// Takes all slots of the attacker.
pub(crate) fn hold_all(target: &Target) -> io::Result<Vec<Client>> {
    (0..LIMIT).map(|_| Client::connect(ATTACKER, target.address())).collect()
}

/// The minimal listener in its own process; ended when dropped.
pub(crate) struct BareListener {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl BareListener {
    pub(crate) fn start() -> io::Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg(BARE_LISTENER)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, announced_port(&mut child)?));
        Ok(Self { child, address })
    }
}

impl Drop for BareListener {
    fn drop(&mut self) {
        // It may have exited already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The floods of a server so far.
#[derive(Default)]
pub(crate) struct Floods {
    count: usize,
    whole: usize,
    /// Connections per second of each.
    rates: Vec<f64>,
}

impl Floods {
    /// The throughput of the other client while the server or the bare listener is flooded, in turns.
    pub(crate) fn meanwhile(
        &mut self,
        target: &Target,
        listener: &BareListener,
        link: Option<f64>,
    ) -> io::Result<Finding> {
        let (mut alone, mut under, mut beside) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..2 {
            alone.push(fetch(target, link, undisturbed)?.0);
            under.push(self.flood(target, link)?);
            for _ in 0..2 {
                let (rate, attacked) = fetch(target, link, || attack(listener.address))?;
                attacked?;
                beside.push(rate);
            }
            under.push(self.flood(target, link)?);
            alone.push(fetch(target, link, undisturbed)?.0);
        }
        Ok(throughput(link, [&mut alone, &mut under, &mut beside]))
    }

    fn flood(&mut self, target: &Target, link: Option<f64>) -> io::Result<f64> {
        let (rate, attacked) = fetch(target, link, || attack(target.address()))?;
        let (whole, took) = attacked?;
        self.count += 1;
        self.whole += whole;
        self.rates.push(CONNECTIONS as f64 / took.as_secs_f64());
        Ok(rate)
    }

    /// True if each connection read a complete 429.
    pub(crate) fn are_whole(&self) -> bool {
        self.whole == self.count * CONNECTIONS
    }

    pub(crate) fn text(&mut self) -> String {
        let all = self.count * CONNECTIONS;
        format!("{} of {all} complete, at {:.0} a second", self.whole, median(&mut self.rates))
    }
}

pub(crate) fn throughput(link: Option<f64>, rates: [&mut [f64]; 3]) -> Finding {
    let [alone, under, beside] =
        rates.map(|rates| (median(rates), rates[0], rates[rates.len() - 1]));
    let text =
        |(median, least, most): (f64, f64, f64)| format!("{median:.1} [{least:.1} to {most:.1}]");
    let share = 100.0 * under.0 / alone.0;
    let of_beside = 100.0 * under.0 / beside.0;
    let attack = match link {
        Some(_) => "meanwhile another address fetches over 100 Mbit/s",
        None => "meanwhile another address fetches as fast as it can",
    };
    Finding {
        attack,
        must_hold: "90 % of its undisturbed throughput",
        measured: format!(
            "MB/s: undisturbed {}; under the flood {} ({share:.0} %); while a bare listener is flooded \
             {} (ours {of_beside:.0} % of it)",
            text(alone),
            text(under),
            text(beside),
        ),
        holds: share >= 90.0,
    }
}
