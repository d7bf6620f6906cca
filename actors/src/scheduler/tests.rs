//! Tables for the scheduler's core: a state, polls and a clock; no actor, no waiting.

mod sharing;
mod transfers;

use std::time::{Duration, Instant};

use cluster::State;
use cluster::command::{Command, Outcome, Release, ReleaseCause, Report, Round, Stamped};
use cluster::model::{
    Epoch, Failure, Incarnation, JobId, LogIndex, LogTime, NodeId, RanTime, TaskKind, TaskRef,
};

use super::core::SchedulerCore;
use super::facts::Ticket;
use crate::config::Timings;
use crate::poll::{Held, Poll, PollReply};
use crate::ports::Times;
use crate::testkit::{newest, node, planned, submission};

const JOB: JobId = JobId(1);

/// A leader's core beside the state its batches are applied to.
struct Bench {
    state: State,
    core: SchedulerCore,
    now: Instant,
    stamp: u64,
    tickets: u64,
}

impl Bench {
    fn new(state: State) -> Self {
        let now = Instant::now();
        let core = SchedulerCore::new(Timings::default(), 0, now);
        Self {
            state,
            core,
            now,
            stamp: 10_000,
            tickets: 0,
        }
    }

    fn apply(&mut self, command: Command) -> Outcome {
        let index = LogIndex(self.state.applied.0 + 1);
        self.state.apply(
            index,
            Stamped {
                at: LogTime(self.stamp),
                ran: Some(RanTime(self.stamp)),
                command,
            },
        )
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        self.stamp += u64::try_from(time.as_millis()).unwrap();
    }

    fn send(&mut self, poll: &Poll) -> Ticket {
        self.tickets += 1;
        let ticket = Ticket(self.tickets);
        self.core.poll(ticket, poll, self.now);
        ticket
    }

    fn times(&self) -> Times {
        Times {
            now: LogTime(self.stamp),
            ran: RanTime(self.stamp),
        }
    }

    /// One round, committed; what was proposed.
    fn round(&mut self) -> Option<Round> {
        let times = self.times();
        let round = self.core.round(&self.state, self.now, times, &mut || 1.0)?;
        let outcome = match self.apply(Command::Round(round.clone())) {
            Outcome::Round(outcome) => outcome,
            other => panic!("unexpected outcome of a round: {other:?}"),
        };
        self.core.settled(Ok(outcome), self.now);
        Some(round)
    }

    /// Polls, runs a round, and gives the answer if there is one.
    fn ask(&mut self, poll: &Poll) -> Option<PollReply> {
        let ticket = self.send(poll);
        self.round();
        self.answers()
            .into_iter()
            .find(|(answered, _)| *answered == ticket)
            .map(|(_, reply)| reply)
    }

    fn answers(&mut self) -> Vec<(Ticket, PollReply)> {
        self.core.answers(&self.state, self.now)
    }
}

fn poll(id: u64, free_slots: u32, held: &[(u32, Epoch, u64)]) -> Poll {
    Poll {
        node: NodeId(id),
        incarnation: Incarnation(1),
        held: held
            .iter()
            .map(|&(index, epoch, units)| Held {
                task: segment(index),
                epoch,
                units,
            })
            .collect(),
        reports: Vec::new(),
        handed_back: Vec::new(),
        free_slots,
        settling_slots: 0,
        free_transfers: 0,
        draining: false,
    }
}

fn segment(index: u32) -> TaskRef {
    TaskRef {
        job: JOB,
        kind: TaskKind::Segment(index),
    }
}

/// What each run of a reply is made of.
fn runs(reply: &PollReply) -> Vec<Vec<TaskKind>> {
    reply
        .assign
        .iter()
        .map(|run| run.iter().map(|one| one.granted.task.kind).collect())
        .collect()
}

fn segments(indices: std::ops::Range<u32>) -> Vec<TaskKind> {
    indices.map(TaskKind::Segment).collect()
}

/// A planned job of which nothing is leased.
fn open(count: u32, frames: u64) -> State {
    let (mut state, epochs) = planned(JOB, count, frames);
    let releases = (0u32..)
        .zip(epochs)
        .map(|(index, epoch)| Release {
            task: segment(index),
            epoch,
            cause: ReleaseCause::HandedBack,
        })
        .collect();
    let command = Command::Round(Round {
        releases,
        ..Round::default()
    });
    state.apply(
        LogIndex(state.applied.0 + 1),
        Stamped {
            at: LogTime(2000),
            ran: Some(RanTime(2000)),
            command,
        },
    );
    state
}

#[test]
fn open_segments_are_split_evenly_over_free_slots() {
    #[expect(clippy::single_range_in_vec_init, reason = "one run is one range")]
    let cases = [
        (4, 1, vec![0..4]),
        (4, 2, vec![0..2, 2..4]),
        (5, 2, vec![0..3, 3..5]),
        (3, 4, vec![0..1, 1..2, 2..3]),
        (1, 2, vec![0..1]),
    ];
    for (count, slots, want) in cases {
        let mut bench = Bench::new(open(count, 30));
        let reply = bench.ask(&poll(1, slots, &[])).unwrap();
        let want: Vec<_> = want.into_iter().map(segments).collect();
        assert_eq!(runs(&reply), want, "{count} segments, {slots} slots");
    }
}

#[test]
fn a_poll_waits_for_work_and_is_answered_at_once_when_there_is_some() {
    let mut state = newest();
    let command = Command::RegisterNode(node(1, 1, 1));
    state.apply(
        LogIndex(1),
        Stamped {
            at: LogTime(0),
            ran: None,
            command,
        },
    );
    let mut bench = Bench::new(state);
    let ticket = bench.send(&poll(1, 1, &[]));
    assert_eq!(
        (bench.round(), bench.answers()),
        (None, Vec::new()),
        "nothing to do: parked"
    );
    bench.apply(Command::SubmitJob(submission(JOB)));
    bench.core.wake();
    assert!(bench.core.wants_round(bench.now));
    bench.round();
    let answers = bench.answers();
    assert_eq!(answers[0].0, ticket);
    assert_eq!(runs(&answers[0].1), [[TaskKind::Prepare]]);

    let idle = bench.send(&poll(1, 0, &[]));
    assert!(bench.answers().is_empty());
    bench.pass(Timings::default().poll);
    assert_eq!(
        bench.answers(),
        [(idle, PollReply::default())],
        "a second is long enough"
    );
}

#[test]
fn a_slot_is_not_filled_twice_before_its_node_has_heard() {
    let mut bench = Bench::new(open(2, 30));
    bench.apply(Command::SubmitJob(submission(JobId(2))));
    assert_eq!(
        runs(&bench.ask(&poll(1, 1, &[])).unwrap()),
        [segments(0..2)]
    );
    // This poll left before the assignment arrived.
    assert_eq!(bench.ask(&poll(1, 1, &[])), None);
}

#[test]
fn a_failed_report_gets_its_delay_and_is_confirmed() {
    let (state, epochs) = planned(JOB, 1, 30);
    let mut bench = Bench::new(state);
    let mut with_report = poll(1, 0, &[]);
    let failure = Failure {
        code: "engine_error".to_owned(),
        message: "worker exited: signal 9".to_owned(),
        path: None,
        permanent: false,
    };
    with_report.reports = vec![Report {
        task: segment(0),
        epoch: epochs[0],
        generation: bench.state.jobs[&JOB].generation,
        result: Err(failure),
        retry_after_millis: 0,
    }];
    let ticket = bench.send(&with_report);
    assert!(bench.answers().is_empty(), "not before it is committed");
    let round = bench.round().unwrap();
    assert_eq!(round.reports[0].retry_after_millis, 1000);
    assert_eq!(
        round.releases,
        [],
        "a reported lease is not released as well"
    );
    let answers = bench.answers();
    assert_eq!(answers[0].0, ticket);
    assert_eq!(answers[0].1.reported, [(segment(0), epochs[0], Ok(()))]);
    bench.pass(Duration::from_millis(999));
    assert_eq!(
        bench.ask(&poll(1, 1, &[])),
        None,
        "not before its delay is over"
    );
    bench.pass(Duration::from_millis(1));
    assert_eq!(
        runs(&bench.ask(&poll(1, 1, &[])).unwrap()),
        [segments(0..1)]
    );
}

#[test]
fn leases_that_ended_are_revoked_and_lost_ones_are_not() {
    let (state, epochs) = planned(JOB, 2, 30);
    let mut bench = Bench::new(state);
    let lost = Release {
        task: segment(0),
        epoch: epochs[0],
        cause: ReleaseCause::Expired { is_charged: true },
    };
    let back = Release {
        task: segment(1),
        epoch: epochs[1],
        cause: ReleaseCause::HandedBack,
    };
    bench.apply(Command::Round(Round {
        releases: vec![lost, back],
        ..Round::default()
    }));
    let held = [(0, epochs[0], 5), (1, epochs[1], 5)];
    let reply = bench.ask(&poll(1, 0, &held)).unwrap();
    assert_eq!(
        reply.revoke,
        [(segment(1), epochs[1])],
        "a lost one may still report"
    );
    bench.apply(Command::CancelJob {
        job: JOB,
        workspace: "w".to_owned(),
    });
    let reply = bench.ask(&poll(1, 0, &held)).unwrap();
    assert_eq!(reply.revoke.len(), 2, "nothing of a cancelled job goes on");
}

#[test]
fn a_silent_node_loses_its_leases_after_one_lease_and_gets_nothing_while_suspect() {
    let (state, epochs) = planned(JOB, 1, 30);
    let mut bench = Bench::new(state);
    bench.apply(Command::SubmitJob(submission(JobId(2))));
    let timings = Timings::default();
    bench.ask(&poll(1, 0, &[(0, epochs[0], 1)]));
    let mut other = poll(1, 1, &[(0, epochs[0], 1)]);
    other.free_slots = 1;
    bench.core.poll(Ticket(99), &other, bench.now);
    bench.pass(timings.suspect + Duration::from_millis(1));
    assert_eq!(bench.round(), None, "suspect: no new work");
    bench.pass(timings.lease - timings.suspect - Duration::from_millis(1));
    assert_eq!(bench.round(), None, "the lease holds to its last moment");
    bench.pass(Duration::from_millis(1));
    let round = bench.round().unwrap();
    assert_eq!(
        round.releases,
        [Release {
            task: segment(0),
            epoch: epochs[0],
            cause: ReleaseCause::Expired { is_charged: true },
        }]
    );
}

#[test]
fn an_unlisted_lease_is_sent_once_more_and_then_released_without_blame() {
    let (state, epochs) = planned(JOB, 1, 30);
    let mut bench = Bench::new(state);
    bench.round();
    let mut granted = Vec::new();
    let mut released = None;
    for poll_number in 1..=6 {
        bench.pass(Duration::from_secs(1));
        let ticket = bench.send(&poll(1, 0, &[]));
        if let Some(round) = bench.round() {
            released = Some((poll_number, round.releases));
            break;
        }
        granted.extend(
            bench
                .answers()
                .into_iter()
                .filter(|(answered, _)| *answered == ticket)
                .map(|(_, reply)| (poll_number, runs(&reply))),
        );
    }
    assert_eq!(
        granted,
        [(2, vec![segments(0..1)])],
        "after two polls, once"
    );
    let release = Release {
        task: segment(0),
        epoch: epochs[0],
        cause: ReleaseCause::HandedBack,
    };
    assert_eq!(released, Some((4, vec![release])));
}

#[test]
fn the_tail_half_of_a_run_goes_to_an_idle_slot() {
    let cases: [(u32, u64, Option<std::ops::Range<u32>>); 5] = [
        (5, 1, Some(3..5)),
        (3, 1, Some(2..3)),
        (2, 10, Some(1..2)),
        (2, 15, None), // The next one would be begun before the order to stop arrives.
        (1, 1, None),
    ];
    for (count, units, want) in cases {
        let mut bench = Bench::new(open(count, 30));
        bench.ask(&poll(1, 1, &[])).unwrap();
        let held: Vec<(u32, Epoch, u64)> = (0..count)
            .map(|index| {
                let task = &bench.state.jobs[&JOB].tasks[&TaskKind::Segment(index)];
                (
                    index,
                    task.live[0].epoch,
                    if index == 0 { units } else { 0 },
                )
            })
            .collect();
        let ticket = bench.send(&poll(1, 1, &held));
        let round = bench.round();
        let got = round.map(|round| round.grants[0].tasks.clone());
        assert_eq!(
            got,
            want.clone().map(segments),
            "{count} segments, {units} frames done"
        );
        let Some(stolen) = want else { continue };
        let (_, reply) = bench
            .answers()
            .into_iter()
            .find(|(one, _)| *one == ticket)
            .unwrap();
        assert_eq!(runs(&reply), [segments(stolen.clone())]);
        let revoked: Vec<TaskKind> = reply.revoke.iter().map(|(task, _)| task.kind).collect();
        assert_eq!(
            revoked,
            segments(stolen),
            "the same reply takes them from the other slot"
        );
    }
}

#[test]
fn a_proposal_without_outcome_is_repeated_with_the_same_reports() {
    let (state, epochs) = planned(JOB, 1, 30);
    let mut bench = Bench::new(state);
    let mut back = poll(1, 0, &[]);
    back.handed_back = vec![(segment(0), epochs[0])];
    bench.send(&back);
    let (now, times) = (bench.now, bench.times());
    let first = bench
        .core
        .round(&bench.state, now, times, &mut || 1.0)
        .unwrap();
    assert!(!bench.core.wants_round(now), "one at a time");
    bench
        .core
        .settled(Err(crate::ports::ProposeError::Unknown), now);
    assert!(!bench.core.wants_round(now), "not at once");
    bench.pass(Duration::from_secs(1));
    assert!(bench.core.wants_round(bench.now));
    assert_eq!(bench.round().unwrap().releases, first.releases);
}
