//! Timelines and sources for the tests of this module.

use serde_json::Value;

use super::{AudioInfo, FrameTable, MediaInfo, ResolveError, Resolved, TextMeasure, Timeline};
use super::{VideoInfo, YuvColor};
use crate::composition::{Json, Limits, TextStyle, validate};

/// Every text is this many pixels high.
pub(super) const LINES: f64 = 40.0;

struct Lines;

impl TextMeasure for Lines {
    fn height(&self, _: &TextStyle, _: f64) -> f64 {
        LINES
    }
}

/// A video of `count` frames, frame `n` at `first + n / fps`, in nanoseconds.
pub(super) fn frames(first: i64, fps: i64, count: i64) -> FrameTable {
    let at = |n: i64| first + n * 1_000_000_000 / fps;
    let times: Vec<i64> = (0..count).map(at).collect();
    FrameTable::from_nanos(&times, at(count))
}

/// A silent video source of `width` by `height` pixels.
pub(super) fn video(width: u32, height: u32, frames: FrameTable) -> MediaInfo {
    MediaInfo {
        container: "mp4".into(),
        video: Some(VideoInfo {
            track: 0,
            codec: "h264".into(),
            width,
            height,
            coded_width: width,
            coded_height: height,
            rotation: 0,
            mirrored: false,
            plain: true,
            color: YuvColor::OUTPUT,
            frames,
        }),
        sounds: Vec::new(),
        notices: Vec::new(),
        refusal: None,
    }
}

/// The same source with `seconds` of sound.
pub(super) fn with_sound(mut info: MediaInfo, seconds: i64) -> MediaInfo {
    info.sounds.push(AudioInfo {
        track: 1,
        codec: "aac".into(),
        sample_rate: 44_100,
        channels: 2,
        start: 0,
        end: seconds * 1_000_000_000,
        language: None,
        is_default: true,
    });
    info
}

/// A source of sound alone.
pub(super) fn sound(seconds: i64) -> MediaInfo {
    let mut info = video(2, 2, frames(0, 1, 1));
    info.container = "mp3".into();
    info.video = None;
    with_sound(info, seconds)
}

/// A picture source.
pub(super) fn picture(width: u32, height: u32) -> MediaInfo {
    let mut info = video(width, height, frames(0, 1, 1));
    info.container = "png".into();
    info
}

/// Validates and resolves.
pub(super) fn try_resolve(body: &Value, sources: Vec<MediaInfo>) -> Result<Resolved, ResolveError> {
    let limits = Limits::default();
    let json = Json::parse(body.to_string().as_bytes()).expect("a test's JSON");
    let (composition, _) =
        validate(&json, &limits).unwrap_or_else(|v| panic!("{body} is wrong: {v:#?}"));
    Timeline::resolve(composition, sources, &Lines, &limits)
}

/// A timeline without warnings.
pub(super) fn timeline(body: &Value, sources: Vec<MediaInfo>) -> Timeline {
    let (timeline, warnings) = try_resolve(body, sources).expect("a test's sources");
    assert_eq!(warnings, [], "{body}");
    timeline
}
