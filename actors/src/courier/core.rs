//! Which deliveries are to be tried now, and what follows from a try. Pure: applied state and
//! time go in, one command's worth of leases and results comes out.
//!
//! ```text
//! due in applied state ──► leased (committed) ──► sent ──► result ──► committed
//! ```
//! A sender that dies between two arrows leaves a lease that runs out, or that ends with its
//! start of the node: the delivery is tried again under the same event id.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use cluster::State;
use cluster::command::{Courier, DeliveryResult, DeliveryVerdict};
use cluster::model::{
    Delivery, DeliveryAttempt, DeliveryId, DeliveryLease, Incarnation, LogTime, NodeId, Target,
};

use crate::ports::Answered;

/// Deliveries on their way to one host.
const PER_HOST: usize = 4;

/// Deliveries on their way at all.
const IN_ALL: usize = 32;

/// Deliveries of one workspace on their way: its slow receivers leave room for others'.
const PER_WORKSPACE: usize = IN_ALL / 2;

/// Times of the sender.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// The delay after each failed try; when none is left, the delivery has failed.
    pub delays: Vec<Duration>,
    /// How long a try is leased for: longer than one can take.
    pub lease: Duration,
    /// Least time between two `render.progress` events of one render.
    pub progress: Duration,
}

impl Default for Schedule {
    fn default() -> Self {
        let delays = [5, 30, 120, 600, 3600, 6 * 3600, 24 * 3600];
        Self {
            delays: delays.map(Duration::from_secs).to_vec(),
            lease: Duration::from_secs(30),
            progress: Duration::from_secs(5),
        }
    }
}

impl Schedule {
    /// When a delivery that failed `tries` times before this is tried again; nothing if never.
    /// `jitter` (0 to 1) spreads it over the tenth behind its time.
    pub(super) fn next(&self, tries: u32, now: LogTime, jitter: f64) -> Option<LogTime> {
        let delay = self.delays.get(usize::try_from(tries).ok()?)?;
        let delay = delay.mul_f64(1.0 + 0.1 * jitter.clamp(0.0, 1.0));
        Some(now.plus_millis(u64::try_from(delay.as_millis()).unwrap_or(u64::MAX)))
    }
}

/// What the sender has in hand.
#[derive(Debug, Default)]
pub(super) struct Core {
    /// Leases that were proposed and are not committed yet, by host.
    asked: BTreeMap<DeliveryId, String>,
    /// Deliveries being sent, by host.
    sending: BTreeMap<DeliveryId, String>,
    /// Results that no committed command holds yet.
    results: Vec<DeliveryResult>,
    /// Results in the command in flight.
    proposed: usize,
    is_proposing: bool,
}

impl Core {
    /// The next command, if there is anything to say and none is in flight.
    pub(super) fn round(
        &mut self,
        state: &State,
        (node, incarnation): (NodeId, Incarnation),
        now: LogTime,
        schedule: &Schedule,
        is_draining: bool,
    ) -> Option<Courier> {
        if self.is_proposing {
            return None;
        }
        let now = now.max(state.now);
        let until = now.plus_millis(u64::try_from(schedule.lease.as_millis()).unwrap_or(u64::MAX));
        let lease = DeliveryLease {
            node,
            incarnation,
            until,
        };
        let leases: Vec<_> = if is_draining {
            Vec::new()
        } else {
            self.select(state, now)
                .into_iter()
                .map(|(id, host)| {
                    self.asked.insert(id, host);
                    (id, lease)
                })
                .collect()
        };
        if leases.is_empty() && self.results.is_empty() {
            return None;
        }
        self.is_proposing = true;
        self.proposed = self.results.len();
        Some(Courier {
            results: self.results.clone(),
            leases,
        })
    }

    /// Due deliveries that fit beside those on their way, oldest first. All of them are looked
    /// at: many for a host that does not answer must not hide one for another.
    fn select(&self, state: &State, now: LogTime) -> Vec<(DeliveryId, String)> {
        let told: BTreeSet<DeliveryId> =
            self.results.iter().map(|result| result.delivery).collect();
        let mut by_host: BTreeMap<String, usize> = BTreeMap::new();
        for host in self.sending.values() {
            *by_host.entry(host.clone()).or_default() += 1;
        }
        let mut room = IN_ALL.saturating_sub(self.sending.len());
        let mut by_workspace: BTreeMap<&str, usize> = BTreeMap::new();
        for id in self.sending.keys() {
            if let Some(delivery) = state.deliveries.get(id) {
                *by_workspace.entry(&delivery.workspace).or_default() += 1;
            }
        }
        let mut chosen = Vec::new();
        for ((due, id), ()) in &state.due {
            if room == 0 || *due > now {
                break;
            }
            let Some(delivery) = state.deliveries.get(id) else {
                continue;
            };
            let is_current = |node, incarnation| {
                let known: Option<&cluster::model::NodeInfo> = state.nodes.get(&node);
                known.is_some_and(|info| info.incarnation == incarnation)
            };
            let is_ours = self.sending.contains_key(id) || told.contains(id);
            if is_ours || !delivery.is_leasable(now, is_current) {
                continue;
            }
            let Some(host) = host_of(state, delivery) else {
                continue;
            };
            let count = by_host.entry(host.clone()).or_default();
            let own = by_workspace.entry(&delivery.workspace).or_default();
            if *count >= PER_HOST || *own >= PER_WORKSPACE {
                continue;
            }
            *count += 1;
            *own += 1;
            room -= 1;
            chosen.push((*id, host));
        }
        chosen
    }

    /// Takes in what became of the last command: the deliveries that are now ours to send.
    /// After a lost outcome nothing is: leases that were given after all run out.
    pub(super) fn settled(
        &mut self,
        leases: &[DeliveryId],
        outcome: Option<&[bool]>,
    ) -> Vec<DeliveryId> {
        self.is_proposing = false;
        let mut asked = std::mem::take(&mut self.asked);
        let Some(given) = outcome else {
            // Results stay, and are told again.
            return Vec::new();
        };
        self.results.drain(..self.proposed);
        let mut ours = Vec::new();
        for (id, is_given) in leases.iter().zip(given) {
            if let Some(host) = asked.remove(id)
                && *is_given
            {
                self.sending.insert(*id, host);
                ours.push(*id);
            }
        }
        ours
    }

    /// A try has ended.
    pub(super) fn sent(
        &mut self,
        delivery: &Delivery,
        began: LogTime,
        answered: &Answered,
        now: LogTime,
        schedule: &Schedule,
        jitter: f64,
    ) {
        self.sending.remove(&delivery.id);
        let verdict = match answered.status {
            Some(200..=299) => DeliveryVerdict::Delivered,
            Some(410) => DeliveryVerdict::Gone,
            _ => match schedule.next(delivery.tries, now, jitter) {
                Some(due) => DeliveryVerdict::Retry(due),
                None => DeliveryVerdict::GiveUp,
            },
        };
        self.results.push(DeliveryResult {
            delivery: delivery.id,
            attempt: DeliveryAttempt {
                at: began,
                status: answered.status,
                error: answered.error.clone(),
                duration_millis: u32::try_from(now.millis_since(began)).unwrap_or(u32::MAX),
            },
            verdict,
        });
    }

    /// A delivery that went away before it was sent.
    pub(super) fn forget(&mut self, id: DeliveryId) {
        self.sending.remove(&id);
    }

    /// Deliveries on their way.
    pub(super) fn sending(&self) -> usize {
        self.sending.len()
    }

    /// Whether everything that was tried is committed.
    pub(super) fn is_idle(&self) -> bool {
        self.sending.is_empty() && self.results.is_empty() && !self.is_proposing
    }
}

/// The host a delivery goes to; nothing if its endpoint is gone.
fn host_of(state: &State, delivery: &Delivery) -> Option<String> {
    let url = match &delivery.target {
        Target::Url(url) => url,
        Target::Endpoint(endpoint) => &state.endpoints.get(endpoint)?.url,
    };
    // Between the scheme and the path; the port belongs to it, and case does not.
    let rest = url.split_once("://")?.1;
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    Some(host.to_ascii_lowercase())
}
