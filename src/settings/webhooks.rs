//! `[webhooks]`.

use std::time::Duration;

use actors::{Schedule, Shares};
use humantime_serde::Serde;
use serde::{Deserialize, Serialize};

/// Telling receivers of events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Webhooks {
    /// The delay after each failed try; when none is left, the delivery has failed.
    retries: Vec<Serde<Duration>>,
    /// Tries under way at one time.
    sends: usize,
    /// Of one workspace; never more than are left free for the others either.
    sends_per_workspace: usize,
    /// To one host; of one workspace, half of them.
    sends_per_host: usize,
}

impl Default for Webhooks {
    fn default() -> Self {
        let Schedule { delays, shares, .. } = Schedule::default();
        Self {
            retries: delays.into_iter().map(Serde::from).collect(),
            sends: shares.all,
            sends_per_workspace: shares.per_workspace,
            sends_per_host: shares.per_host,
        }
    }
}

impl Webhooks {
    /// When deliveries are tried again, and how many at a time.
    pub fn schedule(&self) -> Schedule {
        Schedule {
            delays: self.retries.iter().map(|delay| **delay).collect(),
            shares: Shares {
                all: self.sends,
                per_workspace: self.sends_per_workspace,
                per_host: self.sends_per_host,
            },
            ..Schedule::default()
        }
    }
}
