//! The scheduler's decisions, pure: applied state, polls and time go in; a round to
//! propose and answers to polls come out.
//!
//! ```text
//! poll ──► facts ──► round ──► (committed) ──► settled ──► answers
//!                      ▲                                        │
//!                 applied state                          assign, revoke,
//!                                                       confirmed reports
//! ```
//! Which leases are live is read from applied state alone; the facts only add when a node
//! last listed them. So a lost proposal, a lost answer or a new leader needs no repair.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use cluster::State;
use cluster::command::{Granted, Release, ReleaseCause, Report, Round, RoundOutcome};
use cluster::model::{NodeId, RunNumber};

use super::facts::{Lease, LeaseFacts, NodeFacts, Ticket};
use super::fair::{self, Served};
use super::{select, spread};
use crate::backoff;
use crate::config::Timings;
use crate::live::{LiveFacts, LiveNode};
use crate::poll::Poll;
use crate::ports::{ProposeError, Times};

/// Misses after which a lease is sent once more, and after which it is released.
const MISSES_BEFORE_RESEND: u32 = 2;
const MISSES_BEFORE_RELEASE: u32 = 4;

/// Least delay before a task that found no room in the store is tried again.
const WANT_OF_SPACE: Duration = Duration::from_secs(5);

/// How long after a proposal without outcome the next one waits.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_millis(250);

/// The scheduler's memory and decisions.
#[derive(Debug)]
pub(super) struct SchedulerCore {
    pub(super) timings: Timings,
    /// Renders of one workspace that go on at once; 0: as many as there are slots for.
    concurrent_per_workspace: u32,
    pub(super) nodes: BTreeMap<NodeId, NodeFacts>,
    pub(super) leases: BTreeMap<Lease, LeaseFacts>,
    /// Runs whose segments that have not begun are wanted back.
    wanted_back: BTreeSet<RunNumber>,
    /// When their nodes were last asked for them.
    asked_back: BTreeMap<RunNumber, Instant>,
    /// Which workspace was given a slot when.
    served: Served,
    started: Instant,
    in_flight: Option<InFlight>,
    is_dirty: bool,
    last_round: Option<Instant>,
    not_before: Instant,
}

/// What the round in flight is made of, in its order.
#[derive(Debug)]
struct InFlight {
    reports: Vec<(NodeId, Lease)>,
    handed_back: Vec<(NodeId, Lease)>,
    grants: Vec<NodeId>,
}

impl SchedulerCore {
    pub(super) fn new(timings: Timings, concurrent_per_workspace: u32, now: Instant) -> Self {
        Self {
            timings,
            concurrent_per_workspace,
            nodes: BTreeMap::new(),
            leases: BTreeMap::new(),
            wanted_back: BTreeSet::new(),
            asked_back: BTreeMap::new(),
            served: Served::default(),
            started: now,
            in_flight: None,
            is_dirty: true,
            last_round: None,
            not_before: now,
        }
    }

    /// Takes in a poll. Gives back the same node's earlier poll if that still waited: it is
    /// to be answered with nothing, because this one carries everything anew.
    pub(super) fn poll(&mut self, ticket: Ticket, poll: &Poll, now: Instant) -> Option<Ticket> {
        let node = self
            .nodes
            .entry(poll.node)
            .or_insert_with(|| NodeFacts::new(poll.incarnation, now));
        let older = node.ticket.map(|(older, _)| older);
        if node.incarnation != poll.incarnation {
            *node = NodeFacts::new(poll.incarnation, now);
        }
        let is_news = !poll.reports.is_empty()
            || !poll.handed_back.is_empty()
            || poll.free_slots > node.free_slots
            || poll.settling_slots < node.settling_slots
            || poll.free_transfers > node.free_transfers;
        node.ticket = Some((ticket, now));
        node.last_poll = now;
        node.free_slots = poll.free_slots;
        node.settling_slots = poll.settling_slots;
        node.free_transfers = poll.free_transfers;
        node.is_draining = poll.draining;
        node.held.clone_from(&poll.held);
        node.reports.clone_from(&poll.reports);
        node.handed_back.clone_from(&poll.handed_back);
        self.renew(poll, now);
        self.is_dirty |= is_news;
        older
    }

    /// Renews what the poll lists and counts a miss for what it should have listed.
    fn renew(&mut self, poll: &Poll, now: Instant) {
        let units: BTreeMap<Lease, u64> = poll
            .held
            .iter()
            .map(|held| ((held.task, held.epoch), held.units))
            .collect();
        let ended: BTreeSet<Lease> = poll
            .reports
            .iter()
            .map(|report| (report.task, report.epoch))
            .chain(poll.handed_back.iter().copied())
            .collect();
        // Polls come faster than the interval when a node has news; such a poll may have
        // left before an assignment arrived, so only one an interval counts as a miss.
        let spacing = self.timings.poll * 4 / 5;
        for (lease, facts) in &mut self.leases {
            if facts.node != poll.node {
                continue;
            }
            if let Some(&units) = units.get(lease) {
                facts.units = facts.units.max(units);
            } else if !ended.contains(lease) {
                if now.saturating_duration_since(facts.marked) >= spacing {
                    facts.misses += 1;
                    facts.marked = now;
                    self.is_dirty = true;
                }
                continue;
            }
            facts.is_listed = true;
            facts.misses = 0;
            facts.renewed = now;
            facts.marked = now;
        }
    }

    /// Something outside changed: the next [`SchedulerCore::wants_round`] returns true.
    pub(super) fn wake(&mut self) {
        self.is_dirty = true;
    }

    pub(super) fn is_proposing(&self) -> bool {
        self.in_flight.is_some()
    }

    pub(super) fn lease_count(&self) -> usize {
        self.leases.len()
    }

    /// Whether a round is to begin now: at once after news, else from time to time (for
    /// what only time changes: retry delays, expiry, misses).
    pub(super) fn wants_round(&self, now: Instant) -> bool {
        self.in_flight.is_none()
            && now >= self.not_before
            && (self.is_dirty
                || self.last_round.is_none_or(|last| {
                    now.saturating_duration_since(last) >= self.timings.round * 4
                }))
    }

    /// Decides one round; `None` if there is nothing to propose.
    pub(super) fn round(
        &mut self,
        state: &State,
        now: Instant,
        times: Times,
        jitter: &mut dyn FnMut() -> f64,
    ) -> Option<Round> {
        self.is_dirty = false;
        self.last_round = Some(now);
        self.follow(state, now);
        let mut in_flight = InFlight {
            reports: Vec::new(),
            handed_back: Vec::new(),
            grants: Vec::new(),
        };
        let mut round = Round {
            reports: self.reports(state, jitter, &mut in_flight),
            releases: self.releases(now, &mut in_flight),
            grants: Vec::new(),
        };
        let ahead = spread::ahead(state, times, &round);
        let mut slots = self.free_slots(&ahead, now);
        let busy = self.busy(&ahead, false);
        let transferring = self.busy(&ahead, true);
        let selection = select::select(
            &ahead,
            times.ran.max(state.ran),
            &mut slots,
            select::Shares {
                busy,
                transferring,
                served: &mut self.served,
                concurrent_per_workspace: self.concurrent_per_workspace,
            },
        );
        round.grants = selection.grants;
        self.wanted_back = fair::wanted_back(&ahead, &selection.waiting, &self.leases);
        let is_idle = round.grants.is_empty()
            && round.reports.is_empty()
            && round.releases.is_empty()
            && selection.waiting.is_empty();
        if is_idle {
            let moved = spread::steal(&ahead, &mut slots, &self.leases)
                .or_else(|| spread::copy_straggler(&ahead, &slots, &self.leases, times.now));
            if let Some(moved) = moved {
                round.releases.extend(moved.releases);
                round.grants.push(moved.grant);
            }
        }
        if round == Round::default() {
            return None;
        }
        in_flight.grants = round.grants.iter().map(|grant| grant.node).collect();
        self.in_flight = Some(in_flight);
        Some(round)
    }

    /// Takes in what came of the round in flight.
    pub(super) fn settled(&mut self, outcome: Result<RoundOutcome, ProposeError>, now: Instant) {
        let Some(in_flight) = self.in_flight.take() else {
            return;
        };
        let Ok(outcome) = outcome else {
            // Reports are still with their nodes' facts and go into the next round. Grants
            // that were committed after all show up in applied state and are sent once
            // their nodes do not list them.
            self.is_dirty = true;
            self.not_before = now + PAUSE_AFTER_FAILURE;
            return;
        };
        self.is_dirty = true;
        for ((node, lease), result) in in_flight.reports.into_iter().zip(outcome.reports) {
            if let Some(facts) = self.nodes.get_mut(&node) {
                facts
                    .reports
                    .retain(|report| (report.task, report.epoch) != lease);
                facts.confirmed.push((lease.0, lease.1, result));
            }
        }
        for (node, lease) in in_flight.handed_back {
            if let Some(facts) = self.nodes.get_mut(&node) {
                facts.handed_back.retain(|back| *back != lease);
                facts.confirmed.push((lease.0, lease.1, Ok(())));
            }
        }
        for (node, run) in in_flight.grants.into_iter().zip(outcome.grants) {
            let mut sent: Vec<Granted> = Vec::new();
            for result in run {
                match result {
                    Ok(granted) => {
                        self.leases.insert(
                            (granted.task, granted.epoch),
                            new_lease(node, granted.run, now),
                        );
                        sent.push(granted);
                    }
                    Err(rejection) => tracing::debug!(%node, %rejection, "grant was rejected"),
                }
            }
            if let Some(facts) = self.nodes.get_mut(&node)
                && !sent.is_empty()
            {
                facts.to_send.push(sent);
            }
        }
    }

    /// The leader's facts for those who only look.
    pub(super) fn live(&self) -> LiveFacts {
        let nodes = self
            .nodes
            .iter()
            .map(|(&id, facts)| {
                let first_expiry = self
                    .leases
                    .values()
                    .filter(|lease| lease.node == id)
                    .map(|lease| lease.renewed + self.timings.lease)
                    .min();
                let live = LiveNode {
                    incarnation: facts.incarnation,
                    last_poll: facts.last_poll,
                    free_slots: facts.free_slots,
                    held: u32::try_from(facts.held.len()).unwrap_or(u32::MAX),
                    is_draining: facts.is_draining,
                    first_expiry,
                };
                (id, live)
            })
            .collect();
        let units = self
            .leases
            .iter()
            .filter(|(_, facts)| facts.units > 0)
            .map(|(&lease, facts)| (lease, facts.units))
            .collect();
        LiveFacts { nodes, units }
    }

    /// Brings the leases in line with the live attempts of applied state.
    fn follow(&mut self, state: &State, now: Instant) {
        let mut live = BTreeMap::new();
        for job in state.leasing() {
            for (&kind, task) in &job.tasks {
                for attempt in &task.live {
                    let task = cluster::model::TaskRef { job: job.id, kind };
                    live.insert((task, attempt.epoch), (attempt.node, attempt.run));
                }
            }
        }
        self.leases.retain(|lease, _| live.contains_key(lease));
        for (lease, (node, run)) in live {
            // Another leader's grant: a whole lease long it may be renewed from now on.
            self.leases
                .entry(lease)
                .or_insert_with(|| new_lease(node, run, now.max(self.started)));
        }
    }

    fn reports(
        &self,
        state: &State,
        jitter: &mut dyn FnMut() -> f64,
        in_flight: &mut InFlight,
    ) -> Vec<Report> {
        let mut reports = Vec::new();
        for (&id, node) in &self.nodes {
            for report in &node.reports {
                let mut report = report.clone();
                if let Err(failure) = &report.result {
                    let failures = state
                        .jobs
                        .get(&report.task.job)
                        .and_then(|job| job.tasks.get(&report.task.kind))
                        .map_or(0, |task| task.failures);
                    let (base, cap) = (self.timings.retry_base, self.timings.retry_cap);
                    // Not charged, so the number of failures does not slow it down.
                    let base = if failure.is_for_want_of_space() {
                        base.max(WANT_OF_SPACE)
                    } else {
                        base
                    };
                    let delay = backoff::delay(base, cap, failures, jitter());
                    report.retry_after_millis =
                        u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
                }
                in_flight.reports.push((id, (report.task, report.epoch)));
                reports.push(report);
            }
        }
        reports
    }

    fn releases(&self, now: Instant, in_flight: &mut InFlight) -> Vec<Release> {
        let mut releases = Vec::new();
        for (&id, node) in &self.nodes {
            for &lease in &node.handed_back {
                in_flight.handed_back.push((id, lease));
                releases.push(Release {
                    task: lease.0,
                    epoch: lease.1,
                    cause: ReleaseCause::HandedBack,
                });
            }
        }
        let reported: BTreeSet<Lease> = in_flight
            .reports
            .iter()
            .chain(&in_flight.handed_back)
            .map(|(_, lease)| *lease)
            .collect();
        let charged = self.begun_alone();
        for (&lease, facts) in &self.leases {
            if reported.contains(&lease) {
                continue;
            }
            let is_lost = now.saturating_duration_since(facts.renewed) > self.timings.lease;
            if is_lost || facts.misses >= MISSES_BEFORE_RELEASE {
                tracing::warn!(job = %lease.0.job, task = ?lease.0.kind, epoch = %lease.1,
                    node = %facts.node, is_lost, "lease is released");
                let cause = if is_lost {
                    let is_charged = charged.get(&facts.node) == Some(&lease);
                    ReleaseCause::Expired { is_charged }
                } else {
                    ReleaseCause::HandedBack
                };
                releases.push(Release {
                    task: lease.0,
                    epoch: lease.1,
                    cause,
                });
            }
        }
        releases
    }

    /// Of each node that works on one run alone, the lease that it works on: the one that is
    /// charged if the node is lost. Where several runs share a node it is not known which of them
    /// was the cause, and a run that has not begun cannot have been.
    fn begun_alone(&self) -> BTreeMap<NodeId, Lease> {
        let mut alone: BTreeMap<NodeId, (RunNumber, Option<Lease>)> = BTreeMap::new();
        let mut shared = BTreeSet::new();
        for (&lease, facts) in &self.leases {
            let (run, begun) = alone.entry(facts.node).or_insert((facts.run, None));
            if *run != facts.run {
                shared.insert(facts.node);
            }
            if facts.units > 0 {
                *begun = Some(lease);
            }
        }
        alone
            .into_iter()
            .filter(|(node, _)| !shared.contains(node))
            .filter_map(|(node, (_, begun))| Some((node, begun?)))
            .collect()
    }

    /// Slots that may be given work, by node: live, ready, current incarnation, and less
    /// the runs its node does not know of yet.
    fn free_slots(&self, state: &State, now: Instant) -> Vec<select::FreeSlots> {
        // By whether it is a transfer: those take no slot.
        let mut pending: BTreeMap<(NodeId, bool), BTreeMap<RunNumber, bool>> = BTreeMap::new();
        for ((task, _), facts) in &self.leases {
            let is_known = pending
                .entry((facts.node, task.kind.is_transfer()))
                .or_default()
                .entry(facts.run)
                .or_default();
            *is_known |= facts.is_listed || facts.misses > 0;
        }
        let is_shared = fair::is_shared(state);
        self.nodes
            .iter()
            .filter_map(|(&id, facts)| {
                let info = state.nodes.get(&id)?;
                let is_eligible = info.incarnation == facts.incarnation
                    && info.state == cluster::model::NodeState::Ready
                    && !facts.is_draining
                    && now.saturating_duration_since(facts.last_poll) <= self.timings.suspect;
                let unknown = |is_transfer| {
                    let count = pending.get(&(id, is_transfer)).map_or(0, |runs| {
                        runs.values().filter(|&&is_known| !is_known).count()
                    });
                    u32::try_from(count).unwrap_or(u32::MAX)
                };
                // Given away before its run's outputs are reported, a slot would go to others
                // between any two tasks of a short render.
                let settling = if is_shared { facts.settling_slots } else { 0 };
                let free = facts
                    .free_slots
                    .saturating_sub(unknown(false).max(settling));
                let transfers = facts.free_transfers.saturating_sub(unknown(true));
                let has_room = free > 0 || transfers > 0;
                (is_eligible && has_room).then_some(select::FreeSlots {
                    node: id,
                    incarnation: info.incarnation,
                    fingerprint: info.fingerprint,
                    free,
                    transfers,
                })
            })
            .collect()
    }

    /// Slots each workspace keeps busy, or transfers of it that go on: runs, not attempts, or
    /// long runs would look greedy.
    fn busy(&self, state: &State, transfers: bool) -> BTreeMap<String, u32> {
        let mut runs: BTreeMap<&str, BTreeSet<RunNumber>> = BTreeMap::new();
        for ((task, _), facts) in &self.leases {
            if task.kind.is_transfer() != transfers {
                continue;
            }
            if let Some(job) = state.jobs.get(&task.job) {
                runs.entry(&job.workspace).or_default().insert(facts.run);
            }
        }
        runs.into_iter()
            .map(|(workspace, runs)| {
                (
                    workspace.to_owned(),
                    u32::try_from(runs.len()).unwrap_or(u32::MAX),
                )
            })
            .collect()
    }

    /// Leases to send once more, run by run: two polls did not list them.
    pub(super) fn due_again(&mut self, node: NodeId) -> Vec<Vec<Lease>> {
        let mut due: BTreeMap<RunNumber, Vec<Lease>> = BTreeMap::new();
        for (&lease, facts) in &mut self.leases {
            if facts.node == node && facts.misses >= MISSES_BEFORE_RESEND && !facts.is_resent {
                facts.is_resent = true;
                due.entry(facts.run).or_default().push(lease);
            }
        }
        due.into_values().collect()
    }

    /// Runs of `node` whose segments that have not begun are wanted back, each at most once a
    /// poll interval: an answer that asks for them is followed by a poll at once.
    pub(super) fn ask_back(&mut self, node: NodeId, now: Instant) -> Vec<RunNumber> {
        let wanted = &self.wanted_back;
        self.asked_back.retain(|run, _| wanted.contains(run));
        let runs: BTreeSet<RunNumber> = self
            .leases
            .values()
            .filter(|facts| facts.node == node && wanted.contains(&facts.run))
            .map(|facts| facts.run)
            .filter(|run| {
                self.asked_back
                    .get(run)
                    .is_none_or(|&asked| now.saturating_duration_since(asked) >= self.timings.poll)
            })
            .collect();
        self.asked_back.extend(runs.iter().map(|&run| (run, now)));
        runs.into_iter().collect()
    }
}

fn new_lease(node: NodeId, run: RunNumber, now: Instant) -> LeaseFacts {
    LeaseFacts {
        node,
        run,
        renewed: now,
        is_listed: false,
        misses: 0,
        marked: now,
        is_resent: false,
        units: 0,
    }
}
