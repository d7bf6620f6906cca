//! AV1 (AV1 Bitstream & Decoding Process Specification): open bitstream units.

use super::bits::Bits;
use super::{Chroma, Coded, Entry};
use crate::media::container::ColorTags;

const SEQUENCE: u8 = 1;
const FRAME_HEADER: u8 = 3;
const FRAME: u8 = 6;

/// The units of a temporal unit: type and payload.
fn units(bytes: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let (&head, mut tail) = rest.split_first()?;
        if head & 0x04 != 0 {
            tail = tail.get(1..)?;
        }
        let size = if head & 0x02 != 0 {
            let mut size = 0_usize;
            let mut shift = 0;
            loop {
                let (&byte, after) = tail.split_first()?;
                tail = after;
                size |= usize::from(byte & 0x7f).checked_shl(shift).unwrap_or(0);
                shift += 7;
                if byte & 0x80 == 0 || shift > 56 {
                    break;
                }
            }
            size
        } else {
            tail.len()
        };
        let (body, after) = tail.split_at(size.min(tail.len()));
        rest = after;
        Some(((head >> 3) & 15, body))
    })
}

/// What of a sequence header is used.
struct Sequence {
    coded: Coded,
    is_reduced: bool,
}

pub(super) fn coded(config: &[u8], packet: &[u8]) -> Option<Coded> {
    let of = |bytes: &[u8]| {
        units(bytes)
            .find(|(kind, _)| *kind == SEQUENCE)
            .and_then(|(_, body)| sequence(body))
            .map(|sequence| sequence.coded)
    };
    of(packet).or_else(|| of(config.get(4..)?))
}

fn sequence(body: &[u8]) -> Option<Sequence> {
    let mut bits = Bits::new(body);
    let profile = bits.number(3)?;
    bits.flag()?;
    let is_reduced = bits.flag()?;
    if is_reduced {
        bits.skip(5)?;
    } else {
        let mut model = None;
        if bits.flag()? {
            bits.skip(64)?;
            if bits.flag()? {
                bits.unsigned()?;
            }
            if bits.flag()? {
                let delay = bits.number(5)? + 1;
                bits.skip(32 + 5 + 5)?;
                model = Some(delay);
            }
        }
        let has_initial = bits.flag()?;
        for _ in 0..=bits.number(5)? {
            bits.skip(12)?;
            if bits.number(5)? > 7 {
                bits.flag()?;
            }
            if let Some(delay) = model
                && bits.flag()?
            {
                bits.skip(delay as usize * 2 + 1)?;
            }
            if has_initial && bits.flag()? {
                bits.skip(4)?;
            }
        }
    }
    let (width_bits, height_bits) = (bits.number(4)? + 1, bits.number(4)? + 1);
    let (width, height) = (bits.number(width_bits)? + 1, bits.number(height_bits)? + 1);
    if !is_reduced && bits.flag()? {
        bits.skip(4 + 3)?;
    }
    // Superblock size, filter intra, intra edge filter.
    bits.skip(3)?;
    if !is_reduced {
        // Inter-intra and masked compounds, warped motion, dual filter.
        bits.skip(4)?;
        let has_hints = bits.flag()?;
        if has_hints {
            bits.skip(2)?;
        }
        let forced = if bits.flag()? { 2 } else { bits.number(1)? };
        if forced > 0 && !bits.flag()? {
            bits.skip(1)?;
        }
        if has_hints {
            bits.skip(3)?;
        }
    }
    // Super resolution, CDEF, loop restoration.
    bits.skip(3)?;
    let mut coded = Coded {
        width,
        height,
        pixel_aspect: None,
        chroma: Chroma::Yuv420,
        depth: 8,
        color: ColorTags::default(),
        is_interlaced: false,
        has_alpha: false,
    };
    colour(&mut bits, profile, &mut coded)?;
    Some(Sequence { coded, is_reduced })
}

/// `color_config` (§5.5.2).
fn colour(bits: &mut Bits<'_>, profile: u32, coded: &mut Coded) -> Option<()> {
    let is_high = bits.flag()?;
    coded.depth = match (profile, is_high) {
        (2, true) => {
            if bits.flag()? {
                12
            } else {
                10
            }
        }
        (_, true) => 10,
        _ => 8,
    };
    let is_gray = profile != 1 && bits.flag()?;
    if bits.flag()? {
        let mut code = || {
            let code = u8::try_from(bits.number(8)?).ok()?;
            Some((code != 2).then_some(code))
        };
        coded.color.primaries = code()?;
        coded.color.transfer = code()?;
        coded.color.matrix = code()?;
    }
    if is_gray {
        coded.color.full_range = Some(bits.flag()?);
        coded.chroma = Chroma::Monochrome;
        return Some(());
    }
    let color = &mut coded.color;
    if (color.primaries, color.transfer, color.matrix) == (Some(1), Some(13), Some(0)) {
        color.full_range = Some(true);
        coded.chroma = Chroma::Rgb;
        return Some(());
    }
    color.full_range = Some(bits.flag()?);
    let (half_width, half_height) = match profile {
        0 => (true, true),
        1 => (false, false),
        _ if coded.depth == 12 => {
            let across = bits.flag()?;
            (across, across && bits.flag()?)
        }
        _ => (true, false),
    };
    coded.chroma = match (half_width, half_height) {
        (true, true) => Chroma::Yuv420,
        (true, false) => Chroma::Yuv422,
        _ if color.matrix == Some(0) => Chroma::Rgb,
        _ => Chroma::Yuv444,
    };
    if half_width && half_height {
        color.chroma_location = match bits.number(2)? {
            1 => Some(0),
            2 => Some(2),
            _ => None,
        };
    }
    Some(())
}

/// The first frame's header: show an existing frame, its type, whether it is shown.
fn frame(packet: &[u8]) -> Option<(bool, u32, bool)> {
    let is_reduced = units(packet)
        .find(|(kind, _)| *kind == SEQUENCE)
        .and_then(|(_, body)| sequence(body))
        .is_some_and(|sequence| sequence.is_reduced);
    if is_reduced {
        return Some((false, 0, true));
    }
    let (_, body) = units(packet).find(|(kind, _)| matches!(*kind, FRAME_HEADER | FRAME))?;
    let mut bits = Bits::new(body);
    if bits.flag()? {
        return Some((true, 1, true));
    }
    Some((false, bits.number(2)?, bits.flag()?))
}

/// Key frames that are shown at once; one that is shown later leaves what comes before it to
/// others.
pub(super) fn entry(packet: &[u8]) -> Entry {
    match frame(packet) {
        Some((false, 0, true)) => Entry::Closed,
        Some((false, 0, false)) => Entry::Open,
        _ => Entry::None,
    }
}

/// Whether a temporal unit shows nothing. A unit of the format always shows a frame; files cut
/// otherwise exist.
pub(super) fn is_hidden(packet: &[u8]) -> bool {
    let mut any = false;
    for (kind, body) in units(packet) {
        if !matches!(kind, FRAME_HEADER | FRAME) {
            continue;
        }
        any = true;
        let mut bits = Bits::new(body);
        let shows =
            bits.flag() == Some(true) || (bits.skip(2).is_some() && bits.flag() == Some(true));
        if shows {
            return false;
        }
    }
    any
}
