//! Exact time: rational seconds, and the frame types of the whole workspace.

use std::fmt;

use num_rational::Ratio;
use serde::{Deserialize, Serialize};

pub use cluster::model::{FrameIndex, FrameRange, FrameRate};

/// Seconds as an exact fraction; never a binary float.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "(i128, i128)", try_from = "(i128, i128)")]
pub struct MediaTime(Ratio<i128>);

/// A serialised fraction whose denominator is not positive.
#[derive(Debug, thiserror::Error)]
#[error("time has a denominator that is not positive")]
pub struct BadFraction;

impl From<MediaTime> for (i128, i128) {
    fn from(time: MediaTime) -> Self {
        (*time.0.numer(), *time.0.denom())
    }
}

impl TryFrom<(i128, i128)> for MediaTime {
    type Error = BadFraction;

    fn try_from((numerator, denominator): (i128, i128)) -> Result<Self, BadFraction> {
        if denominator <= 0 {
            return Err(BadFraction);
        }
        Ok(Self(Ratio::new(numerator, denominator)))
    }
}

impl MediaTime {
    /// The beginning.
    pub const ZERO: Self = Self(Ratio::new_raw(0, 1));

    /// `numerator / denominator` seconds; `denominator` must be positive.
    pub fn new(numerator: i128, denominator: i128) -> Self {
        debug_assert!(denominator > 0, "time needs a positive denominator");
        Self(Ratio::new(numerator, denominator.max(1)))
    }

    /// Whole nanoseconds.
    pub fn from_nanos(nanos: i64) -> Self {
        Self::new(i128::from(nanos), 1_000_000_000)
    }

    /// When output frame `frame` is shown at `rate`.
    pub fn of_frame(frame: FrameIndex, rate: FrameRate) -> Self {
        Self::new(
            i128::from(frame.0) * i128::from(rate.denominator()),
            i128::from(rate.numerator()),
        )
    }

    /// The nearest multiple of `1 / per_second`, halves up, as a count of them.
    pub fn round_to(self, per_second: u32) -> i128 {
        let scaled = self.0 * Ratio::from_integer(i128::from(per_second));
        (scaled + Ratio::new_raw(1, 2)).floor().to_integer()
    }

    /// The number of frames of `rate` in this time, halves up, at least one.
    pub fn frame_count(self, rate: FrameRate) -> u64 {
        let frames = self.0 * rational(rate) + Ratio::new_raw(1, 2);
        u64::try_from(frames.floor().to_integer())
            .unwrap_or(0)
            .max(1)
    }

    /// Whole nanoseconds, rounded to nearest.
    pub fn nanos(self) -> i128 {
        self.round_to(1_000_000_000)
    }

    /// An approximation for people and for pixels that move.
    pub fn as_f64(self) -> f64 {
        #[expect(
            clippy::cast_precision_loss,
            reason = "an approximation is what is asked for"
        )]
        let seconds = *self.0.numer() as f64 / *self.0.denom() as f64;
        seconds
    }

    /// The fraction itself.
    pub fn ratio(self) -> Ratio<i128> {
        self.0
    }
}

impl From<Ratio<i128>> for MediaTime {
    fn from(ratio: Ratio<i128>) -> Self {
        Self(ratio)
    }
}

impl std::ops::Add for MediaTime {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

impl std::ops::Sub for MediaTime {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0 - other.0)
    }
}

impl fmt::Debug for MediaTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}s", self.0)
    }
}

impl fmt::Display for MediaTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3}s", self.as_f64())
    }
}

fn rational(rate: FrameRate) -> Ratio<i128> {
    Ratio::new(i128::from(rate.numerator()), i128::from(rate.denominator()))
}
