//! Room for others on a disk that one workspace fills. Renders stop at a mark; those that have
//! begun then hold what they have made, and none of them could ever end. So, while the disk is
//! below the mark, each round takes the next of these steps that frees anything:
//!
//! 1. the working files of ended renders, however recently they ended;
//! 2. fetched sources that no render under way uses;
//! 3. of the workspace that holds more than its equal share, and most, the render that has made
//!    most: it fails.
//!
//! Renders of other workspaces wait meanwhile and are charged nothing. Where one workspace is
//! alone, or nothing it has under way holds anything, only the operator can free space.

use std::collections::BTreeSet;
use std::time::Duration;

use cluster::State;
use cluster::command::Command;
use cluster::model::{JobError, JobId, LogTime};

use super::{Janitor, before};
use crate::store::{Purpose, StoreError};

/// Between two rounds.
pub(super) const ROUND: Duration = Duration::from_secs(2);

impl Janitor {
    /// One round; does nothing while there is room.
    pub(super) async fn relieve(&mut self) -> Result<(), StoreError> {
        if !self.leads() || self.store.admit(Purpose::Render, 0).is_ok() {
            self.relieved.clear();
            return Ok(());
        }
        if self.remove_working_files().await? {
            return Ok(());
        }
        self.trim_sources().await?;
        if self.store.admit(Purpose::Render, 0).is_ok() {
            return Ok(());
        }
        let state = self.coordinator.state();
        let artifacts_before = before(self.clock.log_time(), self.artifacts);
        let Some(job) = to_be_failed(&state, artifacts_before) else {
            return Ok(());
        };
        tracing::warn!(%job, "the disk is full: a render of the workspace that holds most of it fails");
        let error = JobError {
            code: "storage_unavailable".to_owned(),
            message: "storage is full, and this workspace holds more of it than others".to_owned(),
            path: None,
        };
        let proposal = self.coordinator.propose(Command::FailJob { job, error });
        if let Err(error) = proposal.await {
            tracing::debug!(%error, "a render was not failed for room");
        }
        Ok(())
    }

    /// Removes the working files of ended renders. Whether there were any to look for: a worker
    /// that has not stopped yet may leave more, which the ordinary rounds remove.
    async fn remove_working_files(&mut self) -> Result<bool, StoreError> {
        let state = self.coordinator.state();
        let ended: BTreeSet<JobId> = state
            .jobs
            .values()
            .filter(|job| job.status.is_terminal() && job.is_render())
            .map(|job| job.id)
            .filter(|id| !self.cleaned.contains(id) && !self.relieved.contains(id))
            .collect();
        for job in ended.iter().filter_map(|id| state.jobs.get(id)) {
            self.remove_attempt_files(job).await?;
            self.relieved.insert(job.id);
        }
        Ok(!ended.is_empty())
    }
}

/// Of the workspace that holds more than its equal share, and most of those with renders under
/// way, the render that has made most; the newest of equals.
fn to_be_failed(state: &State, artifacts_before: LogTime) -> Option<JobId> {
    let held = state.held_by_workspace(artifacts_before);
    let all = held.values().copied().fold(0, u64::saturating_add);
    let count = u64::try_from(held.len()).unwrap_or(u64::MAX);
    let begun = state.queues.begun().filter_map(|id| state.jobs.get(&id));
    begun
        .filter_map(|job| {
            let own = held.get(job.workspace.as_str()).copied().unwrap_or(0);
            let made = job.working_bytes();
            let is_at_fault = own.saturating_mul(count) > all && made > 0;
            is_at_fault.then_some((own, made, job.id))
        })
        .max()
        .map(|(_, _, job)| job)
}

#[cfg(test)]
mod tests {
    use cluster::command::{Grant, Outcome, Report, Round, Stamped};
    use cluster::model::*;

    use super::*;

    const NODE: NodeId = NodeId(1);
    const INCARNATION: Incarnation = Incarnation(1);
    const FINGERPRINT: Fingerprint = Fingerprint(Digest([0; 32]));

    fn apply(state: &mut State, command: Command) -> Outcome {
        let index = LogIndex(state.applied.0 + 1);
        let stamped = Stamped {
            at: LogTime(index.0),
            ran: (state.level > Level(0)).then_some(RanTime(index.0)),
            command,
        };
        state.apply(index, stamped)
    }

    fn object(size: u64) -> ObjectRef {
        ObjectRef {
            key: ObjectKey("jobs/any".to_owned()),
            sha256: Digest([0; 32]),
            size,
        }
    }

    fn done(state: &mut State, job: JobId, kind: TaskKind, output: TaskOutput) {
        let round = Round {
            grants: vec![Grant {
                job,
                tasks: vec![kind],
                node: NODE,
                incarnation: INCARNATION,
                fingerprint: FINGERPRINT,
                extra: false,
            }],
            ..Round::default()
        };
        let Outcome::Round(outcome) = apply(state, Command::Round(round)) else {
            panic!("no round");
        };
        let granted = outcome.grants[0][0].as_ref().unwrap();
        let report = Report {
            task: granted.task,
            epoch: granted.epoch,
            generation: granted.generation,
            result: Ok(output),
            retry_after_millis: 0,
        };
        let round = Round {
            reports: vec![report],
            ..Round::default()
        };
        apply(state, Command::Round(round));
    }

    /// A render that has made a segment of so many bytes, of two.
    fn render(state: &mut State, job: u128, workspace: &str, bytes: u64) {
        let job = JobId(job);
        apply(
            state,
            Command::SubmitJob(Submission {
                job,
                workspace: workspace.to_owned(),
                priority: 0,
                request: object(10),
                idempotency: None,
            }),
        );
        let facts = PlanFacts {
            frames: 20,
            rate: FrameRate::new(25, 1).unwrap(),
            segments: [FrameRange::new(0, 10), FrameRange::new(10, 20)]
                .into_iter()
                .flatten()
                .collect(),
            has_audio: false,
        };
        let plan = TaskOutput::Planned {
            object: object(10),
            facts,
            findings: object(10),
        };
        done(state, job, TaskKind::Prepare, plan);
        let segment = TaskOutput::Segment {
            object: object(bytes),
            from_cache: false,
        };
        done(state, job, TaskKind::Segment(0), segment);
    }

    fn world() -> State {
        let mut state = State::default();
        apply(&mut state, Command::RaiseLevel(Level::NEWEST));
        let info = NodeInfo {
            id: NODE,
            incarnation: INCARNATION,
            address: String::new(),
            version: String::new(),
            roles: Roles::default(),
            slots: 1,
            gpu: String::new(),
            fingerprint: FINGERPRINT,
            state: NodeState::Ready,
            registered_at: LogTime(0),
        };
        let register = Command::Register(Registration {
            info,
            boot: Boot(1),
        });
        apply(&mut state, register);
        state
    }

    #[test]
    fn the_largest_render_of_the_workspace_that_holds_most_fails() {
        let mut state = world();
        render(&mut state, 1, "small", 500);
        render(&mut state, 2, "large", 400);
        assert_eq!(to_be_failed(&state, LogTime(0)), Some(JobId(1)));
        render(&mut state, 3, "large", 300);
        assert_eq!(to_be_failed(&state, LogTime(0)), Some(JobId(2)));
        render(&mut state, 4, "large", 400);
        assert_eq!(
            to_be_failed(&state, LogTime(0)),
            Some(JobId(4)),
            "the newest"
        );
    }

    #[test]
    fn where_one_workspace_is_alone_nothing_fails() {
        let mut state = world();
        render(&mut state, 1, "only", 400);
        assert_eq!(to_be_failed(&state, LogTime(0)), None);
        // Another one that holds nothing yet has its share too.
        render(&mut state, 2, "other", 0);
        assert_eq!(to_be_failed(&state, LogTime(0)), Some(JobId(1)));
    }
}
