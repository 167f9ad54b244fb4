//! Apache with its event MPM.

use std::path::Path;
use std::process::Command;

use super::program::Program;
use super::{Place, Server, StartError, WORKERS};

pub(crate) const PROGRAM: Program = Program { name: "apache2", install: "apt-get install apache2" };
pub(crate) const NAME: &str = "Apache (event)";

/// The directory of its modules.
const MODULES: &str = "/usr/lib/apache2/modules";

pub(crate) fn start(root: &Path) -> Result<Server, StartError> {
    start_with(root, "")
}

/// Over TLS, with session tickets, as it comes.
pub(crate) fn start_over_tls(
    root: &Path,
    certificate: &Path,
    key: &Path,
) -> Result<Server, StartError> {
    let lines = format!(
        "LoadModule ssl_module {{modules}}/mod_ssl.so\nSSLEngine on\nSSLProtocol -all +TLSv1.2 +TLSv1.3\n\
         SSLCertificateFile {certificate}\nSSLCertificateKeyFile {key}",
        certificate = certificate.display(),
        key = key.display(),
    );
    start_with(root, &lines).map(Server::over_tls)
}

/// With further lines of configuration; `{modules}` in them is the directory of its modules.
pub(crate) fn start_with(root: &Path, lines: &str) -> Result<Server, StartError> {
    let program = PROGRAM.find()?;
    let place = Place::new(NAME)?;
    // The number of processes is fixed: none ends or begins while it is measured. Without `.htaccess`, and
    // without looking for links, it makes fewer system calls.
    let configuration = format!(
        "ServerName localhost\nServerRoot {directory}\nPidFile {directory}/pid\n\
         DefaultRuntimeDir {directory}\nMutex posixsem\nErrorLog {directory}/error.log\n\
         LogLevel crit\nListen 127.0.0.1:{port}\nListenBacklog 4096\n\
         LoadModule mpm_event_module {MODULES}/mod_mpm_event.so\n\
         LoadModule authz_core_module {MODULES}/mod_authz_core.so\n\
         LoadModule mime_module {MODULES}/mod_mime.so\nTypesConfig /etc/mime.types\n\
         ServerLimit {WORKERS}\nStartServers {WORKERS}\nThreadsPerChild 64\n\
         MaxRequestWorkers {threads}\nMinSpareThreads 1\nMaxSpareThreads {threads}\n\
         MaxConnectionsPerChild 0\nUser www-data\nGroup www-data\nKeepAlive On\n\
         MaxKeepAliveRequests 0\nEnableSendfile On\n\
         <Directory />\nAllowOverride None\nOptions FollowSymLinks\n</Directory>\n\
         DocumentRoot {root}\n<Directory {root}>\nRequire all granted\n</Directory>\n{lines}\n",
        directory = place.path().display(),
        port = place.port,
        threads = WORKERS * 64,
        root = root.display(),
        lines = lines.replace("{modules}", MODULES),
    );
    let path = place.write(NAME, &configuration)?;
    Server::start(NAME, place, Command::new(program).arg("-DFOREGROUND").arg("-f").arg(path))
}
