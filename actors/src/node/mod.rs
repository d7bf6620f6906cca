//! The node actor: polls the leader for work and carries it out in its slots.
//!
//! A thin shell round the pure [`book::Book`]. Transfers, staging, publishing and polling are
//! tasks it owns; their results come back as messages. Rendering happens in the slots' children.

pub(crate) mod book;
mod register;
pub(crate) mod slots;
#[cfg(test)]
mod tests;
mod work;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cluster::model::{Boot, Failure, NodeInfo, TaskOutput};
use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort, async_trait};
use tokio::task::{AbortHandle, JoinSet};

use self::book::Book;
use self::register::Registered;
use self::slots::{RunId, SlotClass, SlotIndex, SlotState};
use crate::config::{Timings, WorkerCommand};
use crate::poll::{Leader, Poll, PollError, PollReply};
use crate::ports::{Clock, Coordinator, Staged, TaskHost, Transferred};
use crate::slot::{SlotEvent, SlotHandle, SlotSystem};
use crate::tree::ActorNode;

/// How long all slots together may take to kill and reap their children.
const CLOSE_LIMIT: Duration = Duration::from_secs(5);

/// Messages that the [`NodeActor`] handles.
#[derive(Debug)]
pub(crate) enum NodeMsg {
    /// The node is known to the cluster, or will not be.
    Registered(Registered),
    /// The leader's answer to the poll sent at that moment.
    Answered(Instant, Result<PollReply, PollError>),
    /// An event of a slot.
    Slot(SlotIndex, SlotEvent),
    /// A run's bytes were moved, or cannot be.
    Transferred(RunId, Result<Transferred, Failure>),
    /// A run's inputs are here, or cannot be had.
    Staged(RunId, Result<Staged, Failure>),
    /// An output is durable, or could not be made so.
    Published(RunId, u32, Result<TaskOutput, Failure>),
    /// Time has passed.
    Tick,
    /// Take nothing new, hand back what is unfinished after the grace, answer when idle.
    Drain(Duration, RpcReplyPort<()>),
    /// Asks what an operator would see.
    Look(RpcReplyPort<ActorNode>),
}

/// Runs attempts on this node.
pub(crate) struct NodeActor;

/// What the node actor needs.
#[derive(Clone)]
pub(crate) struct NodeArgs {
    pub(crate) info: NodeInfo,
    pub(crate) boot: Boot,
    pub(crate) probe_slots: u32,
    pub(crate) transfers: u32,
    pub(crate) worker: WorkerCommand,
    pub(crate) timings: Timings,
    pub(crate) coordinator: Arc<dyn Coordinator>,
    pub(crate) host: Arc<dyn TaskHost>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) leader: Arc<dyn Leader>,
}

/// The book with the slots and tasks that carry it out.
pub(crate) struct NodeActorState {
    args: NodeArgs,
    book: Book,
    slots: Vec<SlotHandle>,
    system: Option<SlotSystem>,
    tasks: JoinSet<()>,
    /// Tasks of a run, to be ended with it.
    work: BTreeMap<RunId, Vec<AbortHandle>>,
    polls: Polls,
    drain: Option<(Instant, Vec<RpcReplyPort<()>>)>,
}

/// When to poll next.
#[derive(Debug)]
struct Polls {
    is_registered: bool,
    is_wanted: bool,
    open: u32,
    last_sent: Option<Instant>,
    last_answer: Option<Instant>,
    not_before: Option<Instant>,
}

#[async_trait]
impl Actor for NodeActor {
    type Msg = NodeMsg;
    type State = NodeActorState;
    type Arguments = NodeArgs;

    async fn pre_start(
        &self,
        myself: ActorRef<NodeMsg>,
        args: NodeArgs,
    ) -> Result<NodeActorState, ActorProcessingErr> {
        let mut tasks = JoinSet::new();
        tasks.spawn(tick(args.timings.poll / 10, myself.clone()));
        tasks.spawn(register::register(args.clone(), myself.clone()));
        let render = usize::try_from(args.info.slots).unwrap_or(usize::MAX);
        let probe = usize::try_from(args.probe_slots).unwrap_or(usize::MAX);
        let transfers = usize::try_from(args.transfers).unwrap_or(usize::MAX);
        let count = render.saturating_add(probe);
        let (command, timings) = (args.worker.clone(), args.timings);
        // Starting threads blocks for a moment.
        let (system, slots) =
            tokio::task::spawn_blocking(move || start_slots(count, &command, timings, &myself))
                .await??;
        Ok(NodeActorState {
            book: Book::new(args.timings, render, probe, transfers),
            args,
            slots,
            system: Some(system),
            tasks,
            work: BTreeMap::new(),
            polls: Polls {
                is_registered: false,
                is_wanted: true,
                open: 0,
                last_sent: None,
                last_answer: None,
                not_before: None,
            },
            drain: None,
        })
    }

    async fn handle(
        &self,
        myself: ActorRef<NodeMsg>,
        message: NodeMsg,
        state: &mut NodeActorState,
    ) -> Result<(), ActorProcessingErr> {
        while state.tasks.try_join_next().is_some() {}
        let now = state.args.clock.now();
        let effects = match message {
            NodeMsg::Registered(outcome) => state.registered(outcome),
            NodeMsg::Answered(sent, answer) => state.answered(sent, answer, now, &myself),
            NodeMsg::Slot(slot, event) => state.book.slot(slot, event, now),
            NodeMsg::Transferred(run, result) => state.book.transferred(run, result, now),
            NodeMsg::Staged(run, result) => state.book.staged(run, result, now),
            NodeMsg::Published(run, output, result) => state.book.published(run, output, result),
            NodeMsg::Tick => state.tick(now),
            NodeMsg::Drain(grace, reply) => {
                state
                    .drain
                    .get_or_insert((now + grace, Vec::new()))
                    .1
                    .push(reply);
                state.book.drain()
            }
            NodeMsg::Look(reply) => {
                // Fails only if the caller has stopped waiting.
                let _ = reply.send(state.look(now));
                Vec::new()
            }
        };
        for effect in effects {
            state.carry_out(effect, &myself);
        }
        state.answer_drain();
        state.poll_if_wanted(now, &myself);
        Ok(())
    }

    async fn post_stop(
        &self,
        _myself: ActorRef<NodeMsg>,
        state: &mut NodeActorState,
    ) -> Result<(), ActorProcessingErr> {
        state.tasks.abort_all();
        let closing = state.slots.iter().map(|slot| slot.close(CLOSE_LIMIT));
        futures::future::join_all(closing).await;
        state.slots.clear();
        if let Some(mut system) = state.system.take() {
            tokio::task::spawn_blocking(move || system.stop()).await?;
        }
        Ok(())
    }
}

impl NodeActorState {
    fn registered(&mut self, outcome: Registered) -> Vec<book::Effect> {
        match outcome {
            Registered::Accepted => {
                self.polls.is_registered = true;
                self.polls.is_wanted = true;
                Vec::new()
            }
            Registered::Refused(rejection) => {
                tracing::error!(%rejection, "registration was refused; this node takes no work");
                Vec::new()
            }
        }
    }

    fn answered(
        &mut self,
        sent: Instant,
        answer: Result<PollReply, PollError>,
        now: Instant,
        myself: &ActorRef<NodeMsg>,
    ) -> Vec<book::Effect> {
        self.polls.open = self.polls.open.saturating_sub(1);
        let interval = self.args.timings.poll;
        match answer {
            Ok(reply) => {
                self.polls.last_answer = Some(now);
                // One that was parked to the end, or brought news, is followed by the next
                // at once; else the interval is kept (see `tick`).
                let was_parked = now.saturating_duration_since(sent) >= interval / 2;
                self.polls.is_wanted |= was_parked || !reply.is_empty();
                self.book.reply(reply, now)
            }
            Err(PollError::NoLeader) => {
                self.polls.not_before = Some(now + interval / 4);
                self.polls.is_wanted = true;
                Vec::new()
            }
            Err(PollError::Unregistered) => {
                if self.polls.is_registered {
                    self.polls.is_registered = false;
                    self.tasks
                        .spawn(register::register(self.args.clone(), myself.clone()));
                }
                Vec::new()
            }
            Err(PollError::Superseded) => {
                tracing::error!("another incarnation of this node has registered; stopping work");
                self.polls.is_registered = false;
                self.book.abandon_all()
            }
        }
    }

    fn tick(&mut self, now: Instant) -> Vec<book::Effect> {
        let is_due = self
            .polls
            .last_sent
            .is_none_or(|sent| now.saturating_duration_since(sent) >= self.args.timings.poll);
        self.polls.is_wanted |= is_due && self.polls.open == 0;
        self.work.retain(|_, handles| {
            handles.retain(|handle| !handle.is_finished());
            !handles.is_empty()
        });
        let mut effects = self.book.tick(now);
        if let Some((deadline, _)) = &mut self.drain
            && now >= *deadline
        {
            // Once is enough; what is handed back is then only waited for.
            *deadline = now + Duration::from_secs(3600);
            effects.extend(self.book.hand_back_all());
        }
        effects
    }

    fn answer_drain(&mut self) {
        if !self.book.is_idle() {
            return;
        }
        if let Some((_, waiting)) = &mut self.drain {
            for reply in waiting.drain(..) {
                // Fails only if the caller has stopped waiting.
                let _ = reply.send(());
            }
        }
    }

    /// Sends a poll if one is wanted. Two may be open: the leader parks one that has no
    /// answer yet, and answers it when the next arrives.
    fn poll_if_wanted(&mut self, now: Instant, myself: &ActorRef<NodeMsg>) {
        let may = self.polls.is_registered
            && self.polls.open < 2
            && self.polls.not_before.is_none_or(|earliest| now >= earliest);
        if !(may && self.polls.is_wanted) {
            return;
        }
        self.polls.is_wanted = false;
        self.polls.open += 1;
        self.polls.last_sent = Some(now);
        let answer = self.args.leader.poll(Poll {
            node: self.args.info.id,
            incarnation: self.args.info.incarnation,
            held: self.book.held(),
            reports: self.book.reports().to_vec(),
            handed_back: self.book.handed_back().to_vec(),
            free_slots: u32::try_from(self.book.free_slots()).unwrap_or(u32::MAX),
            settling_slots: u32::try_from(self.book.settling_slots()).unwrap_or(u32::MAX),
            free_transfers: u32::try_from(self.book.free_transfers()).unwrap_or(u32::MAX),
            draining: self.book.is_draining(),
        });
        let myself = myself.clone();
        self.tasks.spawn(async move {
            let answer = answer.await;
            // Fails only when the node has stopped.
            let _ = myself.cast(NodeMsg::Answered(now, answer));
        });
    }

    fn look(&self, now: Instant) -> ActorNode {
        let age = |moment: Option<Instant>| {
            moment.map_or_else(
                || "never".to_owned(),
                |moment| format!("{} ms", now.saturating_duration_since(moment).as_millis()),
            )
        };
        let mut node = ActorNode::new("NodeActor", format!("node {}", self.args.info.id))
            .with("slots_free", self.book.slots.free(SlotClass::Render))
            .with("probe_slots_free", self.book.slots.free(SlotClass::Probe))
            .with("transfers_free", self.book.free_transfers())
            .with("slots", self.slots.len())
            .with("held", self.book.held().len())
            .with("reports_open", self.book.reports().len())
            .with("outputs_made", self.book.outputs_made)
            .with("is_draining", self.book.is_draining())
            .with("last_answer_age", age(self.polls.last_answer));
        for (index, state) in self.book.slots.states().iter().enumerate() {
            let state = match state {
                SlotState::Down => "down".to_owned(),
                SlotState::Free => "free".to_owned(),
                SlotState::Busy(run) => format!("busy with run {}", run.0),
            };
            let mut slot = ActorNode::new("Slot", format!("slot {index}")).with("state", state);
            if let Some(pid) = self.slots.get(index).and_then(SlotHandle::pid) {
                slot = slot.with("worker_pid", pid);
            }
            let restarts = self.slots.get(index).map_or(0, SlotHandle::restarts);
            node.children.push(slot.restarted(restarts));
        }
        node
    }
}

fn start_slots(
    count: usize,
    command: &WorkerCommand,
    timings: Timings,
    node: &ActorRef<NodeMsg>,
) -> std::io::Result<(SlotSystem, Vec<SlotHandle>)> {
    let system = SlotSystem::start()?;
    let mut slots = Vec::new();
    for index in 0..count {
        let node = node.clone();
        let events = Arc::new(move |slot, event| {
            // Fails only when the node has stopped; its slots are then closed.
            let _ = node.cast(NodeMsg::Slot(slot, event));
        });
        slots.push(SlotHandle::start(
            &system,
            index,
            command.clone(),
            timings,
            events,
        )?);
    }
    Ok((system, slots))
}

async fn tick(period: Duration, node: ActorRef<NodeMsg>) {
    let mut interval = tokio::time::interval(period.max(Duration::from_millis(5)));
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        interval.tick().await;
        if node.cast(NodeMsg::Tick).is_err() {
            return;
        }
    }
}
