//! Which deliveries are to be tried now, and what follows from a try. Pure: applied state and
//! time go in, one command's worth of leases and results comes out.
//!
//! ```text
//! due in applied state ──► leased (committed) ──► sent ──► result ──► committed
//! ```
//! A sender that dies between two arrows leaves a lease that runs out, or that ends with its
//! start of the node: the delivery is tried again under the same event id.
//!
//! Of what is due, the workspace with the fewest tries under way goes first, within the limits
//! of [`Shares`]; a receiver that is slow to answer is tried as [`Receivers`] allow.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use cluster::State;
use cluster::command::{DeliveryResult, DeliveryRound, DeliveryVerdict};
use cluster::model::{
    Delivery, DeliveryAttempt, DeliveryId, DeliveryLease, EndpointId, Incarnation, LogTime, NodeId,
    RanTime,
};

use super::due::{Due, DueIndex, Look};
use super::receivers::{Pace, Receiver, Receivers};
use super::shares::{Load, Route, Shares, Spent};
use crate::ports::{Answered, Times};

/// Times and limits of the sender.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// The delay after each failed try; when none is left, the delivery has failed.
    pub delays: Vec<Duration>,
    /// How long a try is leased for: longer than one can take.
    pub lease: Duration,
    /// Least time between two `render.progress` events of one render.
    pub progress: Duration,
    /// Tries under way at one time.
    pub shares: Shares,
}

impl Default for Schedule {
    fn default() -> Self {
        let delays = [5, 30, 120, 600, 3600, 6 * 3600, 24 * 3600];
        Self {
            delays: delays.map(Duration::from_secs).to_vec(),
            lease: Duration::from_secs(30),
            progress: Duration::from_secs(5),
            shares: Shares::default(),
        }
    }
}

impl Schedule {
    /// When a delivery that failed `tries` times before this is tried again; `None` if never.
    /// `jitter` (0 to 1) spreads it over the tenth behind its time.
    pub(super) fn next(&self, tries: u32, ran: RanTime, jitter: f64) -> Option<RanTime> {
        let delay = self.delays.get(usize::try_from(tries).ok()?)?;
        let delay = delay.mul_f64(1.0 + 0.1 * jitter.clamp(0.0, 1.0));
        Some(ran.plus_millis(u64::try_from(delay.as_millis()).unwrap_or(u64::MAX)))
    }
}

/// A delivery that is being sent, or that a lease was asked for.
#[derive(Debug, Clone)]
struct Flight {
    receiver: Receiver,
    route: Route,
}

/// What the sender has in hand.
#[derive(Debug, Default)]
pub(super) struct QueueCore {
    /// Leases that were proposed and are not committed yet.
    asked: BTreeMap<DeliveryId, Flight>,
    /// Deliveries being sent.
    sending: BTreeMap<DeliveryId, Flight>,
    /// Results that no committed command holds yet.
    results: Vec<DeliveryResult>,
    /// Results in the command in flight.
    proposed: usize,
    is_proposing: bool,
    /// How receivers answer; `None` until the first round reads the log.
    receivers: Option<Receivers>,
    spent: Spent,
    due: DueIndex,
}

/// A due delivery that may be sent, and how.
type Candidate = (Due, Flight);

impl QueueCore {
    /// The next command, if there is anything to propose and no proposal is in flight.
    pub(super) fn round(
        &mut self,
        state: &State,
        (node, incarnation): (NodeId, Incarnation),
        times: Times,
        schedule: &Schedule,
        is_draining: bool,
    ) -> Option<DeliveryRound> {
        if self.is_proposing {
            return None;
        }
        let times = Times {
            now: times.now.max(state.now),
            ran: times.ran.max(state.ran),
        };
        let until = times
            .ran
            .plus_millis(u64::try_from(schedule.lease.as_millis()).unwrap_or(u64::MAX));
        let lease = DeliveryLease {
            node,
            incarnation,
            until,
        };
        let leases: Vec<_> = if is_draining {
            Vec::new()
        } else {
            self.select(state, times, schedule)
                .into_iter()
                .map(|(id, flight)| {
                    self.asked.insert(id, flight);
                    (id, lease)
                })
                .collect()
        };
        if leases.is_empty() && self.results.is_empty() {
            return None;
        }
        self.is_proposing = true;
        self.proposed = self.results.len();
        Some(DeliveryRound {
            results: self.results.clone(),
            leases,
        })
    }

    /// Due deliveries that fit beside those being sent: of the workspace with the fewest under
    /// way first, of these the one whose tries have lately taken least, then the oldest.
    fn select(
        &mut self,
        state: &State,
        times: Times,
        schedule: &Schedule,
    ) -> Vec<(DeliveryId, Flight)> {
        self.due.follow(state);
        let receivers = self
            .receivers
            .get_or_insert_with(|| Receivers::from_log(state, times, schedule));
        let settled: BTreeSet<DeliveryId> =
            self.results.iter().map(|result| result.delivery).collect();
        let is_ours = |id: &DeliveryId| self.sending.contains_key(id) || settled.contains(id);
        let look = Look {
            state,
            times,
            schedule,
            receivers,
        };
        let mut waiting: BTreeMap<&str, VecDeque<Candidate>> = BTreeMap::new();
        for (workspace, of_workspace) in self.due.by_workspace() {
            let excess: BTreeSet<DeliveryId> = DueIndex::beyond(of_workspace)
                .filter(|id| !is_ours(id))
                .collect();
            let mut candidates = Vec::new();
            for (receiver, queue) in of_workspace {
                let is_ours = |id: &DeliveryId| is_ours(id) || excess.contains(id);
                let found = look.at(receiver, queue, is_ours);
                let outwaited = found.outwaited.iter();
                self.results
                    .extend(outwaited.map(|id| untried(*id, times.now)));
                let flight = Flight {
                    receiver: receiver.clone(),
                    route: Route {
                        workspace: workspace.to_owned(),
                        host: found.host,
                        pace: look.receivers.pace(receiver),
                    },
                };
                let due = found.to_send.into_iter();
                candidates.extend(due.map(|due| (due, flight.clone())));
            }
            self.results
                .extend(excess.into_iter().map(|id| crowded_out(id, times.now)));
            if !candidates.is_empty() {
                candidates.sort_by_key(|(due, _)| *due);
                waiting.insert(workspace, candidates.into());
            }
        }
        let mut load = Load::of(self.sending.values().map(|flight| &flight.route));
        let mut busy: BTreeSet<Receiver> = self
            .sending
            .values()
            .map(|flight| flight.receiver.clone())
            .collect();
        let mut chosen = Vec::new();
        let place = |workspace, queue: &VecDeque<Candidate>, load: &Load| {
            let (due, _) = queue.front()?;
            let under_way = load.of_workspace(workspace);
            Some((under_way, self.spent.of(workspace), *due, workspace))
        };
        let mut order: BTreeSet<(usize, u64, Due, &str)> = waiting
            .iter()
            .filter_map(|(workspace, queue)| place(workspace, queue, &load))
            .collect();
        while let Some((.., workspace)) = order.pop_first() {
            let Some(queue) = waiting.get_mut(workspace) else {
                continue;
            };
            // What does not fit now will not in this round: it only ever gets fuller.
            while let Some(((_, id), flight)) = queue.pop_front() {
                let is_slow = flight.route.pace == Pace::Slow;
                let is_taken = is_slow && busy.contains(&flight.receiver);
                if is_taken || !load.admits(&flight.route, schedule.shares) {
                    continue;
                }
                load.add(&flight.route);
                busy.insert(flight.receiver.clone());
                chosen.push((id, flight));
                order.extend(place(workspace, queue, &load));
                break;
            }
        }
        chosen
    }

    /// Handles the outcome of the last command and returns the deliveries that this process has
    /// leased; empty if the outcome was lost: leases that were granted nevertheless expire.
    pub(super) fn settled(
        &mut self,
        leases: &[DeliveryId],
        outcome: Option<&[bool]>,
    ) -> Vec<DeliveryId> {
        self.is_proposing = false;
        let mut asked = std::mem::take(&mut self.asked);
        let Some(given) = outcome else {
            // The results stay and are proposed again.
            return Vec::new();
        };
        self.results.drain(..self.proposed);
        let mut leased = Vec::new();
        for (id, is_given) in leases.iter().zip(given) {
            if let Some(flight) = asked.remove(id)
                && *is_given
            {
                self.sending.insert(*id, flight);
                leased.push(*id);
            }
        }
        leased
    }

    /// A try has ended.
    pub(super) fn sent(
        &mut self,
        delivery: &Delivery,
        began: Times,
        answered: &Answered,
        now: RanTime,
        schedule: &Schedule,
        jitter: f64,
    ) {
        let took = now.millis_since(began.ran);
        if let Some(flight) = self.sending.remove(&delivery.id) {
            self.spent.add(&flight.route.workspace, took, now);
            let took = Duration::from_millis(took);
            let has_answered = answered.status.is_some();
            self.note(flight.receiver, began.ran, took, has_answered, schedule);
        }
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
                at: began.now,
                status: answered.status,
                error: answered.error.clone(),
                duration_millis: u32::try_from(took).unwrap_or(u32::MAX),
            },
            verdict,
        });
    }

    /// A try at an endpoint has ended that no delivery stands for: its progress.
    pub(super) fn progress_sent(
        &mut self,
        endpoint: EndpointId,
        answered: &Answered,
        began: RanTime,
        now: RanTime,
        schedule: &Schedule,
    ) {
        let took = Duration::from_millis(now.millis_since(began));
        let has_answered = answered.status.is_some();
        let receiver = Receiver::Endpoint(endpoint);
        self.note(receiver, began, took, has_answered, schedule);
    }

    /// Whether an endpoint is too slow to be sent what it can do without.
    pub(super) fn is_slow(&self, endpoint: EndpointId) -> bool {
        self.receivers
            .as_ref()
            .is_some_and(|known| known.pace(&Receiver::Endpoint(endpoint)) == Pace::Slow)
    }

    fn note(
        &mut self,
        receiver: Receiver,
        began: RanTime,
        took: Duration,
        has_answered: bool,
        schedule: &Schedule,
    ) {
        if let Some(receivers) = &mut self.receivers {
            receivers.tried(receiver, began, took, has_answered, schedule);
        }
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

/// The end of a delivery whose receiver was too slow for its turn ever to come.
fn untried(delivery: DeliveryId, now: LogTime) -> DeliveryResult {
    given_up(
        delivery,
        now,
        "not tried: the receiver has been too slow to answer",
    )
}

/// The end of a delivery of a workspace of which too many wait.
fn crowded_out(delivery: DeliveryId, now: LogTime) -> DeliveryResult {
    given_up(
        delivery,
        now,
        "given up: too many deliveries of the workspace wait",
    )
}

fn given_up(delivery: DeliveryId, now: LogTime, why: &str) -> DeliveryResult {
    DeliveryResult {
        delivery,
        attempt: DeliveryAttempt {
            at: now,
            status: None,
            error: Some(why.to_owned()),
            duration_millis: 0,
        },
        verdict: DeliveryVerdict::GiveUp,
    }
}
