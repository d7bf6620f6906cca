//! One coordinator on a directory of its own: proposing, reading, stopping, being killed.

use std::io::{BufRead, BufReader};
use std::process::{Command as Process, Stdio};
use std::time::Duration;

use tokio::time::timeout;

use super::*;
use crate::model::{Digest, JobId, JobStatus, ObjectKey, ObjectRef, Submission};

fn options(directory: &Path) -> Options {
    Options {
        data_dir: directory.to_path_buf(),
        advertise: "127.0.0.1:7900".to_owned(),
        node_id: None,
        clock: Arc::new(SystemClock),
        accept_clock: false,
        log_reserve: 1 << 20,
    }
}

fn submit(job: u128) -> Command {
    Command::SubmitJob(Submission {
        job: JobId(job),
        workspace: "w".to_owned(),
        priority: 0,
        request: ObjectRef {
            key: ObjectKey(format!("jobs/{job}/request.json")),
            sha256: Digest([1; 32]),
            size: 2,
        },
        idempotency: None,
    })
}

/// The parts of two states that a restart must not change: it adds entries of raft's own.
fn content(state: &State) -> State {
    State {
        applied: LogIndex(0),
        now: LogTime(0),
        ran: RanTime(0),
        ..state.clone()
    }
}

#[tokio::test]
async fn what_was_accepted_is_there_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let first = Coordinator::open(options(directory.path())).await.unwrap();
    for job in 1..=20 {
        let outcome = first.propose(submit(job)).await;
        assert_eq!(outcome, Ok(Outcome::Submitted(JobId(job))));
    }
    let cancel = Command::CancelJob {
        job: JobId(7),
        workspace: "w".to_owned(),
    };
    assert_eq!(first.propose(cancel).await, Ok(Outcome::Accepted));
    let before = first.read().await.unwrap();
    first.shutdown().await;
    assert_eq!(first.propose(submit(99)).await, Err(ProposeError::Stopped));

    let second = Coordinator::open(options(directory.path())).await.unwrap();
    assert_eq!(content(&second.state()), content(&before));
    assert_eq!(second.state().jobs[&JobId(7)].status, JobStatus::Cancelled);
    assert_eq!(second.identity().node_id, first.identity().node_id);
    assert_eq!(second.identity().cluster_id, first.identity().cluster_id);
    assert_ne!(second.identity().incarnation, first.identity().incarnation);
    second.shutdown().await;
}

#[tokio::test]
async fn a_restart_from_a_snapshot_is_the_same_as_one_from_the_log() {
    let directory = tempfile::tempdir().unwrap();
    let first = Coordinator::open(options(directory.path())).await.unwrap();
    for job in 1..=5 {
        first.propose(submit(job)).await.unwrap();
    }
    first.inner.member.snapshot().await.unwrap();
    first.propose(submit(6)).await.unwrap();
    let before = first.state();
    first.shutdown().await;
    let second = Coordinator::open(options(directory.path())).await.unwrap();
    assert_eq!(content(&second.state()), content(&before));
    second.shutdown().await;
}

#[tokio::test]
async fn the_founder_leads_and_says_so() {
    let directory = tempfile::tempdir().unwrap();
    let coordinator = Coordinator::open(options(directory.path())).await.unwrap();
    assert!(matches!(
        *coordinator.leadership().borrow(),
        Leadership::Leader { .. }
    ));
    let status = coordinator.raft_status();
    assert_eq!(status.state, RaftRole::Leader);
    assert_eq!(status.leader_id, Some(coordinator.identity().node_id));
    assert_eq!(status.voters.len(), 1);
    assert_eq!(status.voters[0].address, "127.0.0.1:7900");
    assert!(status.voters[0].reachable);

    let mut applied = coordinator.applied();
    let seen = *applied.borrow_and_update();
    coordinator.propose(submit(1)).await.unwrap();
    applied.changed().await.unwrap();
    assert!(*applied.borrow() > seen);
    coordinator.shutdown().await;
    assert_eq!(*coordinator.leadership().borrow(), Leadership::Other);
}

#[tokio::test]
async fn reads_that_wait_together_all_see_what_was_committed_before_them() {
    let directory = tempfile::tempdir().unwrap();
    let coordinator = Coordinator::open(options(directory.path())).await.unwrap();
    for job in 1..=4 {
        coordinator.propose(submit(job)).await.unwrap();
        let reads = futures::future::join_all((0..50).map(|_| coordinator.read())).await;
        for read in reads {
            assert!(read.unwrap().jobs.contains_key(&JobId(job)));
        }
    }
    coordinator.shutdown().await;
    assert_eq!(coordinator.read().await.unwrap_err(), ReadError::Stopped);
}

#[tokio::test]
async fn a_directory_in_use_is_refused_with_a_clear_error() {
    let directory = tempfile::tempdir().unwrap();
    let first = Coordinator::open(options(directory.path())).await.unwrap();
    let error = Coordinator::open(options(directory.path()))
        .await
        .unwrap_err();
    assert!(matches!(error, Error::InUse { .. }), "{error}");
    first.shutdown().await;
}

#[tokio::test]
async fn another_nodes_directory_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let first = Coordinator::open(options(directory.path())).await.unwrap();
    first.shutdown().await;
    let mut other = options(directory.path());
    other.node_id = Some(NodeId(first.identity().node_id.0 + 1));
    let error = Coordinator::open(other).await.unwrap_err();
    assert!(matches!(error, Error::Identity { .. }), "{error}");
}

#[tokio::test]
async fn an_orderly_stop_is_not_a_failure() {
    let directory = tempfile::tempdir().unwrap();
    let coordinator = Coordinator::open(options(directory.path())).await.unwrap();
    let failed = tokio::spawn({
        let coordinator = coordinator.clone();
        async move { coordinator.failed().await }
    });
    coordinator.shutdown().await;
    let wait = timeout(Duration::from_millis(100), failed).await;
    assert!(wait.is_err(), "failed() returned after a stop");
}

#[tokio::test]
async fn a_disk_that_fails_stops_the_member_and_says_why() {
    let directory = tempfile::tempdir().unwrap();
    let coordinator = Coordinator::open(options(directory.path())).await.unwrap();
    coordinator.propose(submit(1)).await.unwrap();
    coordinator.inner.member.break_disk();
    assert_eq!(
        coordinator.propose(submit(2)).await,
        Err(ProposeError::Unknown)
    );
    let reason = timeout(Duration::from_secs(5), coordinator.failed())
        .await
        .unwrap();
    assert!(reason.contains("the disk is broken"), "{reason}");
    assert_eq!(
        coordinator.propose(submit(3)).await,
        Err(ProposeError::Stopped)
    );
    assert_eq!(*coordinator.leadership().borrow(), Leadership::Other);
    coordinator.shutdown().await;

    let again = Coordinator::open(options(directory.path())).await.unwrap();
    assert!(again.state().jobs.contains_key(&JobId(1)));
    again.shutdown().await;
}

#[tokio::test]
async fn a_new_cluster_is_of_the_newest_level() {
    let directory = tempfile::tempdir().unwrap();
    let coordinator = Coordinator::open(options(directory.path())).await.unwrap();
    assert_eq!(coordinator.state().level, Level::NEWEST);
    let (now, ran) = coordinator.times();
    assert!(now >= coordinator.state().now && ran >= coordinator.state().ran);
    coordinator.shutdown().await;
}

#[tokio::test]
async fn a_log_raised_beyond_this_build_stops_it_with_a_clear_error() {
    let directory = tempfile::tempdir().unwrap();
    let coordinator = Coordinator::open(options(directory.path())).await.unwrap();
    let beyond = Command::RaiseLevel(Level(Level::NEWEST.0 + 1));
    assert_eq!(
        coordinator.propose(beyond).await,
        Err(ProposeError::Unknown)
    );
    let reason = timeout(Duration::from_secs(5), coordinator.failed())
        .await
        .unwrap();
    assert!(reason.contains("start a newer one"), "{reason}");
    coordinator.shutdown().await;
}

#[tokio::test]
async fn a_full_disk_takes_only_what_ends_work_until_there_is_space() {
    let directory = tempfile::tempdir().unwrap();
    let coordinator = Coordinator::open(options(directory.path())).await.unwrap();
    coordinator.propose(submit(1)).await.unwrap();
    assert!(!coordinator.is_disk_full());
    // The reserve cannot be made whole while a directory has the name of its file.
    let spare = directory.path().join("raft/spare");
    std::fs::remove_file(&spare).unwrap();
    std::fs::create_dir(&spare).unwrap();
    until(|| coordinator.is_disk_full()).await;
    assert_eq!(
        coordinator.propose(submit(2)).await,
        Err(ProposeError::DiskFull)
    );
    let cancel = Command::CancelJob {
        job: JobId(1),
        workspace: "w".to_owned(),
    };
    assert_eq!(coordinator.propose(cancel).await, Ok(Outcome::Accepted));
    std::fs::remove_dir(&spare).unwrap();
    until(|| !coordinator.is_disk_full()).await;
    coordinator.propose(submit(2)).await.unwrap();
    coordinator.shutdown().await;
}

async fn until(mut holds: impl FnMut() -> bool) {
    let wait = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(Duration::from_secs(10), wait).await.unwrap();
}

/// Names the data directory of the child process that the next test kills.
const VICTIM_DIR: &str = "FRAMELANE_TEST_VICTIM_DIR";

/// Not a test of its own: the child process of the next one.
#[tokio::test]
async fn victim() {
    let Ok(directory) = std::env::var(VICTIM_DIR) else {
        return;
    };
    let coordinator = Coordinator::open(options(Path::new(&directory)))
        .await
        .unwrap();
    let mut out = std::io::stderr();
    for job in 1.. {
        coordinator.propose(submit(job)).await.unwrap();
        std::io::Write::write_all(&mut out, format!("accepted {job}\n").as_bytes()).unwrap();
    }
}

#[tokio::test]
async fn a_kill_loses_nothing_that_was_acknowledged() {
    let directory = tempfile::tempdir().unwrap();
    let mut child = Process::new(std::env::current_exe().unwrap())
        .args(["--exact", "coordinator::tests::victim", "--nocapture"])
        .env(VICTIM_DIR, directory.path())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let acknowledged: Vec<u128> = BufReader::new(child.stderr.take().unwrap())
        .lines()
        .map_while(Result::ok)
        .filter_map(|line| line.strip_prefix("accepted ")?.parse().ok())
        .take(60)
        .collect();
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(acknowledged, (1..=60).collect::<Vec<_>>());

    let coordinator = Coordinator::open(options(directory.path())).await.unwrap();
    let state = coordinator.state();
    for job in acknowledged {
        assert!(
            state.jobs.contains_key(&JobId(job)),
            "{job} was acknowledged"
        );
    }
    let next = coordinator.propose(submit(1_000_000)).await;
    assert_eq!(next, Ok(Outcome::Submitted(JobId(1_000_000))));
    coordinator.shutdown().await;
}
