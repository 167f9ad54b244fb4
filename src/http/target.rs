//! The request target: its form, and the path below the served root that it names (RFC 9112 §3.2).
//!
//! A path is percent-decoded once, then split into segments, then its dot segments are removed. An
//! encoded slash therefore separates segments too, as in nginx. The result contains neither `..` nor an
//! empty segment, so it cannot leave the root. `server::site` handles symbolic links.

use std::borrow::Cow;

use percent_encoding::{percent_decode, percent_encode};

use super::error::RequestError;
use super::host::is_host;
use super::method::Method;
use super::percent::{SEGMENT, is_percent_encoded};

/// The resource that a request is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// `*`: the server as a whole; for OPTIONS only.
    Server,
    /// A file or a directory.
    Path(TargetPath),
}

/// A path below the served root.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TargetPath {
    /// The decoded segments joined by `/`, without a slash at either end; empty for the root. No segment
    /// is empty, `.` or `..`, or contains a NUL byte.
    pub relative: Vec<u8>,
    /// True if the path ended with a slash or is the root.
    pub names_directory: bool,
    /// The query as it was sent, without the `?`.
    pub query: Option<Vec<u8>>,
}

impl Target {
    /// Parses a target. Origin-form and absolute-form are allowed for all methods, asterisk-form for
    /// OPTIONS. Authority-form is for CONNECT, which the server does not allow.
    ///
    /// # Errors
    /// [`RequestError::Target`] for any other form, a scheme other than `http` and `https`, a percent sign
    /// without two hexadecimal digits, an encoded NUL, a fragment, or a path that leaves the root.
    pub fn parse(method: Method, target: &[u8]) -> Result<Self, RequestError> {
        match target {
            b"*" if method == Method::Options => Ok(Self::Server),
            [b'/', ..] => TargetPath::parse(target).map(Self::Path),
            _ => {
                let (authority, path) = split_absolute(target).ok_or(RequestError::Target)?;
                if !is_host(authority) {
                    return Err(RequestError::Target);
                }
                if path.is_empty() && method == Method::Options {
                    return Ok(Self::Server);
                }
                TargetPath::parse(path).map(Self::Path)
            }
        }
    }
}

impl TargetPath {
    fn parse(target: &[u8]) -> Result<Self, RequestError> {
        if target.contains(&b'#') {
            return Err(RequestError::Target);
        }
        let query = target.iter().position(|byte| *byte == b'?');
        let (path, query) = match query {
            Some(at) => (&target[..at], Some(target[at + 1..].to_vec())),
            None => (target, None),
        };
        if !is_percent_encoded(path) {
            return Err(RequestError::Target);
        }
        let path: Cow<'_, [u8]> = percent_decode(path).into();
        if path.contains(&b'\0') {
            return Err(RequestError::Target);
        }
        let mut relative: Vec<u8> = Vec::with_capacity(path.len());
        let mut names_directory = true;
        for segment in path.split(|byte| *byte == b'/') {
            names_directory = true;
            match segment {
                b"" | b"." => {}
                b".." => {
                    if relative.is_empty() {
                        return Err(RequestError::Target);
                    }
                    let parent = relative.iter().rposition(|byte| *byte == b'/');
                    relative.truncate(parent.unwrap_or(0));
                }
                segment => {
                    if !relative.is_empty() {
                        relative.push(b'/');
                    }
                    relative.extend_from_slice(segment);
                    names_directory = false;
                }
            }
        }
        Ok(Self { relative, names_directory, query })
    }

    /// The absolute path for a URL: normalised and encoded, without the query. It never begins with two
    /// slashes, which a browser would interpret as another host.
    #[must_use]
    pub fn to_absolute(&self) -> String {
        let mut path = String::from("/");
        for (index, segment) in self.segments().enumerate() {
            if index > 0 {
                path.push('/');
            }
            path.extend(percent_encode(segment, SEGMENT));
        }
        if self.names_directory && path.len() > 1 {
            path.push('/');
        }
        path
    }

    /// The decoded segments, beginning at the root.
    pub fn segments(&self) -> impl Iterator<Item = &[u8]> {
        self.relative.split(|byte| *byte == b'/').filter(|segment| !segment.is_empty())
    }
}

/// Splits a target in absolute-form into its authority and the rest, which may be empty (RFC 9112
/// §3.2.2). `None` for the other forms.
#[must_use]
pub fn split_absolute(target: &[u8]) -> Option<(&[u8], &[u8])> {
    let rest = strip_scheme(target)?;
    let end = rest.iter().position(|byte| matches!(byte, b'/' | b'?'));
    Some(rest.split_at(end.unwrap_or(rest.len())))
}

fn strip_scheme(target: &[u8]) -> Option<&[u8]> {
    [&b"http://"[..], b"https://"].into_iter().find_map(|scheme| {
        let (start, rest) = target.split_at_checked(scheme.len())?;
        start.eq_ignore_ascii_case(scheme).then_some(rest)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::percent::encode_segment;
    use super::*;

    fn path(target: &str) -> Option<(String, bool)> {
        match Target::parse(Method::Get, target.as_bytes()) {
            Ok(Target::Path(path)) => {
                Some((String::from_utf8_lossy(&path.relative).into(), path.names_directory))
            }
            Ok(Target::Server) => panic!("{target} is no path"),
            Err(error) => {
                assert_eq!(error, RequestError::Target);
                None
            }
        }
    }

    #[test]
    fn paths_are_decoded_and_their_dot_segments_resolved() {
        for (target, relative, names_directory) in [
            ("/", "", true),
            ("/a", "a", false),
            ("/a/", "a", true),
            ("/a/b.txt", "a/b.txt", false),
            ("//a///b//", "a/b", true),
            ("/./a/./b", "a/b", false),
            ("/a/../b", "b", false),
            ("/a/b/..", "a", true),
            ("/a/.", "a", true),
            ("/a/b/../../c", "c", false),
            ("/a/%2e%2E/b", "b", false),
            ("/%61%20b", "a b", false),
            ("/a%3Fb", "a?b", false),
            ("/a%23b", "a#b", false),
            ("/%25", "%", false),
            ("/%252e%252e/a", "%2e%2e/a", false),
            ("/...", "...", false),
            ("/@scope%2fname", "@scope/name", false),
            ("/a%2F", "a", true),
            ("/a%2f%2Fb", "a/b", false),
            ("/%2Fetc/passwd", "etc/passwd", false),
            ("/a/b%2f..%2fc", "a/c", false),
            ("/a%2f%2e%2e/b", "b", false),
            ("/a%252fb", "a%2fb", false),
            ("/a%5c..%5cb", "a\\..\\b", false),
            ("/a?b/../..", "a", false),
            ("/a\\..\\b", "a\\..\\b", false),
            ("http://localhost", "", true),
            ("http://localhost:80/a/b", "a/b", false),
            ("HTTPS://[::1]:8443/a?b", "a", false),
            ("http://localhost?a", "", true),
        ] {
            assert_eq!(path(target), Some((relative.to_owned(), names_directory)), "{target}");
        }
    }

    #[test]
    fn a_path_that_leaves_the_root_or_is_malformed_is_refused() {
        for target in [
            "/..",
            "/../a",
            "/a/../../b",
            "/%2e%2e/a",
            "/%2e./a",
            "/a/..%2f..%2f..",
            "/%2e%2e%2fa",
            "/%2f..%2f..",
            "/a%2f%2e%2e%2f%2e%2e/b",
            "/a%2f%00",
            "/a%00",
            "/%",
            "/%4",
            "/%zz",
            "/%+1",
            "/a#b",
            "a",
            "",
            "*",
            "localhost:80",
            "ftp://localhost/a",
            "http://",
            "http:///a",
            "http://user@localhost/a",
            "http://localhost:99999/a",
            "http:/a",
        ] {
            assert_eq!(path(target), None, "{target}");
        }
    }

    #[test]
    fn only_options_may_ask_for_the_server_as_a_whole() {
        assert_eq!(Target::parse(Method::Options, b"*"), Ok(Target::Server));
        assert_eq!(Target::parse(Method::Options, b"http://localhost"), Ok(Target::Server));
        assert_eq!(Target::parse(Method::Get, b"*"), Err(RequestError::Target));
    }

    #[test]
    fn a_path_is_written_back_so_that_it_names_the_same_file_and_no_other_host() {
        for (target, absolute) in [
            ("/", "/"),
            ("//example.com/..", "/"),
            ("//example.com/a", "/example.com/a"),
            ("/a b", "/a%20b"),
            ("/a%3fb%22%25/", "/a%3Fb%22%25/"),
            ("/\u{e4}", "/%C3%A4"),
            ("/a:b", "/a%3Ab"),
            ("/@scope%2fc++/", "/%40scope/c%2B%2B/"),
            ("/%0d%0aX: y", "/%0D%0AX%3A%20y"),
        ] {
            let Ok(Target::Path(path)) = Target::parse(Method::Get, target.as_bytes()) else {
                panic!("{target} is refused")
            };
            assert_eq!(path.to_absolute(), absolute, "{target}");
        }
    }

    /// Any file name: without NUL and slash, and neither `.` nor `..`.
    fn file_name() -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(any::<u8>(), 1..100).prop_map(|mut name| {
            for byte in &mut name {
                *byte = match *byte {
                    0 => b'%',
                    b'/' => b'.',
                    byte => byte,
                };
            }
            if name == b"." || name == b".." {
                name.push(b' ');
            }
            name
        })
    }

    proptest! {
        #[test]
        fn no_target_panics_or_yields_a_segment_that_climbs(
            target in "[/.%a-c0-9?#:\\x00-\\x1f]{0,40}",
        ) {
            if let Ok(Target::Path(path)) = Target::parse(Method::Get, target.as_bytes()) {
                prop_assert!(!path.relative.starts_with(b"/"));
                prop_assert!(!path.relative.contains(&0));
                for segment in path.segments() {
                    prop_assert!(!matches!(segment, b"" | b"." | b".."));
                }
            }
        }

        #[test]
        fn an_encoded_name_names_the_same_file(name in file_name()) {
            let target = format!("/{}", encode_segment(&name));
            let parsed = Target::parse(Method::Get, target.as_bytes());
            let Ok(Target::Path(path)) = parsed else { panic!("{target} is refused") };
            prop_assert_eq!(&path.relative, &name);
            prop_assert_eq!(path.to_absolute(), target);
        }
    }
}
