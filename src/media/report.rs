//! Everything in a media file, for `/v1/probe` and `framelane probe`: tracks with their times, edits
//! and colours, and what the renderer does with each.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::MediaInfo;
use super::container::{Contents, Detail, Track, TrackKind, VideoFormat};
use super::pixels::{ColorDecision, Curve};
use crate::timeline::{Matrix, Notice};

/// Tracks that are described.
const TRACKS: usize = 16;
/// Edits of a track that are described.
const EDITS: usize = 16;
/// Notices that are given.
const NOTICES: usize = 32;
/// Longest name that a file gives, in bytes.
const NAME_LEN: usize = 40;
/// Longest message.
const SENTENCE: usize = 300;
/// 1.0 as 16.16 fixed point.
const NORMAL_RATE: f64 = 65_536.0;

/// What is in a file.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Report {
    /// Name of the container format: `mp4`, `matroska`, `png` …
    pub container: String,
    /// Seconds, of whichever used track ends last; `None` of stills.
    pub duration: Option<f64>,
    /// Every track, in the file's order.
    pub tracks: Vec<TrackReport>,
    /// What the renderer will do that a player might not, and what it cannot use.
    pub notices: Vec<NoticeReport>,
}

/// A track.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TrackReport {
    /// Its number in the file.
    pub id: u64,
    /// `video`, `audio` or `other`.
    pub kind: String,
    /// Name of the codec, or the container's own name for it.
    pub codec: String,
    /// Language as the file writes it.
    pub language: Option<String>,
    /// Flagged as one that plays by default.
    pub default: bool,
    /// Flagged as enabled.
    pub enabled: bool,
    /// Whether renders show it, or play it where none is chosen.
    pub used: bool,
    /// `audio_track` that chooses it, of sound that can be decoded.
    pub audio_track: Option<usize>,
    /// Coded pictures or packets of sound.
    pub packets: u64,
    /// Seconds of the file's time 0 at which it is first seen or heard.
    pub start: Option<f64>,
    /// Seconds at which it ends.
    pub end: Option<f64>,
    /// Its edit list; `None`: it has none.
    pub edits: Option<Vec<EditReport>>,
    /// Of pictures.
    pub video: Option<PictureReport>,
    /// Of sound.
    pub audio: Option<SoundReport>,
}

/// One edit of a track.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EditReport {
    /// Seconds of the track's media that it begins at; `None`: it is empty.
    pub media_time: Option<f64>,
    /// Seconds that it lasts; `None`: to the end.
    pub duration: Option<f64>,
    /// Speed: 1 plays, 0 holds.
    pub rate: f64,
}

/// Pictures of a track.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PictureReport {
    /// Width as shown.
    pub width: u32,
    /// Height as shown.
    pub height: u32,
    /// Width as coded.
    pub coded_width: u32,
    /// Height as coded.
    pub coded_height: u32,
    /// Clockwise turn of the coded pictures.
    pub rotation: u16,
    /// Mirrored left to right before the turn.
    pub mirrored: bool,
    /// Width over height of one sample, from the container.
    pub pixel_aspect: Option<(u32, u32)>,
    /// Columns and rows that the container cuts off: left, right, top, bottom.
    pub crop: [u32; 4],
    /// Frames that are shown.
    pub frames: u64,
    /// Frames a second, on the average.
    pub frame_rate: Option<f64>,
    /// Whether all frames last equally long.
    pub constant_rate: bool,
    /// Made of fields, from the container; `None`: not stated.
    pub interlaced: Option<bool>,
    /// What the numbers mean.
    pub color: ColorReport,
}

/// What the numbers of pictures mean, and where that stands: `container`, `bitstream` or `assumed`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ColorReport {
    /// `rgb`, `bt601`, `bt709`, `bt2020` or `smpte240m`.
    pub matrix: String,
    /// Where it stands.
    pub matrix_from: String,
    /// `limited` or `full`.
    pub range: String,
    /// Where it stands.
    pub range_from: String,
    /// H.273 code of the primaries.
    pub primaries: Option<u8>,
    /// `sdr`, `pq` or `hlg`.
    pub curve: String,
}

/// Sound of a track.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SoundReport {
    /// Samples a second.
    pub sample_rate: u32,
    /// Channels.
    pub channels: u16,
    /// Samples of codec delay that are cut off at its beginning, beside what an edit list cuts.
    pub delay: u64,
    /// Samples of padding that are cut off at its end.
    pub padding: u64,
}

/// Something about the file that who uses it should know.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct NoticeReport {
    /// The code that a render's warning has, like `tone_mapped`.
    pub code: String,
    /// What it is, and what the renderer does.
    pub message: String,
    /// Seconds of the source where it begins, if it is about a part.
    pub from: Option<f64>,
    /// Seconds of the source where it ends.
    pub to: Option<f64>,
}

impl Report {
    /// Of what probing found alone, as of stills.
    pub fn of(info: &MediaInfo) -> Self {
        let ends = info.sounds.iter().map(|sound| sound.end);
        let pictures = info.video.as_ref().map(|video| video.frames.end());
        let end = ends.chain(pictures).max();
        Self {
            container: info.container.clone(),
            duration: end.filter(|_| !info.is_still()).map(seconds),
            tracks: still(info).into_iter().collect(),
            notices: info.notices.iter().map(NoticeReport::of).collect(),
        }
    }

    /// With every track of a container; `color` is the decision for the shown pictures.
    pub fn with_tracks(
        mut self,
        contents: &Contents,
        info: &MediaInfo,
        color: Option<&ColorDecision>,
    ) -> Self {
        let tracks = contents.tracks.iter().enumerate().take(TRACKS);
        self.tracks = tracks
            .map(|(index, track)| described(index, track, info, color))
            .collect();
        self
    }
}

impl Report {
    /// The report with nothing in it that a file could make large: a worker that was taken over
    /// may write anything.
    #[must_use]
    pub fn bounded(mut self) -> Self {
        fn clip(text: &mut String, most: usize) {
            text.truncate(text.floor_char_boundary(most));
        }
        clip(&mut self.container, NAME_LEN);
        self.tracks.truncate(TRACKS);
        self.notices.truncate(NOTICES);
        for track in &mut self.tracks {
            clip(&mut track.kind, NAME_LEN);
            clip(&mut track.codec, NAME_LEN);
            if let Some(language) = &mut track.language {
                clip(language, NAME_LEN);
            }
            if let Some(edits) = &mut track.edits {
                edits.truncate(EDITS);
            }
            if let Some(video) = &mut track.video {
                let color = &mut video.color;
                let names = [
                    &mut color.matrix,
                    &mut color.matrix_from,
                    &mut color.range,
                    &mut color.range_from,
                    &mut color.curve,
                ];
                names.into_iter().for_each(|name| clip(name, NAME_LEN));
            }
        }
        for notice in &mut self.notices {
            clip(&mut notice.code, NAME_LEN);
            clip(&mut notice.message, SENTENCE);
        }
        self
    }

    /// The JSON that is kept.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("strings and numbers always serialise")
    }
}

/// The picture of a still, as a track of one frame; `None` for other files.
fn still(info: &MediaInfo) -> Option<TrackReport> {
    let video = info.video.as_ref().filter(|_| info.is_still())?;
    let container = || "container".to_owned();
    Some(TrackReport {
        id: 1,
        kind: "video".to_owned(),
        codec: video.codec.clone(),
        default: true,
        enabled: true,
        used: true,
        packets: 1,
        video: Some(PictureReport {
            width: video.width,
            height: video.height,
            coded_width: video.coded_width,
            coded_height: video.coded_height,
            rotation: video.rotation,
            mirrored: video.mirrored,
            pixel_aspect: None,
            crop: [0; 4],
            frames: 1,
            frame_rate: None,
            constant_rate: true,
            interlaced: None,
            // Whatever it is coded as, it is decoded to what an ICC profile turns into sRGB.
            color: ColorReport {
                matrix: "rgb".to_owned(),
                matrix_from: container(),
                range: "full".to_owned(),
                range_from: container(),
                primaries: None,
                curve: "sdr".to_owned(),
            },
        }),
        ..TrackReport::default()
    })
}

fn described(
    index: usize,
    track: &Track,
    info: &MediaInfo,
    color: Option<&ColorDecision>,
) -> TrackReport {
    let description = track.descriptions.first();
    let shown = info.video.as_ref().filter(|video| video.track == index);
    let place = info.sounds.iter().position(|sound| sound.track == index);
    let sound = place.and_then(|place| info.sounds.get(place));
    let plays = info.audio().is_some_and(|sound| sound.track == index);
    let times = match (shown, sound) {
        (Some(video), _) => video
            .frames
            .first()
            .map(|first| (first, video.frames.end())),
        (None, Some(sound)) => Some((sound.start, sound.end)),
        (None, None) => None,
    };
    TrackReport {
        id: track.id,
        kind: match track.kind {
            TrackKind::Video => "video",
            TrackKind::Audio => "audio",
            TrackKind::Other => "other",
        }
        .to_owned(),
        codec: description
            .map_or("unknown", |one| one.codec.name())
            .to_owned(),
        language: track.language.clone(),
        default: track.is_default,
        enabled: track.is_enabled,
        used: shown.is_some() || plays,
        audio_track: place,
        packets: track.packets.len() as u64,
        start: times.map(|(start, _)| seconds(start)),
        end: times.map(|(_, end)| seconds(end)),
        edits: track.edits.as_ref().map(|edits| {
            let edits = edits.iter().take(EDITS);
            edits
                .map(|edit| EditReport {
                    media_time: edit
                        .media_time
                        .map(|ticks| seconds(track.clock.nanos(ticks))),
                    duration: edit.duration.map(|ticks| {
                        let ticks = i64::try_from(ticks).unwrap_or(i64::MAX);
                        seconds(edit.clock.nanos(ticks))
                    }),
                    rate: f64::from(edit.rate) / NORMAL_RATE,
                })
                .collect()
        }),
        video: shown.map(|video| {
            let format = match description.map(|one| &one.detail) {
                Some(Detail::Video(format)) => format.clone(),
                _ => VideoFormat::default(),
            };
            let crop = &format.crop;
            PictureReport {
                width: video.width,
                height: video.height,
                coded_width: video.coded_width,
                coded_height: video.coded_height,
                rotation: video.rotation,
                mirrored: video.mirrored,
                pixel_aspect: format.pixel_aspect,
                crop: [crop.left, crop.right, crop.top, crop.bottom],
                frames: video.frames.len(),
                frame_rate: video.frames.average_rate(),
                constant_rate: video.frames.is_constant(video.frames.tolerance()),
                interlaced: format.is_interlaced,
                color: ColorReport::of(color),
            }
        }),
        audio: match description.map(|one| &one.detail) {
            Some(Detail::Audio(format)) => Some(SoundReport {
                sample_rate: format.sample_rate,
                channels: format.channels,
                delay: track.lead,
                padding: track.tail,
            }),
            _ => None,
        },
    }
}

impl ColorReport {
    fn of(decision: Option<&ColorDecision>) -> Self {
        let assumed = || "assumed".to_owned();
        let Some(decision) = decision else {
            return Self {
                matrix: "bt709".to_owned(),
                matrix_from: assumed(),
                range: "limited".to_owned(),
                range_from: assumed(),
                primaries: None,
                curve: "sdr".to_owned(),
            };
        };
        Self {
            matrix: decision.matrix.map_or("rgb", Matrix::name).to_owned(),
            matrix_from: decision.matrix_source.name().to_owned(),
            range: if decision.full_range {
                "full"
            } else {
                "limited"
            }
            .to_owned(),
            range_from: decision.range_source.name().to_owned(),
            primaries: decision.primaries,
            curve: match decision.curve {
                Curve::Sdr => "sdr",
                Curve::Pq => "pq",
                Curve::Hlg => "hlg",
            }
            .to_owned(),
        }
    }
}

impl NoticeReport {
    fn of(notice: &Notice) -> Self {
        Self {
            code: notice.code.clone(),
            message: notice.message.clone(),
            from: notice.span.map(|(from, _)| seconds(from)),
            to: notice.span.map(|(_, to)| seconds(to)),
        }
    }
}

/// Nanoseconds as seconds, to a microsecond.
#[expect(
    clippy::cast_precision_loss,
    reason = "microseconds of a file are far below 2^52"
)]
fn seconds(nanoseconds: i64) -> f64 {
    nanoseconds.div_euclid(1_000) as f64 / 1e6
}
