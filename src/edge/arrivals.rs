//! Memory for bodies while they arrive and until they are parsed. A client that sends many
//! bodies slowly holds what it has sent so far; so each body takes its room before its first
//! byte is read, and of one workspace they take no more than is left free for the others.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// Room for bodies, in bytes, at the default longest body: 32 of these.
const ROOM: usize = 64 << 20;

/// Bodies up to this length need no room: connections are bounded.
const SMALL: usize = 16 << 10;

/// The room that bodies take.
#[derive(Debug)]
pub(super) struct Arrivals {
    room: usize,
    taken: Mutex<Taken>,
    /// Room was given back.
    freed: Notify,
}

#[derive(Debug, Default)]
struct Taken {
    total: usize,
    of: BTreeMap<String, usize>,
}

/// Room for one body; given back when this is dropped.
#[derive(Debug)]
pub(super) struct Room {
    arrivals: Arc<Arrivals>,
    workspace: String,
    bytes: usize,
}

impl Arrivals {
    /// Room for bodies of at most `longest` bytes: at least for two of them.
    pub(super) fn new(longest: usize) -> Self {
        Self {
            room: ROOM.max(longest.saturating_mul(2)),
            taken: Mutex::default(),
            freed: Notify::new(),
        }
    }

    /// Waits for room for a body of up to `bytes` bytes of `workspace`. Callers set the
    /// deadline.
    pub(super) async fn take(self: &Arc<Self>, workspace: &str, bytes: usize) -> Option<Room> {
        if bytes <= SMALL {
            return None;
        }
        let mut freed = std::pin::pin!(self.freed.notified());
        loop {
            // Before looking, so that what is given back meanwhile is not missed.
            freed.as_mut().enable();
            if self.lock().admit(workspace, bytes, self.room) {
                return Some(Room {
                    arrivals: Arc::clone(self),
                    workspace: workspace.to_owned(),
                    bytes,
                });
            }
            freed.as_mut().await;
            freed.set(self.freed.notified());
        }
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        // Both counts change in one step.
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken {
    /// Takes room if the workspace then has no more than is free.
    fn admit(&mut self, workspace: &str, bytes: usize, room: usize) -> bool {
        let own = self.of.get(workspace).copied().unwrap_or(0) + bytes;
        let total = self.total + bytes;
        if total > room || own > room - total {
            return false;
        }
        self.total = total;
        self.of.insert(workspace.to_owned(), own);
        true
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        {
            let mut taken = self.arrivals.lock();
            taken.total = taken.total.saturating_sub(self.bytes);
            if let Some(own) = taken.of.get_mut(&self.workspace) {
                *own = own.saturating_sub(self.bytes);
            }
            taken.of.retain(|_, bytes| *bytes > 0);
        }
        self.arrivals.freed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const BODY: usize = 2 << 20;

    #[tokio::test]
    async fn one_workspace_leaves_as_much_as_it_has_and_gets_more_when_it_gives_back() {
        let arrivals = Arc::new(Arrivals::new(BODY));
        let limit = Duration::from_millis(200);
        let mut held = Vec::new();
        while let Ok(room) = tokio::time::timeout(limit, arrivals.take("hostile", BODY)).await {
            held.push(room);
        }
        assert_eq!(held.len() * BODY, ROOM / 2);
        let other = tokio::time::timeout(limit, arrivals.take("other", BODY)).await;
        assert!(other.is_ok_and(|room| room.is_some()));
        assert!(arrivals.take("hostile", SMALL).await.is_none());

        let waiting = tokio::spawn({
            let arrivals = Arc::clone(&arrivals);
            async move { arrivals.take("hostile", BODY).await.is_some() }
        });
        tokio::time::sleep(limit).await;
        assert!(!waiting.is_finished());
        held.pop();
        let taken = tokio::time::timeout(Duration::from_secs(30), waiting).await;
        assert!(taken.expect("in time").expect("no panic"));
        held.clear();
        assert_eq!(arrivals.lock().total, 0);
        assert!(arrivals.lock().of.is_empty());
    }

    #[tokio::test]
    async fn a_body_as_long_as_any_may_be_finds_room() {
        let longest = 2 * ROOM;
        let arrivals = Arc::new(Arrivals::new(longest));
        assert!(arrivals.take("any", longest).await.is_some());
    }
}
