//! A hash of a password, as a password file has it: bcrypt or SHA-512-crypt.
//!
//! Both are made to be slow, so that a stolen file gives no passwords away. How many are computed at a time is
//! left to `attempts`.

use std::fmt;

use sha_crypt::{PasswordHashRef, PasswordVerifier as _, ShaCrypt};
use thiserror::Error;

/// Longer passwords match no hash: the time of SHA-512-crypt grows with their length. `htpasswd` accepts 255
/// bytes, `openssl passwd` 256.
pub(super) const MAX_PASSWORD_BYTES: usize = 256;

/// Greatest cost of bcrypt: it takes some seconds, each further one twice the time.
const MAX_BCRYPT_COST: u32 = 16;

/// Most rounds of SHA-512-crypt: they take a second or two.
const MAX_ROUNDS: u32 = 2_000_000;

/// Characters of the last part of SHA-512-crypt: 64 bytes in base 64.
const SHA512_HASH_CHARACTERS: usize = 86;

/// A hash that passwords can be compared with. `Debug` does not write it.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct PasswordHash {
    form: Form,
    text: Box<str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Bcrypt,
    Sha512Crypt,
}

/// Why a text is not a hash that passwords can be compared with. It does not contain the text, which may be a
/// password.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PasswordHashError {
    #[error(
        "the password is hashed with {name}, and not with bcrypt ($2y$) or SHA-512-crypt ($6$)"
    )]
    Unsupported { name: &'static str },
    #[error("the password is not hashed with bcrypt ($2y$) or SHA-512-crypt ($6$)")]
    Unknown,
    #[error("the bcrypt hash is not complete or has characters that it cannot have")]
    Bcrypt,
    #[error("the bcrypt hash has a cost of {cost}, and not one from 4 to {MAX_BCRYPT_COST}")]
    Cost { cost: u32 },
    #[error("the SHA-512-crypt hash is not complete or has characters that it cannot have")]
    Sha512Crypt,
    #[error("the SHA-512-crypt hash does not have between 1000 and {MAX_ROUNDS} rounds")]
    Rounds,
}

/// Beginnings of other hashes (crypt(5), htpasswd(1)).
const UNSUPPORTED: [(&str, &str); 10] = [
    ("$apr1$", "MD5 ($apr1$)"),
    ("$1$", "MD5 ($1$)"),
    ("$2x$", "bcrypt of a faulty version ($2x$)"),
    ("$5$", "SHA-256-crypt ($5$)"),
    ("$7$", "scrypt ($7$)"),
    ("$y$", "yescrypt ($y$)"),
    ("$gy$", "gost-yescrypt ($gy$)"),
    ("$argon2", "Argon2 ($argon2…$)"),
    ("{SHA}", "SHA-1 ({SHA})"),
    ("{SSHA}", "SHA-1 ({SSHA})"),
];

impl PasswordHash {
    /// Parses `$2y$…`, which `$2a$` and `$2b$` are other names of, or `$6$…`.
    pub(super) fn parse(text: &str) -> Result<Self, PasswordHashError> {
        let begins_with = |prefix: &str| text.starts_with(prefix);
        let form = if ["$2y$", "$2b$", "$2a$"].into_iter().any(begins_with) {
            check_bcrypt(text)?;
            Form::Bcrypt
        } else if begins_with("$6$") {
            check_sha512_crypt(text)?;
            Form::Sha512Crypt
        } else {
            let unsupported = UNSUPPORTED.iter().find(|(prefix, _)| begins_with(prefix));
            return Err(unsupported.map_or(PasswordHashError::Unknown, |(_, name)| {
                PasswordHashError::Unsupported { name }
            }));
        };
        Ok(Self { form, text: text.into() })
    }

    /// Whether this is the hash of `password`. Takes as long for a wrong password as for the right one, and
    /// compares in constant time.
    pub(super) fn matches(&self, password: &[u8]) -> bool {
        password.len() <= MAX_PASSWORD_BYTES
            && match self.form {
                // It looks at 72 bytes at most, as the program that made the hash did.
                Form::Bcrypt => bcrypt::verify(password, &self.text).unwrap_or(false),
                Form::Sha512Crypt => {
                    ShaCrypt::SHA512.verify_password(password, &*self.text).is_ok()
                }
            }
    }
}

fn check_bcrypt(text: &str) -> Result<(), PasswordHashError> {
    let parts: bcrypt::HashParts = text.parse().map_err(|_| PasswordHashError::Bcrypt)?;
    match parts.get_cost() {
        4..=MAX_BCRYPT_COST => Ok(()),
        cost => Err(PasswordHashError::Cost { cost }),
    }
}

/// Checks `$6$SALT$HASH` or `$6$rounds=N$SALT$HASH`.
fn check_sha512_crypt(text: &str) -> Result<(), PasswordHashError> {
    let hash = PasswordHashRef::new(text).map_err(|_| PasswordHashError::Sha512Crypt)?;
    let fields: Vec<&str> = hash.as_str().split('$').skip(2).collect();
    let (rounds, hash) = match fields[..] {
        [_, hash] => (None, hash),
        [rounds, _, hash] => (Some(rounds), hash),
        _ => return Err(PasswordHashError::Sha512Crypt),
    };
    if let Some(rounds) = rounds {
        let number = rounds.strip_prefix("rounds=").ok_or(PasswordHashError::Sha512Crypt)?;
        let is_number = number.bytes().all(|byte| byte.is_ascii_digit());
        match number.parse() {
            Ok(1000..=MAX_ROUNDS) if is_number => {}
            _ => return Err(PasswordHashError::Rounds),
        }
    }
    let is_base64 = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'.' || byte == b'/';
    // The last character stands for two bits. With others it would match no password, without a computation.
    let is_whole = hash.len() == SHA512_HASH_CHARACTERS && hash.ends_with(['.', '/', '0', '1']);
    if is_whole && hash.bytes().all(is_base64) {
        Ok(())
    } else {
        Err(PasswordHashError::Sha512Crypt)
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PasswordHash({:?})", self.form)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_of_htpasswd_openssl_and_crypt_match_their_passwords() {
        let long = "x".repeat(MAX_PASSWORD_BYTES);
        for (hash, password) in [
            // htpasswd -nbB -C 4
            ("$2y$04$PrNmZDb9Zc.5dIsZJFdH4ecFRfqbSo34lxeBr89/jHAgftIxLOYc6", "secret"),
            ("$2y$04$NTcw45.nvhHUUNi6LfTNyumPLCj0HZkjPYEjX80C3.xrHFSygV/2m", ""),
            ("$2y$04$6phTtYWF5iKf6iZpxW87peJkJ5H9/llaUo3WlSehysvTv/OY2.J8O", "gr\u{fc}\u{df}e"),
            ("$2y$04$Sb.HhUl6QaCKw4pSyRedeOBTnbk1QwuPfL7MEYTRdta69n9QP3/Aa", &long[..100]),
            // crypt(3)
            ("$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW", "secret"),
            ("$2a$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW", "secret"),
            (
                "$6$rounds=1000$saltstringsaltst$CAQNWAF1PcltKLhRAkYWaZqdIFjIDsYJvWv4QTevvEtn7.3rY\
                 5iLBOJMF3x8uuTdcia6zvUXW6H7c26XZuk3c0",
                "secret",
            ),
            (
                "$6$rounds=1000$saltstring$U3WFJFkXvp/zy08wKTOKh24HeQ3ilz9DUKO54xy7wpQ9xhVFiKkW8B.\
                 Kapk50wuapcqNPCK.QyvIMquefxPRM0",
                &long,
            ),
            // openssl passwd -6
            (
                "$6$abcdefgh$ltjgWl6579NluT/Vi1nwEvcil.G5Nbc4NiXZaNGStk8PSwGfQv72N2CKPPrVACtLtip/cZ\
                 /1GM/O6IND4WQhG.",
                "secret",
            ),
            (
                "$6$abcdefgh$.xTiwGaH1sjmZiOKcrRj3InUEQ5dIAYkL0U9ipShRb3BfYCnvdpfKV.URQyrSOP8cFkwcEo\
                 0tLOPZN.Oi4I.G/",
                "gr\u{fc}\u{df}e",
            ),
        ] {
            let hash = PasswordHash::parse(hash).unwrap();
            assert!(hash.matches(password.as_bytes()), "{password}");
            for wrong in ["Secret", "secret ", "x"] {
                assert!(!hash.matches(wrong.as_bytes()), "{wrong}");
            }
            assert!(!hash.matches(format!("{long}x").as_bytes()), "it is too long");
        }
    }

    #[test]
    fn a_hash_that_cannot_be_used_is_an_error_that_says_why() {
        let bcrypt = "$2y$04$PrNmZDb9Zc.5dIsZJFdH4ecFRfqbSo34lxeBr89/jHAgftIxLOYc6";
        let sha512 = format!("$6$salt${}", ".".repeat(86));
        let rounds = |rounds: &str| format!("$6$rounds={rounds}$salt${}", ".".repeat(86));
        let cost = |cost: &str| bcrypt.replace("$04$", &format!("${cost}$"));
        for good in [bcrypt, &sha512, &rounds("1000"), &rounds("2000000"), &cost("16")] {
            assert!(PasswordHash::parse(good).is_ok(), "{good}");
        }
        for (text, part) in [
            ("", "not hashed"),
            ("secret", "not hashed"),
            ("rqXexS6ZhobKA", "not hashed"),
            ("$apr1$sX2lbVJG$0d8Dd8hQtS5YmQUOXoAqM1", "MD5 ($apr1$)"),
            ("{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=", "SHA-1"),
            ("$5$abc$def", "SHA-256-crypt"),
            ("$y$j9T$abc$def", "yescrypt"),
            ("$argon2id$v=19$m=1$a$b", "Argon2"),
            (&bcrypt[..59], "bcrypt hash is not complete"),
            (&format!("{bcrypt}a"), "bcrypt hash is not complete"),
            (&format!("{bcrypt}:comment"), "bcrypt hash is not complete"),
            (&bcrypt.replace("/jH", "!jH"), "characters"),
            (&cost("03"), "cost of 3"),
            (&cost("17"), "cost of 17"),
            (&cost("31"), "cost of 31"),
            ("$6$salt", "SHA-512-crypt hash is not complete"),
            (&sha512[..93], "SHA-512-crypt hash is not complete"),
            (&format!("{sha512}."), "SHA-512-crypt hash is not complete"),
            (&format!("{}2", &sha512[..93]), "characters"),
            (&sha512.replacen("$.", "$!", 1), "characters"),
            (&format!("{sha512}$a"), "SHA-512-crypt hash"),
            (&rounds("999"), "between 1000"),
            (&rounds("2000001"), "between 1000"),
            (&rounds("+5000"), "between 1000"),
            (&rounds(""), "between 1000"),
            (&rounds("99999999999999"), "between 1000"),
        ] {
            let error = PasswordHash::parse(text).unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
            assert!(text.is_empty() || !error.contains(text), "{error}");
        }
    }
}
