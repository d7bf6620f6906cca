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

    /// The seconds that a decimal such as `-1.25` or `5e-1` means, exactly. Digits beyond the
    /// 18th decimal are dropped; `None` for other text and for 10^12 seconds and more.
    pub fn from_decimal_str(text: &str) -> Option<Self> {
        const DECIMALS: i32 = 18;
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
            None => (text, 0),
        };
        let (negative, digits) = match mantissa.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, mantissa),
        };
        let (whole, decimals) = digits.split_once('.').unwrap_or((digits, ""));
        if whole.is_empty() || !(whole.bytes().chain(decimals.bytes())).all(|b| b.is_ascii_digit())
        {
            return None;
        }
        // Where the point stands among the digits once the exponent has moved it.
        let point = i32::try_from(whole.len()).ok()?.checked_add(exponent)?;
        let mut units: i128 = 0;
        let mut place = point.checked_add(DECIMALS)?;
        for digit in whole.bytes().chain(decimals.bytes()) {
            place -= 1;
            if place < 0 {
                break;
            }
            units = units
                .checked_mul(10)?
                .checked_add(i128::from(digit - b'0'))?;
            if units >= 10_i128.pow(30) {
                return None;
            }
        }
        while place > 0 && units > 0 {
            units = units.checked_mul(10).filter(|&u| u < 10_i128.pow(30))?;
            place -= 1;
        }
        let units = if negative { -units } else { units };
        Some(Self::new(units, 10_i128.pow(18)))
    }

    /// The seconds that the shortest decimal of `value` means: what a client wrote, as long
    /// as it wrote no more digits than a double holds.
    pub fn from_json_number(value: f64) -> Option<Self> {
        Self::from_decimal_str(&value.to_string())
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
        let per_second = i128::from(per_second);
        let (whole, part) = self.split();
        // The part is under one second: scaling it alone cannot overflow, as scaling the
        // whole fraction could.
        let scaled = part * Ratio::from_integer(per_second) + Ratio::new_raw(1, 2);
        whole * per_second + scaled.floor().to_integer()
    }

    /// Whole nanoseconds, rounded down.
    pub fn floor_nanos(self) -> i128 {
        let (whole, part) = self.split();
        let scaled = part * Ratio::from_integer(1_000_000_000);
        whole * 1_000_000_000 + scaled.floor().to_integer()
    }

    /// Whole seconds, rounded down, and what is left.
    fn split(self) -> (i128, Ratio<i128>) {
        let whole = self.0.floor();
        (whole.to_integer(), self.0 - whole)
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
