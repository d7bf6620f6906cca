//! What retention drops. Commands of level 0 carry cut-offs by the wall clock of the
//! proposer; since level 1 they carry ages, and `apply` subtracts.

use serde::{Deserialize, Serialize};

use crate::model::{Day, LogTime};

/// What retention drops beside jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trim {
    /// Settled deliveries older than this go.
    pub deliveries_before: LogTime,
    /// Settled assets older than this go, unless an active job uses them.
    pub assets_before: LogTime,
    /// Failed and abandoned assets older than this go.
    pub failed_assets_before: LogTime,
    /// Usage of earlier days goes.
    pub usage_before: Day,
}

/// The longest ages that retention keeps, in milliseconds of log time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retention {
    /// Idempotency rows of renders.
    pub idempotency: u64,
    /// Ended jobs.
    pub jobs: u64,
    /// Settled deliveries.
    pub deliveries: u64,
    /// Settled assets, unless an active job uses them.
    pub assets: u64,
    /// Failed and abandoned assets, and probes.
    pub failed_assets: u64,
    /// Usage, by day.
    pub usage: u64,
}

impl Retention {
    /// Keeps everything.
    pub const NONE: Self = Self {
        idempotency: u64::MAX,
        jobs: u64::MAX,
        deliveries: u64::MAX,
        assets: u64::MAX,
        failed_assets: u64::MAX,
        usage: u64::MAX,
    };

    /// The cut-offs beside jobs at `now`.
    pub fn trim_at(&self, now: LogTime) -> Trim {
        Trim {
            deliveries_before: now.minus_millis(self.deliveries),
            assets_before: now.minus_millis(self.assets),
            failed_assets_before: now.minus_millis(self.failed_assets),
            usage_before: Day::of(now.minus_millis(self.usage)),
        }
    }
}
