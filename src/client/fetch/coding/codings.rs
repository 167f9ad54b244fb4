//! Which content codings of an answer are undone, and which belong to the file.
//!
//! A server that knows `x.tar.gz` by its name may call it a tar archive in the coding gzip (Apache's
//! `AddEncoding x-gzip .gz`): the coding is then the format of the file, which is saved byte for byte, as
//! from any server that says nothing. What else is coded is decoded on the way.

use url::Url;

use crate::client::error::FetchError;
use crate::client::plan::job::Job;
use crate::client::plan::url_name;
use crate::client::settings::MAX_CODINGS;
use crate::http::content_disposition::suggested_name;
use crate::http::{ContentCoding, Fields};

/// The codings that are undone, in the order in which they were applied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Codings([Option<ContentCoding>; MAX_CODINGS]);

impl Codings {
    pub(crate) fn is_empty(self) -> bool {
        self == Self::default()
    }

    /// One of them has a window of megabytes.
    pub(crate) fn has_large_window(self) -> bool {
        use ContentCoding::{Brotli, Zstd};
        self.outermost_first().any(|coding| matches!(coding, Brotli | Zstd))
    }

    /// In the order in which they are undone.
    pub(crate) fn outermost_first(self) -> impl Iterator<Item = ContentCoding> {
        self.0.into_iter().rev().flatten()
    }
}

/// What is known of a file's format: the names that it goes by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Names<'j> {
    pub(crate) job: &'j Job,
    /// Where the job's URL leads.
    pub(crate) redirected_to: Option<&'j Url>,
}

impl Names<'_> {
    /// Whether the file is coded by its format, as far as its names say before anything was asked.
    pub(crate) fn are_of_coded_file(self) -> bool {
        use ContentCoding::{Brotli, Compress, Gzip, Zstd};
        [Gzip, Brotli, Zstd, Compress].into_iter().any(|coding| self.are_of(coding))
    }

    fn are_of(self, coding: ContentCoding) -> bool {
        let urls = self.redirected_to.into_iter().chain([&self.job.url]);
        is_format_of_name(coding, &self.job.file_name)
            || urls.map(url_name::from_url).any(|name| is_format_of_name(coding, &name))
    }
}

/// The codings of an answer that are undone, and whether another one is the file's own format.
///
/// # Errors
/// One of them cannot be undone, or there are too many.
pub(crate) fn to_undo(
    fields: &Fields<'_>,
    names: Names<'_>,
) -> Result<(Codings, bool), FetchError> {
    let mut codings = ContentCoding::list(fields).peekable();
    // What is inside all others was there first.
    let is_own = |coding: &ContentCoding| {
        let content_type = fields.only("Content-Type").unwrap_or_default();
        let suggested = fields.only("Content-Disposition").and_then(suggested_name);
        names.are_of(*coding)
            || is_format_of_type(*coding, content_type)
            || suggested.is_some_and(|name| is_format_of_name(*coding, &name))
    };
    let has_own = codings.next_if(is_own).is_some();
    let mut undone = Codings::default();
    for (index, coding) in codings.enumerate() {
        if matches!(coding, ContentCoding::Compress | ContentCoding::Other(_)) {
            return Err(FetchError::UnsupportedCoding(coding.token()));
        }
        *undone.0.get_mut(index).ok_or(FetchError::TooManyCodings)? = Some(coding);
    }
    Ok((undone, has_own))
}

/// Whether a file of this name is in this format, as far as its extensions say. The last one says it, and
/// so does one in front of another if it means nothing else: Apache (`mod_mime`, "Files with Multiple
/// Extensions") calls `x.tar.gz.asc` coded as well, which is a signature and no gzip at all, but
/// `messages.br.json` is in Breton.
fn is_format_of_name(coding: ContentCoding, name: &str) -> bool {
    let (anywhere, at_the_end) = extensions(coding);
    let is_among =
        |known: &[&str], found: &str| known.iter().any(|k| found.eq_ignore_ascii_case(k));
    let Some((front, last)) = name.rsplit_once('.') else { return false };
    is_among(at_the_end, last)
        || is_among(anywhere, last)
        || front.split('.').skip(1).any(|extension| is_among(anywhere, extension))
}

/// The extensions of files in this format: those that mean nothing else, and those that in front of
/// another extension may be a language, a country, a coordinate, or the subject of the file.
fn extensions(coding: ContentCoding) -> (&'static [&'static str], &'static [&'static str]) {
    match coding {
        ContentCoding::Gzip => (
            &["gz", "tgz", "taz", "svgz", "emz", "wmz", "wrz", "x3dz", "x3dvz", "vgz"],
            &["tz", "gzip", "dz", "z"],
        ),
        ContentCoding::Brotli => (&["tbr"], &["br"]),
        ContentCoding::Zstd => (&["zst", "tzst"], &["zstd"]),
        // No `z` beside this coding is a coordinate: nothing on the web is coded with it.
        ContentCoding::Compress => (&["z", "taz"], &["tz"]),
        ContentCoding::Deflate | ContentCoding::Other(_) => (&[], &[]),
    }
}

/// Whether a media type is that of files in this format; parameters are ignored. `+gzip` and `+zstd` are
/// structured suffixes (RFC 6839, RFC 8878).
fn is_format_of_type(coding: ContentCoding, value: &[u8]) -> bool {
    let essence = value.split(|byte| *byte == b';').next().unwrap_or_default();
    let essence = essence.trim_ascii().to_ascii_lowercase();
    let (types, suffix): (&[&str], &str) = match coding {
        ContentCoding::Gzip => (
            &[
                "application/gzip",
                "application/x-gzip",
                "application/gzip-compressed",
                "application/gzipped",
                "application/x-gunzip",
                "application/x-tgz",
                "application/x-gtar-compressed",
                "application/x-compressed-tar",
                "application/x-compressed",
                "image/svg+xml-compressed",
            ],
            "+gzip",
        ),
        ContentCoding::Brotli => (&["application/x-brotli", "application/brotli"], "+br"),
        ContentCoding::Zstd => (
            &["application/zstd", "application/x-zstd", "application/x-zstd-compressed-tar"],
            "+zstd",
        ),
        ContentCoding::Compress => (&["application/x-compress"], "+compress"),
        ContentCoding::Deflate | ContentCoding::Other(_) => return false,
    };
    types.iter().any(|known| essence == known.as_bytes()) || essence.ends_with(suffix.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::test_fields::with_fields;

    /// What is undone of the answer to this URL, outermost first, and whether one is the file's own.
    fn found(url: &str, lines: &[&str]) -> Result<(Vec<&'static str>, bool), String> {
        let url = Url::parse(url).unwrap();
        let job = Job {
            file_name: url_name::from_url(&url),
            url,
            credentials: None,
            checksum: None,
            is_name_chosen: false,
        };
        let names = Names { job: &job, redirected_to: None };
        let (codings, is_own) = with_fields(lines, |fields| to_undo(fields, names))
            .map_err(|error| error.to_string())?;
        Ok((codings.outermost_first().map(ContentCoding::token).collect(), is_own))
    }

    #[test]
    fn a_coding_that_is_the_files_own_format_is_kept_and_others_are_undone() {
        for (url, lines, undone, is_own) in [
            ("http://a/x.txt", &[][..], &[][..], false),
            ("http://a/x.txt", &["Content-Encoding: gzip"], &["gzip"], false),
            ("http://a/x.txt", &["Content-Encoding: gzip, br"], &["br", "gzip"], false),
            ("http://a/x.txt", &["Content-Encoding: utf-8, aws-chunked"], &[], false),
            ("http://a/x.tar.gz", &["Content-Encoding: x-gzip"], &[], true),
            ("http://a/X.TGZ?y", &["Content-Encoding: gzip"], &[], true),
            ("http://a/x.svgz", &["Content-Encoding: GZIP"], &[], true),
            ("http://a/x.wrz", &["Content-Encoding: gzip"], &[], true),
            ("http://a/x.tz", &["Content-Encoding: gzip"], &[], true),
            ("http://a/x.tar.Z", &["Content-Encoding: x-compress"], &[], true),
            ("http://a/x.br", &["Content-Encoding: br"], &[], true),
            ("http://a/x.tar.zst", &["Content-Encoding: zstd"], &[], true),
            ("http://a/x.tar.gz", &["Content-Encoding: gzip, br"], &["br"], true),
            ("http://a/x.tar.gz", &["Content-Encoding: gzip, gzip"], &["gzip"], true),
            ("http://a/x.tar.gz", &["Content-Encoding: br"], &["br"], false),
            ("http://a/x.tar.gz.asc", &["Content-Encoding: x-gzip"], &[], true),
            ("http://a/x.tgz.1?y", &["Content-Encoding: gzip"], &[], true),
            ("http://a/x.svgz.bak", &["Content-Encoding: gzip"], &[], true),
            ("http://a/x.tar.zst.sig", &["Content-Encoding: zstd"], &[], true),
            ("http://a/x.tar.Z.asc", &["Content-Encoding: x-compress"], &[], true),
            ("http://a/x.tbr.sig", &["Content-Encoding: br"], &[], true),
            ("http://a/x.tar.br", &["Content-Encoding: br"], &[], true),
            ("http://a/messages.br.json", &["Content-Encoding: br"], &["br"], false),
            ("http://a/zones.tz.json", &["Content-Encoding: gzip"], &["gzip"], false),
            ("http://a/messages.dz.po", &["Content-Encoding: gzip"], &["gzip"], false),
            ("http://a/points.z.csv", &["Content-Encoding: gzip"], &["gzip"], false),
            ("http://a/speed.gzip.csv", &["Content-Encoding: gzip"], &["gzip"], false),
            ("http://a/speed.zstd.csv", &["Content-Encoding: zstd"], &["zstd"], false),
            ("http://a/x.tz.gz", &["Content-Encoding: gzip"], &[], true),
            ("http://a/.gz", &["Content-Encoding: gzip"], &[], true),
            ("http://a/gz.asc", &["Content-Encoding: gzip"], &["gzip"], false),
            ("http://a/x.gzz.gzi", &["Content-Encoding: gzip"], &["gzip"], false),
            ("http://a/gz.txt", &["Content-Encoding: gzip"], &["gzip"], false),
            ("http://a/gz", &["Content-Encoding: gzip"], &["gzip"], false),
            (
                "http://a/get?x",
                &["Content-Encoding: gzip", "Content-Type: Application/X-GZip; a=b"],
                &[],
                true,
            ),
            (
                "http://a/get?x",
                &["Content-Encoding: gzip", "Content-Type: application/vnd.x.tar+gzip"],
                &[],
                true,
            ),
            (
                "http://a/get?x",
                &["Content-Encoding: gzip", "Content-Disposition: attachment; filename=\"x.gz\""],
                &[],
                true,
            ),
            (
                "http://a/x.csv",
                &["Content-Encoding: gzip", "Content-Type: text/csv"],
                &["gzip"],
                false,
            ),
        ] {
            let expected = Ok((undone.to_vec(), is_own));
            assert_eq!(found(url, lines), expected, "{url} {lines:?}");
        }
    }

    #[test]
    fn what_cannot_be_undone_is_named() {
        for (coding, message) in [
            ("compress", "the content is coded with compress, which cannot be decoded"),
            ("gzip, dcz", "the content is coded with dcz, which cannot be decoded"),
            ("gzip, br, gzip, br", "the content has more than 3 codings"),
        ] {
            let line = format!("Content-Encoding: {coding}");
            assert_eq!(found("http://a/x", &[&line]), Err(message.to_owned()));
        }
    }
}
