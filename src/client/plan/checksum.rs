//! Checksums of files and their algorithms.
//!
//! `checksum_list` reads which file must have which checksum; `store::hasher` computes them.

use std::fmt;

/// The algorithms of checksums, weakest first (FIPS 180-4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    Sha1,
    Sha256,
    Sha512,
}

impl Algorithm {
    pub(super) const ALL: [Self; 3] = [Self::Sha1, Self::Sha256, Self::Sha512];

    /// The length of a checksum in hexadecimal digits.
    #[must_use]
    pub const fn digits(self) -> usize {
        match self {
            Self::Sha1 => 40,
            Self::Sha256 => 64,
            Self::Sha512 => 128,
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sha1 => "SHA-1",
            Self::Sha256 => "SHA-256",
            Self::Sha512 => "SHA-512",
        })
    }
}

/// A digest and its algorithm; `Display` writes hexadecimal digits in lower case.
#[derive(Clone, PartialEq, Eq)]
pub struct Checksum {
    algorithm: Algorithm,
    octets: Box<[u8]>,
}

impl Checksum {
    /// Parses hexadecimal digits; `None` if their number is not the algorithm's.
    #[must_use]
    pub fn parse(algorithm: Algorithm, digits: &str) -> Option<Self> {
        let is_whole = digits.len() == algorithm.digits();
        if !is_whole || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        let (pairs, _) = digits.as_bytes().as_chunks::<2>();
        let octet = |pair: &[u8; 2]| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok();
        let octets = pairs.iter().map(octet).collect::<Option<_>>()?;
        Some(Self { algorithm, octets })
    }

    /// A digest, whose length is the algorithm's.
    pub(crate) fn new(algorithm: Algorithm, octets: &[u8]) -> Self {
        Self { algorithm, octets: octets.into() }
    }

    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}

impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.octets.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
    }
}

impl fmt::Debug for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {self}", self.algorithm)
    }
}

/// The checksum that the content of a file must have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpectedChecksum {
    pub checksum: Checksum,
    /// False if the algorithm was concluded from the number of digits.
    pub is_algorithm_named: bool,
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// The checksums of "abc" (FIPS 180-4, the examples of NIST).
    pub(crate) const ABC: [(Algorithm, &str); 3] = [
        (Algorithm::Sha1, "a9993e364706816aba3e25717850c26c9cd0d89d"),
        (Algorithm::Sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (
            Algorithm::Sha512,
            "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a\
             2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
        ),
    ];

    #[test]
    fn a_checksum_is_read_and_shown() {
        for (algorithm, digits) in ABC {
            let checksum = Checksum::parse(algorithm, digits).unwrap();
            assert_eq!(checksum.to_string(), digits);
            assert_eq!(Checksum::parse(algorithm, &digits.to_uppercase()), Some(checksum));
            for bad in ["", &digits[1..], &format!("{digits}0"), &digits.replace('e', "+")] {
                assert_eq!(Checksum::parse(algorithm, bad), None, "{bad}");
            }
        }
    }
}
