//! How much a workspace may have rendered: minutes of video, finished in the last thirty days
//! or admitted and under way. The render that crosses the line is still made.

use std::collections::BTreeMap;

use cluster::State;
use cluster::model::{Day, LogTime};

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

/// Milliseconds of video that the workspace had rendered in the days that a quota is for.
pub(super) fn finished_millis(state: &State, now: LogTime, workspace: &str) -> u64 {
    let first = first_day(Day::of(now), DAYS);
    state.usage_since(workspace, first).output_millis
}

/// The refusal of a workspace that has had its `minutes`.
pub(super) fn exceeded(minutes: u64) -> ApiError {
    ApiError::new(
        Code::QuotaExceeded,
        format!(
            "The {minutes} minutes of video that the workspace may have in {DAYS} days are \
             rendered or under way."
        ),
    )
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
