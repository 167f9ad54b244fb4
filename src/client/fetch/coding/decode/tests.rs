//! Coded contents in memory: whole, at every split, cut at every point, damaged, overlong.

use std::io::{BufReader, ErrorKind, Write as _};
use std::sync::LazyLock;

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use proptest::prelude::*;

use super::*;

/// 42,009 bytes as brotli and zstd (1.5.4, level 19; level 3 from a pipe) have them, zstd with a checksum.
const BROTLI: &[u8] = b"\x1b\x18\xa4\xf8E'\xe7\x17\xfa\xbd%\x1cA\xb7\xafZ\x95Y\x82\xb9L>\xa0AN\
    \x1e'_l\xdeM\x00Q\xcf$|\xdb\x00";
const ZSTD: &[u8] = b"\x28\xb5\x2f\xfd\x64\x19\xa3\xfd\x00\x00\xb8Hello, world! The end.\n\x01\x00\
    \xff\xa3\xd0\xa7\x12\x95\xb2\x22\xc9";
const ZSTD_STREAM: &[u8] = b"\x28\xb5\x2f\xfd\x04\x58\xfd\x00\x00\xb8Hello, world! The end.\n\x01\
    \x00\xff\xa3\xd0\xa7\x12\x95\xb2\x22\xc9";
/// An empty frame that is skipped.
const SKIPPED: &[u8] = b"\x53\x2a\x4d\x18\x03\x00\x00\x00abc";

fn content() -> Vec<u8> {
    let mut content = b"Hello, world! ".repeat(3000);
    content.extend_from_slice(b"The end.\n");
    content
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

fn zlib(content: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

fn raw_deflate(content: &[u8], level: Compression) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), level);
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

/// The content in every form that is decoded.
fn coded() -> Vec<(&'static str, ContentCoding, Vec<u8>)> {
    use ContentCoding::{Brotli, Deflate, Gzip, Zstd};
    let content = content();
    let (one, two) = content.split_at(1000);
    let fastest = ruzstd::encoding::CompressionLevel::Fastest;
    let zstd = |content: &[u8]| ruzstd::encoding::compress_to_vec(content, fastest);
    vec![
        ("gzip", Gzip, gzip(&content)),
        ("gzip members", Gzip, [gzip(one), gzip(b""), gzip(two)].concat()),
        ("zlib", Deflate, zlib(&content)),
        ("raw deflate", Deflate, raw_deflate(&content, Compression::default())),
        ("stored deflate", Deflate, raw_deflate(&content, Compression::none())),
        ("brotli", Brotli, BROTLI.to_vec()),
        ("zstd", Zstd, ZSTD.to_vec()),
        ("zstd with a checksum", Zstd, ZSTD_STREAM.to_vec()),
        ("zstd frames", Zstd, [zstd(one), SKIPPED.to_vec(), zstd(two), SKIPPED.to_vec()].concat()),
    ]
}

/// Decodes bytes that come `piece` at a time, into room for `room`.
fn decode_in(
    coding: ContentCoding,
    coded: &[u8],
    (piece, room): (usize, usize),
) -> io::Result<Vec<u8>> {
    let source = BufReader::with_capacity(piece, coded);
    let mut reader = decoder(coding, source).expect("there is a decoder");
    let (mut decoded, mut buffer) = (Vec::new(), vec![0; room]);
    loop {
        match reader.read(&mut buffer)? {
            0 => break,
            length => decoded.extend_from_slice(&buffer[..length]),
        }
    }
    assert_eq!(reader.read(&mut buffer)?, 0, "the end stays the end");
    Ok(decoded)
}

fn decode(coding: ContentCoding, coded: &[u8]) -> io::Result<Vec<u8>> {
    decode_in(coding, coded, (usize::from(u16::MAX), 64 * 1024))
}

#[test]
fn every_form_is_decoded_however_its_bytes_come() {
    let content = content();
    for (name, coding, coded) in coded() {
        for pieces in [(1, 1), (1, 1 << 16), (2, 3), (7, 1000), (100, 100), (1 << 16, 1 << 16)] {
            let decoded = decode_in(coding, &coded, pieces).unwrap();
            assert!(decoded == content, "{name} in {pieces:?}");
        }
    }
}

#[test]
fn what_ends_early_fails_wherever_it_ends() {
    let between_members = gzip(&content()[..1000]).len();
    for (name, coding, coded) in coded() {
        for length in 1..coded.len() {
            match decode(coding, &coded[..length]) {
                Err(error) => {
                    assert_eq!(
                        error.kind(),
                        ErrorKind::UnexpectedEof,
                        "{name} to {length}: {error}"
                    );
                }
                // There it is whole: a member or a frame has ended.
                Ok(_) if name == "gzip members" && length >= between_members => {}
                Ok(_) if name == "zstd frames" && length >= SKIPPED.len() => {}
                Ok(_) => panic!("{name} to {length}"),
            }
        }
        assert_eq!(decode(coding, b"").unwrap(), b"", "nothing is an empty content");
    }
}

#[test]
fn what_goes_on_behind_its_end_fails() {
    for (name, coding, coded) in coded() {
        for tail in [&b"\n"[..], b"\0", b"HTTP/1.1 200 OK\r\n\r\n"] {
            let error = decode(coding, &[&coded, tail].concat()).unwrap_err();
            assert!(
                error.kind() == ErrorKind::InvalidData || coding == ContentCoding::Zstd,
                "{name}: {error}"
            );
        }
    }
}

#[test]
fn what_is_damaged_fails_or_is_the_same_as_before() {
    let content = content();
    for (name, coding, mut coded) in coded() {
        // The others have none, or more than one part, of which the first may seem to be another's.
        let has_checksum = matches!(name, "gzip" | "zlib" | "zstd with a checksum");
        for at in 0..coded.len().min(300) {
            for bit in 0..8 {
                coded[at] ^= 1 << bit;
                let decoded = decode(coding, &coded);
                coded[at] ^= 1 << bit;
                if let Ok(decoded) = decoded
                    && has_checksum
                {
                    assert!(decoded == content, "{name}: bit {bit} of byte {at}");
                }
            }
        }
    }
    for (coding, coded) in [
        (ContentCoding::Gzip, &b"plain"[..]),
        (ContentCoding::Gzip, b"\x1f\x8b\x07\0\0\0\0\0\0\0\0\0\0\0\0"),
        (ContentCoding::Deflate, b"plain text that is not deflated"),
        (ContentCoding::Brotli, b"\xff\xff\xff\xff\xff"),
        (ContentCoding::Zstd, b"plain"),
    ] {
        assert!(decode(coding, coded).is_err(), "{}", coded.escape_ascii());
    }
}

#[test]
fn a_zstd_window_is_no_larger_than_on_the_web() {
    // The window's descriptor is the sixth byte: 2^(10 + n / 8) bytes.
    for (descriptor, is_taken) in [(13 << 3, true), (13 << 3 | 1, false), (17 << 3, false)] {
        let mut coded = ZSTD_STREAM.to_vec();
        coded[5] = descriptor;
        assert_eq!(decode(ContentCoding::Zstd, &coded).is_ok(), is_taken, "{descriptor}");
    }
}

#[test]
fn there_is_no_decoder_for_what_is_not_decoded() {
    for coding in [ContentCoding::Compress, ContentCoding::Other("exi")] {
        assert!(decoder(coding, &b""[..]).is_none());
    }
}

/// Made once, since coding takes longer than what is tested.
static CODED: LazyLock<Vec<(&'static str, ContentCoding, Vec<u8>)>> = LazyLock::new(coded);

proptest! {
    #[test]
    fn no_bytes_make_a_decoder_panic(
        which in 0_usize..9,
        changes in proptest::collection::vec((0_usize..400, any::<u8>()), 0..8),
        tail: Vec<u8>,
    ) {
        let (_, coding, mut coded) = CODED[which].clone();
        for (at, byte) in changes {
            let at = at % coded.len();
            coded[at] = byte;
        }
        coded.extend_from_slice(&tail);
        let _ = decode_in(coding, &coded, (1 << 16, 1 << 16));
        let _ = decode(coding, &tail);
    }
}
