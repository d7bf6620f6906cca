//! Facts about sources that decide which frame is shown: made by probing, kept in the plan.

use serde::{Deserialize, Serialize};

/// What a source turned out to be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MediaInfo {
    /// Container in one word: `mp4`, `matroska`, `png` …
    pub container: String,
    /// The first picture track, if there is one.
    pub video: Option<VideoInfo>,
    /// The first sound track, if there is one.
    pub audio: Option<AudioInfo>,
}

impl MediaInfo {
    /// Containers of still pictures, as probing names them.
    const STILLS: [&str; 8] = ["png", "jpeg", "jpg", "webp", "gif", "tiff", "avif", "svg"];

    /// Whether it is a still picture rather than a video of one frame.
    pub fn is_still(&self) -> bool {
        Self::STILLS.contains(&self.container.as_str())
    }
}

/// A picture track: all that deciding which frame to show needs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VideoInfo {
    /// Codec in one word: `h264`, `vp9` …
    pub codec: String,
    /// Width as shown: rotation and sample aspect ratio applied.
    pub width: u32,
    /// Height as shown: rotation and sample aspect ratio applied.
    pub height: u32,
    /// Width of the decoded picture.
    pub coded_width: u32,
    /// Height of the decoded picture.
    pub coded_height: u32,
    /// Clockwise turn to apply to decoded pictures: 0, 90, 180 or 270.
    pub rotation: u16,
    /// Mirrored left to right before the turn.
    pub mirrored: bool,
    /// Samples are 8-bit 4:2:0, progressive, square, upright and in [`YuvColor::OUTPUT`]:
    /// fit for the pass-through base.
    pub plain: bool,
    /// What the numbers mean (tags, or what the size suggests where tags are missing).
    pub color: YuvColor,
    /// Every frame in presentation order.
    pub frames: FrameTable,
}

/// When each frame of a source is shown. The frame index *n* of a source is the *n*-th here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FrameTable {
    /// Presentation times in nanoseconds of source time (edit lists applied), rising.
    pub pts: Vec<i64>,
    /// Indices of frames at which decoding can begin (closed recovery points), rising; 0 is one.
    pub keyframes: Vec<u64>,
    /// Where the last frame ends, in nanoseconds.
    pub end: i64,
    /// Half a container tick, at least 0.5 ms: how far a pts may lie after a wanted time and
    /// still count as not after it.
    pub tolerance: i64,
}

/// A sound track.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AudioInfo {
    /// Codec in one word.
    pub codec: String,
    /// Samples a second, as coded.
    pub sample_rate: u32,
    /// Channels, as coded.
    pub channels: u16,
    /// Length of the sound in nanoseconds, codec delay and padding removed.
    pub duration: i64,
}

/// What the numbers of a YUV picture mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct YuvColor {
    /// Coefficients.
    pub matrix: Matrix,
    /// 0–255 rather than 16–235.
    pub full_range: bool,
    /// Chroma samples lie midway between luma columns (MPEG-1), not on the left one.
    pub centered_chroma: bool,
}

impl YuvColor {
    /// What the product writes, and what needs no conversion: BT.709, limited, left-sited.
    pub const OUTPUT: Self = Self {
        matrix: Matrix::Bt709,
        full_range: false,
        centered_chroma: false,
    };
}

/// RGB to YUV coefficients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Matrix {
    /// BT.601, both line counts.
    Bt601,
    /// BT.709.
    Bt709,
    /// BT.2020, non-constant luminance.
    Bt2020,
}
