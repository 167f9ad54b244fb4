//! The last response on a connection, as it is sent.

/// A response as bytes.
#[derive(Debug)]
pub(crate) struct EncodedResponse {
    bytes: Box<[u8]>,
    head_bytes: usize,
}

impl EncodedResponse {
    /// Joins a head, with the empty line that ends it, and the content that follows.
    pub(crate) fn new(head: Vec<u8>, content: &[u8]) -> Self {
        let (head_bytes, mut bytes) = (head.len(), head);
        bytes.extend_from_slice(content);
        Self { bytes: bytes.into(), head_bytes }
    }

    /// Head and content.
    pub(crate) fn whole(&self) -> &[u8] {
        &self.bytes
    }

    /// The head alone, as sent in response to `HEAD` (RFC 9110 §9.3.2).
    pub(crate) fn head(&self) -> &[u8] {
        &self.bytes[..self.head_bytes]
    }
}
