//! The media engine that drives `GStreamer`. No type of the library leaves this module.

mod audio_decode;
mod bus;
mod coded;
mod decode;
mod develop;
mod encode;
mod errors;
mod feed;
mod init;
mod join;
mod link;
mod mix;
mod moov;
mod opened;
mod packets;
mod pictures;
mod probe;
mod scratch;
mod sounds;
mod still;
mod stream;
mod upright;

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{
    DamagedClip, EncodeSettings, FrameSink, FrameSource, JoinSettings, MediaEngine, MediaError,
    MediaInfo, MixPlan, Report, VideoInfo,
};

/// How long nothing may move before a pipeline is given up.
const STALL: Duration = Duration::from_secs(60);
/// Pictures larger than this are refused before anything is decoded: 8192 × 8192.
const MAX_PIXELS: u64 = 1 << 26;

/// Probes, decodes, encodes, mixes and joins with `GStreamer`.
#[derive(Debug, Clone)]
pub struct GstEngine {
    stall: Duration,
    max_pixels: u64,
}

impl GstEngine {
    /// Starts the library, once a process.
    ///
    /// # Errors
    /// [`MediaError::Engine`] when it does not start.
    pub fn new() -> Result<Self, MediaError> {
        init::ready()?;
        Ok(Self {
            stall: STALL,
            max_pixels: MAX_PIXELS,
        })
    }

    /// Leaves this process no element but those this module uses: none can be plugged into a
    /// pipeline by a library either. For processes that read hostile files.
    ///
    /// # Errors
    /// [`MediaError::Engine`] when the library does not start.
    pub fn forget_other_elements(self) -> Result<Self, MediaError> {
        init::forget_others()?;
        Ok(self)
    }

    /// Gives a pipeline up after `stall` without any movement.
    #[must_use]
    pub fn with_stall(mut self, stall: Duration) -> Self {
        self.stall = stall;
        self
    }

    /// Refuses sources whose pictures have more than `max_pixels`.
    #[must_use]
    pub fn with_max_pixels(mut self, max_pixels: u64) -> Self {
        self.max_pixels = max_pixels;
        self
    }

    /// The elements that rendering needs and this installation lacks.
    pub fn missing_elements() -> Vec<&'static str> {
        init::missing()
    }

    /// The codecs that sources may have, by the names that clients see, and whether this
    /// installation decodes each: pictures, then sound.
    pub fn codecs() -> [Vec<(&'static str, bool)>; 2] {
        let here = |(name, decoder): (&'static str, &'static str)| {
            (name, decoder.is_empty() || init::element(decoder).is_ok())
        };
        [coded::NAMES, sounds::NAMES].map(|names| names.iter().copied().map(here).collect())
    }
}

impl MediaEngine for GstEngine {
    fn probe(&self, file: &Path) -> Result<MediaInfo, MediaError> {
        probe::probe(file, self.stall, self.max_pixels)
    }

    fn report(&self, file: &Path, info: &MediaInfo) -> Result<Report, MediaError> {
        probe::report(file, info, self.stall)
    }

    fn open(
        &self,
        file: &Path,
        _info: &VideoInfo,
        first: u64,
    ) -> Result<Box<dyn FrameSource>, MediaError> {
        let reader = decode::VideoReader::open(file, first, self.stall)?;
        Ok(Box::new(reader))
    }

    fn encode(
        &self,
        settings: &EncodeSettings,
        file: &Path,
    ) -> Result<Box<dyn FrameSink>, MediaError> {
        let writer = encode::SegmentWriter::create(settings, file, self.stall)?;
        Ok(Box::new(writer))
    }

    fn mix(
        &self,
        plan: &MixPlan,
        files: &[PathBuf],
        out: &Path,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Vec<DamagedClip>, MediaError> {
        mix::mix(plan, files, out, self.stall, progress)
    }

    fn join(
        &self,
        segments: &[PathBuf],
        audio: Option<&Path>,
        settings: &JoinSettings,
        out: &Path,
    ) -> Result<(), MediaError> {
        join::join(segments, audio, settings, out, self.stall)
    }

    fn fingerprint(&self) -> String {
        format!("{}; {}", init::versions(), encode::REVISION)
    }
}
