//! What is known of a client's rate, while it has connections.

use std::sync::Arc;

use super::shared_rate::{Flow, SharedRate};

/// The rate of one client.
#[derive(Clone, Debug)]
pub(crate) struct ClientRate {
    /// Its maximum, which its connections share.
    pub(crate) maximum: Option<Arc<SharedRate>>,
    /// What all its connections have used of its share in the total.
    pub(crate) of_total: Arc<Flow>,
}

impl ClientRate {
    /// The rate of a client that has not been sent anything.
    pub(crate) fn new(maximum: Option<u64>) -> Self {
        let maximum = maximum.map(|maximum| Arc::new(SharedRate::new(maximum)));
        Self { maximum, of_total: Arc::default() }
    }
}
