//! Finds out what a file is: its container is read, and one picture is decoded for its format.
//! Still images are not probed here.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::super::bitstream::{self, Chroma, Coded};
use super::super::container::{
    Codec, Contents, Description, Detail, Finding, Input, Packets, Track, TrackKind, VideoFormat,
};
use super::super::{AudioInfo, MediaError, MediaInfo, Report, VideoInfo, sound};
use super::coded::decoder_name;
use super::develop::{Development, color_of};
use super::opened::{Opened, Pictured};
use super::packets::{Feeding, Part};
use super::pictures::Decoded;
use super::sounds;
use super::stream::Stream;
use crate::timeline::Notice;

/// Pictures that may be decoded until one comes out.
const TRIES: usize = 3;

/// Everything about a file; pictures of more than `max_pixels` are refused before decoding.
pub(super) fn probe(
    file: &Path,
    stall: Duration,
    max_pixels: u64,
) -> Result<MediaInfo, MediaError> {
    let opened = Opened::of(file)?;
    let contents = &opened.contents;
    let mut notices = findings(contents);
    let (sounds, refused_sound) = sounds_of(&opened, &mut notices);
    let mut refusal = None;
    let video = match opened.video_track() {
        None => None,
        Some((index, track)) => match video_info(file, &opened, index, track, stall, max_pixels) {
            Ok((video, more)) => {
                notices.extend(more);
                Some(video)
            }
            // Of sound that can be heard the pictures may be missed.
            Err(MediaError::Unsupported(why) | MediaError::Invalid(why)) if !sounds.is_empty() => {
                notices.push(whole("codec_unsupported", why.clone()));
                refusal = Some(why);
                None
            }
            Err(error) => return Err(error),
        },
    };
    if video.is_none() && sounds.is_empty() {
        return Err(match refused_sound {
            Some(why) => MediaError::Unsupported(why),
            None => {
                MediaError::Invalid("it has neither pictures nor sound that can be read".into())
            }
        });
    }
    ignored(contents, &opened, &sounds, &mut notices);
    Ok(MediaInfo {
        container: contents.container.name().into(),
        video,
        sounds,
        notices,
        refusal,
    })
}

/// Everything about a file whose probe is `info`.
pub(super) fn report(file: &Path, info: &MediaInfo, stall: Duration) -> Result<Report, MediaError> {
    let opened = Opened::of(file)?;
    let contents = &opened.contents;
    let shown = info.video.as_ref().map(|video| video.track);
    let color = match shown.and_then(|index| Some((index, contents.tracks.get(index)?))) {
        None => None,
        Some((index, track)) => {
            let pictured = opened.pictured(file)?;
            let (mut development, _) = development(file, track, &pictured, u64::MAX)?;
            let first = first_picture(file, &opened, index, &pictured, stall)?;
            Some(development.decision(&first).clone())
        }
    };
    Ok(Report::of(info).with_tracks(contents, info, color.as_ref()))
}

fn whole(code: &str, message: String) -> Notice {
    Notice {
        code: code.into(),
        message,
        span: None,
    }
}

/// What the container's reader found wrong.
fn findings(contents: &Contents) -> Vec<Notice> {
    contents
        .findings
        .iter()
        .map(|finding| match finding {
            Finding::Truncated => whole(
                "source_damaged",
                "the file ends before what it announces; what is there is used".into(),
            ),
            Finding::Ignored(what) => whole("tracks_ignored", what.clone()),
            Finding::Damaged { at, what } => Notice {
                code: "source_damaged".into(),
                message: format!("the file is damaged: {what}"),
                span: Some((*at, *at)),
            },
        })
        .collect()
}

/// Sound tracks that can be decoded; those that cannot are noted. The second: why the first of
/// those cannot.
fn sounds_of(opened: &Opened, notices: &mut Vec<Notice>) -> (Vec<AudioInfo>, Option<String>) {
    let mut sounds = Vec::new();
    let mut refused = None;
    for (index, track) in opened.contents.tracks.iter().enumerate() {
        if track.kind != TrackKind::Audio || track.packets.is_empty() {
            continue;
        }
        let Some(description) = track.description(0) else {
            continue;
        };
        if let Some(why) = unreadable_sound(track) {
            notices.push(whole("codec_unsupported", why.clone()));
            refused.get_or_insert(why);
            continue;
        }
        let (start, end) = sound::audible(track, opened.origin);
        let (sample_rate, channels) = match &description.detail {
            Detail::Audio(format) => (format.sample_rate, format.channels),
            Detail::Video(_) | Detail::None => (0, 0),
        };
        sounds.push(AudioInfo {
            track: index,
            codec: description.codec.name().into(),
            sample_rate,
            channels,
            start,
            end,
            language: track.language.clone(),
            is_default: track.is_enabled && track.is_default,
        });
    }
    (sounds, refused)
}

fn unreadable_sound(track: &Track) -> Option<String> {
    if let Some(speed) = sound::unread_speed(track) {
        return Some(format!(
            "its sound has an edit list that plays at {speed:.3} times normal speed"
        ));
    }
    if track.changes().nth(sound::MOST_CHANGES).is_some() {
        return Some("its sound changes its format too often".into());
    }
    track.used_descriptions().find_map(sounds::refusal)
}

/// Tracks beside those that are used.
fn ignored(contents: &Contents, opened: &Opened, sounds: &[AudioInfo], into: &mut Vec<Notice>) {
    let pictures = contents
        .tracks
        .iter()
        .filter(|track| track.kind == TrackKind::Video && !track.packets.is_empty())
        .count();
    if let (Some(used), 2..) = (opened.video, pictures) {
        let others = pictures - 1;
        into.push(whole(
            "tracks_ignored",
            format!("{others} more picture tracks are not shown; track {used} is"),
        ));
    }
    if sounds.len() > 1 {
        into.push(whole(
            "tracks_ignored",
            format!(
                "it has {} sound tracks, of which one plays; `audio_track` chooses another",
                sounds.len()
            ),
        ));
    }
}

fn video_info(
    file: &Path,
    opened: &Opened,
    index: usize,
    track: &Track,
    stall: Duration,
    max_pixels: u64,
) -> Result<(VideoInfo, Vec<Notice>), MediaError> {
    let description = track
        .description(0)
        .ok_or_else(|| MediaError::Invalid("its picture track has no format".into()))?;
    track.used_descriptions().try_for_each(readable)?;
    let other = |one: &&Description| one.codec != description.codec;
    if let Some(other) = track.used_descriptions().find(other) {
        return Err(MediaError::Unsupported(format!(
            "its pictures change from {} to {}, which is not read",
            description.codec.name(),
            other.codec.name()
        )));
    }
    let format = format_of(description);
    within(format.width, format.height, max_pixels)?;
    let pictured = opened.pictured(file)?;
    let mut notices = pictured.shown.notices.clone();
    let (mut development, codec) = development(file, track, &pictured, max_pixels)?;
    let first = first_picture(file, opened, index, &pictured, stall)?;
    within(first.width, first.height, max_pixels)?;
    let frame = development.frame(&first)?;
    if let Some(curve) = development.decision(&first).tone_mapped() {
        notices.push(whole(
            "tone_mapped",
            format!("its pictures have a high dynamic range ({curve}); they are brought to BT.709"),
        ));
    }
    let rotation = track.orientation.rotation;
    let is_sideways = rotation % 180 == 90;
    let (across, down) = development.aspect(&first);
    // The frame is upright already; samples keep the shape they had before the turn.
    let (width, height) = if is_sideways {
        (frame.width, stretched(frame.height, across, down))
    } else {
        (stretched(frame.width, across, down), frame.height)
    };
    let is_plain = across == down && development.is_plain(&first);
    Ok((
        VideoInfo {
            track: index,
            codec: codec.name().into(),
            width,
            height,
            coded_width: first.width,
            coded_height: first.height,
            rotation,
            mirrored: track.orientation.mirrored,
            plain: is_plain,
            color: color_of(&frame),
            frames: pictured.shown.table.clone(),
        },
        notices,
    ))
}

/// Refuses by name what is known and not decoded.
fn readable(description: &Description) -> Result<(), MediaError> {
    let codec = &description.codec;
    if let Some(scheme) = &description.encryption {
        return Err(MediaError::Unsupported(format!(
            "its pictures are encrypted ({scheme})"
        )));
    }
    let own = matches!(codec, Codec::Png | Codec::RawVideo(_));
    if !own && decoder_name(codec).is_none() {
        return Err(MediaError::Unsupported(format!(
            "its pictures are coded as {}, which is not decoded",
            codec.name()
        )));
    }
    if format_of(description).dolby_vision == Some(5) {
        return Err(MediaError::Unsupported(
            "its pictures are Dolby Vision profile 5, which shows wrong colours without a Dolby \
             Vision decoder"
                .into(),
        ));
    }
    Ok(())
}

/// Refuses depths of H.264 and H.265 that the library decodes and its wrapper has no layout for,
/// which it crashes on.
fn known_samples(codec: &Codec, coded: &Coded) -> Result<(), MediaError> {
    if coded.chroma == Chroma::Yuv440 {
        return Err(MediaError::Unsupported(format!(
            "its {} pictures have colour for every second row (4:4:0), which is not decoded",
            codec.name()
        )));
    }
    let is_known = match (codec, coded.chroma) {
        (Codec::H265 | Codec::H265ByteStream, Chroma::Monochrome) => coded.depth == 8,
        (
            Codec::H264 | Codec::H264ByteStream | Codec::H265 | Codec::H265ByteStream,
            Chroma::Yuv420 | Chroma::Yuv422 | Chroma::Yuv444 | Chroma::Rgb | Chroma::Monochrome,
        ) => matches!(coded.depth, 8 | 10 | 12),
        _ => true,
    };
    if is_known {
        return Ok(());
    }
    let colour = if coded.chroma == Chroma::Monochrome {
        " without colour"
    } else {
        ""
    };
    Err(MediaError::Unsupported(format!(
        "its {} pictures{colour} have {} bits a sample, which are not decoded",
        codec.name(),
        coded.depth
    )))
}

fn format_of(description: &Description) -> VideoFormat {
    match &description.detail {
        Detail::Video(format) => format.clone(),
        Detail::Audio(_) | Detail::None => VideoFormat::default(),
    }
}

fn within(width: u32, height: u32, max_pixels: u64) -> Result<(), MediaError> {
    if u64::from(width) * u64::from(height) > max_pixels {
        return Err(MediaError::Limit(format!(
            "pictures of {width}×{height} have more than {max_pixels} pixels"
        )));
    }
    Ok(())
}

/// How pictures of a track are developed, by the container and the first packet.
pub(super) fn development(
    file: &Path,
    track: &Track,
    pictured: &Pictured,
    max_pixels: u64,
) -> Result<(Development, Codec), MediaError> {
    let first = entered_at(track, pictured);
    let packet = track
        .packets
        .get(first)
        .ok_or_else(|| MediaError::Invalid("its picture track is empty".into()))?;
    let description = track
        .descriptions
        .get(usize::from(packet.description))
        .ok_or_else(|| MediaError::Invalid("its picture track has no format".into()))?;
    let mut bytes = Vec::new();
    Packets::new(Input::open(file)?).read(track, packet, &mut bytes)?;
    let coded = bitstream::coded(&description.codec, &description.config, &bytes);
    if let Some(coded) = &coded {
        within(coded.width, coded.height, max_pixels)?;
        known_samples(&description.codec, coded)?;
    }
    let format = format_of(description);
    let made = Development::new(format, coded, track.orientation);
    Ok((made, description.codec.clone()))
}

/// The packet that decoding begins at: the first shown one's keyframe.
fn entered_at(track: &Track, pictured: &Pictured) -> usize {
    let first = pictured
        .shown
        .packets
        .first()
        .map_or(0, |&one| one as usize);
    track
        .packets
        .get(..=first)
        .and_then(|packets| packets.iter().rposition(|packet| packet.flags.is_sync))
        .unwrap_or(0)
}

fn first_picture(
    file: &Path,
    opened: &Opened,
    index: usize,
    pictured: &Pictured,
    stall: Duration,
) -> Result<Decoded, MediaError> {
    let none = || MediaError::Invalid("none of its pictures can be decoded".into());
    let track = opened.contents.tracks.get(index).ok_or_else(none)?;
    let from = entered_at(track, pictured);
    let packet = track.packets.get(from).ok_or_else(none)?;
    let description = track
        .descriptions
        .get(usize::from(packet.description))
        .ok_or_else(none)?;
    let feeding = Feeding {
        contents: Arc::clone(&opened.contents),
        track: index,
        ranks: pictured.ranks.clone(),
        from,
        part: Part::Picture,
    };
    let mut stream = Stream::open(file, feeding, description, true, stall)?;
    let mut last = None;
    for _ in 0..TRIES {
        match stream.next() {
            Ok(Some(picture)) => return Ok(picture),
            Ok(None) => break,
            Err(error) => last = Some(error),
        }
    }
    Err(last.unwrap_or_else(none))
}

/// A length with square samples.
fn stretched(length: u32, across: u32, down: u32) -> u32 {
    let (across, down) = (u64::from(across), u64::from(down.max(1)));
    let length = (u64::from(length) * across + down / 2) / down;
    u32::try_from(length).unwrap_or(u32::MAX).max(1)
}
