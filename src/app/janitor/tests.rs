//! What a round removes, and who makes one.

use std::sync::Mutex;

use actors::ports::ProposeError;
use bytes::Bytes;
use cluster::State;
use cluster::command::{Outcome, Stamped};
use cluster::coordinator::ReadError;
use cluster::model::{Digest, Epoch, LogIndex, ObjectRef, RanTime, Submission, TaskKind};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::sync::watch;
use ulid::Ulid;

use super::*;
use crate::store::LocalStore;
use crate::store::fetch::{FetchLimits, Guard};

const NOW: LogTime = LogTime(100 * 86_400_000);

/// Applies what is proposed at once.
struct Log {
    state: Mutex<State>,
    leadership: watch::Sender<Leadership>,
}

impl Log {
    fn apply(&self, command: Command) -> Outcome {
        let mut state = self.state.lock().unwrap();
        let index = LogIndex(state.applied.0 + 1);
        state.apply(
            index,
            Stamped {
                at: NOW,
                ran: None,
                command,
            },
        )
    }
}

impl Coordinator for Log {
    fn propose(&self, command: Command) -> BoxFuture<'static, Result<Outcome, ProposeError>> {
        let outcome = self.apply(command);
        async { Ok(outcome) }.boxed()
    }

    fn state(&self) -> Arc<State> {
        Arc::new(self.state.lock().unwrap().clone())
    }

    fn applied(&self) -> watch::Receiver<LogIndex> {
        unreachable!("the janitor follows nothing")
    }

    fn leadership(&self) -> watch::Receiver<Leadership> {
        self.leadership.subscribe()
    }
}

/// The log's state, and how often it was read behind the barrier.
struct Counted(Arc<Log>, Mutex<usize>);

impl Barrier for Counted {
    fn read(&self) -> BoxFuture<'_, Result<Arc<State>, ReadError>> {
        *self.1.lock().unwrap() += 1;
        async { Ok(self.0.state()) }.boxed()
    }
}

struct Still(LogTime);

impl Clock for Still {
    fn now(&self) -> std::time::Instant {
        std::time::Instant::now()
    }

    fn log_time(&self) -> LogTime {
        self.0
    }

    fn ran(&self) -> RanTime {
        RanTime(self.0.0)
    }
}

#[tokio::test]
async fn only_the_leader_removes_and_only_what_ended_or_is_unknown() {
    let directory = tempfile::tempdir().unwrap();
    let store = Arc::new(LocalStore::open(directory.path().join("objects")).unwrap());
    let coordinator = Arc::new(Log {
        state: Mutex::default(),
        leadership: watch::Sender::new(Leadership::Other),
    });
    let (ended, active) = (JobId(u128::MAX), JobId(u128::MAX - 1));
    for job in [ended, active] {
        let submission = Submission {
            job,
            workspace: "w".to_owned(),
            priority: 0,
            request: ObjectRef {
                key: keys::composition(job),
                sha256: Digest([0; 32]),
                size: 1,
            },
            idempotency: None,
        };
        coordinator.apply(Command::SubmitJob(submission));
    }
    let cancel = Command::CancelJob {
        job: ended,
        workspace: "w".to_owned(),
    };
    assert_eq!(coordinator.apply(cancel), Outcome::Accepted);
    let unknown = JobId::from_ulid(Ulid::from_parts(1, 1));
    let join = |job| keys::attempt(job, TaskKind::Join, Epoch(1), "mp4");
    let gone = [join(ended), keys::composition(unknown)];
    let kept = [keys::composition(ended), join(active)];
    for key in gone.iter().chain(&kept) {
        store.put(key.clone(), Bytes::from("x")).await.unwrap();
    }
    let settings = Settings::default();
    let memory = directory.path().join("sources.json");
    let guard = Guard::new(true);
    let fetcher = Fetcher::new(store.clone(), guard, FetchLimits::default(), &memory).unwrap();
    let barrier = Arc::new(Counted(coordinator.clone(), Mutex::default()));
    let mut janitor = Janitor::new(
        coordinator.clone(),
        Arc::new(Still(NOW.plus_millis(2 * 3_600_000))),
        store.clone(),
        Arc::new(fetcher),
        barrier.clone(),
        &settings,
    );
    janitor.round().await.unwrap();
    assert_eq!(*barrier.1.lock().unwrap(), 0);
    for key in gone.iter().chain(&kept) {
        assert!(store.head(key).await.unwrap().is_some(), "{key}");
    }
    let leader = Leadership::Leader { term: 2 };
    coordinator.leadership.send_replace(leader);
    janitor.round().await.unwrap();
    for key in &gone {
        assert!(store.head(key).await.unwrap().is_none(), "{key}");
    }
    for key in &kept {
        assert!(store.head(key).await.unwrap().is_some(), "{key}");
    }
}
