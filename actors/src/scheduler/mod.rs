//! The leader's scheduler: the only actor that grants, renews and releases leases.
//!
//! A thin shell: polls and applied state go into the pure [`core::SchedulerCore`], which decides
//! what to propose and what to answer. At most one proposal is in flight; whatever arrives
//! meanwhile goes into the next round. Everything here is rebuilt from applied state and
//! from the next poll of each node.

mod answer;
mod core;
mod facts;
mod fair;
mod select;
mod spread;
#[cfg(test)]
mod tests;
mod transfers;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use cluster::command::{Command, Outcome, RoundOutcome};
use cluster::model::LogIndex;
use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort, async_trait};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;

use self::core::SchedulerCore;
use self::facts::Ticket;
use crate::config::Timings;
use crate::live::LiveFacts;
use crate::poll::{Poll, PollError, PollReply};
use crate::ports::{Clock, Coordinator, ProposeError};
use crate::tree::ActorNode;

/// Messages that the [`SchedulerActor`] handles.
#[derive(Debug)]
pub(crate) enum SchedulerMsg {
    /// A node polls; the answer goes to the sender's end.
    Poll(Poll, oneshot::Sender<Result<PollReply, PollError>>),
    /// Applied state has moved.
    Applied,
    /// What came of the round in flight.
    Settled(Result<RoundOutcome, ProposeError>),
    /// Time has passed.
    Tick,
    /// Asks what an operator would see.
    Look(RpcReplyPort<ActorNode>),
}

/// Grants work to the nodes that poll.
pub(crate) struct SchedulerActor;

/// What the scheduler needs of the process round it.
#[derive(Clone)]
pub(crate) struct SchedulerArgs {
    pub(crate) coordinator: Arc<dyn Coordinator>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) timings: Timings,
    pub(crate) concurrent_per_workspace: u32,
    pub(crate) live: watch::Sender<Arc<LiveFacts>>,
}

/// The core with its open polls and its tasks.
pub(crate) struct SchedulerState {
    args: SchedulerArgs,
    core: SchedulerCore,
    waiting: BTreeMap<Ticket, oneshot::Sender<Result<PollReply, PollError>>>,
    next_ticket: u64,
    rounds: u64,
    tasks: JoinSet<()>,
}

#[async_trait]
impl Actor for SchedulerActor {
    type Msg = SchedulerMsg;
    type State = SchedulerState;
    type Arguments = SchedulerArgs;

    async fn pre_start(
        &self,
        myself: ActorRef<SchedulerMsg>,
        args: SchedulerArgs,
    ) -> Result<SchedulerState, ActorProcessingErr> {
        let mut tasks = JoinSet::new();
        tasks.spawn(follow_applied(args.coordinator.applied(), myself.clone()));
        tasks.spawn(tick(args.timings.round, myself));
        Ok(SchedulerState {
            core: SchedulerCore::new(
                args.timings,
                args.concurrent_per_workspace,
                args.clock.now(),
            ),
            waiting: BTreeMap::new(),
            next_ticket: 0,
            rounds: 0,
            tasks,
            args,
        })
    }

    async fn handle(
        &self,
        myself: ActorRef<SchedulerMsg>,
        message: SchedulerMsg,
        state: &mut SchedulerState,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            SchedulerMsg::Poll(poll, reply) => state.accept(&poll, reply),
            SchedulerMsg::Applied => state.core.wake(),
            SchedulerMsg::Settled(outcome) => state.settle(outcome),
            SchedulerMsg::Tick => {}
            SchedulerMsg::Look(reply) => {
                // Fails only if the caller has stopped waiting.
                let _ = reply.send(state.look());
                return Ok(());
            }
        }
        state.turn(&myself);
        Ok(())
    }
}

impl SchedulerState {
    fn accept(&mut self, poll: &Poll, reply: oneshot::Sender<Result<PollReply, PollError>>) {
        let applied = self.args.coordinator.state();
        match applied.nodes.get(&poll.node) {
            None => drop(reply.send(Err(PollError::Unregistered))),
            Some(node) if node.incarnation != poll.incarnation => {
                drop(reply.send(Err(PollError::Superseded)));
            }
            Some(_) => {
                let ticket = Ticket(self.next_ticket);
                self.next_ticket += 1;
                self.waiting.insert(ticket, reply);
                if let Some(older) = self.core.poll(ticket, poll, self.args.clock.now()) {
                    self.send(older, PollReply::default());
                }
            }
        }
    }

    fn settle(&mut self, outcome: Result<RoundOutcome, ProposeError>) {
        if let Err(error) = &outcome {
            tracing::warn!(%error, "scheduling round has no outcome");
        }
        self.core.settled(outcome, self.args.clock.now());
    }

    /// Answers the polls that are due and begins a round if one is wanted.
    fn turn(&mut self, myself: &ActorRef<SchedulerMsg>) {
        while self.tasks.try_join_next().is_some() {}
        let now = self.args.clock.now();
        let applied = self.args.coordinator.state();
        if self.core.wants_round(now) {
            let times = self.args.clock.times();
            if let Some(round) = self
                .core
                .round(&applied, now, times, &mut rand::random::<f64>)
            {
                self.rounds += 1;
                let proposal = self.args.coordinator.propose(Command::Round(round));
                let (limit, myself) = (self.args.timings.propose, myself.clone());
                self.tasks.spawn(async move {
                    let outcome = match tokio::time::timeout(limit, proposal).await {
                        Ok(Ok(Outcome::Round(outcome))) => Ok(outcome),
                        // No other outcome belongs to a round; applied state shows the rest.
                        Ok(Ok(_)) | Err(_) => Err(ProposeError::Unknown),
                        Ok(Err(error)) => Err(error),
                    };
                    // Fails only when the scheduler has stopped: the result is not needed then.
                    let _ = myself.cast(SchedulerMsg::Settled(outcome));
                });
            }
        }
        for (ticket, reply) in self.core.answers(&applied, now) {
            self.send(ticket, reply);
        }
        self.args.live.send_replace(Arc::new(self.core.live()));
    }

    fn send(&mut self, ticket: Ticket, reply: PollReply) {
        if let Some(waiting) = self.waiting.remove(&ticket) {
            // A node that gave up will poll again, and unlisted leases are sent again.
            let _ = waiting.send(Ok(reply));
        }
    }

    fn look(&self) -> ActorNode {
        ActorNode::new("SchedulerActor", "scheduler")
            .with("rounds", self.rounds)
            .with("polls_waiting", self.waiting.len())
            .with("leases", self.core.lease_count())
            .with("proposal_in_flight", self.core.is_proposing())
    }
}

async fn follow_applied(mut applied: watch::Receiver<LogIndex>, scheduler: ActorRef<SchedulerMsg>) {
    while applied.changed().await.is_ok() {
        if scheduler.cast(SchedulerMsg::Applied).is_err() {
            return;
        }
    }
}

async fn tick(period: Duration, scheduler: ActorRef<SchedulerMsg>) {
    let mut interval = tokio::time::interval(period);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        interval.tick().await;
        if scheduler.cast(SchedulerMsg::Tick).is_err() {
            return;
        }
    }
}
