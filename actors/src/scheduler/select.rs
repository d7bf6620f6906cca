//! Which open tasks go to which free slots. Pure.
//!
//! Order: the workspace with fewest busy slots, then the one that has waited longest for a
//! slot, then priority, then age. Within a job: join, sound (short, and the join needs it),
//! then segments in runs. Which node: one that has not failed the task, then the one that
//! prepared the job, then the one with most free slots; preferences never leave a slot idle.

use std::cmp::Reverse;
use std::collections::{BTreeMap, VecDeque};

use cluster::State;
use cluster::command::Grant;
use cluster::model::{
    AttemptOutcome, Fingerprint, Incarnation, JobStatus, NodeId, RanTime, TaskKind,
};
use cluster::state::Job;

use super::fair::{Served, Waiting};
use super::transfers;

/// Longest run, in segments. Each is an attempt in the state, in the leader's memory and in
/// answers to polls; beyond this, positioned decoders save nothing any more.
const LONGEST_RUN: usize = 64;

/// Of all slots, the part that the sound of one workspace's renders may take at once. The sound
/// of a render is mixed in one piece, which cannot be given back when another workspace waits.
const MIXING_PART: u32 = 2;

/// A node's slots that could begin something.
#[derive(Debug, Clone, Copy)]
pub(super) struct FreeSlots {
    pub(super) node: NodeId,
    pub(super) incarnation: Incarnation,
    pub(super) fingerprint: Fingerprint,
    pub(super) free: u32,
    /// Transfers that could begin; they take no slot.
    pub(super) transfers: u32,
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

/// How slots are shared.
pub(super) struct Shares<'a> {
    /// Slots each workspace keeps busy.
    pub(super) busy: BTreeMap<String, u32>,
    /// Transfers of each workspace that go on.
    pub(super) transferring: BTreeMap<String, u32>,
    pub(super) served: &'a mut Served,
    /// Renders of one workspace that go on at once; 0: as many as there are slots for.
    pub(super) concurrent_per_workspace: u32,
}

/// Result of a selection.
#[derive(Debug, Default)]
pub(super) struct Selection {
    pub(super) grants: Vec<Grant>,
    /// Work that found no slot, by workspace, in order of service.
    pub(super) waiting: Vec<Waiting>,
}

/// Fills free slots with runs; what remains in `slots` is idle.
pub(super) fn select(
    state: &State,
    ran: RanTime,
    slots: &mut [FreeSlots],
    shares: Shares<'_>,
) -> Selection {
    let Shares {
        mut busy,
        transferring,
        served,
        concurrent_per_workspace,
    } = shares;
    let mut going_on = renders_going_on(state);
    let limit = concurrent_per_workspace;
    let mut grants = transfers::select(state, ran, slots, transferring, &mut going_on, limit);
    let room: u32 = slots.iter().map(|node| node.free).sum();
    let all_slots = room.saturating_add(busy.values().sum());
    let mut mixing = mixing(state);
    let may_mix = |mixing: &BTreeMap<&str, u32>, job: &Job| {
        let own = mixing.get(job.workspace.as_str()).copied();
        own.unwrap_or(0) < (all_slots / MIXING_PART).max(1)
    };
    let mut open = open_jobs(state, ran, usize::try_from(room).unwrap_or(usize::MAX));
    served.retain(|workspace| open.iter().any(|open| open.job.workspace == workspace));
    loop {
        open.sort_by_key(|open| {
            let workspace = open.job.workspace.as_str();
            let load = busy.get(workspace).copied().unwrap_or(0);
            let rank = served.rank(workspace);
            (load, rank, Reverse(open.job.priority), open.job.id)
        });
        if slots.iter().all(|node| node.free == 0) {
            break;
        }
        let Some((index, run)) = open
            .iter_mut()
            .enumerate()
            .filter(|(_, open)| may_go_on(open.job, &going_on, concurrent_per_workspace))
            .find_map(|(index, open)| {
                let run = open.take_run(slots, may_mix(&mixing, open.job));
                run.map(|run| (index, run))
            })
        else {
            break;
        };
        let job = open[index].job;
        *busy.entry(job.workspace.clone()).or_default() += 1;
        served.note(&job.workspace);
        if run.tasks == [TaskKind::Audio] {
            *mixing.entry(&job.workspace).or_default() += 1;
        }
        if job.status == JobStatus::Queued {
            *going_on.entry(&job.workspace).or_default() += 1;
        }
        if open[index].is_empty() {
            open.swap_remove(index);
        }
        grants.push(run);
    }
    open.retain_mut(|open| {
        if !may_mix(&mixing, open.job) {
            open.single.retain(|kind| *kind != TaskKind::Audio);
        }
        !open.is_empty() && may_go_on(open.job, &going_on, concurrent_per_workspace)
    });
    Selection {
        grants,
        waiting: waiting(&open),
    }
}

/// Renders with something to be granted: those that have begun, and of each workspace's
/// others as many as could begin in this round, and one more that shows that it waits.
fn open_jobs(state: &State, ran: RanTime, room: usize) -> Vec<OpenJob<'_>> {
    state
        .queues
        .begun()
        .chain(state.queues.ready(room.saturating_add(1)))
        .filter_map(|id| state.jobs.get(&id))
        .map(|job| OpenJob::new(job, ran))
        .filter(|open| !open.is_empty())
        .collect()
}

/// The work that is left, by workspace; `open` is in order of service.
fn waiting(open: &[OpenJob<'_>]) -> Vec<Waiting> {
    let mut waiting: Vec<Waiting> = Vec::new();
    for open in open {
        let slots = u32::try_from(open.single.len() + open.segments.len()).unwrap_or(u32::MAX);
        let workspace = &open.job.workspace;
        match waiting.iter_mut().find(|one| one.workspace == *workspace) {
            Some(known) => {
                known.slots = known.slots.saturating_add(slots);
                known.priority = known.priority.max(open.job.priority);
            }
            None => waiting.push(Waiting {
                workspace: workspace.clone(),
                priority: open.job.priority,
                slots,
            }),
        }
    }
    waiting
}

/// A run of `tasks` for a slot of the owner of `slots`.
pub(super) fn grant(job: &Job, tasks: Vec<TaskKind>, slots: &FreeSlots, extra: bool) -> Grant {
    Grant {
        job: job.id,
        tasks,
        node: slots.node,
        incarnation: slots.incarnation,
        fingerprint: slots.fingerprint,
        extra,
    }
}

/// Renders of each workspace that have begun.
fn renders_going_on(state: &State) -> BTreeMap<&str, u32> {
    let mut going_on: BTreeMap<&str, u32> = BTreeMap::new();
    for job in state.queues.begun().filter_map(|id| state.jobs.get(&id)) {
        *going_on.entry(&job.workspace).or_default() += 1;
    }
    going_on
}

/// Slots of each workspace that mix sound.
fn mixing(state: &State) -> BTreeMap<&str, u32> {
    let mut mixing: BTreeMap<&str, u32> = BTreeMap::new();
    for job in state.queues.begun().filter_map(|id| state.jobs.get(&id)) {
        if let Some(task) = job.tasks.get(&TaskKind::Audio) {
            let live = u32::try_from(task.live.len()).unwrap_or(u32::MAX);
            *mixing.entry(&job.workspace).or_default() += live;
        }
    }
    mixing
}

/// Whether a job may be given work: it has begun, or its workspace may begin another.
pub(super) fn may_go_on(job: &Job, going_on: &BTreeMap<&str, u32>, limit: u32) -> bool {
    let count = going_on
        .get(job.workspace.as_str())
        .copied()
        .unwrap_or_default();
    limit == 0 || job.status == JobStatus::Processing || count < limit
}

/// How often a task failed or was lost on a node.
pub(super) fn failures(job: &Job, kind: TaskKind, node: NodeId) -> usize {
    job.tasks.get(&kind).map_or(0, |task| {
        task.history
            .iter()
            .filter(|(attempt, _, outcome)| {
                attempt.node == node
                    && matches!(outcome, AttemptOutcome::Failed(_) | AttemptOutcome::Lost)
            })
            .count()
    })
}

impl<'a> OpenJob<'a> {
    fn new(job: &'a Job, ran: RanTime) -> Self {
        let is_open = |kind: &TaskKind| {
            job.tasks
                .get(kind)
                .is_some_and(|task| task.is_grantable(ran))
        };
        let single = [TaskKind::Prepare, TaskKind::Join, TaskKind::Audio]
            .into_iter()
            .filter(is_open)
            .collect();
        let segments = job
            .tasks
            .iter()
            .filter_map(|(kind, task)| match kind {
                TaskKind::Segment(index) if task.is_grantable(ran) => Some(*index),
                _ => None,
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

    /// The next run of this job and the slot it takes; `None` if no free slot suits it. Sound
    /// is left out unless `may_mix`.
    fn take_run(&mut self, slots: &mut [FreeSlots], may_mix: bool) -> Option<Grant> {
        let may_begin = |kind: &TaskKind| may_mix || *kind != TaskKind::Audio;
        if let Some(kind) = self.single.front().copied().filter(may_begin) {
            let node = choose(self.job, kind, self.fingerprint, slots)?;
            slots[node].free -= 1;
            self.single.pop_front();
            self.audio_slots += u32::from(kind == TaskKind::Audio);
            return Some(grant(self.job, vec![kind], &slots[node], false));
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
            .div_ceil(usize::try_from(sharing.max(1)).unwrap_or(1))
            .min(LONGEST_RUN);
        slots[node].free -= 1;
        self.fingerprint = Some(fingerprint);
        let mut tasks = Vec::new();
        let mut next = first;
        while tasks.len() < share && self.segments.front() == Some(&next) {
            self.segments.pop_front();
            tasks.push(TaskKind::Segment(next));
            next += 1;
        }
        Some(grant(self.job, tasks, &slots[node], false))
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
    slots
        .iter()
        .enumerate()
        .filter(|(_, node)| node.free > 0)
        .filter(|(_, node)| transfers::is_place_for(job, kind, node.node))
        .filter(|(_, node)| fingerprint.is_none_or(|wanted| wanted == node.fingerprint))
        .min_by_key(|(_, node)| {
            let is_home = prepared(job, node.node);
            (
                failures(job, kind, node.node),
                !is_home,
                Reverse(node.free),
                node.node,
            )
        })
        .map(|(index, _)| index)
}
