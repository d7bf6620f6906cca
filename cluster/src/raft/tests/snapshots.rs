//! Snapshots that are built beside others that are installed, and crashes at every step.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use openraft::Snapshot;
use tokio::sync::Notify;
use tokio::time::timeout;

use super::*;
use crate::raft::covered_log::CoveredLog;
use crate::raft::disk::Step;

/// Blocks the first task that reaches one step until the test lets it go on.
#[derive(Debug, Default)]
struct Gate {
    is_held: AtomicBool,
    arrived: Notify,
    go_on: Notify,
}

impl Gate {
    fn at(held: Step) -> (Arc<Self>, Disk) {
        let gate = Arc::new(Self::default());
        let disk = Disk::Stepped(Arc::new({
            let gate = Arc::clone(&gate);
            move |step| {
                let gate = Arc::clone(&gate);
                Box::pin(async move {
                    if step == held && !gate.is_held.swap(true, Ordering::SeqCst) {
                        gate.arrived.notify_one();
                        gate.go_on.notified().await;
                    }
                })
            }
        }));
        (gate, disk)
    }
}

const LIMIT: Duration = Duration::from_secs(30);

/// A snapshot at index 500, by a member that has applied that much.
async fn newer(directory: &Path) -> Snapshot<TypeConfig> {
    let (_log, mut machine) = open(directory).unwrap();
    machine.apply((1..=500).map(submit)).await.unwrap();
    let mut builder = machine.get_snapshot_builder().await;
    builder.build_snapshot().await.unwrap()
}

fn open_held(directory: &Path, disk: Disk) -> (LogStore, StateMachine) {
    let reserve = Arc::new(Reserve::new(directory, 1 << 20));
    open_storage(directory, &reserve, Published::new().0, disk).unwrap()
}

/// What counts after a restart, which must be the only file there is.
async fn after_restart(directory: &Path) -> Option<RaftLogId> {
    let (_log, mut machine) = open(directory).unwrap();
    let (applied, _) = machine.applied_state().await.unwrap();
    let current = machine.get_current_snapshot().await.unwrap();
    assert_eq!(
        current.and_then(|current| current.meta.last_log_id),
        applied
    );
    if applied.is_some() {
        snapshot_file(directory);
    }
    applied
}

#[tokio::test]
async fn a_build_that_ends_after_a_newer_install_does_not_replace_it() {
    for held in [Step::Build, Step::Name, Step::Remove, Step::Read] {
        let (of_leader, own) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let newer = newer(of_leader.path()).await;
        let (gate, disk) = Gate::at(held);
        {
            let (_log, mut machine) = open_held(own.path(), disk);
            machine.apply((1..=100).map(submit)).await.unwrap();
            let mut builder = machine.get_snapshot_builder().await;
            let build = tokio::spawn(async move { builder.build_snapshot().await.unwrap().meta });
            timeout(LIMIT, gate.arrived.notified()).await.unwrap();
            let install = tokio::spawn(async move {
                machine
                    .install_snapshot(&newer.meta, newer.snapshot)
                    .await
                    .unwrap();
                machine
            });
            // It gets as far as it can without the build.
            for _ in 0..50 {
                tokio::task::yield_now().await;
            }
            gate.go_on.notify_one();
            let built = timeout(LIMIT, build).await.unwrap().unwrap();
            let mut machine = timeout(LIMIT, install).await.unwrap().unwrap();
            assert!(built.last_log_id >= Some(log_id(100)), "{held:?}");
            let current = machine.get_current_snapshot().await.unwrap().unwrap();
            assert_eq!(current.meta.last_log_id, Some(log_id(500)), "{held:?}");
            assert_eq!(state_in(current.snapshot).await.jobs.len(), 500, "{held:?}");
        }
        assert_eq!(
            after_restart(own.path()).await,
            Some(log_id(500)),
            "{held:?}"
        );
    }
}

#[tokio::test]
async fn an_install_that_ends_after_an_older_build_replaces_it() {
    for held in [Step::Install, Step::Name, Step::Remove] {
        let (of_leader, own) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let newer = newer(of_leader.path()).await;
        let (gate, disk) = Gate::at(held);
        {
            let (_log, mut machine) = open_held(own.path(), disk);
            machine.apply((1..=100).map(submit)).await.unwrap();
            let mut builder = machine.get_snapshot_builder().await;
            let install = tokio::spawn(async move {
                machine
                    .install_snapshot(&newer.meta, newer.snapshot)
                    .await
                    .unwrap();
            });
            timeout(LIMIT, gate.arrived.notified()).await.unwrap();
            let build = tokio::spawn(async move { builder.build_snapshot().await.unwrap().meta });
            for _ in 0..50 {
                tokio::task::yield_now().await;
            }
            gate.go_on.notify_one();
            timeout(LIMIT, build).await.unwrap().unwrap();
            timeout(LIMIT, install).await.unwrap().unwrap();
        }
        assert_eq!(
            after_restart(own.path()).await,
            Some(log_id(500)),
            "{held:?}"
        );
    }
}

#[tokio::test]
async fn a_crash_at_any_step_leaves_the_old_snapshot_or_the_new_one() {
    let cases = [
        (Step::Build, 5),
        // Written, and not recorded.
        (Step::Name, 5),
        // Recorded, and the old one not removed.
        (Step::Remove, 7),
    ];
    for (held, want) in cases {
        let own = tempfile::tempdir().unwrap();
        with_snapshot(own.path()).await;
        let (gate, disk) = Gate::at(held);
        {
            let (_log, mut machine) = open_held(own.path(), disk);
            machine.apply([submit(6), submit(7)]).await.unwrap();
            let mut builder = machine.get_snapshot_builder().await;
            let build = tokio::spawn(async move { builder.build_snapshot().await.map(drop) });
            timeout(LIMIT, gate.arrived.notified()).await.unwrap();
            build.abort();
            assert!(build.await.unwrap_err().is_cancelled());
        }
        assert_eq!(
            after_restart(own.path()).await,
            Some(log_id(want)),
            "{held:?}"
        );
    }
}

#[tokio::test]
async fn an_older_snapshot_is_not_installed_over_what_is_applied() {
    let (of_leader, own) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let newer = newer(of_leader.path()).await;
    let (_log, mut machine) = open(own.path()).unwrap();
    machine.apply((1..=501).map(submit)).await.unwrap();
    machine
        .install_snapshot(&newer.meta, newer.snapshot)
        .await
        .unwrap();
    assert_eq!(machine.applied_state().await.unwrap().0, Some(log_id(501)));
}

#[tokio::test]
async fn the_log_is_purged_and_goes_on_only_once_a_durable_snapshot_covers_it() {
    let (of_leader, own) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let newer = newer(of_leader.path()).await;
    let (gate, disk) = Gate::at(Step::Name);
    let (mut log, mut machine) = open_held(own.path(), disk);
    log.blocking_append((1..=3).map(submit)).await.unwrap();
    let mut log = CoveredLog::new(log, machine.covered());
    let install = tokio::spawn(async move {
        let installed = machine.install_snapshot(&newer.meta, newer.snapshot);
        installed.await.unwrap();
        machine
    });
    timeout(LIMIT, gate.arrived.notified()).await.unwrap();
    log.purge(log_id(500)).await.unwrap();
    let held = timeout(
        Duration::from_millis(50),
        log.blocking_append([submit(501)]),
    );
    assert!(held.await.is_err(), "an entry was taken");
    let state = log.get_log_state().await.unwrap();
    assert_eq!(state.last_purged_log_id, None);
    assert_eq!(state.last_log_id, Some(log_id(3)));

    gate.go_on.notify_one();
    let _machine = timeout(LIMIT, install).await.unwrap().unwrap();
    log.blocking_append([submit(501)]).await.unwrap();
    let state = log.get_log_state().await.unwrap();
    assert_eq!(state.last_purged_log_id, Some(log_id(500)));
    assert_eq!(state.last_log_id, Some(log_id(501)));
}

#[tokio::test(start_paused = true)]
async fn on_a_full_disk_the_former_snapshot_goes_on_counting_and_a_first_one_waits() {
    let own = tempfile::tempdir().unwrap();
    let is_full = Arc::new(AtomicBool::new(true));
    let (_log, mut machine) = open_held(own.path(), Disk::Full(Arc::clone(&is_full)));
    machine.apply((1..=5).map(submit)).await.unwrap();
    let mut first = machine.get_snapshot_builder().await;
    let build = tokio::spawn(async move { first.build_snapshot().await.unwrap().meta });
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(!build.is_finished(), "there was none to give");
    is_full.store(false, Ordering::SeqCst);
    tokio::time::advance(LIMIT).await;
    // From here on other threads are waited for, which take no paused time.
    tokio::time::resume();
    let built = timeout(LIMIT, build).await.unwrap().unwrap();
    assert_eq!(built.last_log_id, Some(log_id(5)));

    is_full.store(true, Ordering::SeqCst);
    machine.apply([submit(6)]).await.unwrap();
    let mut second = machine.get_snapshot_builder().await;
    let built = second.build_snapshot().await.unwrap().meta;
    assert_eq!(built.last_log_id, Some(log_id(5)));
    is_full.store(false, Ordering::SeqCst);
    let built = second.build_snapshot().await.unwrap().meta;
    assert_eq!(built.last_log_id, Some(log_id(6)));
}

#[tokio::test]
async fn replication_reads_nothing_rather_than_what_follows_a_purge() {
    let directory = tempfile::tempdir().unwrap();
    let (mut log, mut machine) = open(directory.path()).unwrap();
    log.blocking_append((1..=8).map(submit)).await.unwrap();
    machine.apply((1..=5).map(submit)).await.unwrap();
    let mut builder = machine.get_snapshot_builder().await;
    builder.build_snapshot().await.unwrap();
    let mut log = CoveredLog::new(log, machine.covered());
    let mut reader = log.get_log_reader().await;
    log.purge(log_id(5)).await.unwrap();
    let read = reader.limited_get_log_entries(4, 8).await.unwrap();
    assert_eq!(read, vec![], "4 and 5 are gone");
    let read = reader.limited_get_log_entries(6, 8).await.unwrap();
    assert_eq!(read, vec![submit(6), submit(7)]);
}
