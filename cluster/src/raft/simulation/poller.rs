//! A node as the leader sees it: it polls for work, loses answers, starts anew and reports.
//! What it holds is what it was told. A leader, perhaps a new one, answers a poll from applied
//! state alone: what the node does not list is given to it again, run by run.

use std::collections::BTreeMap;

use super::client::Client;
use super::group::Group;
use crate::command::{Command, Grant, Outcome, Report, Round};
use crate::model::{
    Artifact, Boot, Digest, Epoch, Fingerprint, FrameRange, FrameRate, Generation, Incarnation,
    Ingested, JobId, Level, LogTime, NodeId, NodeInfo, NodeState, ObjectKey, ObjectRef, PlanFacts,
    Registration, Roles, RunNumber, Submission, TaskKind, TaskOutput, TaskRef,
};
use crate::state::{Job, State};

/// Of 100 answers to polls, so many are lost.
const LOST: u32 = 25;

/// Segments of a plan, and of a run.
const SEGMENTS: u64 = 8;
const RUN: usize = 4;

/// The fingerprint that most nodes of the histories have.
const FINGERPRINT: Fingerprint = Fingerprint(Digest([0; 32]));

/// An attempt that the node works on.
type Held = (TaskRef, Epoch);

/// One node.
pub(super) struct Poller {
    group: Group,
    client: Client,
    id: NodeId,
    boot: Boot,
    held: BTreeMap<Held, Generation>,
    submitted: u128,
}

impl Poller {
    pub(super) fn new(group: Group, id: u64, seed: u64) -> Self {
        Self {
            client: Client::new(group.clone(), seed),
            group,
            id: NodeId(id),
            boot: Boot(1),
            held: BTreeMap::new(),
            submitted: 0,
        }
    }

    /// Polls and works until it is aborted.
    pub(super) async fn run(mut self) {
        let world = self.group.world.clone();
        loop {
            world.pause(50..600).await;
            if world.chance(2) {
                self.boot.0 += 1;
                self.held.clear();
            }
            if !self.held.is_empty() && world.chance(60) {
                self.report().await;
            } else {
                self.poll().await;
            }
        }
    }

    fn incarnation(&self) -> Incarnation {
        Incarnation(u128::from(self.id.0 * 1_000 + self.boot.0))
    }

    async fn poll(&mut self) {
        let Some(running) = self.client.read().await else {
            return;
        };
        let state = running.member.state();
        if state.level == Level(0) {
            return;
        }
        let known = state.nodes.get(&self.id);
        if known.is_none_or(|info| info.incarnation != self.incarnation()) {
            let registration = Registration {
                info: self.info(),
                boot: self.boot,
            };
            drop(self.client.commit(Command::Register(registration)).await);
            return;
        }
        let mut runs = self.assigned(&state);
        self.held.retain(|held, _| {
            let mut all = runs.values().flatten();
            all.any(|(known, _)| known == held)
        });
        runs.retain(|_, run| run.iter().any(|(held, _)| !self.held.contains_key(held)));
        let is_again = !runs.is_empty();
        if !is_again && self.held.is_empty() {
            runs = self.grant(&state).await;
        }
        if self.group.world.chance(LOST) {
            return;
        }
        let mut world = self.group.world.lock();
        for (run, attempts) in runs {
            let epochs: Vec<_> = attempts.iter().map(|((_, epoch), _)| *epoch).collect();
            world.checker.received(run, &epochs, is_again);
            self.held.extend(attempts);
        }
    }

    /// The runs that applied state says this node has.
    fn assigned(&self, state: &State) -> BTreeMap<RunNumber, Vec<(Held, Generation)>> {
        let mut runs: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for job in state.active.keys().filter_map(|id| state.jobs.get(id)) {
            for (kind, task) in job.tasks.iter() {
                let task_ref = TaskRef {
                    job: job.id,
                    kind: *kind,
                };
                for attempt in &task.live {
                    if attempt.node == self.id && attempt.incarnation == self.incarnation() {
                        let held = ((task_ref, attempt.epoch), attempt.generation);
                        runs.entry(attempt.run).or_default().push(held);
                    }
                }
            }
        }
        runs
    }

    /// Grants a run to this node, or submits a job if there is nothing to do.
    async fn grant(&mut self, state: &State) -> BTreeMap<RunNumber, Vec<(Held, Generation)>> {
        let mut runs: BTreeMap<_, Vec<_>> = BTreeMap::new();
        let jobs: Vec<_> = state
            .active
            .keys()
            .filter_map(|id| state.jobs.get(id))
            .filter(|job| job.fingerprint.is_none_or(|own| own == FINGERPRINT))
            .map(|job| (job.id, open_run(job, state)))
            .filter(|(_, tasks)| !tasks.is_empty())
            .collect();
        // The longest run: that is what is looked at here.
        let Some((job, tasks)) = jobs.into_iter().max_by_key(|(_, tasks)| tasks.len()) else {
            self.submit().await;
            return runs;
        };
        let round = Round {
            grants: vec![Grant {
                job,
                tasks,
                node: self.id,
                incarnation: self.incarnation(),
                fingerprint: FINGERPRINT,
                extra: false,
            }],
            ..Round::default()
        };
        if let Some(Outcome::Round(outcome)) = self.client.commit(Command::Round(round)).await {
            for granted in outcome.grants.into_iter().flatten().flatten() {
                let held = ((granted.task, granted.epoch), granted.generation);
                runs.entry(granted.run).or_default().push(held);
            }
        }
        runs
    }

    async fn submit(&mut self) {
        self.submitted += 1;
        let submission = Submission {
            job: JobId(u128::from(self.id.0) * 1_000 + self.submitted),
            workspace: "acme".to_owned(),
            priority: 0,
            request: object(),
            idempotency: None,
        };
        drop(self.client.commit(Command::SubmitJob(submission)).await);
    }

    /// Reports one attempt that it holds.
    async fn report(&mut self) {
        let Some((&(task, epoch), &generation)) = self.held.iter().next() else {
            return;
        };
        let round = Round {
            reports: vec![Report {
                task,
                epoch,
                generation,
                result: Ok(output(task.kind)),
                retry_after_millis: 0,
            }],
            ..Round::default()
        };
        if self.client.commit(Command::Round(round)).await.is_some() {
            self.held.remove(&(task, epoch));
        }
    }

    fn info(&self) -> NodeInfo {
        NodeInfo {
            id: self.id,
            incarnation: self.incarnation(),
            address: "127.0.0.1:1".to_owned(),
            version: "0".to_owned(),
            roles: Roles::default(),
            slots: 1,
            gpu: String::new(),
            fingerprint: FINGERPRINT,
            state: NodeState::Ready,
            registered_at: LogTime(0),
        }
    }
}

/// The first consecutive segments of a job that can be granted, or one other task.
fn open_run(job: &Job, state: &State) -> Vec<TaskKind> {
    let open = job
        .tasks
        .iter()
        .filter(|(_, task)| task.is_grantable(state.ran))
        .map(|(kind, _)| *kind);
    let (mut segments, mut others) = (Vec::new(), Vec::new());
    for kind in open {
        match (kind, segments.last()) {
            (TaskKind::Segment(at), Some(TaskKind::Segment(last))) if *last + 1 != at => {}
            (TaskKind::Segment(_), _) if segments.len() < RUN => segments.push(kind),
            (TaskKind::Segment(_), _) => {}
            _ => others.push(kind),
        }
    }
    if segments.is_empty() {
        others.truncate(1);
        others
    } else {
        segments
    }
}

fn object() -> ObjectRef {
    ObjectRef {
        key: ObjectKey("objects/polled".to_owned()),
        sha256: Digest([5; 32]),
        size: 5,
    }
}

fn output(kind: TaskKind) -> TaskOutput {
    let object = object();
    let rate = FrameRate::new(25, 1).unwrap();
    match kind {
        TaskKind::Prepare => TaskOutput::Plan {
            object,
            facts: PlanFacts {
                frames: SEGMENTS * 10,
                rate,
                segments: (0..SEGMENTS)
                    .filter_map(|at| FrameRange::new(at * 10, at * 10 + 10))
                    .collect(),
                has_audio: true,
            },
        },
        TaskKind::Segment(_) => TaskOutput::Segment {
            object,
            from_cache: false,
        },
        TaskKind::Audio => TaskOutput::Audio {
            object,
            from_cache: false,
        },
        TaskKind::Join => TaskOutput::Artifact(Artifact {
            object,
            filename: "out.mp4".to_owned(),
            content_type: "video/mp4".to_owned(),
            width: 640,
            height: 360,
            frames: SEGMENTS * 10,
            rate,
            thumbnail: None,
            join_millis: 5,
        }),
        TaskKind::Ingest => TaskOutput::Ingested(Ingested {
            object,
            content_type: "video/mp4".to_owned(),
            filename: None,
            probe: String::new(),
        }),
        TaskKind::Deliver => TaskOutput::Delivered,
        TaskKind::Fetch => TaskOutput::Fetched,
    }
}
