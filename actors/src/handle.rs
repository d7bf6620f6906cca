//! How the rest of the process holds the actors: start, look, drain, stop.

use std::sync::Arc;
use std::time::{Duration, Instant};

use cluster::model::NodeState;
use ractor::rpc::CallResult;
use ractor::{Actor, ActorRef};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::config::{Config, Timings};
use crate::jobs::JobsArgs;
use crate::leader::LocalLeader;
use crate::live::{Health, LiveFacts, LiveNode, NodeView};
use crate::node::NodeArgs;
use crate::ports::{Clock, Coordinator, TaskHost, WebhookSender};
use crate::progress::ProgressBoard;
use crate::root::{RootArgs, RootMsg, RootSupervisor};
use crate::scheduler::SchedulerArgs;
use crate::tree::ActorNode;
use crate::webhook_queue::WebhookQueueArgs;

/// How long the tree may take to be collected, and to stop.
const TREE_LIMIT: Duration = Duration::from_secs(2);
const STOP_LIMIT: Duration = Duration::from_secs(30);

/// What the actors reach the rest of the product through.
#[derive(Clone)]
pub struct Ports {
    /// The replicated state.
    pub coordinator: Arc<dyn Coordinator>,
    /// Inputs in, outputs out.
    pub host: Arc<dyn TaskHost>,
    /// Webhooks out.
    pub webhooks: Arc<dyn WebhookSender>,
    /// Time.
    pub clock: Arc<dyn Clock>,
}

impl std::fmt::Debug for Ports {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ports").finish_non_exhaustive()
    }
}

/// Why the actors do not run.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The tree did not come up.
    #[error("failed to start the actors")]
    Spawn(#[from] ractor::SpawnErr),
}

/// Starts the tree: the leader's actors whenever this process leads, the node's if it has
/// the render role.
pub async fn start(config: Config, ports: Ports) -> Result<RootHandle, StartError> {
    let Ports {
        coordinator,
        host,
        webhooks,
        clock,
    } = ports;
    let timings = config.timings;
    let board = ProgressBoard::new();
    let (live, live_facts) = watch::channel(Arc::new(LiveFacts::default()));
    let (current, scheduler) = watch::channel(None);
    let args = RootArgs {
        scheduler: SchedulerArgs {
            coordinator: Arc::clone(&coordinator),
            clock: Arc::clone(&clock),
            timings,
            concurrent_per_workspace: config.concurrent_per_workspace,
            live,
        },
        jobs: JobsArgs {
            coordinator: Arc::clone(&coordinator),
            clock: Arc::clone(&clock),
            timings,
            board: board.clone(),
            live: live_facts.clone(),
        },
        webhook_queue: WebhookQueueArgs {
            node: config.node.id,
            incarnation: config.node.incarnation,
            coordinator: Arc::clone(&coordinator),
            webhooks,
            clock: Arc::clone(&clock),
            board: board.clone(),
            schedule: config.webhooks,
        },
        node: config.node.roles.render.then(|| NodeArgs {
            info: config.node,
            boot: config.boot,
            probe_slots: config.probe_slots,
            transfers: config.transfers,
            worker: config.worker,
            timings,
            coordinator: Arc::clone(&coordinator),
            host,
            clock: Arc::clone(&clock),
            leader: Arc::new(LocalLeader::new(scheduler, timings.poll * 5)),
        }),
        current,
    };
    let (root, join) = Actor::spawn(None, RootSupervisor, args).await?;
    Ok(RootHandle {
        root,
        join,
        coordinator,
        clock,
        timings,
        board,
        live: live_facts,
    })
}

/// The hold on a running tree. Dropping it does not stop the tree; [`RootHandle::stop`] does.
pub struct RootHandle {
    root: ActorRef<RootMsg>,
    join: JoinHandle<()>,
    coordinator: Arc<dyn Coordinator>,
    clock: Arc<dyn Clock>,
    timings: Timings,
    board: ProgressBoard,
    live: watch::Receiver<Arc<LiveFacts>>,
}

impl std::fmt::Debug for RootHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RootHandle")
            .field("root", &self.root.get_id())
            .finish_non_exhaustive()
    }
}

impl RootHandle {
    /// How far active jobs have got; filled on the leader only.
    pub fn progress(&self) -> ProgressBoard {
        self.board.clone()
    }

    /// A cheap, cloneable window on nodes and actors, for those who serve operators.
    pub fn observer(&self) -> Observer {
        Observer {
            root: self.root.clone(),
            coordinator: Arc::clone(&self.coordinator),
            clock: Arc::clone(&self.clock),
            timings: self.timings,
            live: self.live.clone(),
        }
    }

    /// Every registered node; polls are only known on the leader.
    pub fn nodes(&self) -> Vec<NodeView> {
        self.observer().nodes()
    }

    /// The supervision tree of this process; `None` if it has stopped.
    pub async fn tree(&self) -> Option<ActorNode> {
        self.observer().tree().await
    }

    /// Takes no new work, finishes what it can within `grace`, hands back the rest.
    pub async fn drain(&self, grace: Duration) {
        let limit = grace + self.timings.poll * 5;
        if let Err(error) = self
            .root
            .call(|reply| RootMsg::Drain(grace, reply), Some(limit))
            .await
        {
            tracing::warn!(%error, "node cannot be drained");
        }
    }

    /// Whether the tree has ended by itself: an actor kept failing, and the process should
    /// exit so that its own supervisor starts it anew.
    pub fn has_failed(&self) -> bool {
        self.join.is_finished()
    }

    /// Waits until the tree has ended by itself.
    pub async fn failed(&mut self) {
        // A panic of the root is an end like any other.
        let _ = (&mut self.join).await;
    }

    /// Stops everything in reverse order of start; children are killed and reaped.
    pub async fn stop(self) {
        self.root.stop(Some("process stops".to_owned()));
        if tokio::time::timeout(STOP_LIMIT, self.join).await.is_err() {
            tracing::error!("actors did not stop in time");
        }
    }
}

/// A cheap window on nodes and actors.
#[derive(Clone)]
pub struct Observer {
    root: ActorRef<RootMsg>,
    coordinator: Arc<dyn Coordinator>,
    clock: Arc<dyn Clock>,
    timings: Timings,
    live: watch::Receiver<Arc<LiveFacts>>,
}

impl std::fmt::Debug for Observer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Observer")
            .field("root", &self.root.get_id())
            .finish_non_exhaustive()
    }
}

impl Observer {
    /// Every registered node; polls are only known on the leader.
    pub fn nodes(&self) -> Vec<NodeView> {
        let (now, live) = (self.clock.now(), self.live.borrow().clone());
        let applied = self.coordinator.state();
        applied
            .nodes
            .values()
            .map(|info| {
                let polled = live
                    .nodes
                    .get(&info.id)
                    .filter(|node| node.incarnation == info.incarnation);
                NodeView {
                    id: info.id,
                    address: info.address.clone(),
                    gpu: info.gpu.clone(),
                    version: info.version.clone(),
                    slots: info.slots,
                    slots_free: polled.map_or(0, |node| node.free_slots),
                    attempts: polled.map_or(0, |node| node.held),
                    state: state_name(info.state, polled).to_owned(),
                    health: health(self.timings, polled, now),
                    last_poll_age_millis: polled.map(|node| millis(node.last_poll, now)),
                    lease_expires_in_millis: polled
                        .and_then(|node| node.first_expiry)
                        .map(|expiry| millis(now, expiry)),
                }
            })
            .collect()
    }

    /// The supervision tree of this process; `None` if it has stopped.
    pub async fn tree(&self) -> Option<ActorNode> {
        match self.root.call(RootMsg::Tree, Some(TREE_LIMIT)).await {
            Ok(CallResult::Success(tree)) => Some(tree),
            Ok(CallResult::Timeout | CallResult::SenderError) | Err(_) => None,
        }
    }
}

fn state_name(state: NodeState, polled: Option<&LiveNode>) -> &'static str {
    match state {
        NodeState::Quarantined => "quarantined",
        NodeState::Draining => "draining",
        NodeState::Ready if polled.is_some_and(|node| node.is_draining) => "draining",
        NodeState::Ready => "ready",
    }
}

fn health(timings: Timings, polled: Option<&LiveNode>, now: Instant) -> Health {
    let Some(node) = polled else {
        return Health::Dead;
    };
    let quiet = now.saturating_duration_since(node.last_poll);
    if quiet <= timings.suspect {
        Health::Live
    } else if quiet <= timings.lease {
        Health::Suspect
    } else {
        Health::Dead
    }
}

fn millis(from: Instant, to: Instant) -> u64 {
    u64::try_from(to.saturating_duration_since(from).as_millis()).unwrap_or(u64::MAX)
}
