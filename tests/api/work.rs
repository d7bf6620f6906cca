//! The work on a render, done by hand: what a node and the scheduler would propose, step by
//! step, so that a test can stop anywhere.

use actors::ports::Coordinator;
use bytes::Bytes;
use cluster::command::{Command, Grant, Outcome, Report, Round};
use cluster::model::{
    Artifact, Digest, Epoch, Fingerprint, FrameRange, FrameRate, Generation, Incarnation, JobId,
    LogTime, NodeId, NodeInfo, NodeState, ObjectKey, ObjectRef, PlanFacts, Roles, TaskKind,
    TaskOutput, TaskRef,
};
use framelane::store::{ObjectStore, keys};

use super::world::{START, World};

/// The fingerprint of the one node.
const FINGERPRINT: Fingerprint = Fingerprint(Digest([7; 32]));
pub(crate) const NODE: NodeId = NodeId(1);
const INCARNATION: Incarnation = Incarnation(1);

impl World {
    /// Takes the job from the queue to its finished file, of these bytes.
    pub(crate) async fn complete(&self, job: JobId, bytes: &'static [u8]) {
        self.begin(job).await;
        self.plan(job, 1).await;
        self.render(job, &[0]).await;
        self.join(job, bytes).await;
    }

    /// Reports the plan: 300 frames in so many equal segments.
    pub(crate) async fn plan(&self, job: JobId, segments: u64) {
        let length = 300 / segments;
        let segments = (0..segments)
            .map(|segment| FrameRange::new(segment * length, (segment + 1) * length))
            .map(|range| range.expect("a range"))
            .collect();
        let facts = PlanFacts {
            frames: 300,
            rate: FrameRate::new(30, 1).expect("a rate"),
            segments,
            has_audio: false,
        };
        let object = self.stored(job, "plan.json", b"{}").await;
        let epoch = self.live(job, TaskKind::Prepare);
        let plan = report(
            job,
            TaskKind::Prepare,
            epoch,
            0,
            TaskOutput::Plan { object, facts },
        );
        self.commit(vec![plan]);
    }

    /// Has these segments rendered, and accepted by one entry of the log.
    pub(crate) async fn render(&self, job: JobId, segments: &[u32]) {
        let mut reports = Vec::new();
        for segment in segments {
            let kind = TaskKind::Segment(*segment);
            let epoch = self.grant(job, kind);
            let object = self
                .stored(job, &format!("segment-{segment}.mp4"), b"segment")
                .await;
            let output = TaskOutput::Segment {
                object,
                from_cache: false,
            };
            reports.push(report(job, kind, epoch, 1, output));
        }
        self.commit(reports);
    }

    /// Has the rendered segments joined to a file of these bytes.
    pub(crate) async fn join(&self, job: JobId, bytes: &'static [u8]) {
        let epoch = self.grant(job, TaskKind::Join);
        let artifact = Artifact {
            object: self.stored(job, "film.mp4", bytes).await,
            filename: "holiday film.mp4".to_owned(),
            content_type: "video/mp4".to_owned(),
            width: 1280,
            height: 720,
            frames: 300,
            rate: FrameRate::new(30, 1).expect("a rate"),
            thumbnail: None,
            join_millis: 12,
        };
        let output = TaskOutput::Artifact(artifact);
        self.commit(vec![report(job, TaskKind::Join, epoch, 1, output)]);
    }

    /// Registers the node and grants it the job's prepare.
    pub(crate) async fn begin(&self, job: JobId) {
        let outcome = self
            .coordinator
            .propose(Command::RegisterNode(node()))
            .await;
        assert_eq!(outcome, Ok(Outcome::Accepted));
        self.grant(job, TaskKind::Prepare);
    }

    fn grant(&self, job: JobId, kind: TaskKind) -> Epoch {
        let grant = Grant {
            job,
            tasks: vec![kind],
            node: NODE,
            incarnation: INCARNATION,
            fingerprint: FINGERPRINT,
            extra: false,
        };
        let round = Round {
            grants: vec![grant],
            ..Round::default()
        };
        match self.coordinator.apply(Command::Round(round)) {
            Outcome::Round(mut outcome) => match outcome.grants.remove(0).remove(0) {
                Ok(granted) => granted.epoch,
                Err(rejection) => panic!("{kind:?} was not granted: {rejection}"),
            },
            other => panic!("{other:?}"),
        }
    }

    fn live(&self, job: JobId, kind: TaskKind) -> Epoch {
        self.coordinator.state().jobs[&job].tasks[&kind].live[0].epoch
    }

    fn commit(&self, reports: Vec<Report>) {
        let expected = vec![Ok(()); reports.len()];
        let round = Round {
            reports,
            ..Round::default()
        };
        match self.coordinator.apply(Command::Round(round)) {
            Outcome::Round(outcome) => assert_eq!(outcome.reports, expected),
            other => panic!("{other:?}"),
        }
    }

    async fn stored(&self, job: JobId, name: &str, bytes: &'static [u8]) -> ObjectRef {
        let key = ObjectKey(format!("{}{name}", keys::job_prefix(job)));
        self.store
            .put(key, Bytes::from_static(bytes))
            .await
            .expect("room")
    }
}

fn node() -> NodeInfo {
    NodeInfo {
        id: NODE,
        incarnation: INCARNATION,
        address: "127.0.0.1:7900".to_owned(),
        version: "0.0.0-test".to_owned(),
        roles: Roles {
            edge: true,
            coordinator: true,
            render: true,
        },
        slots: 2,
        gpu: "none".to_owned(),
        fingerprint: FINGERPRINT,
        state: NodeState::Ready,
        registered_at: LogTime(START),
    }
}

fn report(job: JobId, kind: TaskKind, epoch: Epoch, generation: u32, output: TaskOutput) -> Report {
    Report {
        task: TaskRef { job, kind },
        epoch,
        generation: Generation(generation),
        result: Ok(output),
        retry_after_millis: 0,
    }
}
