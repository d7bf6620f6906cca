//! Webhook endpoints and the secrets that sign what they are sent.

use super::State;
use crate::command::{Outcome, Rejection};
use crate::model::{Disabled, Endpoint, EndpointId, Sealed, Secret};

/// Endpoints a workspace may have.
const MAX_ENDPOINTS: usize = 50;

impl State {
    pub(super) fn create_endpoint(&mut self, mut endpoint: Endpoint) -> Outcome {
        if let Some(known) = self.endpoints.get(&endpoint.id) {
            return if known.secret.current == endpoint.secret.current {
                Outcome::Accepted
            } else {
                Outcome::Rejected(Rejection::IdempotencyConflict)
            };
        }
        let count = self
            .endpoints
            .values()
            .filter(|known| known.workspace == endpoint.workspace)
            .count();
        if count >= MAX_ENDPOINTS {
            return Outcome::Rejected(Rejection::EnoughEndpoints);
        }
        endpoint.created_at = self.now;
        self.endpoints.insert(endpoint.id, endpoint);
        Outcome::Accepted
    }

    pub(super) fn delete_endpoint(&mut self, id: EndpointId, workspace: &str) -> Outcome {
        if self.endpoint_of(id, workspace).is_none() {
            return Outcome::Rejected(Rejection::UnknownEndpoint);
        }
        self.endpoints.remove(&id);
        self.drop_deliveries_to(id);
        Outcome::Accepted
    }

    pub(super) fn rotate_secret(
        &mut self,
        id: EndpointId,
        workspace: &str,
        secret: Sealed,
        overlap_millis: u64,
    ) -> Outcome {
        let until = self.now.plus_millis(overlap_millis);
        let Some(endpoint) = self
            .endpoints
            .get_mut(&id)
            .filter(|endpoint| endpoint.workspace == workspace)
        else {
            return Outcome::Rejected(Rejection::UnknownEndpoint);
        };
        // The proposal sent twice must not push out the secret that receivers still check.
        if endpoint.secret.current != secret {
            let former = std::mem::replace(&mut endpoint.secret.current, secret);
            endpoint.secret.previous = Some((former, until));
        }
        Outcome::Accepted
    }

    pub(super) fn keep_secret(&mut self, workspace: String, secret: Sealed) -> Outcome {
        self.secrets.entry(workspace).or_insert(Secret {
            current: secret,
            previous: None,
        });
        Outcome::Accepted
    }

    /// Disables the endpoint, because its receiver refused all further events.
    pub(super) fn disable_endpoint(&mut self, id: EndpointId, why: Disabled) {
        let now = self.now;
        if let Some(endpoint) = self.endpoints.get_mut(&id)
            && endpoint.disabled.is_none()
        {
            endpoint.disabled = Some((why, now));
            self.drop_deliveries_to(id);
        }
    }

    /// The workspace's endpoint with this id.
    pub fn endpoint_of(&self, id: EndpointId, workspace: &str) -> Option<&Endpoint> {
        self.endpoints
            .get(&id)
            .filter(|endpoint| endpoint.workspace == workspace)
    }
}
