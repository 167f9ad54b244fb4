//! The media type and the content coding of a file, by the extension of its name (RFC 9110 §8.3, §8.4).
//!
//! Corrects the table of `mime_guess`, and decides which types have a charset parameter.

use std::borrow::Cow;

use crate::http::Coding;

/// The type of unknown binary content (RFC 2046 §4.5.1).
pub(super) const OCTET_STREAM: &str = "application/octet-stream";

/// Common types with their charset, so that they need no allocation.
const WITH_CHARSET: [(&str, &str); 6] = [
    ("text/html", "text/html; charset=utf-8"),
    ("text/plain", "text/plain; charset=utf-8"),
    ("text/css", "text/css; charset=utf-8"),
    ("text/javascript", "text/javascript; charset=utf-8"),
    ("text/markdown", "text/markdown; charset=utf-8"),
    ("text/csv", "text/csv; charset=utf-8"),
];

/// The media type of a file of this name, without parameters; `None` if the extension is unknown.
#[must_use]
pub(super) fn media_type(name: &[u8]) -> Option<&'static str> {
    essence(extension(name)?)
}

/// Whether `Content-Type` gives the charset of this type. Text has one, except XML: it would override
/// the declaration in the file (RFC 7303 §3.2). JSON has none (RFC 8259 §11).
pub(super) fn has_charset(media_type: &str) -> bool {
    media_type.starts_with("text/") && media_type != "text/xml"
}

/// The value of `Content-Type` for UTF-8 text of this type.
pub(super) fn with_utf8(media_type: &'static str) -> Cow<'static, str> {
    match WITH_CHARSET.iter().find(|(known, _)| *known == media_type) {
        Some((_, value)) => Cow::Borrowed(value),
        None => Cow::Owned(format!("{media_type}; charset=utf-8")),
    }
}

/// The content coding of a file of this name: `drawing.svgz` is an SVG drawing, coded with gzip.
///
/// Only for extensions with the type of the decoded content. `archive.tgz` has the type of the
/// compressed file, which clients save as it is.
#[must_use]
pub(super) fn coding(name: &[u8]) -> Coding {
    const GZIPPED: [&str; 5] = ["emz", "svgz", "wrz", "x3dvz", "x3dz"];
    match extension(name) {
        Some(extension) if GZIPPED.iter().any(|known| known.eq_ignore_ascii_case(extension)) => {
            Coding::Gzip
        }
        _ => Coding::Identity,
    }
}

/// Whether compression can shorten a file of this type; true for unknown types. Most images, audio, video
/// and archives are compressed already.
#[must_use]
pub(super) fn is_compressible(content_type: &str) -> bool {
    const COMPRESSED: [&str; 12] = [
        "application/epub+zip",
        "application/gzip",
        "application/java-archive",
        "application/x-7z-compressed",
        "application/x-bzip2",
        "application/x-rar-compressed",
        "application/x-rpm",
        "application/x-xz",
        "application/zip",
        "application/zstd",
        "font/woff",
        "font/woff2",
    ];
    const UNCOMPRESSED_IMAGES: [&str; 3] = ["image/bmp", "image/svg+xml", "image/x-icon"];
    match content_type.split_once('/') {
        Some(("audio" | "video", _)) => false,
        Some(("image", _)) => UNCOMPRESSED_IMAGES.contains(&content_type),
        _ => !COMPRESSED.contains(&content_type),
    }
}

/// The part of a name after its last dot.
fn extension(name: &[u8]) -> Option<&str> {
    let dot = name.iter().rposition(|byte| *byte == b'.')?;
    std::str::from_utf8(&name[dot + 1..]).ok()
}

/// The type and subtype for an extension.
fn essence(extension: &str) -> Option<&'static str> {
    /// Types that are obsolete, wrong or missing in `mime_guess`.
    const CORRECTIONS: [(&str, &str); 13] = [
        ("cjs", "text/javascript"),
        ("mjs", "text/javascript"),
        ("ts", "video/mp2t"),
        ("map", "application/json"),
        ("zst", "application/zstd"),
        ("br", OCTET_STREAM),
        ("woff", "font/woff"),
        ("otf", "font/otf"),
        ("tgz", "application/gzip"),
        ("rpm", "application/x-rpm"),
        ("m3u8", "application/vnd.apple.mpegurl"), // RFC 8216 §4
        ("m4a", "audio/mp4"),
        ("emz", "image/emf"),
    ];
    let corrected = CORRECTIONS.iter().find(|(known, _)| known.eq_ignore_ascii_case(extension));
    match corrected {
        Some((_, essence)) => Some(essence),
        None => mime_guess::from_ext(extension).first_raw(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_extension_of_a_name_gives_the_type() {
        for (name, expected) in [
            ("index.html", Some("text/html")),
            ("INDEX.HTM", Some("text/html")),
            ("file1.txt", Some("text/plain")),
            ("style.css", Some("text/css")),
            ("app.js", Some("text/javascript")),
            ("app.mjs", Some("text/javascript")),
            ("app.CJS", Some("text/javascript")),
            ("table.csv", Some("text/csv")),
            ("readme.md", Some("text/markdown")),
            ("captions.vtt", Some("text/vtt")),
            ("a.b.c.json", Some("application/json")),
            ("app.js.map", Some("application/json")),
            ("feed.xml", Some("text/xml")),
            ("drawing.svg", Some("image/svg+xml")),
            ("drawing.svgz", Some("image/svg+xml")),
            ("drawing.emz", Some("image/emf")),
            ("app.webmanifest", Some("application/manifest+json")),
            ("film.m3u8", Some("application/vnd.apple.mpegurl")),
            ("film.mkv", Some("video/x-matroska")),
            ("film.m4v", Some("video/x-m4v")),
            ("song.m4a", Some("audio/mp4")),
            ("song.flac", Some("audio/flac")),
            ("song.opus", Some("audio/ogg")),
            ("photo.avif", Some("image/avif")),
            ("photo.jxl", Some("image/jxl")),
            ("photo.jpeg", Some("image/jpeg")),
            ("module.wasm", Some("application/wasm")),
            ("film.ts", Some("video/mp2t")),
            ("font.woff", Some("font/woff")),
            ("font.otf", Some("font/otf")),
            ("font.woff2", Some("font/woff2")),
            ("archive.tar.gz", Some("application/gzip")),
            ("archive.tgz", Some("application/gzip")),
            ("package.rpm", Some("application/x-rpm")),
            ("archive.tar.zst", Some("application/zstd")),
            ("document.pdf", Some("application/pdf")),
            ("Makefile", None),
            ("a.unheard-of", None),
            ("trailing.", None),
            ("", None),
        ] {
            assert_eq!(media_type(name.as_bytes()), expected, "{name:?}");
        }
        assert_eq!(media_type(b"a.\xff\xfe"), None);
    }

    #[test]
    fn the_extension_of_a_name_gives_the_coding() {
        for (name, expected) in [
            ("drawing.svgz", Coding::Gzip),
            ("DRAWING.SVGZ", Coding::Gzip),
            ("drawing.emz", Coding::Gzip),
            ("scene.wrz", Coding::Gzip),
            ("scene.x3dz", Coding::Gzip),
            ("drawing.svg", Coding::Identity),
            ("archive.tgz", Coding::Identity),
            ("app.js.gz", Coding::Identity),
            ("svgz", Coding::Identity),
            ("", Coding::Identity),
        ] {
            assert_eq!(coding(name.as_bytes()), expected, "{name:?}");
        }
    }

    #[test]
    fn the_type_tells_whether_a_file_is_compressed_already() {
        for (name, expected) in [
            ("index.html", true),
            ("app.js", true),
            ("data.json", true),
            ("drawing.svg", true),
            ("favicon.ico", true),
            ("scan.bmp", true),
            ("module.wasm", true),
            ("font.ttf", true),
            ("archive.tar", true),
            ("data.bin", true),
            ("document.pdf", true),
            ("photo.jpeg", false),
            ("photo.avif", false),
            ("screen.png", false),
            ("font.woff", false),
            ("font.woff2", false),
            ("song.mp3", false),
            ("film.mp4", false),
            ("a.zip", false),
            ("a.tgz", false),
            ("a.rpm", false),
            ("a.tar.bz2", false),
            ("a.tar.xz", false),
            ("a.tar.zst", false),
            ("a.7z", false),
            ("a.rar", false),
            ("a.jar", false),
            ("book.epub", false),
        ] {
            let media_type = media_type(name.as_bytes()).unwrap();
            assert_eq!(is_compressible(media_type), expected, "{name}: {media_type}");
        }
        assert!(is_compressible(OCTET_STREAM), "an unknown type");
    }

    #[test]
    fn text_has_a_charset_and_other_types_have_none() {
        for (name, expected) in [
            ("a.html", true),
            ("a.txt", true),
            ("a.js", true),
            ("a.vtt", true),
            ("a.xml", false),
            ("a.json", false),
            ("a.svg", false),
            ("a.png", false),
        ] {
            let media_type = media_type(name.as_bytes()).unwrap();
            assert_eq!(has_charset(media_type), expected, "{name}");
            assert_eq!(with_utf8(media_type), format!("{media_type}; charset=utf-8"));
        }
        for (media_type, _) in WITH_CHARSET {
            assert!(
                matches!(with_utf8(media_type), Cow::Borrowed(_)),
                "common types need no allocation"
            );
        }
    }
}
