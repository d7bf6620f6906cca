//! The cluster's clocks, for those who take time as a port.

use std::time::Instant;

use actors::ports::Clock;
use cluster::Coordinator;
use cluster::model::{LogTime, RanTime};

/// Log time and running time as this process's coordinator has them. No wall clock is read
/// beside it, so that what is compared with stamps of the log is of the same clock.
#[derive(Debug, Clone)]
pub(super) struct ClusterClock(pub(super) Coordinator);

impl Clock for ClusterClock {
    fn now(&self) -> Instant {
        Instant::now()
    }

    fn log_time(&self) -> LogTime {
        self.0.times().0
    }

    fn ran(&self) -> RanTime {
        self.0.times().1
    }
}
