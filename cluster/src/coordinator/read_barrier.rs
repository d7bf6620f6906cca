//! One confirmation of leadership, shared by every read that waits for one.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::ReadError;
use crate::raft::Member;

/// Reads that may wait at once; more are refused rather than kept.
const MAX_WAITING: usize = 4096;

/// A read waits this long at most, a confirmation already running included.
const LIMIT: Duration = Duration::from_secs(2);

type Waiter = oneshot::Sender<Result<(), ReadError>>;

/// Runs confirmations, one at a time.
#[derive(Debug)]
pub(crate) struct ReadBarrier {
    waiters: mpsc::Sender<Waiter>,
    task: JoinHandle<()>,
}

impl ReadBarrier {
    pub(crate) fn start(member: Arc<Member>) -> Self {
        let (waiters, inbox) = mpsc::channel(MAX_WAITING);
        let task = tokio::spawn(run(member, inbox));
        Self { waiters, task }
    }

    /// Waits for a confirmation that began after this call.
    pub(crate) async fn pass(&self) -> Result<(), ReadError> {
        let (waiter, answer) = oneshot::channel();
        self.waiters.try_send(waiter).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => ReadError::Timeout,
            mpsc::error::TrySendError::Closed(_) => ReadError::Stopped,
        })?;
        match timeout(LIMIT, answer).await {
            Ok(Ok(passed)) => passed,
            Ok(Err(_)) => Err(ReadError::Stopped),
            Err(_) => Err(ReadError::Timeout),
        }
    }

    pub(crate) fn stop(&self) {
        self.task.abort();
    }
}

impl Drop for ReadBarrier {
    fn drop(&mut self) {
        self.stop();
    }
}

async fn run(member: Arc<Member>, mut inbox: mpsc::Receiver<Waiter>) {
    let mut waiting = Vec::new();
    // A read that comes while a confirmation runs waits for the next one: this one may have
    // begun before it.
    while inbox.recv_many(&mut waiting, MAX_WAITING).await > 0 {
        let answer = member.confirm().await;
        for waiter in waiting.drain(..) {
            // It may have stopped waiting.
            let _ = waiter.send(answer);
        }
    }
}
