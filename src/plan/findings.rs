//! What prepare found out that clients see before the render is done.

use serde::{Deserialize, Serialize};

use crate::composition::Warning;

/// The object at `store::keys::findings`, JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Findings {
    /// Format of this object.
    pub version: u32,
    /// Output frames.
    pub frames: u64,
    /// Width of the file.
    pub width: u32,
    /// Height of the file.
    pub height: u32,
    /// Beyond those that validation gave.
    pub warnings: Vec<Warning>,
}
