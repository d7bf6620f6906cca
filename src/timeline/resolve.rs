//! A valid composition and probed sources become a timeline: every length in pixels, every
//! time known.

use serde::{Deserialize, Serialize};

use super::MediaInfo;
use crate::composition::{TextStyle, ValidComposition, Warning};

/// A composition whose sources are known; `evaluate` and `mix` are functions of it alone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Timeline {
    /// What the client asked for.
    pub composition: ValidComposition,
    /// Facts of each source, in the order of `ValidComposition::source_urls`.
    pub sources: Vec<MediaInfo>,
    /// Output frames.
    pub frames: u64,
    /// Height in pixels of each text element's block of lines, by element index.
    pub text_heights: Vec<Option<f64>>,
}

/// Lays text out; implemented by the renderer's text engine.
pub trait TextMeasure {
    /// Height in pixels of `style`'s lines when broken to `width` pixels.
    fn height(&self, style: &TextStyle, width: f64) -> f64;
}

/// Why a composition and its sources don't fit together; a render failure of API.md §4.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ResolveError {
    /// `invalid_source` or `limit_exceeded`.
    pub code: String,
    /// A sentence.
    pub message: String,
    /// The element, like `elements[1].source_url`.
    pub path: String,
}

/// What resolving made.
pub type Resolved = (Timeline, Vec<Warning>);
