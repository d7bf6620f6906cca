//! What an idle slot does when nothing is open: takes the tail half of the longest run, or
//! doubles an attempt that straggles. Pure.

use std::collections::BTreeMap;

use cluster::State;
use cluster::command::{Command, Grant, Release, ReleaseCause, Round, Stamped};
use cluster::model::{FrameRange, LogIndex, LogTime, RunNumber, TaskKind, TaskRef};
use cluster::state::{Job, TaskPhase};

use super::facts::{Lease, LeaseFacts};
use super::select::{FreeSlots, grant};
use crate::ports::Times;

/// A part of a round that moves or doubles work.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Moved {
    pub(super) releases: Vec<Release>,
    pub(super) grant: Grant,
}

/// Applied state as it will be once `round` is applied, so that the grants its reports
/// enable ride in the same commit. Only a forecast: `apply` decides on each grant.
pub(super) fn ahead(state: &State, times: Times, round: &Round) -> State {
    let mut ahead = state.clone();
    if *round != Round::default() {
        ahead.apply(
            LogIndex(state.applied.0 + 1),
            Stamped {
                at: times.now,
                ran: Some(times.ran),
                command: Command::Round(round.clone()),
            },
        );
    }
    ahead
}

/// One run, derived from its leases: those not begun, in order, behind the one being rendered.
pub(super) struct LeasedRun<'a> {
    pub(super) number: RunNumber,
    pub(super) job: &'a Job,
    /// Not begun, in order; empty in the last segment of a run, and for other tasks.
    pub(super) waiting: Vec<Lease>,
    current_units: u64,
    current_frames: u64,
}

/// Gives the tail half of the longest run to the first idle slot that may render it.
pub(super) fn steal(
    state: &State,
    slots: &mut [FreeSlots],
    leases: &BTreeMap<Lease, LeaseFacts>,
) -> Option<Moved> {
    let mut runs = runs_of(state, leases);
    runs.retain(|run| !run.waiting.is_empty());
    runs.sort_by_key(|run| std::cmp::Reverse((run.waiting.len(), run.job.priority)));
    runs.into_iter().find_map(|run| {
        // The last one that waits is only worth moving while its slot will be busy for a
        // while yet; otherwise it would be begun before the order to stop arrives.
        if run.waiting.len() == 1 && run.current_units * 2 >= run.current_frames {
            return None;
        }
        let idle = slots.iter_mut().find(|node| {
            node.free > 0
                && run
                    .job
                    .fingerprint
                    .is_none_or(|wanted| wanted == node.fingerprint)
        })?;
        let kept = run.waiting.len() / 2;
        let tail = &run.waiting[kept..];
        idle.free -= 1;
        Some(Moved {
            releases: tail
                .iter()
                .map(|&(task, epoch)| Release {
                    task,
                    epoch,
                    cause: ReleaseCause::HandedBack,
                })
                .collect(),
            grant: grant(
                run.job,
                tail.iter().map(|(task, _)| task.kind).collect(),
                idle,
                false,
            ),
        })
    })
}

/// The runs that nodes have listed.
pub(super) fn runs_of<'a>(
    state: &'a State,
    leases: &BTreeMap<Lease, LeaseFacts>,
) -> Vec<LeasedRun<'a>> {
    // Leases are in order of task, so those of a run are in order of frames.
    let mut by_run: BTreeMap<RunNumber, Vec<(Lease, LeaseFacts)>> = BTreeMap::new();
    for (&lease, &facts) in leases {
        if !lease.0.kind.is_transfer() && facts.is_listed {
            by_run.entry(facts.run).or_default().push((lease, facts));
        }
    }
    by_run
        .into_iter()
        .filter_map(|(number, members)| {
            // The last begun one is current; before the first sign of life, the first.
            let current = members
                .iter()
                .rposition(|(_, facts)| facts.units > 0)
                .unwrap_or(0);
            let (lease, facts) = members.get(current)?;
            let job = state.jobs.get(&lease.0.job)?;
            let waiting: Vec<Lease> = members[current + 1..]
                .iter()
                .map(|(lease, _)| *lease)
                .collect();
            (!job.status.is_terminal()).then(|| LeasedRun {
                number,
                job,
                waiting,
                current_units: facts.units,
                current_frames: frames_of(job, lease.0),
            })
        })
        .collect()
}

fn frames_of(job: &Job, task: TaskRef) -> u64 {
    match task.kind {
        TaskKind::Segment(segment) => job.segment_frames(segment).map_or(0, FrameRange::count),
        _ => 0,
    }
}

/// Starts a second attempt beside one that takes over twice the median, on another node,
/// when three quarters of its job's segments are done.
pub(super) fn copy_straggler(
    state: &State,
    slots: &[FreeSlots],
    leases: &BTreeMap<Lease, LeaseFacts>,
    now: LogTime,
) -> Option<Moved> {
    let total: u32 = state.nodes.values().map(|node| node.slots).sum();
    let extras = state
        .leasing()
        .flat_map(|job| job.tasks.values())
        .filter(|task| task.live.len() > 1)
        .count();
    // At most one slot in twenty, but one in a small cluster.
    if extras >= usize::try_from(total / 20).unwrap_or(usize::MAX).max(1) {
        return None;
    }
    leases.iter().find_map(|(&(task, epoch), facts)| {
        let job = state.jobs.get(&task.job)?;
        let attempts = &job.tasks.get(&task.kind)?.live;
        let attempt = attempts.iter().find(|attempt| attempt.epoch == epoch)?;
        let median = median_millis(job)?;
        let is_straggler = facts.units > 0
            && attempts.len() == 1
            && matches!(task.kind, TaskKind::Segment(_))
            && now.millis_since(attempt.granted_at) > median.saturating_mul(2);
        let idle = slots.iter().find(|node| {
            node.free > 0
                && node.node != facts.node
                && job
                    .fingerprint
                    .is_none_or(|wanted| wanted == node.fingerprint)
        })?;
        is_straggler.then(|| Moved {
            releases: Vec::new(),
            grant: grant(job, vec![task.kind], idle, true),
        })
    })
}

/// The median duration of a job's finished segments, once three quarters are done.
fn median_millis(job: &Job) -> Option<u64> {
    let (mut all, mut done) = (0usize, Vec::new());
    for (kind, task) in &job.tasks {
        if !matches!(kind, TaskKind::Segment(_)) {
            continue;
        }
        all += 1;
        if let (TaskPhase::Done(_), Some((attempt, end, _))) = (&task.phase, task.history.last()) {
            done.push(end.millis_since(attempt.granted_at));
        }
    }
    if all == 0 || done.len() * 4 < all * 3 {
        return None;
    }
    done.sort_unstable();
    done.get(done.len() / 2).copied()
}
