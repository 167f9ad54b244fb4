//! The diagnostic log: `log` records go to standard error through a sink, so that a stopped terminal or a full
//! pipe never blocks serving.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::{self, IsTerminal as _};
use std::panic;

use env_logger::{Target, WriteStyle};
use http_concurrent::printable::escape_text;
use http_concurrent::server::LogSink;
use log::LevelFilter;

/// Starts the log, which ends when the sink is dropped. If the sink's thread cannot be created, the log writes
/// directly and may block.
pub(crate) fn start(level: LevelFilter) -> Option<LogSink> {
    let sink = LogSink::to_descriptor("standard error", io::stderr()).ok();
    let mut builder = env_logger::Builder::new();
    if let Some(sink) = &sink {
        builder.target(Target::Pipe(Box::new(sink.handle()))).write_style(style());
    }
    // rustls warns of what peers send: with a line for each, they could fill the log.
    let of_rustls = if level < LevelFilter::Debug { LevelFilter::Error } else { level };
    builder.filter_level(level).filter_module("rustls", of_rustls);
    // RUST_LOG overrides -q and -v.
    builder.parse_default_env().format_timestamp_millis().init();
    panic::set_hook(Box::new(|info| {
        // The message may contain a peer's bytes.
        let reason = escape_text(info.payload_as_str().unwrap_or("no message"));
        let location =
            info.location().map(|location| format!(" at {location}")).unwrap_or_default();
        log::error!("panicked{location}: {reason}{}", trace());
    }));
    sink
}

/// Ends the log, and reports on standard error how many of its lines were lost. Neither blocks longer than a
/// sink does.
pub(crate) fn end(log: LogSink) {
    let handle = log.handle();
    drop(log);
    let lost = handle.dropped();
    if lost > 0
        && let Ok(last) = LogSink::to_descriptor("standard error", io::stderr())
    {
        let line = format!("http_server_conc: {lost} lines of this log were lost\n");
        last.handle().append(line.as_bytes());
    }
}

/// The colours of the log: `env_logger` cannot see through the sink whether standard error is a terminal.
fn style() -> WriteStyle {
    let wants_none = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    if io::stderr().is_terminal() && !wants_none { WriteStyle::Always } else { WriteStyle::Never }
}

/// The backtrace, if `RUST_BACKTRACE` asks for it.
fn trace() -> String {
    let trace = Backtrace::capture();
    match trace.status() {
        BacktraceStatus::Captured => format!("\n{trace}"),
        _ => String::new(),
    }
}
