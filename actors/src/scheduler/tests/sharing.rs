//! Who gets a slot when there are fewer slots than work, who gives one back, and what a lost
//! node's leases count for.

use cluster::command::Grant;
use cluster::model::{FrameRange, FrameRate, PlanFacts, TaskOutput};

use super::*;
use crate::testkit;

fn submit(bench: &mut Bench, id: u128, workspace: &str, priority: i8) {
    let mut submission = submission(JobId(id));
    submission.workspace = workspace.to_owned();
    submission.priority = priority;
    bench.apply(Command::SubmitJob(submission));
}

fn jobs(round: &Round) -> Vec<u128> {
    round.grants.iter().map(|grant| grant.job.0).collect()
}

/// The leases of the planned job as a poll lists them, `units` frames into the first.
fn held(bench: &Bench, count: u32, units: u64) -> Vec<(u32, Epoch, u64)> {
    let tasks = &bench.state.jobs[&JOB].tasks;
    (0..count)
        .filter_map(|index| {
            let attempt = tasks[&TaskKind::Segment(index)].live.first()?;
            Some((index, attempt.epoch, if index == 0 { units } else { 0 }))
        })
        .collect()
}

#[test]
fn fair_share_goes_before_priority_and_priority_before_age() {
    let mut bench = Bench::new(newest());
    bench.apply(Command::RegisterNode(node(1, 1, 4)));
    for (id, workspace, priority) in [(1, "a", 0), (2, "a", 0), (3, "b", 0), (4, "a", 5)] {
        submit(&mut bench, id, workspace, priority);
    }
    bench.send(&poll(1, 4, &[]));
    // Of equals the highest priority; then `b`, which has nothing; then the older of `a`.
    assert_eq!(jobs(&bench.round().unwrap()), [4, 3, 1, 2]);
}

#[test]
fn many_renders_of_high_priority_do_not_hold_another_workspaces_one() {
    let mut bench = Bench::new(newest());
    bench.apply(Command::RegisterNode(node(1, 1, 2)));
    for id in 1..=150 {
        submit(&mut bench, id, "many", 10);
    }
    submit(&mut bench, 999, "one", -10);
    bench.send(&poll(1, 2, &[]));
    assert_eq!(jobs(&bench.round().unwrap()), [1, 999]);
}

#[test]
fn workspaces_take_turns_on_one_slot() {
    let mut bench = Bench::new(newest());
    bench.apply(Command::RegisterNode(node(1, 1, 1)));
    for id in 1..=3 {
        submit(&mut bench, id, "a", 0);
        submit(&mut bench, 10 + id, "b", 10);
    }
    let mut order = Vec::new();
    for _ in 0..6 {
        bench.send(&poll(1, 1, &[]));
        let round = bench.round().unwrap();
        let granted = round.grants[0].clone();
        order.push(granted.job.0);
        // It ends by being cancelled; what matters is whose turn is next.
        for workspace in ["a", "b"] {
            bench.apply(Command::CancelJob {
                job: granted.job,
                workspace: workspace.to_owned(),
            });
        }
    }
    assert_eq!(order, [11, 1, 12, 2, 13, 3]);
}

#[test]
fn a_long_run_gives_back_what_it_has_not_begun_when_another_workspace_waits() {
    let mut bench = Bench::new(open(6, 30));
    bench.ask(&poll(1, 1, &[])).unwrap();
    let leases = held(&bench, 6, 3);
    assert_eq!(bench.ask(&poll(1, 0, &leases)), None, "no workspace waits");
    submit(&mut bench, 9, "other", 0);
    let reply = bench.ask(&poll(1, 0, &leases)).unwrap();
    let run = bench.state.jobs[&JOB].tasks[&TaskKind::Segment(0)].live[0].run;
    assert_eq!(reply.hand_back, [run]);
    assert_eq!(bench.ask(&poll(1, 0, &leases)), None, "once a second");

    // The node hands back all but the segment it works on, and then has a free slot.
    let mut back = poll(1, 0, &leases[..1]);
    back.handed_back = leases[1..]
        .iter()
        .map(|&(index, epoch, _)| (segment(index), epoch))
        .collect();
    bench.send(&back);
    assert_eq!(bench.round().unwrap().releases.len(), 5);
    bench.pass(Duration::from_secs(1));
    let reply = bench.ask(&poll(1, 1, &leases[..1])).unwrap();
    assert_eq!(runs(&reply), [[TaskKind::Prepare]], "the other's turn");
}

#[test]
fn a_long_run_is_asked_for_also_while_another_is_at_its_last_segment() {
    let mut bench = Bench::new(open(6, 30));
    bench.ask(&poll(1, 2, &[])).unwrap();
    let all = held(&bench, 6, 3);
    // The first run has given back what it had not begun; its one segment may take long.
    submit(&mut bench, 9, "other", 0);
    let mut back = poll(1, 0, &[&all[..1], &all[3..]].concat());
    back.handed_back = all[1..3]
        .iter()
        .map(|&(index, epoch, _)| (segment(index), epoch))
        .collect();
    bench.send(&back);
    assert_eq!(bench.round().unwrap().releases.len(), 2);
    bench.pass(Duration::from_secs(1));
    let reply = bench.ask(&poll(1, 0, &[&all[..1], &all[3..]].concat()));
    let run = bench.state.jobs[&JOB].tasks[&TaskKind::Segment(3)].live[0].run;
    assert_eq!(
        reply.unwrap().hand_back,
        [run],
        "its boundary may come first"
    );
}

/// A render of one segment and sound, of which neither has begun.
fn with_sound(bench: &mut Bench, id: u128, workspace: &str) {
    submit(bench, id, workspace, 0);
    let job = JobId(id);
    let info = node(1, 1, 2);
    let outcome = bench.apply(Command::Round(Round {
        grants: vec![Grant {
            job,
            tasks: vec![TaskKind::Prepare],
            node: info.id,
            incarnation: info.incarnation,
            fingerprint: info.fingerprint,
            extra: false,
        }],
        ..Round::default()
    }));
    let Outcome::Round(outcome) = outcome else {
        panic!("{outcome:?}");
    };
    let granted = outcome.grants.into_iter().flatten().flatten().next();
    let granted = granted.expect("a node of two slots takes it");
    bench.apply(Command::Round(Round {
        reports: vec![Report {
            task: granted.task,
            epoch: granted.epoch,
            generation: granted.generation,
            result: Ok(TaskOutput::Plan {
                object: testkit::object("plan", 1),
                facts: PlanFacts {
                    frames: 30,
                    rate: FrameRate::new(30, 1).unwrap(),
                    segments: FrameRange::new(0, 30).into_iter().collect(),
                    has_audio: true,
                },
            }),
            retry_after_millis: 0,
        }],
        ..Round::default()
    }));
}

#[test]
fn the_sound_of_one_workspace_takes_half_of_the_slots_at_most() {
    let mut bench = Bench::new(newest());
    bench.apply(Command::RegisterNode(node(1, 1, 2)));
    with_sound(&mut bench, 1, "many");
    with_sound(&mut bench, 2, "many");
    bench.send(&poll(1, 2, &[]));
    let round = bench.round().unwrap();
    let tasks: Vec<_> = round.grants.iter().map(|one| one.tasks.clone()).collect();
    assert_eq!(tasks, [vec![TaskKind::Audio], segments(0..1)]);
}

#[test]
fn a_slot_that_comes_free_by_itself_is_waited_for() {
    let mut bench = Bench::new(open(1, 30));
    bench.ask(&poll(1, 1, &[])).unwrap();
    let leases = held(&bench, 1, 3);
    submit(&mut bench, 9, "other", 0);
    assert_eq!(bench.ask(&poll(1, 0, &leases)), None);
}

#[test]
fn within_a_workspace_only_a_higher_priority_takes_a_run_back() {
    for (priority, is_taken) in [(0, false), (3, true)] {
        let mut bench = Bench::new(open(6, 30));
        bench.ask(&poll(1, 1, &[])).unwrap();
        let leases = held(&bench, 6, 3);
        bench.ask(&poll(1, 0, &leases));
        let own = bench.state.jobs[&JOB].workspace.clone();
        submit(&mut bench, 9, &own, priority);
        let reply = bench.ask(&poll(1, 0, &leases)).unwrap_or_default();
        assert_eq!(!reply.hand_back.is_empty(), is_taken, "priority {priority}");
    }
}

#[test]
fn a_lost_node_counts_for_what_had_begun_there_and_was_alone() {
    // Units of each segment, whether another run shares the node, and what is charged.
    let cases: [(&[u64], bool, &[u32]); 4] = [
        (&[7, 0, 0], false, &[0]),
        (&[30, 4, 0], false, &[1]),
        (&[0, 0, 0], false, &[]),
        (&[7, 0, 0], true, &[]),
    ];
    for (units, is_shared, want) in cases {
        let mut bench = Bench::new(open(3, 30));
        if is_shared {
            submit(&mut bench, 9, "other", 0);
        }
        bench
            .ask(&poll(1, if is_shared { 2 } else { 1 }, &[]))
            .unwrap();
        let tasks = bench.state.jobs[&JOB].tasks.clone();
        let leases: Vec<(u32, Epoch, u64)> = (0u32..)
            .zip(units)
            .filter_map(|(index, &units)| {
                let attempt = tasks[&TaskKind::Segment(index)].live.first()?;
                Some((index, attempt.epoch, units))
            })
            .collect();
        bench.ask(&poll(1, 0, &leases));
        bench.pass(Timings::default().lease + Duration::from_millis(1));
        let round = bench.round().unwrap();
        let charged: Vec<TaskKind> = round
            .releases
            .iter()
            .filter(|one| one.cause == ReleaseCause::Expired { is_charged: true })
            .map(|one| one.task.kind)
            .collect();
        let want: Vec<TaskKind> = want.iter().copied().map(TaskKind::Segment).collect();
        assert_eq!(charged, want, "{units:?}, shared: {is_shared}");
        assert_eq!(round.releases.len(), 3);
    }
}

#[test]
fn a_run_whose_answer_was_lost_is_sent_again_as_one_run() {
    let mut bench = Bench::new(open(5, 30));
    bench.ask(&poll(1, 1, &[])).unwrap();
    // The answer never arrived: the node lists nothing of it.
    let mut again = None;
    for _ in 0..3 {
        bench.pass(Duration::from_secs(1));
        again = bench.ask(&poll(1, 1, &[])).or(again);
    }
    assert_eq!(runs(&again.unwrap()), [segments(0..5)]);
}

#[test]
fn a_new_leader_finds_the_runs_in_applied_state() {
    let mut bench = Bench::new(open(6, 30));
    bench.ask(&poll(1, 1, &[])).unwrap();
    let leases = held(&bench, 6, 3);
    let mut next = Bench::new(bench.state.clone());
    // Once a poll has listed them, an idle slot takes half of the run.
    assert_eq!(next.ask(&poll(1, 1, &leases)), None);
    next.send(&poll(1, 1, &leases));
    let round = next.round().unwrap();
    assert_eq!(round.grants[0].tasks, segments(3..6));
}

#[test]
fn a_slot_whose_outputs_are_not_reported_waits_for_them_while_others_have_work() {
    for (is_shared, is_granted) in [(false, true), (true, false)] {
        let mut bench = Bench::new(open(2, 30));
        if is_shared {
            submit(&mut bench, 9, "other", 0);
        }
        let mut settling = poll(1, 1, &[]);
        settling.settling_slots = 1;
        bench.send(&settling);
        assert_eq!(bench.round().is_some(), is_granted, "shared: {is_shared}");
        if is_shared {
            bench.send(&poll(1, 1, &[]));
            assert!(bench.round().is_some(), "it is reported");
        }
    }
}
