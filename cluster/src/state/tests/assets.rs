//! Uploads, imports, and the jobs that use them.

use super::world::*;
use crate::command::{Command, Outcome, Rejection, Trim};
use crate::model::*;
use crate::state::TaskPhase;

const UPLOAD: AssetId = AssetId {
    kind: AssetKind::Upload,
    ulid: 5,
};

fn uses(asset: AssetId) -> Command {
    Command::Admit(Admission {
        submission: submission(JOB),
        assets: vec![AssetUse {
            asset,
            path: "elements[0].source_url".to_owned(),
        }],
        webhook_url: None,
        has_destination: false,
    })
}

fn arrived() -> Command {
    Command::AssetArrived {
        asset: UPLOAD,
        arrival: Arrival::Whole {
            key: ObjectKey("uploads/5/raw".to_owned()),
            size: 9,
        },
    }
}

fn is_ingest(kind: JobKind) -> bool {
    matches!(kind, JobKind::Ingest(_))
}

#[test]
fn a_job_waits_for_its_upload_and_then_goes_on() {
    let mut world = World::new();
    world.apply(Command::CreateAsset(upload(5)));
    assert_eq!(world.apply(uses(UPLOAD)), Outcome::Submitted(JOB));
    assert_eq!(world.task(TaskKind::Prepare).phase, TaskPhase::Blocked);
    assert_eq!(
        world.grant(TaskKind::Prepare),
        Err(Rejection::TaskNotOpen),
        "nothing is granted while it waits"
    );
    assert_eq!(world.apply(arrived()), Outcome::Accepted);
    assert_eq!(world.apply(arrived()), Outcome::Accepted, "sent twice");
    world.do_transfer(
        is_ingest,
        TaskKind::Ingest,
        Ok(TaskOutput::Ingested(ingested())),
    );
    let asset = &world.state.assets[&UPLOAD];
    assert_eq!(asset.status, AssetStatus::Ready);
    assert_eq!(world.state.jobs.len(), 1, "the transfer job is gone");
    assert_eq!(world.task(TaskKind::Prepare).phase, TaskPhase::Open);
    world.grant(TaskKind::Prepare).unwrap();
}

#[test]
fn a_job_fails_with_an_upload_that_cannot_be_used() {
    let mut world = World::new();
    world.apply(Command::CreateAsset(upload(5)));
    world.apply(uses(UPLOAD));
    world.apply(arrived());
    world.do_transfer(is_ingest, TaskKind::Ingest, Err(failure(true)));
    assert_eq!(world.job().status, JobStatus::Failed);
    let error = world.job().error.clone().unwrap();
    assert_eq!(error.code, "invalid_source");
    assert_eq!(error.path.as_deref(), Some("elements[0].source_url"));
}

#[test]
fn an_upload_that_never_arrives_fails_the_jobs_that_wait_for_it() {
    let mut world = World::new();
    world.apply(Command::CreateAsset(upload(5)));
    world.apply(uses(UPLOAD));
    world.time += 3_599_999;
    world.apply(Command::ExpireUploads);
    assert_eq!(world.job().status, JobStatus::Queued);
    world.time += 1;
    world.apply(Command::ExpireUploads);
    assert_eq!(world.job().status, JobStatus::Failed);
    assert_eq!(world.job().error.as_ref().unwrap().code, "source_not_found");
    assert_eq!(
        world.apply(arrived()),
        Outcome::Rejected(Rejection::AssetNotPending),
        "too late"
    );
}

#[test]
fn assets_that_are_not_there_fail_a_job_at_once() {
    let mut theirs = upload(5);
    theirs.workspace = "other".to_owned();
    let mut world = World::new();
    world.apply(Command::CreateAsset(theirs));
    world.apply(uses(UPLOAD));
    assert_eq!(
        world.job().status,
        JobStatus::Failed,
        "another workspace's is not there"
    );
    let mut world = World::new();
    world.apply(uses(UPLOAD));
    assert_eq!(world.job().error.as_ref().unwrap().code, "source_not_found");
}

#[test]
fn an_import_is_taken_in_from_the_start_and_abandoning_it_ends_that() {
    let id = AssetId {
        kind: AssetKind::Import,
        ulid: 6,
    };
    let mut world = World::new();
    world.apply(Command::CreateAsset(NewAsset {
        asset: id,
        url: Some("https://example.com/a.mp4".to_owned()),
        ..upload(6)
    }));
    assert_eq!(world.state.active.len(), 1);
    world.apply(uses(id));
    let abandon = |workspace: &str| Command::AbandonAsset {
        asset: id,
        workspace: workspace.to_owned(),
    };
    assert_eq!(
        world.apply(abandon("other")),
        Outcome::Rejected(Rejection::UnknownAsset)
    );
    assert_eq!(world.apply(abandon("acme")), Outcome::Accepted);
    assert_eq!(world.state.assets[&id].status, AssetStatus::Failed);
    assert_eq!(world.job().status, JobStatus::Failed);
    assert!(world.state.active.is_empty());
}

#[test]
fn a_probe_is_taken_in_from_its_url_or_once_its_bytes_are_named_and_has_no_events() {
    let probe = |ulid| AssetId {
        kind: AssetKind::Probe,
        ulid,
    };
    let mut world = World::new();
    world.apply(Command::CreateAsset(NewAsset {
        asset: probe(6),
        url: Some("https://example.com/a.mp4".to_owned()),
        ..upload(6)
    }));
    assert_eq!(world.state.active.len(), 1, "it is fetched at once");
    world.apply(Command::CreateAsset(NewAsset {
        asset: probe(7),
        ..upload(7)
    }));
    assert_eq!(world.state.assets[&probe(7)].status, AssetStatus::Pending);
    let arrival = Arrival::Whole {
        key: ObjectKey("sources/x".to_owned()),
        size: 1,
    };
    world.apply(Command::AssetArrived {
        asset: probe(7),
        arrival,
    });
    assert_eq!(world.state.active.len(), 2);
    world.apply(Command::CreateEndpoint(endpoint(1, &EventKind::ALL)));
    world.apply(Command::CreateAsset(upload(5)));
    // An upload's end is an event, a probe's is none.
    for (asset, deliveries) in [(probe(6), 0), (UPLOAD, 1)] {
        world.apply(Command::AbandonAsset {
            asset,
            workspace: "acme".to_owned(),
        });
        assert_eq!(world.state.assets[&asset].status, AssetStatus::Failed);
        assert_eq!(world.state.deliveries.len(), deliveries, "{asset}");
    }
}

#[test]
fn one_key_makes_one_upload() {
    let with_key = |ulid, body| {
        Command::CreateAsset(NewAsset {
            idempotency: Some(IdempotencyRow {
                key: "k".to_owned(),
                scope: "POST /v1/uploads".to_owned(),
                body: Digest([body; 32]),
            }),
            ..upload(ulid)
        })
    };
    let mut world = World::new();
    assert_eq!(world.apply(with_key(5, 1)), Outcome::AssetCreated(UPLOAD));
    assert_eq!(world.apply(with_key(6, 1)), Outcome::AssetReplayed(UPLOAD));
    assert_eq!(
        world.apply(with_key(7, 2)),
        Outcome::Rejected(Rejection::IdempotencyConflict)
    );
    assert_eq!(world.state.assets.len(), 1);
}

#[test]
fn retention_keeps_an_asset_that_a_job_uses() {
    let mut world = World::new();
    world.apply(Command::CreateAsset(upload(5)));
    world.apply(arrived());
    world.do_transfer(
        is_ingest,
        TaskKind::Ingest,
        Ok(TaskOutput::Ingested(ingested())),
    );
    world.apply(uses(UPLOAD));
    let trim = Command::Trim(Trim {
        deliveries_before: LogTime(0),
        assets_before: LogTime(u64::MAX),
        failed_assets_before: LogTime(u64::MAX),
        usage_before: Day(0),
    });
    world.apply(trim.clone());
    assert!(world.state.assets.contains_key(&UPLOAD));
    world.apply(Command::CancelJob {
        job: JOB,
        workspace: "acme".to_owned(),
    });
    world.apply(trim);
    assert!(world.state.assets.is_empty());
}

#[test]
fn a_destination_is_filled_after_the_render_is_completed() {
    for (result, want) in [
        (Ok(TaskOutput::Delivered), true),
        (Err(failure(true)), false),
    ] {
        let mut world = World::new();
        world.apply(Command::Admit(Admission {
            submission: submission(JOB),
            assets: Vec::new(),
            webhook_url: None,
            has_destination: true,
        }));
        let granted = world.grant(TaskKind::Prepare).unwrap();
        world.report(&granted, Ok(plan(1, false))).unwrap();
        world.do_task(TaskKind::Segment(0));
        world.do_task(TaskKind::Join);
        assert_eq!(world.job().status, JobStatus::Completed);
        assert_eq!(world.job().destination, Some(DestinationStatus::Pending));
        let sequence = world.job().sequence;
        world.do_transfer(
            |kind| kind == JobKind::Deliver(JOB),
            TaskKind::Deliver,
            result,
        );
        let delivered = DestinationStatus::Delivered {
            at: LogTime(world.time),
        };
        assert_eq!(world.job().destination == Some(delivered), want);
        assert_eq!(
            world.job().status,
            JobStatus::Completed,
            "whatever came of it"
        );
        assert!(world.job().sequence > sequence, "clients can see it");
        assert_eq!(world.state.jobs.len(), 1);
    }
}
