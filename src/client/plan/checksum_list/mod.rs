//! A list of checksums of files.
//!
//! `line` parses single lines; this file handles PGP signatures around them, headings, several checksums of
//! one file, and the lookup by name. The checksum by the strongest algorithm counts. Signatures are not
//! verified.

mod line;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::io::BufRead;
use std::iter;

use thiserror::Error;

use super::checksum::{Algorithm, ExpectedChecksum};
use super::text_lines::{BadLine, ListError, NumberedLine, TextLines, excerpt};
use crate::client::plan::url_name;
use crate::client::redact::{redacted_reference, redacted_text};
use line::{Line, Tag};

/// The key of a checksum without a file name.
const NO_NAME: &str = "";

/// The checksums of a list by file name, and the lines that could not be used.
#[derive(Debug, Default)]
pub struct ChecksumList {
    by_name: HashMap<Box<str>, Vec<Listed>>,
    /// The names with directories, by their last component.
    by_last_part: HashMap<Box<str>, Vec<Box<str>>>,
    /// The lines of an unknown format.
    pub bad_lines: Vec<UnknownLine>,
    /// How many lines have a checksum by an unsupported algorithm, by its name.
    pub unsupported: BTreeMap<String, usize>,
    /// True if there is a PGP signature. It is not verified.
    pub is_signed: bool,
}

/// A line of an unknown format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownLine {
    /// From 1.
    pub number: usize,
    /// The beginning of the line, redacted.
    pub beginning: String,
}

/// A checksum and the number of its line.
#[derive(Clone, Debug)]
struct Listed {
    expected: ExpectedChecksum,
    line: usize,
}

/// Why a list of checksums cannot be used.
#[derive(Debug, Error)]
pub enum ChecksumListError {
    #[error(transparent)]
    List(#[from] ListError),
    /// Two lines have different checksums for the file of this name.
    #[error(
        "lines {first_line} and {second_line} have different {algorithm} checksums for {}",
        quoted_name(name)
    )]
    Conflict { name: Box<str>, algorithm: Algorithm, first_line: usize, second_line: usize },
}

fn quoted_name(name: &str) -> String {
    match name {
        NO_NAME => "a file without a name".to_owned(),
        name => format!("\"{}\"", redacted_text(name).escape_debug()),
    }
}

/// The section of a PGP message that is being read (RFC 9580 §6.2 and §7).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Section {
    #[default]
    None,
    /// The headers of a signed message, which end with an empty line.
    Headers,
    /// The signed text. Lines that begin with a dash are prefixed with "- ".
    Text,
    /// A signature or a key.
    Armor,
}

impl UnknownLine {
    fn new(number: usize, text: &str) -> Self {
        Self { number, beginning: excerpt(&redacted_reference(text)) }
    }
}

impl ChecksumList {
    /// Reads a list. Lines that cannot be used are counted in it.
    ///
    /// # Errors
    /// If the reader fails, the list is not text, or two lines have different checksums for one file.
    pub fn read(list: impl BufRead) -> Result<Self, ChecksumListError> {
        let mut lines = TextLines::new(list)?;
        let mut found = Self::default();
        let (mut section, mut heading) = (Section::default(), None);
        while let Some(NumberedLine { number, text }) = lines.next_line().map_err(ListError::Io)? {
            match text {
                Ok(text) => {
                    let Some(text) = found.without_signature(&text, &mut section) else { continue };
                    found.add(number, text, &mut heading)?;
                }
                // The name of a file is always text.
                Err(BadLine::NotText { text, .. })
                    if line::parse(&text, heading.as_ref()).is_some() => {}
                Err(BadLine::NotText { text, .. } | BadLine::TooLong { beginning: text }) => {
                    found.bad_lines.push(UnknownLine::new(number, &text));
                }
            }
        }
        found.add_other_names();
        Ok(found)
    }

    /// The line without the escape of a signed message; `None` if it belongs to the signature.
    fn without_signature<'l>(&mut self, line: &'l str, section: &mut Section) -> Option<&'l str> {
        let begins = line.trim_end().strip_prefix("-----BEGIN PGP ");
        match (*section, begins) {
            (Section::Armor, _) => {
                if line.starts_with("-----END PGP ") {
                    *section = Section::None;
                }
                None
            }
            (_, Some(kind)) => {
                self.is_signed = true;
                let is_message = kind == "SIGNED MESSAGE-----";
                *section = if is_message { Section::Headers } else { Section::Armor };
                None
            }
            (Section::Headers, None) => {
                if line.trim().is_empty() {
                    *section = Section::Text;
                }
                None
            }
            (Section::Text, None) => Some(line.strip_prefix("- ").unwrap_or(line)),
            (Section::None, None) => Some(line),
        }
    }

    fn add(
        &mut self,
        number: usize,
        text: &str,
        heading: &mut Option<Tag>,
    ) -> Result<(), ChecksumListError> {
        match line::parse(text, heading.as_ref()) {
            Some(Line::Comment) => {}
            Some(Line::Heading(tag)) => *heading = Some(tag),
            Some(Line::Sum { name, expected }) => return self.insert(number, name, expected),
            Some(Line::Unsupported(algorithm)) => {
                *self.unsupported.entry(algorithm).or_default() += 1;
            }
            None => self.bad_lines.push(UnknownLine::new(number, text)),
        }
        Ok(())
    }

    fn insert(
        &mut self,
        line: usize,
        name: Option<String>,
        expected: ExpectedChecksum,
    ) -> Result<(), ChecksumListError> {
        let name = name.unwrap_or_default().into_boxed_str();
        let algorithm = expected.checksum.algorithm();
        let listed = self.by_name.entry(name.clone()).or_default();
        let same = |listed: &&Listed| listed.expected.checksum.algorithm() == algorithm;
        match listed.iter().find(same) {
            None => listed.push(Listed { expected, line }),
            Some(first) if first.expected.checksum != expected.checksum => {
                return Err(ChecksumListError::Conflict {
                    name,
                    algorithm,
                    first_line: first.line,
                    second_line: line,
                });
            }
            Some(_) => {}
        }
        Ok(())
    }

    /// Adds the names that downloads get instead of unsafe ones or ones with blanks around them, unless two
    /// names become the same; and indexes the names with directories by their last component.
    fn add_other_names(&mut self) {
        let mut safe_names: HashMap<Box<str>, Option<Vec<Listed>>> = HashMap::new();
        for (name, listed) in &self.by_name {
            let trimmed = name.trim_matches(line::BLANKS);
            if let Some(safe) = url_name::from_user(trimmed)
                && !self.by_name.contains_key(&*safe)
            {
                let entry = safe_names.entry(safe.into());
                entry.and_modify(|listed| *listed = None).or_insert_with(|| Some(listed.clone()));
            }
            if let Some((_, last)) = trimmed.rsplit_once('/')
                && let Some(last) = url_name::from_user(last)
            {
                self.by_last_part.entry(last.into()).or_default().push(name.clone());
            }
        }
        let known = safe_names.into_iter().filter_map(|(name, listed)| Some((name, listed?)));
        self.by_name.extend(known);
    }

    /// The checksum of the file with this path below the output directory. The list may have more or fewer
    /// directories before the name.
    #[must_use]
    pub fn of(&self, file_name: &str) -> Option<&ExpectedChecksum> {
        let shorter = file_name.match_indices('/').map(|(slash, _)| &file_name[slash + 1..]);
        let mut names = iter::once(file_name).chain(shorter);
        let listed = names.find_map(|name| self.by_name.get(name));
        strongest(listed.or_else(|| self.by_name.get(self.only_longer(file_name)?))?)
    }

    /// The name in the list that ends with this path, if there is exactly one.
    fn only_longer(&self, file_name: &str) -> Option<&str> {
        let last = file_name.rsplit('/').next()?;
        let mut longer = self.by_last_part.get(last)?.iter().filter(|name| {
            let (name, depth) = (name.trim_matches(line::BLANKS), file_name.matches('/').count());
            let slash = name.rmatch_indices('/').nth(depth).map(|(slash, _)| slash);
            let end = slash.and_then(|slash| url_name::from_user(&name[slash + 1..]));
            end.is_some_and(|end| end == file_name)
        });
        longer.next().filter(|_| longer.next().is_none()).map(|name| &**name)
    }

    /// The checksum of the only file of a run, if the list has a single checksum and no names.
    #[must_use]
    pub fn of_only_file(&self) -> Option<&ExpectedChecksum> {
        let listed = self.by_name.get(NO_NAME).filter(|_| self.by_name.len() == 1)?;
        strongest(listed)
    }

    /// The number of the first line that has a checksum without a name.
    #[must_use]
    pub fn nameless_line(&self) -> Option<usize> {
        self.by_name.get(NO_NAME)?.first().map(|listed| listed.line)
    }
}

fn strongest(listed: &[Listed]) -> Option<&ExpectedChecksum> {
    let strongest = listed.iter().max_by_key(|listed| listed.expected.checksum.algorithm())?;
    Some(&strongest.expected)
}
