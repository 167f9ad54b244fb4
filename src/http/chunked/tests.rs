//! The chunked coding: every split, every malformed form, every limit.

use proptest::prelude::*;

use super::*;

fn decode_pieces(pieces: &[&[u8]]) -> Result<Option<(Vec<u8>, usize)>, ChunkError> {
    decode_with(ChunkDecoder::default(), pieces)
}

/// The content and the length of the body in bytes; `None` if the body is incomplete.
fn decode_with(
    mut decoder: ChunkDecoder,
    pieces: &[&[u8]],
) -> Result<Option<(Vec<u8>, usize)>, ChunkError> {
    let (mut content, mut length) = (Vec::new(), 0);
    for piece in pieces {
        let mut input = *piece;
        while !input.is_empty() && !decoder.is_complete() {
            let Decoded { consumed, data } = decoder.decode(input)?;
            content.extend_from_slice(data);
            length += consumed;
            input = &input[consumed..];
        }
    }
    Ok(decoder.is_complete().then_some((content, length)))
}

fn decode(body: &[u8]) -> Result<Option<(Vec<u8>, usize)>, ChunkError> {
    decode_pieces(&[body])
}

const BODY: &[u8] = b"4;a=\"b\"\r\nWiki\r\n00a\r\npedia in\r\n\r\n0\r\nTrailer: x\r\n\r\nnext";

#[test]
fn every_prefix_waits_and_every_split_gives_the_same_content() {
    let length = BODY.len() - "next".len();
    let whole = Ok(Some((b"Wikipedia in\r\n".to_vec(), length)));
    for split in 0..BODY.len() {
        let (one, two) = BODY.split_at(split);
        assert_eq!(decode_pieces(&[one, two]), whole);
        let expected = if split < length { Ok(None) } else { whole.clone() };
        assert_eq!(decode(one), expected, "prefix of {split}");
    }
    assert_eq!(decode_pieces(&BODY.chunks(1).collect::<Vec<_>>()), whole);
}

#[test]
fn malformed_bodies_are_refused() {
    use ChunkError::{Field, LineEnding, Size};
    for (body, error) in [
        (&b"\r\n"[..], Size),
        (b"x\r\n", Size),
        (b"+4\r\n", Size),
        (b"-4\r\n", Size),
        (b"0x4\r\n", Size),
        (b" 4\r\n", Size),
        (b";a\r\n", Size),
        (b"4\nWiki\r\n", Size),
        (b"10000000000000000\r\n", Size),
        (b"4\rWiki", LineEnding),
        (b"4\r\r\n", LineEnding),
        (b"4\r\nWikipedia", LineEnding),
        (b"4\r\nWiki\n0\r\n\r\n", LineEnding),
        (b"0\r\n\n", Field),
        (b"0\r\nA: b\n", Field),
        (b"0\r\n\rX", LineEnding),
        (b"4;a\0\r\n", Field),
        (b"4;a\n", Field),
        (b"4 \r\n", Size),
        (b"4 4\r\n", Size),
        (b"4\t ;a\n", Field),
        (b"000000000000000000000000000000000\r\n", Size),
        (b"0\r\nGET / HTTP/1.1\r\n\r\n", Field),
        (b"0\r\nA\r\n\r\n", Field),
        (b"0\r\nA : b\r\n\r\n", Field),
        (b"0\r\n: b\r\n\r\n", Field),
        (b"0\r\nA: b\r\n folded\r\n\r\n", Field),
        (b"0\r\nA: b\r\r\n\r\n", LineEnding),
        (b"0\r\nA: b\rc\r\n\r\n", LineEnding),
    ] {
        assert_eq!(decode(body), Err(error), "{}", body.escape_ascii());
    }
}

#[test]
fn responses_may_have_any_skipped_bytes_and_padded_sizes() {
    for body in [
        &b"4 \r\nWiki\r\n0\r\n\r\n"[..],
        b"4   \t\r\nWiki\r\n0  \r\n\r\n",
        b"4 ; a\r\nWiki\r\n0\r\n\r\n",
        b"4;a\0\x01\xff\r\nWiki\r\n0;\x7f\r\n\r\n",
        b"4\r\nWiki\r\n0\r\nA : b\r\n\r\n",
        b"4\r\nWiki\r\n0\r\nA: \0b\r\n folded\r\n(: x\r\nno colon\r\n\r\n",
        b"4\r\nWiki\r\n0\r\nA: b\rc\r\r\n\r\n",
        b"4\nWiki\n0\n\n",
        b"4\r\nWiki\n0\r\n\n",
        b"4 \nWiki\r\n0;a\n\r\n",
        b"4;a\nWiki\r\n0\nA: b\nc\r\n\n",
    ] {
        let expected = Ok(Some((b"Wiki".to_vec(), body.len())));
        for split in 0..body.len() {
            let (one, two) = body.split_at(split);
            let decoded = decode_with(ChunkDecoder::of_response(), &[one, two]);
            assert_eq!(decoded, expected, "{} at {split}", body.escape_ascii());
            let begun = decode_with(ChunkDecoder::of_response(), &[one]);
            assert_eq!(begun, Ok(None), "{} up to {split}", body.escape_ascii());
        }
        let refused = decode(body);
        assert!(refused.is_err() || body[2] == b';', "{}", body.escape_ascii());
    }
}

#[test]
fn sizes_and_line_ends_of_responses_are_strict() {
    use ChunkError::{LineEnding, Size};
    for (body, error) in [
        (&b"\r\n"[..], Size),
        (b"\n", Size),
        (b" 4\r\nWiki\r\n", Size),
        (b"\n4\nWiki\n", Size),
        (b"+4\r\n", Size),
        (b"0x4\r\n", Size),
        (b"4x\r\n", Size),
        (b"4 4\r\n", Size),
        (b"4 \0\r\n", Size),
        (b"4\0\r\n", Size),
        (b"10000000000000000\r\n", Size),
        (b"4\rWiki", LineEnding),
        (b"4;a\rb\r\n", LineEnding),
        (b"4\r\nWikipedia", LineEnding),
        (b"4\nWikip\n", LineEnding),
        (b"4\nWik\n\n\n0\n\n", Size),
        (b"0\r\n\rX", LineEnding),
    ] {
        let decoded = decode_with(ChunkDecoder::of_response(), &[body]);
        assert_eq!(decoded, Err(error), "{}", body.escape_ascii());
    }
}

#[test]
fn the_extensions_of_a_response_are_bounded_for_each_chunk() {
    let padded = |blanks: usize, chunks: usize| {
        let chunk = [b"1", &b" ".repeat(blanks)[..], b"\r\nx\r\n"].concat();
        let body = [&chunk.repeat(chunks)[..], b"0\r\n\r\n"].concat();
        decode_with(ChunkDecoder::of_response(), &[&body]).map(|body| body.unwrap().0.len())
    };
    assert_eq!(padded(MAX_EXTENSION_BYTES, 3), Ok(3));
    assert_eq!(padded(MAX_EXTENSION_BYTES + 1, 1), Err(ChunkError::TooLarge));
    assert_eq!(padded(5, 10_000), Ok(10_000));
}

#[test]
fn sizes_reach_64_bits() {
    let mut decoder = ChunkDecoder::default();
    decoder.decode(b"ffffffffffffffff\r\n").unwrap();
    assert_eq!(decoder.remaining, u64::MAX);
    assert!(decode(b"0000000000000000000001\r\nx\r\n0 ;a\r\n\r\n").unwrap().is_some());
}

#[test]
fn extensions_and_trailers_are_bounded() {
    let extension = |bytes: usize| [b"1", &vec![b';'; bytes][..], b"\r\nx\r\n0\r\n\r\n"].concat();
    assert!(decode(&extension(MAX_EXTENSION_BYTES)).unwrap().is_some());
    assert_eq!(decode(&extension(MAX_EXTENSION_BYTES + 1)), Err(ChunkError::TooLarge));
    let trailer = |bytes: usize| [b"0\r\nA:", &vec![b't'; bytes - 2][..], b"\r\n\r\n"].concat();
    for (decoder, limit) in [
        (ChunkDecoder::default(), MAX_TRAILER_BYTES),
        (ChunkDecoder::of_response(), MAX_RESPONSE_TRAILER_BYTES),
    ] {
        assert!(decode_with(decoder, &[&trailer(limit)]).unwrap().is_some());
        let beyond = decode_with(decoder, &[&trailer(limit + 1)]);
        assert_eq!(beyond, Err(ChunkError::TooLarge));
    }
}

proptest! {
    #[test]
    fn an_encoded_body_is_decoded_at_every_split(
        chunks in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..40), 0..5),
        piece in 1_usize..50,
    ) {
        let mut body = Vec::new();
        for chunk in &chunks {
            body.extend_from_slice(format!("{:X}\r\n", chunk.len()).as_bytes());
            body.extend_from_slice(chunk);
            body.extend_from_slice(b"\r\n");
        }
        body.extend_from_slice(b"0\r\n\r\n");
        let length = body.len();
        let pieces: Vec<&[u8]> = body.chunks(piece).collect();
        prop_assert_eq!(decode_pieces(&pieces), Ok(Some((chunks.concat(), length))));
    }

    #[test]
    fn no_bytes_make_the_decoder_panic(body: Vec<u8>, split in 0_usize..100) {
        let (one, two) = body.split_at(split.min(body.len()));
        prop_assert_eq!(decode_pieces(&[one, two]), decode(&body));
        let of_response = |pieces: &[&[u8]]| decode_with(ChunkDecoder::of_response(), pieces);
        prop_assert_eq!(of_response(&[one, two]), of_response(&[&body]));
    }
}
