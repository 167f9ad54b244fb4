//! Hashes content while it is received.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

use sha1::Sha1;
use sha2::{Digest as _, Sha256, Sha512};

use crate::client::error::FetchError;
use crate::client::plan::checksum::{Algorithm, Checksum, ExpectedChecksum};
use crate::client::settings::Hashing;

/// Hashes content by as many algorithms as are needed, often none.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hasher {
    states: Vec<State>,
}

#[derive(Clone, Debug)]
enum State {
    Sha1(Sha1),
    Sha256(Sha256),
    Sha512(Sha512),
}

impl Hasher {
    /// A hasher by the algorithm of the expected checksum, and by the one that is printed for every file.
    pub(crate) fn of(expected: Option<&ExpectedChecksum>, hashing: Hashing) -> Self {
        let expected = expected.map(|expected| expected.checksum.algorithm());
        let printed = (hashing == Hashing::Sha256).then_some(Algorithm::Sha256);
        let other = printed.filter(|printed| Some(*printed) != expected);
        Self { states: expected.into_iter().chain(other).map(State::of).collect() }
    }

    /// True if there is no algorithm to hash by.
    pub(super) fn is_idle(&self) -> bool {
        self.states.is_empty()
    }

    pub(crate) fn update(&mut self, piece: &[u8]) {
        for state in &mut self.states {
            match state {
                State::Sha1(state) => state.update(piece),
                State::Sha256(state) => state.update(piece),
                State::Sha512(state) => state.update(piece),
            }
        }
    }

    pub(crate) fn finish(self) -> Box<[Checksum]> {
        self.states.into_iter().map(State::finish).collect()
    }

    /// Hashes a whole file.
    pub(crate) fn hash_file(mut self, mut file: &File) -> io::Result<Box<[Checksum]>> {
        let mut buffer = vec![0; 64 * 1024];
        file.seek(SeekFrom::Start(0))?;
        loop {
            match file.read(&mut buffer)? {
                0 => return Ok(self.finish()),
                length => self.update(&buffer[..length]),
            }
        }
    }
}

impl State {
    fn of(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Sha1 => Self::Sha1(Sha1::new()),
            Algorithm::Sha256 => Self::Sha256(Sha256::new()),
            Algorithm::Sha512 => Self::Sha512(Sha512::new()),
        }
    }

    fn finish(self) -> Checksum {
        match self {
            Self::Sha1(state) => Checksum::new(Algorithm::Sha1, &state.finalize()),
            Self::Sha256(state) => Checksum::new(Algorithm::Sha256, &state.finalize()),
            Self::Sha512(state) => Checksum::new(Algorithm::Sha512, &state.finalize()),
        }
    }
}

/// Compares the expected checksum with the one that was found by the same algorithm.
pub(crate) fn verify(expected: &ExpectedChecksum, found: &[Checksum]) -> Result<(), FetchError> {
    let found = found
        .iter()
        .find(|found| found.algorithm() == expected.checksum.algorithm())
        .expect("the content is hashed by the algorithm that is expected");
    if *found == expected.checksum {
        return Ok(());
    }
    Err(FetchError::Checksum { expected: expected.clone(), found: found.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::plan::checksum::tests::ABC;

    fn expected((algorithm, digits): (Algorithm, &str)) -> ExpectedChecksum {
        let checksum = Checksum::parse(algorithm, digits).unwrap();
        ExpectedChecksum { checksum, is_algorithm_named: true }
    }

    #[test]
    fn content_is_hashed_by_what_is_expected_and_what_is_printed() {
        let printed = expected(ABC[1]).checksum;
        for (index, abc) in ABC.into_iter().enumerate() {
            let expected = expected(abc);
            for hashing in [Hashing::WhenNeeded, Hashing::Sha256] {
                let mut hasher = Hasher::of(Some(&expected), hashing);
                hasher.update(b"a");
                hasher.update(b"bc");
                let found = hasher.finish();
                assert_eq!(found[0], expected.checksum);
                assert_eq!(found.contains(&printed), index == 1 || hashing == Hashing::Sha256);
                assert!(verify(&expected, &found).is_ok());
                let other = Hasher::of(Some(&expected), hashing).finish();
                assert!(verify(&expected, &other).is_err());
            }
        }
        assert!(Hasher::of(None, Hashing::WhenNeeded).is_idle());
        assert_eq!(Hasher::of(None, Hashing::Sha256).finish().len(), 1);
    }
}
