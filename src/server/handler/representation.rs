//! Selects the representation of a file: the file itself, or a precompressed form that the client prefers.

use crate::http::negotiation::choose_coding;
use crate::http::{Coding, RequestHead};
use crate::server::site::file::{NamedFile, StaticFile};
use crate::server::site::lookup::Site;
use crate::server::site::precompressed::PrecompressedFiles;

/// A file as it is sent.
#[derive(Debug)]
pub(super) struct Representation {
    pub(super) file: StaticFile,
    /// The value of `Vary`: the fields of the request that it was selected by (RFC 9110 §12.5.5).
    pub(super) vary: Option<&'static str>,
}

impl Representation {
    /// Selects by `Accept-Encoding` (RFC 9110 §12.5.3).
    pub(super) fn select(site: &Site, head: &RequestHead, named: NamedFile<'_>) -> Self {
        let NamedFile { mut file, path } = named;
        if !site.may_have_precompressed(&file) {
            return Self { file, vary: None };
        }
        let fields = head.fields();
        // A client that accepts no available coding gets the plain file, as §12.5.3 allows.
        let choose = |available| choose_coding(&fields, available).unwrap_or(Coding::Identity);
        // Precompressed files are looked up only for clients that accept one of their codings.
        if choose(&PrecompressedFiles::CODINGS) != Coding::Identity {
            let precompressed = site.find_precompressed(path, &file);
            let coding = choose(precompressed.codings());
            if let Some(coded) = precompressed.take(coding) {
                file = coded;
            }
        }
        Self { file, vary: Some("Accept-Encoding") }
    }

    /// The same for a file that was itself chosen by `Accept`.
    pub(super) fn chosen_by_accept(self) -> Self {
        let vary = self.vary.map_or("Accept", |_| "Accept, Accept-Encoding");
        Self { vary: Some(vary), ..self }
    }
}
