//! The parts of the command line that both programs share: long options with one dash, values with
//! units, the log level, and signals.
//!
//! The programs accept `-maxclient 12` as well as `--maxclient 12`. clap accepts long options only with two
//! dashes, so the arguments are rewritten before clap parses them.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::num::NonZeroUsize;
use std::time::Duration;

use clap::Command;
use nix::sys::signal::{SigSet, SigmaskHow};
use signal_hook::consts::SIGHUP;
use signal_hook::iterator::Signals;

/// Adds a second dash to the long options of `command` that were written with one.
///
/// Short options keep their meaning (`-p20001`, `-vv`): an argument is changed only if its name, up to an
/// `=`, is that of a long option, or if no short option begins with its first letter. In the latter case
/// it is a misspelt long option, for which clap suggests a similar one. Arguments after `--` are not
/// changed.
pub fn long_options_with_one_dash(
    command: &Command,
    arguments: impl IntoIterator<Item = OsString>,
) -> Vec<OsString> {
    let is_long_option = |name: &str| {
        matches!(name, "help" | "version")
            || command.get_arguments().any(|argument| argument.get_long() == Some(name))
    };
    let begins_like_a_short_option = |name: &str| {
        let first = name.chars().next();
        matches!(first, Some('h' | 'V'))
            || command.get_arguments().any(|argument| argument.get_short() == first)
    };
    let is_meant_long = |name: &str| {
        is_long_option(name)
            || (name.starts_with(|c: char| c.is_ascii_alphabetic())
                && !begins_like_a_short_option(name))
    };
    let mut options_have_ended = false;
    arguments
        .into_iter()
        .map(|argument| {
            options_have_ended |= argument == "--";
            let name = argument.to_str().and_then(|text| text.strip_prefix('-'));
            match name.map(|name| name.split_once('=').map_or(name, |(name, _)| name)) {
                Some(name) if !options_have_ended && name.len() > 1 && is_meant_long(name) => {
                    let mut rewritten = OsString::from("-");
                    rewritten.push(&argument);
                    rewritten
                }
                _ => argument,
            }
        })
        .collect()
}

/// Catches `signals`, and SIGHUP unless the program was started with SIGHUP ignored, as by nohup(1).
///
/// All signals are blocked for this thread while the handlers are installed, and delivered afterwards:
/// `signal_hook` installs a handler before it registers the handler's action, and a signal in between would
/// be lost. Call this before starting other threads, which would receive the signal.
///
/// # Errors
/// The signals cannot be blocked or caught, or the pipe that wakes the waiting thread cannot be made.
pub fn catch_signals(signals: &[i32]) -> io::Result<Signals> {
    let before = SigSet::all().thread_swap_mask(SigmaskHow::SIG_BLOCK)?;
    let hangup = [SIGHUP].into_iter().filter(|signal| !is_ignored(*signal));
    let caught = Signals::new(signals.iter().copied().chain(hangup));
    before.thread_set_mask()?;
    caught
}

/// Whether the program was started with this signal ignored (`SigIgn` in proc(5)). False if the system
/// has no `/proc`.
fn is_ignored(signal: i32) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask >> (signal - 1) & 1 == 1)
}

/// The log level for `-q` and the number of `-v`, without regard to `RUST_LOG`, which overrides it.
#[must_use]
pub fn log_level(quiet: bool, verbosity: u8, default: log::LevelFilter) -> log::LevelFilter {
    let levels = [
        log::LevelFilter::Error,
        log::LevelFilter::Warn,
        log::LevelFilter::Info,
        log::LevelFilter::Debug,
        log::LevelFilter::Trace,
    ];
    if quiet {
        return log::LevelFilter::Error;
    }
    let default = levels.iter().position(|level| *level == default).unwrap_or(0);
    levels[(default + usize::from(verbosity)).min(levels.len() - 1)]
}

/// Parses a whole number of at least 1, such as a limit on connections.
///
/// # Errors
/// The reason, which clap prints after the value.
pub fn parse_positive(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("it must be at least 1".to_owned()),
        Ok(number) => Ok(number),
        Err(_) => Err("it must be a whole number of at least 1".to_owned()),
    }
}

/// [`parse_positive`] as a [`NonZeroUsize`].
///
/// # Errors
/// The reason, which clap prints after the value.
pub fn parse_count(text: &str) -> Result<NonZeroUsize, String> {
    let number = parse_positive(text)?;
    Ok(NonZeroUsize::new(number).expect("a positive number is not zero"))
}

/// Parses a duration: a number with `ms`, `s`, `m` or `h`, such as `1.5s`. Without a unit it is in
/// seconds. At most 366 days.
///
/// # Errors
/// The reason, which clap prints after the value.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    const HELP: &str = "write a number with ms, s, m or h, such as 500ms, 1.5s or 2m";
    let unit_at = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(unit_at);
    let unit_seconds = match unit {
        "ms" => 0.001,
        "s" | "" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return Err(HELP.to_owned()),
    };
    let number: f64 = number.parse().map_err(|_| HELP.to_owned())?;
    Duration::try_from_secs_f64(number * unit_seconds)
        .ok()
        .filter(|duration| *duration <= Duration::from_secs(366 * 24 * 3600))
        .ok_or_else(|| "it must not be longer than a year".to_owned())
}

/// [`parse_duration`], but less than a microsecond is refused: a socket timeout of zero means "none".
///
/// # Errors
/// The reason, which clap prints after the value.
pub fn parse_positive_duration(text: &str) -> Result<Duration, String> {
    match parse_duration(text)? {
        // The kernel counts socket timeouts in microseconds.
        duration if duration < Duration::from_micros(1) => {
            Err("it must be longer than zero".to_owned())
        }
        duration => Ok(duration),
    }
}

/// Parses a number of bytes, with `K`, `M` or `G` for powers of 1024, such as `64K`.
///
/// # Errors
/// The reason, which clap prints after the value.
pub fn parse_size(text: &str) -> Result<u64, String> {
    const HELP: &str = "write a number of bytes, with K, M or G for powers of 1024, such as 64K";
    let unit_at = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(unit_at);
    let shift = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 10,
        "m" | "mb" | "mib" => 20,
        "g" | "gb" | "gib" => 30,
        _ => return Err(HELP.to_owned()),
    };
    let number: u64 = number.parse().map_err(|_| HELP.to_owned())?;
    number.checked_mul(1 << shift).ok_or_else(|| "it is too large for 64 bits".to_owned())
}

/// [`parse_size`], but zero is refused, as for a rate limit.
///
/// # Errors
/// The reason, which clap prints after the value.
pub fn parse_positive_size(text: &str) -> Result<u64, String> {
    match parse_size(text)? {
        0 => Err("it must be at least 1".to_owned()),
        size => Ok(size),
    }
}

#[cfg(test)]
mod tests {
    use clap::Arg;

    use super::*;

    fn rewrite(arguments: &[&str]) -> Vec<String> {
        let command = Command::new("test")
            .arg(Arg::new("port").short('p').long("port"))
            .arg(Arg::new("maxclient").long("maxclient"))
            .arg(Arg::new("verbose").short('v'));
        long_options_with_one_dash(&command, arguments.iter().map(OsString::from))
            .into_iter()
            .map(|argument| argument.into_string().unwrap())
            .collect()
    }

    #[test]
    fn only_long_options_get_a_second_dash() {
        for (given, expected) in [
            (&["-maxclient", "12"][..], &["--maxclient", "12"][..]),
            (&["-maxclient=12"], &["--maxclient=12"]),
            (&["--maxclient", "12"], &["--maxclient", "12"]),
            (&["-port=1", "-p", "2", "-p3"], &["--port=1", "-p", "2", "-p3"]),
            (&["-vv", "-v", "-vmaxclient"], &["-vv", "-v", "-vmaxclient"]),
            (&["-maxclients", "-12"], &["--maxclients", "-12"]),
            (&["-help", "-version"], &["--help", "--version"]),
            (&["--", "-maxclient"], &["--", "-maxclient"]),
            (&["-", "maxclient", ""], &["-", "maxclient", ""]),
        ] {
            assert_eq!(rewrite(given), expected);
        }
    }

    #[test]
    fn durations_have_units() {
        for (text, expected) in [
            ("30", Some(Duration::from_secs(30))),
            ("1.5s", Some(Duration::from_millis(1500))),
            ("500ms", Some(Duration::from_millis(500))),
            ("2m", Some(Duration::from_secs(120))),
            ("1h", Some(Duration::from_secs(3600))),
            ("0", Some(Duration::ZERO)),
            ("", None),
            ("s", None),
            ("-1s", None),
            ("1d", None),
            ("1.2.3s", None),
            ("9999999999999h", None),
        ] {
            assert_eq!(parse_duration(text).ok(), expected, "{text:?}");
        }
        assert!(parse_positive_duration("0s").is_err());
        assert!(parse_positive_duration("1ms").is_ok());
    }

    #[test]
    fn sizes_have_units_of_1024() {
        for (text, expected) in [
            ("0", Some(0)),
            ("64K", Some(65536)),
            ("64KiB", Some(65536)),
            ("1m", Some(1 << 20)),
            ("3G", Some(3 << 30)),
            ("", None),
            ("K", None),
            ("1.5K", None),
            ("-1", None),
            ("1T", None),
            ("99999999999G", None),
        ] {
            assert_eq!(parse_size(text).ok(), expected, "{text:?}");
        }
    }

    #[test]
    fn limits_are_at_least_one() {
        for (text, expected) in
            [("1", Some(1)), ("60", Some(60)), ("0", None), ("-1", None), ("x", None), ("", None)]
        {
            assert_eq!(parse_positive(text).ok(), expected, "{text:?}");
        }
    }

    #[test]
    fn verbosity_moves_the_level() {
        use log::LevelFilter::{Debug, Error, Info, Trace, Warn};
        for (quiet, verbosity, default, expected) in [
            (false, 0, Info, Info),
            (false, 1, Info, Debug),
            (false, 9, Info, Trace),
            (false, 1, Warn, Info),
            (true, 2, Info, Error),
        ] {
            assert_eq!(log_level(quiet, verbosity, default), expected);
        }
    }
}
