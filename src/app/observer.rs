//! What the edge may see of this process: the actors and the raft group, in the edge's types.

use std::collections::BTreeMap;

use actors::{ActorNode, Health, ProgressBoard, RootHandle};
use cluster::coordinator::{Coordinator, Member};
use cluster::model::{JobId, NodeId};
use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::sync::broadcast;

use crate::edge::{
    ActorBody, MemberBody, NodeHealth, NodeSight, ObservedProgress, Observer, RaftBody,
};

/// The embedded process as the edge sees it.
#[derive(Debug)]
pub(super) struct ProcessObserver {
    coordinator: Coordinator,
    actors: actors::Observer,
    progress: ProgressBoard,
}

impl ProcessObserver {
    pub(super) fn new(coordinator: Coordinator, actors: &RootHandle) -> Self {
        Self {
            coordinator,
            actors: actors.observer(),
            progress: actors.progress(),
        }
    }
}

impl Observer for ProcessObserver {
    fn progress(&self, job: JobId) -> Option<ObservedProgress> {
        let progress = self.progress.get(job)?;
        Some(ObservedProgress {
            frames_done: progress.frames_done,
            fraction: progress.fraction,
            fps: progress.fps,
            eta_seconds: progress.eta_seconds,
        })
    }

    fn progress_changes(&self) -> broadcast::Receiver<JobId> {
        self.progress.subscribe()
    }

    fn nodes(&self) -> BTreeMap<NodeId, NodeSight> {
        self.actors
            .nodes()
            .into_iter()
            .map(|view| {
                let health = match view.health {
                    Health::Live => NodeHealth::Live,
                    Health::Suspect => NodeHealth::Suspect,
                    Health::Dead => NodeHealth::Dead,
                };
                let sight = NodeSight {
                    health,
                    busy_slots: view.slots.saturating_sub(view.slots_free),
                    lease_expires_in_ms: view.lease_expires_in_millis.unwrap_or(0),
                    cache_bytes: 0,
                };
                (view.id, sight)
            })
            .collect()
    }

    fn actors(&self) -> BoxFuture<'static, ActorBody> {
        let actors = self.actors.clone();
        async move {
            let stopped = || ActorNode {
                name: "root".to_owned(),
                kind: "stopped".to_owned(),
                state: BTreeMap::new(),
                restarts: 0,
                mailbox: None,
                children: Vec::new(),
            };
            actor_body(actors.tree().await.unwrap_or_else(stopped))
        }
        .boxed()
    }

    fn clock_note(&self) -> Option<String> {
        self.coordinator.clock_note().map(|note| note.to_string())
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

fn member_body(member: Member) -> MemberBody {
    MemberBody {
        id: member.id.0,
        address: member.address,
        reachable: member.reachable,
    }
}

fn actor_body(node: ActorNode) -> ActorBody {
    ActorBody {
        name: node.name,
        kind: node.kind,
        state: serde_json::json!(node.state),
        restarts: node.restarts,
        mailbox: node.mailbox,
        children: node.children.into_iter().map(actor_body).collect(),
    }
}
