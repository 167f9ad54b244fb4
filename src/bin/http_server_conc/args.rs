//! The command line of `http_server_conc`, and the settings it stands for.

use std::ffi::OsString;
use std::net::IpAddr;
use std::path::PathBuf;

use clap::{CommandFactory as _, FromArgMatches as _, Parser};
use http_concurrent::cli;
use http_concurrent::http::is_field_value;
use http_concurrent::server::{
    DotFiles, ExtraField, ExtraFields, Limits, Listings, Precompressed, ServerConfig, SiteSettings,
    SymbolicLinks,
};

/// Serves the files of a directory over HTTP/1.1: a thread for each connection, a limit for each
/// client and one for all.
///
/// A client that holds -maxclient connections gets "429 Too Many Requests" for the next; when
/// -maxtotal are open, everyone gets "503 Service Unavailable". Long options take one dash or two.
#[derive(Debug, Parser)]
#[command(name = "http_server_conc", version)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
struct Args {
    /// The port to listen on; 0 lets the system choose
    #[arg(short = 'p', long, value_name = "PORT", default_value = "20001", value_parser = parse_port)]
    port: u16,

    /// Connections that one client (an IP address) may hold at once
    #[arg(long, value_name = "N", default_value = "12", value_parser = cli::parse_positive)]
    maxclient: usize,

    /// Connections that all clients together may hold at once
    #[arg(long, value_name = "N", default_value = "60", value_parser = cli::parse_positive)]
    maxtotal: usize,

    /// The directory to serve
    #[arg(long, value_name = "DIR", default_value = ".")]
    root: PathBuf,

    /// The IP address to listen on [default: all, IPv4 and IPv6]
    #[arg(long, value_name = "ADDR")]
    bind: Option<IpAddr>,

    /// A file that stands for its directory, tried in the order given [default: index.html]
    #[arg(long, value_name = "NAME")]
    index: Vec<String>,

    /// Answer 403 for a directory without an index file, instead of listing it
    #[arg(long)]
    no_listing: bool,

    /// Serve and list names that begin with a dot
    #[arg(long)]
    hidden: bool,

    /// Follow symbolic links that leave the directory: whoever may make a link decides what is served
    #[arg(long)]
    follow_symlinks: bool,

    /// Serve files as they are, also where a compressed twin (.br, .zst, .gz) lies beside one
    #[arg(long)]
    no_precompressed: bool,

    /// Send Cache-Control with files, such as "max-age=3600"
    #[arg(long, value_name = "VALUE", value_parser = parse_field_value)]
    cache_control: Option<String>,

    /// Add a field to every answer, such as "X-Frame-Options: DENY"; may be repeated
    #[arg(long = "header", value_name = "NAME: VALUE")]
    headers: Vec<ExtraField>,

    /// Log errors alone, and no line for each request
    #[arg(short, long, conflicts_with = "verbose")]
    quiet: bool,

    /// Log more: -v the life of each connection, -vv everything. RUST_LOG wins over both
    #[arg(short, long, action = clap::ArgAction::Count)]
    verbose: u8,
}

/// What the command line says, once it is known to be valid.
pub(crate) struct Parsed {
    pub(crate) config: ServerConfig,
    pub(crate) log_level: log::LevelFilter,
}

/// Reads the process's arguments; prints help, or what is wrong with them, and exits where that is
/// called for (status 0 and 2).
pub(crate) fn parse() -> Parsed {
    parse_from(std::env::args_os()).unwrap_or_else(|error| error.exit())
}

fn parse_from(arguments: impl IntoIterator<Item = OsString>) -> Result<Parsed, clap::Error> {
    let mut command = Args::command();
    let arguments = cli::long_options_with_one_dash(&command, arguments);
    let matches = command.try_get_matches_from_mut(arguments)?;
    let args = Args::from_arg_matches(&matches)?;
    Ok(Parsed {
        log_level: cli::log_level(args.quiet, args.verbose, log::LevelFilter::Info),
        config: ServerConfig {
            address: args.bind,
            port: args.port,
            root: args.root,
            limits: Limits { per_client: args.maxclient, total: args.maxtotal },
            site: SiteSettings {
                index: if args.index.is_empty() {
                    vec!["index.html".to_owned()]
                } else {
                    args.index
                },
                listings: if args.no_listing { Listings::Refused } else { Listings::Offered },
                dot_files: if args.hidden { DotFiles::Shown } else { DotFiles::Hidden },
                symbolic_links: if args.follow_symlinks {
                    SymbolicLinks::Followed
                } else {
                    SymbolicLinks::Confined
                },
                precompressed: if args.no_precompressed {
                    Precompressed::Ignored
                } else {
                    Precompressed::Served
                },
            },
            extra_fields: ExtraFields { cache_control: args.cache_control, further: args.headers },
            ..ServerConfig::default()
        },
    })
}

fn parse_field_value(text: &str) -> Result<String, String> {
    if is_field_value(text.as_bytes()) {
        Ok(text.to_owned())
    } else {
        Err("it has a control character".to_owned())
    }
}

fn parse_port(text: &str) -> Result<u16, String> {
    text.parse().map_err(|_| "choose a port from 1 to 65535, or 0 for any that is free".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<ServerConfig, String> {
        let words = std::iter::once("http_server_conc").chain(line.split_whitespace());
        match parse_from(words.map(OsString::from)) {
            Ok(parsed) => Ok(parsed.config),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn the_options_are_taken_with_one_dash_or_two_with_a_space_or_an_equals_sign() {
        for line in [
            "-p 8000 -maxclient 3 -maxtotal 9",
            "--port 8000 --maxclient 3 --maxtotal 9",
            "-port=8000 -maxclient=3 --maxtotal=9",
            "-p8000 -maxclient 3 -maxtotal 9",
            "-p=8000 -maxclient 3 -maxtotal 9",
        ] {
            let config = parse(line).unwrap();
            assert_eq!(config.port, 8000, "{line}");
            assert_eq!(config.limits, Limits { per_client: 3, total: 9 }, "{line}");
        }
    }

    #[test]
    fn the_defaults_are_those_of_the_documentation() {
        let config = parse("").unwrap();
        assert_eq!((config.port, config.address), (20001, None));
        assert_eq!(config.limits, Limits { per_client: 12, total: 60 });
        assert_eq!(config.root, PathBuf::from("."));
    }

    #[test]
    fn what_is_wrong_is_named_with_its_value() {
        for (line, parts) in [
            ("-maxclient 0", &["'0'", "--maxclient", "at least 1"][..]),
            ("-maxtotal 0", &["'0'", "--maxtotal", "at least 1"]),
            ("-maxtotal -1", &["-1"]),
            ("-p 70000", &["'70000'", "--port", "1 to 65535"]),
            ("-p http", &["'http'", "1 to 65535"]),
            ("--bind localhost", &["'localhost'", "--bind"]),
            ("-maxclients 3", &["'--maxclients'", "'--maxclient'"]),
            ("-q -v", &["--quiet", "--verbose"]),
            ("extra", &["'extra'"]),
            ("--header nothing", &["'nothing'", "--header", "'Name: value'"]),
            ("--header Date:now", &["'Date:now'", "sets this field itself"]),
            ("--cache-control a\u{7}", &["--cache-control", "control character"]),
        ] {
            let error = parse(line).unwrap_err();
            for part in parts {
                assert!(error.contains(part), "{line}: {error}");
            }
        }
    }
}
