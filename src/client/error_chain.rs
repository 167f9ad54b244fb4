//! An error with its causes as one line of text.

use std::error::Error;

/// Formats an error and all its causes on one line, separated by `: `.
#[must_use]
pub fn error_chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use std::num::ParseIntError;

    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("outer")]
    struct Outer(#[source] ParseIntError);

    #[test]
    fn a_chain_has_every_cause_once() {
        let cause = "x".parse::<u8>().unwrap_err();
        assert_eq!(error_chain(&cause), "invalid digit found in string");
        assert_eq!(error_chain(&Outer(cause)), "outer: invalid digit found in string");
    }
}
