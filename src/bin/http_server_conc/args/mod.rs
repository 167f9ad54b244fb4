//! The command line of `http_server_conc`, parsed and resolved into a [`ServerConfig`].

mod access;
mod limits;
pub(crate) mod logs;
mod port;
mod site;
mod tls;

use std::ffi::OsString;
use std::net::IpAddr;
use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{CommandFactory as _, FromArgMatches as _, Parser};
use http_concurrent::cli;
use http_concurrent::server::ServerConfig;
use port::parse_port;

/// Serves the files of a directory over HTTP/1.1: one thread per connection, a limit per client and one for
/// all.
#[derive(Debug, Parser)]
#[command(
    name = "http_server_conc",
    version,
    max_term_width = 100,
    after_help = "A client that holds -maxclient connections receives \"429 Too Many Requests\" for the \
        next one; when -maxtotal are open, every client receives \"503 Service Unavailable\".\n\
        Long options take one dash or two. A TIME is a number with ms, s, m or h, a RATE one with K, M \
        or G.\n\
        The exit status is 0 after SIGINT or SIGTERM, 2 for wrong usage, 1 for anything else.\n\n\
        Examples:\n  \
        http_server_conc -p 20001 -maxclient 12 -maxtotal 60\n  \
        http_server_conc --root DIR --access-log access.log --status-path /server-status"
)]
struct Args {
    /// The port to listen on; 0 lets the system choose
    #[arg(short = 'p', long, value_name = "PORT", default_value = "20001", value_parser = parse_port)]
    port: u16,

    /// The IP address to listen on [default: all, IPv4 and IPv6]
    #[arg(long, value_name = "ADDR")]
    bind: Option<IpAddr>,

    /// The directory to serve
    #[arg(long, value_name = "DIR", default_value = ".")]
    root: PathBuf,

    /// Log errors only, and no line per request
    #[arg(short, long, conflicts_with = "verbose")]
    quiet: bool,

    /// Log more: -v the life of each connection, -vv everything. RUST_LOG overrides both
    #[arg(short, long, action = clap::ArgAction::Count)]
    verbose: u8,

    #[command(flatten)]
    limits: limits::LimitArgs,

    #[command(flatten)]
    access: access::AccessArgs,

    #[command(flatten)]
    tls: tls::TlsArgs,

    #[command(flatten)]
    site: site::SiteArgs,

    #[command(flatten)]
    logs: logs::LogArgs,
}

/// The validated command line.
pub(crate) struct Config {
    pub(crate) server: ServerConfig,
    pub(crate) access_log: Option<logs::AccessLogTarget>,
    pub(crate) log_level: log::LevelFilter,
}

/// Parses the process's arguments. For --help, --version and errors it prints the text and exits (status 0
/// and 2).
pub(crate) fn parse() -> Config {
    parse_from(std::env::args_os()).unwrap_or_else(|error| error.exit())
}

fn parse_from(arguments: impl IntoIterator<Item = OsString>) -> Result<Config, clap::Error> {
    let mut command = Args::command();
    let arguments = cli::long_options_with_one_dash(&command, arguments);
    let matches = command.try_get_matches_from_mut(arguments)?;
    let mut args = Args::from_arg_matches(&matches)?;
    let mut server = ServerConfig {
        address: args.bind,
        port: args.port,
        root: args.root,
        ..ServerConfig::default()
    };
    args.limits.apply(&mut server);
    args.access.apply(&mut server);
    args.tls
        .apply(&mut server)
        .map_err(|message| command.error(ErrorKind::WrongNumberOfValues, message))?;
    args.site.apply(&mut server);
    args.logs.apply(&mut server);
    let log_level = cli::log_level(args.quiet, args.verbose, log::LevelFilter::Info);
    Ok(Config { server, access_log: args.logs.access_log(), log_level })
}

#[cfg(test)]
mod tests {
    use http_concurrent::server::{
        CertificateFiles, CleanUrls, DotFiles, Enforcement, Limits, Listings, MaximumRates,
        PasswordSettings, Precompressed, SiteSettings, SymbolicLinks,
    };

    use super::*;

    fn parse(line: &str) -> Result<ServerConfig, String> {
        let words = std::iter::once("http_server_conc").chain(line.split_whitespace());
        match parse_from(words.map(OsString::from)) {
            Ok(config) => Ok(config.server),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn options_take_one_dash_or_two_and_a_space_or_an_equals_sign() {
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
        // Docker kills ten seconds after SIGTERM.
        assert_eq!(
            (config.timeouts.drain_delay.as_secs(), config.timeouts.drain.as_secs()),
            (0, 8)
        );
    }

    #[test]
    fn each_option_of_the_site_sets_what_it_says() {
        let site = |line: &str| parse(line).unwrap().site;
        assert_eq!(site(""), SiteSettings::default());
        assert_eq!(site("--index a.html -index=b.html").index, ["a.html", "b.html"]);
        assert_eq!(site("--clean-urls").clean_urls, CleanUrls::Served);
        let pages = site("--error-page 404.html -error-page=errors/403.html").error_pages;
        assert_eq!(pages, ["404.html", "errors/403.html"].map(|page| page.parse().unwrap()));
        assert_eq!(site("-fallback app.html").fallback, Some("app.html".parse().unwrap()));
        assert_eq!(site("-no-listing").listings, Listings::Refused);
        assert_eq!(site("--hidden").dot_files, DotFiles::Shown);
        assert_eq!(site("-follow-symlinks").symbolic_links, SymbolicLinks::Followed);
        assert_eq!(site("--no-precompressed").precompressed, Precompressed::Ignored);
        let extra =
            parse("--cache-control no-cache --header A:b --header B:c").unwrap().extra_fields;
        assert_eq!(extra.cache_control.as_deref(), Some("no-cache"));
        assert_eq!(extra.further, ["A:b", "B:c"].map(|field| field.parse().unwrap()));
    }

    #[test]
    fn each_option_of_the_limits_sets_what_it_says() {
        use std::time::Duration;

        let config = parse(
            "-ipv6-prefix 56 --exempt 10.0.0.0/8 --exempt ::1 -proxy-protocol=192.0.2.1 \
             --dry-run-limits -reclaim-idle --header-timeout 3s --keep-alive-timeout 2s \
             --keep-alive-requests 7 --min-rate 2K --drain-delay 6s --drain-timeout 0 --limit-rate 1M --client-rate 2M \
             --total-rate 3M --delay 20ms \
             --status-path /status --status-allow 192.0.2.0/24 --status-host a.example \
             -status-host B.example",
        )
        .unwrap();
        let identification = &config.identification;
        assert_eq!(identification.ipv6_prefix, 56);
        assert_eq!(identification.exempt, ["10.0.0.0/8", "::1/128"].map(|n| n.parse().unwrap()));
        assert!(identification.is_proxy("192.0.2.1".parse().unwrap()));
        assert_eq!(config.policy.enforcement, Enforcement::DryRun);
        assert!(config.policy.reclaim_idle);
        assert_eq!(config.policy.keep_alive_requests, 7);
        assert_eq!(config.policy.delay, Duration::from_millis(20));
        let timeouts = config.timeouts;
        assert_eq!(
            (timeouts.head, timeouts.idle),
            (Duration::from_secs(3), Duration::from_secs(2))
        );
        assert_eq!(
            (timeouts.drain_delay, timeouts.drain),
            (Duration::from_secs(6), Duration::ZERO)
        );
        assert_eq!(config.rates.minimum, 2048);
        let [connection, client, total] = [1, 2, 3].map(|mebibytes| Some(mebibytes << 20));
        assert_eq!(config.rates.maximum, MaximumRates { connection, client, total });
        let status = config.status.unwrap();
        assert_eq!(status.path, "/status");
        assert_eq!(status.allow, ["192.0.2.0/24".parse().unwrap()]);
        assert_eq!(status.hosts, ["a.example", "b.example"].map(|name| name.parse().unwrap()));
    }

    #[test]
    fn each_option_of_access_sets_what_it_says() {
        let config = parse("-allow 192.0.2.0/24 --allow ::1 -deny=192.0.2.9").unwrap();
        assert_eq!(config.networks.allow, ["192.0.2.0/24", "::1/128"].map(|n| n.parse().unwrap()));
        assert_eq!(config.networks.deny, ["192.0.2.9/32".parse().unwrap()]);
        assert_eq!(config.passwords, None);
        let file = PathBuf::from("users");
        let passwords = parse("--auth users").unwrap().passwords;
        let expected = PasswordSettings { file: file.clone(), realm: "files".to_owned() };
        assert_eq!(passwords, Some(expected));
        let passwords = parse("-auth users -realm=a\"b").unwrap().passwords;
        assert_eq!(passwords, Some(PasswordSettings { file, realm: "a\"b".to_owned() }));
    }

    #[test]
    fn certificates_and_keys_are_paired_in_their_order() {
        let pairs = |line: &str| parse(line).unwrap().tls.map(|tls| tls.pairs);
        let pair = |certificate: &str, key: &str| CertificateFiles {
            certificate: certificate.into(),
            key: key.into(),
        };
        assert_eq!(pairs(""), None);
        assert_eq!(pairs("-tls-cert a --tls-key b"), Some(vec![pair("a", "b")]));
        for line in [
            "--tls-cert a --tls-key b --tls-cert c -tls-key=d",
            "--tls-cert a --tls-cert c --tls-key b --tls-key d",
        ] {
            assert_eq!(pairs(line), Some(vec![pair("a", "b"), pair("c", "d")]), "{line}");
        }
    }

    #[test]
    fn networks_are_accepted_in_all_spellings() {
        for (text, expected) in [
            ("10.1.2.3/8", "10.0.0.0/8"),
            ("192.0.2.1", "192.0.2.1/32"),
            ("0.0.0.0/0", "0.0.0.0/0"),
            ("::/0", "::/0"),
            ("2001:db8::1", "2001:db8::1/128"),
            ("::ffff:192.0.2.1", "192.0.2.1/32"),
            ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
            ("::ffff:0:0/96", "0.0.0.0/0"),
            ("::ffff:0:0/95", "::fffe:0:0/95"),
        ] {
            let exempt = parse(&format!("--exempt {text}")).unwrap().identification.exempt;
            assert_eq!(exempt[0].trunc().to_string(), expected, "{text}");
        }
    }

    #[test]
    fn an_error_names_the_option_the_value_and_the_remedy() {
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
            ("--header Location:/", &["'Location:/'", "sets this field itself"]),
            ("--cache-control=", &["--cache-control", "empty"]),
            ("--index=", &["--index", "plain name"]),
            ("--index a/b", &["'a/b'", "--index", "plain name"]),
            ("--index ..", &["'..'", "--index"]),
            (
                "--error-page /404.html",
                &["'/404.html'", "--error-page", "without a slash in front"],
            ),
            ("--error-page 404.txt", &["'404.txt'", "--error-page", "an HTML file"]),
            ("--error-page none.html", &["'none.html'", "with its status, such as 404.html"]),
            ("--error-page 429.html", &["'429.html'", "with 429, only with 400, 401, 403, 404"]),
            ("--fallback app.js", &["'app.js'", "--fallback", "an HTML file"]),
            ("--fallback ../a.html", &["'../a.html'", "--fallback", "without . and .."]),
            ("--header Date:now", &["'Date:now'", "sets this field itself"]),
            ("--cache-control a\u{7}", &["--cache-control", "control character"]),
            ("--exempt 10.0.0.0/33", &["'10.0.0.0/33'", "--exempt", "192.0.2.0/24"]),
            ("--proxy-protocol host", &["'host'", "--proxy-protocol", "192.0.2.0/24"]),
            ("--dry-run-limits --wait-for-slot 2s", &["--dry-run-limits", "--wait-for-slot"]),
            ("--max-waiting 0 --wait-for-slot 2s", &["'0'", "--max-waiting", "at least 1"]),
            ("--max-waiting 5", &["--max-waiting", "--wait-for-slot"]),
            ("--wait-for-slot soon", &["'soon'", "--wait-for-slot"]),
            ("--allow lan", &["'lan'", "--allow", "192.0.2.0/24"]),
            ("--deny 10.0.0.0/33", &["'10.0.0.0/33'", "--deny", "192.0.2.0/24"]),
            ("--allow 10.1.2.3/8", &["'10.1.2.3/8'", "--allow", "10.0.0.0/8 or 10.1.2.3/32"]),
            ("--deny ::ffff:10.1.2.3/104", &["--deny", "10.0.0.0/8 or 10.1.2.3/32"]),
            ("--deny 2001:db8::1/32", &["--deny", "2001:db8::/32 or 2001:db8::1/128"]),
            ("--tls-cert a", &["--tls-key <FILE>"]),
            ("--tls-key a", &["--tls-cert <FILE>"]),
            (
                "--tls-cert a --tls-cert b --tls-key c",
                &["--tls-key <FILE>", "2 of the former", "1 of the latter"],
            ),
            ("--tls-cert a --tls-key b --tls-key c", &["--tls-cert <FILE>", "2 of the latter"]),
            ("--realm a", &["--auth"]),
            ("--auth a --realm \u{fc}", &["'\u{fc}'", "--realm", "ASCII"]),
            ("--ipv6-prefix 129", &["'129'", "--ipv6-prefix"]),
            ("--limit-rate 0", &["'0'", "--limit-rate", "at least 1"]),
            ("--client-rate 0", &["'0'", "--client-rate", "at least 1"]),
            ("--total-rate fast", &["'fast'", "--total-rate", "64K"]),
            ("--min-rate 1x", &["'1x'", "--min-rate", "64K"]),
            ("--header-timeout 0", &["'0'", "--header-timeout", "longer than zero"]),
            ("--keep-alive-requests 0", &["'0'", "--keep-alive-requests"]),
            ("--status-path status", &["'status'", "--status-path", "/server-status"]),
            ("--status-path / --status-allow x", &["'x'", "--status-allow", "192.0.2.0/24"]),
            ("--status-allow 10.0.0.0/8", &["--status-path"]),
            ("--status-host a", &["--status-path"]),
            ("--status-path / --status-host a:80", &["'a:80'", "--status-host", "without a port"]),
            ("--log-format json", &["--access-log"]),
            ("--access-log - --log-format xml", &["'xml'", "--log-format", "combined"]),
            ("--drain-delay soon", &["'soon'", "--drain-delay", "500ms"]),
            ("--redirect-http 80", &["--tls-cert"]),
            (
                "--tls-cert a --tls-key b -p 443 --redirect-http 443",
                &["--redirect-http", "443", "--port", "for https"],
            ),
            ("--delay soon", &["'soon'", "--delay", "500ms"]),
        ] {
            let error = parse(line).unwrap_err();
            for part in parts {
                assert!(error.contains(part), "{line}: {error}");
            }
        }
    }
}
