//! Heads of responses as clients must take them: the status line, the fields, and their limits
//! (RFC 9112 §4, §5).
//!
//! A server refuses every malformed request, because two programs that read it differently are what
//! request smuggling needs. A client gains nothing by that: browsers and curl take what follows below,
//! so servers send it. Taken are any `HTTP/` version, `http/` in lower case, a reason phrase of any form or
//! none, control bytes in values, names that are no token, blanks before the colon, folded lines, and
//! lines without a colon (skipped).
//!
//! The exception are the fields of [`DECISIVE`], on which it depends which bytes belong to the content
//! and where they come from. A control byte in their values is an error, and so is a line that has one
//! of their names apart from bytes that do not belong there: such a field is understood or refused, and
//! never skipped. What their values mean is left to the modules named after the fields.

use std::fmt;

use super::fields::{FieldTable, Fields};
use super::head_scan::{HeadScan, RESPONSE_LIMITS};
use super::status::Status;
use super::syntax::{is_token_byte, parse_decimal, trim_whitespace};
use super::version::Version;

/// Most fields of a response, lines that are skipped included.
pub const MAX_RESPONSE_FIELDS: usize = 4096;

/// The fields that decide about the content's bytes. `ETag` is none of them: a malformed one is no
/// validator, and nothing is ever continued by it.
const DECISIVE: [&str; 5] =
    ["Content-Length", "Transfer-Encoding", "Content-Encoding", "Content-Range", "Location"];

/// Why a response's head cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResponseHeadError {
    /// Not `HTTP/version SP status-code [SP reason-phrase]` (RFC 9112 §4).
    StatusLine,
    /// Beyond [`RESPONSE_LIMITS`] or [`MAX_RESPONSE_FIELDS`].
    TooLarge,
    /// The field of this name is malformed, and the content depends on it.
    Field(&'static str),
}

impl fmt::Display for ResponseHeadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::StatusLine => f.write_str("the answer is not HTTP/1: malformed status line"),
            Self::TooLarge => write!(
                f,
                "the answer's head is too large: more than {} KiB or {MAX_RESPONSE_FIELDS} fields",
                RESPONSE_LIMITS.field_section_bytes / 1024
            ),
            Self::Field(name) => write!(f, "malformed {name} in the answer"),
        }
    }
}

impl std::error::Error for ResponseHeadError {}

/// A response's head.
#[derive(Clone, Debug)]
pub struct ResponseHead {
    bytes: Vec<u8>,
    status: Status,
    version: Version,
    fields: FieldTable,
}

impl ResponseHead {
    /// Takes the response head that `bytes` begin with, once all of it is there, with its length;
    /// `None` while more must come. `scan` is the one of this head, and has the limits of responses.
    ///
    /// # Errors
    /// The head cannot be used; its connection is of no more use either.
    pub fn receive(
        scan: &mut HeadScan,
        bytes: &[u8],
    ) -> Result<Option<(Self, usize)>, ResponseHeadError> {
        // What does not begin like HTTP is refused before its first line is complete, if it ever is.
        if !bytes.iter().zip(PROTOCOL).all(|(byte, expected)| byte.eq_ignore_ascii_case(expected)) {
            return Err(ResponseHeadError::StatusLine);
        }
        let Some(length) = scan.advance(bytes).map_err(|_| ResponseHeadError::TooLarge)? else {
            return Ok(None);
        };
        let (line, fields_start) = scan.start_line().expect("a complete head has its start line");
        let (version, status) =
            parse_status_line(&bytes[line]).ok_or(ResponseHeadError::StatusLine)?;
        let mut bytes = bytes[..length].to_vec();
        let mut fields = FieldTable::default();
        parse_fields(&mut bytes, fields_start, &mut fields)?;
        Ok(Some((Self { bytes, status, version, fields }, length)))
    }

    #[must_use]
    pub fn status(&self) -> Status {
        self.status
    }

    #[must_use]
    pub fn version(&self) -> Version {
        self.version
    }

    #[must_use]
    pub fn fields(&self) -> Fields<'_> {
        self.fields.over(&self.bytes)
    }
}

/// What a status line begins with.
const PROTOCOL: &[u8] = b"HTTP/";

/// RFC 9112 §4. What follows it is HTTP/1.1, whatever higher version a server claims: some write
/// `HTTP/2 200` into an HTTP/1 connection.
fn parse_status_line(line: &[u8]) -> Option<(Version, Status)> {
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let (protocol, rest) = line.split_at_checked(PROTOCOL.len())?;
    if !protocol.eq_ignore_ascii_case(PROTOCOL) {
        return None;
    }
    let (version, rest) = rest.split_at(rest.iter().position(is_blank)?);
    let version = match version {
        [b'1'] | b"1.0" => Version::Http10,
        [b'1'..=b'9'] => Version::Http11,
        [b'1'..=b'9', b'.', minor] if minor.is_ascii_digit() => Version::Http11,
        _ => return None,
    };
    let (code, reason) = trim_whitespace(rest).split_at_checked(3)?;
    let code = parse_decimal(code)?;
    let status = Status::new(u16::try_from(code).ok()?)?;
    // Some leave out the blank before the reason.
    (!reason.first().is_some_and(u8::is_ascii_digit)).then_some((version, status))
}

/// Reads the field section `bytes[start..]`, which ends with its empty line. The line breaks within a
/// folded line become spaces (RFC 9112 §5.2).
fn parse_fields(
    bytes: &mut [u8],
    start: usize,
    fields: &mut FieldTable,
) -> Result<(), ResponseHeadError> {
    let (mut at, mut lines) = (start, 0);
    // Where the last line ended, if it is a field that a folded line can continue.
    let mut open_end = None;
    while let Some(length) = bytes[at..].iter().position(|byte| *byte == b'\n') {
        let feed = at + length;
        let end = if length > 0 && bytes[feed - 1] == b'\r' { feed - 1 } else { feed };
        let line = at..end;
        at = feed + 1;
        if line.is_empty() {
            break;
        }
        lines += 1;
        if lines > MAX_RESPONSE_FIELDS {
            return Err(ResponseHeadError::TooLarge);
        }
        let is_folded = matches!(bytes[line.start], b' ' | b'\t');
        if is_folded && let Some(open) = open_end {
            bytes[open..line.start].fill(b' ');
            fields.extend_last(line.end);
        } else if let Some(colon) = bytes[line.clone()].iter().position(|byte| *byte == b':')
            && !is_folded
        {
            let colon = line.start + colon;
            check_name(&bytes[line.start..colon])?;
            fields.push(line.start..colon, colon + 1..line.end);
        } else {
            check_skipped(&bytes[line])?;
            open_end = None;
            continue;
        }
        open_end = Some(line.end);
    }
    fields.trim(bytes);
    check_values(fields.over(bytes))
}

/// Refuses a decisive name with bytes in it that belong to no name; white space around it is taken.
fn check_name(name: &[u8]) -> Result<(), ResponseHeadError> {
    let name = trim_whitespace(name);
    if name.iter().all(|byte| is_token_byte(*byte)) {
        return Ok(());
    }
    let name: Vec<u8> = name.iter().copied().filter(|byte| is_token_byte(*byte)).collect();
    refuse_decisive(&name)
}

/// Refuses a line that would be skipped though it begins with a decisive name.
fn check_skipped(line: &[u8]) -> Result<(), ResponseHeadError> {
    let is_token = |byte: &u8| is_token_byte(*byte);
    let start = line.iter().position(is_token).unwrap_or(line.len());
    let length = line[start..].iter().take_while(|byte| is_token(byte)).count();
    refuse_decisive(&line[start..][..length])
}

fn refuse_decisive(name: &[u8]) -> Result<(), ResponseHeadError> {
    match DECISIVE.iter().find(|decisive| name.eq_ignore_ascii_case(decisive.as_bytes())) {
        Some(decisive) => Err(ResponseHeadError::Field(decisive)),
        None => Ok(()),
    }
}

fn check_values(fields: Fields<'_>) -> Result<(), ResponseHeadError> {
    for (name, value) in fields.iter() {
        if value.iter().any(|byte| byte.is_ascii_control() && *byte != b'\t') {
            refuse_decisive(name)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
