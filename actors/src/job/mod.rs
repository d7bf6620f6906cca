//! One actor per active job. Decisions are [`JobDriver`]'s (pure); this file only carries
//! them out. Grants are made by the scheduler alone.

mod driver;
pub(crate) mod limits;
mod rate;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use cluster::State;
use cluster::model::JobId;
use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort, async_trait};
use tokio::task::JoinSet;

use self::driver::{Effect, JobDriver, JobEvent, Sight};
use crate::config::Timings;
use crate::live::LiveFacts;
use crate::ports::{Clock, Coordinator, ProposeError};
use crate::progress::ProgressBoard;
use crate::tree::ActorNode;

/// Messages that a [`JobActor`] handles.
#[derive(Debug)]
pub(crate) enum JobMsg {
    /// Time to look: applied state and what polls report.
    Look(Arc<State>, Arc<LiveFacts>),
    /// Something happened; the driver decides what follows from it.
    Event(JobEvent),
    /// Asks what an operator would see.
    Show(RpcReplyPort<ActorNode>),
}

/// Drives one job from its submission to its end.
///
/// Owns nothing that cannot be lost: everything is rebuilt from applied state, so the
/// supervisor may restart it at any line.
pub(crate) struct JobActor;

/// What a job actor needs.
#[derive(Clone)]
pub(crate) struct JobArgs {
    pub(crate) job: JobId,
    pub(crate) coordinator: Arc<dyn Coordinator>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) timings: Timings,
    pub(crate) board: ProgressBoard,
}

/// The driver with the proposals it waits for.
pub(crate) struct JobState {
    args: JobArgs,
    driver: JobDriver,
    tasks: JoinSet<()>,
}

#[async_trait]
impl Actor for JobActor {
    type Msg = JobMsg;
    type State = JobState;
    type Arguments = JobArgs;

    async fn pre_start(
        &self,
        _myself: ActorRef<JobMsg>,
        args: JobArgs,
    ) -> Result<JobState, ActorProcessingErr> {
        let driver = JobDriver::new(args.job, args.timings);
        Ok(JobState {
            driver,
            args,
            tasks: JoinSet::new(),
        })
    }

    async fn handle(
        &self,
        myself: ActorRef<JobMsg>,
        message: JobMsg,
        state: &mut JobState,
    ) -> Result<(), ActorProcessingErr> {
        let now = state.args.clock.now();
        let effects = match message {
            JobMsg::Look(applied, live) => {
                let sight = state.sight(&applied, &live);
                state.driver.on(JobEvent::Seen(sight), now)
            }
            JobMsg::Event(event) => state.driver.on(event, now),
            JobMsg::Show(reply) => {
                // Fails only if the caller has stopped waiting.
                let _ = reply.send(state.show());
                Vec::new()
            }
        };
        while state.tasks.try_join_next().is_some() {}
        for effect in effects {
            state.carry_out(effect, &myself);
        }
        Ok(())
    }

    async fn post_stop(
        &self,
        _myself: ActorRef<JobMsg>,
        state: &mut JobState,
    ) -> Result<(), ActorProcessingErr> {
        state.args.board.forget(state.args.job);
        Ok(())
    }
}

impl JobState {
    fn sight(&self, applied: &State, live: &LiveFacts) -> Sight {
        let now = self.args.clock.now();
        let nodes = live.takers(applied, now, self.args.timings.suspect);
        let units = live
            .units
            .iter()
            .filter(|((task, _), _)| task.job == self.args.job)
            .map(|((task, epoch), &units)| ((task.kind, *epoch), units))
            .collect();
        Sight {
            job: applied.jobs.get(&self.args.job).cloned(),
            ran: self.args.clock.ran(),
            units,
            nodes,
        }
    }

    fn carry_out(&mut self, effect: Effect, myself: &ActorRef<JobMsg>) {
        match effect {
            Effect::Propose(command) => {
                tracing::info!(job = %self.args.job, ?command, "job needs a decision");
                let proposal = self.args.coordinator.propose(command);
                let (limit, myself) = (self.args.timings.propose, myself.clone());
                // Never awaited here: the outcome, or UNKNOWN, comes back as an event.
                self.tasks.spawn(async move {
                    let outcome = tokio::time::timeout(limit, proposal)
                        .await
                        .unwrap_or(Err(ProposeError::Unknown));
                    let _ = myself.cast(JobMsg::Event(JobEvent::Proposed(outcome)));
                });
            }
            Effect::Publish(progress) => self.args.board.publish(self.args.job, progress),
            Effect::Stop => myself.stop(Some("job has ended".to_owned())),
        }
    }

    fn show(&self) -> ActorNode {
        let progress = self.driver.progress();
        let total = progress
            .frames_total
            .map_or_else(|| "?".to_owned(), |total| total.to_string());
        ActorNode::new("JobActor", self.args.job.to_string())
            .with("frames", format!("{} of {total}", progress.frames_done))
            .with("fps", progress.fps.unwrap_or_default())
    }
}
