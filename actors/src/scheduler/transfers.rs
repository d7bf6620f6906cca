//! Which open transfers (fetches, ingests, deliveries) begin on which node. They take no slot;
//! a node reports how many more it takes. Pure.
//!
//! A transfer cannot be taken back from a slow network, so room is kept for workspaces that
//! come later: one that has as many transfers as there is room left begins no other. Of those
//! that may, the one with fewest is next; within a workspace, the oldest job.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use cluster::State;
use cluster::command::Grant;
use cluster::model::{JobId, JobStatus, NodeId, RanTime, TaskKind};
use cluster::state::Job;

use super::select::{FreeSlots, failures, grant, may_go_on};

/// Begins open transfers in the room that `nodes` have for them. `busy`: transfers of each
/// workspace that go on. `going_on`: its renders that go on, of which it may have `limit`; a
/// render whose sources begin to be fetched is added.
pub(super) fn select<'a>(
    state: &'a State,
    ran: RanTime,
    nodes: &mut [FreeSlots],
    mut busy: BTreeMap<String, u32>,
    going_on: &mut BTreeMap<&'a str, u32>,
    limit: u32,
) -> Vec<Grant> {
    let mut grants = Vec::new();
    let room = |nodes: &[FreeSlots]| nodes.iter().map(|node| node.transfers).sum::<u32>();
    if room(nodes) == 0 {
        return grants;
    }
    let most = usize::try_from(room(nodes)).unwrap_or(usize::MAX);
    let mut open = open_transfers(state, ran, most);
    while let Some((workspace, load)) = next(&open, &busy, room(nodes)) {
        let Some((job, kind)) = open.get_mut(workspace).and_then(VecDeque::pop_front) else {
            break;
        };
        if !may_go_on(job, going_on, limit) {
            continue;
        }
        let Some(node) = choose(job, kind, nodes) else {
            break;
        };
        node.transfers -= 1;
        busy.insert(workspace.to_owned(), load + 1);
        if job.is_render() && job.status == JobStatus::Queued {
            *going_on.entry(workspace).or_default() += 1;
        }
        grants.push(grant(job, vec![kind], node, false));
    }
    grants
}

/// Whether `node` may do this task: sources that were fetched are on one node only, and the
/// render is prepared there.
pub(super) fn is_place_for(job: &Job, kind: TaskKind, node: NodeId) -> bool {
    kind != TaskKind::Prepare || job.fetched_by().is_none_or(|attempt| attempt.node == node)
}

type Open<'a> = BTreeMap<&'a str, VecDeque<(&'a Job, TaskKind)>>;

/// Transfers that can begin, by workspace, oldest first; of renders that wait for their
/// sources no more than `most` of each workspace, those of the highest priority.
fn open_transfers(state: &State, ran: RanTime, most: usize) -> Open<'_> {
    let queues = &state.queues;
    let ids = queues.begun().chain(queues.transfers());
    let ids: BTreeSet<JobId> = ids.chain(queues.to_fetch(most)).collect();
    let mut open = Open::new();
    for job in ids.iter().filter_map(|id| state.jobs.get(id)) {
        let mut tasks = job.tasks.iter();
        let task = tasks.find(|(kind, task)| kind.is_transfer() && task.is_grantable(ran));
        if let Some((&kind, _)) = task {
            open.entry(&job.workspace)
                .or_default()
                .push_back((job, kind));
        }
    }
    open
}

/// The workspace whose turn it is, and how many transfers it has.
fn next<'a>(open: &Open<'a>, busy: &BTreeMap<String, u32>, room: u32) -> Option<(&'a str, u32)> {
    open.iter()
        .filter_map(|(&workspace, jobs)| {
            let (oldest, _) = jobs.front()?;
            let load = busy.get(workspace).copied().unwrap_or(0);
            (load < room).then_some((load, oldest.id, workspace))
        })
        .min()
        .map(|(load, _, workspace)| (workspace, load))
}

/// Of the nodes with room the one that failed the task least, then the one with most room.
fn choose<'n>(job: &Job, kind: TaskKind, nodes: &'n mut [FreeSlots]) -> Option<&'n mut FreeSlots> {
    nodes
        .iter_mut()
        .filter(|node| node.transfers > 0)
        .min_by_key(|node| {
            let room = Reverse(node.transfers);
            (failures(job, kind, node.node), room, node.node)
        })
}
