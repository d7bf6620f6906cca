//! What the edge may see of this process: the actors and the raft group, in the edge's words.

use std::collections::BTreeMap;

use actors::{ActorNode, RootHandle};
use cluster::coordinator::{Coordinator, Member};
use cluster::model::{JobId, NodeId, TaskKind};
use cluster::state::TaskPhase;
use futures::FutureExt;
use futures::future::BoxFuture;

use crate::edge::ports::{
    ActorBody, JobProgress, MemberBody, NodeHealth, NodeSight, Observer, RaftBody,
};

/// The embedded process as the edge sees it.
#[derive(Debug)]
pub(super) struct ProcessObserver {
    coordinator: Coordinator,
    actors: RootHandle,
}

impl ProcessObserver {
    pub(super) fn new(coordinator: Coordinator, actors: RootHandle) -> Self {
        Self { coordinator, actors }
    }
}

impl Observer for ProcessObserver {
    fn progress(&self, job: JobId) -> Option<JobProgress> {
        let progress = self.actors.progress().get(job)?;
        let committed = self.committed_frames(job);
        Some(JobProgress {
            open_frames: progress.frames_done.saturating_sub(committed),
            frames_per_second: progress.fps.unwrap_or(0.0),
        })
    }

    fn nodes(&self) -> BTreeMap<NodeId, NodeSight> {
        self.actors
            .nodes()
            .into_iter()
            .map(|view| {
                let health = if view.is_dead {
                    NodeHealth::Dead
                } else if view.is_suspect {
                    NodeHealth::Suspect
                } else {
                    NodeHealth::Heard
                };
                let sight = NodeSight {
                    health,
                    busy_slots: view.busy_slots,
                    lease_expires_in_ms: view.lease_expires_in_ms,
                    cache_bytes: 0,
                };
                (view.id, sight)
            })
            .collect()
    }

    fn actors(&self) -> BoxFuture<'static, ActorBody> {
        let actors = self.actors.clone();
        async move { actor_body(actors.tree().await) }.boxed()
    }

    fn raft(&self) -> RaftBody {
        let status = self.coordinator.raft_status();
        RaftBody {
            node_id: status.node_id.0,
            cluster_id: status.cluster_id,
            state: status.state.as_str(),
            leader_id: status.leader_id.map(|id| id.0),
            term: status.term,
            last_log_index: status.last_log_index.0,
            applied_index: status.applied_index.0,
            voters: status.voters.into_iter().map(member_body).collect(),
            learners: status.learners.into_iter().map(member_body).collect(),
        }
    }
}

impl ProcessObserver {
    /// Frames of segments that are committed.
    fn committed_frames(&self, job: JobId) -> u64 {
        let state = self.coordinator.state();
        let Some(job) = state.jobs.get(&job) else { return 0 };
        let Some(plan) = &job.plan else { return 0 };
        let is_done = |index: usize| {
            let kind = u32::try_from(index).map(TaskKind::Segment).ok();
            let task = kind.and_then(|kind| job.tasks.get(&kind));
            task.is_some_and(|task| matches!(task.phase, TaskPhase::Done(_)))
        };
        let segments = plan.facts.segments.iter().enumerate();
        segments.filter(|(index, _)| is_done(*index)).map(|(_, range)| range.count()).sum()
    }
}

fn member_body(member: Member) -> MemberBody {
    MemberBody { id: member.id.0, address: member.address, reachable: member.reachable }
}

fn actor_body(node: ActorNode) -> ActorBody {
    ActorBody {
        name: node.name,
        kind: node.kind,
        state: serde_json::json!(node.state),
        restarts: node.restarts,
        mailbox: node.mailbox.unwrap_or(0),
        children: node.children.into_iter().map(actor_body).collect(),
    }
}
