//! Files of certificates, and servers that use them.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use tempfile::TempDir;

use crate::support::certificates::Identity;
use crate::support::program::{ServerProgram, run_server};

/// A directory to serve, and certificates beside it.
pub(super) struct Files {
    pub(super) directory: TempDir,
}

impl Files {
    pub(super) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("site")).unwrap();
        fs::write(directory.path().join("site/a.txt"), "Hello").unwrap();
        Self { directory }
    }

    pub(super) fn site(&self) -> PathBuf {
        self.path("site")
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Replaces a file as certbot does.
    pub(super) fn replace(&self, name: &str, text: impl AsRef<[u8]>) {
        fs::write(self.path("new"), text).unwrap();
        fs::set_permissions(self.path("new"), Permissions::from_mode(0o600)).unwrap();
        fs::rename(self.path("new"), self.path(name)).unwrap();
    }

    /// `NAME.pem` and `NAME.key`.
    pub(super) fn replace_pair(&self, name: &str, identity: &Identity) {
        self.replace(&format!("{name}.pem"), identity.0.pem());
        self.replace(&format!("{name}.key"), identity.1.serialize_pem());
    }

    /// The arguments that serve these pairs.
    pub(super) fn arguments(&self, pairs: &[&str]) -> Vec<String> {
        let mut arguments = vec!["-p".to_owned(), "0".to_owned()];
        for pair in pairs {
            for (option, suffix) in [("--tls-cert", "pem"), ("--tls-key", "key")] {
                let path = self.path(&format!("{pair}.{suffix}"));
                arguments.extend([option.to_owned(), path.to_str().unwrap().to_owned()]);
            }
        }
        arguments
    }

    pub(super) fn serve(&self, pairs: &[&str]) -> ServerProgram {
        ServerProgram::start(&self.site(), &self.arguments(pairs))
    }

    /// The message of a server that does not start with this pair.
    pub(super) fn refusal(&self, certificate: &str, key: &str) -> String {
        let path = |name: &str| self.path(name).to_str().unwrap().to_owned();
        let arguments =
            ["--tls-cert", &path(certificate), "--tls-key", &path(key), "--root", &path("site")];
        let (status, text) = run_server(&[&["-p", "0"][..], &arguments[..]].concat());
        assert_eq!(status, 1, "{text}");
        text.replace(&format!("{}/", self.directory.path().display()), "")
    }
}
