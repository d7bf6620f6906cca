//! A state with a log: builds commands, applies them, looks at the result.

use crate::command::{
    Command, Grant, Granted, Outcome, Rejection, Release, ReleaseCause, Report, Round,
    RoundOutcome, Stamped,
};
use crate::model::*;
use crate::state::{Job, State, Task, invariants};

pub(in crate::state) const JOB: JobId = JobId(1);
pub(in crate::state) const NODE: NodeId = NodeId(10);
pub(in crate::state) const OTHER_NODE: NodeId = NodeId(11);

/// A lease that ran out and counts against its task.
pub(in crate::state) const LOST: ReleaseCause = ReleaseCause::Expired { is_charged: true };
pub(in crate::state) const HANDED_BACK: ReleaseCause = ReleaseCause::HandedBack;

pub(in crate::state) struct World {
    pub(in crate::state) state: State,
    index: u64,
    pub(in crate::state) time: u64,
}

impl World {
    /// Two ready nodes of one fingerprint, nothing submitted.
    pub(in crate::state) fn new() -> Self {
        Self::of_level(Level::NEWEST)
    }

    /// The same at an earlier level.
    pub(in crate::state) fn of_level(level: Level) -> Self {
        let mut world = Self {
            state: State::default(),
            index: 0,
            time: 1_000,
        };
        world.apply(Command::RaiseLevel(level));
        world.apply(Command::RegisterNode(node(NODE, 1)));
        world.apply(Command::RegisterNode(node(OTHER_NODE, 1)));
        world
    }

    /// With one submitted job.
    pub(in crate::state) fn submitted() -> Self {
        let mut world = Self::new();
        world.apply(Command::SubmitJob(submission(JOB)));
        world
    }

    /// With one job planned as three segments of 60 frames, and sound.
    pub(in crate::state) fn planned() -> Self {
        let mut world = Self::submitted();
        let granted = world.grant(TaskKind::Prepare).unwrap();
        world.report(&granted, Ok(plan(3, true))).unwrap();
        world
    }

    /// With every segment and the sound done.
    pub(in crate::state) fn rendered() -> Self {
        let mut world = Self::planned();
        for kind in [
            TaskKind::Segment(0),
            TaskKind::Segment(1),
            TaskKind::Segment(2),
            TaskKind::Audio,
        ] {
            world.do_task(kind);
        }
        world
    }

    pub(in crate::state) fn apply(&mut self, command: Command) -> Outcome {
        self.index += 1;
        let stamped = Stamped {
            at: LogTime(self.time),
            ran: Some(RanTime(self.time)),
            command,
        };
        let outcome = self.state.apply(LogIndex(self.index), stamped);
        assert_eq!(invariants::check(&self.state), Ok(()));
        outcome
    }

    pub(in crate::state) fn round(&mut self, round: Round) -> RoundOutcome {
        match self.apply(Command::Round(round)) {
            Outcome::Round(outcome) => outcome,
            other => panic!("unexpected outcome of a round: {other:?}"),
        }
    }

    pub(in crate::state) fn try_run(&mut self, grant: Grant) -> Vec<Result<Granted, Rejection>> {
        let mut outcome = self.round(Round {
            grants: vec![grant],
            ..Round::default()
        });
        outcome.grants.remove(0)
    }

    pub(in crate::state) fn try_grant(&mut self, grant: Grant) -> Result<Granted, Rejection> {
        assert_eq!(grant.tasks.len(), 1);
        self.try_run(grant).remove(0)
    }

    pub(in crate::state) fn grant(&mut self, kind: TaskKind) -> Result<Granted, Rejection> {
        self.try_grant(grant(kind))
    }

    pub(in crate::state) fn report(
        &mut self,
        granted: &Granted,
        result: Result<TaskOutput, Failure>,
    ) -> Result<(), Rejection> {
        self.try_report(report(granted, result))
    }

    pub(in crate::state) fn try_report(&mut self, report: Report) -> Result<(), Rejection> {
        let mut outcome = self.round(Round {
            reports: vec![report],
            ..Round::default()
        });
        outcome.reports.remove(0)
    }

    pub(in crate::state) fn release(&mut self, granted: &Granted, cause: ReleaseCause) {
        self.round(Round {
            releases: vec![Release {
                task: granted.task,
                epoch: granted.epoch,
                cause,
            }],
            ..Round::default()
        });
    }

    /// Grants a task and reports it done.
    pub(in crate::state) fn do_task(&mut self, kind: TaskKind) -> Granted {
        let granted = self.grant(kind).unwrap();
        self.report(&granted, Ok(output(kind))).unwrap();
        granted
    }

    /// Grants the one task of the transfer job of this kind and reports.
    pub(in crate::state) fn do_transfer(
        &mut self,
        is_it: impl Fn(JobKind) -> bool,
        kind: TaskKind,
        result: Result<TaskOutput, Failure>,
    ) {
        let job = self
            .state
            .active
            .keys()
            .copied()
            .find(|id| is_it(self.state.jobs[id].kind))
            .expect("the transfer job is active");
        let granted = self.try_grant(Grant { job, ..grant(kind) }).unwrap();
        self.report(&granted, result).unwrap();
    }

    pub(in crate::state) fn job(&self) -> &Job {
        &self.state.jobs[&JOB]
    }

    pub(in crate::state) fn task(&self, kind: TaskKind) -> &Task {
        &self.job().tasks[&kind]
    }

    /// The statuses announced for the job, in order.
    pub(in crate::state) fn events(&self) -> Vec<JobStatus> {
        self.job()
            .reached
            .iter()
            .map(|(_, status)| *status)
            .collect()
    }
}

pub(in crate::state) fn fingerprint(of: u8) -> Fingerprint {
    Fingerprint(Digest([of; 32]))
}

pub(in crate::state) fn node(id: NodeId, incarnation: u128) -> NodeInfo {
    NodeInfo {
        id,
        incarnation: Incarnation(incarnation),
        address: "127.0.0.1:7900".to_owned(),
        version: "0.1.0".to_owned(),
        roles: Roles::default(),
        slots: 2,
        gpu: "none".to_owned(),
        fingerprint: fingerprint(1),
        state: NodeState::Ready,
        registered_at: LogTime(0),
    }
}

pub(in crate::state) fn object(key: &str) -> ObjectRef {
    ObjectRef {
        key: ObjectKey(key.to_owned()),
        sha256: Digest([7; 32]),
        size: 1_234_567,
    }
}

pub(in crate::state) fn submission(job: JobId) -> Submission {
    Submission {
        job,
        workspace: "acme".to_owned(),
        priority: 0,
        request: object(&format!("jobs/{job}/composition.json")),
        idempotency: None,
    }
}

pub(in crate::state) fn plan(segments: u64, has_audio: bool) -> TaskOutput {
    TaskOutput::Plan {
        object: object("jobs/1/plan"),
        facts: PlanFacts {
            frames: segments * 60,
            rate: FrameRate::new(30, 1).unwrap(),
            segments: (0..segments)
                .map(|i| FrameRange::new(i * 60, (i + 1) * 60).unwrap())
                .collect(),
            has_audio,
        },
    }
}

pub(in crate::state) fn artifact() -> Artifact {
    Artifact {
        object: object("jobs/render_01ARZ3NDEKTSV4RRFFQ69G5FAV/join/41-9f8e7d6c5b4a3928"),
        filename: "summer-campaign-final-cut-v12.mp4".to_owned(),
        content_type: "video/mp4".to_owned(),
        width: 1920,
        height: 1080,
        frames: 180,
        rate: FrameRate::new(30_000, 1001).unwrap(),
        thumbnail: Some(object(
            "jobs/render_01ARZ3NDEKTSV4RRFFQ69G5FAV/join/41-thumbnail-11aa22bb33cc44dd",
        )),
        join_millis: 812,
    }
}

pub(in crate::state) fn output(kind: TaskKind) -> TaskOutput {
    match kind {
        TaskKind::Prepare => plan(3, true),
        TaskKind::Segment(segment) => TaskOutput::Segment {
            object: object(&format!("jobs/1/segment/{segment}")),
            from_cache: false,
        },
        TaskKind::Audio => TaskOutput::Audio {
            object: object("jobs/1/audio"),
            from_cache: false,
        },
        TaskKind::Join => TaskOutput::Artifact(artifact()),
        TaskKind::Ingest => TaskOutput::Ingested(ingested()),
        TaskKind::Deliver => TaskOutput::Delivered,
        TaskKind::Fetch => TaskOutput::Fetched,
    }
}

pub(in crate::state) fn ingested() -> Ingested {
    Ingested {
        object: object("sources/07"),
        content_type: "video/mp4".to_owned(),
        filename: None,
        probe: "{}".to_owned(),
    }
}

pub(in crate::state) fn upload(ulid: u128) -> NewAsset {
    NewAsset {
        asset: AssetId {
            kind: AssetKind::Upload,
            ulid,
        },
        workspace: "acme".to_owned(),
        content_type: Some("video/mp4".to_owned()),
        filename: Some("clip.mp4".to_owned()),
        size: None,
        parts: None,
        url: None,
        base: String::new(),
        valid_for_millis: 3_600_000,
        idempotency: None,
    }
}

pub(in crate::state) fn endpoint(id: u128, events: &[EventKind]) -> Endpoint {
    Endpoint {
        id: EndpointId(id),
        workspace: "acme".to_owned(),
        url: "https://example.com/hook".to_owned(),
        events: events.to_vec(),
        secret: Secret {
            current: Sealed(vec![u8::try_from(id).unwrap()]),
            previous: None,
        },
        disabled: None,
        created_at: LogTime(0),
    }
}

pub(in crate::state) fn grant(kind: TaskKind) -> Grant {
    Grant {
        job: JOB,
        tasks: vec![kind],
        node: NODE,
        incarnation: Incarnation(1),
        fingerprint: fingerprint(1),
        extra: false,
    }
}

pub(in crate::state) fn report(granted: &Granted, result: Result<TaskOutput, Failure>) -> Report {
    Report {
        task: granted.task,
        epoch: granted.epoch,
        generation: granted.generation,
        result,
        retry_after_millis: 0,
    }
}

pub(in crate::state) fn failure(permanent: bool) -> Failure {
    Failure {
        code: "invalid_source".to_owned(),
        message: "the source ends in the middle of a frame".to_owned(),
        path: Some("elements[0].source_url".to_owned()),
        permanent,
    }
}
