//! Warnings of passwords and keys that others can read.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use http_concurrent::server::ServerConfig;

/// The bits of a file's mode with which users beyond its owner and its group can read or write it.
const READABLE_OR_WRITABLE_BY_OTHERS: u32 = 0o006;

/// Warns if others can read passwords on their way, their hashes, or the keys of certificates.
pub(crate) fn warn_of_exposed_secrets(config: &ServerConfig, address: SocketAddr) {
    if let Some(passwords) = &config.passwords {
        if config.tls.is_none() && !address.ip().is_loopback() {
            log::warn!(
                "passwords are not encrypted on their way to {address}: serve with --tls-cert and --tls-key, or \
                 listen on a loopback address (--bind 127.0.0.1) behind a proxy that speaks TLS"
            );
        }
        warn_if_within_root("password", &passwords.file, &config.root);
    }
    for pair in config.tls.iter().flat_map(|tls| &tls.pairs) {
        warn_if_within_root("key", &pair.key, &config.root);
        let mode = pair.key.metadata().map_or(0, |metadata| metadata.permissions().mode());
        if mode & READABLE_OR_WRITABLE_BY_OTHERS != 0 {
            let key = pair.key.display();
            log::warn!(
                "all users of this machine can read or write the key file {key}: chmod o= {key}"
            );
        }
    }
}

fn warn_if_within_root(kind: &str, file: &Path, root: &Path) {
    let paths = root.canonicalize().and_then(|root| Ok((root, file.canonicalize()?)));
    if paths.is_ok_and(|(root, file)| file.starts_with(root)) {
        log::warn!(
            "the {kind} file {} is within the served directory: move it elsewhere",
            file.display()
        );
    }
}
