//! URLs in tables, without the beginning that all have in common: a narrow screen has no room for it.

/// The maximum number of characters of a URL.
const LONGEST: usize = 64;

/// The longest directory, with its final slash, in which all these URLs are; `None` if there is none, as with
/// several hosts.
pub(super) fn common_directory<'a>(urls: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let mut urls = urls.into_iter();
    let mut common = directory(urls.next()?)?;
    for url in urls {
        while !directory(url)?.starts_with(common) {
            common = directory(common)?;
        }
    }
    Some(common)
}

/// The directory in which a URL or directory is; `None` for a host.
fn directory(url: &str) -> Option<&str> {
    let end = url.trim_end_matches('/').rfind('/')? + 1;
    let directory = &url[..end];
    (!directory.ends_with("//")).then_some(directory)
}

/// A URL beneath a directory, shortened to its last characters.
pub(super) fn beneath(directory: Option<&str>, url: &str) -> String {
    shortened(directory.and_then(|directory| url.strip_prefix(directory)).unwrap_or(url))
}

/// A text shortened to its last characters.
pub(super) fn shortened(url: &str) -> String {
    let length = url.chars().count();
    if length <= LONGEST {
        return url.to_owned();
    }
    std::iter::once('…').chain(url.chars().skip(length - LONGEST + 1)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_common_directory_leaves_a_rest_of_each_url() {
        for (urls, expected) in [
            (&["http://a/b/c/1", "http://a/b/d/2"][..], Some("http://a/b/")),
            (&["http://a/b/c/1", "http://a/b/c/2?d/e"], Some("http://a/b/c/")),
            (&["http://a/b/c/1"], Some("http://a/b/c/")),
            (&["http://a/b/", "http://a/b/c"], Some("http://a/")),
            (&["http://a/", "http://a/b"], None),
            (&["http://a/b", "http://ab/b"], None),
            (&["http://a/b", "https://a/b"], None),
            (&["http://a"], None),
            (&["no URL"], None),
            (&[], None),
        ] {
            assert_eq!(common_directory(urls.iter().copied()), expected, "{urls:?}");
        }
    }

    #[test]
    fn urls_are_shown_beneath_it_and_shortened() {
        assert_eq!(beneath(Some("http://a/b/"), "http://a/b/c/1"), "c/1");
        assert_eq!(beneath(None, "http://a/b"), "http://a/b");
        let shown = beneath(None, &format!("http://a/{}/end", "ä".repeat(99)));
        assert!(shown.starts_with('…') && shown.ends_with("ä/end"), "{shown}");
        assert_eq!(shown.chars().count(), LONGEST);
    }
}
