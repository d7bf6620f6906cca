//! How far a child may be ahead of its slot: a bounded number of messages and bytes wait, then
//! its pipe fills up and it waits itself.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::protocol::FromWorker;

/// Most messages that wait.
const MESSAGES: usize = 64;
/// Bytes waiting beyond which no more are let in.
const BYTES: usize = 8 << 20;
/// How long a child's reader waits for room. While a run goes on, its slot takes messages at
/// once, so only a child that misbehaves waits longer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Messages of one child that its slot has not received yet.
#[derive(Debug, Clone, Default)]
pub(super) struct Backlog {
    shared: Arc<(Mutex<Waiting>, Condvar)>,
}

#[derive(Debug, Default)]
struct Waiting {
    messages: usize,
    bytes: usize,
}

/// Room taken by one message, given back on drop.
#[derive(Debug)]
pub(super) struct Credit {
    backlog: Backlog,
    bytes: usize,
}

impl Backlog {
    /// Takes room for `message`, waiting for it; `None` if there was none in time.
    pub(super) fn enter(&self, message: &FromWorker) -> Option<Credit> {
        self.enter_within(message, PATIENCE)
    }

    fn enter_within(&self, message: &FromWorker, patience: Duration) -> Option<Credit> {
        let bytes = size(message);
        let is_full = |waiting: &mut Waiting| {
            waiting.messages >= MESSAGES || (waiting.messages > 0 && waiting.bytes >= BYTES)
        };
        let (_, room) = &*self.shared;
        let (mut waiting, _) = room
            .wait_timeout_while(self.lock(), patience, is_full)
            .unwrap_or_else(PoisonError::into_inner);
        if is_full(&mut waiting) {
            return None;
        }
        waiting.messages += 1;
        waiting.bytes += bytes;
        drop(waiting);
        Some(Credit {
            backlog: self.clone(),
            bytes,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.shared.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Credit {
    fn drop(&mut self) {
        let mut waiting = self.backlog.lock();
        waiting.messages -= 1;
        waiting.bytes -= self.bytes;
        drop(waiting);
        self.backlog.shared.1.notify_one();
    }
}

fn size(message: &FromWorker) -> usize {
    match message {
        FromWorker::Output { body, .. } => body.len(),
        FromWorker::Failed { failure, .. } => {
            failure.code.len()
                + failure.message.len()
                + failure.path.as_ref().map_or(0, String::len)
        }
        FromWorker::Ready { .. } | FromWorker::Progress { .. } | FromWorker::Finished => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_is_bounded_and_room_comes_back() {
        let backlog = Backlog::default();
        let now = Duration::ZERO;
        let enter = |message: &FromWorker| backlog.enter_within(message, now);
        let mut held: Vec<_> = (0..MESSAGES)
            .filter_map(|_| enter(&FromWorker::Finished))
            .collect();
        assert_eq!(held.len(), MESSAGES);
        assert!(enter(&FromWorker::Finished).is_none());
        held.clear();
        let big = FromWorker::Output {
            output: 0,
            body: vec![0; BYTES],
        };
        let first = enter(&big);
        assert!(first.is_some(), "one alone always fits");
        assert!(enter(&FromWorker::Finished).is_none());
        drop(first);
        assert!(enter(&FromWorker::Finished).is_some());
    }
}
