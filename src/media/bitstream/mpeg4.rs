//! MPEG-4 part 2 (ISO 14496-2): layer headers and kinds of pictures.

use super::bits::Bits;
use super::mpeg2::headers;
use super::{Chroma, Coded, Entry};
use crate::media::container::ColorTags;

const LAYERS: std::ops::RangeInclusive<u8> = 0x20..=0x2f;
const OBJECT: u8 = 0xb5;
const GROUP: u8 = 0xb3;
const PICTURE: u8 = 0xb6;
/// A not-coded picture (`vop_coded` 0) has no more bytes than this behind its start code.
const SHORTEST: usize = 6;

pub(super) fn coded(config: &[u8], packet: &[u8]) -> Option<Coded> {
    let of = |bytes: &[u8]| {
        let mut color = ColorTags::default();
        for (code, _, body) in headers(bytes) {
            if code == OBJECT {
                let _: Option<()> = signal(body, &mut color);
            } else if LAYERS.contains(&code) {
                return layer(body, color);
            }
        }
        None
    };
    of(packet).or_else(|| of(config))
}

/// `video_signal_type` of a visual object.
fn signal(body: &[u8], color: &mut ColorTags) -> Option<()> {
    let mut bits = Bits::new(body);
    if bits.flag()? {
        bits.skip(7)?;
    }
    if bits.number(4)? != 1 || !bits.flag()? {
        return None;
    }
    bits.skip(3)?;
    color.full_range = Some(bits.flag()?);
    if bits.flag()? {
        let mut code = || {
            let code = u8::try_from(bits.number(8)?).ok()?;
            Some((code != 2).then_some(code))
        };
        color.primaries = code()?;
        color.transfer = code()?;
        color.matrix = code()?;
    }
    Some(())
}

fn layer(body: &[u8], color: ColorTags) -> Option<Coded> {
    let mut bits = Bits::new(body);
    bits.skip(1 + 8)?;
    if bits.flag()? {
        bits.skip(4 + 3)?;
    }
    let aspect = match bits.number(4)? {
        2 => (12, 11),
        3 => (10, 11),
        4 => (16, 11),
        5 => (40, 33),
        15 => (bits.number(8)?, bits.number(8)?),
        _ => (1, 1),
    };
    if bits.flag()? {
        bits.skip(2 + 1)?;
        if bits.flag()? {
            bits.skip(15 + 1 + 15 + 1 + 15 + 1 + 3 + 11 + 1 + 15 + 1)?;
        }
    }
    if bits.number(2)? != 0 {
        return None;
    }
    bits.flag()?;
    let resolution = bits.number(16)?;
    bits.flag()?;
    if bits.flag()? {
        let wide = u32::BITS - resolution.saturating_sub(1).leading_zeros();
        bits.skip(wide.max(1) as usize)?;
    }
    bits.flag()?;
    let width = bits.number(13)?;
    bits.flag()?;
    let height = bits.number(13)?;
    bits.flag()?;
    let is_interlaced = bits.flag()?;
    Some(Coded {
        width,
        height,
        pixel_aspect: Some(aspect).filter(|&(across, down)| across > 0 && down > 0),
        chroma: Chroma::Yuv420,
        depth: 8,
        color,
        is_interlaced,
        has_alpha: false,
    })
}

/// I pictures; behind a closed group of VOPs, or without one, nothing leans across that is known.
pub(super) fn entry(packet: &[u8]) -> Entry {
    let mut is_closed = false;
    for (code, _, body) in headers(packet) {
        match code {
            GROUP => is_closed = body.get(2).is_some_and(|byte| byte & 0x20 != 0),
            PICTURE => {
                let is_intra = body.first().is_some_and(|byte| byte >> 6 == 0);
                return match (is_intra, is_closed) {
                    (true, true) => Entry::Closed,
                    (true, false) => Entry::Open,
                    _ => Entry::None,
                };
            }
            _ => {}
        }
    }
    Entry::None
}

/// See [`super::mpeg4_pictures`].
pub(super) fn pictures(packet: &[u8]) -> Vec<(usize, bool)> {
    headers(packet)
        .filter(|&(code, ..)| code == PICTURE)
        .map(|(_, at, body)| (at, body.len() > SHORTEST))
        .collect()
}
