//! MPEG-1 and MPEG-2 video (ISO 11172-2, 13818-2): sequence and picture headers.

use super::bits::Bits;
use super::nal::next_start_code;
use super::{Chroma, Coded, Entry};
use crate::media::container::ColorTags;

const PICTURE: u8 = 0x00;
const SEQUENCE: u8 = 0xb3;
const EXTENSION: u8 = 0xb5;
const GROUP: u8 = 0xb8;

/// Headers of a packet: code and bytes behind it.
pub(super) fn headers(packet: &[u8]) -> impl Iterator<Item = (u8, usize, &[u8])> {
    let mut from = 0;
    std::iter::from_fn(move || {
        let at = from + next_start_code(packet.get(from..)?)?;
        let code = *packet.get(at + 3)?;
        from = at + 4;
        Some((code, at, &packet[from..]))
    })
}

/// Contents of a sequence header.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Sequence {
    pub(super) coded: Coded,
    /// Frames a second.
    pub(super) rate: Option<(u32, u32)>,
}

const RATES: [(u32, u32); 8] = [
    (24_000, 1001),
    (24, 1),
    (25, 1),
    (30_000, 1001),
    (30, 1),
    (50, 1),
    (60_000, 1001),
    (60, 1),
];

pub(super) fn sequence(packet: &[u8]) -> Option<Sequence> {
    let mut found: Option<Sequence> = None;
    let (mut aspect, mut is_mpeg2) = (1, false);
    for (code, _, body) in headers(packet) {
        match code {
            SEQUENCE => {
                let mut bits = Bits::new(body);
                let (width, height) = (bits.number(12)?, bits.number(12)?);
                aspect = bits.number(4)?;
                let rate = (bits.number(4)? as usize)
                    .checked_sub(1)
                    .and_then(|index| RATES.get(index).copied());
                found = Some(Sequence {
                    coded: Coded {
                        width,
                        height,
                        pixel_aspect: None,
                        chroma: Chroma::Yuv420,
                        depth: 8,
                        color: ColorTags::default(),
                        is_interlaced: false,
                        has_alpha: false,
                    },
                    rate,
                });
            }
            EXTENSION => {
                let Some(found) = &mut found else { continue };
                let mut bits = Bits::new(body);
                match bits.number(4) {
                    Some(1) => {
                        is_mpeg2 = true;
                        let _: Option<()> = sequence_extension(&mut bits, found);
                    }
                    Some(2) => {
                        let _: Option<()> = display_extension(&mut bits, &mut found.coded.color);
                    }
                    _ => {}
                }
            }
            PICTURE => break,
            _ => {}
        }
    }
    let mut found = found?;
    found.coded.pixel_aspect = shape(aspect, is_mpeg2, &found.coded);
    Some(found)
}

fn sequence_extension(bits: &mut Bits<'_>, found: &mut Sequence) -> Option<()> {
    bits.skip(8)?;
    found.coded.is_interlaced = !bits.flag()?;
    found.coded.chroma = match bits.number(2)? {
        2 => Chroma::Yuv422,
        3 => Chroma::Yuv444,
        _ => Chroma::Yuv420,
    };
    found.coded.width |= bits.number(2)? << 12;
    found.coded.height |= bits.number(2)? << 12;
    bits.skip(12 + 1 + 8 + 1)?;
    let (numerator, denominator) = (bits.number(2)? + 1, bits.number(5)? + 1);
    found.rate = found.rate.and_then(|(rate, per)| {
        Some((rate.checked_mul(numerator)?, per.checked_mul(denominator)?))
    });
    Some(())
}

fn display_extension(bits: &mut Bits<'_>, color: &mut ColorTags) -> Option<()> {
    bits.skip(3)?;
    if bits.flag()? {
        let mut code = || {
            let code = u8::try_from(bits.number(8)?).ok()?;
            Some((code != 2 && code != 0).then_some(code))
        };
        color.primaries = code()?;
        color.transfer = code()?;
        color.matrix = code()?;
    }
    Some(())
}

/// Sample aspect ratio: of MPEG-2 from the picture's shape, of MPEG-1 from its table.
fn shape(aspect: u32, is_mpeg2: bool, coded: &Coded) -> Option<(u32, u32)> {
    let of_picture = |across: u32, down: u32| {
        let (a, b) = (across * coded.height, down * coded.width);
        (a > 0 && b > 0).then_some((a, b))
    };
    match (is_mpeg2, aspect) {
        (true, 2) => of_picture(4, 3),
        (true, 3) => of_picture(16, 9),
        (true, 4) => of_picture(221, 100),
        (false, 8) => Some((10_000, 9157)),
        (false, 12) => Some((10_000, 10_950)),
        _ => Some((1, 1)),
    }
}

pub(super) fn coded(config: &[u8], packet: &[u8]) -> Option<Coded> {
    sequence(packet)
        .or_else(|| sequence(config))
        .map(|sequence| sequence.coded)
}

/// I pictures: behind a closed group nothing leans across.
pub(super) fn entry(packet: &[u8]) -> Entry {
    let mut is_closed = false;
    for (code, _, body) in headers(packet) {
        match code {
            GROUP => is_closed = body.get(3).is_some_and(|byte| byte & 0x40 != 0),
            PICTURE => {
                return match picture(body) {
                    Some(found) if found.is_intra && is_closed => Entry::Closed,
                    Some(found) if found.is_intra => Entry::Open,
                    _ => Entry::None,
                };
            }
            _ => {}
        }
    }
    Entry::None
}

/// A picture header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Picture {
    /// Place in its group as shown.
    pub(super) reference: u32,
    pub(super) is_intra: bool,
}

pub(super) fn picture(body: &[u8]) -> Option<Picture> {
    let mut bits = Bits::new(body);
    Some(Picture {
        reference: bits.number(10)?,
        is_intra: bits.number(3)? == 1,
    })
}

/// `picture_structure` of a picture coding extension: 1 top field, 2 bottom field, 3 frame.
pub(super) fn structure(extension: &[u8]) -> Option<u32> {
    let mut bits = Bits::new(extension);
    if bits.number(4)? != 8 {
        return None;
    }
    bits.skip(16 + 2)?;
    bits.number(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sequence_tells_size_rate_and_shape() {
        // 720×576, 16:9, 25 a second.
        let header = [0, 0, 1, 0xb3, 0x2d, 0x02, 0x40, 0x33, 0, 0, 0, 0];
        let extension = [0, 0, 1, 0xb5, 0x14, 0x82, 0, 1, 0, 0];
        let found = sequence(&[&header[..], &extension].concat()).expect("found");
        assert_eq!((found.coded.width, found.coded.height), (720, 576));
        assert_eq!(found.rate, Some((25, 1)));
        assert_eq!(found.coded.pixel_aspect, Some((9216, 6480)));
    }

    #[test]
    fn an_intra_picture_behind_a_closed_group_closes_it() {
        let picture = [0, 0, 1, 0x00, 0, 0x08, 0, 0];
        let group = |closed: u8| [&[0, 0, 1, 0xb8, 0, 0, 0, closed][..], &picture].concat();
        assert_eq!(entry(&group(0x40)), Entry::Closed);
        assert_eq!(entry(&group(0)), Entry::Open);
        assert_eq!(entry(&[0, 0, 1, 0, 0, 0x10, 0, 0]), Entry::None);
    }
}
