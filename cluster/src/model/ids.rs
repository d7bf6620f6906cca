//! Identifiers and counters. Random ones are drawn by the proposer, never by `apply`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use ulid::Ulid;

/// One render, `render_` and a ULID in text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct JobId(pub u128);

impl JobId {
    const PREFIX: &str = "render_";

    /// The id made of `ulid`.
    pub fn from_ulid(ulid: Ulid) -> Self {
        Self(ulid.0)
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", Self::PREFIX, Ulid(self.0))
    }
}

impl fmt::Debug for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text that is not the id it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a render id")]
pub struct NotAnId;

impl FromStr for JobId {
    type Err = NotAnId;

    fn from_str(text: &str) -> Result<Self, NotAnId> {
        let ulid = text.strip_prefix(Self::PREFIX).ok_or(NotAnId)?;
        Ulid::from_string(ulid)
            .map(Self::from_ulid)
            .map_err(|_| NotAnId)
    }
}

macro_rules! counter {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(
            Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
        )]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

counter! {
    /// A process in the cluster: allocated once, kept with its data directory.
    NodeId(u64)
}
counter! {
    /// One start of a node's process on its data directory; drawn at random at start.
    Incarnation(u128)
}
counter! {
    /// Fencing number of one attempt. Never used twice in a cluster's life.
    Epoch(u64)
}
counter! {
    /// Which plan of a job is current; a replan raises it.
    Generation(u32)
}
counter! {
    /// Index of an applied log entry.
    LogIndex(u64)
}
counter! {
    /// Rises with every change of a job that a client can see.
    Seq(u64)
}
counter! {
    /// Milliseconds since the Unix epoch, stamped by the leader and carried in the log.
    LogTime(u64)
}

counter! {
    /// Milliseconds that the cluster has been running: the leader's boot clock between its
    /// stamps; it stands still while there is no leader. Deadlines, retries and leases count in
    /// it, so that no step of a wall clock and no outage fails anything.
    RanTime(u64)
}
counter! {
    /// Consecutive attempts granted together to one slot; the epoch of the first of them.
    RunNumber(u64)
}
counter! {
    /// How often a node's process has started on its data directory; kept there.
    Boot(u64)
}
counter! {
    /// What `apply` does, which commands exist and how snapshots are written.
    Level(u32)
}

impl Level {
    /// The newest level that this build supports.
    pub const NEWEST: Self = Self(2);
}

impl RanTime {
    /// This much later.
    pub fn plus_millis(self, millis: u64) -> Self {
        Self(self.0.saturating_add(millis))
    }

    /// Milliseconds from `earlier` to `self`; zero if it is not earlier.
    pub fn millis_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl LogTime {
    /// This much earlier; the epoch if that would be before it.
    pub fn minus_millis(self, millis: u64) -> Self {
        Self(self.0.saturating_sub(millis))
    }

    /// This much later.
    pub fn plus_millis(self, millis: u64) -> Self {
        Self(self.0.saturating_add(millis))
    }

    /// Milliseconds from `earlier` to `self`; zero if it is not earlier.
    pub fn millis_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}
