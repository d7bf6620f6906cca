//! Random histories. A step is a handful of numbers; it becomes a command by looking at the
//! state it meets, so that most commands make sense there and the rest are nearly right.

use cluster::State;
use cluster::command::{
    Batch, BatchGrant, BatchRelease, BatchReport, Command, DeliveryResult, DeliveryRound,
    DeliveryVerdict, Grant, Release, ReleaseCause, Report, Retention, Round, Stamped, Trim,
};
use cluster::model::*;
use cluster::state::{Job, Task};
use proptest::collection::vec;
use proptest::prelude::*;

/// Choices of one step.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    /// What kind of command.
    action: Action,
    /// Which job, task, attempt, node.
    pick: [u8; 4],
    /// How much log time goes by, in milliseconds.
    later: i32,
    /// One in many is made slightly wrong.
    spoil: u8,
}

#[derive(Debug, Clone, Copy)]
enum Action {
    Submit,
    Grant,
    ReportDone,
    ReportFailed,
    Release,
    Round,
    Cancel,
    Fail,
    Register,
    SetNode,
    Reopen,
    Replan,
    Prioritise,
    Asset,
    Arrive,
    Abandon,
    Expire,
    Endpoint,
    Unhook,
    DeliveryRound,
    RetryDelivery,
    Sweep,
    Trim,
    Raise,
}

/// Histories long enough for a few jobs to run from end to end.
pub(crate) fn any_history() -> impl Strategy<Value = Vec<Step>> {
    let action = prop_oneof![
        4 => Just(Action::Submit),
        24 => Just(Action::Grant),
        24 => Just(Action::ReportDone),
        3 => Just(Action::ReportFailed),
        4 => Just(Action::Release),
        10 => Just(Action::Round),
        1 => Just(Action::Cancel),
        1 => Just(Action::Fail),
        3 => Just(Action::Register),
        1 => Just(Action::SetNode),
        2 => Just(Action::Reopen),
        1 => Just(Action::Replan),
        1 => Just(Action::Prioritise),
        3 => Just(Action::Asset),
        3 => Just(Action::Arrive),
        1 => Just(Action::Abandon),
        1 => Just(Action::Expire),
        1 => Just(Action::Endpoint),
        1 => Just(Action::Unhook),
        6 => Just(Action::DeliveryRound),
        1 => Just(Action::RetryDelivery),
        1 => Just(Action::Sweep),
        1 => Just(Action::Trim),
        1 => Just(Action::Raise),
    ];
    let step = (action, any::<[u8; 4]>(), -500..5_000i32, any::<u8>()).prop_map(
        |(action, pick, later, spoil)| Step {
            action,
            pick,
            later,
            spoil,
        },
    );
    // Nodes first: nothing happens in a cluster without them. Most begin at the newest
    // level, as new clusters do.
    let founding = prop_oneof![
        1 => Just(vec![]),
        3 => Just(vec![raise()]),
    ];
    (founding, vec(step, 1..120)).prop_map(|(mut steps, rest)| {
        steps.extend([registration(1, 1), registration(2, 1)]);
        steps.extend(rest);
        steps
    })
}

fn raise() -> Step {
    Step {
        action: Action::Raise,
        pick: [0; 4],
        later: 1,
        spoil: 255,
    }
}

fn registration(node: u8, incarnation: u8) -> Step {
    Step {
        action: Action::Register,
        pick: [node, incarnation, 0, 0],
        later: 1,
        spoil: 255,
    }
}

impl Step {
    /// The command this step is, met with `state`.
    pub(crate) fn command(&self, state: &State) -> Stamped {
        let at = LogTime(state.now.0.saturating_add_signed(i64::from(self.later)));
        let command = match self.action {
            Action::Submit => self.submit(),
            Action::Grant => round(state, vec![], vec![], vec![self.grant(state)]),
            Action::ReportDone => round(state, vec![self.report(state, true)], vec![], vec![]),
            Action::ReportFailed => round(state, vec![self.report(state, false)], vec![], vec![]),
            Action::Release => round(state, vec![], vec![self.release(state)], vec![]),
            Action::Round => round(
                state,
                vec![self.report(state, true), self.report(state, true)],
                vec![],
                vec![self.grant(state), self.grant(state)],
            ),
            Action::Cancel => Command::CancelJob {
                job: self.job(state),
                workspace: self.workspace(),
            },
            Action::Fail => Command::FailJob {
                job: self.job(state),
                error: JobError {
                    code: "render_timeout".to_owned(),
                    message: "too long".to_owned(),
                    path: None,
                },
            },
            Action::Register if state.level > Level(0) => Command::Register(Registration {
                info: self.node(),
                boot: Boot(u64::from(self.pick[3] % 4)),
            }),
            Action::Register => Command::RegisterNode(self.node()),
            Action::SetNode => Command::SetNodeState {
                node: NodeId(u64::from(self.pick[0] % 4)),
                state: [
                    NodeState::Ready,
                    NodeState::Draining,
                    NodeState::Quarantined,
                ][usize::from(self.pick[1] % 3)],
            },
            Action::Reopen => Command::ReopenTasks {
                job: self.job(state),
                generation: self.generation(state),
                tasks: vec![self.task(state).kind, TaskKind::Segment(0)],
            },
            Action::Replan => Command::Replan {
                job: self.job(state),
                generation: self.generation(state),
            },
            Action::Prioritise => Command::SetPriority {
                job: self.job(state),
                priority: self.pick[1].cast_signed(),
            },
            Action::Asset => Command::CreateAsset(self.asset()),
            Action::Arrive => Command::AssetArrived {
                asset: self.asset_id(),
                arrival: Arrival::Parts {
                    size: u64::from(self.pick[1] % 2),
                },
            },
            Action::Abandon => Command::AbandonAsset {
                asset: self.asset_id(),
                workspace: self.workspace(),
            },
            Action::Expire => Command::ExpireUploads,
            Action::Endpoint => Command::CreateEndpoint(self.endpoint()),
            Action::Unhook => Command::DeleteEndpoint {
                endpoint: EndpointId(u128::from(self.pick[0] % 2) + 1),
                workspace: self.workspace(),
            },
            Action::DeliveryRound => Command::DeliveryRound(self.delivery_round(state)),
            Action::RetryDelivery => Command::RetryDelivery {
                delivery: self.delivery(state),
                workspace: self.workspace(),
            },
            Action::Trim if state.level > Level(1) && self.pick[0].is_multiple_of(2) => {
                Command::ForgetDeliveries(vec![self.delivery(state)])
            }
            Action::Trim => Command::Trim(Trim {
                deliveries_before: LogTime(u64::from(self.pick[0]) * 100),
                assets_before: LogTime(u64::from(self.pick[1]) * 100),
                failed_assets_before: LogTime(u64::from(self.pick[2]) * 100),
                usage_before: Day(0),
            }),
            Action::Raise => Command::RaiseLevel(Level(u32::from(self.pick[0] % 3))),
            Action::Sweep if state.level > Level(0) => Command::Retain(Retention {
                idempotency: u64::from(self.pick[0]) * 100,
                jobs: u64::from(self.pick[1]) * 100,
                deliveries: u64::from(self.pick[2]) * 100,
                ..Retention::NONE
            }),
            Action::Sweep => Command::Sweep {
                idempotency_before: LogTime(u64::from(self.pick[0]) * 100),
                jobs_before: LogTime(u64::from(self.pick[1]) * 100),
            },
        };
        let ran = (state.level > Level(0)).then(|| {
            let later = i64::from(self.later);
            RanTime(state.ran.0.saturating_add_signed(later))
        });
        Stamped { at, ran, command }
    }

    fn is_spoilt(&self) -> bool {
        self.spoil < 20
    }

    fn workspace(&self) -> String {
        if self.is_spoilt() { "other" } else { "acme" }.to_owned()
    }

    fn submit(&self) -> Command {
        let job = JobId(u128::from(self.pick[0] % 5));
        let submission = Submission {
            job,
            workspace: "acme".to_owned(),
            priority: 0,
            request: object(self.spoil, u64::from(self.pick[0] % 5)),
            idempotency: (self.pick[1].is_multiple_of(2)).then(|| IdempotencyRow {
                key: format!("key-{}", self.pick[2] % 3),
                scope: "POST /v1/renders".to_owned(),
                body: Digest([self.pick[3] % 2; 32]),
            }),
        };
        if self.pick[3].is_multiple_of(3) {
            return Command::SubmitJob(submission);
        }
        let used = AssetUse {
            asset: self.asset_id(),
            path: "elements[0].source_url".to_owned(),
        };
        Command::Admit(Admission {
            submission,
            assets: (self.pick[1] % 3 == 1)
                .then_some(used)
                .into_iter()
                .collect(),
            webhook_url: (self.spoil.is_multiple_of(2)).then(|| "https://a.example/".to_owned()),
            has_destination: self.pick[3].is_multiple_of(2),
        })
    }

    fn asset_id(&self) -> AssetId {
        AssetId {
            kind: if self.pick[0].is_multiple_of(2) {
                AssetKind::Upload
            } else {
                AssetKind::Import
            },
            ulid: u128::from(self.pick[0] % 4) + 100,
        }
    }

    fn asset(&self) -> NewAsset {
        NewAsset {
            asset: self.asset_id(),
            workspace: self.workspace(),
            content_type: None,
            filename: None,
            size: None,
            parts: None,
            url: None,
            base: String::new(),
            valid_for_millis: u64::from(self.pick[1]) * 100,
            idempotency: (self.pick[2].is_multiple_of(2)).then(|| IdempotencyRow {
                key: format!("key-{}", self.pick[2] % 3),
                scope: "POST /v1/uploads".to_owned(),
                body: Digest([self.pick[3] % 2; 32]),
            }),
        }
    }

    fn endpoint(&self) -> Endpoint {
        let id = u128::from(self.pick[0] % 2) + 1;
        Endpoint {
            id: EndpointId(id),
            workspace: "acme".to_owned(),
            url: "https://b.example/".to_owned(),
            events: EventKind::ALL.to_vec(),
            secret: Secret {
                current: Sealed(vec![1]),
                previous: None,
            },
            disabled: None,
            created_at: LogTime(0),
        }
    }

    /// A delivery that is still on its way, if there is one.
    fn delivery(&self, state: &State) -> DeliveryId {
        let mut all = state.deliveries.keys();
        nth(all.len(), self.pick[1])
            .and_then(|at| all.nth(at))
            .copied()
            .unwrap_or(DeliveryId(0))
    }

    fn delivery_round(&self, state: &State) -> DeliveryRound {
        let delivery = self.delivery(state);
        let node = state.nodes.values().next();
        let lease = DeliveryLease {
            node: NodeId(node.map_or(0, |node| node.id.0)),
            incarnation: Incarnation(node.map_or(0, |node| node.incarnation.0)),
            until: RanTime(state.ran.0 + 2_000),
        };
        let verdict = match self.pick[2] % 4 {
            0 => DeliveryVerdict::Delivered,
            1 => DeliveryVerdict::GiveUp,
            2 if self.is_spoilt() => DeliveryVerdict::Gone,
            _ => DeliveryVerdict::Retry(RanTime(state.ran.0 + u64::from(self.pick[3]))),
        };
        let result = DeliveryResult {
            delivery,
            attempt: DeliveryAttempt {
                at: state.now,
                status: None,
                error: None,
                duration_millis: 1,
            },
            verdict,
        };
        let is_result = self.pick[3].is_multiple_of(2);
        DeliveryRound {
            results: is_result.then_some(result).into_iter().collect(),
            leases: vec![(delivery, lease)],
        }
    }

    fn job(&self, state: &State) -> JobId {
        let mut active = state.active.keys();
        match nth(active.len(), self.pick[0]) {
            Some(at) if !self.is_spoilt() => *active.nth(at).expect("within the active jobs"),
            _ => JobId(u128::from(self.pick[0] % 6)),
        }
    }

    fn generation(&self, state: &State) -> Generation {
        let known = state.jobs.get(&self.job(state)).map(|job| job.generation);
        let shift = u32::from(self.is_spoilt());
        Generation(known.unwrap_or_default().0 + shift)
    }

    fn job_and_task<'a>(&self, state: &'a State) -> Option<(&'a Job, TaskKind, &'a Task)> {
        let job = state.jobs.get(&self.job(state))?;
        let at = nth(job.tasks.len(), self.pick[1])?;
        let (kind, task) = job.tasks.iter().nth(at)?;
        Some((job, *kind, task))
    }

    fn task(&self, state: &State) -> TaskRef {
        let job = self.job(state);
        let kind = self
            .job_and_task(state)
            .map_or(TaskKind::Prepare, |(_, kind, _)| kind);
        TaskRef { job, kind }
    }

    fn node(&self) -> NodeInfo {
        NodeInfo {
            id: NodeId(u64::from(self.pick[0] % 4)),
            incarnation: Incarnation(u128::from(self.pick[1] % 3)),
            address: "127.0.0.1:1".to_owned(),
            version: "0".to_owned(),
            roles: Roles::default(),
            slots: 1,
            gpu: String::new(),
            fingerprint: fingerprint(self.pick[2]),
            state: NodeState::Ready,
            registered_at: LogTime(0),
        }
    }

    fn grant(&self, state: &State) -> Grant {
        let node = nth(state.nodes.len(), self.pick[2]).and_then(|at| state.nodes.values().nth(at));
        let spoil = u128::from(self.is_spoilt());
        // Prefers what can be granted, so that histories get somewhere.
        let open = state.jobs.get(&self.job(state)).and_then(|job| {
            let open: Vec<_> = job
                .tasks
                .iter()
                .filter(|(_, task)| task.is_grantable(state.ran))
                .collect();
            let at = nth(open.len(), self.pick[1])?;
            Some(TaskRef {
                job: job.id,
                kind: *open[at].0,
            })
        });
        let task = open.unwrap_or_else(|| self.task(state));
        let mut tasks = vec![task.kind];
        if let TaskKind::Segment(segment) = task.kind
            && self.pick[3].is_multiple_of(3)
        {
            tasks.push(TaskKind::Segment(segment + 1));
        }
        Grant {
            job: task.job,
            tasks,
            node: node.map_or(NodeId(9), |node| node.id),
            incarnation: Incarnation(node.map_or(0, |node| node.incarnation.0) + spoil),
            fingerprint: node.map_or_else(|| fingerprint(0), |node| node.fingerprint),
            extra: self.pick[3].is_multiple_of(4),
        }
    }

    /// A live or lingering attempt somewhere, if there is one.
    fn attempt(&self, state: &State) -> (TaskRef, Epoch, Generation) {
        let attempts: Vec<_> = state
            .jobs
            .values()
            .flat_map(|job| {
                job.tasks
                    .iter()
                    .map(move |(kind, task)| (job.id, *kind, task))
            })
            .flat_map(|(job, kind, task)| {
                let all = task.live.iter().chain(&task.lingering);
                all.map(move |attempt| (TaskRef { job, kind }, attempt.epoch, attempt.generation))
            })
            .collect();
        match nth(attempts.len(), self.pick[1]) {
            Some(at) if !self.is_spoilt() => attempts[at],
            _ => (
                self.task(state),
                Epoch(u64::from(self.pick[2]) % (state.next_epoch.0 + 2)),
                self.generation(state),
            ),
        }
    }

    fn report(&self, state: &State, is_done: bool) -> Report {
        let (task, epoch, generation) = self.attempt(state);
        let result = if is_done {
            Ok(self.output(state.level, task.kind))
        } else {
            Err(Failure {
                code: "invalid_source".to_owned(),
                message: "broken".to_owned(),
                path: None,
                permanent: self.pick[3].is_multiple_of(8),
            })
        };
        Report {
            task,
            epoch,
            generation,
            result,
            retry_after_millis: u64::from(self.pick[3]),
        }
    }

    fn release(&self, state: &State) -> Release {
        let (task, epoch, _) = self.attempt(state);
        Release {
            task,
            epoch,
            cause: match self.pick[3] % 4 {
                0 | 1 => ReleaseCause::HandedBack,
                rest => ReleaseCause::Expired {
                    is_charged: rest == 2,
                },
            },
        }
    }

    fn output(&self, level: Level, kind: TaskKind) -> TaskOutput {
        let object = object(self.pick[3], 7);
        let from_cache = self.pick[3].is_multiple_of(5);
        match kind {
            _ if self.spoil == 0 => TaskOutput::Audio { object, from_cache },
            TaskKind::Prepare => {
                let segments = u64::from(self.pick[3] % 3) + 1;
                let facts = PlanFacts {
                    frames: segments * 10 + u64::from(self.spoil == 1),
                    rate: FrameRate::new(25, 1).expect("25 is a rate"),
                    segments: (0..segments)
                        .filter_map(|at| FrameRange::new(at * 10, at * 10 + 10))
                        .collect(),
                    has_audio: self.pick[2].is_multiple_of(2),
                };
                if level == Level(0) {
                    TaskOutput::Plan { object, facts }
                } else {
                    TaskOutput::Planned {
                        findings: object.clone(),
                        object,
                        facts,
                    }
                }
            }
            TaskKind::Segment(_) => TaskOutput::Segment { object, from_cache },
            TaskKind::Audio => TaskOutput::Audio { object, from_cache },
            TaskKind::Join => TaskOutput::Artifact(Artifact {
                object,
                filename: "out.mp4".to_owned(),
                content_type: "video/mp4".to_owned(),
                width: 640,
                height: 360,
                frames: 10,
                rate: FrameRate::new(25, 1).expect("25 is a rate"),
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
}

/// A scheduling round in the form of the state's level.
fn round(
    state: &State,
    reports: Vec<Report>,
    releases: Vec<Release>,
    grants: Vec<Grant>,
) -> Command {
    if state.level > Level(0) {
        return Command::Round(Round {
            reports,
            releases,
            grants,
        });
    }
    let reports = reports.into_iter().map(|report| BatchReport {
        task: report.task,
        epoch: report.epoch,
        generation: report.generation,
        result: report.result,
        retry_at: state.now.plus_millis(report.retry_after_millis),
    });
    let releases = releases.into_iter().map(|release| BatchRelease {
        task: release.task,
        epoch: release.epoch,
        lost: matches!(release.cause, ReleaseCause::Expired { .. }),
    });
    let grants = grants.into_iter().flat_map(|grant| {
        grant.tasks.into_iter().map(move |kind| BatchGrant {
            task: TaskRef {
                job: grant.job,
                kind,
            },
            node: grant.node,
            incarnation: grant.incarnation,
            fingerprint: grant.fingerprint,
            extra: grant.extra,
        })
    });
    Command::Batch(Batch {
        reports: reports.collect(),
        releases: releases.collect(),
        grants: grants.collect(),
    })
}

/// An index below `len`, if there is one.
fn nth(len: usize, pick: u8) -> Option<usize> {
    (len > 0).then(|| usize::from(pick) % len)
}

/// Two fingerprints, one of them rare.
fn fingerprint(pick: u8) -> Fingerprint {
    Fingerprint(Digest([u8::from(pick > 230); 32]))
}

fn object(of: u8, number: u64) -> ObjectRef {
    ObjectRef {
        key: ObjectKey(format!("objects/{number}")),
        sha256: Digest([of % 4; 32]),
        size: number,
    }
}
