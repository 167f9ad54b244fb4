//! Jobs: URLs that were checked, and the names of their files.
//!
//! All URLs are checked and all names reserved before the first thread starts, so that errors are reported
//! before anything is fetched and no two threads write the same file. User names and passwords are removed
//! from the URLs here, so that no message, report or file repeats them.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
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
use crate::client::zone;

/// One URL to fetch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// Without user name, password and fragment.
    pub url: Url,
    /// The user name and password that were in the URL.
    pub credentials: Option<Credentials>,
    /// The path of the file below the output directory, unique in its plan.
    pub file_name: String,
    /// The checksum that the content must have.
    pub checksum: Option<ExpectedChecksum>,
    /// True if the user chose the name; a server cannot change it then.
    pub is_name_chosen: bool,
}

/// How files are named.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Layout {
    /// All in one directory, by the last segment of the URL's path.
    #[default]
    Flat,
    /// Below directories that mirror the host and the URL's path.
    Mirrored,
}

/// The jobs of a run.
#[derive(Debug, Default)]
pub struct Plan {
    /// In the order of the URLs.
    pub jobs: Vec<Job>,
    /// How many URLs were left out because they were given before, for the same file.
    pub duplicates: usize,
    /// The URLs that cannot be fetched.
    pub errors: Vec<JobError>,
}

/// Checks the URLs and reserves a file name for each, in their order: the second `a.txt` becomes `a.1.txt`.
/// With [`ExistingFile::Number`] the names of the files in `directory` are taken too.
#[must_use]
pub fn plan(
    entries: impl IntoIterator<Item = InputEntry>,
    layout: Layout,
    existing: ExistingFile,
    directory: &Path,
) -> Plan {
    let (mut plan, mut names) = (Plan::default(), ReservedNames::default());
    // Two hashes with random keys take a tenth of the memory of the text. That both hashes of two
    // different URLs are equal is as likely as a fault of the memory.
    let (mut seen, random) = (HashSet::new(), [RandomState::new(), RandomState::new()]);
    let is_there = |name: &str| {
        existing == ExistingFile::Number && directory.join(name).symlink_metadata().is_ok()
    };
    for entry in entries {
        let Target { url, credentials, chosen_name } = match check(&entry) {
            Ok(target) => target,
            Err(error) => {
                plan.errors.push(error);
                continue;
            }
        };
        // The response may depend on the user.
        let user = credentials.as_ref().map_or("", Credentials::value);
        let key = (url.as_str(), entry.name.as_deref().unwrap_or_default(), user);
        if !seen.insert(random.each_ref().map(|state| state.hash_one(key))) {
            log::info!("{} was given more than once, and is fetched once", redacted_url(&url));
            plan.duplicates += 1;
            continue;
        }
        let is_name_chosen = chosen_name.is_some();
        let name = chosen_name.unwrap_or_else(|| match layout {
            Layout::Flat => url_name::from_url(&url),
            Layout::Mirrored => url_name::mirrored_path(&url),
        });
        let file_name = names.claim(&name, is_there);
        plan.jobs.push(Job { url, credentials, file_name, checksum: None, is_name_chosen });
    }
    plan
}

impl Plan {
    /// Gives the jobs the checksums that the list has for their files, and returns how many have one. A
    /// list with a single checksum and no name is for the only URL.
    pub fn expect_checksums(&mut self, list: &ChecksumList) -> usize {
        let only = list.of_only_file().filter(|_| self.jobs.len() == 1);
        for job in &mut self.jobs {
            job.checksum = only.or_else(|| list.of(&job.file_name)).cloned();
        }
        self.jobs.iter().filter(|job| job.checksum.is_some()).count()
    }
}

/// An entry that can be fetched.
struct Target {
    url: Url,
    credentials: Option<Credentials>,
    chosen_name: Option<String>,
}

fn check(entry: &InputEntry) -> Result<Target, JobError> {
    let name_of =
        |name: &String| url_name::from_user(name).ok_or_else(|| JobProblem::Name(name.clone()));
    let checked = parse(entry).and_then(|(url, credentials)| {
        let chosen_name = entry.name.as_ref().map(name_of).transpose()?;
        Ok(Target { url, credentials, chosen_name })
    });
    checked.map_err(|problem| JobError {
        url: redacted_reference(&entry.url),
        line: entry.line,
        problem,
    })
}

fn parse(entry: &InputEntry) -> Result<(Url, Option<Credentials>), JobProblem> {
    let text = entry.url.trim();
    // The URL standard encodes blanks, which would make a single URL of several.
    if text.split_whitespace().filter(|word| begins_url(word)).count() > 1 {
        return Err(JobProblem::SeveralUrls);
    }
    let text = zone::encode(text).map_err(|zone::UnknownZone(zone)| JobProblem::Zone(zone))?;
    let mut url = Url::parse(&text).map_err(JobProblem::Malformed)?;
    if !is_supported(&url) {
        return Err(JobProblem::Scheme(url.scheme().to_owned()));
    }
    if entry.line.is_some() && text.contains(' ') {
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

/// True for the schemes that the client supports.
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
    fn every_job_has_its_own_name_and_a_repeated_url_is_one_job() {
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
    fn names_that_are_shortened_stay_unique() {
        let urls = ["a", "b", "c"].map(|end| format!("http://a/{}{end}", "x".repeat(300)));
        let jobs = plan_flat(&urls.each_ref().map(String::as_str)).jobs;
        let names: HashSet<_> = jobs.into_iter().map(|job| job.file_name).collect();
        assert_eq!(names.len(), 3);
    }

    #[test]
    fn names_of_existing_files_are_taken_if_those_are_kept() {
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
    fn a_chosen_name_wins_and_credentials_are_removed_from_the_url() {
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
    fn an_error_names_the_url_and_its_line() {
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
            let error = check(&InputEntry { line, ..InputEntry::url(url) }).err().unwrap();
            let line = if line.is_some() { "line 7: " } else { "" };
            assert_eq!(error.to_string(), format!("{line}{message}"));
        }
        // An argument may contain a blank, which the URL standard encodes.
        assert_eq!(plan_flat(&["http://a/b c", "http://a/b%20c"]).duplicates, 1);
        let problem = JobProblem::Name("../x".into());
        let error = JobError { url: "http://a/".into(), line: Some(3), problem };
        assert_eq!(error.to_string(), "line 3: \"../x\" is not a path below the output directory");
    }
}
