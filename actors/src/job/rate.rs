//! Frames a second over a sliding window. Pure: time is given.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

const WINDOW: Duration = Duration::from_secs(10);

/// Counts seen lately.
#[derive(Debug, Default)]
pub(super) struct Rate {
    seen: VecDeque<(Instant, u64)>,
}

impl Rate {
    /// Takes in the count at `now`; counts never go back.
    pub(super) fn note(&mut self, count: u64, now: Instant) {
        // One point before the window is kept, so that the window is always full.
        while self
            .seen
            .get(1)
            .is_some_and(|&(at, _)| now.saturating_duration_since(at) >= WINDOW)
        {
            self.seen.pop_front();
        }
        if self.seen.back().is_none_or(|&(_, last)| last != count) {
            self.seen.push_back((now, count));
        }
    }

    /// Frames a second, rounded to hundredths; `None` before the second change.
    pub(super) fn per_second(&self, now: Instant) -> Option<f64> {
        let (&(start, first), &(end, last)) = (self.seen.front()?, self.seen.back()?);
        if start == end {
            return None;
        }
        // Between changes the rate holds; in a long silence it falls.
        let quiet = now.saturating_duration_since(end);
        let end = if quiet > WINDOW / 4 { now } else { end };
        let seconds = end.saturating_duration_since(start).as_secs_f64();
        #[expect(
            clippy::cast_precision_loss,
            reason = "frame counts are far below 2^52"
        )]
        let frames = last.saturating_sub(first) as f64;
        (seconds > 0.0).then(|| (100.0 * frames / seconds).round() / 100.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_that_of_the_last_seconds() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let mut rate = Rate::default();
        rate.note(0, at(0));
        assert_eq!(rate.per_second(at(500)), None);
        rate.note(30, at(1000));
        assert_eq!(rate.per_second(at(1000)), Some(30.0));
        assert_eq!(rate.per_second(at(3000)), Some(30.0), "between two changes");
        assert_eq!(rate.per_second(at(10_000)), Some(3.0), "in a long silence");
        for second in 2..30 {
            rate.note(30 + 10 * (second - 1), at(second * 1000));
        }
        assert_eq!(
            rate.per_second(at(29_000)),
            Some(10.0),
            "the fast start is forgotten"
        );
    }
}
