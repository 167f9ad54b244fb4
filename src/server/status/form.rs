//! The forms of the status, and the selection of one by a request.

use super::html::{self, REFRESH_SECONDS, Refresh};
use super::snapshot::Snapshot;
use super::{json, prometheus};
use crate::http::Fields;
use crate::http::negotiation::{MediaType, choose_media_type};

/// A form of the status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StatusForm {
    /// A page for people.
    Html(Refresh),
    /// A JSON object with stable names.
    Json,
    /// The text exposition format of Prometheus, version 0.0.4.
    Prometheus,
}

impl StatusForm {
    /// The form that a request selects: by `format` in its query (`html`, `json` or `prometheus`), else by
    /// `Accept`, which identifies scrapers by the formats that they list. HTML is the default; `None` for
    /// an unknown `format`. The page refreshes itself unless the query has `refresh=off`.
    #[must_use]
    pub(crate) fn choose(query: Option<&[u8]>, fields: &Fields<'_>) -> Option<Self> {
        let mut parameters = query.unwrap_or_default().split(|byte| *byte == b'&');
        let refresh = if parameters.clone().any(|parameter| parameter == b"refresh=off") {
            Refresh::Off
        } else {
            Refresh::On
        };
        match parameters.find_map(|parameter| parameter.strip_prefix(b"format=")) {
            Some(b"html") => Some(Self::Html(refresh)),
            Some(b"json") => Some(Self::Json),
            Some(b"prometheus") => Some(Self::Prometheus),
            Some(_) => None,
            None if fields.tokens("Accept").any(is_exposition_format) => Some(Self::Prometheus),
            None => {
                let offers = [MediaType::Html, MediaType::Json, MediaType::Plain];
                Some(match choose_media_type(fields, &offers) {
                    Some(MediaType::Plain) => Self::Prometheus,
                    Some(MediaType::Json) => Self::Json,
                    Some(MediaType::Html) | None => Self::Html(refresh),
                })
            }
        }
    }

    /// The value of `Content-Type`.
    #[must_use]
    pub(crate) const fn content_type(self) -> &'static str {
        match self {
            Self::Html(_) => MediaType::Html.content_type(),
            Self::Json => MediaType::Json.content_type(),
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
        }
    }

    /// The value of `Refresh`, a field of the HTML standard: the seconds after which a browser loads it again.
    #[must_use]
    pub(crate) fn refresh(self) -> Option<String> {
        (self == Self::Html(Refresh::On)).then(|| REFRESH_SECONDS.to_string())
    }

    #[must_use]
    pub(crate) fn render(self, snapshot: &Snapshot) -> String {
        match self {
            Self::Html(refresh) => html::render(snapshot, refresh),
            Self::Json => json::render(snapshot),
            Self::Prometheus => prometheus::render(snapshot),
        }
    }
}

/// Whether a member of `Accept` is one that only scrapers send: `OpenMetrics`, or plain text of a version.
fn is_exposition_format(member: &[u8]) -> bool {
    let mut parts = member.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
    let media_type = parts.next().unwrap_or_default();
    media_type.eq_ignore_ascii_case(b"application/openmetrics-text")
        || (media_type.eq_ignore_ascii_case(b"text/plain")
            && parts.any(|parameter| parameter.starts_with(b"version=")))
}

#[cfg(test)]
mod tests;
