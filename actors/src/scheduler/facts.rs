//! What the scheduler remembers of nodes and leases between rounds. All of it comes from
//! polls and from its own grants, and is lost without harm with the leader.

use std::time::Instant;

use cluster::command::{Granted, Rejection, Report};
use cluster::model::{Epoch, Incarnation, NodeId, RunNumber, TaskRef};

use crate::poll::Held;

/// One poll that waits for its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ticket(pub(crate) u64);

/// A leased attempt.
pub(super) type Lease = (TaskRef, Epoch);

/// A node as its polls show it.
#[derive(Debug, Clone)]
pub(super) struct NodeFacts {
    pub(super) incarnation: Incarnation,
    pub(super) last_poll: Instant,
    pub(super) free_slots: u32,
    pub(super) settling_slots: u32,
    pub(super) free_transfers: u32,
    pub(super) is_draining: bool,
    pub(super) held: Vec<Held>,
    /// The poll that waits, and since when.
    pub(super) ticket: Option<(Ticket, Instant)>,
    /// Reports that no committed batch holds yet.
    pub(super) reports: Vec<Report>,
    /// Leases it gave back that no committed batch has released yet.
    pub(super) handed_back: Vec<Lease>,
    /// Granted runs that the next answer to the node carries.
    pub(super) to_send: Vec<Vec<Granted>>,
    /// Reports to be confirmed.
    pub(super) confirmed: Vec<(TaskRef, Epoch, Result<(), Rejection>)>,
}

impl NodeFacts {
    pub(super) fn new(incarnation: Incarnation, now: Instant) -> Self {
        Self {
            incarnation,
            last_poll: now,
            free_slots: 0,
            settling_slots: 0,
            free_transfers: 0,
            is_draining: false,
            held: Vec::new(),
            ticket: None,
            reports: Vec::new(),
            handed_back: Vec::new(),
            to_send: Vec::new(),
            confirmed: Vec::new(),
        }
    }
}

/// A live attempt as the leader watches it.
#[derive(Debug, Clone, Copy)]
pub(super) struct LeaseFacts {
    pub(super) node: NodeId,
    pub(super) run: RunNumber,
    /// When its node last listed it, or when this leader first saw it: renewal.
    pub(super) renewed: Instant,
    /// The node has listed it at least once, so the grant has arrived.
    pub(super) is_listed: bool,
    /// Polls in a row, an interval apart, that should have listed it and did not.
    pub(super) misses: u32,
    /// When it was last sent or last missed.
    pub(super) marked: Instant,
    /// It was sent a second time.
    pub(super) is_resent: bool,
    /// Units done.
    pub(super) units: u64,
}
