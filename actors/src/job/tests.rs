//! Tables for the job driver.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cluster::command::Command;
use cluster::model::{
    Attempt, AttemptOutcome, Digest, Epoch, Failure, Fingerprint, JobId, LogTime, NodeId, RanTime,
    SegmentMark, TaskKind,
};
use cluster::state::{Job, Task, TaskPhase};

use super::driver::{Effect, JobDriver, JobEvent, Sight};
use crate::config::Timings;
use crate::testkit::{object, planned};

const JOB: JobId = JobId(1);
const OWN: Fingerprint = Fingerprint(Digest([1; 32]));
const OTHER: Fingerprint = Fingerprint(Digest([2; 32]));

fn sight(job: &Arc<Job>, stamp: u64, units: &[(u32, u64, u64)], nodes: &[Fingerprint]) -> JobEvent {
    JobEvent::Seen(Sight {
        job: Some(Arc::clone(job)),
        ran: RanTime(stamp),
        units: units
            .iter()
            .map(|&(segment, epoch, units)| ((TaskKind::Segment(segment), Epoch(epoch)), units))
            .collect(),
        nodes: (1..).map(NodeId).zip(nodes.iter().copied()).collect(),
    })
}

/// Progress published while a planned job of 2 × 30 frames is looked at.
fn frames(effects: &[Effect]) -> Option<u64> {
    effects.iter().find_map(|effect| match effect {
        Effect::Publish(progress) => Some(progress.frames_done),
        Effect::Propose(_) | Effect::Stop => None,
    })
}

fn proposals(effects: &[Effect]) -> Vec<&Command> {
    effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Propose(command) => Some(command),
            Effect::Publish(_) | Effect::Stop => None,
        })
        .collect()
}

#[test]
fn only_live_attempts_count_and_progress_never_falls() {
    let (state, epochs) = planned(JOB, 2, 30);
    let job = &state.jobs[&JOB];
    let (first, second) = (epochs[0].0, epochs[1].0);
    let mut driver = JobDriver::new(JOB, Timings::default());
    let now = Instant::now();
    type Case<'a> = (&'a str, &'a [(u32, u64, u64)], Option<u64>);
    let cases: [Case<'_>; 5] = [
        ("the plan is there", &[], Some(0)),
        ("one is begun", &[(0, first, 10)], Some(10)),
        (
            "an epoch that is not live",
            &[(0, first, 10), (1, 999, 25)],
            None,
        ),
        (
            "more units than frames",
            &[(0, first, 10), (1, second, 90)],
            Some(40),
        ),
        ("the attempt was lost", &[(1, second, 5)], None),
    ];
    for (what, units, want) in cases {
        let effects = driver.on(sight(job, 0, units, &[OWN]), now);
        assert_eq!(frames(&effects), want, "{what}");
    }
    assert!(driver.progress().fraction < 1.0);
}

#[test]
fn an_ended_or_unknown_job_stops_its_actor() {
    let mut driver = JobDriver::new(JOB, Timings::default());
    let gone = JobEvent::Seen(Sight {
        job: None,
        ran: RanTime(0),
        units: BTreeMap::new(),
        nodes: Vec::new(),
    });
    assert_eq!(driver.on(gone, Instant::now()), [Effect::Stop]);
}

#[test]
fn limits_in_time_are_proposed_once_until_answered() {
    let (state, _) = planned(JOB, 2, 30);
    let job = &state.jobs[&JOB];
    let timings = Timings::default();
    let day = u64::try_from(timings.job_deadline.as_millis()).unwrap() + job.submitted_at.0;
    type Case<'a> = (&'a str, u64, Duration, &'a [Fingerprint], Option<&'a str>);
    let cases: [Case<'_>; 6] = [
        (
            "a day is over",
            day,
            Duration::ZERO,
            &[OWN],
            Some("render_timeout"),
        ),
        ("just under a day", day - 1, Duration::ZERO, &[OWN], None),
        (
            "no node for ten minutes",
            0,
            timings.no_node,
            &[],
            Some("engine_error"),
        ),
        ("no node for a while", 0, timings.no_node / 2, &[], None),
        (
            "only other fingerprints",
            0,
            timings.fingerprint_gone,
            &[OTHER],
            Some("replan"),
        ),
        (
            "its own as well",
            0,
            timings.fingerprint_gone,
            &[OTHER, OWN],
            None,
        ),
    ];
    for (what, stamp, wait, nodes, want) in cases {
        let mut driver = JobDriver::new(JOB, timings);
        let start = Instant::now();
        driver.on(sight(job, 0, &[], nodes), start);
        let effects = driver.on(sight(job, stamp, &[], nodes), start + wait);
        let got: Vec<&str> = proposals(&effects)
            .into_iter()
            .map(|command| match command {
                Command::FailJob { error, .. } => error.code.as_str(),
                Command::Replan { .. } => "replan",
                _ => "something else",
            })
            .collect();
        assert_eq!(got, Vec::from_iter(want), "{what}");
        let again = driver.on(sight(job, stamp, &[], nodes), start + wait);
        assert!(proposals(&again).is_empty(), "{what}: still in flight");
    }
}

#[test]
fn a_node_that_comes_back_starts_the_wait_anew() {
    let (state, _) = planned(JOB, 1, 30);
    let job = &state.jobs[&JOB];
    let timings = Timings::default();
    let mut driver = JobDriver::new(JOB, timings);
    let start = Instant::now();
    driver.on(sight(job, 0, &[], &[]), start);
    driver.on(sight(job, 0, &[], &[OWN]), start + timings.no_node / 2);
    let effects = driver.on(sight(job, 0, &[], &[]), start + timings.no_node);
    assert!(proposals(&effects).is_empty());
}

#[test]
fn a_damaged_input_of_the_join_is_made_anew_once() {
    let (state, epochs) = planned(JOB, 2, 30);
    let mut job = Job::clone(&state.jobs[&JOB]);
    let spoil = |job: &mut Job, mark_epoch: Epoch, path: &str| {
        let made = job
            .tasks
            .get_mut(&TaskKind::Segment(1))
            .map(Arc::make_mut)
            .unwrap();
        let attempt = made
            .live
            .pop()
            .or(made.history.last().map(|last| last.0.clone()))
            .unwrap();
        made.phase = TaskPhase::Done(Some(SegmentMark {
            object: object("segment", 10),
            epoch: mark_epoch,
            from_cache: false,
            fingerprint: OWN,
        }));
        made.history = vec![(attempt.clone(), LogTime(1), AttemptOutcome::Done)];
        let failure = Failure {
            code: "engine_error".to_owned(),
            message: "input 1 of the join is damaged".to_owned(),
            path: Some(path.to_owned()),
            permanent: false,
        };
        let join = job
            .tasks
            .get_mut(&TaskKind::Join)
            .map(Arc::make_mut)
            .unwrap();
        let failed = Attempt {
            epoch: Epoch(100),
            ..attempt
        };
        join.history = vec![(failed, LogTime(2), AttemptOutcome::Failed(failure))];
    };
    let reopened = [Command::ReopenTasks {
        job: JOB,
        generation: job.generation,
        tasks: vec![TaskKind::Segment(1)],
    }];
    let cases = [
        (
            "made before the join that blames it",
            epochs[1],
            "inputs[1]",
            true,
        ),
        ("made anew since", Epoch(101), "inputs[1]", false),
        ("nothing is blamed", epochs[1], "elements[0]", false),
        (
            "several are blamed, one of them is made",
            epochs[1],
            "inputs[0,1,2]",
            true,
        ),
        ("not a list", epochs[1], "inputs[1,]", false),
        (
            "a task that is not done is blamed",
            epochs[1],
            "inputs[0]",
            false,
        ),
    ];
    for (what, mark_epoch, path, wants) in cases {
        spoil(&mut job, mark_epoch, path);
        let mut driver = JobDriver::new(JOB, Timings::default());
        let effects = driver.on(
            sight(&Arc::new(job.clone()), 0, &[], &[OWN]),
            Instant::now(),
        );
        let want: Vec<&Command> = reopened.iter().filter(|_| wants).collect();
        assert_eq!(proposals(&effects), want, "{what}");
    }
}

#[test]
fn all_damaged_inputs_of_a_join_are_made_anew_at_once() {
    let (state, epochs) = planned(JOB, 4, 30);
    let mut job = Job::clone(&state.jobs[&JOB]);
    let mut last = None;
    for index in 0..4 {
        let made = job
            .tasks
            .get_mut(&TaskKind::Segment(index))
            .map(Arc::make_mut)
            .unwrap();
        made.phase = TaskPhase::Done(Some(SegmentMark {
            object: object("segment", 10),
            // The third was made anew since.
            epoch: if index == 2 { Epoch(101) } else { epochs[1] },
            from_cache: false,
            fingerprint: OWN,
        }));
        last = made.live.pop().or(last);
    }
    let failure = Failure {
        code: "engine_error".to_owned(),
        message: "inputs of the join are damaged".to_owned(),
        path: Some(crate::ports::damaged_inputs_path(&[0, 2, 3])),
        permanent: false,
    };
    let failed = Attempt {
        epoch: Epoch(100),
        ..last.unwrap()
    };
    let join = job
        .tasks
        .get_mut(&TaskKind::Join)
        .map(Arc::make_mut)
        .unwrap();
    join.history = vec![(failed, LogTime(2), AttemptOutcome::Failed(failure))];
    let mut driver = JobDriver::new(JOB, Timings::default());
    let effects = driver.on(sight(&Arc::new(job), 0, &[], &[OWN]), Instant::now());
    let want = Command::ReopenTasks {
        job: JOB,
        generation: state.jobs[&JOB].generation,
        tasks: vec![TaskKind::Segment(0), TaskKind::Segment(3)],
    };
    assert_eq!(proposals(&effects), [&want]);
}

#[test]
fn sources_that_are_gone_are_fetched_again() {
    const FETCHER: NodeId = NodeId(1);
    let (state, _) = planned(JOB, 1, 30);
    let mut job = Job::clone(&state.jobs[&JOB]);
    let attempt = job.tasks[&TaskKind::Segment(0)].live[0].clone();
    assert_eq!(attempt.node, FETCHER);
    let mut fetch = Task::clone(&job.tasks[&TaskKind::Segment(0)]);
    fetch.live.clear();
    fetch.phase = TaskPhase::Done(None);
    fetch.history = vec![(attempt.clone(), LogTime(1), AttemptOutcome::Done)];
    job.tasks.insert(TaskKind::Fetch, Arc::new(fetch));
    let plan = job.plan.take();
    let ended = |epoch: u64, path: Option<&str>| {
        let failure = Failure {
            code: "storage_unavailable".to_owned(),
            message: "it is not there".to_owned(),
            path: path.map(str::to_owned),
            permanent: false,
        };
        let attempt = Attempt {
            epoch: Epoch(attempt.epoch.0 + epoch),
            ..attempt.clone()
        };
        vec![(attempt, LogTime(2), AttemptOutcome::Failed(failure))]
    };
    let timings = Timings::default();
    let (own, other) = ((FETCHER, OWN), (NodeId(2), OWN));
    type Case<'a> = (
        &'a str,
        Vec<(NodeId, Fingerprint)>,
        u64,
        Option<&'a str>,
        bool,
    );
    let lost = Some(crate::ports::LOST_SOURCES);
    let cases: [Case<'_>; 6] = [
        ("its node polls", vec![own, other], 1, None, false),
        ("only others poll", vec![other], 1, None, true),
        ("no node polls", vec![], 1, None, false),
        ("they are not there", vec![own], 1, lost, true),
        ("they were fetched since", vec![own], 0, lost, false),
        ("another failure", vec![own], 1, Some("elements[0]"), false),
    ];
    for (what, nodes, epoch, path, wants) in cases {
        let prepare = job.tasks.get_mut(&TaskKind::Prepare).map(Arc::make_mut);
        prepare.unwrap().history = ended(epoch, path);
        let sight = |job: &Job| {
            JobEvent::Seen(Sight {
                job: Some(Arc::new(job.clone())),
                ran: RanTime(0),
                units: BTreeMap::new(),
                nodes: nodes.clone(),
            })
        };
        let mut driver = JobDriver::new(JOB, timings);
        let start = Instant::now();
        let mut effects = driver.on(sight(&job), start);
        if path.is_none() {
            assert!(
                proposals(&effects).is_empty(),
                "{what}: a moment counts for nothing"
            );
            effects = driver.on(sight(&job), start + timings.suspect);
        }
        let reopen = Command::ReopenTasks {
            job: JOB,
            generation: job.generation,
            tasks: vec![TaskKind::Fetch],
        };
        let want: Vec<&Command> = Some(&reopen).filter(|_| wants).into_iter().collect();
        assert_eq!(proposals(&effects), want, "{what}");
        let mut planned = job.clone();
        planned.plan.clone_from(&plan);
        let mut driver = JobDriver::new(JOB, timings);
        driver.on(sight(&planned), start);
        let effects = driver.on(sight(&planned), start + timings.suspect);
        assert!(
            proposals(&effects).is_empty(),
            "{what}: a plan needs no sources"
        );
    }
}
