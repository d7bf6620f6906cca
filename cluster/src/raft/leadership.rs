//! Turns raft's metrics into the one question the scheduler asks: do we lead, with all of
//! the past applied?

use openraft::ServerState;
use tokio::sync::watch;

use super::RaftMetrics;
use crate::coordinator::Leadership;

/// Follows the metrics of one member.
#[derive(Debug, Default)]
pub(super) struct LeadershipTracker {
    /// The term we lead in, and the end of the log when we saw that we do.
    leading: Option<(u64, u64)>,
}

impl LeadershipTracker {
    /// What the metrics come to. Entries committed before a leader's election are in its log
    /// at that moment, so once it has applied that far, it has applied them all.
    pub(super) fn observe(&mut self, metrics: &RaftMetrics) -> Leadership {
        if metrics.state != ServerState::Leader || metrics.running_state.is_err() {
            self.leading = None;
            return Leadership::Other;
        }
        let term = metrics.current_term;
        let last = metrics.last_log_index.unwrap_or(0);
        let target = match self.leading {
            Some((known, target)) if known == term => target,
            _ => last,
        };
        self.leading = Some((term, target));
        let applied = metrics.last_applied.map_or(0, |log_id| log_id.index);
        if applied >= target {
            Leadership::Leader { term }
        } else {
            Leadership::Other
        }
    }
}

/// Keeps `leadership` true to `metrics` until the member ends.
pub(super) async fn follow(
    mut metrics: watch::Receiver<RaftMetrics>,
    leadership: watch::Sender<Leadership>,
) {
    let mut tracker = LeadershipTracker::default();
    loop {
        let now = tracker.observe(&metrics.borrow_and_update());
        leadership.send_if_modified(|known| std::mem::replace(known, now) != now);
        if metrics.changed().await.is_err() {
            leadership.send_replace(Leadership::Other);
            return;
        }
    }
}
