//! Track entries: kind, times, pictures, sound.

use super::super::{
    AudioFormat, Clock, ColorTags, Crop, Description, Detail, Extent, LightLevels, Orientation,
    Payload, Track, TrackKind, VideoFormat,
};
use super::codec;
use super::ebml::{child, children, float, text, unsigned};

/// A track, and what its blocks need.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) number: u64,
    pub(super) track: Track,
    /// Nanoseconds that a packet lasts, where the track gives it.
    pub(super) default_duration: Option<u64>,
    /// Nanoseconds that sound comes late by its codec.
    pub(super) codec_delay: u64,
}

const VIDEO: u64 = 1;
const AUDIO: u64 = 2;

/// Reads a `TrackEntry`; times are in ticks of `clock`.
pub(super) fn read(body: &[u8], clock: Clock) -> Option<Entry> {
    let number = child(body, 0xd7).and_then(unsigned)?;
    let kind = match child(body, 0x83).and_then(unsigned)? {
        VIDEO => TrackKind::Video,
        AUDIO => TrackKind::Audio,
        _ => TrackKind::Other,
    };
    let flag = |id: u32| {
        child(body, id)
            .and_then(unsigned)
            .is_none_or(|value| value != 0)
    };
    let codec_id = child(body, 0x86).and_then(text).unwrap_or_default();
    let private = child(body, 0x63a2).unwrap_or_default();
    let video = child(body, 0xe0);
    let audio = child(body, 0xe1);
    let mut orientation = Orientation::default();
    let (codec, config, detail) = match kind {
        TrackKind::Video => {
            let mut format = VideoFormat::default();
            if let Some(video) = video {
                (format, orientation) = pictures(video);
            }
            dolby_vision(body, &mut format);
            let (codec, config) = codec::picture(codec_id, private, video, &mut format);
            (codec, config, Detail::Video(format))
        }
        TrackKind::Audio => {
            let mut format = audio.map(sound).unwrap_or_default();
            let depth = audio
                .and_then(|audio| child(audio, 0x6264))
                .and_then(unsigned)
                .unwrap_or(0);
            let (codec, config) = codec::sound(codec_id, private, depth, &mut format);
            (codec, config, Detail::Audio(format))
        }
        TrackKind::Other => (
            super::super::Codec::Other(codec_id.to_owned()),
            Vec::new(),
            Detail::None,
        ),
    };
    let encoding = codec::encoding(child(body, 0x6d80));
    let mut description = Description {
        codec,
        config,
        encryption: encoding.encryption,
        detail,
    };
    if let Some(refused) = encoding.compression {
        let name = description.codec.name().to_owned();
        description.codec = super::super::Codec::Other(format!("{name} compressed with {refused}"));
    }
    let language = child(body, 0x0022_b59d)
        .or_else(|| child(body, 0x0022_b59c))
        .and_then(text)
        .filter(|language| !matches!(*language, "und" | ""))
        .map(str::to_owned);
    let default_duration = child(body, 0x0023_e383)
        .and_then(unsigned)
        .filter(|&duration| duration > 0);
    Some(Entry {
        number,
        default_duration,
        codec_delay: child(body, 0x56aa).and_then(unsigned).unwrap_or(0),
        track: Track {
            id: number,
            kind,
            is_enabled: flag(0xb9),
            is_default: flag(0x88),
            language,
            clock,
            descriptions: vec![description],
            packets: Vec::new(),
            payload: if encoding.stripped.is_empty() {
                Payload::Plain
            } else {
                Payload::Prefixed(encoding.stripped)
            },
            edits: None,
            lead: 0,
            tail: 0,
            orientation,
            alpha: Vec::new(),
            declared_rate: default_duration.and_then(rate),
        },
    })
}

/// Frames a second from nanoseconds a frame.
fn rate(nanos: u64) -> Option<(u32, u32)> {
    Some((1_000_000_000, u32::try_from(nanos).ok()?))
}

fn pictures(video: &[u8]) -> (VideoFormat, Orientation) {
    let number = |id: u32| {
        child(video, id)
            .and_then(unsigned)
            .and_then(|value| u32::try_from(value).ok())
    };
    let (width, height) = (number(0xb0).unwrap_or(0), number(0xba).unwrap_or(0));
    let thousandths = |id: u32| number(id).unwrap_or(0).saturating_mul(1000);
    let crop = Crop {
        bottom: thousandths(0x54aa),
        top: thousandths(0x54bb),
        left: thousandths(0x54cc),
        right: thousandths(0x54dd),
    };
    let kept = |full: u32, a: u32, b: u32| full.saturating_sub(a / 1000 + b / 1000);
    let shown_width = kept(width, crop.left, crop.right);
    let shown_height = kept(height, crop.top, crop.bottom);
    // Pixels and aspect ratios give the same shape; lengths in centimetres and inches too.
    let across = number(0x54b0).unwrap_or(shown_width);
    let down = number(0x54ba).unwrap_or(shown_height);
    let aspect = (
        u64::from(across) * u64::from(shown_height),
        u64::from(down) * u64::from(shown_width),
    );
    let pixel_aspect = reduced(aspect).filter(|_| number(0x54b0).is_some());
    let format = VideoFormat {
        width,
        height,
        pixel_aspect,
        crop,
        color: child(video, 0x55b0).map(colour).unwrap_or_default(),
        is_interlaced: match number(0x9a) {
            Some(1) => Some(true),
            Some(2) => Some(false),
            _ => None,
        },
        has_alpha: number(0x53c0).is_some_and(|mode| mode != 0),
        ..VideoFormat::default()
    };
    let orientation = child(video, 0x7670).map(projection).unwrap_or_default();
    (format, orientation)
}

fn reduced((a, b): (u64, u64)) -> Option<(u32, u32)> {
    fn gcd(a: u64, b: u64) -> u64 {
        if b == 0 { a } else { gcd(b, a % b) }
    }
    let common = gcd(a, b);
    if common == 0 || a == 0 || b == 0 {
        return None;
    }
    Some((
        u32::try_from(a / common).ok()?,
        u32::try_from(b / common).ok()?,
    ))
}

/// A turn written as the roll of a projection: counter-clockwise degrees, as Matroska has it.
fn projection(body: &[u8]) -> Orientation {
    let degrees = |id: u32| child(body, id).and_then(float).unwrap_or(0.0);
    let (yaw, roll) = (degrees(0x7673), degrees(0x7675));
    let quarter = (-roll / 90.0).round().rem_euclid(4.0);
    let rotation = [0, 90, 180, 270]
        .into_iter()
        .find(|&turn| (f64::from(turn) / 90.0 - quarter).abs() < 0.01)
        .unwrap_or(0);
    Orientation {
        rotation,
        mirrored: (yaw.abs() - 180.0).abs() < 0.01,
    }
}

fn colour(body: &[u8]) -> ColorTags {
    let number = |id: u32| child(body, id).and_then(unsigned);
    let code = |id: u32| {
        number(id)
            .and_then(|value| u8::try_from(value).ok())
            .filter(|&code| code != 2)
    };
    let siting = match (number(0x55b7), number(0x55b8)) {
        (Some(1), Some(1)) => Some(2),
        (Some(1), _) => Some(0),
        (Some(2), Some(2)) => Some(1),
        _ => None,
    };
    let mastering = child(body, 0x55d0);
    ColorTags {
        matrix: code(0x55b1),
        full_range: match number(0x55b9) {
            Some(1) => Some(false),
            Some(2) => Some(true),
            _ => None,
        },
        transfer: code(0x55ba),
        primaries: code(0x55bb),
        chroma_location: siting,
        light: LightLevels {
            mastering_peak: mastering
                .and_then(|mastering| child(mastering, 0x55d9))
                .and_then(float),
            content_peak: number(0x55bc)
                .and_then(|peak| u16::try_from(peak).ok())
                .filter(|&peak| peak > 0),
        },
    }
}

/// A `BlockAdditionMapping` of type `dvcC` or `dvvC` carries the configuration record.
fn dolby_vision(body: &[u8], format: &mut VideoFormat) {
    for (_, mapping) in children(body).filter(|(id, _)| *id == 0x41e4) {
        let kind = child(mapping, 0x41e7).and_then(unsigned).unwrap_or(0);
        let record = child(mapping, 0x41ed).unwrap_or_default();
        if [*b"dvcC", *b"dvvC"]
            .map(u32::from_be_bytes)
            .map(u64::from)
            .contains(&kind)
            && let Some(&byte) = record.get(2)
        {
            format.dolby_vision = Some(byte >> 1);
        }
    }
}

fn sound(audio: &[u8]) -> AudioFormat {
    let rate = child(audio, 0xb5).and_then(float).unwrap_or(8000.0);
    AudioFormat {
        sample_rate: whole(rate),
        channels: child(audio, 0x9f)
            .and_then(unsigned)
            .and_then(|channels| u16::try_from(channels).ok())
            .unwrap_or(1),
        ..AudioFormat::default()
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "bounded before the cast"
)]
fn whole(rate: f64) -> u32 {
    if (1.0..=10_000_000.0).contains(&rate) {
        rate.round() as u32
    } else {
        0
    }
}

/// Consecutive bytes as an extent.
pub(super) fn extent(offset: u64, size: u64) -> Option<Extent> {
    Some(Extent {
        offset,
        size: u32::try_from(size).ok()?,
    })
}
