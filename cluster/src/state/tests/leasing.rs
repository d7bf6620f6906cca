//! Grants, epochs and the fence that a report must pass.

use super::world::*;
use crate::command::{
    Batch, BatchGrant, BatchReport, Command, Grant, Outcome, Rejection, ReleaseCause, Round,
};
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
    world.release(&first, HANDED_BACK);
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
    let cases: [(&str, Grant, Rejection); 7] = [
        (
            "an unknown job",
            Grant {
                job: JobId(9),
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
    world.release(&first, LOST);
    let second = world.grant(kind).unwrap();
    assert_eq!(
        world.report(&first, Ok(output(kind))),
        Err(Rejection::StaleEpoch),
        "replaced by a newer grant"
    );
    let mut stale = report(&second, Ok(output(kind)));
    stale.generation = Generation(2);
    assert_eq!(world.try_report(stale), Err(Rejection::StaleGeneration));
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
    world.release(&granted, LOST);
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
    world.release(&granted, HANDED_BACK);
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
fn a_report_and_the_grant_it_enables_share_a_round() {
    let mut world = World::submitted();
    let granted = world.grant(TaskKind::Prepare).unwrap();
    let outcome = world.round(Round {
        reports: vec![report(&granted, Ok(plan(1, false)))],
        grants: vec![grant(TaskKind::Segment(0))],
        ..Round::default()
    });
    assert_eq!(outcome.reports, [Ok(())]);
    let segment = outcome.grants[0][0].as_ref().unwrap();
    assert_eq!(segment.frames, FrameRange::new(0, 60));
    assert_eq!(segment.generation, Generation(1));
}

#[test]
fn a_run_has_the_number_of_its_first_attempt() {
    let mut world = World::planned();
    let segments = [0, 1, 2].map(TaskKind::Segment);
    let first = world.grant(segments[0]).unwrap();
    assert_eq!(first.run, RunNumber(first.epoch.0));
    let run = world.try_run(Grant {
        tasks: segments.to_vec(),
        ..grant(segments[0])
    });
    assert_eq!(run[0], Err(Rejection::EnoughAttempts));
    let (second, third) = (run[1].clone().unwrap(), run[2].clone().unwrap());
    assert_eq!(second.run, RunNumber(second.epoch.0));
    assert_eq!(third.run, second.run);
    assert_eq!(world.task(segments[2]).live[0].run, second.run);
}

#[test]
fn a_misfit_report_ends_its_attempt_and_counts_as_a_failure() {
    let kind = TaskKind::Segment(0);
    let mut world = World::planned();
    for failures in 1..=2 {
        let granted = world.grant(kind).unwrap();
        let misfit = world.report(&granted, Ok(output(TaskKind::Audio)));
        assert_eq!(misfit, Ok(()), "dealt with: it is not sent again");
        assert_eq!(world.task(kind).phase, TaskPhase::Open);
        assert!(world.task(kind).live.is_empty());
        assert_eq!(world.task(kind).failures, failures);
    }
    let granted = world.grant(kind).unwrap();
    let mut unsound = plan(3, true);
    if let TaskOutput::Plan { facts, .. } = &mut unsound {
        facts.frames += 1;
    }
    world.report(&granted, Ok(unsound)).unwrap();
    assert_eq!(world.job().status, JobStatus::Failed);
    let error = world.job().error.clone().unwrap();
    assert_eq!(error.message, "rendering segment 0 came to something else");
}

#[test]
fn a_misfit_report_of_level_0_is_rejected() {
    let mut world = World::of_level(Level(0));
    world.apply(Command::SubmitJob(submission(JOB)));
    let task = TaskRef {
        job: JOB,
        kind: TaskKind::Prepare,
    };
    let batch = |reports, grants| {
        Command::Batch(Batch {
            reports,
            releases: vec![],
            grants,
        })
    };
    let grant = BatchGrant {
        task,
        node: NODE,
        incarnation: Incarnation(1),
        fingerprint: fingerprint(1),
        extra: false,
    };
    world.apply(batch(vec![], vec![grant]));
    let report = BatchReport {
        task,
        epoch: Epoch(0),
        generation: Generation(0),
        result: Ok(output(TaskKind::Audio)),
        retry_at: LogTime(0),
    };
    let outcome = world.apply(batch(vec![report], vec![]));
    let Outcome::Batch(outcome) = outcome else {
        panic!("unexpected outcome of a batch: {outcome:?}");
    };
    assert_eq!(outcome.reports, [Err(Rejection::MisfitReport)]);
}

#[test]
fn a_lease_that_ran_out_counts_only_where_its_release_says_so() {
    let kind = TaskKind::Segment(0);
    for (is_charged, losses) in [(true, 1), (false, 0)] {
        let mut world = World::planned();
        let granted = world.grant(kind).unwrap();
        world.release(&granted, ReleaseCause::Expired { is_charged });
        let task = world.task(kind);
        assert_eq!(task.losses, losses);
        assert_eq!(task.history[0].2, AttemptOutcome::Lost);
        assert!(task.lingering.is_some());
    }
}

#[test]
fn a_new_incarnation_ends_what_the_old_one_held_and_counts_for_nothing() {
    let kind = TaskKind::Segment(0);
    let mut world = World::planned();
    for incarnation in 2..12 {
        let granted = world
            .try_grant(Grant {
                incarnation: Incarnation(incarnation - 1),
                ..grant(kind)
            })
            .unwrap();
        let elsewhere = Grant {
            node: OTHER_NODE,
            ..grant(TaskKind::Segment(1))
        };
        let theirs = world.try_grant(elsewhere);
        assert_eq!(theirs.is_ok(), incarnation == 2);
        assert_eq!(
            world.apply(Command::RegisterNode(node(NODE, incarnation))),
            Outcome::Accepted
        );
        let task = world.task(kind);
        assert!(task.live.is_empty() && task.lingering.is_none());
        assert_eq!((task.losses, task.failures), (0, 0));
        assert_eq!(task.history[0].2, AttemptOutcome::Lost);
        let late = world.report(&granted, Ok(output(kind)));
        assert_eq!(late, Err(Rejection::StaleEpoch));
        assert_eq!(world.task(TaskKind::Segment(1)).live.len(), 1);
    }
}

#[test]
fn at_level_0_of_a_lost_run_the_first_open_segment_counts() {
    let mut world = World::planned();
    world.grant(TaskKind::Segment(0)).unwrap();
    world.grant(TaskKind::Segment(1)).unwrap();
    // As if it had never been raised; every other rule of the two levels is the same here.
    world.state.level = Level(0);
    world.apply(Command::RegisterNode(node(NODE, 2)));
    for (segment, losses) in [(0, 1), (1, 0)] {
        let task = world.task(TaskKind::Segment(segment));
        assert_eq!(task.losses, losses, "segment {segment}");
        assert_eq!(task.history[0].2, AttemptOutcome::Lost, "segment {segment}");
    }
}

#[test]
fn a_registration_that_comes_late_does_not_supersede_the_start_that_runs() {
    let mut world = World::planned();
    let register = |incarnation: u128, boot: u64| {
        Command::Register(Registration {
            info: node(NODE, incarnation),
            boot: Boot(boot),
        })
    };
    assert_eq!(world.apply(register(5, 3)), Outcome::Accepted);
    let late = world.apply(register(4, 2));
    assert_eq!(late, Outcome::Rejected(Rejection::StaleIncarnation));
    assert_eq!(world.state.nodes[&NODE].incarnation, Incarnation(5));
    assert_eq!(world.apply(register(6, 4)), Outcome::Accepted);
    assert_eq!(world.state.nodes[&NODE].incarnation, Incarnation(6));
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
