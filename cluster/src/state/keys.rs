//! API keys: made, ended, found by what a client sends.

use super::State;
use crate::command::{Outcome, Rejection};
use crate::model::{ApiKey, Digest, KeyId};

impl State {
    pub(super) fn create_key(&mut self, mut key: ApiKey) -> Outcome {
        if let Some(known) = self.keys.get(&key.id) {
            return if known.digest == key.digest {
                Outcome::Accepted
            } else {
                Outcome::Rejected(Rejection::IdempotencyConflict)
            };
        }
        key.created_at = self.now;
        self.key_digests.insert(key.digest, key.id);
        self.keys.insert(key.id, key);
        Outcome::Accepted
    }

    pub(super) fn revoke_key(&mut self, key: KeyId) -> Outcome {
        match self.keys.remove(&key) {
            Some(key) => {
                self.key_digests.remove(&key.digest);
                Outcome::Accepted
            }
            None => Outcome::Rejected(Rejection::UnknownKey),
        }
    }

    /// The key whose digest this is. What is compared is a digest of what was sent, so the
    /// time of the look-up discloses nothing about any key.
    pub fn key_of(&self, digest: &Digest) -> Option<&ApiKey> {
        self.keys.get(self.key_digests.get(digest)?)
    }
}
