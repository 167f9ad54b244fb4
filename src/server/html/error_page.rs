//! Error pages, for people and programs.

use maud::html;
use serde_json::json;

use super::page::page;
use crate::http::Status;
use crate::http::negotiation::MediaType;
use crate::printable::{self, JsonLayout};

/// The forms of an error page; the first is the default.
pub(crate) const ERROR_FORMS: [MediaType; 3] = [MediaType::Plain, MediaType::Html, MediaType::Json];

/// A page with the status and a sentence, which may be empty.
#[must_use]
pub(crate) fn error_page(status: Status, detail: &str, form: MediaType) -> String {
    match form {
        MediaType::Html => {
            let title = status.to_string();
            let body = html! {
                main {
                    h1 { (title) }
                    @if !detail.is_empty() { p { (detail) } }
                }
            };
            page(&title, &html! {}, &body).into_string()
        }
        MediaType::Json => {
            let mut error = json!({ "status": status.code(), "reason": status.reason() });
            if !detail.is_empty() {
                error["detail"] = detail.into();
            }
            printable::json(&error, JsonLayout::Compact) + "\n"
        }
        MediaType::Plain if detail.is_empty() => format!("{status}\n"),
        MediaType::Plain => format!("{status}\n{detail}\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_rendered_in_each_form_and_escaped() {
        let detail = "<b>\"too many\" & more";
        let html = error_page(Status::TOO_MANY_REQUESTS, detail, MediaType::Html);
        assert!(html.starts_with("<!DOCTYPE html>"), "{html}");
        assert!(html.contains("<h1>429 Too Many Requests</h1>"), "{html}");
        assert!(html.contains("<p>&lt;b&gt;&quot;too many&quot; &amp; more</p>"), "{html}");
        let text = error_page(Status::TOO_MANY_REQUESTS, detail, MediaType::Plain);
        assert_eq!(text, "429 Too Many Requests\n<b>\"too many\" & more\n");
        let json = error_page(Status::TOO_MANY_REQUESTS, detail, MediaType::Json);
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        let expected = json!({ "status": 429, "reason": "Too Many Requests", "detail": detail });
        assert_eq!(json, expected);
    }

    #[test]
    fn an_error_needs_no_detail() {
        assert_eq!(error_page(Status::NOT_FOUND, "", MediaType::Plain), "404 Not Found\n");
        assert!(!error_page(Status::NOT_FOUND, "", MediaType::Html).contains("<p>"));
        assert!(!error_page(Status::NOT_FOUND, "", MediaType::Json).contains("detail"));
    }
}
