//! The fields that the operator adds to responses, by how a response is sent.
//!
//! `Strict-Transport-Security` tells a browser to come back over TLS only. Over a plain connection anybody on the way
//! could have added it, so browsers ignore it there, and a server must not send it (RFC 6797 §7.2). A server without
//! certificates sends it nevertheless: the proxy in front of it speaks TLS.

use super::response::Response;
use crate::http::FieldLines;
use crate::server::config::{ExtraField, ServerConfig};

const STRICT_TRANSPORT_SECURITY: &str = "Strict-Transport-Security";

/// How a response is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Channel {
    Plain,
    Tls,
}

/// The operator's fields, ready to be sent.
#[derive(Debug, Default)]
pub(super) struct ExtraFieldLines {
    everywhere: FieldLines,
    tls_only: FieldLines,
}

impl ExtraFieldLines {
    pub(super) fn new(config: &ServerConfig) -> Self {
        let mut lines = Self::default();
        for ExtraField { name, value } in &config.extra_fields.further {
            let is_tls_only =
                config.tls.is_some() && name.eq_ignore_ascii_case(STRICT_TRANSPORT_SECURITY);
            let lines = if is_tls_only { &mut lines.tls_only } else { &mut lines.everywhere };
            lines.push(name, value);
        }
        lines
    }

    pub(super) fn add(&self, response: Response, channel: Channel) -> Response {
        let response = response.lines(&self.everywhere);
        match channel {
            Channel::Plain => response,
            Channel::Tls => self.add_for_tls(response),
        }
    }

    /// Adds what a response has beyond [`Channel::Plain`] if it is sent over TLS.
    pub(super) fn add_for_tls(&self, response: Response) -> Response {
        response.lines(&self.tls_only)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::{Persistence, Status, Version};
    use crate::server::handler::response::ResponseContent;
    use crate::server::tls::acceptor::TlsSettings;

    #[test]
    fn a_server_with_certificates_asks_for_tls_only_over_tls() {
        for (has_tls, channel, is_sent) in [
            (true, Channel::Tls, true),
            (true, Channel::Plain, false),
            (false, Channel::Plain, true),
        ] {
            let mut config = ServerConfig::default();
            let fields = ["A: b", "strict-transport-security: max-age=9", "C: d"];
            config.extra_fields.further = fields.map(|field| field.parse().unwrap()).into();
            config.tls = has_tls.then(|| TlsSettings { pairs: Vec::new() });
            let response = Response::new(Status::OK, ResponseContent::None);
            let response = ExtraFieldLines::new(&config).add(response, channel);
            let mut head = Vec::new();
            response.write_head(&mut head, Version::Http11, Persistence::Keep);
            let head = String::from_utf8(head).unwrap();
            assert!(head.contains("\r\nA: b\r\n") && head.contains("\r\nC: d\r\n"), "{head}");
            let field = "\r\nstrict-transport-security: max-age=9\r\n";
            assert_eq!(head.contains(field), is_sent, "{has_tls} {channel:?}: {head}");
        }
    }
}
