//! Pages that the settings name: those that are sent with an error, and the fallback of a single-page
//! application.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use super::content_type::media_type;
use crate::http::Status;

/// The path of an HTML file beneath the root. The file need not be there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageFile(String);

/// Why a path is not that of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum PageFileError {
    /// It is absolute, or has a segment that is empty, `.` or `..`, or a NUL byte.
    #[error(
        "write the path from the served directory on, without a slash in front, and without . and .."
    )]
    NotBeneath,
    /// The name has not the suffix of an HTML file.
    #[error("an HTML file is needed, such as page.html")]
    NotHtml,
}

impl PageFile {
    /// The path as bytes.
    pub(super) fn path(&self) -> &[u8] {
        self.0.as_bytes()
    }

    fn name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or_default()
    }
}

impl FromStr for PageFile {
    type Err = PageFileError;

    fn from_str(text: &str) -> Result<Self, PageFileError> {
        if text.contains('\0') || text.split('/').any(|segment| matches!(segment, "" | "." | ".."))
        {
            return Err(PageFileError::NotBeneath);
        }
        match media_type(text.as_bytes()) {
            Some("text/html") => Ok(Self(text.to_owned())),
            _ => Err(PageFileError::NotHtml),
        }
    }
}

impl fmt::Display for PageFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A page that is sent with a status in place of the built-in one. The name of its file begins with the
/// status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorPage {
    pub(super) status: Status,
    pub(super) file: PageFile,
}

/// Why a path is not that of an error page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ErrorPageError {
    #[error(transparent)]
    File(#[from] PageFileError),
    /// The name does not begin with a number of three digits.
    #[error("begin the name of the file with its status, such as 404.html")]
    NoStatus,
    /// No response to a request has the status, or not from here: rejections (429) are text.
    #[error("no page can be sent with {0}, only with {list}", list = ErrorPage::list_statuses())]
    Status(u16),
}

impl ErrorPage {
    /// The statuses with which a page can be sent: those of the errors that requests are answered with.
    const STATUSES: [Status; 14] = [
        Status::BAD_REQUEST,
        Status::UNAUTHORIZED,
        Status::FORBIDDEN,
        Status::NOT_FOUND,
        Status::METHOD_NOT_ALLOWED,
        Status::REQUEST_TIMEOUT,
        Status::PRECONDITION_FAILED,
        Status::URI_TOO_LONG,
        Status::RANGE_NOT_SATISFIABLE,
        Status::EXPECTATION_FAILED,
        Status::REQUEST_HEADER_FIELDS_TOO_LARGE,
        Status::NOT_IMPLEMENTED,
        Status::SERVICE_UNAVAILABLE,
        Status::HTTP_VERSION_NOT_SUPPORTED,
    ];

    fn list_statuses() -> String {
        Self::STATUSES.map(|status| status.code().to_string()).join(", ")
    }
}

impl FromStr for ErrorPage {
    type Err = ErrorPageError;

    fn from_str(text: &str) -> Result<Self, ErrorPageError> {
        let file: PageFile = text.parse()?;
        let name = file.name();
        let digits = name.bytes().take_while(u8::is_ascii_digit).count();
        let code = name[..digits].parse().ok().filter(|_| digits == 3);
        let code = code.ok_or(ErrorPageError::NoStatus)?;
        let status = Self::STATUSES.into_iter().find(|status| status.code() == code);
        Ok(Self { status: status.ok_or(ErrorPageError::Status(code))?, file })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_an_html_file_beneath_the_root() {
        for (text, expected) in [
            ("index.html", Ok(())),
            ("app/start.HTM", Ok(())),
            (".errors/a b.html", Ok(())),
            ("...html", Ok(())),
            ("", Err(PageFileError::NotBeneath)),
            ("/404.html", Err(PageFileError::NotBeneath)),
            ("./404.html", Err(PageFileError::NotBeneath)),
            ("../404.html", Err(PageFileError::NotBeneath)),
            ("a//404.html", Err(PageFileError::NotBeneath)),
            ("a/../404.html", Err(PageFileError::NotBeneath)),
            ("errors/", Err(PageFileError::NotBeneath)),
            ("a\0.html", Err(PageFileError::NotBeneath)),
            ("404.txt", Err(PageFileError::NotHtml)),
            ("404", Err(PageFileError::NotHtml)),
            ("404.html.gz", Err(PageFileError::NotHtml)),
        ] {
            let parsed: Result<PageFile, _> = text.parse();
            assert_eq!(parsed, expected.map(|()| PageFile(text.to_owned())), "{text:?}");
        }
    }

    #[test]
    fn the_name_of_an_error_page_begins_with_its_status() {
        for (text, expected) in [
            ("404.html", Ok(404)),
            ("errors/403.html", Ok(403)),
            ("404-not-found.html", Ok(404)),
            ("500/503.html", Ok(503)),
            ("error.html", Err(ErrorPageError::NoStatus)),
            ("4040.html", Err(ErrorPageError::NoStatus)),
            ("40.html", Err(ErrorPageError::NoStatus)),
            ("404/index.html", Err(ErrorPageError::NoStatus)),
            ("+404.html", Err(ErrorPageError::NoStatus)),
            ("\u{664}04.html", Err(ErrorPageError::NoStatus)),
            ("200.html", Err(ErrorPageError::Status(200))),
            ("429.html", Err(ErrorPageError::Status(429))),
            ("502.html", Err(ErrorPageError::Status(502))),
            ("404.png", Err(PageFileError::NotHtml.into())),
        ] {
            let parsed: Result<ErrorPage, _> = text.parse();
            assert_eq!(parsed.map(|page| page.status.code()), expected, "{text:?}");
        }
        let message = ErrorPageError::Status(429).to_string();
        assert!(message.starts_with("no page can be sent with 429, only with 400, 401, 403, 404"));
    }
}
