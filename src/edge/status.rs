//! How the API spells values of the log.

use cluster::model::{FrameRate, JobStatus};
use serde_json::Value;

/// Every status a render can have, with its name.
pub(super) const NAMES: [(&str, JobStatus); 5] = [
    ("queued", JobStatus::Queued),
    ("processing", JobStatus::Processing),
    ("completed", JobStatus::Completed),
    ("failed", JobStatus::Failed),
    ("cancelled", JobStatus::Cancelled),
];

/// The name of `status` in the API.
pub(super) fn name(status: JobStatus) -> &'static str {
    match status {
        JobStatus::Queued => "queued",
        JobStatus::Processing => "processing",
        JobStatus::Completed => "completed",
        JobStatus::Failed => "failed",
        JobStatus::Cancelled => "cancelled",
    }
}

/// A rate as requests spell it: a whole number, or a fraction such as `30000/1001`.
pub(super) fn rate(rate: FrameRate) -> Value {
    if rate.denominator() == 1 {
        Value::from(rate.numerator())
    } else {
        Value::from(format!("{}/{}", rate.numerator(), rate.denominator()))
    }
}

/// Seconds that `frames` take at `rate`, for people.
pub(super) fn seconds(frames: u64, rate: FrameRate) -> f64 {
    #[expect(
        clippy::cast_precision_loss,
        reason = "no output has 2^53 frames, and this is for people to read"
    )]
    let frames = frames as f64;
    frames * f64::from(rate.denominator()) / f64::from(rate.numerator())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_is_listed_under_its_name() {
        for (expected, status) in NAMES {
            assert_eq!(name(status), expected);
        }
    }

    #[test]
    fn rates_read_as_requests_spell_them() {
        let of = |n, d| FrameRate::new(n, d).expect("a rate");
        assert_eq!(rate(of(60, 2)), Value::from(30));
        assert_eq!(rate(of(30000, 1001)), Value::from("30000/1001"));
        assert!((seconds(180, of(30000, 1001)) - 6.006).abs() < 1e-9);
    }
}
