//! How much a workspace may have rendered, minutes of video, finished in the last thirty days
//! or admitted and under way; and how much it may keep, bytes in the store. The render that
//! crosses a line is still made.

use std::collections::BTreeMap;

use cluster::State;
use cluster::model::{Day, LogTime};

use super::arriving::Expected;
use crate::edge::context::Shared;
use crate::edge::error::{ApiError, Code};
use crate::store::Purpose;

/// Days that a quota is for, today included.
const DAYS: u32 = 30;

pub(super) const MILLIS_PER_MINUTE: u64 = 60_000;

/// What workspaces may have rendered and may keep. 0 is no limit, in all of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Quota {
    /// Minutes of video in thirty days.
    pub render_minutes: u64,
    /// Bytes of uploads, imports and finished videos.
    pub bytes: u64,
    /// What is otherwise for particular workspaces.
    pub workspaces: BTreeMap<String, WorkspaceQuota>,
}

/// What is otherwise for one workspace.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WorkspaceQuota {
    /// Minutes of video in thirty days.
    pub render_minutes: Option<u64>,
    /// Bytes.
    pub bytes: Option<u64>,
}

impl Quota {
    /// The minutes of `workspace`; none: no limit.
    pub(super) fn minutes_of(&self, workspace: &str) -> Option<u64> {
        let own = self.workspaces.get(workspace);
        let own = own.and_then(|own| own.render_minutes);
        Some(own.unwrap_or(self.render_minutes)).filter(|minutes| *minutes > 0)
    }

    /// The bytes of `workspace`; none: no limit.
    pub(super) fn bytes_of(&self, workspace: &str) -> Option<u64> {
        let own = self.workspaces.get(workspace);
        let own = own.and_then(|own| own.bytes);
        Some(own.unwrap_or(self.bytes)).filter(|bytes| *bytes > 0)
    }
}

/// Whether the workspace may keep `more` bytes. What it keeps is what the log knows of, uploads
/// that are still to arrive by their declared length, and bytes that arrive now. With nothing
/// known of what is to come, `more` is 0: then a workspace that is below the line may cross it.
///
/// # Errors
/// 402 when it may not.
pub(crate) fn within_bytes(edge: &Shared, workspace: &str, more: u64) -> Result<(), ApiError> {
    let Some(most) = edge.config().quota.bytes_of(workspace) else {
        return Ok(());
    };
    fits(
        stored(edge, workspace) + edge.arriving.of(workspace),
        more,
        most,
    )
}

/// Takes an upload of undeclared length into account, before its body is read: by the length
/// that the request announces, or all that the workspace may still keep. Gives that as what the
/// body may have at most, and counts it until the place is dropped; no place without a quota.
///
/// # Errors
/// 402 when the workspace keeps as much as it may, or would with the length announced.
pub(crate) fn expect_bytes(
    edge: &Shared,
    workspace: &str,
    announced: Option<u64>,
) -> Result<Option<(Expected, u64)>, ApiError> {
    let Some(most) = edge.config().quota.bytes_of(workspace) else {
        return Ok(None);
    };
    let stored = stored(edge, workspace);
    let so_far = edge.arriving.of(workspace);
    let bytes = announced.unwrap_or_else(|| most.saturating_sub(stored + so_far));
    let admit = |so_far| fits(stored + so_far, bytes, most);
    let expected = edge.arriving.expect(workspace, bytes, admit)?;
    Ok(Some((expected, bytes)))
}

fn fits(kept: u64, more: u64, most: u64) -> Result<(), ApiError> {
    if kept < most && kept.saturating_add(more) <= most {
        return Ok(());
    }
    let message = format!(
        "The workspace keeps {kept} bytes of the {most} that it may. Uploads and videos count \
         until they are deleted."
    );
    Err(ApiError::new(Code::QuotaExceeded, message))
}

/// Whether the workspace may add to a disk that is short of room: not one that keeps more than
/// its equal share, so that the files of one never take the room of others' renders. Close to the
/// mark at which renders stop, a workspace that has nothing yet is counted as well: also one that
/// is alone leaves it some room.
///
/// # Errors
/// 503 `storage_full` when it may not.
pub(super) fn within_share(edge: &Shared, workspace: &str) -> Result<(), ApiError> {
    if edge.parts.store.admit(Purpose::Source, 0).is_ok() {
        return Ok(());
    }
    let state = edge.state();
    let kept = state.held_by_workspace(artifacts_before(edge));
    let own = kept.get(workspace).copied().unwrap_or(0);
    let all = kept.values().copied().fold(0, u64::saturating_add);
    let is_close = edge.parts.store.admit(Purpose::LastShare, 0).is_err();
    if has_share(own, all, kept.len(), is_close) {
        return Ok(());
    }
    let message = format!(
        "The disk is short of room, and the workspace keeps {own} of the {all} bytes that \
         {} workspaces keep.",
        kept.len()
    );
    Err(ApiError::new(Code::StorageFull, message))
}

/// Whether a workspace that keeps `own` of `all` bytes, among `workspaces` that keep any, keeps no
/// more than an equal share; with one more that has nothing yet if `leaves_one`.
fn has_share(own: u64, all: u64, workspaces: usize, leaves_one: bool) -> bool {
    let shares = workspaces as u64 + u64::from(leaves_one);
    own.saturating_mul(shares) <= all
}

/// Bytes that the workspace keeps.
pub(super) fn stored(edge: &Shared, workspace: &str) -> u64 {
    let before = artifacts_before(edge);
    edge.state().stored_bytes(workspace, before)
}

/// Files of renders that ended before this are gone.
fn artifacts_before(edge: &Shared) -> LogTime {
    let artifacts = edge.config().artifacts.as_millis();
    let artifacts = u64::try_from(artifacts).unwrap_or(u64::MAX);
    LogTime(edge.now().0.saturating_sub(artifacts))
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
        let own = |render_minutes, bytes| WorkspaceQuota {
            render_minutes,
            bytes,
        };
        let quota = Quota {
            render_minutes: 10,
            bytes: 1000,
            workspaces: BTreeMap::from([
                ("big".to_owned(), own(Some(500), None)),
                ("free".to_owned(), own(Some(0), Some(0))),
            ]),
        };
        assert_eq!(quota.bytes_of("any"), Some(1000));
        assert_eq!(quota.bytes_of("big"), Some(1000));
        assert_eq!(quota.bytes_of("free"), None);
        assert_eq!(Quota::default().bytes_of("any"), None);
        assert_eq!(quota.minutes_of("any"), Some(10));
        assert_eq!(quota.minutes_of("big"), Some(500));
        assert_eq!(quota.minutes_of("free"), None);
        assert_eq!(Quota::default().minutes_of("any"), None);
    }

    #[test]
    fn on_a_disk_short_of_room_those_with_most_stop_and_near_its_end_also_one_that_is_alone() {
        let cases = [
            // Own, all, workspaces; whether it has its share, and whether near the end.
            (100, 100, 1, true, false),
            (99, 100, 2, false, false),
            (1, 100, 2, true, true),
            (50, 100, 2, true, false),
            (33, 100, 2, true, true),
            (0, 100, 1, true, true),
            (0, 0, 0, true, true),
        ];
        for (own, all, workspaces, before, near) in cases {
            let found = [false, true].map(|near| has_share(own, all, workspaces, near));
            assert_eq!(found, [before, near], "{own} of {all} of {workspaces}");
        }
    }

    #[test]
    fn thirty_days_are_today_and_twenty_nine_before() {
        assert_eq!(first_day(Day(100), 30), Day(71));
        assert_eq!(first_day(Day(100), 1), Day(100));
        assert_eq!(first_day(Day(3), 30), Day(0));
    }
}
