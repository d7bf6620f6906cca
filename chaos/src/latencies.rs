//! Times that something took, and what can be said of many of them.

use std::fmt;
use std::time::Duration;

/// Times in ascending order.
#[derive(Debug, Clone, Default)]
pub struct Latencies(Vec<Duration>);

impl FromIterator<Duration> for Latencies {
    fn from_iter<I: IntoIterator<Item = Duration>>(times: I) -> Self {
        let mut times: Vec<Duration> = times.into_iter().collect();
        times.sort();
        Self(times)
    }
}

impl Latencies {
    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// The time that `percent` of them do not exceed; zero where there are none.
    pub fn percentile(&self, percent: usize) -> Duration {
        let rank = (self.0.len() * percent).div_ceil(100).max(1);
        self.0.get(rank - 1).copied().unwrap_or_default()
    }

    /// The time that 95 % of them do not exceed.
    pub fn p95(&self) -> Duration {
        self.percentile(95)
    }

    /// The longest.
    pub fn longest(&self) -> Duration {
        self.percentile(100)
    }
}

impl fmt::Display for Latencies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "median {:.0} ms, p95 {:.0} ms, longest {:.0} ms of {}",
            millis(self.percentile(50)),
            millis(self.p95()),
            millis(self.longest()),
            self.count()
        )
    }
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_one_of_the_times() {
        let all: Latencies = (1..=100).rev().map(Duration::from_millis).collect();
        assert_eq!(all.p95(), Duration::from_millis(95));
        assert_eq!(all.percentile(50), Duration::from_millis(50));
        assert_eq!(all.longest(), Duration::from_millis(100));
        let one: Latencies = [Duration::from_millis(7)].into_iter().collect();
        assert_eq!(one.p95(), Duration::from_millis(7));
        assert_eq!(Latencies::default().p95(), Duration::ZERO);
    }
}
