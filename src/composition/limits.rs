//! What a server lets one composition ask for. The values are the operator's; the contract's
//! own ranges are in the schema tables.

use super::time::MediaTime;

/// Limits that validation and resolving hold a composition to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Elements in one composition.
    pub elements: usize,
    /// Length of the output.
    pub duration: MediaTime,
    /// Width times height of the canvas.
    pub pixels: u64,
    /// Characters in one text.
    pub text_chars: usize,
    /// Names of the buckets that a `destination` may name.
    pub destinations: Vec<String>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            elements: 500,
            duration: MediaTime::new(3 * 3600, 1),
            pixels: 33_177_600,
            text_chars: 10_000,
            destinations: Vec::new(),
        }
    }
}
