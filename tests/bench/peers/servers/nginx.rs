//! nginx: as it comes, and with its cache of open files.

use std::path::Path;
use std::process::Command;

use super::program::Program;
use super::{Place, Server, StartError, WORKERS};

pub(crate) const PROGRAM: Program =
    Program { name: "nginx", install: "apt-get install nginx-light" };
pub(crate) const NAME: &str = "nginx";
pub(crate) const NAME_WITH_FILE_CACHE: &str = "nginx, open_file_cache";

/// Lines that are added to its configuration.
#[derive(Clone, Copy, Default)]
pub(crate) struct Lines<'a> {
    /// To the block `http`.
    pub(crate) http: &'a str,
    /// To the block `server`, where they override those of `http`.
    pub(crate) server: &'a str,
    /// To the directive `listen`.
    pub(crate) listen: &'a str,
}

pub(crate) fn start(root: &Path) -> Result<Server, StartError> {
    start_with(NAME, root, Lines::default())
}

/// Keeps files open for as long as they are used, and looks after 60 s whether they have changed.
pub(crate) fn start_with_file_cache(root: &Path) -> Result<Server, StartError> {
    let http = "open_file_cache max=10000 inactive=60s; open_file_cache_min_uses 1;";
    start_with(NAME_WITH_FILE_CACHE, root, Lines { http, ..Lines::default() })
}

/// Over TLS, with session tickets, as it comes.
pub(crate) fn start_over_tls(
    root: &Path,
    certificate: &Path,
    key: &Path,
    lines: Lines<'_>,
) -> Result<Server, StartError> {
    let (certificate, key) = (certificate.display(), key.display());
    let files = format!(
        "{}\nssl_certificate {certificate}; ssl_certificate_key {key}; ssl_protocols TLSv1.2 TLSv1.3;",
        lines.server
    );
    let lines = Lines { server: &files, listen: "ssl", ..lines };
    start_with(NAME, root, lines).map(Server::over_tls)
}

pub(crate) fn start_with(
    name: &'static str,
    root: &Path,
    lines: Lines<'_>,
) -> Result<Server, StartError> {
    let program = PROGRAM.find()?;
    let place = Place::new(name)?;
    let configuration = format!(
        "daemon off; worker_processes {WORKERS}; worker_rlimit_nofile 20000; user root;\n\
         error_log stderr crit; pid {directory}/pid;\n\
         events {{ worker_connections 16384; }}\n\
         http {{\n\
         access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000000;\n\
         types {{ text/plain txt; }}\n\
         client_body_temp_path {directory}/a; proxy_temp_path {directory}/b;\n\
         fastcgi_temp_path {directory}/c; uwsgi_temp_path {directory}/d; scgi_temp_path {directory}/e;\n\
         {http}\n\
         server {{ listen 127.0.0.1:{port} backlog=4096 {listen}; root {root};\n{server}\n}} }}\n",
        directory = place.path().display(),
        http = lines.http,
        listen = lines.listen,
        port = place.port,
        root = root.display(),
        server = lines.server,
    );
    let path = place.write(name, &configuration)?;
    Server::start(name, place, Command::new(program).arg("-c").arg(path))
}
