//! The real store under openraft's own suite, and what a crash or a bad disk leaves.

mod snapshots;

use std::path::Path;
use std::sync::Arc;

use openraft::storage::{RaftLogStorage, RaftLogStorageExt, RaftStateMachine};
use openraft::testing::{StoreBuilder, Suite};
use openraft::{CommittedLeaderId, Entry, EntryPayload, RaftLogReader, RaftSnapshotBuilder};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::disk::Disk;
use super::log_store::LogStore;
use super::member::open_storage;
use super::state_machine::{Published, StateMachine};
use super::{RaftLogId, RaftStorageError, RaftVote, Reserve, SnapshotFile, StoreError, TypeConfig};
use crate::command::{Command, Stamped};
use crate::model::{Digest, JobId, LogTime, ObjectKey, ObjectRef, Submission};
use crate::state::State;

struct Redb;

impl StoreBuilder<TypeConfig, LogStore, StateMachine, TempDir> for Redb {
    async fn build(&self) -> Result<(TempDir, LogStore, StateMachine), RaftStorageError> {
        let directory = tempfile::tempdir().unwrap();
        let (log, machine) = open(directory.path()).unwrap();
        Ok((directory, log, machine))
    }
}

#[test]
fn the_store_passes_the_suite_of_openraft() {
    Suite::test_all(Redb).unwrap();
}

fn open(directory: &Path) -> Result<(LogStore, StateMachine), StoreError> {
    let reserve = Arc::new(Reserve::new(directory, 1 << 20));
    open_storage(directory, &reserve, Published::new().0, Disk::default())
}

fn log_id(index: u64) -> RaftLogId {
    RaftLogId::new(CommittedLeaderId::new(1, 1), index)
}

fn submit(index: u64) -> Entry<TypeConfig> {
    let submission = Submission {
        job: JobId(u128::from(index)),
        workspace: "w".to_owned(),
        priority: 0,
        request: ObjectRef {
            key: ObjectKey(format!("jobs/{index}/request")),
            sha256: Digest([3; 32]),
            size: 9,
        },
        idempotency: None,
    };
    Entry {
        log_id: log_id(index),
        payload: EntryPayload::Normal(Stamped {
            at: LogTime(index),
            ran: None,
            command: Command::SubmitJob(submission),
        }),
    }
}

#[tokio::test]
async fn votes_entries_and_commits_outlive_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    {
        let (mut log, _machine) = open(directory.path()).unwrap();
        log.save_vote(&RaftVote::new(3, 1)).await.unwrap();
        log.save_committed(Some(log_id(1))).await.unwrap();
        log.blocking_append((1..=4).map(submit)).await.unwrap();
        log.truncate(log_id(4)).await.unwrap();
        log.purge(log_id(1)).await.unwrap();
        log.save_committed(Some(log_id(2))).await.unwrap();
    }
    let (mut log, _machine) = open(directory.path()).unwrap();
    assert_eq!(log.read_vote().await.unwrap(), Some(RaftVote::new(3, 1)));
    assert_eq!(log.read_committed().await.unwrap(), Some(log_id(2)));
    let state = log.get_log_state().await.unwrap();
    assert_eq!(state.last_purged_log_id, Some(log_id(1)));
    assert_eq!(state.last_log_id, Some(log_id(3)));
    let entries = log.try_get_log_entries(..).await.unwrap();
    assert_eq!(entries, vec![submit(2), submit(3)]);
}

/// The state in a snapshot file.
async fn state_in(mut file: Box<SnapshotFile>) -> State {
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).await.unwrap();
    crate::state::decode(&bytes).unwrap()
}

async fn with_snapshot(directory: &Path) -> State {
    let (_log, mut machine) = open(directory).unwrap();
    machine.apply((1..=5).map(submit)).await.unwrap();
    let mut builder = machine.get_snapshot_builder().await;
    machine.apply([submit(6)]).await.unwrap();
    let snapshot = builder.build_snapshot().await.unwrap();
    assert_eq!(snapshot.meta.last_log_id, Some(log_id(5)));
    state_in(snapshot.snapshot).await
}

fn snapshot_file(directory: &Path) -> std::path::PathBuf {
    let mut files = std::fs::read_dir(directory.join("snapshots")).unwrap();
    let file = files.next().unwrap().unwrap().path();
    assert!(
        files.next().is_none(),
        "one snapshot counts, others are removed"
    );
    file
}

#[tokio::test]
async fn a_restart_begins_with_the_snapshot() {
    let directory = tempfile::tempdir().unwrap();
    let taken = with_snapshot(directory.path()).await;
    assert_eq!(taken.jobs.len(), 5, "what was applied later is not in it");
    let (_log, mut machine) = open(directory.path()).unwrap();
    assert_eq!(machine.applied_state().await.unwrap().0, Some(log_id(5)));
    let current = machine.get_current_snapshot().await.unwrap().unwrap();
    assert_eq!(state_in(current.snapshot).await, taken);
}

#[tokio::test]
async fn a_torn_altered_or_missing_snapshot_is_never_taken_for_the_state() {
    type Damage = fn(&Path);
    let cases: [(&str, Damage); 3] = [
        ("torn", |file| {
            let bytes = std::fs::read(file).unwrap();
            std::fs::write(file, &bytes[..bytes.len() / 2]).unwrap();
        }),
        ("altered", |file| {
            let mut bytes = std::fs::read(file).unwrap();
            *bytes.last_mut().unwrap() ^= 1;
            std::fs::write(file, bytes).unwrap();
        }),
        ("missing", |file| std::fs::remove_file(file).unwrap()),
    ];
    for (what, damage) in cases {
        let directory = tempfile::tempdir().unwrap();
        with_snapshot(directory.path()).await;
        damage(&snapshot_file(directory.path()));
        let error = open(directory.path()).unwrap_err();
        assert!(
            matches!(error, StoreError::DamagedSnapshot { .. }),
            "{what}: {error}"
        );
    }
}

#[tokio::test]
async fn a_file_that_was_never_recorded_is_swept() {
    for name in ["half.tmp", "00000000000000000009-whole.snapshot"] {
        let directory = tempfile::tempdir().unwrap();
        with_snapshot(directory.path()).await;
        let stray = directory.path().join("snapshots").join(name);
        std::fs::write(&stray, b"a snapshot").unwrap();
        let (_log, mut machine) = open(directory.path()).unwrap();
        assert!(!stray.try_exists().unwrap(), "{name}");
        assert_eq!(machine.applied_state().await.unwrap().0, Some(log_id(5)));
    }
}

#[tokio::test]
async fn bytes_that_are_not_a_state_are_not_installed() {
    let directory = tempfile::tempdir().unwrap();
    let taken = with_snapshot(directory.path()).await;
    {
        let (_log, mut machine) = open(directory.path()).unwrap();
        let mut meta = machine.get_current_snapshot().await.unwrap().unwrap().meta;
        meta.last_log_id = Some(log_id(9));
        let mut garbage = machine.begin_receiving_snapshot().await.unwrap();
        garbage.write_all(b"not a state").await.unwrap();
        garbage.shutdown().await.unwrap();
        assert!(machine.install_snapshot(&meta, garbage).await.is_err());
        snapshot_file(directory.path());
    }
    let (_log, mut machine) = open(directory.path()).unwrap();
    let current = machine.get_current_snapshot().await.unwrap().unwrap();
    assert_eq!(state_in(current.snapshot).await, taken);
}

#[tokio::test]
async fn a_snapshot_that_stops_arriving_leaves_nothing() {
    let directory = tempfile::tempdir().unwrap();
    with_snapshot(directory.path()).await;
    let (_log, mut machine) = open(directory.path()).unwrap();
    let mut half = machine.begin_receiving_snapshot().await.unwrap();
    half.write_all(b"half a snapshot").await.unwrap();
    half.flush().await.unwrap();
    drop(half);
    snapshot_file(directory.path());
}

#[test]
fn two_processes_cannot_share_a_log() {
    let directory = tempfile::tempdir().unwrap();
    let _first = open(directory.path()).unwrap();
    assert!(matches!(open(directory.path()), Err(StoreError::InUse)));
}
