//! The rows of the client: lists of files that this package's client and others download from nginx.

mod cost;
mod download;
mod programs;
mod volume;

use cost::Cost;
use download::{Before, Download, Files};
use programs::Client;
pub(crate) use programs::{CURL, PROGRAMS};
use volume::{Unavailable, Volume};

use super::rounds::{in_rounds, interleaved};
use super::row::{Figure, Measured, Setting};
use super::servers::{Server, StartError, nginx};
use super::site::MANY;

pub(crate) const WALL: &str = "ms";
pub(crate) const CPU: &str = "CPU ms";
pub(crate) const PEAK: &str = "peak MiB";
pub(crate) const RATE: &str = "MiB/s";
pub(crate) const GROWTH: &str = "time per file, 100,000 / 10,000";
pub(crate) const PER_URL: &str = "memory KiB/URL";

const MEBIBYTE: u64 = 1 << 20;

/// 1,000 files on a tmpfs, which are not there before.
pub(crate) fn new_on_tmpfs(setting: &Setting<'_>) -> anyhow::Result<Measured> {
    small(setting, Volume::tmpfs(16 * MEBIBYTE, MANY), Before::Absent)
}

/// 1,000 files on a tmpfs, each in place of an older one.
pub(crate) fn replaced_on_tmpfs(setting: &Setting<'_>) -> anyhow::Result<Measured> {
    small(setting, Volume::tmpfs(16 * MEBIBYTE, MANY), Before::Older)
}

/// 1,000 files on an ext4 with a journal, which are not there before.
pub(crate) fn new_on_ext4(setting: &Setting<'_>) -> anyhow::Result<Measured> {
    small(setting, Volume::ext4(), Before::Absent)
}

/// 1,000 files on an ext4 with a journal, each in place of an older one.
pub(crate) fn replaced_on_ext4(setting: &Setting<'_>) -> anyhow::Result<Measured> {
    small(setting, Volume::ext4(), Before::Older)
}

fn small(
    setting: &Setting<'_>,
    volume: Result<Volume, Unavailable>,
    before: Before,
) -> anyhow::Result<Measured> {
    let volume = match volume {
        Ok(volume) => volume,
        Err(reason) => return Ok(Measured::skipped(&reason)),
    };
    let server = start(setting)?;
    let files = Files { directory: "many", count: MANY, bytes: 4096, before };
    let download = Download::new(&server, files, 10)?;
    let figures = &[
        Figure { name: WALL, digits: 1 },
        Figure { name: CPU, digits: 1 },
        Figure { name: PEAK, digits: 1 },
    ];
    let run = |client: &mut Client| {
        let cost = download.run(client, volume.path())?;
        Ok(vec![
            cost.wall.as_secs_f64() * 1e3,
            cost.cpu.as_secs_f64() * 1e3,
            cost.peak_kibibytes / 1024.0,
        ])
    };
    // A run takes some hundredths of a second: more rounds cost little.
    let rounds = 4 * setting.rounds;
    let name = |client: &Client| client.name;
    let mut clients = programs::installed();
    let contenders = interleaved(&mut clients, rounds, &setting.interrupted, name, run)?;
    Ok(Measured { figures, contenders, notes: Vec::new() })
}

/// Ten files of 100 MiB, on a tmpfs.
pub(crate) fn large(setting: &Setting<'_>) -> anyhow::Result<Measured> {
    const COUNT: u32 = 10;
    const MEBIBYTES_EACH: u32 = 100;
    let bytes = u64::from(MEBIBYTES_EACH) * MEBIBYTE;
    let volume = match Volume::tmpfs(u64::from(COUNT) * bytes, COUNT as usize) {
        Ok(volume) => volume,
        Err(reason) => return Ok(Measured::skipped(&reason)),
    };
    let server = start(setting)?;
    let files = Files { directory: "large", count: COUNT as usize, bytes, before: Before::Absent };
    let download = Download::new(&server, files, 4)?;
    let figures = &[
        Figure { name: RATE, digits: 0 },
        Figure { name: CPU, digits: 0 },
        Figure { name: PEAK, digits: 1 },
    ];
    let run = |client: &mut Client| {
        let cost = download.run(client, volume.path())?;
        Ok(vec![
            f64::from(COUNT * MEBIBYTES_EACH) / cost.wall.as_secs_f64(),
            cost.cpu.as_secs_f64() * 1e3,
            cost.peak_kibibytes / 1024.0,
        ])
    };
    let name = |client: &Client| client.name;
    let mut clients = programs::installed();
    let contenders = interleaved(&mut clients, setting.rounds, &setting.interrupted, name, run)?;
    Ok(Measured { figures, contenders, notes: Vec::new() })
}

/// 10,000 files and 100,000, on a tmpfs: what grows faster than their number.
pub(crate) fn growth(setting: &Setting<'_>) -> anyhow::Result<Measured> {
    const FEW: u32 = 10_000;
    const MANY: u32 = 100_000;
    const CONNECTIONS: usize = 32;
    // A file takes a page, and the tmpfs some memory for its inode.
    let volume = match Volume::tmpfs(u64::from(MANY) * 5120, MANY as usize) {
        Ok(volume) => volume,
        Err(reason) => return Ok(Measured::skipped(&reason)),
    };
    let server = start(setting)?;
    let download = |count: u32| {
        let before = Before::Absent;
        let files = Files { directory: "tiny", count: count as usize, bytes: 14, before };
        Download::new(&server, files, CONNECTIONS)
    };
    let (few, many) = (download(FEW)?, download(MANY)?);
    let figures = &[
        Figure { name: "s, 10,000 files", digits: 2 },
        Figure { name: "s, 100,000 files", digits: 2 },
        Figure { name: GROWTH, digits: 2 },
        Figure { name: "CPU s, 100,000 files", digits: 2 },
        Figure { name: "peak MiB, 100,000 files", digits: 1 },
        Figure { name: PER_URL, digits: 2 },
    ];
    let run = |client: &mut Client| {
        let small = few.run(client, volume.path())?;
        let large = many.run(client, volume.path())?;
        let seconds = |cost: &Cost| cost.wall.as_secs_f64();
        Ok(vec![
            seconds(&small),
            seconds(&large),
            (seconds(&large) / f64::from(MANY)) / (seconds(&small) / f64::from(FEW)),
            large.cpu.as_secs_f64(),
            large.peak_kibibytes / 1024.0,
            (large.peak_kibibytes - small.peak_kibibytes) / f64::from(MANY - FEW),
        ])
    };
    let rounds = |client: &Client| if client.is_slow { 1 } else { setting.rounds };
    let mut clients = programs::installed();
    let slow = clients.iter().filter(|client| client.is_slow);
    let notes = slow.map(|client| format!("{}: one round, because it takes long", client.name));
    let notes = notes.collect();
    let name = |client: &Client| client.name;
    // Without a round that does not count: 10,000 files precede each time.
    let contenders = in_rounds(&mut clients, rounds, &setting.interrupted, name, run)?;
    Ok(Measured { figures, contenders, notes })
}

/// nginx, which serves one file as all those beneath `tiny`, and one as all those beneath `large`.
fn start(setting: &Setting<'_>) -> Result<Server, StartError> {
    let server = "location /tiny/ { rewrite ^ /14b.txt break; }\n\
                  location /large/ { rewrite ^ /100m.bin break; }";
    let lines = nginx::Lines { server, ..nginx::Lines::default() };
    nginx::start_with(nginx::NAME, setting.site.root(), lines)
}
