//! A list of checksums: which file must have which.
//!
//! `line` reads one line in the formats of the programs that write such lists; here are the lines
//! together: PGP signatures around them, headings, and what is said of one file more than once. Of a
//! file's checksums the one by the strongest algorithm counts. A signature is not verified.

mod line;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::io::BufRead;
use std::iter;

use thiserror::Error;

use super::checksum::{Algorithm, ExpectedChecksum};
use super::text_lines::{BadLine, ListError, TextLines, excerpt};
use crate::client::plan::url_name;
use crate::client::redact::{redacted_reference, redacted_text};
use line::{Line, Tag};

/// What stands for a file's name where the list has a checksum and no name.
const NO_NAME: &str = "";

/// The checksums of a list, by the names of their files, and which lines are not among them.
#[derive(Debug, Default)]
pub struct ChecksumList {
    by_name: HashMap<Box<str>, Vec<Listed>>,
    /// The names that have directories in front, by their last part.
    by_last_part: HashMap<Box<str>, Vec<Box<str>>>,
    /// Lines of no known format: the number, counted from 1, and how the line begins.
    pub bad_lines: Vec<(usize, String)>,
    /// How many lines there are by algorithms that are not supported.
    pub skipped: BTreeMap<String, usize>,
    /// Whether there is a PGP signature, which is not verified.
    pub is_signed: bool,
}

/// A checksum, and the line that it is from.
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
        shown_name(name)
    )]
    Conflict { name: Box<str>, algorithm: Algorithm, first_line: usize, second_line: usize },
}

fn shown_name(name: &str) -> String {
    match name {
        NO_NAME => "a file without a name".to_owned(),
        name => format!("\"{}\"", redacted_text(name).escape_debug()),
    }
}

/// Which part of a PGP message the lines are of (RFC 9580 §6.2 and §7).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Part {
    #[default]
    None,
    /// The headers of a signed message, up to an empty line.
    Headers,
    /// The signed text, in which "- " stands before lines that begin with a dash.
    Text,
    /// A signature or a key.
    Armor,
}

impl ChecksumList {
    /// Reads a list to its end. Lines that cannot be used are noted in the list.
    ///
    /// # Errors
    /// The reader's, the list is no text, or its lines contradict each other.
    pub fn read(list: impl BufRead) -> Result<Self, ChecksumListError> {
        let mut lines = TextLines::new(list)?;
        let mut found = Self::default();
        let (mut part, mut heading) = (Part::default(), None);
        while let Some((number, line)) = lines.next_line().map_err(ListError::Io)? {
            match line {
                Ok(text) => {
                    let Some(text) = found.without_signature(&text, &mut part) else { continue };
                    found.add(number, text, &mut heading)?;
                }
                // No file of a run has such a name.
                Err(BadLine::NotText { text, .. })
                    if line::parse(&text, heading.as_ref()).is_some() => {}
                Err(BadLine::NotText { text, .. } | BadLine::TooLong { beginning: text }) => {
                    found.bad_lines.push((number, excerpt(&redacted_reference(&text))));
                }
            }
        }
        found.add_other_names();
        Ok(found)
    }

    /// The text of a line as it was before it was signed; `None` if it belongs to the signature.
    fn without_signature<'l>(&mut self, line: &'l str, part: &mut Part) -> Option<&'l str> {
        let begins = line.trim_end().strip_prefix("-----BEGIN PGP ");
        match (*part, begins) {
            (Part::Armor, _) => {
                if line.starts_with("-----END PGP ") {
                    *part = Part::None;
                }
                None
            }
            (_, Some(kind)) => {
                self.is_signed = true;
                let is_message = kind == "SIGNED MESSAGE-----";
                *part = if is_message { Part::Headers } else { Part::Armor };
                None
            }
            (Part::Headers, None) => {
                if line.trim().is_empty() {
                    *part = Part::Text;
                }
                None
            }
            (Part::Text, None) => Some(line.strip_prefix("- ").unwrap_or(line)),
            (Part::None, None) => Some(line),
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
                *self.skipped.entry(algorithm).or_default() += 1;
            }
            None => self.bad_lines.push((number, excerpt(&redacted_reference(text)))),
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

    /// Lists the names that files are given in the stead of those that no file can have, or that have
    /// blanks around them, such as in columns. Of two names that become one it is not known which is
    /// meant. And finds out which names end alike.
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

    /// What the file of this name in the output directory must have. A list made elsewhere may have more
    /// directories in front of the name, or fewer.
    #[must_use]
    pub fn of(&self, file_name: &str) -> Option<&ExpectedChecksum> {
        let shorter = file_name.match_indices('/').map(|(slash, _)| &file_name[slash + 1..]);
        let mut names = iter::once(file_name).chain(shorter);
        let listed = names.find_map(|name| self.by_name.get(name));
        strongest(listed.or_else(|| self.by_name.get(self.only_longer(file_name)?))?)
    }

    /// The only name in the list that has more directories in front of this one.
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

    /// What a run's only file must have, if the list has a checksum without a name and no names.
    #[must_use]
    pub fn of_only_file(&self) -> Option<&ExpectedChecksum> {
        let listed = self.by_name.get(NO_NAME).filter(|_| self.by_name.len() == 1)?;
        strongest(listed)
    }

    /// The first line that has a checksum without a name.
    #[must_use]
    pub fn nameless_line(&self) -> Option<usize> {
        self.by_name.get(NO_NAME)?.first().map(|listed| listed.line)
    }
}

fn strongest(listed: &[Listed]) -> Option<&ExpectedChecksum> {
    let strongest = listed.iter().max_by_key(|listed| listed.expected.checksum.algorithm())?;
    Some(&strongest.expected)
}
