//! Facts about sources that decide which frame is shown: made by probing, kept in the plan.

use serde::{Deserialize, Serialize};

use super::FrameTable;
use super::language::{self, Match};
use crate::composition::TrackChoice;

/// What a source turned out to be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MediaInfo {
    /// Name of the container format: `mp4`, `matroska`, `png` …
    pub container: String,
    /// The picture track that is shown, if there is one.
    pub video: Option<VideoInfo>,
    /// Sound tracks that can be decoded, in the file's order.
    pub sounds: Vec<AudioInfo>,
    /// What of the file is not shown or heard as it is, and what was wrong with it.
    pub notices: Vec<Notice>,
    /// Why its pictures cannot be shown, where it has some and its sound can be heard.
    pub refusal: Option<String>,
}

/// Something about a source that clients should know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// A warning's code (API.md §6), like `source_damaged`.
    pub code: String,
    /// A sentence, without the source's name.
    pub message: String,
    /// Nanoseconds of source time that it is about; `None`: all of it.
    pub span: Option<(i64, i64)>,
}

impl MediaInfo {
    /// Containers of still pictures, as probing names them.
    const STILLS: [&str; 8] = ["png", "jpeg", "jpg", "webp", "gif", "tiff", "avif", "svg"];

    /// Whether it is a still picture rather than a video of one frame.
    pub fn is_still(&self) -> bool {
        Self::STILLS.contains(&self.container.as_str())
    }

    /// The sound track that an element plays.
    pub fn sound(&self, choice: Option<&TrackChoice>) -> Option<&AudioInfo> {
        match choice {
            None => self.audio(),
            Some(TrackChoice::Number(number)) => self.sounds.get(usize::from(*number)),
            Some(TrackChoice::Language(wanted)) => {
                let matching = |how: Match| {
                    let is = move |sound: &&AudioInfo| {
                        let language = sound.language.as_deref();
                        language.and_then(|one| language::compare(wanted, one)) == Some(how)
                    };
                    let flagged = self.sounds.iter().filter(is).find(|one| one.is_default);
                    flagged.or_else(|| self.sounds.iter().find(is))
                };
                matching(Match::Exact).or_else(|| matching(Match::General))
            }
        }
    }

    /// The sound track that plays where none is asked for: the one flagged default, else the
    /// first.
    pub fn audio(&self) -> Option<&AudioInfo> {
        let flagged = self.sounds.iter().find(|sound| sound.is_default);
        flagged.or_else(|| self.sounds.first())
    }
}

/// A picture track: all that deciding which frame to show needs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VideoInfo {
    /// Its place among all tracks of the file, from 0.
    pub track: usize,
    /// Name of the codec: `h264`, `vp9` …
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

/// A sound track.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AudioInfo {
    /// Its place among all tracks of the file, from 0.
    pub track: usize,
    /// Name of the codec.
    pub codec: String,
    /// Samples a second, as coded.
    pub sample_rate: u32,
    /// Channels, as coded.
    pub channels: u16,
    /// Where its first audible sample lies, in nanoseconds of source time.
    pub start: i64,
    /// Where its last audible sample ends, in nanoseconds of source time, codec delay and padding
    /// removed.
    pub end: i64,
    /// Language as the file writes it, if it does.
    pub language: Option<String>,
    /// Flagged as the track that plays by default.
    pub is_default: bool,
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
    /// SMPTE 240M.
    Smpte240m,
}

impl Matrix {
    /// Its name in the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bt601 => "bt601",
            Self::Bt709 => "bt709",
            Self::Bt2020 => "bt2020",
            Self::Smpte240m => "smpte240m",
        }
    }

    /// The weights of red and blue in luma.
    #[must_use]
    pub const fn weights(self) -> (f64, f64) {
        match self {
            Self::Bt601 => (0.299, 0.114),
            Self::Bt709 => (0.2126, 0.0722),
            Self::Bt2020 => (0.2627, 0.0593),
            Self::Smpte240m => (0.212, 0.087),
        }
    }
}
