//! Who may make requests: users with a password, which each connection verifies once.

use std::fmt;
use std::hash::RandomState;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use subtle::ConstantTimeEq as _;

use super::attempts::Attempts;
use super::known_clients::KnownClients;
use super::password_file::{PasswordFile, PasswordFileError};
use super::places::{Applicant, PlaceLimits};
use crate::http::{BasicCredentials, basic_challenge};
use crate::lock::lock;
use crate::server::limits::client::Client;
use crate::server::limits::client_event::ClientEvent;
use crate::server::limits::client_log::ClientLog;

/// Most places of clients that have sent wrong passwords, whatever the total of connections.
const MAX_SUSPECTS: usize = 32;

/// Requests need a user name and a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PasswordSettings {
    /// The file of users and hashes, as htpasswd(1) writes it.
    pub file: PathBuf,
    /// What a browser shows when it asks for a password: ASCII without control characters.
    pub realm: String,
}

/// Verifies users and passwords against a file.
#[derive(Debug)]
pub(crate) struct Authenticator {
    path: PathBuf,
    /// The value of `WWW-Authenticate`.
    pub(crate) challenge: String,
    current: Mutex<Arc<PasswordFile>>,
    /// Counts the changes of `current`.
    generation: AtomicU64,
    attempts: Attempts,
    known_clients: Mutex<KnownClients>,
    /// Chooses the hashes that unknown users are compared with.
    decoys: RandomState,
}

/// A user whose password was right. `Debug` does not write the password.
pub(crate) struct Login {
    pub(crate) user: Box<str>,
    /// The field that it came with.
    field: Box<[u8]>,
    generation: u64,
}

/// Why a request is not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LoginError {
    /// It came without a user name and a password.
    NoCredentials,
    /// There is no such user, or the password is another one.
    WrongPassword,
    /// The password was not verified: too many others are, of a client that has sent wrong passwords.
    TooManyFailures,
    /// The password was not verified, as too many others are.
    TooManyAttempts,
}

impl Authenticator {
    /// Reads the password file. `connections` is how many may be open.
    ///
    /// # Errors
    /// The file cannot be used.
    pub(crate) fn new(
        settings: &PasswordSettings,
        connections: usize,
    ) -> Result<Self, PasswordFileError> {
        Ok(Self {
            path: settings.file.clone(),
            challenge: basic_challenge(&settings.realm),
            current: Mutex::new(Arc::new(PasswordFile::read(&settings.file)?)),
            generation: AtomicU64::new(0),
            attempts: Attempts::new(place_limits(connections)),
            known_clients: Mutex::default(),
            decoys: RandomState::new(),
        })
    }

    /// Whether a request with this `Authorization` field belongs to the user of an earlier one, whose password
    /// was right: the field is the same, and so is the password file.
    ///
    /// The connection alone does not say so, as a reverse proxy may send requests of several users over it.
    pub(crate) fn still_holds(&self, login: &Login, field: Option<&[u8]>) -> bool {
        login.generation == self.generation.load(Ordering::Acquire)
            && field.is_some_and(|field| login.field.ct_eq(field).into())
    }

    /// Verifies the user and the password in an `Authorization` field. This may wait for other verifications;
    /// after a wrong password, which is counted in `log`, it returns late.
    ///
    /// # Errors
    /// The request may not be answered.
    pub(crate) fn log_in(
        &self,
        field: Option<&[u8]>,
        client: &Client,
        log: &ClientLog,
    ) -> Result<Login, LoginError> {
        let field = field.ok_or(LoginError::NoCredentials)?;
        let credentials = BasicCredentials::parse(field).ok_or(LoginError::NoCredentials)?;
        // One right password says nothing about the others behind an exempt address.
        let key = (!client.exempt).then_some(client.key);
        let is_known = key.is_some_and(|client| lock(&self.known_clients).contains(client));
        let failures = key.map_or(0, |client| log.events(client).get(ClientEvent::WrongPassword));
        let attempt = self.attempts.begin(Applicant { client: key, is_known, failures });
        let attempt = attempt.ok_or(if failures > 0 {
            LoginError::TooManyFailures
        } else {
            LoginError::TooManyAttempts
        })?;
        let generation = self.generation.load(Ordering::Acquire);
        let passwords = Arc::clone(&lock(&self.current));
        let BasicCredentials { user, password } = credentials;
        if passwords.matches(&user, &password, &self.decoys) {
            if let Some(client) = key {
                lock(&self.known_clients).add(client);
            }
            attempt.succeed();
            return Ok(Login { user: user.into(), field: field.into(), generation });
        }
        // People type passwords where the user name belongs: unknown ones are not logged.
        log.record_wrong_password(client.key, Some(&*user).filter(|user| passwords.has(user)));
        attempt.delay_failure();
        Err(LoginError::WrongPassword)
    }

    /// Reads the password file again, and returns how many users it has.
    ///
    /// # Errors
    /// The file cannot be used. The former passwords remain in force.
    pub(crate) fn reload(&self) -> Result<usize, PasswordFileError> {
        let passwords = PasswordFile::read(&self.path)?;
        let users = passwords.count();
        let mut current = lock(&self.current);
        if **current != passwords {
            *current = Arc::new(passwords);
            self.generation.fetch_add(1, Ordering::Release);
        }
        Ok(users)
    }

    /// Ends all waiting and all delays.
    pub(crate) fn stop(&self) {
        self.attempts.stop();
    }
}

/// The bounds on verifications where so many connections may be open.
fn place_limits(connections: usize) -> PlaceLimits {
    let processors = thread::available_parallelism().map_or(1, usize::from);
    PlaceLimits {
        running: (processors / 2).max(1),
        // A place is held with a slot. Above three quarters of the slots no connection is kept, and those who have
        // logged in would have to do so again for each request.
        unknown: (connections / 3).max(1),
        suspects: (connections / 4).clamp(1, MAX_SUSPECTS),
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").field("user", &self.user).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::net::Ipv4Addr;
    use std::time::Duration;

    use super::*;
    use crate::server::limits::admission::Enforcement;
    use crate::server::limits::client::Identification;
    use crate::server::limits::client_table::ClientTable;
    use crate::server::limits::registry::Registry;
    use crate::server::test_wait::wait_until;

    /// The hash of "secret" with the lowest cost.
    const SECRET: &str = "$2y$04$PrNmZDb9Zc.5dIsZJFdH4ecFRfqbSo34lxeBr89/jHAgftIxLOYc6";

    #[test]
    fn a_client_is_told_of_its_wrong_passwords_although_their_count_was_cleared_meanwhile() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("users");
        fs::write(&file, format!("alice:{SECRET}")).unwrap();
        let settings = PasswordSettings { file, realm: "files".to_owned() };
        let mut authenticator = Authenticator::new(&settings, 60).unwrap();
        let identification = Identification::default();
        let client = identification.client(Ipv4Addr::LOCALHOST.into());
        let table = Arc::new(ClientTable::new(60));
        let period = Duration::from_secs(60);
        let log = ClientLog::new(period, Enforcement::Enforced, identification, table);
        let limits = PlaceLimits { running: 1, unknown: 1, suspects: 1 };
        authenticator.attempts = Attempts::new(limits);
        let other = Applicant { client: None, is_known: false, failures: 0 };
        let _running = authenticator.attempts.begin(other).unwrap();
        log.record_wrong_password(client.key, None);
        thread::scope(|scope| {
            let field = b"Basic YWxpY2U6c2VjcmV0";
            let login = scope.spawn(|| authenticator.log_in(Some(field), &client, &log));
            wait_until("it waits", || authenticator.attempts.count() == 2);
            log.report(&Registry::default());
            authenticator.stop();
            assert_eq!(login.join().unwrap().unwrap_err(), LoginError::TooManyFailures);
        });
    }

    #[test]
    fn those_who_wait_for_a_verification_do_not_keep_others_from_keeping_connections() {
        for connections in [8, 12, 60, 500] {
            let PlaceLimits { unknown, suspects, .. } = place_limits(connections);
            assert!(unknown + suspects < connections * 3 / 4, "{connections}");
        }
    }
}
