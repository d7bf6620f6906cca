//! `[webhooks]`.

use std::time::Duration;

use actors::Schedule;
use humantime_serde::Serde;
use serde::{Deserialize, Serialize};

/// Telling receivers of events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Webhooks {
    /// The delay after each failed try; when none is left, the delivery has failed.
    retries: Vec<Serde<Duration>>,
}

impl Default for Webhooks {
    fn default() -> Self {
        let delays = Schedule::default().delays;
        Self {
            retries: delays.into_iter().map(Serde::from).collect(),
        }
    }
}

impl Webhooks {
    /// When deliveries are tried again.
    pub fn schedule(&self) -> Schedule {
        Schedule {
            delays: self.retries.iter().map(|delay| **delay).collect(),
            ..Schedule::default()
        }
    }
}
