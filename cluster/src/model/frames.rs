//! Positions and rates in frames: the one definition of them in the workspace.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Position of a frame in the output, from 0.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct FrameIndex(pub u64);

/// Half-open range of output frames, `start..end`; never empty when made by [`FrameRange::new`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FrameRange {
    /// First frame.
    pub start: u64,
    /// One past the last frame.
    pub end: u64,
}

impl FrameRange {
    /// `start..end`, or `None` if that would be empty.
    pub fn new(start: u64, end: u64) -> Option<Self> {
        (start < end).then_some(Self { start, end })
    }

    /// How many frames.
    pub fn count(self) -> u64 {
        self.end.saturating_sub(self.start)
    }

    /// The frames, in order.
    pub fn iter(self) -> impl Iterator<Item = FrameIndex> {
        (self.start..self.end).map(FrameIndex)
    }
}

/// Frames a second as a fraction in lowest terms, such as 30000/1001.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FrameRate {
    numerator: u32,
    denominator: u32,
}

impl FrameRate {
    /// `numerator / denominator` in lowest terms, or `None` if either is zero.
    pub fn new(numerator: u32, denominator: u32) -> Option<Self> {
        if numerator == 0 || denominator == 0 {
            return None;
        }
        let divisor = gcd(numerator, denominator);
        Some(Self {
            numerator: numerator / divisor,
            denominator: denominator / divisor,
        })
    }

    /// Frames in [`FrameRate::denominator`] seconds.
    pub fn numerator(self) -> u32 {
        self.numerator
    }

    /// Seconds that [`FrameRate::numerator`] frames take.
    pub fn denominator(self) -> u32 {
        self.denominator
    }
}

impl fmt::Debug for FrameRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.numerator, self.denominator)
    }
}

fn gcd(mut a: u32, mut b: u32) -> u32 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}
