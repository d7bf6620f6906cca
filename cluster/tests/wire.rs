//! Bytes of earlier builds still decode. Each file in `fixtures` was written once, by the
//! build that brought its shape; `UPDATE_FIXTURES=1` adds files that are not there yet, and
//! never touches one that is.

use std::fs;
use std::path::PathBuf;

use cluster::codec;
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

fn report(kind: TaskKind, result: Result<TaskOutput, Failure>) -> Report {
    Report {
        task: task(kind),
        epoch: Epoch(41),
        generation: Generation(1),
        result,
        retry_at: LogTime(1_700_000_009_000),
    }
}

fn reports() -> Vec<Report> {
    let rate = FrameRate::new(30_000, 1001).expect("a rate");
    let plan = TaskOutput::Plan {
        object: object("plan"),
        facts: PlanFacts {
            frames: 90,
            rate,
            segments: [FrameRange::new(0, 60), FrameRange::new(60, 90)]
                .into_iter()
                .flatten()
                .collect(),
            has_audio: true,
        },
    };
    let artifact = Artifact {
        object: object("artifact"),
        filename: "out.mp4".to_owned(),
        content_type: "video/mp4".to_owned(),
        width: 1920,
        height: 1080,
        frames: 90,
        rate,
        thumbnail: Some(object("thumbnail")),
        join_millis: 812,
    };
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
        releases: vec![Release {
            task: task(TaskKind::Audio),
            epoch: Epoch(3),
            lost: true,
        }],
        grants: vec![Grant {
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
    for (fixture, command) in commands() {
        assert_eq!(fixture, name(&command));
        let stamped = Stamped {
            at: LogTime(1_700_000_000_000),
            command,
        };
        let bytes = codec::encode(&stamped).expect("a command encodes");
        let path = path(fixture);
        if is_updating && !path.try_exists().expect("fixtures can be looked at") {
            fs::write(&path, &bytes).expect("fixtures can be written");
        }
        let kept = fs::read(&path).unwrap_or_else(|error| panic!("{fixture}: {error}"));
        let decoded: Stamped =
            codec::decode(&kept).unwrap_or_else(|error| panic!("{fixture}: {error}"));
        assert_eq!(decoded, stamped, "{fixture}");
        assert_eq!(
            bytes, kept,
            "{fixture}: a node of the release before could not read this"
        );
    }
}
