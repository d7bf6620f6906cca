//! Who may ask for what, and what they asked for so far.

use serde::{Deserialize, Serialize};

use super::{Digest, KeyId, LogTime};

/// An API key. The key itself is never kept, only its digest: 256 random bits need no salt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiKey {
    /// Chosen by the operator who makes the key.
    pub id: KeyId,
    /// Whose renders it reaches.
    pub workspace: String,
    /// What people call it.
    pub name: String,
    /// Reaches the admin API, and no workspace.
    pub is_admin: bool,
    /// SHA-256 of the key as sent.
    pub digest: Digest,
    /// Its last characters, to distinguish keys in lists.
    pub hint: String,
    /// When it was made.
    pub created_at: LogTime,
}

/// Work of one workspace on one day (UTC).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DayUsage {
    /// Renders completed.
    pub renders: u64,
    /// Length of what they made, in milliseconds.
    pub output_millis: u64,
    /// Bytes of what they made.
    pub output_bytes: u64,
}

/// A day since the Unix epoch.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Day(pub u32);

impl Day {
    /// The day of a moment.
    pub fn of(time: LogTime) -> Self {
        Self(u32::try_from(time.0 / 86_400_000).unwrap_or(u32::MAX))
    }
}
