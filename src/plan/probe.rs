//! What probing an upload or import found, as clients see it. Kept as JSON in applied state,
//! so it is small and holds no frame tables.

use serde::{Deserialize, Serialize};

use crate::timeline::MediaInfo;

/// Longest name that a file can put into its probe, in bytes.
const NAME_LEN: usize = 32;

/// A description of a media file.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Probe {
    /// Name of the container format: `mp4`, `matroska`, `png` …
    pub container: String,
    /// Codecs, pictures first.
    pub codecs: Vec<String>,
    /// Seconds, of whichever track is longer.
    pub duration: Option<f64>,
    /// Width in pixels as shown.
    pub width: Option<u32>,
    /// Height in pixels as shown.
    pub height: Option<u32>,
    /// Frames a second, on the average.
    pub frame_rate: Option<f64>,
    /// Clockwise turn that players apply: 0, 90, 180 or 270.
    pub rotation: Option<u16>,
    /// What the pictures' numbers mean.
    pub color: Option<ProbeColor>,
    /// The sound, if there is any.
    pub audio: Option<ProbeAudio>,
}

/// What the numbers of pictures mean.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeColor {
    /// `bt601`, `bt709` or `bt2020`.
    pub matrix: String,
    /// `limited` or `full`.
    pub range: String,
}

/// A sound track.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProbeAudio {
    /// Name of the codec.
    pub codec: String,
    /// Samples a second.
    pub sample_rate: u32,
    /// Channels.
    pub channels: u16,
    /// Seconds.
    pub duration: f64,
}

impl Probe {
    /// A file of which only its kind is known, from its name or first bytes.
    pub fn bare(container: &str) -> Self {
        Self {
            container: container.to_owned(),
            ..Self::default()
        }
    }

    /// What clients see of `info`.
    pub fn of(info: &MediaInfo) -> Self {
        let audio = info.audio().map(|audio| ProbeAudio {
            codec: audio.codec.clone(),
            sample_rate: audio.sample_rate,
            channels: audio.channels,
            duration: seconds(audio.end),
        });
        let Some(video) = &info.video else {
            return Self {
                container: info.container.clone(),
                codecs: audio.iter().map(|audio| audio.codec.clone()).collect(),
                duration: audio.as_ref().map(|audio| audio.duration),
                audio,
                ..Self::default()
            };
        };
        let is_still = info.is_still();
        let length = seconds(video.frames.end());
        let sound = audio.as_ref().map_or(0.0, |audio| audio.duration);
        let matrix = video.color.matrix.name();
        let range = if video.color.full_range {
            "full"
        } else {
            "limited"
        };
        let codecs = [&video.codec]
            .into_iter()
            .chain(audio.as_ref().map(|audio| &audio.codec));
        Self {
            container: info.container.clone(),
            codecs: codecs.cloned().collect(),
            duration: (!is_still).then(|| length.max(sound)),
            width: Some(video.width),
            height: Some(video.height),
            frame_rate: (!is_still).then(|| video.frames.average_rate()).flatten(),
            rotation: Some(video.rotation),
            color: (!is_still).then(|| ProbeColor {
                matrix: matrix.to_owned(),
                range: range.to_owned(),
            }),
            audio,
        }
    }

    /// The probe with nothing in it that a file could make large: a worker that was taken over
    /// may send anything.
    #[must_use]
    pub fn bounded(mut self) -> Self {
        let clip = |name: &mut String| name.truncate(name.floor_char_boundary(NAME_LEN));
        clip(&mut self.container);
        self.codecs.truncate(2);
        self.codecs.iter_mut().for_each(clip);
        if let Some(color) = &mut self.color {
            clip(&mut color.matrix);
            clip(&mut color.range);
        }
        if let Some(audio) = &mut self.audio {
            clip(&mut audio.codec);
        }
        self
    }

    /// The JSON that is kept.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("strings and numbers always serialise")
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "lengths are far below 2^52 ns × 1000"
)]
fn seconds(nanoseconds: i64) -> f64 {
    nanoseconds as f64 / 1e9
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timeline::{AudioInfo, FrameTable, VideoInfo, YuvColor};

    fn clip() -> MediaInfo {
        MediaInfo {
            container: "mp4".to_owned(),
            video: Some(VideoInfo {
                track: 0,
                codec: "h264".to_owned(),
                width: 1080,
                height: 1920,
                coded_width: 1920,
                coded_height: 1080,
                rotation: 90,
                mirrored: false,
                plain: false,
                color: YuvColor::OUTPUT,
                frames: FrameTable::constant(25, 1, 50),
            }),
            sounds: vec![AudioInfo {
                track: 1,
                codec: "aac".to_owned(),
                sample_rate: 48_000,
                channels: 2,
                start: 0,
                end: 2_500_000_000,
                language: None,
                is_default: true,
            }],
            notices: Vec::new(),
            refusal: None,
        }
    }

    #[test]
    fn a_video_is_told_as_it_is_shown() {
        let probe = Probe::of(&clip());
        assert_eq!((probe.width, probe.height), (Some(1080), Some(1920)));
        assert_eq!(probe.codecs, ["h264", "aac"]);
        assert_eq!(probe.duration, Some(2.5), "the longer track");
        assert_eq!(probe.frame_rate, Some(25.0));
        assert_eq!(probe.rotation, Some(90));
    }

    #[test]
    fn what_a_worker_says_is_cut_to_size() {
        let mut probe = Probe::of(&clip());
        probe.container = "é".repeat(1000);
        probe.codecs = vec!["x".repeat(1000); 1000];
        assert!(probe.bounded().to_json().len() < 600);
    }
}
