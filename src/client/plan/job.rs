//! A URL and the file it will become.
//!
//! All URLs are checked and all names settled before the first thread starts: what is wrong is said
//! before anything is fetched, and no two threads ever want the same file. A user name and password are
//! taken out of the URL here, so that no message, report or file beside a download repeats them.

use std::collections::HashSet;
use std::path::Path;

use url::Url;

use super::checksum::ExpectedChecksum;
use super::checksum_list::ChecksumList;
use super::input_list::InputEntry;
use super::job_error::{JobError, JobProblem};
use super::reserved_names::ReservedNames;
use super::url_name;
use crate::client::credentials::Credentials;
use crate::client::redact::{redacted_reference, redacted_url};
use crate::client::settings::ExistingFile;
use crate::client::settings::proxies::{Proxies, ProxyError};
use crate::client::zone;

/// One URL to fetch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// Without user name, password and fragment.
    pub url: Url,
    /// Those that were in the URL.
    pub credentials: Option<Credentials>,
    /// The file's path within the output directory; no other job of the same plan has it.
    pub file_name: String,
    /// What the content must have.
    pub checksum: Option<ExpectedChecksum>,
    /// The user chose the name, so that no server has a say in it.
    pub is_name_chosen: bool,
}

/// How files are called.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Layout {
    /// All in one directory, by the last part of the URL's path.
    #[default]
    Flat,
    /// Beneath directories that mirror the host and its own.
    Mirrored,
}

/// What is to be done.
#[derive(Debug, Default)]
pub struct Plan {
    /// In the order in which the URLs were given.
    pub jobs: Vec<Job>,
    /// How many URLs were given more than once for the same file, and are fetched once.
    pub duplicates: usize,
    /// What cannot be fetched.
    pub errors: Vec<JobError>,
}

/// Checks the URLs and gives each a file name of its own, in the order given: of two that ask for
/// `a.txt` the second gets `a.1.txt`. With [`ExistingFile::Number`] the files that are in `directory` count
/// as well.
#[must_use]
pub fn plan(
    wanted: impl IntoIterator<Item = InputEntry>,
    layout: Layout,
    existing: ExistingFile,
    directory: &Path,
) -> Plan {
    let (mut plan, mut names, mut seen) =
        (Plan::default(), ReservedNames::default(), HashSet::new());
    let is_there = |name: &str| {
        existing == ExistingFile::Number && directory.join(name).symlink_metadata().is_ok()
    };
    for wanted in wanted {
        let parsed = parse(&wanted);
        let InputEntry { url: text, name, line } = wanted;
        let (url, credentials) = match parsed {
            Ok(parsed) => parsed,
            Err(problem) => {
                plan.errors.push(JobError { url: redacted_reference(&text), line, problem });
                continue;
            }
        };
        // Who asks may get something else than another.
        let user = credentials.as_ref().map_or("", Credentials::value);
        let key = format!("{url}\t{}\t{user}", name.as_deref().unwrap_or_default());
        if !seen.insert(key.into_boxed_str()) {
            log::info!("{} is wanted more than once, and is fetched once", redacted_url(&url));
            plan.duplicates += 1;
            continue;
        }
        let is_name_chosen = name.is_some();
        let chosen = name.map(|name| url_name::from_user(&name).ok_or(JobProblem::Name(name)));
        let wanted_name = match (chosen, layout) {
            (Some(Ok(name)), _) => name,
            (Some(Err(problem)), _) => {
                plan.errors.push(JobError { url: redacted_reference(&text), line, problem });
                continue;
            }
            (None, Layout::Flat) => url_name::from_url(&url),
            (None, Layout::Mirrored) => url_name::mirrored_path(&url),
        };
        let file_name = names.claim(&wanted_name, is_there);
        plan.jobs.push(Job { url, credentials, file_name, checksum: None, is_name_chosen });
    }
    plan
}

impl Plan {
    /// Has the files verified that the list names, and says how many those are. A list with nothing but
    /// one file's checksum is for the only URL.
    pub fn verify_against(&mut self, list: &ChecksumList) -> usize {
        let only = list.of_only_file().filter(|_| self.jobs.len() == 1);
        for job in &mut self.jobs {
            job.checksum = only.or_else(|| list.of(&job.file_name)).cloned();
        }
        self.jobs.iter().filter(|job| job.checksum.is_some()).count()
    }
}

impl InputEntry {
    /// Whether it can be planned.
    ///
    /// # Errors
    /// It cannot.
    pub fn check(&self) -> Result<(), JobError> {
        let checked = parse(self).and_then(|_| match &self.name {
            Some(name) if url_name::from_user(name).is_none() => {
                Err(JobProblem::Name(name.clone()))
            }
            _ => Ok(()),
        });
        checked.map_err(|problem| JobError {
            url: redacted_reference(&self.url),
            line: self.line,
            problem,
        })
    }

    /// Whether the proxy that it would go through can be used.
    ///
    /// # Errors
    /// It cannot.
    pub fn check_proxy(&self, proxies: &Proxies) -> Result<(), ProxyError> {
        // What is no URL goes through none.
        parse(self).map_or(Ok(()), |(url, _)| proxies.for_url(&url).map(drop))
    }
}

fn parse(wanted: &InputEntry) -> Result<(Url, Option<Credentials>), JobProblem> {
    let text = wanted.url.trim();
    // The URL standard would encode the blank, and make one URL of them.
    if text.split_whitespace().filter(|word| begins_url(word)).count() > 1 {
        return Err(JobProblem::SeveralUrls);
    }
    let text = zone::encode(text).map_err(|zone::UnknownZone(zone)| JobProblem::Zone(zone))?;
    let mut url = Url::parse(&text).map_err(JobProblem::Malformed)?;
    if !is_supported(&url) {
        return Err(JobProblem::Scheme(url.scheme().to_owned()));
    }
    if wanted.line.is_some() && text.contains(' ') {
        return Err(JobProblem::Blank);
    }
    url.set_fragment(None);
    let credentials = Credentials::take_from(&mut url);
    Ok((url, credentials))
}

fn begins_url(word: &str) -> bool {
    word.split_once("://").is_some_and(|(scheme, _)| {
        ["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known))
    })
}

/// The client speaks this URL's protocol.
pub(crate) fn is_supported(url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan_flat(urls: &[&str]) -> Plan {
        let root = tempfile::tempdir().unwrap();
        let wanted = urls.iter().copied().map(InputEntry::url);
        plan(wanted, Layout::Flat, ExistingFile::Replace, root.path())
    }

    #[test]
    fn every_job_has_a_name_of_its_own_and_a_repeated_url_is_one_job() {
        for (urls, expected, duplicates) in [
            (&["http://a/x.txt", "http://b/x.txt"][..], &["x.txt", "x.1.txt"][..], 0),
            (&["http://a/x", "http://A:80/x#there", "http://a/x?"], &["x", "x.1"], 1),
            (&["http://a/", "http://b"], &["index.html", "index.1.html"], 0),
            (&["http://u@a/x", "http://v@a/x", "http://u@a/x"], &["x", "x.1"], 1),
        ] {
            let plan = plan_flat(urls);
            let names: Vec<_> = plan.jobs.iter().map(|job| job.file_name.as_str()).collect();
            assert_eq!((&names[..], plan.duplicates), (expected, duplicates), "{urls:?}");
        }
    }

    #[test]
    fn names_cut_short_are_still_told_apart() {
        let urls = ["a", "b", "c"].map(|end| format!("http://a/{}{end}", "x".repeat(300)));
        let jobs = plan_flat(&urls.each_ref().map(String::as_str)).jobs;
        let names: HashSet<_> = jobs.into_iter().map(|job| job.file_name).collect();
        assert_eq!(names.len(), 3);
    }

    #[test]
    fn files_that_are_there_count_where_they_are_to_stay() {
        let root = tempfile::tempdir().unwrap();
        std::fs::write(root.path().join("x"), "").unwrap();
        for (existing, expected) in
            [(ExistingFile::Replace, "x"), (ExistingFile::Skip, "x"), (ExistingFile::Number, "x.1")]
        {
            let plan = plan([InputEntry::url("http://a/x")], Layout::Flat, existing, root.path());
            assert_eq!(plan.jobs[0].file_name, expected);
        }
    }

    #[test]
    fn a_chosen_name_wins_and_credentials_leave_the_url() {
        let root = tempfile::tempdir().unwrap();
        let wanted =
            InputEntry { name: Some("d/n".into()), ..InputEntry::url("https://u:secret@a/x") };
        let plan = plan([wanted], Layout::Mirrored, ExistingFile::Replace, root.path());
        let job = &plan.jobs[0];
        assert_eq!((job.url.as_str(), job.file_name.as_str()), ("https://a/x", "d/n"));
        assert!(job.is_name_chosen && job.credentials.is_some());
        assert!(!format!("{job:?}").contains("secret"), "{job:?}");
    }

    #[test]
    fn what_cannot_be_fetched_is_said_with_its_url_and_its_line() {
        for (url, message) in [
            ("", "\"\" is not a URL"),
            ("file1.txt", "\"file1.txt\" is not a URL"),
            ("http://", "\"http://\" is not a URL"),
            ("http://a:99999/", "\"http://a:99999/\" is not a URL"),
            ("http://[::1/", "\"http://[::1/\" is not a URL"),
            ("a\u{1b}[2J", "\"a\\u{1b}[2J\" is not a URL"),
            ("ftp://a/b", "cannot fetch \"ftp://a/b\": the scheme ftp is not supported"),
            (
                "localhost:20001/a",
                "cannot fetch \"localhost:20001/a\": the scheme localhost is not supported",
            ),
        ] {
            let plan = plan_flat(&["http://a/", url]);
            assert_eq!(plan.jobs.len(), 1);
            let error = &plan.errors[0];
            assert_eq!((error.url.as_str(), error.to_string().as_str()), (url, message));
        }
        for (url, line, message) in [
            ("http://a/1 http://a/2", None, "\"http://a/1 http://a/2\" is more than one URL"),
            ("http://a:80\nHTTPS://b", None, "\"http://a:80\\nHTTPS://b\" is more than one URL"),
            (
                "http://a/1\u{a0}http://b",
                Some(7),
                "\"http://a/1\\u{a0}http://b\" is more than one URL",
            ),
            ("see http://a/", Some(7), "\"see http://a/\" is not a URL"),
            ("http://a/b c", Some(7), "\"http://a/b …\" has a blank in it"),
            ("not a url", Some(7), "\"not …\" is not a URL"),
            (
                "http://u:p@a/ https://v@b?",
                None,
                "\"http://…@a/ https://…@b?\" is more than one URL",
            ),
            ("ftp://u:p@a", None, "cannot fetch \"ftp://…@a\": the scheme ftp is not supported"),
            ("u:p@a/b", None, "cannot fetch \"…@a/b\": it does not begin with a supported scheme"),
        ] {
            let error = InputEntry { line, ..InputEntry::url(url) }.check().unwrap_err();
            let line = if line.is_some() { "line 7: " } else { "" };
            assert_eq!(error.to_string(), format!("{line}{message}"));
        }
        // Quotes divide a command line, and the URL standard encodes the blank.
        assert_eq!(plan_flat(&["http://a/b c", "http://a/b%20c"]).duplicates, 1);
        let problem = JobProblem::Name("../x".into());
        let error = JobError { url: "http://a/".into(), line: Some(3), problem };
        assert_eq!(error.to_string(), "line 3: \"../x\" is no file beneath the output directory");
    }
}
