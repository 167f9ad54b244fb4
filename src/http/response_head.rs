//! Heads of responses: the status line and the fields (RFC 9112 §4, §5).
//!
//! A server refuses every malformed request, to prevent request smuggling. A client has no such reason:
//! browsers and curl accept the following, so servers send it. Accepted are any `HTTP/` version, `http/` in
//! lower case, any or no reason phrase, control bytes in values, names that are not tokens, whitespace
//! before the colon, folded lines, and lines without a colon (skipped).
//!
//! The exceptions are the `CRITICAL_FIELDS`, which decide which bytes belong to the content and where
//! they come from. A control byte in their values is an error, and so is a name that equals one of theirs
//! except for invalid bytes: such a field is parsed or refused, never skipped. Other modules
//! interpret the values.

use thiserror::Error;

use super::fields::{FieldTable, Fields};
use super::head_scan::{HeadScan, RESPONSE_LIMITS};
use super::status::Status;
use super::syntax::{is_token_byte, parse_decimal, trim_whitespace};
use super::version::Version;

/// Limit on the field lines of a response, including lines that are skipped.
const MAX_RESPONSE_FIELDS: usize = 4096;

/// The fields that decide which bytes belong to the content. `ETag` is not one of them: a malformed tag is
/// not used as a validator, so no download is resumed with it.
const CRITICAL_FIELDS: [&str; 5] =
    ["Content-Length", "Transfer-Encoding", "Content-Encoding", "Content-Range", "Location"];

/// Why the head of a response cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ResponseHeadError {
    /// Not `HTTP/version SP status-code [SP reason-phrase]` (RFC 9112 §4).
    #[error("the response is not HTTP/1: malformed status line")]
    StatusLine,
    /// Longer than `head_scan::RESPONSE_LIMITS`, or more than `MAX_RESPONSE_FIELDS` fields.
    #[error(
        "the response's head is too large: more than {} KiB or {MAX_RESPONSE_FIELDS} fields",
        RESPONSE_LIMITS.field_section_bytes / 1024
    )]
    TooLarge,
    /// The field with this name is malformed, and the content depends on it.
    #[error("malformed {0} in the response")]
    Field(&'static str),
}

/// The head of a response.
#[derive(Clone, Debug)]
pub struct ResponseHead {
    bytes: Vec<u8>,
    status: Status,
    version: Version,
    fields: FieldTable,
}

impl ResponseHead {
    /// Parses the head at the start of `bytes`. Returns it with its length in bytes, or `None` until it is
    /// complete. `scan` must be the same for all calls for one head, made by [`HeadScan::of_response`].
    ///
    /// # Errors
    /// The head cannot be used. The connection must be closed.
    pub fn receive(
        scan: &mut HeadScan,
        bytes: &[u8],
    ) -> Result<Option<(Self, usize)>, ResponseHeadError> {
        // Other protocols are refused at once: their first line may never be complete.
        if !bytes.iter().zip(PROTOCOL).all(|(byte, expected)| byte.eq_ignore_ascii_case(expected)) {
            return Err(ResponseHeadError::StatusLine);
        }
        let Some(length) = scan.advance(bytes).map_err(|_| ResponseHeadError::TooLarge)? else {
            return Ok(None);
        };
        let line = scan.start_line().expect("a complete head has a start line");
        let (version, status) =
            parse_status_line(&bytes[line.range()]).ok_or(ResponseHeadError::StatusLine)?;
        let mut bytes = bytes[..length].to_vec();
        let mut fields = FieldTable::default();
        parse_fields(&mut bytes, line.fields, &mut fields)?;
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

/// The start of every status line.
const PROTOCOL: &[u8] = b"HTTP/";

/// Parses a status line (RFC 9112 §4). A higher version is treated as HTTP/1.1, because some servers send
/// `HTTP/2 200` on an HTTP/1 connection.
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
    // Some servers omit the space before the reason phrase.
    (!reason.first().is_some_and(u8::is_ascii_digit)).then_some((version, status))
}

/// Parses `bytes[start..]`, the field section including its final empty line. Line breaks within a folded
/// line are replaced by spaces (RFC 9112 §5.2).
fn parse_fields(
    bytes: &mut [u8],
    start: usize,
    fields: &mut FieldTable,
) -> Result<(), ResponseHeadError> {
    let (mut at, mut lines) = (start, 0);
    // The end of the last line, if a folded line can continue it.
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

/// Refuses a name that equals that of a critical field except for invalid bytes.
/// Surrounding whitespace is accepted.
fn check_name(name: &[u8]) -> Result<(), ResponseHeadError> {
    let name = trim_whitespace(name);
    if name.iter().all(|byte| is_token_byte(*byte)) {
        return Ok(());
    }
    let name: Vec<u8> = name.iter().copied().filter(|byte| is_token_byte(*byte)).collect();
    refuse_critical(&name)
}

/// Refuses a skipped line that begins with the name of a critical field.
fn check_skipped(line: &[u8]) -> Result<(), ResponseHeadError> {
    let is_token = |byte: &u8| is_token_byte(*byte);
    let start = line.iter().position(is_token).unwrap_or(line.len());
    let length = line[start..].iter().take_while(|byte| is_token(byte)).count();
    refuse_critical(&line[start..][..length])
}

/// An error if `name` is that of a critical field.
fn refuse_critical(name: &[u8]) -> Result<(), ResponseHeadError> {
    match CRITICAL_FIELDS.iter().find(|field| name.eq_ignore_ascii_case(field.as_bytes())) {
        Some(field) => Err(ResponseHeadError::Field(field)),
        None => Ok(()),
    }
}

/// Refuses control bytes in the values of critical fields.
fn check_values(fields: Fields<'_>) -> Result<(), ResponseHeadError> {
    for (name, value) in fields.iter() {
        if value.iter().any(|byte| byte.is_ascii_control() && *byte != b'\t') {
            refuse_critical(name)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
