//! The least rate of a download: in every window of time so many bytes must come, since a
//! server that sends a byte now and then holds what others wait for as one that is silent does.

use tokio::time::Instant;

use super::FetchLimits;
use super::error::FetchError;

/// How fast bytes come, window by window.
pub(super) struct Pace {
    /// When the window ends; `None`: any rate will do.
    end: Option<Instant>,
    /// Bytes there were at its beginning.
    length: u64,
}

impl Pace {
    /// A window that begins now, with `length` bytes there.
    pub(super) fn begin(limits: &FetchLimits, length: u64) -> Self {
        let is_measured = limits.min_rate > 0 && !limits.rate_window.is_zero();
        Self {
            end: is_measured.then(|| Instant::now() + limits.rate_window),
            length,
        }
    }

    /// When it is known whether the window has brought enough.
    pub(super) fn end(&self) -> Option<Instant> {
        self.end
    }

    /// Fails if a whole window has brought too little; `length` bytes are there.
    pub(super) fn check(
        &mut self,
        limits: &FetchLimits,
        length: u64,
        now: Instant,
    ) -> Result<(), FetchError> {
        let Some(end) = self.end.filter(|&end| now >= end) else {
            return Ok(());
        };
        let window = limits.rate_window;
        let millis = window + now.saturating_duration_since(end);
        let millis = u64::try_from(millis.as_millis()).unwrap_or(u64::MAX).max(1);
        let rate = length.saturating_sub(self.length).saturating_mul(1000) / millis;
        if rate < limits.min_rate {
            return Err(FetchError::TooSlow {
                rate,
                window,
                least: limits.min_rate,
            });
        }
        *self = Self::begin(limits, length);
        Ok(())
    }
}
