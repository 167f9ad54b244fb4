//! The PROXY protocol, versions 1 and 2: the header in which a load balancer in front of the server
//! sends the address of the client it relays (`doc/proxy-protocol.txt` of `HAProxy`).
//!
//! A pure function from the bytes received so far to the address. The caller reads the bytes, sets the
//! deadline, and decides which peers may send a header: if any peer could, any client could choose its
//! address.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use thiserror::Error;

/// Limit on the line of version 1 in bytes, with its CRLF (§2.1).
const MAX_V1_BYTES: usize = 107;

/// Limit on the header of version 2 in bytes: the fixed part and 4 KiB of addresses and TLVs. The largest
/// known TLVs carry the details of a client certificate.
pub const MAX_V2_BYTES: usize = V2_FIXED_BYTES + 4096;

const V1_START: &[u8] = b"PROXY ";
const V2_SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// The signature, version and command, family and transport, and the length of the rest.
const V2_FIXED_BYTES: usize = 16;

/// The result of parsing the bytes received so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parse {
    /// The bytes are the beginning of a header.
    NeedMore,
    /// The header is complete.
    Done {
        source: Source,
        /// The length of the header in bytes. The bytes of the relayed connection follow it.
        length: usize,
    },
}

/// Whom the connection is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The client of the relayed connection.
    Client(SocketAddr),
    /// A client without a TCP address over IP (`UNKNOWN`, a Unix socket).
    Unknown,
    /// The proxy itself, as for a health check (`LOCAL`). `HAProxy` also sends this for a client that has connected
    /// to it over a Unix socket.
    Proxy,
}

/// Why the bytes are not a valid PROXY header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ProxyProtocolError {
    /// The bytes begin with the signature of neither version.
    #[error("the connection does not begin with a PROXY header")]
    Missing,
    /// More than 107 bytes of version 1 (§2.1), or more than [`MAX_V2_BYTES`] of version 2.
    #[error("the PROXY header is too long")]
    TooLong,
    /// The line of version 1 is malformed.
    #[error("the PROXY line is malformed")]
    MalformedLine,
    /// The signature of version 2 is followed by another version.
    #[error("PROXY version {0} is unknown")]
    UnknownVersion(u8),
    /// The command is neither LOCAL nor PROXY.
    #[error("PROXY command {0:#x} is unknown")]
    UnknownCommand(u8),
    /// The combination of address family and transport is reserved.
    #[error("PROXY address family {0:#04x} is unknown")]
    UnknownFamily(u8),
    /// The header of version 2 ends before its addresses do.
    #[error("the PROXY header ends within its addresses")]
    Truncated,
}

/// Parses the header at the start of a connection from all bytes received so far. Invalid bytes are refused
/// as soon as they are received.
///
/// # Errors
/// See [`ProxyProtocolError`]. The connection must be closed, because its client is unknown.
pub fn parse(received: &[u8]) -> Result<Parse, ProxyProtocolError> {
    if begins_as(received, V1_START) {
        parse_v1(received)
    } else if begins_as(received, V2_SIGNATURE) {
        parse_v2(received)
    } else {
        Err(ProxyProtocolError::Missing)
    }
}

/// Whether `received` and `start` are equal up to the length of the shorter one.
fn begins_as(received: &[u8], start: &[u8]) -> bool {
    received.iter().zip(start).all(|(byte, expected)| byte == expected)
}

fn parse_v1(received: &[u8]) -> Result<Parse, ProxyProtocolError> {
    let window = &received[..received.len().min(MAX_V1_BYTES)];
    let Some(line_feed) = window.iter().position(|byte| *byte == b'\n') else {
        let is_full = window.len() == MAX_V1_BYTES;
        return if is_full { Err(ProxyProtocolError::TooLong) } else { Ok(Parse::NeedMore) };
    };
    let line = window[..line_feed].strip_suffix(b"\r");
    let words = line.and_then(|line| line.strip_prefix(V1_START));
    let source = match words.ok_or(ProxyProtocolError::MalformedLine)? {
        // The rest of the line must be ignored (§2.1).
        words if words == b"UNKNOWN" || words.starts_with(b"UNKNOWN ") => Source::Unknown,
        words => Source::Client(parse_v1_source(words).ok_or(ProxyProtocolError::MalformedLine)?),
    };
    Ok(Parse::Done { source, length: line_feed + 1 })
}

/// Parses the rest of a line after `PROXY `: a protocol, two addresses and two ports, separated by single
/// spaces.
///
/// The destination is not used and not validated: a proxy that receives from another proxy sends its own
/// address, which may be of the other family or the path of a Unix socket (nginx's stream module).
fn parse_v1_source(words: &[u8]) -> Option<SocketAddr> {
    let words: Vec<&[u8]> = words.split(|byte| *byte == b' ').collect();
    let [protocol, source, destination, port, destination_port] = words[..] else { return None };
    if destination.is_empty() || destination_port.is_empty() {
        return None;
    }
    let source = str::from_utf8(source).ok()?;
    let source = match protocol {
        b"TCP4" => source.parse::<Ipv4Addr>().ok()?.into(),
        b"TCP6" => source.parse::<Ipv6Addr>().ok()?.into(),
        _ => return None,
    };
    Some(SocketAddr::new(source, parse_port(str::from_utf8(port).ok()?)?))
}

/// Parses digits without leading zeros.
fn parse_port(word: &str) -> Option<u16> {
    let is_canonical = word == "0" || word.starts_with(|first| matches!(first, '1'..='9'));
    if is_canonical { word.parse().ok() } else { None }
}

fn parse_v2(received: &[u8]) -> Result<Parse, ProxyProtocolError> {
    // Each byte is checked as soon as it is received, so that an invalid one is refused at once.
    let byte = |index: usize| received.get(V2_SIGNATURE.len() + index).copied();
    let Some(version_and_command) = byte(0) else { return Ok(Parse::NeedMore) };
    if version_and_command >> 4 != 2 {
        return Err(ProxyProtocolError::UnknownVersion(version_and_command >> 4));
    }
    let is_local = match version_and_command & 0xf {
        0 => true,
        1 => false,
        other => return Err(ProxyProtocolError::UnknownCommand(other)),
    };
    let Some(family) = byte(1) else { return Ok(Parse::NeedMore) };
    // LOCAL is the proxy's own health check, without a client. Its family must be ignored (§2.2).
    if !is_local && !matches!((family >> 4, family & 0xf), (0..=3, 0..=2)) {
        return Err(ProxyProtocolError::UnknownFamily(family));
    }
    let (Some(high), Some(low)) = (byte(2), byte(3)) else { return Ok(Parse::NeedMore) };
    let length = V2_FIXED_BYTES + usize::from(u16::from_be_bytes([high, low]));
    if length > MAX_V2_BYTES {
        return Err(ProxyProtocolError::TooLong);
    }
    let address_bytes = match (is_local, family >> 4) {
        (true, _) | (false, 0) => 0,
        (false, 1) => 2 * 4 + 2 * 2,
        (false, 2) => 2 * 16 + 2 * 2,
        (false, _) => 2 * 108,
    };
    if length < V2_FIXED_BYTES + address_bytes {
        return Err(ProxyProtocolError::Truncated);
    }
    let Some(header) = received.get(..length) else { return Ok(Parse::NeedMore) };
    // The TLVs after the addresses are not used.
    let source = match tcp_source(family, &header[V2_FIXED_BYTES..]) {
        _ if is_local => Source::Proxy,
        Some(address) => Source::Client(address),
        None => Source::Unknown,
    };
    Ok(Parse::Done { source, length })
}

/// The source of TCP over IPv4 or IPv6. `addresses` are source and destination address, then source and
/// destination port. Other families and transports are valid, with an unknown source (§2.2).
fn tcp_source(family: u8, addresses: &[u8]) -> Option<SocketAddr> {
    let (source, port): (IpAddr, _) = match family {
        0x11 => (<[u8; 4]>::try_from(addresses.get(..4)?).ok()?.into(), addresses.get(8..10)?),
        0x21 => (<[u8; 16]>::try_from(addresses.get(..16)?).ok()?.into(), addresses.get(32..34)?),
        _ => return None,
    };
    Some(SocketAddr::new(source, u16::from_be_bytes([port[0], port[1]])))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ProxyProtocolError::{
        MalformedLine, Missing, TooLong, Truncated, UnknownCommand, UnknownFamily, UnknownVersion,
    };
    use proptest::prelude::*;

    /// Parses every prefix of a header, the header, and the header followed by other bytes.
    fn assert_header(header: &[u8], source: Source) {
        let expected = Parse::Done { source, length: header.len() };
        for end in 0..header.len() {
            let prefix = &header[..end];
            assert_eq!(parse(prefix), Ok(Parse::NeedMore), "{}", prefix.escape_ascii());
        }
        assert_eq!(parse(header), Ok(expected), "{}", header.escape_ascii());
        for rest in [&b"GET / HTTP/1.1\r\n"[..], b"\r\n", header, &[0; 5000]] {
            assert_eq!(parse(&[header, rest].concat()), Ok(expected));
        }
    }

    fn client_or_unknown(address: Option<&str>) -> Source {
        address.map_or(Source::Unknown, |text| Source::Client(text.parse().unwrap()))
    }

    /// A header is refused from some byte on, always with the same error.
    fn assert_refused(header: &[u8], error: ProxyProtocolError) {
        let mut is_refused = false;
        for end in 0..=header.len() {
            match parse(&header[..end]) {
                Ok(Parse::NeedMore) if !is_refused => {}
                Err(refusal) if refusal == error => is_refused = true,
                other => panic!("{other:?} for {}", header[..end].escape_ascii()),
            }
        }
        assert!(is_refused, "{}", header.escape_ascii());
    }

    fn v2(version_and_command: u8, family: u8, payload: &[u8]) -> Vec<u8> {
        let length = u16::try_from(payload.len()).unwrap().to_be_bytes();
        [V2_SIGNATURE, &[version_and_command, family], &length, payload].concat()
    }

    const IPV4: &[u8] = &[192, 0, 2, 1, 198, 51, 100, 2, 0xdc, 0x04, 0x01, 0xbb];

    fn ipv6() -> Vec<u8> {
        let addresses = ["2001:db8::1", "2001:db8::2"];
        let octets = addresses.map(|text| text.parse::<Ipv6Addr>().unwrap().octets());
        [&octets[0][..], &octets[1], &[0xdc, 0x04, 0x01, 0xbb]].concat()
    }

    #[test]
    fn lines_of_version_1_are_read_at_every_prefix() {
        for (line, source) in [
            ("PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n", Some("192.0.2.1:56324")),
            ("PROXY TCP4 255.255.255.255 0.0.0.0 65535 0\r\n", Some("255.255.255.255:65535")),
            ("PROXY TCP6 2001:db8::1 ::1 56324 443\r\n", Some("[2001:db8::1]:56324")),
            (
                "PROXY TCP6 ::ffff:192.0.2.1 ::ffff:198.51.100.2 1 2\r\n",
                Some("[::ffff:192.0.2.1]:1"),
            ),
            // The destination may have any form.
            ("PROXY TCP6 2001:db8::77 127.0.0.1 51512 21007\r\n", Some("[2001:db8::77]:51512")),
            ("PROXY TCP4 192.0.2.1 2001:db8::2 1 2\r\n", Some("192.0.2.1:1")),
            ("PROXY TCP6 2001:db8::1 ::ffff:127.0.0.1 1 2\r\n", Some("[2001:db8::1]:1")),
            ("PROXY TCP6 2001:db8::1 fe80::1%eth0 1 2\r\n", Some("[2001:db8::1]:1")),
            ("PROXY TCP4 192.0.2.1 unix:/run/files.sock 1 0\r\n", Some("192.0.2.1:1")),
            ("PROXY TCP4 192.0.2.1 localhost 1 http\r\n", Some("192.0.2.1:1")),
            ("PROXY UNKNOWN\r\n", None),
            ("PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n", None),
            ("PROXY UNKNOWN whatever it may be\r\n", None),
        ] {
            assert_header(line.as_bytes(), client_or_unknown(source));
        }
        assert_header(b"PROXY UNKNOWN \xff\r\n", Source::Unknown);
    }

    #[test]
    fn lines_that_break_the_grammar_are_refused() {
        for line in [
            "PROXY \r\n",
            "PROXY TCP4\r\n",
            "PROXY TCP5 192.0.2.1 198.51.100.2 1 2\r\n",
            "PROXY tcp4 192.0.2.1 198.51.100.2 1 2\r\n",
            "PROXY UNKNOWNS\r\n",
            "PROXY TCP4 192.0.2.1 198.51.100.2 1 2\n",
            "PROXY TCP4 192.0.2.1 198.51.100.2 1 2 \r\n",
            "PROXY TCP4 192.0.2.1 198.51.100.2 1 2 3\r\n",
            "PROXY TCP4  192.0.2.1 198.51.100.2 1 2\r\n",
            "PROXY TCP4 192.0.2.1 198.51.100.2 1\r\n",
            "PROXY TCP4 192.0.2.1 198.51.100.2 65536 2\r\n",
            "PROXY TCP4 192.0.2.1 198.51.100.2 01 2\r\n",
            "PROXY TCP4 192.0.2.1 198.51.100.2 +1 2\r\n",
            "PROXY TCP4 192.0.2.1 198.51.100.2  2\r\n",
            "PROXY TCP4 192.0.2.1 198.51.100.2 1 \r\n",
            "PROXY TCP4 192.0.2.1  1 2\r\n",
            "PROXY TCP4  198.51.100.2 1 2\r\n",
            "PROXY TCP4 unix:/a 192.0.2.1 1 2\r\n",
            "PROXY TCP4 192.0.2.256 198.51.100.2 1 2\r\n",
            "PROXY TCP4 192.0.2.01 198.51.100.2 1 2\r\n",
            "PROXY TCP4 192.0.2 198.51.100.2 1 2\r\n",
            "PROXY TCP4 2001:db8::1 2001:db8::2 1 2\r\n",
            "PROXY TCP6 192.0.2.1 198.51.100.2 1 2\r\n",
            "PROXY TCP6 [2001:db8::1] ::1 1 2\r\n",
            "PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n",
            "PROXY UNKNOWN\n",
        ] {
            assert_refused(line.as_bytes(), MalformedLine);
        }
        assert_refused(b"PROXY TCP4 \xff\r\n", MalformedLine);
        assert_refused(b"PROXY TCP4 \xff 127.0.0.1 1 2\r\n", MalformedLine);
    }

    #[test]
    fn bytes_of_neither_version_are_refused_at_the_first_wrong_one() {
        for text in
            ["GET / HTTP/1.1\r\n", "PROXX", "PROXY\tTCP4", " PROXY", "\r\nPROXY", "\r\n\r\n\r"]
        {
            assert_refused(text.as_bytes(), Missing);
        }
        assert_eq!(parse(b"G"), Err(Missing));
        assert_eq!(parse(b""), Ok(Parse::NeedMore));
    }

    #[test]
    fn a_line_of_version_1_is_bounded() {
        let line = |bytes: usize| format!("PROXY UNKNOWN {}\r\n", "x".repeat(bytes - 16));
        assert_header(line(MAX_V1_BYTES - 1).as_bytes(), Source::Unknown);
        assert_header(line(MAX_V1_BYTES).as_bytes(), Source::Unknown);
        assert_refused(line(MAX_V1_BYTES + 1).as_bytes(), TooLong);
    }

    #[test]
    fn headers_of_version_2_are_read_at_every_prefix() {
        let tlv = [0x04, 0x00, 0x03, 1, 2, 3];
        for (header, source) in [
            (v2(0x21, 0x11, IPV4), Some("192.0.2.1:56324")),
            (v2(0x21, 0x11, &[IPV4, &tlv].concat()), Some("192.0.2.1:56324")),
            (v2(0x21, 0x21, &ipv6()), Some("[2001:db8::1]:56324")),
            (v2(0x21, 0x21, &[&ipv6()[..], &tlv, &tlv].concat()), Some("[2001:db8::1]:56324")),
            // Valid, but not TCP over IP.
            (v2(0x21, 0x00, &[]), None),
            (v2(0x21, 0x00, &tlv), None),
            (v2(0x21, 0x01, &[]), None),
            (v2(0x21, 0x10, IPV4), None),
            (v2(0x21, 0x12, IPV4), None),
            (v2(0x21, 0x22, &ipv6()), None),
            (v2(0x21, 0x31, &[b'/'; 216]), None),
            (v2(0x21, 0x32, &[b'/'; 216]), None),
        ] {
            assert_header(&header, client_or_unknown(source));
        }
        // The family and the addresses of LOCAL are ignored.
        for (family, payload) in [(0x00, &[][..]), (0x11, IPV4), (0x11, &[]), (0xff, &tlv)] {
            assert_header(&v2(0x20, family, payload), Source::Proxy);
        }
    }

    #[test]
    fn faulty_headers_of_version_2_are_refused() {
        for (header, error) in [
            (v2(0x11, 0x11, IPV4), UnknownVersion(1)),
            (v2(0x31, 0x11, IPV4), UnknownVersion(3)),
            (v2(0x22, 0x11, IPV4), UnknownCommand(2)),
            (v2(0x2f, 0x11, IPV4), UnknownCommand(15)),
            (v2(0x21, 0x41, IPV4), UnknownFamily(0x41)),
            (v2(0x21, 0x13, IPV4), UnknownFamily(0x13)),
            (v2(0x21, 0xff, IPV4), UnknownFamily(0xff)),
            (v2(0x21, 0x11, &IPV4[..11]), Truncated),
            (v2(0x21, 0x11, &[]), Truncated),
            (v2(0x21, 0x21, &ipv6()[..35]), Truncated),
            (v2(0x21, 0x21, IPV4), Truncated),
            (v2(0x21, 0x31, &[b'/'; 215]), Truncated),
        ] {
            assert_refused(&header, error);
        }
    }

    #[test]
    fn a_header_of_version_2_is_bounded() {
        let header = |bytes: usize| v2(0x21, 0x00, &vec![0; bytes - V2_FIXED_BYTES]);
        assert_header(&header(MAX_V2_BYTES - 1), Source::Unknown);
        assert_header(&header(MAX_V2_BYTES), Source::Unknown);
        assert_refused(&header(MAX_V2_BYTES + 1), TooLong);
        assert_refused(&header(V2_FIXED_BYTES + 65_535), TooLong);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(received in prop::collection::vec(any::<u8>(), 0..60)) {
            for start in [&b""[..], b"PROXY ", b"PROXY TCP4 ", V2_SIGNATURE, b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0"] {
                let received = [start, &received].concat();
                if let Ok(Parse::Done { length, .. }) = parse(&received) {
                    prop_assert!(length <= received.len());
                }
            }
        }

        #[test]
        fn any_source_is_read_from_both_versions(address: IpAddr, port: u16) {
            let (name, family, octets) = match address {
                IpAddr::V4(address) => ("TCP4", 0x11, address.octets().to_vec()),
                IpAddr::V6(address) => ("TCP6", 0x21, address.octets().to_vec()),
            };
            let line = format!("PROXY {name} {address} {address} {port} 80\r\n");
            let payload = [&octets[..], &octets, &port.to_be_bytes(), &[0, 80]].concat();
            for header in [line.into_bytes(), v2(0x21, family, &payload)] {
                let source = Source::Client(SocketAddr::new(address, port));
                prop_assert_eq!(parse(&header), Ok(Parse::Done { source, length: header.len() }));
            }
        }
    }
}
