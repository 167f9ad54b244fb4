//! What the operator reads: the access log and the status page.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::ValueEnum;
use http_concurrent::server::LogFormat;

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "What the operator sees")]
pub(super) struct LogArgs {
    /// Write a line for each request to this file, or to standard output for "-". SIGUSR1 and SIGHUP
    /// open it anew
    #[arg(long, value_name = "FILE")]
    access_log: Option<OsString>,

    /// The form of the access log's lines
    #[arg(long, value_name = "FORM", default_value = "combined", requires = "access_log")]
    log_format: Format,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// The Common Log Format, with the time taken
    Common,
    /// The same with Referer and User-Agent
    Combined,
    /// An object a line
    Json,
}

/// A log of requests, apart from the diagnostic one.
#[derive(Debug)]
pub(crate) struct AccessLogTarget {
    pub(crate) destination: Destination,
    pub(crate) format: LogFormat,
}

#[derive(Debug)]
pub(crate) enum Destination {
    StandardOutput,
    File(PathBuf),
}

impl LogArgs {
    pub(super) fn access_log(&mut self) -> Option<AccessLogTarget> {
        let destination = match self.access_log.take()? {
            dash if dash == "-" => Destination::StandardOutput,
            path => Destination::File(path.into()),
        };
        let format = match self.log_format {
            Format::Common => LogFormat::Common,
            Format::Combined => LogFormat::Combined,
            Format::Json => LogFormat::Json,
        };
        Some(AccessLogTarget { destination, format })
    }
}
