//! Sends webhooks: on the leader, from applied state, woken by what is committed and by the
//! next delivery that falls due. What was being sent when it stopped is found again by its
//! successor.

mod core;
mod due;
mod receivers;
mod shares;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cluster::State;
use cluster::command::{Command, Outcome};
use cluster::model::{
    Delivery, DeliveryId, EndpointId, EventKind, Incarnation, JobId, LogIndex, NodeId, RanTime,
};
use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort, async_trait};
use tokio::sync::watch;
use tokio::task::JoinSet;

pub use self::core::Schedule;
pub use self::shares::Shares;

use self::core::QueueCore;
use crate::ports::{Answered, Clock, Coordinator, Times, WebhookSender};
use crate::progress::ProgressBoard;
use crate::tree::ActorNode;

/// Longest time between two looks at what is due.
const LOOK: Duration = Duration::from_secs(1);

/// Progress events under way at one time.
const PROGRESS: Shares = Shares {
    all: 16,
    per_workspace: 8,
    per_host: 16,
};

/// Longest wait for the answer to a proposal.
const PROPOSE: Duration = Duration::from_secs(10);

/// The actor that leases due deliveries and sends them.
pub(crate) struct WebhookQueueActor;

/// Messages that a [`WebhookQueueActor`] handles.
#[derive(Debug)]
pub(crate) enum WebhookQueueMsg {
    /// Something was committed.
    Applied,
    /// Time to look for due deliveries.
    Tick,
    /// Outcome of the last proposal: the leases asked for, and which of them were granted.
    Settled(Vec<DeliveryId>, Option<Vec<bool>>),
    /// A try has ended.
    Sent(Box<Delivery>, Times, Answered),
    /// Progress was sent to this endpoint of this workspace, from then on.
    ProgressSent(EndpointId, String, RanTime, Answered),
    /// Take no new leases; answers when no send is under way.
    Drain(RpcReplyPort<()>),
    /// Asks what an operator would see.
    Look(RpcReplyPort<ActorNode>),
}

/// What the actor needs.
#[derive(Clone)]
pub(crate) struct WebhookQueueArgs {
    pub(crate) node: NodeId,
    pub(crate) incarnation: Incarnation,
    pub(crate) coordinator: Arc<dyn Coordinator>,
    pub(crate) webhooks: Arc<dyn WebhookSender>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) board: ProgressBoard,
    pub(crate) schedule: Schedule,
}

/// The core with its tasks.
pub(crate) struct WebhookQueueState {
    args: WebhookQueueArgs,
    core: QueueCore,
    tried: u64,
    /// When each render's progress was last sent, and the frames done then.
    last_progress: BTreeMap<JobId, (Instant, u64)>,
    /// Progress events under way, by workspace.
    progress_in_flight: BTreeMap<String, usize>,
    draining: Option<Vec<RpcReplyPort<()>>>,
    tasks: JoinSet<()>,
}

#[async_trait]
impl Actor for WebhookQueueActor {
    type Msg = WebhookQueueMsg;
    type State = WebhookQueueState;
    type Arguments = WebhookQueueArgs;

    async fn pre_start(
        &self,
        myself: ActorRef<WebhookQueueMsg>,
        args: WebhookQueueArgs,
    ) -> Result<WebhookQueueState, ActorProcessingErr> {
        let mut tasks = JoinSet::new();
        tasks.spawn(follow(args.coordinator.applied(), myself));
        Ok(WebhookQueueState {
            args,
            core: QueueCore::default(),
            tried: 0,
            last_progress: BTreeMap::new(),
            progress_in_flight: BTreeMap::new(),
            draining: None,
            tasks,
        })
    }

    async fn handle(
        &self,
        myself: ActorRef<WebhookQueueMsg>,
        message: WebhookQueueMsg,
        state: &mut WebhookQueueState,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            WebhookQueueMsg::Applied => {}
            WebhookQueueMsg::Tick => state.send_progress(&myself),
            WebhookQueueMsg::Settled(leases, outcome) => {
                let is_lost = outcome.is_none();
                let leased = state.core.settled(&leases, outcome.as_deref());
                state.send(&leased, &myself);
                if is_lost {
                    // Without a leader a proposal fails at once: the next tick tries again.
                    return Ok(());
                }
            }
            WebhookQueueMsg::Sent(delivery, began, answered) => {
                let now = state.args.clock.ran();
                state.tried += 1;
                state.core.sent(
                    &delivery,
                    began,
                    &answered,
                    now,
                    &state.args.schedule,
                    rand::random(),
                );
            }
            WebhookQueueMsg::ProgressSent(endpoint, workspace, began, answered) => {
                let now = state.args.clock.ran();
                if let Some(count) = state.progress_in_flight.get_mut(&workspace) {
                    *count = count.saturating_sub(1);
                }
                state.progress_in_flight.retain(|_, count| *count > 0);
                let schedule = &state.args.schedule;
                state
                    .core
                    .progress_sent(endpoint, &answered, began, now, schedule);
            }
            WebhookQueueMsg::Drain(reply) => state.draining.get_or_insert_default().push(reply),
            WebhookQueueMsg::Look(reply) => {
                // Fails only if the caller has stopped waiting.
                let _ = reply.send(state.look());
                return Ok(());
            }
        }
        state.turn(&myself);
        Ok(())
    }
}

impl WebhookQueueState {
    fn turn(&mut self, myself: &ActorRef<WebhookQueueMsg>) {
        while self.tasks.try_join_next().is_some() {}
        let applied = self.args.coordinator.state();
        let times = self.args.clock.times();
        let who = (self.args.node, self.args.incarnation);
        let is_draining = self.draining.is_some();
        let schedule = &self.args.schedule;
        if let Some(command) = self.core.round(&applied, who, times, schedule, is_draining) {
            let leases: Vec<DeliveryId> = command.leases.iter().map(|(id, _)| *id).collect();
            let proposal = self
                .args
                .coordinator
                .propose(Command::DeliveryRound(command));
            let myself = myself.clone();
            self.tasks.spawn(async move {
                let outcome = match tokio::time::timeout(PROPOSE, proposal).await {
                    Ok(Ok(Outcome::Leased(given))) => Some(given),
                    // Later rounds read the result from applied state.
                    Ok(Ok(_) | Err(_)) | Err(_) => None,
                };
                // Fails only when the actor has stopped; a new one starts from applied state.
                let _ = myself.cast(WebhookQueueMsg::Settled(leases, outcome));
            });
        }
        if self.core.is_idle()
            && let Some(waiting) = &mut self.draining
        {
            for reply in waiting.drain(..) {
                // Fails only if the caller has stopped waiting.
                let _ = reply.send(());
            }
        }
    }

    fn send(&mut self, leased: &[DeliveryId], myself: &ActorRef<WebhookQueueMsg>) {
        let applied = self.args.coordinator.state();
        for id in leased {
            let Some(delivery) = applied.deliveries.get(id) else {
                self.core.forget(*id);
                continue;
            };
            let delivery = Box::new(delivery.as_ref().clone());
            let began = self.args.clock.times();
            let sending = self.args.webhooks.send(delivery.as_ref().clone());
            // Beyond the sender's own limit only by a fault.
            let limit = self.args.schedule.lease;
            let myself = myself.clone();
            self.tasks.spawn(async move {
                let answered = tokio::time::timeout(limit, sending).await;
                let answered = answered.unwrap_or_else(|_| late());
                let _ = myself.cast(WebhookQueueMsg::Sent(delivery, began, answered));
            });
        }
    }

    /// Sends the progress of renders to the endpoints that subscribe to it: from memory, at most
    /// once per `schedule.progress`, and without retries, because the next one supersedes it.
    fn send_progress(&mut self, myself: &ActorRef<WebhookQueueMsg>) {
        let applied = self.args.coordinator.state();
        self.last_progress
            .retain(|job, _| applied.active.contains_key(job));
        if self.draining.is_some() || !anyone_follows(&applied) {
            return;
        }
        let now = self.args.clock.now();
        for id in applied.queues.begun() {
            let Some(progress) = self.args.board.get(id) else {
                continue;
            };
            let last_sent = self.last_progress.get(&id);
            let is_due = last_sent.is_none_or(|(at, frames)| {
                now.saturating_duration_since(*at) >= self.args.schedule.progress
                    && *frames != progress.frames_done
            });
            let Some(job) = applied.jobs.get(&id) else {
                continue;
            };
            if !is_due || progress.frames_done == 0 {
                continue;
            }
            self.last_progress.insert(id, (now, progress.frames_done));
            for endpoint in applied.endpoints.values() {
                let follows = endpoint.workspace == job.workspace
                    && endpoint.disabled.is_none()
                    && endpoint.events.contains(&EventKind::RenderProgress);
                // Beyond its share of sends, this endpoint is skipped until the next tick.
                let total = self.progress_in_flight.values().sum();
                let own = self
                    .progress_in_flight
                    .get(&job.workspace)
                    .copied()
                    .unwrap_or(0);
                if !follows || self.core.is_slow(endpoint.id) || !PROGRESS.admit(own, total) {
                    continue;
                }
                *self
                    .progress_in_flight
                    .entry(job.workspace.clone())
                    .or_default() += 1;
                let began = self.args.clock.ran();
                let sending = self
                    .args
                    .webhooks
                    .progress(endpoint.clone(), Arc::clone(job));
                let limit = self.args.schedule.lease;
                let (myself, id, workspace) =
                    (myself.clone(), endpoint.id, endpoint.workspace.clone());
                self.tasks.spawn(async move {
                    let answered = tokio::time::timeout(limit, sending).await;
                    let answered = answered.unwrap_or_else(|_| late());
                    // Fails only when the actor has stopped: the result is not needed then.
                    let _ = myself.cast(WebhookQueueMsg::ProgressSent(
                        id, workspace, began, answered,
                    ));
                });
            }
        }
    }

    fn look(&self) -> ActorNode {
        let applied = self.args.coordinator.state();
        ActorNode::new("WebhookQueueActor", "webhook_queue")
            .with("pending", applied.due.len())
            .with("sending", self.core.sending())
            .with("tried", self.tried)
            .with("is_draining", self.draining.is_some())
    }
}

fn late() -> Answered {
    Answered {
        status: None,
        error: Some("no answer in time".to_owned()),
    }
}

fn anyone_follows(applied: &State) -> bool {
    applied.endpoints.values().any(|endpoint| {
        endpoint.disabled.is_none() && endpoint.events.contains(&EventKind::RenderProgress)
    })
}

async fn follow(mut applied: watch::Receiver<LogIndex>, queue: ActorRef<WebhookQueueMsg>) {
    let mut ticks = tokio::time::interval(LOOK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        let message = tokio::select! {
            changed = applied.changed() => match changed {
                Ok(()) => WebhookQueueMsg::Applied,
                Err(_) => return,
            },
            _ = ticks.tick() => WebhookQueueMsg::Tick,
        };
        if queue.cast(message).is_err() {
            return;
        }
    }
}
