//! Bytes of earlier builds still decode. Each file in `fixtures` was written once, by the
//! build that brought its shape; `UPDATE_FIXTURES=1` adds files that are not there yet, and
//! never touches one that is.

use std::fs;
use std::path::PathBuf;

use cluster::command::*;
use cluster::model::*;

fn object(name: &str) -> ObjectRef {
    ObjectRef {
        key: ObjectKey(name.to_owned()),
        sha256: Digest([0xAB; 32]),
        size: 300,
    }
}

fn fingerprint() -> Fingerprint {
    Fingerprint(Digest([0xCD; 32]))
}

fn task(kind: TaskKind) -> TaskRef {
    TaskRef {
        job: JobId(1 << 100),
        kind,
    }
}

fn report(kind: TaskKind, result: Result<TaskOutput, Failure>) -> BatchReport {
    BatchReport {
        task: task(kind),
        epoch: Epoch(41),
        generation: Generation(1),
        result,
        retry_at: LogTime(1_700_000_009_000),
    }
}

fn rate() -> FrameRate {
    FrameRate::new(30_000, 1001).expect("a rate")
}

fn plan_facts() -> PlanFacts {
    PlanFacts {
        frames: 90,
        rate: rate(),
        segments: [FrameRange::new(0, 60), FrameRange::new(60, 90)]
            .into_iter()
            .flatten()
            .collect(),
        has_audio: true,
    }
}

fn artifact() -> Artifact {
    Artifact {
        object: object("artifact"),
        filename: "out.mp4".to_owned(),
        content_type: "video/mp4".to_owned(),
        width: 1920,
        height: 1080,
        frames: 90,
        rate: rate(),
        thumbnail: Some(object("thumbnail")),
        join_millis: 812,
    }
}

fn reports() -> Vec<BatchReport> {
    let plan = TaskOutput::Plan {
        object: object("plan"),
        facts: plan_facts(),
    };
    let artifact = artifact();
    let failure = Failure {
        code: "source_not_found".to_owned(),
        message: "nothing is there".to_owned(),
        path: Some("elements[0].source_url".to_owned()),
        permanent: true,
    };
    vec![
        report(TaskKind::Prepare, Ok(plan)),
        report(
            TaskKind::Segment(3),
            Ok(TaskOutput::Segment {
                object: object("segment"),
                from_cache: true,
            }),
        ),
        report(
            TaskKind::Audio,
            Ok(TaskOutput::Audio {
                object: object("audio"),
                from_cache: false,
            }),
        ),
        report(TaskKind::Join, Ok(TaskOutput::Artifact(artifact))),
        report(TaskKind::Join, Err(failure)),
    ]
}

fn node() -> NodeInfo {
    NodeInfo {
        id: NodeId(7),
        incarnation: Incarnation(99),
        address: "10.0.0.7:7900".to_owned(),
        version: "0.1.0".to_owned(),
        roles: Roles {
            edge: false,
            coordinator: true,
            render: true,
        },
        slots: 4,
        gpu: "llvmpipe".to_owned(),
        fingerprint: fingerprint(),
        state: NodeState::Ready,
        registered_at: LogTime(5),
    }
}

/// One of every command. A new variant gets a line here and a file beside the others.
fn commands() -> Vec<(&'static str, Command)> {
    let job = JobId(1 << 100);
    let submission = Submission {
        job,
        workspace: "acme".to_owned(),
        priority: -3,
        request: object("request"),
        idempotency: Some(IdempotencyRow {
            key: "key".to_owned(),
            scope: "POST /v1/renders".to_owned(),
            body: Digest([1; 32]),
        }),
    };
    let batch = Batch {
        reports: reports(),
        releases: vec![BatchRelease {
            task: task(TaskKind::Audio),
            epoch: Epoch(3),
            lost: true,
        }],
        grants: vec![BatchGrant {
            task: task(TaskKind::Segment(1)),
            node: NodeId(7),
            incarnation: Incarnation(99),
            fingerprint: fingerprint(),
            extra: true,
        }],
    };
    let error = JobError {
        code: "render_timeout".to_owned(),
        message: "too long".to_owned(),
        path: None,
    };
    vec![
        ("submit_job", Command::SubmitJob(submission)),
        (
            "cancel_job",
            Command::CancelJob {
                job,
                workspace: "acme".to_owned(),
            },
        ),
        ("fail_job", Command::FailJob { job, error }),
        ("batch", Command::Batch(batch)),
        ("register_node", Command::RegisterNode(node())),
        (
            "set_node_state",
            Command::SetNodeState {
                node: NodeId(7),
                state: NodeState::Quarantined,
            },
        ),
        (
            "reopen_tasks",
            Command::ReopenTasks {
                job,
                generation: Generation(2),
                tasks: vec![TaskKind::Segment(1), TaskKind::Audio],
            },
        ),
        (
            "replan",
            Command::Replan {
                job,
                generation: Generation(1),
            },
        ),
        ("set_priority", Command::SetPriority { job, priority: 10 }),
        (
            "settle_outbox",
            Command::SettleOutbox {
                rows: vec![(job, Seq(4))],
            },
        ),
        (
            "sweep",
            Command::Sweep {
                idempotency_before: LogTime(8),
                jobs_before: LogTime(9),
            },
        ),
    ]
}

fn asset(kind: AssetKind) -> AssetId {
    AssetId {
        kind,
        ulid: 1 << 100,
    }
}

/// The commands of assets, keys, endpoints and deliveries, and of jobs that use them.
fn later_commands() -> Vec<(&'static str, Command)> {
    let job = JobId(1 << 100);
    let workspace = "acme".to_owned();
    let row = IdempotencyRow {
        key: "key".to_owned(),
        scope: "POST /v1/uploads".to_owned(),
        body: Digest([1; 32]),
    };
    let admission = Admission {
        submission: Submission {
            job,
            workspace: workspace.clone(),
            priority: 1,
            request: object("request"),
            idempotency: None,
        },
        assets: vec![AssetUse {
            asset: asset(AssetKind::Import),
            path: "elements[0].source_url".to_owned(),
        }],
        webhook_url: Some("https://example.com/hook".to_owned()),
        has_destination: true,
    };
    let new = NewAsset {
        asset: asset(AssetKind::Upload),
        workspace: workspace.clone(),
        content_type: Some("video/mp4".to_owned()),
        filename: Some("clip.mp4".to_owned()),
        size: Some(300),
        parts: Some(PartLayout {
            part_size: 100,
            count: 3,
        }),
        url: Some("https://example.com/clip.mp4".to_owned()),
        base: "https://example.com".to_owned(),
        valid_for_millis: 3_600_000,
        idempotency: Some(row),
    };
    let key = ApiKey {
        id: KeyId(1 << 100),
        workspace: workspace.clone(),
        name: "ci".to_owned(),
        is_admin: true,
        digest: Digest([2; 32]),
        hint: "9f3a".to_owned(),
        created_at: LogTime(5),
    };
    let endpoint = EndpointId(1 << 100);
    let secret = Sealed(vec![1, 2, 3]);
    let hook = Endpoint {
        id: endpoint,
        workspace: workspace.clone(),
        url: "https://example.com/hook".to_owned(),
        events: EventKind::ALL.to_vec(),
        secret: Secret {
            current: secret.clone(),
            previous: Some((Sealed(vec![4]), LogTime(6))),
        },
        disabled: Some((Disabled::Gone, LogTime(7))),
        created_at: LogTime(5),
    };
    let delivery = DeliveryId(1 << 100);
    let result = |verdict| DeliveryResult {
        delivery,
        attempt: DeliveryAttempt {
            at: LogTime(8),
            status: Some(503),
            error: Some("the receiver answered 503".to_owned()),
            duration_millis: 12,
        },
        verdict,
    };
    let delivery_round = DeliveryRound {
        results: vec![
            result(DeliveryVerdict::Delivered),
            result(DeliveryVerdict::Retry(RanTime(9))),
            result(DeliveryVerdict::GiveUp),
            result(DeliveryVerdict::Gone),
        ],
        leases: vec![(
            delivery,
            DeliveryLease {
                node: NodeId(7),
                incarnation: Incarnation(99),
                until: RanTime(10),
            },
        )],
    };
    let transfers = Batch {
        reports: vec![
            report(
                TaskKind::Ingest,
                Ok(TaskOutput::Ingested(Ingested {
                    object: object("source"),
                    content_type: "video/mp4".to_owned(),
                    filename: Some("clip.mp4".to_owned()),
                    probe: "{}".to_owned(),
                })),
            ),
            report(TaskKind::Deliver, Ok(TaskOutput::Delivered)),
        ],
        ..Batch::default()
    };
    vec![
        ("batch_transfers", Command::Batch(transfers)),
        ("admit", Command::Admit(admission)),
        ("create_asset", Command::CreateAsset(new)),
        (
            "asset_arrived_whole",
            Command::AssetArrived {
                asset: asset(AssetKind::Upload),
                arrival: Arrival::Whole {
                    key: ObjectKey("uploads/raw".to_owned()),
                    size: 300,
                },
            },
        ),
        (
            "asset_arrived_parts",
            Command::AssetArrived {
                asset: asset(AssetKind::Upload),
                arrival: Arrival::Parts { size: 300 },
            },
        ),
        (
            "abandon_asset",
            Command::AbandonAsset {
                asset: asset(AssetKind::Import),
                workspace: workspace.clone(),
            },
        ),
        ("expire_uploads", Command::ExpireUploads),
        ("create_key", Command::CreateKey(key)),
        (
            "revoke_key",
            Command::RevokeKey {
                key: KeyId(1 << 100),
            },
        ),
        ("create_endpoint", Command::CreateEndpoint(hook)),
        (
            "delete_endpoint",
            Command::DeleteEndpoint {
                endpoint,
                workspace: workspace.clone(),
            },
        ),
        (
            "rotate_secret",
            Command::RotateSecret {
                endpoint,
                workspace: workspace.clone(),
                secret: secret.clone(),
                overlap_millis: 86_400_000,
            },
        ),
        (
            "keep_secret",
            Command::KeepSecret {
                workspace: workspace.clone(),
                secret,
            },
        ),
        ("delivery_round", Command::DeliveryRound(delivery_round)),
        (
            "retry_delivery",
            Command::RetryDelivery {
                delivery,
                workspace,
            },
        ),
        (
            "trim",
            Command::Trim(Trim {
                deliveries_before: LogTime(1),
                assets_before: LogTime(2),
                failed_assets_before: LogTime(3),
                usage_before: Day(4),
            }),
        ),
    ]
}

/// The commands of level 1, whose entries carry running time.
fn commands_of_level_1() -> Vec<(&'static str, Command)> {
    let job = JobId(1 << 100);
    let failure = Failure {
        code: "engine_error".to_owned(),
        message: "it was killed".to_owned(),
        path: None,
        permanent: false,
    };
    let done = |kind, output| Report {
        task: task(kind),
        epoch: Epoch(40),
        generation: Generation(0),
        result: Ok(output),
        retry_after_millis: 0,
    };
    let round = Round {
        reports: vec![
            done(TaskKind::Fetch, TaskOutput::Fetched),
            Report {
                task: task(TaskKind::Segment(2)),
                epoch: Epoch(41),
                generation: Generation(1),
                result: Err(failure),
                retry_after_millis: 1_250,
            },
            done(
                TaskKind::Prepare,
                TaskOutput::Planned {
                    object: object("plan"),
                    facts: plan_facts(),
                    findings: object("findings"),
                },
            ),
            done(
                TaskKind::Join,
                TaskOutput::Published {
                    artifact: artifact(),
                    findings: Some(object("more findings")),
                },
            ),
        ],
        releases: [
            ReleaseCause::HandedBack,
            ReleaseCause::Expired { is_charged: true },
        ]
        .map(|cause| Release {
            task: task(TaskKind::Segment(4)),
            epoch: Epoch(42),
            cause,
        })
        .into(),
        grants: vec![Grant {
            job,
            tasks: vec![TaskKind::Segment(2), TaskKind::Segment(3)],
            node: NodeId(7),
            incarnation: Incarnation(99),
            fingerprint: fingerprint(),
            extra: false,
        }],
    };
    let new_render = NewRender {
        admission: Admission {
            submission: Submission {
                job,
                workspace: "acme".to_owned(),
                priority: 3,
                request: object("request"),
                idempotency: None,
            },
            assets: Vec::new(),
            webhook_url: None,
            has_destination: false,
        },
        has_remote_sources: true,
    };
    vec![
        ("raise_level", Command::RaiseLevel(Level(1))),
        ("round", Command::Round(round)),
        (
            "register",
            Command::Register(Registration {
                info: node(),
                boot: Boot(3),
            }),
        ),
        (
            "retain",
            Command::Retain(Retention {
                idempotency: 1,
                jobs: 2,
                deliveries: 3,
                assets: 4,
                failed_assets: 5,
                usage: 6,
            }),
        ),
        ("admit_render", Command::AdmitRender(new_render)),
        (
            "forget_deliveries",
            Command::ForgetDeliveries(vec![DeliveryId(4), DeliveryId(5)]),
        ),
    ]
}

/// The name that a command's fixture must have: adding a variant without one does not
/// compile.
fn name(command: &Command) -> &'static str {
    match command {
        Command::SubmitJob(_) => "submit_job",
        Command::CancelJob { .. } => "cancel_job",
        Command::FailJob { .. } => "fail_job",
        Command::Batch(_) => "batch",
        Command::RegisterNode(_) => "register_node",
        Command::SetNodeState { .. } => "set_node_state",
        Command::ReopenTasks { .. } => "reopen_tasks",
        Command::Replan { .. } => "replan",
        Command::SetPriority { .. } => "set_priority",
        Command::SettleOutbox { .. } => "settle_outbox",
        Command::Sweep { .. } => "sweep",
        Command::Admit(_) => "admit",
        Command::CreateAsset(_) => "create_asset",
        Command::AssetArrived { .. } => "asset_arrived",
        Command::AbandonAsset { .. } => "abandon_asset",
        Command::ExpireUploads => "expire_uploads",
        Command::CreateKey(_) => "create_key",
        Command::RevokeKey { .. } => "revoke_key",
        Command::CreateEndpoint(_) => "create_endpoint",
        Command::DeleteEndpoint { .. } => "delete_endpoint",
        Command::RotateSecret { .. } => "rotate_secret",
        Command::KeepSecret { .. } => "keep_secret",
        Command::DeliveryRound(_) => "delivery_round",
        Command::RetryDelivery { .. } => "retry_delivery",
        Command::Trim(_) => "trim",
        Command::RaiseLevel(_) => "raise_level",
        Command::Round(_) => "round",
        Command::Register(_) => "register",
        Command::Retain(_) => "retain",
        Command::AdmitRender(_) => "admit_render",
        Command::ForgetDeliveries(_) => "forget_deliveries",
    }
}

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(format!("{name}.bin"))
}

#[test]
fn old_bytes_of_every_command_decode_and_are_what_we_still_write() {
    let is_updating = std::env::var_os("UPDATE_FIXTURES").is_some();
    let all = commands().into_iter().chain(later_commands());
    for (fixture, command) in all.chain(commands_of_level_1()) {
        // One command may have several files, one for each of its shapes.
        assert!(fixture.starts_with(name(&command)), "{fixture}");
        let stamped = Stamped {
            at: LogTime(1_700_000_000_000),
            ran: (*command.levels().start() > Level(0)).then_some(RanTime(77_000)),
            command,
        };
        let bytes = stamped.encode().expect("a command encodes");
        let path = path(fixture);
        if is_updating && !path.try_exists().expect("fixtures can be looked at") {
            fs::write(&path, &bytes).expect("fixtures can be written");
        }
        let kept = fs::read(&path).unwrap_or_else(|error| panic!("{fixture}: {error}"));
        let decoded = Stamped::decode(&kept).unwrap_or_else(|error| panic!("{fixture}: {error}"));
        assert_eq!(decoded, stamped, "{fixture}");
        assert_eq!(
            bytes, kept,
            "{fixture}: a node of the release before could not read this"
        );
    }
}
