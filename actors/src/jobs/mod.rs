//! Keeps one [`JobActor`] for each job of applied state that has begun, and has each look at
//! its job from time to time; those that wait have none ([`queued`]). A job whose actor keeps failing goes without (its tasks are
//! still granted) until the restart window has passed.

mod queued;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use cluster::State;
use cluster::model::{JobId, LogIndex};
use ractor::{
    Actor, ActorId, ActorProcessingErr, ActorRef, RpcReplyPort, SupervisionEvent, async_trait,
};
use tokio::sync::watch;
use tokio::task::JoinSet;

use self::queued::QueuedLimits;
use crate::config::Timings;
use crate::intensity::Intensity;
use crate::job::{JobActor, JobArgs, JobMsg};
use crate::live::LiveFacts;
use crate::ports::{Clock, Coordinator};
use crate::progress::ProgressBoard;
use crate::tree::ActorNode;

/// How long a job actor may take to describe itself.
const SHOW: Duration = Duration::from_millis(200);

/// Messages that the [`JobSupervisor`] handles.
#[derive(Debug)]
pub(crate) enum JobsMsg {
    /// Applied state has moved: jobs may have come or gone.
    Applied,
    /// Time for every job to look.
    Tick,
    /// The proposal to end this render, which had not begun, is over.
    Settled(JobId),
    /// Asks what an operator would see.
    Show(RpcReplyPort<ActorNode>),
}

/// Supervises the job actors.
pub(crate) struct JobSupervisor;

/// What the job supervisor needs.
#[derive(Clone)]
pub(crate) struct JobsArgs {
    pub(crate) coordinator: Arc<dyn Coordinator>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) timings: Timings,
    pub(crate) board: ProgressBoard,
    pub(crate) live: watch::Receiver<Arc<LiveFacts>>,
}

/// The job actors that run.
pub(crate) struct JobsState {
    args: JobsArgs,
    actors: BTreeMap<JobId, Child>,
    queued: QueuedLimits,
    tasks: JoinSet<()>,
}

struct Child {
    actor: Option<ActorRef<JobMsg>>,
    intensity: Intensity,
}

#[async_trait]
impl Actor for JobSupervisor {
    type Msg = JobsMsg;
    type State = JobsState;
    type Arguments = JobsArgs;

    async fn pre_start(
        &self,
        myself: ActorRef<JobsMsg>,
        args: JobsArgs,
    ) -> Result<JobsState, ActorProcessingErr> {
        let mut tasks = JoinSet::new();
        tasks.spawn(follow(
            args.coordinator.applied(),
            args.timings.look,
            myself,
        ));
        Ok(JobsState {
            args,
            actors: BTreeMap::new(),
            queued: QueuedLimits::default(),
            tasks,
        })
    }

    async fn handle(
        &self,
        myself: ActorRef<JobsMsg>,
        message: JobsMsg,
        state: &mut JobsState,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            JobsMsg::Applied => state.reconcile(&myself).await,
            JobsMsg::Tick => {
                state.reconcile(&myself).await;
                state.look(&myself);
            }
            JobsMsg::Settled(job) => state.queued.settled(job),
            JobsMsg::Show(reply) => {
                // Collected beside the mailbox, so that a slow job actor delays no other.
                let shown = state.show();
                state.tasks.spawn(async move {
                    let _ = reply.send(shown.await);
                });
            }
        }
        while state.tasks.try_join_next().is_some() {}
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        _myself: ActorRef<JobsMsg>,
        event: SupervisionEvent,
        state: &mut JobsState,
    ) -> Result<(), ActorProcessingErr> {
        match event {
            SupervisionEvent::ActorFailed(actor, error) => {
                tracing::error!(actor = ?actor.get_id(), %error, "job actor failed");
                state.ended(actor.get_id());
            }
            SupervisionEvent::ActorTerminated(actor, _, _) => state.ended(actor.get_id()),
            SupervisionEvent::ActorStarted(_) | SupervisionEvent::ProcessGroupChanged(_) => {}
        }
        Ok(())
    }
}

impl JobsState {
    /// Starts the actors that are missing and forgets those whose job has ended. (An actor
    /// stops by itself when it sees the end of its job.)
    async fn reconcile(&mut self, myself: &ActorRef<JobsMsg>) {
        let applied = self.args.coordinator.state();
        self.actors
            .retain(|id, child| child.actor.is_some() || applied.active.contains_key(id));
        let now = self.args.clock.now();
        for job in applied.leasing().map(|job| job.id) {
            let is_new = !self.actors.contains_key(&job);
            let child = self.actors.entry(job).or_insert_with(|| Child {
                actor: None,
                intensity: Intensity::new(5, Duration::from_secs(60)),
            });
            if child.actor.is_some() || !(is_new || child.intensity.admit(now)) {
                continue;
            }
            let args = JobArgs {
                job,
                coordinator: Arc::clone(&self.args.coordinator),
                clock: Arc::clone(&self.args.clock),
                timings: self.args.timings,
                board: self.args.board.clone(),
            };
            match Actor::spawn_linked(None, JobActor, args, myself.get_cell()).await {
                Ok((actor, _)) => child.actor = Some(actor),
                Err(error) => tracing::error!(%job, %error, "job actor does not start"),
            }
        }
    }

    fn look(&mut self, myself: &ActorRef<JobsMsg>) {
        let applied = self.args.coordinator.state();
        let live = self.args.live.borrow().clone();
        self.end_overdue(&applied, &live, myself);
        for actor in self
            .actors
            .values()
            .filter_map(|child| child.actor.as_ref())
        {
            // Fails only for an actor that has just stopped; its supervision event handles that.
            let _ = actor.cast(JobMsg::Look(Arc::clone(&applied), Arc::clone(&live)));
        }
    }

    /// Ends renders that have not begun and have waited too long.
    fn end_overdue(&mut self, applied: &State, live: &LiveFacts, myself: &ActorRef<JobsMsg>) {
        let (now, timings) = (self.args.clock.now(), self.args.timings);
        let has_node = !live.takers(applied, now, timings.suspect).is_empty();
        let times = (self.args.clock.ran(), now);
        for (job, command) in self.queued.look(applied, has_node, times, &timings) {
            tracing::info!(%job, ?command, "queued render needs a decision");
            let proposal = self.args.coordinator.propose(command);
            let myself = myself.clone();
            self.tasks.spawn(async move {
                match tokio::time::timeout(timings.propose, proposal).await {
                    Ok(Ok(_)) => {}
                    Ok(Err(error)) => tracing::debug!(%job, %error, "proposal has no outcome"),
                    Err(_) => tracing::debug!(%job, "proposal has no answer"),
                }
                // Fails only when the supervisor has stopped.
                let _ = myself.cast(JobsMsg::Settled(job));
            });
        }
    }

    fn ended(&mut self, id: ActorId) {
        for child in self.actors.values_mut() {
            if child
                .actor
                .as_ref()
                .is_some_and(|actor| actor.get_id() == id)
            {
                child.actor = None;
            }
        }
    }

    fn show(&self) -> impl Future<Output = ActorNode> + use<> {
        let actors: Vec<_> = self
            .actors
            .values()
            .filter_map(|child| Some((child.actor.clone()?, child.intensity.total())))
            .collect();
        async move {
            let mut node = ActorNode::new("JobSupervisor", "jobs").with("jobs", actors.len());
            for (actor, restarts) in actors {
                if let Ok(ractor::rpc::CallResult::Success(child)) =
                    actor.call(JobMsg::Show, Some(SHOW)).await
                {
                    node.children.push(child.restarted(restarts));
                }
            }
            node
        }
    }
}

async fn follow(
    mut applied: watch::Receiver<LogIndex>,
    period: Duration,
    supervisor: ActorRef<JobsMsg>,
) {
    let mut interval = tokio::time::interval(period);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        let message = tokio::select! {
            changed = applied.changed() => match changed {
                Ok(()) => JobsMsg::Applied,
                Err(_) => return,
            },
            _ = interval.tick() => JobsMsg::Tick,
        };
        if supervisor.cast(message).is_err() {
            return;
        }
    }
}
