//! Tables for the node's book: what it holds, reports, hands back and does.

mod transfers;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use cluster::command::Granted;
use cluster::model::{
    Epoch, FrameRange, Generation, JobId, RunNumber, TaskKind, TaskOutput, TaskRef,
};

use super::book::{Book, Effect, engine_error};
use super::slots::RunId;
use crate::config::Timings;
use crate::poll::PollReply;
use crate::ports::{Assignment, Staged};
use crate::slot::SlotEvent;
use crate::testkit::object;

const RUN: RunId = RunId(0);

fn segment(index: u32) -> (TaskRef, Epoch) {
    let kind = TaskKind::Segment(index);
    (
        TaskRef {
            job: JobId(1),
            kind,
        },
        Epoch(u64::from(index) + 10),
    )
}

fn assigned(count: u32) -> PollReply {
    let run = (0..count)
        .map(|index| {
            let (task, epoch) = segment(index);
            Assignment {
                granted: Granted {
                    task,
                    epoch,
                    run: RunNumber(10),
                    attempt: 1,
                    generation: Generation(1),
                    frames: FrameRange::new(0, 30),
                },
                request: object("request", 1),
                plan: None,
                findings: None,
                inputs: Vec::new(),
                has_audio: false,
                no_cache: false,
                assets: Vec::new(),
                fetched: None,
                ingest: None,
                deliver: None,
            }
        })
        .collect();
    PollReply {
        assign: vec![run],
        ..PollReply::default()
    }
}

fn revoked(indices: &[u32]) -> PollReply {
    let revoke = indices.iter().map(|&index| segment(index)).collect();
    PollReply {
        revoke,
        ..PollReply::default()
    }
}

/// A book whose one slot renders a run of `count` segments and has made `made` of them.
fn rendering(count: u32, made: u32) -> (Book, Instant) {
    let now = Instant::now();
    let mut book = Book::new(Timings::default(), 1, 0, 0);
    book.slot(0, SlotEvent::Ready, now);
    book.reply(assigned(count), now);
    book.staged(
        RUN,
        Ok(Staged {
            order: vec![1],
            scratch: PathBuf::from("s"),
        }),
        now,
    );
    for output in 0..made {
        book.slot(
            0,
            SlotEvent::Output {
                run: RUN,
                output,
                body: Vec::new(),
            },
            now,
        );
        let file = TaskOutput::Segment {
            object: object("file", 1),
            from_cache: false,
        };
        book.published(RUN, output, Ok(file));
    }
    (book, now)
}

/// Short descriptions of the effects, without polls.
fn described(effects: &[Effect]) -> Vec<String> {
    effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Stage { assignments, .. } => Some(format!("stage {}", assignments.len())),
            Effect::Abort(_) => Some("abort".to_owned()),
            Effect::Transfer { assignment, .. } => {
                Some(format!("transfer {:?}", assignment.granted.task.kind))
            }
            Effect::Start { .. } => Some("start".to_owned()),
            Effect::StopBefore { output, .. } => Some(format!("stop before {output}")),
            Effect::Kill(_) => Some("kill".to_owned()),
            Effect::Publish { output, .. } => Some(format!("publish {output}")),
            Effect::Clean(..) => Some("clean".to_owned()),
            Effect::Poll => None,
        })
        .collect()
}

fn held(book: &Book) -> Vec<TaskKind> {
    book.held().into_iter().map(|held| held.task.kind).collect()
}

fn kinds(indices: &[u32]) -> Vec<TaskKind> {
    indices
        .iter()
        .map(|&index| TaskKind::Segment(index))
        .collect()
}

#[test]
fn revoking_kills_only_for_the_output_being_made() {
    // Of three segments the first is made: the second is being worked on.
    type Case<'a> = (&'a [u32], &'a [&'a str], &'a [u32], usize);
    let cases: [Case<'_>; 5] = [
        (&[2], &["stop before 2"], &[1], 0),
        (&[1, 2], &["kill"], &[], 0),
        (&[1], &["kill"], &[], 1),
        (&[0, 1, 2], &["kill"], &[], 0),
        (&[7], &[], &[1, 2], 0),
    ];
    for (revoke, effects, still, handed_back) in cases {
        let (mut book, now) = rendering(3, 1);
        let got = book.reply(revoked(revoke), now);
        assert_eq!(described(&got), effects, "revoking {revoke:?}");
        assert_eq!(held(&book), kinds(still), "revoking {revoke:?}");
        assert_eq!(book.handed_back().len(), handed_back, "revoking {revoke:?}");
    }
}

#[test]
fn a_dead_worker_is_blamed_on_the_output_it_made_and_the_rest_is_handed_back() {
    let (mut book, now) = rendering(4, 1);
    let failure = engine_error("worker exited: signal 9".to_owned());
    let effects = book.slot(
        0,
        SlotEvent::Failed {
            run: RUN,
            output: 1,
            failure,
        },
        now,
    );
    assert_eq!(described(&effects), ["clean"]);
    let reports: Vec<_> = book
        .reports()
        .iter()
        .map(|report| (report.task.kind, report.result.is_ok()))
        .collect();
    assert_eq!(
        reports,
        [(TaskKind::Segment(0), true), (TaskKind::Segment(1), false)]
    );
    assert_eq!(book.handed_back(), [segment(2), segment(3)]);
    assert_eq!(book.free_slots(), 0, "not before a new child is ready");
    book.slot(0, SlotEvent::Ready, now);
    assert_eq!(book.free_slots(), 1);
}

#[test]
fn reports_are_repeated_until_confirmed_and_scratch_goes_with_the_run() {
    let (mut book, now) = rendering(1, 0);
    let output = SlotEvent::Output {
        run: RUN,
        output: 0,
        body: Vec::new(),
    };
    assert_eq!(described(&book.slot(0, output, now)), ["publish 0"]);
    let finished = book.slot(0, SlotEvent::Finished { run: RUN }, now);
    assert!(
        described(&finished).is_empty(),
        "the file is still being published"
    );
    assert_eq!(held(&book), kinds(&[0]));
    let file = TaskOutput::Segment {
        object: object("file", 1),
        from_cache: false,
    };
    assert_eq!(described(&book.published(RUN, 0, Ok(file))), ["clean"]);
    assert_eq!((held(&book).len(), book.reports().len()), (0, 1));
    book.reply(PollReply::default(), now);
    assert_eq!(
        book.reports().len(),
        1,
        "an answer that does not list it confirms nothing"
    );
    let (task, epoch) = segment(0);
    let confirmed = PollReply {
        reported: vec![(task, epoch, Ok(()))],
        ..PollReply::default()
    };
    book.reply(confirmed, now);
    assert!(book.is_idle());
}

#[test]
fn an_assignment_is_begun_once() {
    let now = Instant::now();
    let mut book = Book::new(Timings::default(), 1, 0, 0);
    book.slot(0, SlotEvent::Ready, now);
    assert_eq!(described(&book.reply(assigned(2), now)), ["stage 2"]);
    assert!(
        described(&book.reply(assigned(2), now)).is_empty(),
        "sent again"
    );
    let effects = book.reply(revoked(&[0, 1]), now);
    assert_eq!(described(&effects), ["abort"]);
    assert_eq!(book.free_slots(), 1, "no order was sent to the child");
}

#[test]
fn a_slot_whose_outputs_are_all_made_takes_the_next_run_at_once() {
    let (mut book, now) = rendering(1, 1);
    assert_eq!(book.free_slots(), 1, "its child is ready in a moment");
    let mut next = assigned(1);
    next.assign[0][0].granted.task.kind = TaskKind::Join;
    next.assign[0][0].granted.epoch = Epoch(99);
    assert_eq!(described(&book.reply(next, now)), ["stage 1"]);
    assert_eq!(book.free_slots(), 0);
    book.slot(0, SlotEvent::Finished { run: RUN }, now);
    book.slot(0, SlotEvent::Ready, now);
    assert_eq!(book.free_slots(), 0, "the slot is the next run's");
}

#[test]
fn staging_that_stands_still_is_given_up() {
    let now = Instant::now();
    let timings = Timings::default();
    let mut book = Book::new(timings, 1, 0, 0);
    book.slot(0, SlotEvent::Ready, now);
    book.reply(assigned(2), now);
    assert!(
        book.tick(now + timings.stall - Duration::from_secs(1))
            .is_empty()
    );
    let effects = book.tick(now + timings.stall);
    assert_eq!(described(&effects), ["abort"]);
    assert_eq!((book.reports().len(), book.handed_back().len()), (1, 1));
}

#[test]
fn what_is_staged_for_a_run_that_was_given_up_is_cleaned() {
    let now = Instant::now();
    let mut book = Book::new(Timings::default(), 1, 0, 0);
    book.slot(0, SlotEvent::Ready, now);
    book.reply(assigned(1), now);
    assert_eq!(described(&book.reply(revoked(&[0]), now)), ["abort"]);
    let staged = Staged {
        order: vec![1],
        scratch: PathBuf::from("s"),
    };
    assert_eq!(described(&book.staged(RUN, Ok(staged), now)), ["clean"]);
}

#[test]
fn draining_hands_back_what_is_unfinished_without_blame() {
    let (mut book, now) = rendering(3, 1);
    book.drain();
    assert_eq!(book.free_slots(), 0);
    assert_eq!(described(&book.hand_back_all()), ["kill"]);
    assert_eq!(book.handed_back(), [segment(1), segment(2)]);
    assert!(book.reports().iter().all(|report| report.result.is_ok()));
    let killed = engine_error("worker exited: signal 9".to_owned());
    book.slot(
        0,
        SlotEvent::Failed {
            run: RUN,
            output: 1,
            failure: killed,
        },
        now,
    );
    assert_eq!(book.reports().len(), 1, "the kill counts as no failure");
}

#[test]
fn a_tail_taken_while_inputs_are_fetched_is_never_begun() {
    let now = Instant::now();
    let mut book = Book::new(Timings::default(), 1, 0, 0);
    book.slot(0, SlotEvent::Ready, now);
    book.reply(assigned(4), now);
    assert!(described(&book.reply(revoked(&[2, 3]), now)).is_empty());
    let staged = Staged {
        order: vec![1],
        scratch: PathBuf::from("s"),
    };
    assert_eq!(
        described(&book.staged(RUN, Ok(staged), now)),
        ["start", "stop before 2"]
    );
}

#[test]
fn what_a_run_has_not_begun_is_handed_back_and_the_rest_goes_on() {
    let hand_back = || PollReply {
        hand_back: vec![RunNumber(10)],
        ..PollReply::default()
    };
    // Of four segments the first is made: the second is being worked on.
    let (mut book, now) = rendering(4, 1);
    let effects = book.reply(hand_back(), now);
    assert_eq!(described(&effects), ["stop before 2"]);
    assert_eq!(book.handed_back(), [segment(2), segment(3)]);
    assert_eq!(held(&book), kinds(&[1]));
    let again = book.reply(hand_back(), now);
    assert!(again.is_empty(), "nothing is left to hand back: {again:?}");
}

#[test]
fn a_run_that_finds_its_slot_down_is_handed_back_at_once() {
    let now = Instant::now();
    let mut book = Book::new(Timings::default(), 1, 0, 0);
    // The leader counted the slot before its child went down.
    let effects = book.reply(assigned(2), now);
    assert!(matches!(effects[..], [Effect::Poll]), "{effects:?}");
    assert_eq!(book.handed_back(), [segment(0), segment(1)]);
    assert!(held(&book).is_empty());
    assert!(book.reply(assigned(2), now).is_empty(), "sent once more");
    assert_eq!(book.handed_back().len(), 2);
}
