//! What many queued jobs cost: memory of the state, and the way through a snapshot.

use cluster::State;
use cluster::command::{Command, Stamped};
use cluster::model::{
    Admission, Digest, JobId, Level, LogIndex, LogTime, NewRender, ObjectKey, ObjectRef, RanTime,
    Submission,
};

const JOBS: u64 = 100_000;

/// Most bytes of memory that a queued job may take.
const BYTES_PER_JOB: u64 = 3 * 1024;

fn admit(number: u64) -> Command {
    let job = JobId((1 << 100) + u128::from(number));
    Command::AdmitRender(NewRender {
        admission: Admission {
            submission: Submission {
                job,
                workspace: format!("workspace-{}", number % 10),
                priority: 0,
                request: ObjectRef {
                    key: ObjectKey(format!("jobs/{job}/composition.json")),
                    sha256: Digest([1; 32]),
                    size: 1_000,
                },
                idempotency: None,
            },
            assets: Vec::new(),
            webhook_url: None,
            has_destination: false,
        },
        has_remote_sources: false,
    })
}

fn apply(state: &mut State, index: u64, command: Command) {
    let stamped = Stamped {
        at: LogTime(1_000 + index),
        ran: Some(RanTime(1_000 + index)),
        command,
    };
    state.apply(LogIndex(index), stamped);
}

/// Resident memory of this process in bytes.
fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("this is Linux");
    let pages: u64 = statm
        .split_whitespace()
        .nth(1)
        .and_then(|pages| pages.parse().ok())
        .expect("the second figure is resident pages");
    pages * 4096
}

#[test]
fn a_hundred_thousand_queued_jobs_are_small_and_come_back_from_a_snapshot() {
    let mut state = State::default();
    apply(&mut state, 1, Command::RaiseLevel(Level::NEWEST));
    let before = resident();
    for number in 0..JOBS {
        apply(&mut state, number + 2, admit(number));
    }
    let used = (resident() - before) / JOBS;
    let bytes = cluster::state::encode(&state).expect("a state encodes");
    let restored = cluster::state::decode(&bytes).expect("a state decodes");
    assert!(restored == state);
    assert_eq!(restored.active.len() as u64, JOBS);
    assert!(used <= BYTES_PER_JOB, "{used} bytes a job");
}
