//! `GET /v1/workspace/usage`: what a workspace had rendered.

use axum::Json;
use axum::extract::State;
use cluster::model::{Day, LogTime};
use serde::Serialize;
use utoipa::ToSchema;

use super::quota::{MILLIS_PER_MINUTE, first_day, stored};
use crate::edge::context::Edge;
use crate::edge::error::{ApiError, ErrorBody};
use crate::edge::extract::Workspace;
use crate::edge::params::Params;
use crate::edge::timestamp::rfc3339;

const DEFAULT_PERIOD: &str = "30d";

/// As long as usage is kept.
const MAX_DAYS: u32 = 400;

const MILLIS_PER_DAY: u64 = 86_400_000;

/// What a workspace had rendered.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Usage)]
pub(crate) struct UsageBody {
    /// Whose it is.
    workspace: String,
    /// Days, the last of which is today (UTC), such as `30d`.
    period: String,
    /// When the first of them began.
    #[schema(format = DateTime)]
    from: String,
    /// Now.
    #[schema(format = DateTime)]
    to: String,
    /// Minutes of video that were rendered.
    render_minutes: f64,
    /// Renders that completed.
    renders: u64,
    /// Bytes of their files.
    bytes_out: u64,
    /// Bytes of uploads, imports and finished videos that it keeps now.
    bytes_stored: u64,
    /// What the workspace may have.
    quota: QuotaBody,
}

/// What a workspace may have.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Quota)]
struct QuotaBody {
    /// Minutes of video in thirty days; null: no limit.
    render_minutes: Option<u64>,
    /// Bytes that it may keep; null: no limit.
    bytes: Option<u64>,
}

/// Read what the workspace had rendered.
#[utoipa::path(get, path = "/v1/workspace/usage", tag = "workspace",
    params(("period" = Option<String>, Query, pattern = "^([1-9]|[1-9][0-9]|[1-3][0-9][0-9]|400)d$",
        description = "1 to 400 days, today included, like `7d`; `30d` unless given")),
    responses(
        (status = 200, body = UsageBody, description = "Usage of the period"),
        (status = 400, body = ErrorBody, description = "`invalid_parameter`"),
    ))]
pub(crate) async fn usage(
    State(edge): State<Edge>,
    Workspace(workspace): Workspace,
    params: Params,
) -> Result<Json<UsageBody>, ApiError> {
    let params = params.only(&["period"])?;
    let period = params.text("period").unwrap_or(DEFAULT_PERIOD);
    let days = days(period).ok_or_else(|| {
        let message = format!("`period` must be 1 to {MAX_DAYS} days, like `7d`.");
        ApiError::parameter("period", "range", message)
    })?;
    let now = edge.now();
    let first = first_day(Day::of(now), days);
    let used = edge.state().usage_since(&workspace, first);
    Ok(Json(UsageBody {
        period: format!("{days}d"),
        from: rfc3339(LogTime(u64::from(first.0) * MILLIS_PER_DAY)),
        to: rfc3339(now),
        render_minutes: minutes(used.output_millis),
        renders: used.renders,
        bytes_out: used.output_bytes,
        bytes_stored: stored(&edge, &workspace),
        quota: QuotaBody {
            render_minutes: edge.config().quota.minutes_of(&workspace),
            bytes: edge.config().quota.bytes_of(&workspace),
        },
        workspace,
    }))
}

fn days(period: &str) -> Option<u32> {
    let digits = period.strip_suffix('d')?;
    let is_plain = !digits.starts_with('0') && digits.bytes().all(|byte| byte.is_ascii_digit());
    let days = digits.parse().ok().filter(|_| is_plain)?;
    (1..=MAX_DAYS).contains(&days).then_some(days)
}

/// Minutes to a thousandth.
#[expect(
    clippy::cast_precision_loss,
    reason = "thousandths of minutes are far below 2 to the power of 53"
)]
fn minutes(millis: u64) -> f64 {
    let thousandths = (millis * 1000 + MILLIS_PER_MINUTE / 2) / MILLIS_PER_MINUTE;
    thousandths as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_is_1_to_400_days() {
        for (period, expected) in [
            ("1d", Some(1)),
            ("30d", Some(30)),
            ("400d", Some(400)),
            ("401d", None),
            ("0d", None),
            ("030d", None),
            ("+7d", None),
            ("7", None),
            ("d", None),
            ("1m", None),
        ] {
            assert_eq!(days(period), expected, "{period}");
        }
    }

    #[test]
    fn minutes_have_three_decimals() {
        for (millis, expected) in [(0, 0.0), (10_000, 0.167), (60_000, 1.0), (90_000, 1.5)] {
            assert!((minutes(millis) - expected).abs() < 1e-9, "{millis}");
        }
    }
}
