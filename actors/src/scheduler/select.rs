//! Which open tasks go to which free slots. Pure.
//!
//! Order: priority, then the workspace with fewest busy slots, then age. Within a job:
//! join, sound (short, and the join needs it), then segments in runs. Which node: one that
//! has not failed the task, then the one that prepared the job, then the one with most
//! free slots; preferences never leave a slot idle.

use std::cmp::Reverse;
use std::collections::{BTreeMap, VecDeque};

use cluster::State;
use cluster::command::Grant;
use cluster::model::{
    AttemptOutcome, Fingerprint, Incarnation, LogTime, NodeId, TaskKind, TaskRef,
};
use cluster::state::Job;

use super::core::grant;

/// A node's slots that could begin something.
#[derive(Debug, Clone, Copy)]
pub(super) struct FreeSlots {
    pub(super) node: NodeId,
    pub(super) incarnation: Incarnation,
    pub(super) fingerprint: Fingerprint,
    pub(super) free: u32,
}

/// A job's open tasks, and what it got in this round.
struct OpenJob<'a> {
    job: &'a Job,
    /// Prepare, join or sound: one task, one slot.
    single: VecDeque<TaskKind>,
    segments: VecDeque<u32>,
    fingerprint: Option<Fingerprint>,
    /// Slots that got this job's sound just now: they come back soon and count as free
    /// when the segments are split.
    audio_slots: u32,
}

/// Fills free slots with runs; what remains in `slots` is idle.
pub(super) fn select(
    state: &State,
    now: LogTime,
    slots: &mut [FreeSlots],
    mut busy: BTreeMap<String, u32>,
) -> Vec<Vec<Grant>> {
    if slots.iter().all(|node| node.free == 0) {
        return Vec::new();
    }
    let mut open: Vec<OpenJob<'_>> = state
        .active
        .keys()
        .filter_map(|id| state.jobs.get(id))
        .map(|job| OpenJob::new(job, now))
        .filter(|open| !open.is_empty())
        .collect();
    let mut runs = Vec::new();
    while slots.iter().any(|node| node.free > 0) {
        open.sort_by_key(|open| {
            let load = busy.get(&open.job.workspace).copied().unwrap_or(0);
            (Reverse(open.job.priority), load, open.job.id)
        });
        let Some((index, run)) = open
            .iter_mut()
            .enumerate()
            .find_map(|(index, open)| open.take_run(slots).map(|run| (index, run)))
        else {
            break;
        };
        *busy.entry(open[index].job.workspace.clone()).or_default() += 1;
        if open[index].is_empty() {
            open.swap_remove(index);
        }
        runs.push(run);
    }
    runs
}

impl<'a> OpenJob<'a> {
    fn new(job: &'a Job, now: LogTime) -> Self {
        let is_open = |kind: &TaskKind| {
            job.tasks
                .get(kind)
                .is_some_and(|task| task.is_grantable(now))
        };
        let single = [TaskKind::Prepare, TaskKind::Join, TaskKind::Audio]
            .into_iter()
            .filter(is_open)
            .collect();
        let segments = job
            .tasks
            .iter()
            .filter_map(|(kind, task)| match kind {
                TaskKind::Segment(index) if task.is_grantable(now) => Some(*index),
                TaskKind::Segment(_) | TaskKind::Prepare | TaskKind::Audio | TaskKind::Join => None,
            })
            .collect();
        Self {
            job,
            single,
            segments,
            fingerprint: job.fingerprint,
            audio_slots: 0,
        }
    }

    fn is_empty(&self) -> bool {
        self.single.is_empty() && self.segments.is_empty()
    }

    /// The next run of this job and the slot it takes; nothing if no free slot suits it.
    fn take_run(&mut self, slots: &mut [FreeSlots]) -> Option<Vec<Grant>> {
        if let Some(&kind) = self.single.front() {
            let node = choose(self.job, kind, self.fingerprint, slots)?;
            slots[node].free -= 1;
            self.single.pop_front();
            self.audio_slots += u32::from(kind == TaskKind::Audio);
            return Some(vec![grant(self.task(kind), &slots[node], false)]);
        }
        let &first = self.segments.front()?;
        let fingerprint = self.fingerprint.or_else(|| self.best_fingerprint(slots))?;
        let node = choose(self.job, TaskKind::Segment(first), Some(fingerprint), slots)?;
        let sharing: u32 = slots
            .iter()
            .filter(|node| node.fingerprint == fingerprint)
            .map(|node| node.free)
            .sum::<u32>()
            + self.audio_slots;
        let share = self
            .segments
            .len()
            .div_ceil(usize::try_from(sharing.max(1)).unwrap_or(1));
        slots[node].free -= 1;
        self.fingerprint = Some(fingerprint);
        let mut run = Vec::new();
        let mut next = first;
        while run.len() < share && self.segments.front() == Some(&next) {
            self.segments.pop_front();
            run.push(grant(
                self.task(TaskKind::Segment(next)),
                &slots[node],
                false,
            ));
            next += 1;
        }
        Some(run)
    }

    /// The fingerprint with most free slots; at a tie the preparing node's, whose sources
    /// are already there.
    fn best_fingerprint(&self, slots: &[FreeSlots]) -> Option<Fingerprint> {
        let mut free: BTreeMap<Fingerprint, (u32, bool)> = BTreeMap::new();
        for node in slots {
            let entry = free.entry(node.fingerprint).or_default();
            entry.0 += node.free;
            entry.1 |= prepared(self.job, node.node);
        }
        free.into_iter()
            .filter(|(_, (count, _))| *count > 0)
            .max_by_key(|&(fingerprint, (count, is_home))| (count, is_home, Reverse(fingerprint)))
            .map(|(fingerprint, _)| fingerprint)
    }

    fn task(&self, kind: TaskKind) -> TaskRef {
        TaskRef {
            job: self.job.id,
            kind,
        }
    }
}

fn prepared(job: &Job, node: NodeId) -> bool {
    job.plan
        .as_ref()
        .is_some_and(|plan| plan.prepared_by == node)
}

/// The best node with a free slot for this task, as a position in `slots`.
fn choose(
    job: &Job,
    kind: TaskKind,
    fingerprint: Option<Fingerprint>,
    slots: &[FreeSlots],
) -> Option<usize> {
    let failures = |node: NodeId| {
        job.tasks.get(&kind).map_or(0, |task| {
            task.history
                .iter()
                .filter(|(attempt, _, outcome)| {
                    attempt.node == node
                        && matches!(outcome, AttemptOutcome::Failed(_) | AttemptOutcome::Lost)
                })
                .count()
        })
    };
    slots
        .iter()
        .enumerate()
        .filter(|(_, node)| node.free > 0)
        .filter(|(_, node)| fingerprint.is_none_or(|wanted| wanted == node.fingerprint))
        .min_by_key(|(_, node)| {
            let is_home = prepared(job, node.node);
            (failures(node.node), !is_home, Reverse(node.free), node.node)
        })
        .map(|(index, _)| index)
}
