//! Restart intensity: at most so many restarts in a sliding window, counted for one child
//! alone (the supervisors of libraries count over all children). Pure: time is given.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Counts the restarts of one child.
#[derive(Debug, Clone)]
pub(crate) struct Intensity {
    limit: usize,
    window: Duration,
    recent: VecDeque<Instant>,
    total: u64,
}

impl Intensity {
    /// At most `limit` restarts within `window`.
    pub(crate) fn new(limit: usize, window: Duration) -> Self {
        Self {
            limit,
            window,
            recent: VecDeque::new(),
            total: 0,
        }
    }

    /// Whether the child may be restarted now; counts the restart if so.
    pub(crate) fn admit(&mut self, now: Instant) -> bool {
        while self
            .recent
            .front()
            .is_some_and(|&first| now.saturating_duration_since(first) >= self.window)
        {
            self.recent.pop_front();
        }
        if self.recent.len() >= self.limit {
            return false;
        }
        self.recent.push_back(now);
        self.total += 1;
        true
    }

    /// Restarts so far.
    pub(crate) fn total(&self) -> u64 {
        self.total
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn restarts_beyond_the_limit_wait_for_the_window_to_slide() {
        let start = Instant::now();
        let mut intensity = Intensity::new(2, Duration::from_secs(10));
        let cases = [
            (0, true),
            (1, true),
            (2, false),
            (9, false),
            (10, true),
            (10, false),
            (11, true),
        ];
        for (second, want) in cases {
            let got = intensity.admit(start + Duration::from_secs(second));
            assert_eq!(got, want, "at second {second}");
        }
        assert_eq!(intensity.total(), 4);
    }
}
