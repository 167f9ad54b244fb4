//! Peers that are slow on purpose, and peers that do not speak HTTP.

use std::io::{self, Read as _, Write as _};
use std::net::Shutdown;
use std::thread;
use std::time::{Duration, Instant};

use super::client::{Client, median, status_of};
use super::target::Target;
use super::{Finding, Options};

const HEAD: Duration = Duration::from_secs(10);

/// All send a byte per second; meanwhile newcomers send requests.
pub(crate) fn slowloris(_: &Options) -> io::Result<Vec<Finding>> {
    let target = Target::start(&["-maxtotal", "2000"])?;
    let begun = Instant::now();
    let mut open: Vec<Client> = (0..1000_u16)
        .map(|number| {
            let host = 1 + u8::try_from(number / 10).expect("there are 100 hosts");
            Client::connect([127, 0, 1, host], target.address())
        })
        .collect::<io::Result<_>>()?;
    let opening = begun.elapsed();
    let (mut waits, mut told, mut last_end) = (Vec::new(), 0, Duration::ZERO);
    for byte in b"GET / HTTP/1.1\r\nX-Slow: ".iter().cycle() {
        for client in &mut open {
            // A closed connection is detected below.
            let _ = client.stream.write_all(&[*byte]);
        }
        let next = Instant::now() + Duration::from_secs(1);
        while Instant::now() < next {
            let asked = Instant::now();
            let mut newcomer = Client::connect([127, 0, 2, 1], target.address())?;
            let answer = newcomer.get("/small")?;
            if status_of(&answer) == 200 {
                waits.push(asked.elapsed().as_secs_f64() * 1e3);
            }
            open.retain_mut(|client| {
                client.stream.set_nonblocking(true).expect("it is a socket");
                let mut answer = [0; 64];
                let read = client.stream.read(&mut answer);
                client.stream.set_nonblocking(false).expect("it is a socket");
                let is_open = read.as_ref().is_err_and(|e| e.kind() == io::ErrorKind::WouldBlock);
                told += usize::from(status_of(&answer) == 408);
                is_open
            });
            if open.is_empty() {
                last_end = begun.elapsed();
                break;
            }
            thread::sleep(Duration::from_millis(20));
        }
        if open.is_empty() || begun.elapsed() > HEAD * 3 {
            break;
        }
    }
    let wait = median(&mut waits);
    let longest = waits.last().copied().unwrap_or(f64::NAN);
    Ok(vec![Finding {
        attack: "slowloris: 1,000 connections from 100 addresses, a byte a second each",
        must_hold: "closed by the head's deadline (10 s); a newcomer has its 200 within 100 ms (median)",
        measured: format!(
            "{} closed after {:.1} s ({told} told 408; opening them took {:.1} s); newcomer: {wait:.1} ms \
             (at most {longest:.0}, {} asked)",
            1000 - open.len(),
            last_end.as_secs_f64(),
            opening.as_secs_f64(),
            waits.len(),
        ),
        holds: open.is_empty()
            && last_end < opening + HEAD + Duration::from_secs(1)
            && wait < 100.0,
    }])
}

/// All request a large file and read 100 bytes per second of it.
pub(crate) fn slow_readers(_: &Options) -> io::Result<Vec<Finding>> {
    let target = Target::start(&[])?;
    let mut readers: Vec<Client> = (0..60_u8)
        .map(|number| {
            let small_window = |socket: &socket2::Socket| socket.set_recv_buffer_size(1);
            let host = [127, 0, 3, 1 + number / 12];
            let mut client = Client::connect_with(host, target.address(), small_window)?;
            client.ask("/large")?;
            Ok(client)
        })
        .collect::<io::Result<_>>()?;
    let begun = Instant::now();
    while !readers.is_empty() && begun.elapsed() < Duration::from_secs(90) {
        readers.retain_mut(|client| client.stream.read(&mut [0; 100]).is_ok_and(|count| count > 0));
        thread::sleep(Duration::from_secs(1));
    }
    let took = begun.elapsed().as_secs_f64();
    let all_slots = target.has_all_slots([127, 0, 3, 1], 12)?;
    Ok(vec![Finding {
        attack: "slow readers: all 60 connections read 100 bytes/s of 20 MB",
        must_hold: "dropped by the minimum rate (1 KiB/s over 20 s); slots come back",
        measured: format!(
            "{} dropped after {took:.0} s; slots afterwards: {}",
            60 - readers.len(),
            if all_slots { "all" } else { "not all" }
        ),
        holds: readers.is_empty() && all_slots,
    }])
}

/// The beginning of a TLS 1.3 `ClientHello`.
const TLS_HELLO: &[u8] =
    b"\x16\x03\x01\x00\xc4\x01\x00\x00\xc0\x03\x03\x5a\x5a\x5a\x5a\x5a\x5a\x5a";

pub(crate) fn hostile_bytes(_: &Options) -> io::Result<Vec<Finding>> {
    const HOST: [u8; 4] = [127, 0, 4, 1];
    // Another client, as reset connections may briefly hold all slots of theirs.
    const RESETTING_HOST: [u8; 4] = [127, 0, 4, 2];
    let target = Target::start(&["--header-timeout", "2s"])?;
    let to = target.address();
    Client::connect(HOST, to)?.get("/small")?;
    let before = target.memory()?;
    for _ in 0..2_000 {
        Client::connect(RESETTING_HOST, to)?.reset()?;
    }
    let mut answers = Vec::new();
    for (name, bytes) in [
        ("TLS hello", TLS_HELLO),
        ("garbage", &b"\x00\xff\xfe\x80 garbage \x01\r\n\r\n"[..]),
        ("half a head, then half-closed", b"GET / HTTP/1.1\r\nHos"),
        ("nothing, half-closed", b""),
    ] {
        let mut client = Client::connect(HOST, to)?;
        client.stream.write_all(bytes)?;
        client.stream.shutdown(Shutdown::Write)?;
        let status = client.answer().map_or(0, |answer| status_of(&answer));
        let ended = if client.is_closed() { "closed" } else { "reset or open" };
        answers.push((name, status, ended));
    }
    let mut silent = Client::connect(HOST, to)?;
    let silent_end = if silent.is_closed() { "closed" } else { "reset or open" };
    answers.push(("nothing at all", 0, silent_end));
    let mut client = Client::connect(HOST, to)?;
    let mut sent = client.stream.write(b"GET / HTTP/1.1\r\nHost: a\r\nX-Long: ")?;
    let piece = [b'x'; 16 * 1024];
    while sent < 1 << 30 {
        match client.stream.write(&piece) {
            Ok(count) => sent += count,
            Err(_) => break,
        }
    }
    let status = client.answer().map_or(0, |answer| status_of(&answer));
    let grown = target.memory()? - before;
    let all_slots = target.has_all_slots(HOST, 12)? && target.has_all_slots(RESETTING_HOST, 12)?;
    let expected = [400, 400, 0, 0, 0];
    let right = answers
        .iter()
        .zip(expected)
        .all(|((_, status, end), expected)| *status == expected && *end == "closed");
    let shown: Vec<String> = answers
        .iter()
        .map(|(name, status, end)| match status {
            0 => format!("{name}: {end}"),
            status => format!("{name}: {status}, {end}"),
        })
        .collect();
    Ok(vec![Finding {
        attack: "2,000 connects and resets, TLS, garbage, half-open, silence, a header of 1 GiB",
        must_hold: "the right response or a close, memory bounded, no slot leaked",
        measured: format!(
            "{}; 1 GiB header: {status} after {:.1} MB were read; memory grew by {grown:.1} MiB; \
             slots afterwards: {}",
            shown.join("; "),
            sent as f64 / 1e6,
            if all_slots { "all" } else { "not all" }
        ),
        holds: right && (status == 431 || sent < 1 << 30) && grown < 8.0 && all_slots,
    }])
}
