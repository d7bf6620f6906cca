//! Answers to polls: what to begin, what to stop, which reports were dealt with. Built
//! from applied state, so that an assignment names exactly what was committed.

use std::time::Instant;

use cluster::State;
use cluster::command::Granted;
use cluster::model::{Epoch, JobKind, NodeId, TaskKind, TaskRef};
use cluster::state::TaskPhase;

use super::core::SchedulerCore;
use super::facts::Ticket;
use crate::poll::PollReply;
use crate::ports::Assignment;

impl SchedulerCore {
    /// The polls that are answered now: with news at once, without when the poll interval
    /// is over. A poll whose reports are not committed yet waits for them.
    pub(super) fn answers(&mut self, state: &State, now: Instant) -> Vec<(Ticket, PollReply)> {
        let waiting: Vec<(NodeId, Ticket, Instant)> = self
            .nodes
            .iter()
            .filter_map(|(&id, node)| node.ticket.map(|(ticket, since)| (id, ticket, since)))
            .collect();
        let mut answers = Vec::new();
        for (id, ticket, since) in waiting {
            let is_parked_long = now.saturating_duration_since(since) >= self.timings.poll;
            let Some(node) = self.nodes.get(&id) else {
                continue;
            };
            let has_open_reports = !node.reports.is_empty() || !node.handed_back.is_empty();
            if has_open_reports && !is_parked_long {
                continue;
            }
            let reply = self.answer(id, state, now);
            if reply.is_empty() && !is_parked_long {
                continue;
            }
            if let Some(node) = self.nodes.get_mut(&id) {
                node.ticket = None;
                node.to_send.clear();
                node.confirmed.clear();
            }
            answers.push((ticket, reply));
        }
        answers
    }

    fn answer(&mut self, id: NodeId, state: &State, now: Instant) -> PollReply {
        let again = self.due_again(id);
        let hand_back = self.ask_back(id, now);
        let Some(node) = self.nodes.get(&id) else {
            return PollReply::default();
        };
        let mut assign: Vec<Vec<Assignment>> = node
            .to_send
            .iter()
            .map(|run| {
                run.iter()
                    .filter_map(|granted| assignment(state, granted))
                    .collect()
            })
            .collect();
        assign.extend(again.iter().map(|run| {
            run.iter()
                .filter_map(|&(task, epoch)| regranted(state, task, epoch))
                .filter_map(|granted| assignment(state, &granted))
                .collect()
        }));
        assign.retain(|run: &Vec<Assignment>| !run.is_empty());
        let (kept, revoked): (Vec<_>, Vec<_>) = node
            .held
            .iter()
            .map(|held| (held.task, held.epoch))
            .partition(|&(task, epoch)| is_acceptable(state, task, epoch));
        // What is being confirmed has ended by that: no need to revoke it as well.
        let revoke = revoked
            .into_iter()
            .filter(|lease| {
                !node
                    .confirmed
                    .iter()
                    .any(|(task, epoch, _)| (*task, *epoch) == *lease)
            })
            .collect();
        PollReply {
            assign,
            revoke,
            reported: node.confirmed.clone(),
            hand_back,
            renewed: u32::try_from(kept.len()).unwrap_or(u32::MAX),
        }
    }
}

/// Whether a report of this attempt could still be accepted.
fn is_acceptable(state: &State, task: TaskRef, epoch: Epoch) -> bool {
    state.jobs.get(&task.job).is_some_and(|job| {
        !job.status.is_terminal()
            && job
                .tasks
                .get(&task.kind)
                .is_some_and(|task| task.phase == TaskPhase::Open && task.attempt(epoch).is_some())
    })
}

/// The grant of a live attempt once more.
fn regranted(state: &State, task: TaskRef, epoch: Epoch) -> Option<Granted> {
    let job = state.jobs.get(&task.job)?;
    let attempt = job
        .tasks
        .get(&task.kind)?
        .live
        .iter()
        .find(|attempt| attempt.epoch == epoch)?;
    let frames = match task.kind {
        TaskKind::Segment(segment) => Some(job.segment_frames(segment)?),
        _ => None,
    };
    Some(Granted {
        task,
        epoch,
        run: attempt.run,
        attempt: attempt.number,
        generation: attempt.generation,
        frames,
    })
}

/// What the node needs to carry out a grant; `None` if the grant is not live any more.
pub(super) fn assignment(state: &State, granted: &Granted) -> Option<Assignment> {
    let job = state.jobs.get(&granted.task.job)?;
    let task = job.tasks.get(&granted.task.kind)?;
    let is_live = task
        .live
        .iter()
        .any(|attempt| attempt.epoch == granted.epoch);
    if !is_live || job.status.is_terminal() {
        return None;
    }
    let plan = job.plan.as_ref().map(|plan| plan.object.clone());
    let (inputs, has_audio) = match granted.task.kind {
        TaskKind::Join => (job.join_inputs()?, job.tasks.contains_key(&TaskKind::Audio)),
        _ => (Vec::new(), false),
    };
    let ingest = match job.kind {
        JobKind::Ingest(asset) => Some(state.assets.get(&asset)?.as_ref().clone()),
        JobKind::Render | JobKind::Deliver(_) => None,
    };
    let deliver = match job.kind {
        JobKind::Deliver(render) => {
            let artifact = state.jobs.get(&render)?.artifact.clone()?;
            Some((render, artifact))
        }
        JobKind::Render | JobKind::Ingest(_) => None,
    };
    // A job is granted once all of them are ready.
    let assets = job
        .assets
        .iter()
        .filter_map(|used| {
            let ingested = state.assets.get(&used.asset)?.ingested.as_ref()?;
            Some((used.asset, ingested.object.clone()))
        })
        .collect();
    Some(Assignment {
        granted: granted.clone(),
        request: job.request.clone(),
        plan: if granted.task.kind == TaskKind::Prepare {
            None
        } else {
            plan
        },
        findings: job.findings.clone(),
        inputs,
        has_audio,
        no_cache: task.no_cache,
        assets,
        fetched: job
            .fetched_by()
            .filter(|_| granted.task.kind == TaskKind::Prepare)
            .map(|attempt| attempt.epoch),
        ingest,
        deliver,
    })
}
