//! Whether those who were let in still may be: what they opened ends with their key, and what
//! was opened without one ends with the first key.

use cluster::model::KeyId;

use super::caller::is_open;
use crate::edge::context::Edge;

/// By what a client or an operator was let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Standing {
    /// The key that was shown; `None` while the server is open.
    pub(super) key: Option<KeyId>,
}

impl Standing {
    /// Whether it still lets them in.
    pub(crate) fn holds(self, edge: &Edge) -> bool {
        match self.key {
            Some(key) => edge.state().keys.contains_key(&key),
            None => is_open(edge),
        }
    }

    /// Waits until the client is no longer admitted.
    pub(crate) async fn ended(self, edge: Edge) {
        let mut changes = edge.key_changes.subscribe();
        while self.holds(&edge) {
            if changes.changed().await.is_err() {
                // The sender of changes is gone: the process ends.
                std::future::pending::<()>().await;
            }
        }
    }
}
