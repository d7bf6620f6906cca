//! Reading and writing media, behind traits: no `GStreamer` type appears in a signature.

pub mod bitstream;
pub mod container;
mod error;
mod frame;
#[cfg(feature = "gst")]
pub mod gst;
pub mod pixels;
pub mod presentation;
mod report;
pub mod sound;
pub mod synthetic;

use std::path::Path;

use serde::{Deserialize, Serialize};

pub use error::MediaError;
pub use frame::{Frame, PixelFormat, Plane};
pub use report::{
    ColorReport, EditReport, NoticeReport, PictureReport, Report, SoundReport, TrackReport,
};

use crate::composition::time::FrameRate;
pub use crate::timeline::{
    AudioInfo, FrameTable, Matrix, MediaInfo, MixClip, MixPlan, VideoInfo, YuvColor,
};

/// Decoded pictures of one source.
pub trait FrameSource: Send {
    /// The picture of source frame `index` (presentation order), upright (rotation applied),
    /// in coded resolution. `index` never goes backwards between calls; asking again for the
    /// same one is cheap.
    ///
    /// # Errors
    /// [`MediaError`] when the file cannot be decoded up to there.
    fn frame(&mut self, index: u64) -> Result<Frame, MediaError>;

    /// Whether the picture given last was decoded from damaged data, or stands for one that could
    /// not be decoded.
    fn is_damaged(&self) -> bool {
        false
    }
}

/// A stretch of a mix in which a clip's sound could not be decoded and is silent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DamagedClip {
    /// Index in the mix's clips.
    pub clip: usize,
    /// First output sample.
    pub from: u64,
    /// Behind the last one.
    pub to: u64,
}

/// Takes the pictures of one segment and writes its closed-GOP file.
pub trait FrameSink: Send {
    /// The next picture: I420 in [`YuvColor::OUTPUT`], of the sink's even size.
    ///
    /// # Errors
    /// [`MediaError`] when the encoder refuses or the disk is full.
    fn push(&mut self, frame: &Frame) -> Result<(), MediaError>;

    /// Ends the file and waits until it is complete.
    ///
    /// # Errors
    /// As [`FrameSink::push`].
    fn finish(self: Box<Self>) -> Result<EncodedSegment, MediaError>;
}

/// What a finished segment file is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EncodedSegment {
    /// Frames in it.
    pub frames: u64,
    /// The decoder's configuration record; equal in all segments of a job.
    pub codec_data: Vec<u8>,
}

/// How pictures are encoded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EncodeSettings {
    /// Even width in pixels.
    pub width: u32,
    /// Even height in pixels.
    pub height: u32,
    /// Frames a second.
    pub rate: FrameRate,
    /// x264 constant rate factor (when `kbps` is none).
    pub crf: u8,
    /// x264 preset name.
    pub preset: String,
    /// Average bit rate in kbit/s instead of crf.
    pub kbps: Option<u32>,
    /// Frames between keyframes; at least the segment's length unless the client asked for less.
    pub keyframe_interval: u32,
}

/// The order of a join.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinSettings {
    /// Output frames.
    pub frames: u64,
    /// Output rate.
    pub rate: FrameRate,
    /// Samples of sound that are to be heard, if there is sound.
    pub samples: Option<u64>,
}

/// The media engine: everything the worker asks of it. One implementation drives `GStreamer`,
/// one makes synthetic frames for tests without native libraries.
pub trait MediaEngine: Send + Sync {
    /// Finds out what a file is, including every frame's time.
    ///
    /// # Errors
    /// [`MediaError::Invalid`] and its kin when the file is not usable.
    fn probe(&self, file: &Path) -> Result<MediaInfo, MediaError>;

    /// Everything about a file whose probe is `info`.
    ///
    /// # Errors
    /// As [`MediaEngine::probe`].
    fn report(&self, _file: &Path, info: &MediaInfo) -> Result<Report, MediaError> {
        Ok(Report::of(info))
    }

    /// Opens a video for reading from frame `first` on.
    ///
    /// # Errors
    /// As [`MediaEngine::probe`].
    fn open(
        &self,
        file: &Path,
        info: &VideoInfo,
        first: u64,
    ) -> Result<Box<dyn FrameSource>, MediaError>;

    /// Begins a segment file.
    ///
    /// # Errors
    /// When an element is missing or the file cannot be made.
    fn encode(
        &self,
        settings: &EncodeSettings,
        file: &Path,
    ) -> Result<Box<dyn FrameSink>, MediaError>;

    /// Mixes and encodes the timeline's sound into an MP4 file at `out`. `files[n]` is source `n`
    /// of the plan's clips. `progress` is called with the samples done.
    ///
    /// # Errors
    /// When a source's sound cannot be decoded.
    fn mix(
        &self,
        plan: &MixPlan,
        files: &[std::path::PathBuf],
        out: &Path,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Vec<DamagedClip>, MediaError>;

    /// Joins segment files and sound into the published file, without re-encoding: exact
    /// timestamps, `moov` first, right edit lists, colour tags.
    ///
    /// # Errors
    /// [`MediaError::Invalid`] when the inputs don't fit together.
    fn join(
        &self,
        segments: &[std::path::PathBuf],
        audio: Option<&Path>,
        settings: &JoinSettings,
        out: &Path,
    ) -> Result<(), MediaError>;

    /// What of the engine can change pixels or bytes: versions, decoders, encoder settings.
    fn fingerprint(&self) -> String;
}
