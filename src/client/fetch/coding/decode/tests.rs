//! Encoded content in memory: complete, split at every point, truncated, corrupt and overlong.

use std::io::{BufReader, ErrorKind, Write as _};
use std::sync::LazyLock;

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use proptest::prelude::*;

use super::*;

/// The content as encoded by brotli and zstd (1.5.4, level 19; level 3 from a pipe), zstd with a checksum.
const BROTLI: &[u8] = b"\x1b\x18\xa4\xf8E'\xe7\x17\xfa\xbd%\x1cA\xb7\xafZ\x95Y\x82\xb9L>\xa0AN\
    \x1e'_l\xdeM\x00Q\xcf$|\xdb\x00";
const ZSTD: &[u8] = b"\x28\xb5\x2f\xfd\x64\x19\xa3\xfd\x00\x00\xb8Hello, world! The end.\n\x01\x00\
    \xff\xa3\xd0\xa7\x12\x95\xb2\x22\xc9";
const ZSTD_STREAM: &[u8] = b"\x28\xb5\x2f\xfd\x04\x58\xfd\x00\x00\xb8Hello, world! The end.\n\x01\
    \x00\xff\xa3\xd0\xa7\x12\x95\xb2\x22\xc9";
/// A skippable frame.
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

/// The content in every form that can be decoded.
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

/// The sizes of the buffers before and after a decoder.
#[derive(Clone, Copy, Debug)]
struct Buffers {
    input: usize,
    output: usize,
}

fn decode_in(coding: ContentCoding, coded: &[u8], buffers: Buffers) -> io::Result<Vec<u8>> {
    let source = BufReader::with_capacity(buffers.input, coded);
    let mut reader = decoder(coding, source).expect("there is a decoder");
    let (mut decoded, mut buffer) = (Vec::new(), vec![0; buffers.output]);
    loop {
        match reader.read(&mut buffer)? {
            0 => break,
            length => decoded.extend_from_slice(&buffer[..length]),
        }
    }
    assert_eq!(reader.read(&mut buffer)?, 0, "it ends once and for all");
    Ok(decoded)
}

fn decode(coding: ContentCoding, coded: &[u8]) -> io::Result<Vec<u8>> {
    decode_in(coding, coded, Buffers { input: usize::from(u16::MAX), output: 64 * 1024 })
}

#[test]
fn every_form_is_decoded_with_buffers_of_any_size() {
    let content = content();
    for (name, coding, coded) in coded() {
        for (input, output) in
            [(1, 1), (1, 1 << 16), (2, 3), (7, 1000), (100, 100), (1 << 16, 1 << 16)]
        {
            let decoded = decode_in(coding, &coded, Buffers { input, output }).unwrap();
            assert!(decoded == content, "{name} in {input} and {output}");
        }
    }
}

#[test]
fn truncated_content_fails_wherever_it_ends() {
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
                // A member or a frame has ended, and the content is complete.
                Ok(_) if name == "gzip members" && length >= between_members => {}
                Ok(_) if name == "zstd frames" && length >= SKIPPED.len() => {}
                Ok(_) => panic!("{name} to {length}"),
            }
        }
        assert_eq!(decode(coding, b"").unwrap(), b"", "an empty stream is empty content");
    }
}

#[test]
fn data_after_the_end_fails() {
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
fn corrupt_content_fails_or_is_decoded_to_the_same() {
    let content = content();
    for (name, coding, mut coded) in coded() {
        // The others have no checksum, or several parts, the first of which may seem to end early.
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
fn a_zstd_window_has_at_most_8_mib() {
    // The sixth byte describes the window, of 2^(10 + n / 8) bytes.
    for (descriptor, is_accepted) in [(13 << 3, true), (13 << 3 | 1, false), (17 << 3, false)] {
        let mut coded = ZSTD_STREAM.to_vec();
        coded[5] = descriptor;
        assert_eq!(decode(ContentCoding::Zstd, &coded).is_ok(), is_accepted, "{descriptor}");
    }
}

#[test]
fn other_codings_have_no_decoder() {
    for coding in [ContentCoding::Compress, ContentCoding::Other("exi")] {
        assert!(decoder(coding, &b""[..]).is_none());
    }
}

/// Made once, as encoding takes longer than the test.
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
        let _ = decode_in(coding, &coded, Buffers { input: 1 << 16, output: 1 << 16 });
        let _ = decode(coding, &tail);
    }
}
