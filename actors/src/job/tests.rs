//! Tables for the job driver.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cluster::command::Command;
use cluster::model::{Digest, Epoch, Fingerprint, JobId, LogTime, TaskKind};
use cluster::state::Job;

use super::driver::{Effect, JobDriver, JobEvent, Sight};
use crate::config::Timings;
use crate::testkit::planned;

const JOB: JobId = JobId(1);
const OURS: Fingerprint = Fingerprint(Digest([1; 32]));
const OTHER: Fingerprint = Fingerprint(Digest([2; 32]));

fn sight(job: &Arc<Job>, stamp: u64, units: &[(u32, u64, u64)], nodes: &[Fingerprint]) -> JobEvent {
    JobEvent::Seen(Sight {
        job: Some(Arc::clone(job)),
        stamp: LogTime(stamp),
        units: units
            .iter()
            .map(|&(segment, epoch, units)| ((TaskKind::Segment(segment), Epoch(epoch)), units))
            .collect(),
        fingerprints: nodes.to_vec(),
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
    let cases: [(&str, &[(u32, u64, u64)], Option<u64>); 5] = [
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
        let effects = driver.on(sight(job, 0, units, &[OURS]), now);
        assert_eq!(frames(&effects), want, "{what}");
    }
    assert!(driver.progress().fraction < 1.0);
}

#[test]
fn an_ended_or_unknown_job_stops_its_actor() {
    let mut driver = JobDriver::new(JOB, Timings::default());
    let gone = JobEvent::Seen(Sight {
        job: None,
        stamp: LogTime(0),
        units: BTreeMap::new(),
        fingerprints: Vec::new(),
    });
    assert_eq!(driver.on(gone, Instant::now()), [Effect::Stop]);
}

#[test]
fn limits_in_time_are_proposed_once_until_answered() {
    let (state, _) = planned(JOB, 2, 30);
    let job = &state.jobs[&JOB];
    let timings = Timings::default();
    let day = u64::try_from(timings.job_deadline.as_millis()).unwrap() + job.submitted_at.0;
    let cases: [(&str, u64, Duration, &[Fingerprint], Option<&str>); 6] = [
        (
            "a day is over",
            day,
            Duration::ZERO,
            &[OURS],
            Some("render_timeout"),
        ),
        ("just under a day", day - 1, Duration::ZERO, &[OURS], None),
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
            &[OTHER, OURS],
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
    driver.on(sight(job, 0, &[], &[OURS]), start + timings.no_node / 2);
    let effects = driver.on(sight(job, 0, &[], &[]), start + timings.no_node);
    assert!(proposals(&effects).is_empty());
}
