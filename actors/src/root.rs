//! The root of the tree: starts what this process runs, follows leadership, restarts what
//! fails, and stops everything in reverse order.

use std::sync::Arc;
use std::time::Duration;

use ractor::rpc::CallResult;
use ractor::{
    Actor, ActorCell, ActorProcessingErr, ActorRef, RpcReplyPort, SupervisionEvent, async_trait,
};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::intensity::Intensity;
use crate::jobs::{JobSupervisor, JobsArgs, JobsMsg};
use crate::live::LiveFacts;
use crate::node::{NodeActor, NodeArgs, NodeMsg};
use crate::ports::Leadership;
use crate::scheduler::{SchedulerActor, SchedulerArgs, SchedulerMsg};
use crate::tree::ActorNode;
use crate::webhook_queue::{WebhookQueueActor, WebhookQueueArgs, WebhookQueueMsg};

/// Restarts of one child that are taken as bad luck.
const RESTARTS: usize = 5;
const RESTART_WINDOW: Duration = Duration::from_secs(60);

/// How long one actor may take to describe itself, and to stop.
const SHOW: Duration = Duration::from_millis(500);
const STOP: Duration = Duration::from_secs(10);

/// Messages that the [`RootSupervisor`] handles.
#[derive(Debug)]
pub(crate) enum RootMsg {
    /// Leadership came or went.
    Leadership(Leadership),
    /// Asks for the tree.
    Tree(RpcReplyPort<ActorNode>),
    /// Take nothing new, finish or hand back within the grace; answers when that is done.
    Drain(Duration, RpcReplyPort<()>),
}

/// Supervises the leader's actors and the node's.
pub(crate) struct RootSupervisor;

/// What the whole tree is made from.
#[derive(Clone)]
pub(crate) struct RootArgs {
    pub(crate) scheduler: SchedulerArgs,
    pub(crate) jobs: JobsArgs,
    pub(crate) webhook_queue: WebhookQueueArgs,
    /// None on a process without the render role.
    pub(crate) node: Option<NodeArgs>,
    /// Where the node finds the scheduler.
    pub(crate) current: watch::Sender<Option<ActorRef<SchedulerMsg>>>,
}

/// The children that run.
pub(crate) struct RootState {
    args: RootArgs,
    leadership: Leadership,
    scheduler: Child<SchedulerMsg>,
    jobs: Child<JobsMsg>,
    webhook_queue: Child<WebhookQueueMsg>,
    node: Child<NodeMsg>,
    tasks: JoinSet<()>,
}

struct Child<M> {
    actor: Option<ActorRef<M>>,
    intensity: Intensity,
}

impl<M> Child<M> {
    fn new() -> Self {
        Self {
            actor: None,
            intensity: Intensity::new(RESTARTS, RESTART_WINDOW),
        }
    }

    /// Whether `cell` was this child; it is then forgotten.
    fn lost(&mut self, cell: &ActorCell) -> bool {
        self.actor
            .take_if(|actor| actor.get_id() == cell.get_id())
            .is_some()
    }
}

#[async_trait]
impl Actor for RootSupervisor {
    type Msg = RootMsg;
    type State = RootState;
    type Arguments = RootArgs;

    async fn pre_start(
        &self,
        myself: ActorRef<RootMsg>,
        args: RootArgs,
    ) -> Result<RootState, ActorProcessingErr> {
        let leadership = args.scheduler.coordinator.leadership();
        let now = *leadership.borrow();
        let mut tasks = JoinSet::new();
        tasks.spawn(follow_leadership(leadership, myself.clone()));
        let mut state = RootState {
            args,
            leadership: Leadership::Other,
            scheduler: Child::new(),
            jobs: Child::new(),
            webhook_queue: Child::new(),
            node: Child::new(),
            tasks,
        };
        state.lead(now, &myself).await?;
        state.start_node(&myself).await?;
        Ok(state)
    }

    async fn handle(
        &self,
        myself: ActorRef<RootMsg>,
        message: RootMsg,
        state: &mut RootState,
    ) -> Result<(), ActorProcessingErr> {
        while state.tasks.try_join_next().is_some() {}
        match message {
            RootMsg::Leadership(leadership) => state.lead(leadership, &myself).await?,
            RootMsg::Tree(reply) => {
                let tree = state.tree();
                state.tasks.spawn(async move {
                    // Fails only if the caller has stopped waiting.
                    let _ = reply.send(tree.await);
                });
            }
            RootMsg::Drain(grace, reply) => state.drain(grace, reply),
        }
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        myself: ActorRef<RootMsg>,
        event: SupervisionEvent,
        state: &mut RootState,
    ) -> Result<(), ActorProcessingErr> {
        match event {
            SupervisionEvent::ActorFailed(cell, error) => {
                tracing::error!(%error, "actor failed");
                state.restart(&cell, &myself).await
            }
            SupervisionEvent::ActorTerminated(cell, _, reason) => {
                tracing::debug!(?reason, "actor stopped");
                state.restart(&cell, &myself).await
            }
            SupervisionEvent::ActorStarted(_) | SupervisionEvent::ProcessGroupChanged(_) => Ok(()),
        }
    }

    async fn post_stop(
        &self,
        _myself: ActorRef<RootMsg>,
        state: &mut RootState,
    ) -> Result<(), ActorProcessingErr> {
        if let Some(node) = state.node.actor.take() {
            stop(&node.get_cell()).await;
        }
        state.stop_leading().await;
        Ok(())
    }
}

impl RootState {
    /// Starts or stops the leader's actors. A new term starts them anew: what they knew of
    /// the last one may be stale.
    async fn lead(
        &mut self,
        leadership: Leadership,
        myself: &ActorRef<RootMsg>,
    ) -> Result<(), ActorProcessingErr> {
        if leadership == self.leadership {
            return Ok(());
        }
        tracing::info!(?leadership, "leadership changed");
        self.leadership = leadership;
        self.stop_leading().await;
        if matches!(leadership, Leadership::Leader { .. }) {
            self.start_scheduler(myself).await?;
            self.start_jobs(myself).await?;
            self.start_webhook_queue(myself).await?;
        }
        Ok(())
    }

    async fn stop_leading(&mut self) {
        if let Some(webhook_queue) = self.webhook_queue.actor.take() {
            stop(&webhook_queue.get_cell()).await;
        }
        if let Some(jobs) = self.jobs.actor.take() {
            stop(&jobs.get_cell()).await;
        }
        self.args.current.send_replace(None);
        if let Some(scheduler) = self.scheduler.actor.take() {
            stop(&scheduler.get_cell()).await;
        }
        self.args.jobs.board.clear();
        self.args
            .scheduler
            .live
            .send_replace(Arc::new(LiveFacts::default()));
    }

    async fn start_scheduler(
        &mut self,
        myself: &ActorRef<RootMsg>,
    ) -> Result<(), ActorProcessingErr> {
        let args = self.args.scheduler.clone();
        let (actor, _) = Actor::spawn_linked(None, SchedulerActor, args, myself.get_cell()).await?;
        self.args.current.send_replace(Some(actor.clone()));
        self.scheduler.actor = Some(actor);
        Ok(())
    }

    async fn start_jobs(&mut self, myself: &ActorRef<RootMsg>) -> Result<(), ActorProcessingErr> {
        let args = self.args.jobs.clone();
        let (actor, _) = Actor::spawn_linked(None, JobSupervisor, args, myself.get_cell()).await?;
        self.jobs.actor = Some(actor);
        Ok(())
    }

    async fn start_webhook_queue(
        &mut self,
        myself: &ActorRef<RootMsg>,
    ) -> Result<(), ActorProcessingErr> {
        let args = self.args.webhook_queue.clone();
        let (actor, _) =
            Actor::spawn_linked(None, WebhookQueueActor, args, myself.get_cell()).await?;
        self.webhook_queue.actor = Some(actor);
        Ok(())
    }

    /// Has the node and the sender of webhooks end what they do, side by side.
    fn drain(&mut self, grace: Duration, reply: RpcReplyPort<()>) {
        let (node, webhook_queue) = (self.node.actor.clone(), self.webhook_queue.actor.clone());
        self.tasks.spawn(async move {
            let node = async {
                if let Some(node) = node {
                    // A node that does not answer is stopped all the same.
                    let _ = node
                        .call(|reply| NodeMsg::Drain(grace, reply), Some(grace + STOP))
                        .await;
                }
            };
            let webhook_queue = async {
                if let Some(webhook_queue) = webhook_queue {
                    // What is cut off is sent again by the next start.
                    let _ = webhook_queue
                        .call(WebhookQueueMsg::Drain, Some(grace))
                        .await;
                }
            };
            tokio::join!(node, webhook_queue);
            // Fails only if the caller has stopped waiting.
            let _ = reply.send(());
        });
    }

    async fn start_node(&mut self, myself: &ActorRef<RootMsg>) -> Result<(), ActorProcessingErr> {
        if let Some(args) = self.args.node.clone() {
            let (actor, _) = Actor::spawn_linked(None, NodeActor, args, myself.get_cell()).await?;
            self.node.actor = Some(actor);
        }
        Ok(())
    }

    /// Restarts the child that has ended, or gives up: then the whole tree fails, and the
    /// process with it.
    async fn restart(
        &mut self,
        cell: &ActorCell,
        myself: &ActorRef<RootMsg>,
    ) -> Result<(), ActorProcessingErr> {
        let now = self.args.scheduler.clock.now();
        let admitted = |intensity: &mut Intensity| {
            if intensity.admit(now) {
                Ok(())
            } else {
                Err(ActorProcessingErr::from("an actor keeps failing"))
            }
        };
        if self.scheduler.lost(cell) {
            admitted(&mut self.scheduler.intensity)?;
            self.args.current.send_replace(None);
            self.start_scheduler(myself).await
        } else if self.jobs.lost(cell) {
            admitted(&mut self.jobs.intensity)?;
            self.start_jobs(myself).await
        } else if self.webhook_queue.lost(cell) {
            admitted(&mut self.webhook_queue.intensity)?;
            self.start_webhook_queue(myself).await
        } else if self.node.lost(cell) {
            admitted(&mut self.node.intensity)?;
            self.start_node(myself).await
        } else {
            // One that was stopped on purpose.
            Ok(())
        }
    }

    fn tree(&self) -> impl Future<Output = ActorNode> + use<> {
        let leads = match self.leadership {
            Leadership::Leader { term } => format!("term {term}"),
            Leadership::Other => "no".to_owned(),
        };
        let mut root = ActorNode::new("RootSupervisor", "root").with("leads", leads);
        let scheduler = (
            self.scheduler.actor.clone(),
            self.scheduler.intensity.total(),
        );
        let jobs = (self.jobs.actor.clone(), self.jobs.intensity.total());
        let webhook_queue = (
            self.webhook_queue.actor.clone(),
            self.webhook_queue.intensity.total(),
        );
        let node = (self.node.actor.clone(), self.node.intensity.total());
        async move {
            let children = [
                show(scheduler, SchedulerMsg::Look).await,
                show(jobs, JobsMsg::Show).await,
                show(webhook_queue, WebhookQueueMsg::Look).await,
                show(node, NodeMsg::Look).await,
            ];
            root.children = children.into_iter().flatten().collect();
            root
        }
    }
}

async fn show<M: ractor::Message>(
    (actor, restarts): (Option<ActorRef<M>>, u64),
    ask: impl FnOnce(RpcReplyPort<ActorNode>) -> M,
) -> Option<ActorNode> {
    match actor?.call(ask, Some(SHOW)).await {
        Ok(CallResult::Success(node)) => Some(node.restarted(restarts)),
        Ok(CallResult::Timeout | CallResult::SenderError) | Err(_) => None,
    }
}

async fn stop(cell: &ActorCell) {
    let reason = Some("stopped by its supervisor".to_owned());
    if cell.stop_and_wait(reason, Some(STOP)).await.is_err() {
        tracing::warn!(actor = ?cell.get_id(), "actor did not stop in time");
        cell.kill();
    }
}

async fn follow_leadership(mut leadership: watch::Receiver<Leadership>, root: ActorRef<RootMsg>) {
    while leadership.changed().await.is_ok() {
        let now = *leadership.borrow_and_update();
        if root.cast(RootMsg::Leadership(now)).is_err() {
            return;
        }
    }
}
