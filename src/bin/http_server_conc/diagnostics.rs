//! The diagnostic log: what `log` is told goes to the standard error, through a sink, so that a
//! terminal that is stopped or a pipe that nobody reads never stops serving.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::{self, IsTerminal as _};
use std::panic;

use env_logger::{Target, WriteStyle};
use http_concurrent::printable::escape_text;
use http_concurrent::server::LogSink;
use log::LevelFilter;

/// Starts the log. It ends when the sink is dropped; without one, for want of a thread, it writes
/// by itself and may wait.
pub(crate) fn start(level: LevelFilter) -> Option<LogSink> {
    let sink = LogSink::to_descriptor("standard error", io::stderr()).ok();
    let mut builder = env_logger::Builder::new();
    if let Some(sink) = &sink {
        builder.target(Target::Pipe(Box::new(sink.handle()))).write_style(style());
    }
    // RUST_LOG wins over the options, for whoever needs to look closer.
    builder.filter_level(level).parse_default_env().format_timestamp_millis().init();
    panic::set_hook(Box::new(|info| {
        // It may name what a peer has sent.
        let reason = escape_text(info.payload_as_str().unwrap_or("for no reason that is text"));
        let place = info.location().map(|place| format!(" at {place}")).unwrap_or_default();
        log::error!("panicked{place}: {reason}{}", trace());
    }));
    sink
}

/// Ends the log, and says on the standard error how many of its lines were lost; waits for neither longer
/// than a sink does.
pub(crate) fn end(log: LogSink) {
    let handle = log.handle();
    drop(log);
    let lost = handle.dropped();
    if lost > 0
        && let Ok(last_word) = LogSink::to_descriptor("standard error", io::stderr())
    {
        let line = format!("http_server_conc: {lost} lines of this log were lost\n");
        last_word.handle().append(line.as_bytes());
    }
}

/// Behind a sink a terminal is not recognized as one.
fn style() -> WriteStyle {
    let wants_none = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    if io::stderr().is_terminal() && !wants_none { WriteStyle::Always } else { WriteStyle::Never }
}

/// Where it panicked, if `RUST_BACKTRACE` asks for it.
fn trace() -> String {
    let trace = Backtrace::capture();
    match trace.status() {
        BacktraceStatus::Captured => format!("\n{trace}"),
        _ => String::new(),
    }
}
