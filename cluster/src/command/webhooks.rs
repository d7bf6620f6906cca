//! What the sender of webhooks proposes: results of tries, and leases for the next ones.

use serde::{Deserialize, Serialize};

use crate::model::{DeliveryAttempt, DeliveryId, DeliveryLease, RanTime};

/// What the sender of webhooks changes in one go: results first, then leases.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryRound {
    /// What came of tries.
    pub results: Vec<DeliveryResult>,
    /// Deliveries that are to be tried now.
    pub leases: Vec<(DeliveryId, DeliveryLease)>,
}

/// What came of one try.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryResult {
    /// The delivery.
    pub delivery: DeliveryId,
    /// The try.
    pub attempt: DeliveryAttempt,
    /// What follows from it.
    pub verdict: DeliveryVerdict,
}

/// What follows from a try.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum DeliveryVerdict {
    /// The receiver took it.
    Delivered,
    /// It is tried again then.
    Retry(RanTime),
    /// It is not tried again.
    GiveUp,
    /// The receiver refused all further events: its endpoint is disabled.
    Gone,
}
