//! What the operator reads: the access log and the status page.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::ValueEnum;
use http_concurrent::server::{LogFormat, ServerConfig, StatusAccess, StatusHost};
use ipnet::IpNet;

use super::limits::parse_network;

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Logs and status")]
pub(super) struct LogArgs {
    /// Write a line per request to this file, or to standard output for "-". SIGUSR1 and SIGHUP reopen
    /// the file
    #[arg(long, value_name = "FILE")]
    access_log: Option<OsString>,

    /// The form of the access log's lines: combined is common with Referer and User-Agent
    #[arg(long, value_name = "FORM", default_value = "combined", requires = "access_log")]
    log_format: Format,

    /// Serve the status at this path, such as /server-status, to this machine only: a page, JSON or
    /// Prometheus metrics
    #[arg(long, value_name = "PATH", value_parser = parse_status_path)]
    status_path: Option<String>,

    /// Other addresses that may see the status; may be repeated
    #[arg(long, value_name = "CIDR", requires = "status_path", value_parser = parse_network)]
    status_allow: Vec<IpNet>,

    /// Another host name, beside localhost and IP addresses, under which the status is served; may be
    /// repeated
    #[arg(long, value_name = "NAME", requires = "status_path")]
    status_host: Vec<StatusHost>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    Common,
    Combined,
    Json,
}

/// The requested access log.
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
    pub(super) fn apply(&mut self, config: &mut ServerConfig) {
        let allow = std::mem::take(&mut self.status_allow);
        let hosts = std::mem::take(&mut self.status_host);
        config.status = self.status_path.take().map(|path| StatusAccess { path, allow, hosts });
    }

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

fn parse_status_path(text: &str) -> Result<String, String> {
    if text.starts_with('/') && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'?') {
        Ok(text.to_owned())
    } else {
        Err("write an absolute path, such as /server-status".to_owned())
    }
}
