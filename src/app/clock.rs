//! The machine's clocks, for those who take time as a port.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use actors::ports::Clock;
use cluster::model::LogTime;

/// The real time.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Instant {
        Instant::now()
    }

    fn log_time(&self) -> LogTime {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        LogTime(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }
}
