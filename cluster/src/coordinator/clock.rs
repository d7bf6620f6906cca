//! The one clock of the cluster: the leader's, read only to stamp proposals.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::model::LogTime;

/// The stamp for a proposal made now, where `applied` is the last log time known: log time
/// never goes back, whatever the machine's clock does.
pub(super) fn stamp(applied: LogTime) -> LogTime {
    #[expect(
        clippy::disallowed_methods,
        reason = "stamping is the one reading of a clock; apply takes the stamp from the log"
    )]
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH);
    let millis = since_epoch.map_or(0, |age| u64::try_from(age.as_millis()).unwrap_or(u64::MAX));
    applied.max(LogTime(millis))
}
