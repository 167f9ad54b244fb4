//! A file of users and the hashes of their passwords, as htpasswd(1) writes it: `USER:HASH` on each line.

use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::password_hash::{PasswordHash, PasswordHashError};

/// Most bytes of a password file; far more than any has.
const MAX_FILE_BYTES: u64 = 16 * 1024 * 1024;

/// The users, and the hashes of their passwords.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct PasswordFile {
    /// Sorted by user; never empty.
    users: Vec<(Box<str>, PasswordHash)>,
}

/// A password file cannot be used.
#[derive(Debug, Error)]
pub enum PasswordFileError {
    #[error("cannot read the password file {}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    /// Such as a directory or a FIFO, which could not be read again.
    #[error("the password file {} is not a regular file", path.display())]
    NotRegular { path: PathBuf },
    #[error("the password file {} is larger than 16 MiB", path.display())]
    TooLarge { path: PathBuf },
    #[error("the password file {} has no users", path.display())]
    NoUsers { path: PathBuf },
    #[error("line {number} of the password file {} cannot be used", path.display())]
    Line { path: PathBuf, number: usize, source: PasswordLineError },
}

/// Why a line of a password file cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PasswordLineError {
    #[error("it is not UTF-8")]
    Encoding,
    #[error("there is no colon between a user and a hash")]
    NoColon,
    #[error("there is no user before the colon")]
    NoUser,
    #[error("the user has a control character")]
    ControlCharacter,
    #[error("the user is the same as in line {first}")]
    Repeated { first: usize },
    #[error(transparent)]
    Hash(#[from] PasswordHashError),
}

impl PasswordFile {
    /// Reads the file.
    ///
    /// # Errors
    /// It cannot be read, or a line cannot be used.
    pub(super) fn read(path: &Path) -> Result<Self, PasswordFileError> {
        let failed = |source| PasswordFileError::Read { path: path.to_owned(), source };
        // Opening a FIFO would wait for its writer.
        if !fs::metadata(path).map_err(failed)?.is_file() {
            return Err(PasswordFileError::NotRegular { path: path.to_owned() });
        }
        let mut bytes = Vec::new();
        let file = fs::File::open(path).map_err(failed)?;
        let length = file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
        if length as u64 > MAX_FILE_BYTES {
            return Err(PasswordFileError::TooLarge { path: path.to_owned() });
        }
        let file = Self::parse(&bytes).map_err(|(number, source)| PasswordFileError::Line {
            path: path.to_owned(),
            number,
            source,
        })?;
        if file.users.is_empty() {
            return Err(PasswordFileError::NoUsers { path: path.to_owned() });
        }
        Ok(file)
    }

    /// Parses the lines. Empty ones, and those that begin with `#`, are skipped. An error comes with the number
    /// of its line.
    fn parse(bytes: &[u8]) -> Result<Self, (usize, PasswordLineError)> {
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let mut users = Vec::new();
        for (line, number) in bytes.split(|byte| *byte == b'\n').zip(1..) {
            let line = line.trim_ascii_end();
            if line.is_empty() || line.starts_with(b"#") {
                continue;
            }
            let (user, hash) = parse_line(line).map_err(|error| (number, error))?;
            users.push((Box::from(user), number, hash));
        }
        users.sort_by(|(a, first, _), (b, second, _)| (a, first).cmp(&(b, second)));
        for pair in users.windows(2) {
            if let [(user, first, _), (next, number, _)] = pair
                && user == next
            {
                return Err((*number, PasswordLineError::Repeated { first: *first }));
            }
        }
        let users = users.into_iter().map(|(user, _, hash)| (user, hash)).collect();
        Ok(Self { users })
    }

    /// How many users there are.
    pub(super) fn count(&self) -> usize {
        self.users.len()
    }

    /// Whether this user has a line.
    pub(super) fn has(&self, user: &str) -> bool {
        self.position(user).is_ok()
    }

    /// Whether this is the user's password. The password of an unknown user is compared with the hash of
    /// another one, always the same while `decoys` is the same: so it takes the time that it could take if the
    /// user were known.
    pub(super) fn matches(&self, user: &str, password: &[u8], decoys: &RandomState) -> bool {
        let (position, is_known) = match self.position(user) {
            Ok(position) => (position, true),
            Err(_) => (self.decoy(user, decoys), false),
        };
        let (_, hash) = &self.users[position];
        hash.matches(password) && is_known
    }

    /// The position of the user that an unknown one is compared with.
    fn decoy(&self, unknown: &str, decoys: &RandomState) -> usize {
        let position = decoys.hash_one(unknown) % self.users.len() as u64;
        usize::try_from(position).expect("there are not so many users")
    }

    fn position(&self, user: &str) -> Result<usize, usize> {
        self.users.binary_search_by(|(known, _)| (**known).cmp(user))
    }
}

fn parse_line(line: &[u8]) -> Result<(&str, PasswordHash), PasswordLineError> {
    let line = std::str::from_utf8(line).map_err(|_| PasswordLineError::Encoding)?;
    let (user, hash) = line.split_once(':').ok_or(PasswordLineError::NoColon)?;
    if user.is_empty() {
        return Err(PasswordLineError::NoUser);
    }
    if user.contains(char::is_control) {
        return Err(PasswordLineError::ControlCharacter);
    }
    Ok((user, PasswordHash::parse(hash)?))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use nix::time::{ClockId, clock_gettime};

    use super::*;

    /// Hashes of "secret" and of "other".
    const SECRET: &str = "$2y$04$PrNmZDb9Zc.5dIsZJFdH4ecFRfqbSo34lxeBr89/jHAgftIxLOYc6";

    fn parse(text: &str) -> Result<PasswordFile, (usize, PasswordLineError)> {
        PasswordFile::parse(text.as_bytes())
    }

    #[test]
    fn each_line_is_a_user_and_comments_are_skipped() {
        let text =
            format!("\u{feff}# users\r\n\nbob:{SECRET}\r\nal ice:{SECRET}  \n  \n\u{e4}:{SECRET}");
        let file = parse(&text).unwrap();
        assert_eq!(file.count(), 3);
        let decoys = RandomState::new();
        for (user, password, expected) in [
            ("bob", "secret", true),
            ("al ice", "secret", true),
            ("\u{e4}", "secret", true),
            ("bob", "Secret", false),
            ("bo", "secret", false),
            ("Bob", "secret", false),
            ("", "secret", false),
            ("a\u{308}", "secret", false),
        ] {
            assert_eq!(file.matches(user, password.as_bytes(), &decoys), expected, "{user}");
        }
        assert!(file.has("bob") && !file.has("bo"));
    }

    #[test]
    fn a_bad_line_is_an_error_with_its_number() {
        let hash = PasswordHashError::Unknown.into();
        for (text, number, expected) in [
            ("bob", 1, PasswordLineError::NoColon),
            ("# a\n\nbob", 3, PasswordLineError::NoColon),
            (":x", 1, PasswordLineError::NoUser),
            ("a\tb:x", 1, PasswordLineError::ControlCharacter),
            ("a\u{85}b:x", 1, PasswordLineError::ControlCharacter),
            ("bob:secret", 1, hash),
            ("b:S\na:S\nb:S\na:S", 4, PasswordLineError::Repeated { first: 2 }),
        ] {
            let text = text.replace('S', SECRET);
            assert_eq!(parse(&text).unwrap_err(), (number, expected), "{text}");
        }
        let error = PasswordFile::parse(b"a\xff:x").unwrap_err();
        assert_eq!(error, (1, PasswordLineError::Encoding));
    }

    #[test]
    fn a_file_that_cannot_be_read_is_an_error_with_its_path() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        fs::write(path("empty"), "# nobody\n").unwrap();
        fs::write(path("bad"), "bob:secret\n").unwrap();
        fs::create_dir(path("directory")).unwrap();
        fs::File::create(path("large")).unwrap().set_len(MAX_FILE_BYTES + 1).unwrap();
        for (name, part) in [
            ("none", "cannot read"),
            ("empty", "no users"),
            ("bad", "line 1"),
            ("directory", "not a regular file"),
            ("large", "larger than 16 MiB"),
        ] {
            let error = PasswordFile::read(&path(name)).unwrap_err().to_string();
            assert!(error.contains(part), "{name}: {error}");
            assert!(error.contains(&*path(name).to_string_lossy()), "{name}: {error}");
        }
    }

    #[test]
    fn an_unknown_user_takes_the_time_of_some_known_one() {
        let slow = SECRET.replace("$04$", "$08$");
        let decoys = RandomState::new();
        let processor_time =
            || Duration::from(clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).unwrap());
        let time = |file: &PasswordFile, user: &str| {
            let begun = processor_time();
            assert!(!file.matches(user, b"wrong", &decoys));
            processor_time().saturating_sub(begun)
        };
        let file = parse(&format!("bob:{slow}")).unwrap();
        let (known, unknown) = (time(&file, "bob"), time(&file, "eve"));
        assert!(unknown > known / 4 && known > Duration::from_micros(100), "{known:?} {unknown:?}");
        // With hashes of different costs, each unknown user always takes the time of the same one.
        let file = parse(&format!("bob:{slow}\nal:{SECRET}")).unwrap();
        let users = (0..64).map(|number| format!("user{number}"));
        let chosen: Vec<usize> = users.map(|user| file.decoy(&user, &decoys)).collect();
        assert!(chosen.contains(&0) && chosen.contains(&1), "{chosen:?}");
    }
}
