//! How much a workspace may have rendered: minutes of finished video in the last thirty days.
//! What is under way is not counted until it is finished, so the render that crosses the line
//! is still made, and those admitted before it.

use std::collections::BTreeMap;

use cluster::model::Day;

use crate::edge::context::Edge;
use crate::edge::error::{ApiError, Code};

/// Days that a quota is for, today included.
const DAYS: u32 = 30;

pub(super) const MILLIS_PER_MINUTE: u64 = 60_000;

/// Minutes of video that workspaces may have rendered in thirty days.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Quota {
    /// Any workspace's; 0: no limit.
    pub render_minutes: u64,
    /// Those of particular workspaces; 0: no limit.
    pub workspaces: BTreeMap<String, u64>,
}

impl Quota {
    /// The minutes of `workspace`; none: no limit.
    pub(super) fn minutes_of(&self, workspace: &str) -> Option<u64> {
        let own = self.workspaces.get(workspace).copied();
        Some(own.unwrap_or(self.render_minutes)).filter(|minutes| *minutes > 0)
    }
}

/// Whether the workspace may have more rendered.
///
/// # Errors
/// 402 when it has had its minutes.
pub(crate) fn within_quota(edge: &Edge, workspace: &str) -> Result<(), ApiError> {
    let Some(minutes) = edge.config().quota.minutes_of(workspace) else {
        return Ok(());
    };
    let used = edge
        .state()
        .usage_since(workspace, first_day(Day::of(edge.now()), DAYS));
    if used.output_millis < minutes.saturating_mul(MILLIS_PER_MINUTE) {
        return Ok(());
    }
    Err(ApiError::new(
        Code::QuotaExceeded,
        format!(
            "The workspace has had its {minutes} minutes of video rendered in the last {DAYS} days."
        ),
    ))
}

/// The first of `days` days of which `today` is the last.
pub(super) fn first_day(today: Day, days: u32) -> Day {
    Day(today.0.saturating_sub(days.saturating_sub(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workspace_of_its_own_overrides_the_rest() {
        let quota = Quota {
            render_minutes: 10,
            workspaces: BTreeMap::from([("big".to_owned(), 500), ("free".to_owned(), 0)]),
        };
        assert_eq!(quota.minutes_of("any"), Some(10));
        assert_eq!(quota.minutes_of("big"), Some(500));
        assert_eq!(quota.minutes_of("free"), None);
        assert_eq!(Quota::default().minutes_of("any"), None);
    }

    #[test]
    fn thirty_days_are_today_and_twenty_nine_before() {
        assert_eq!(first_day(Day(100), 30), Day(71));
        assert_eq!(first_day(Day(100), 1), Day(100));
        assert_eq!(first_day(Day(3), 30), Day(0));
    }
}
