//! Transfers in the book: without a slot, with a limit of their own, and an ingest's wait for a
//! slot whose child looks at what came.

use super::*;
use crate::ports::Transferred;

/// An assignment of one transfer of job `job`.
fn transfer(job: u128, kind: TaskKind) -> PollReply {
    let mut reply = assigned(1);
    let granted = &mut reply.assign[0][0].granted;
    granted.task = TaskRef {
        job: JobId(job),
        kind,
    };
    granted.epoch = epoch(job);
    reply
}

fn epoch(job: u128) -> Epoch {
    Epoch(100 + u64::try_from(job).unwrap())
}

fn lease(job: u128, kind: TaskKind) -> (TaskRef, Epoch) {
    let task = TaskRef {
        job: JobId(job),
        kind,
    };
    (task, epoch(job))
}

fn revoking(lease: (TaskRef, Epoch)) -> PollReply {
    PollReply {
        revoke: vec![lease],
        ..PollReply::default()
    }
}

fn to_probe() -> Result<Transferred, cluster::model::Failure> {
    Ok(Transferred::ToProbe(b"file".to_vec()))
}

fn staged() -> Result<Staged, cluster::model::Failure> {
    Ok(Staged {
        order: vec![1],
        scratch: PathBuf::from("s"),
    })
}

#[test]
fn transfers_take_no_slot_and_no_more_than_their_own_room() {
    let now = Instant::now();
    let mut book = Book::new(Timings::default(), 1, 1, 2);
    book.slot(0, SlotEvent::Ready, now);
    book.slot(1, SlotEvent::Ready, now);
    assert_eq!(
        described(&book.reply(transfer(1, TaskKind::Fetch), now)),
        ["transfer Fetch"]
    );
    assert_eq!(
        described(&book.reply(transfer(2, TaskKind::Ingest), now)),
        ["transfer Ingest"]
    );
    assert_eq!((book.free_slots(), book.free_transfers()), (1, 0));
    assert!(described(&book.reply(transfer(3, TaskKind::Deliver), now)).is_empty());
    assert_eq!(book.handed_back().len(), 1);
    assert_eq!(held(&book), [TaskKind::Fetch, TaskKind::Ingest]);
    let done = Ok(Transferred::Done(Box::new(TaskOutput::Fetched)));
    book.transferred(RUN, done, now);
    assert_eq!(book.free_transfers(), 1);
    let [report] = book.reports() else {
        panic!("one report, not {:?}", book.reports());
    };
    assert_eq!(report.task.kind, TaskKind::Fetch);
    assert_eq!(report.result, Ok(TaskOutput::Fetched));
    book.drain();
    assert_eq!(book.free_transfers(), 0);
}

#[test]
fn what_was_taken_in_waits_for_a_slot_in_order() {
    let now = Instant::now();
    let mut book = Book::new(Timings::default(), 1, 1, 8);
    book.slot(0, SlotEvent::Ready, now);
    for job in 1..=3 {
        book.reply(transfer(job, TaskKind::Ingest), now);
    }
    // The slot that renders is not for them.
    assert!(described(&book.transferred(RunId(1), to_probe(), now)).is_empty());
    assert!(described(&book.transferred(RunId(0), to_probe(), now)).is_empty());
    let effects = book.slot(1, SlotEvent::Ready, now);
    assert!(
        matches!(&effects[0], Effect::Stage { run: RUN, slot: 1, to_probe: Some(file), .. }
            if file == b"file"),
        "{effects:?}"
    );
    assert_eq!(described(&effects), ["stage 1"]);
    assert!(
        described(&book.transferred(RunId(2), to_probe(), now)).is_empty(),
        "the slot is taken"
    );
    // Staging fails: the next takes the slot, and so on when a child is ready again.
    let effects = book.staged(RUN, Err(engine_error("no file".to_owned())), now);
    assert_eq!(described(&effects), ["stage 1"]);
    assert_eq!(described(&book.staged(RunId(1), staged(), now)), ["start"]);
    book.slot(1, SlotEvent::Finished { run: RunId(1) }, now);
    assert_eq!(described(&book.slot(1, SlotEvent::Ready, now)), ["stage 1"]);
    // A waiting run that is revoked leaves the slot free.
    let revoked = book.reply(revoking(lease(3, TaskKind::Ingest)), now);
    assert_eq!(described(&revoked), ["abort"]);
    assert!(held(&book).is_empty());
}

#[test]
fn a_transfer_that_stands_still_fails_and_one_that_is_revoked_is_forgotten() {
    let now = Instant::now();
    let timings = Timings::default();
    let mut book = Book::new(timings, 0, 1, 2);
    let effects = book.reply(transfer(1, TaskKind::Fetch), now);
    let Effect::Transfer { moved, .. } = &effects[0] else {
        panic!("{effects:?}");
    };
    // Every byte is a sign of life.
    let half = timings.stall / 2;
    moved.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    assert!(book.tick(now + half).is_empty());
    assert!(book.tick(now + half * 2).is_empty());
    assert_eq!(described(&book.tick(now + half * 3)), ["abort"]);
    let failed = book.reports()[0].result.clone().unwrap_err();
    assert!(!failed.permanent, "{failed:?}");

    for is_waiting in [false, true] {
        let mut book = Book::new(timings, 0, 1, 2);
        book.reply(transfer(1, TaskKind::Ingest), now);
        if is_waiting {
            book.transferred(RUN, to_probe(), now);
            let later = now + timings.stall * 10;
            assert!(book.tick(later).is_empty(), "it waits for a slot");
        }
        let effects = book.reply(revoking(lease(1, TaskKind::Ingest)), now);
        assert_eq!(described(&effects), ["abort"]);
        assert!(book.is_idle(), "waiting for a slot: {is_waiting}");
        assert!(described(&book.transferred(RUN, to_probe(), now)).is_empty());
    }
}

#[test]
fn draining_hands_transfers_back() {
    let now = Instant::now();
    let mut book = Book::new(Timings::default(), 0, 1, 4);
    book.reply(transfer(1, TaskKind::Fetch), now);
    book.reply(transfer(2, TaskKind::Ingest), now);
    book.transferred(RunId(1), to_probe(), now);
    book.drain();
    assert_eq!(described(&book.hand_back_all()), ["abort", "abort"]);
    assert_eq!(
        book.handed_back(),
        [lease(1, TaskKind::Fetch), lease(2, TaskKind::Ingest)]
    );
}
