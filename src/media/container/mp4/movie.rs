//! A track of a movie (`trak`): header, edits, media, sample descriptions and tables.

use super::fields::{Fields, boxes, find, find_path};
use super::samples::{self, Frames};
use super::{pictures, sounds};
use crate::media::MediaError;
use crate::media::container::{
    Clock, Codec, Description, Detail, Edit, Orientation, Payload, Track, TrackKind,
};

/// A track, and what fragments need to add to it.
pub(super) struct Traced {
    pub(super) track: Track,
    pub(super) id: u32,
    pub(super) frames: Vec<Option<Frames>>,
    pub(super) group: u16,
    /// Tracks that this one uses as chapter titles or pictures.
    pub(super) chapters: Vec<u32>,
}

/// Reads a `trak`. `None` where it lacks what every track has.
///
/// # Errors
/// [`MediaError::Limit`] for more packets than are read.
pub(super) fn read(
    trak: &[u8],
    movie: Clock,
    file_length: u64,
) -> Result<Option<Traced>, MediaError> {
    let Some(header) = find(trak, b"tkhd").and_then(header) else {
        return Ok(None);
    };
    let Some(mdia) = find(trak, b"mdia") else {
        return Ok(None);
    };
    let Some((clock, packed_language)) = find(mdia, b"mdhd").and_then(media_header) else {
        return Ok(None);
    };
    let handler: [u8; 4] = find(mdia, b"hdlr")
        .and_then(|body| body.get(8..12)?.try_into().ok())
        .unwrap_or_default();
    let kind = match &handler {
        b"vide" => TrackKind::Video,
        b"soun" => TrackKind::Audio,
        _ => TrackKind::Other,
    };
    let stbl = find_path(mdia, &[b"minf", b"stbl"]).unwrap_or_default();
    let (descriptions, frames) = entries(stbl, kind);
    let packets = match kind {
        TrackKind::Video | TrackKind::Audio => samples::packets(stbl, &frames, file_length)?,
        TrackKind::Other => Vec::new(),
    };
    let language = find(mdia, b"elng")
        .and_then(|body| {
            let text = body.get(4..)?;
            let end = text
                .iter()
                .position(|&byte| byte == 0)
                .unwrap_or(text.len());
            std::str::from_utf8(&text[..end]).ok().map(str::to_owned)
        })
        .or_else(|| language(packed_language));
    Ok(Some(Traced {
        id: header.id,
        group: header.group,
        chapters: find_path(trak, &[b"tref", b"chap"])
            .map(|body| {
                let mut fields = Fields::new(body);
                std::iter::from_fn(|| fields.u32()).collect()
            })
            .unwrap_or_default(),
        frames,
        track: Track {
            id: u64::from(header.id),
            kind,
            is_enabled: header.is_enabled,
            is_default: header.is_enabled,
            language,
            clock,
            descriptions,
            packets,
            payload: Payload::Plain,
            edits: find_path(trak, &[b"edts", b"elst"]).and_then(|body| edits(body, movie)),
            lead: 0,
            tail: 0,
            orientation: header.orientation,
            alpha: Vec::new(),
            declared_rate: None,
        },
    }))
}

struct Header {
    id: u32,
    is_enabled: bool,
    group: u16,
    orientation: Orientation,
}

fn header(body: &[u8]) -> Option<Header> {
    let mut fields = Fields::new(body);
    let (version, flags) = fields.full()?;
    fields.sized(version)?;
    fields.sized(version)?;
    let id = fields.u32()?;
    fields.skip(4)?;
    fields.sized(version)?;
    fields.skip(8 + 2)?;
    let group = fields.u16()?;
    fields.skip(2 + 2)?;
    let mut matrix = [0_i32; 9];
    for number in &mut matrix {
        *number = fields.i32().unwrap_or(0);
    }
    Some(Header {
        id,
        is_enabled: flags & 1 != 0,
        group,
        orientation: orientation(matrix),
    })
}

/// The turn that a matrix makes, its scale and place left aside. Other than quarter turns are not
/// what a camera writes; they count as none.
fn orientation([a, b, _, c, d, ..]: [i32; 9]) -> Orientation {
    let turn = |rotation, mirrored| Orientation { rotation, mirrored };
    match (a.signum(), b.signum(), c.signum(), d.signum()) {
        (0, 1, -1, 0) => turn(90, false),
        (-1, 0, 0, -1) => turn(180, false),
        (0, -1, 1, 0) => turn(270, false),
        (-1, 0, 0, 1) => turn(0, true),
        (1, 0, 0, -1) => turn(180, true),
        // Mirrored left to right first: x becomes −x, then the turn.
        (0, -1, -1, 0) => turn(90, true),
        (0, 1, 1, 0) => turn(270, true),
        _ => Orientation::default(),
    }
}

fn media_header(body: &[u8]) -> Option<(Clock, u16)> {
    let mut fields = Fields::new(body);
    let (version, _) = fields.full()?;
    fields.sized(version)?;
    fields.sized(version)?;
    let scale = fields.u32()?;
    fields.sized(version)?;
    // A clock that does not tick is damage; a guess lets the rest be read.
    let clock = Clock::hertz(if scale == 0 { 1000 } else { scale });
    Some((clock, fields.u16().unwrap_or(0)))
}

/// ISO 639-2 packed in 15 bits, or a `QuickTime` code.
fn language(packed: u16) -> Option<String> {
    const QUICKTIME: [&str; 12] = [
        "eng", "fra", "deu", "ita", "nld", "swe", "spa", "dan", "por", "nor", "heb", "jpn",
    ];
    if packed < 0x400 {
        let known = QUICKTIME.get(usize::from(packed))?;
        return Some((*known).to_owned());
    }
    let letter = |shift: u16| {
        let five = u8::try_from(packed >> shift & 0x1f).ok()?;
        (1..=26).contains(&five).then(|| char::from(five + 0x60))
    };
    let code: String = [letter(10)?, letter(5)?, letter(0)?].iter().collect();
    (code != "und").then_some(code)
}

/// The sample descriptions; at least one.
fn entries(stbl: &[u8], kind: TrackKind) -> (Vec<Description>, Vec<Option<Frames>>) {
    let mut descriptions = Vec::new();
    let mut frames = Vec::new();
    let list = find(stbl, b"stsd").and_then(|body| body.get(8..));
    for one in boxes(list.unwrap_or_default()) {
        let (description, unit) = match kind {
            TrackKind::Video => (pictures::description(one.kind, one.body), None),
            TrackKind::Audio => match sounds::entry(one.kind, one.body) {
                Some(entry) => (Some(entry.description), entry.frames),
                None => (None, None),
            },
            TrackKind::Other => (None, None),
        };
        // An entry that cannot be read keeps its place: packets name entries by number.
        descriptions.push(description.unwrap_or_else(|| unknown(one.kind)));
        frames.push(unit);
    }
    if descriptions.is_empty() {
        descriptions.push(unknown(*b"none"));
        frames.push(None);
    }
    (descriptions, frames)
}

fn unknown(kind: [u8; 4]) -> Description {
    Description {
        codec: Codec::Other(pictures::name(kind)),
        config: Vec::new(),
        encryption: None,
        detail: Detail::None,
    }
}

/// An edit list; `None` where it is empty, which ISO has mean the same as none.
fn edits(body: &[u8], movie: Clock) -> Option<Vec<Edit>> {
    let mut fields = Fields::new(body);
    let (version, _) = fields.full()?;
    let count = fields.u32()?;
    let mut edits = Vec::new();
    for _ in 0..count {
        let mut read = || {
            let duration = fields.sized(version)?;
            let media_time = if version == 1 {
                fields.u64()?.cast_signed()
            } else {
                i64::from(fields.i32()?)
            };
            Some((duration, media_time, fields.i32()?))
        };
        let Some((duration, media_time, rate)) = read() else {
            break;
        };
        // −1 is an empty edit; other negative times cannot be, and count as the beginning.
        let media_time = (media_time != -1).then_some(media_time.max(0));
        edits.push(Edit {
            media_time,
            duration: (duration > 0 || media_time.is_none()).then_some(duration),
            clock: movie,
            rate,
        });
    }
    (!edits.is_empty()).then_some(edits)
}
