//! The page of a single-page application, which finds out itself what its path means.

use super::representation::Representation;
use crate::http::negotiation::{MediaType, names_media_type};
use crate::http::{RequestHead, TargetPath};
use crate::server::site::lookup::Site;

/// The fallback for a path without a file, if the client opens a page. The parts of pages, and what scripts
/// ask for, are not found instead: in their place a page would be an error that is hard to see.
pub(super) fn select_fallback(
    site: &Site,
    head: &RequestHead,
    path: &TargetPath,
) -> Option<Representation> {
    let page = site.fallback(path)?;
    names_media_type(&head.fields(), MediaType::Html)
        .then(|| Representation::select(site, head, page).chosen_by_accept())
}
