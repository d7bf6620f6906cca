//! Logs and snapshots of earlier levels replay to the same state, byte for byte. The files
//! were written once, by the last build of their level; `UPDATE_FIXTURES=1` adds one that is
//! not there yet and never touches one that is.

#[path = "support/history.rs"]
mod history;

use std::fs;
use std::path::PathBuf;

use cluster::State;
use cluster::codec;
use cluster::command::Stamped;
use cluster::model::LogIndex;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;

/// Histories in a file.
const HISTORIES: usize = 24;

/// A history as kept: its entries, and the snapshot of the state they lead to.
type Kept = (Vec<Vec<u8>>, Vec<u8>);

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name)
}

/// Draws histories and writes what this build makes of them.
fn write(path: &PathBuf) {
    let mut runner = TestRunner::deterministic();
    let kept: Vec<Kept> = (0..HISTORIES)
        .map(|_| {
            let steps = history::any_history()
                .new_tree(&mut runner)
                .expect("a history")
                .current();
            let mut state = State::default();
            let entries = (1u64..)
                .zip(&steps)
                .map(|(index, step)| {
                    let stamped = step.command(&state);
                    let bytes = stamped.encode().expect("a command encodes");
                    state.apply(LogIndex(index), stamped);
                    bytes
                })
                .collect();
            let snapshot = cluster::state::encode(&state).expect("a state encodes");
            (entries, snapshot)
        })
        .collect();
    let bytes = codec::encode(&kept).expect("histories encode");
    fs::write(path, bytes).expect("fixtures can be written");
}

fn read(name: &str) -> Vec<Kept> {
    let path = path(name);
    let is_there = path.try_exists().expect("fixtures can be looked at");
    if std::env::var_os("UPDATE_FIXTURES").is_some() && !is_there {
        write(&path);
    }
    let bytes = fs::read(&path).unwrap_or_else(|error| panic!("{name}: {error}"));
    codec::decode(&bytes).unwrap_or_else(|error| panic!("{name}: {error}"))
}

#[test]
fn a_log_of_level_0_replays_to_the_snapshot_of_its_time() {
    let kept = read("histories_level0.bin");
    assert_eq!(kept.len(), HISTORIES);
    for (number, (entries, snapshot)) in kept.into_iter().enumerate() {
        assert!(!entries.is_empty());
        let mut state = State::default();
        for (index, bytes) in (1u64..).zip(&entries) {
            let stamped = Stamped::decode(bytes).expect("an old entry decodes");
            state.apply(LogIndex(index), stamped);
        }
        let restored = cluster::state::decode(&snapshot).expect("an old snapshot decodes");
        assert_eq!(state, restored, "history {number}");
        let again = cluster::state::encode(&state).expect("a state encodes");
        assert_eq!(again, snapshot, "history {number}");
    }
}
