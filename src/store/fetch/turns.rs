//! Whose download is next: all of a node's are counted, and so are those of each host, so that
//! one slow host does not take the room of all others.
//!
//! A download cannot be taken back from a slow host, so room is kept for hosts that come later:
//! one that has as many downloads as there is room left begins no other.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use url::Url;

use super::progress::Meter;

const ALIVE: Duration = Duration::from_secs(5);

/// The downloads that go on.
#[derive(Debug)]
pub(super) struct Turns {
    most: usize,
    /// Between two signs of life of a download that waits.
    alive: Duration,
    /// By host and port; none is 0.
    going_on: Mutex<BTreeMap<String, usize>>,
    ended: Notify,
}

/// A download's turn; it is over when this is dropped.
#[derive(Debug)]
pub(super) struct Turn<'a> {
    turns: &'a Turns,
    host: String,
}

impl Turns {
    /// Room for `most` downloads at once.
    pub(super) fn new(most: usize) -> Self {
        Self {
            most: most.max(1),
            alive: ALIVE,
            going_on: Mutex::default(),
            ended: Notify::new(),
        }
    }

    /// Waits until there is room for a download from the host of `url`.
    pub(super) async fn wait(&self, url: &Url, meter: &dyn Meter) -> Turn<'_> {
        let port = url.port_or_known_default().unwrap_or(0);
        let host = format!("{}:{port}", url.host_str().unwrap_or_default());
        loop {
            let mut ended = std::pin::pin!(self.ended.notified());
            // From here on no end goes unseen.
            ended.as_mut().enable();
            if let Some(turn) = self.begin(&host) {
                return turn;
            }
            tokio::select! {
                () = ended => {}
                () = tokio::time::sleep(self.alive) => meter.waiting(),
            }
        }
    }

    fn begin(&self, host: &str) -> Option<Turn<'_>> {
        let mut going_on = self.lock();
        let room = self.most.saturating_sub(going_on.values().sum());
        let own = going_on.get(host).copied().unwrap_or(0);
        if own >= room {
            return None;
        }
        going_on.insert(host.to_owned(), own + 1);
        Some(Turn {
            turns: self,
            host: host.to_owned(),
        })
    }

    // Held for one map operation; a poisoned lock still guards whole values.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, usize>> {
        self.going_on.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut going_on = self.turns.lock();
        if let Some(count) = going_on.get_mut(&self.host) {
            *count -= 1;
            if *count == 0 {
                going_on.remove(&self.host);
            }
        }
        drop(going_on);
        self.turns.ended.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[tokio::test]
    async fn a_host_leaves_room_for_others_and_waits_alive() {
        let mut turns = Turns::new(8);
        turns.alive = Duration::from_millis(1);
        let alive = AtomicU64::new(0);
        let slow = url("http://slow.example/a");
        let mut held = Vec::new();
        for _ in 0..4 {
            held.push(turns.wait(&slow, &alive).await);
        }
        let fifth = tokio::time::timeout(Duration::from_millis(100), turns.wait(&slow, &alive));
        assert!(fifth.await.is_err(), "half of the room is the most");
        assert!(alive.load(Ordering::Relaxed) > 0, "it waits alive");
        // Others still begin, on the same machine too.
        for other in ["http://slow.example:8080/a", "https://other.example/"] {
            turns.wait(&url(other), &alive).await;
        }
        let fifth = turns.wait(&slow, &alive);
        tokio::pin!(fifth);
        assert!(futures::poll!(fifth.as_mut()).is_pending());
        drop(held.pop());
        fifth.await;
        assert_eq!(held.len(), 3);
    }
}
