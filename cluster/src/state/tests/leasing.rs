//! Grants, epochs and the fence that a report must pass.

use super::world::*;
use crate::command::{Batch, Command, Grant, Outcome, Rejection};
use crate::model::*;
use crate::state::TaskPhase;

#[test]
fn the_first_grant_starts_the_job_once() {
    let mut world = World::submitted();
    world.time = 5_000;
    let first = world.grant(TaskKind::Prepare).unwrap();
    assert_eq!(first.attempt, 1);
    assert_eq!(first.generation, Generation(0));
    assert_eq!(world.job().status, JobStatus::Processing);
    assert_eq!(world.job().started_at, Some(LogTime(5_000)));
    world.release(&first, false);
    world.time = 9_000;
    let second = world.grant(TaskKind::Prepare).unwrap();
    assert_eq!(second.attempt, 2);
    assert!(second.epoch > first.epoch, "an epoch is never used twice");
    assert_eq!(world.job().started_at, Some(LogTime(5_000)));
    assert_eq!(world.events(), [JobStatus::Queued, JobStatus::Processing]);
}

#[test]
fn grants_are_refused_for_a_reason() {
    let segment = TaskKind::Segment(0);
    let stranger = TaskRef {
        job: JobId(9),
        kind: segment,
    };
    let cases: [(&str, Grant, Rejection); 7] = [
        (
            "an unknown job",
            Grant {
                task: stranger,
                ..grant(segment)
            },
            Rejection::UnknownJob,
        ),
        (
            "an unknown node",
            Grant {
                node: NodeId(99),
                ..grant(segment)
            },
            Rejection::UnknownNode,
        ),
        (
            "a former incarnation",
            Grant {
                incarnation: Incarnation(0),
                ..grant(segment)
            },
            Rejection::StaleIncarnation,
        ),
        (
            "a fingerprint that is not the node's",
            Grant {
                fingerprint: fingerprint(2),
                ..grant(segment)
            },
            Rejection::WrongFingerprint,
        ),
        (
            "a task the plan does not have",
            grant(TaskKind::Segment(3)),
            Rejection::TaskNotOpen,
        ),
        (
            "a task that waits",
            grant(TaskKind::Join),
            Rejection::TaskNotOpen,
        ),
        (
            "a task that is done",
            grant(TaskKind::Prepare),
            Rejection::TaskNotOpen,
        ),
    ];
    for (what, grant, want) in cases {
        let mut world = World::planned();
        let before = world.state.jobs.clone();
        assert_eq!(world.try_grant(grant), Err(want), "{what}");
        assert_eq!(world.state.jobs, before, "{what}");
    }
}

#[test]
fn only_ready_nodes_are_given_work() {
    for (state, want) in [
        (NodeState::Ready, None),
        (NodeState::Draining, Some(Rejection::NodeNotReady)),
        (NodeState::Quarantined, Some(Rejection::NodeNotReady)),
    ] {
        let mut world = World::submitted();
        world.apply(Command::SetNodeState { node: NODE, state });
        assert_eq!(world.grant(TaskKind::Prepare).err(), want);
    }
}

#[test]
fn the_first_segment_binds_the_job_to_its_fingerprint() {
    let mut world = World::planned();
    world.apply(Command::RegisterNode(NodeInfo {
        fingerprint: fingerprint(2),
        ..node(OTHER_NODE, 2)
    }));
    let elsewhere = |kind| Grant {
        node: OTHER_NODE,
        incarnation: Incarnation(2),
        fingerprint: fingerprint(2),
        ..grant(kind)
    };
    assert_eq!(world.job().fingerprint, None);
    world.grant(TaskKind::Segment(0)).unwrap();
    assert_eq!(world.job().fingerprint, Some(fingerprint(1)));
    for kind in [TaskKind::Segment(1), TaskKind::Audio] {
        let refused = world.try_grant(elsewhere(kind));
        assert_eq!(refused, Err(Rejection::WrongFingerprint), "{kind:?}");
    }
    world.grant(TaskKind::Segment(1)).unwrap();
}

#[test]
fn a_straggler_gets_one_more_attempt_and_no_third() {
    let mut world = World::planned();
    let kind = TaskKind::Segment(0);
    let extra = Grant {
        extra: true,
        node: OTHER_NODE,
        ..grant(kind)
    };
    world.grant(kind).unwrap();
    assert_eq!(world.grant(kind), Err(Rejection::EnoughAttempts));
    let second = world.try_grant(extra.clone()).unwrap();
    assert_eq!(world.try_grant(extra), Err(Rejection::EnoughAttempts));
    assert_eq!(world.task(kind).live.len(), 2);
    world.report(&second, Ok(output(kind))).unwrap();
    assert!(
        world.task(kind).live.is_empty(),
        "the rival has nothing left to do"
    );
}

#[test]
fn only_an_entitled_attempt_completes_a_task() {
    let kind = TaskKind::Segment(0);
    let mut world = World::planned();
    let first = world.grant(kind).unwrap();
    world.release(&first, true);
    let second = world.grant(kind).unwrap();
    assert_eq!(
        world.report(&first, Ok(output(kind))),
        Err(Rejection::StaleEpoch),
        "replaced by a newer grant"
    );
    let mut stale = report(&second, Ok(output(kind)));
    stale.generation = Generation(2);
    assert_eq!(world.try_report(stale), Err(Rejection::StaleGeneration));
    assert_eq!(
        world.report(&second, Ok(output(TaskKind::Audio))),
        Err(Rejection::MisfitReport)
    );
    assert_eq!(world.task(kind).phase, TaskPhase::Open);
    world.report(&second, Ok(output(kind))).unwrap();
    assert_eq!(
        world.report(&first, Ok(output(kind))),
        Err(Rejection::TaskNotOpen),
        "done by another"
    );
}

#[test]
fn a_cut_off_attempt_is_heard_until_it_is_replaced() {
    let kind = TaskKind::Segment(1);
    let mut world = World::planned();
    let granted = world.grant(kind).unwrap();
    world.release(&granted, true);
    let task = world.task(kind);
    assert!(task.live.is_empty() && task.lingering.is_some());
    assert_eq!(task.losses, 1);
    world.report(&granted, Ok(output(kind))).unwrap();
    assert!(world.task(kind).is_done());
}

#[test]
fn a_lease_handed_back_is_dead_at_once_and_nobodys_fault() {
    let kind = TaskKind::Segment(1);
    let mut world = World::planned();
    let granted = world.grant(kind).unwrap();
    world.release(&granted, false);
    let task = world.task(kind);
    assert_eq!((task.losses, task.failures), (0, 0));
    assert_eq!(task.history[0].2, AttemptOutcome::Released);
    let late = world.report(&granted, Ok(output(kind)));
    assert_eq!(late, Err(Rejection::StaleEpoch));
}

#[test]
fn an_accepted_report_repeated_is_accepted_again_without_effect() {
    let kinds = [TaskKind::Segment(0), TaskKind::Audio];
    for kind in kinds {
        let mut world = World::planned();
        let granted = world.do_task(kind);
        let before = world.job().clone();
        assert_eq!(world.report(&granted, Ok(output(kind))), Ok(()), "{kind:?}");
        assert_eq!(*world.job(), before, "{kind:?}");
    }
    let mut world = World::submitted();
    let granted = world.do_task(TaskKind::Prepare);
    assert_eq!(
        world.report(&granted, Ok(output(TaskKind::Prepare))),
        Ok(())
    );
    let mut world = World::rendered();
    let granted = world.do_task(TaskKind::Join);
    assert_eq!(world.report(&granted, Ok(output(TaskKind::Join))), Ok(()));
    let mut world = World::planned();
    let granted = world.grant(TaskKind::Audio).unwrap();
    world.report(&granted, Err(failure(false))).unwrap();
    assert_eq!(world.report(&granted, Err(failure(false))), Ok(()));
    assert_eq!(world.task(TaskKind::Audio).failures, 1);
}

#[test]
fn a_report_and_the_grant_it_enables_share_a_batch() {
    let mut world = World::submitted();
    let granted = world.grant(TaskKind::Prepare).unwrap();
    let outcome = world.batch(Batch {
        reports: vec![report(&granted, Ok(plan(1, false)))],
        grants: vec![grant(TaskKind::Segment(0))],
        ..Batch::default()
    });
    assert_eq!(outcome.reports, [Ok(())]);
    let segment = outcome.grants[0].as_ref().unwrap();
    assert_eq!(segment.frames, FrameRange::new(0, 60));
    assert_eq!(segment.generation, Generation(1));
}

#[test]
fn of_a_lost_run_only_the_first_open_segment_is_blamed() {
    let mut world = World::planned();
    world.grant(TaskKind::Segment(0)).unwrap();
    world.grant(TaskKind::Segment(1)).unwrap();
    world.apply(Command::RegisterNode(node(NODE, 2)));
    for (segment, losses) in [(0, 1), (1, 0)] {
        let task = world.task(TaskKind::Segment(segment));
        assert!(task.live.is_empty(), "segment {segment}");
        assert_eq!(task.losses, losses, "segment {segment}");
        assert_eq!(task.history[0].2, AttemptOutcome::Lost, "segment {segment}");
    }
}

#[test]
fn a_new_incarnation_ends_what_the_old_one_held() {
    let kind = TaskKind::Segment(0);
    let mut world = World::planned();
    let granted = world.grant(kind).unwrap();
    let elsewhere = Grant {
        node: OTHER_NODE,
        ..grant(TaskKind::Segment(1))
    };
    let theirs = world.try_grant(elsewhere).unwrap();
    assert_eq!(
        world.apply(Command::RegisterNode(node(NODE, 2))),
        Outcome::Accepted
    );
    let task = world.task(kind);
    assert!(task.live.is_empty() && task.lingering.is_none());
    assert_eq!((task.losses, task.failures), (1, 0));
    assert_eq!(task.history[0].2, AttemptOutcome::Lost);
    let late = world.report(&granted, Ok(output(kind)));
    assert_eq!(late, Err(Rejection::StaleEpoch));
    world
        .report(&theirs, Ok(output(TaskKind::Segment(1))))
        .unwrap();
}

#[test]
fn registering_again_keeps_leases_and_what_was_decided() {
    let mut world = World::planned();
    world.grant(TaskKind::Segment(0)).unwrap();
    world.apply(Command::SetNodeState {
        node: NODE,
        state: NodeState::Draining,
    });
    world.apply(Command::RegisterNode(NodeInfo {
        slots: 8,
        ..node(NODE, 1)
    }));
    assert_eq!(world.task(TaskKind::Segment(0)).live.len(), 1);
    assert_eq!(world.state.nodes[&NODE].state, NodeState::Draining);
    assert_eq!(world.state.nodes[&NODE].slots, 8);
    world.apply(Command::RegisterNode(node(NODE, 2)));
    assert_eq!(world.state.nodes[&NODE].state, NodeState::Ready);
    world.apply(Command::SetNodeState {
        node: NODE,
        state: NodeState::Quarantined,
    });
    world.apply(Command::RegisterNode(node(NODE, 3)));
    assert_eq!(world.state.nodes[&NODE].state, NodeState::Quarantined);
}
