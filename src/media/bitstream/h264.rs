//! H.264 (ITU-T H.264): sequence parameter sets with their usability information, recovery points,
//! slice headers.

use super::bits::Bits;
use super::nal::{Form, unescaped, units};
use super::{Chroma, Coded, Entry};
use crate::media::container::ColorTags;

/// What of a sequence parameter set is used.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Sps {
    pub(super) coded: Coded,
    pub(super) frame_num_bits: u32,
    pub(super) is_frames_only: bool,
    pub(super) has_separate_planes: bool,
}

/// Sample aspect ratios by `aspect_ratio_idc` (table E-1).
const ASPECTS: [(u32, u32); 17] = [
    (0, 0),
    (1, 1),
    (12, 11),
    (10, 11),
    (16, 11),
    (40, 33),
    (24, 11),
    (20, 11),
    (32, 11),
    (80, 33),
    (18, 11),
    (15, 11),
    (64, 33),
    (160, 99),
    (4, 3),
    (3, 2),
    (2, 1),
];

impl Sps {
    /// Reads a unit of type 7.
    pub(super) fn read(unit: &[u8]) -> Option<Self> {
        let payload = unescaped(unit.get(1..)?);
        let mut bits = Bits::new(&payload);
        let profile = bits.number(8)?;
        bits.skip(16)?;
        bits.unsigned()?;
        let (mut chroma, mut depth, mut separate) = (1, 8, false);
        if matches!(
            profile,
            100 | 110 | 122 | 244 | 44 | 83 | 86 | 118 | 128 | 138 | 139 | 134 | 135
        ) {
            chroma = bits.unsigned()?;
            if chroma == 3 {
                separate = bits.flag()?;
            }
            depth = bits.unsigned()?.checked_add(8)?;
            bits.unsigned()?;
            bits.flag()?;
            if bits.flag()? {
                for list in 0..if chroma == 3 { 12 } else { 8 } {
                    if bits.flag()? {
                        skip_scaling_list(&mut bits, if list < 6 { 16 } else { 64 })?;
                    }
                }
            }
        }
        let frame_num_bits = bits.unsigned()?.checked_add(4)?;
        match bits.unsigned()? {
            0 => {
                bits.unsigned()?;
            }
            1 => {
                bits.flag()?;
                bits.signed()?;
                bits.signed()?;
                for _ in 0..bits.unsigned()?.min(255) {
                    bits.signed()?;
                }
            }
            _ => {}
        }
        bits.unsigned()?;
        bits.flag()?;
        let width = bits.unsigned()?.checked_add(1)?.checked_mul(16)?;
        let map_height = bits.unsigned()?.checked_add(1)?.checked_mul(16)?;
        let is_frames_only = bits.flag()?;
        if !is_frames_only {
            bits.flag()?;
        }
        bits.flag()?;
        let fields = if is_frames_only { 1 } else { 2 };
        let height = map_height.checked_mul(fields)?;
        let (mut crop_width, mut crop_height) = (0_u32, 0_u32);
        if bits.flag()? {
            let (unit_x, unit_y) = match chroma {
                1 => (2, 2 * fields),
                2 => (2, fields),
                _ => (1, fields),
            };
            let (left, right) = (bits.unsigned()?, bits.unsigned()?);
            let (top, bottom) = (bits.unsigned()?, bits.unsigned()?);
            crop_width = left.checked_add(right)?.checked_mul(unit_x)?;
            crop_height = top.checked_add(bottom)?.checked_mul(unit_y)?;
        }
        let mut color = ColorTags::default();
        let mut pixel_aspect = None;
        if bits.flag()? {
            // What follows may be cut off; the rest of the set stands.
            let _: Option<()> = usability(&mut bits, &mut color, &mut pixel_aspect);
        }
        let is_rgb = color.matrix == Some(0) && chroma == 3;
        Some(Self {
            coded: Coded {
                width: width.checked_sub(crop_width)?,
                height: height.checked_sub(crop_height)?,
                pixel_aspect,
                chroma: match chroma {
                    0 => Chroma::Monochrome,
                    1 => Chroma::Yuv420,
                    2 => Chroma::Yuv422,
                    _ if is_rgb => Chroma::Rgb,
                    _ => Chroma::Yuv444,
                },
                depth: u8::try_from(depth).ok()?,
                color,
                is_interlaced: !is_frames_only,
                has_alpha: false,
            },
            frame_num_bits,
            is_frames_only,
            has_separate_planes: separate,
        })
    }
}

fn skip_scaling_list(bits: &mut Bits<'_>, size: u32) -> Option<()> {
    let (mut last, mut next) = (8_i32, 8_i32);
    for _ in 0..size {
        if next != 0 {
            next = last.wrapping_add(bits.signed()?).rem_euclid(256);
        }
        last = if next == 0 { last } else { next };
    }
    Some(())
}

/// The beginning of `vui_parameters` (annex E), which H.265 shares.
pub(super) fn usability(
    bits: &mut Bits<'_>,
    color: &mut ColorTags,
    pixel_aspect: &mut Option<(u32, u32)>,
) -> Option<()> {
    if bits.flag()? {
        let index = bits.number(8)?;
        let aspect = if index == 255 {
            (bits.number(16)?, bits.number(16)?)
        } else {
            ASPECTS.get(index as usize).copied().unwrap_or((0, 0))
        };
        *pixel_aspect = Some(aspect).filter(|&(across, down)| across > 0 && down > 0);
    }
    if bits.flag()? {
        bits.flag()?;
    }
    if bits.flag()? {
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
    }
    if bits.flag()? {
        color.chroma_location = u8::try_from(bits.unsigned()?).ok();
    }
    Some(())
}

/// The parameter sets of an `avcC` record.
fn record_sets(config: &[u8]) -> Vec<&[u8]> {
    let Some(&count) = config.get(5) else {
        return Vec::new();
    };
    let mut rest = config.get(6..).unwrap_or_default();
    let mut sets = Vec::new();
    for _ in 0..count & 0x1f {
        let Some((length, tail)) = rest.split_first_chunk::<2>() else {
            break;
        };
        let length = usize::from(u16::from_be_bytes(*length)).min(tail.len());
        sets.push(&tail[..length]);
        rest = &tail[length..];
    }
    sets
}

/// The set that decoding a packet uses: its own, else the record's.
pub(super) fn sps(form: Form, config: &[u8], packet: &[u8]) -> Option<Sps> {
    let is_set = |unit: &&[u8]| unit.first().is_some_and(|head| head & 0x1f == 7);
    let own = units(form, packet)
        .filter(is_set)
        .last()
        .and_then(Sps::read);
    own.or_else(|| match form {
        Form::Lengths(_) => record_sets(config).last().and_then(|set| Sps::read(set)),
        Form::StartCodes => units(form, config)
            .filter(is_set)
            .last()
            .and_then(Sps::read),
    })
}

pub(super) fn coded(form: Form, config: &[u8], packet: &[u8]) -> Option<Coded> {
    sps(form, config, packet).map(|set| set.coded)
}

/// IDR pictures close a group. A recovery point gives the number of frames after which pictures
/// are right. For a picture of I slices alone without one the container's flag decides.
pub(super) fn entry(form: Form, _config: &[u8], packet: &[u8]) -> Entry {
    let mut recovery = None;
    for unit in units(form, packet) {
        match unit.first().map(|head| head & 0x1f) {
            Some(5) => return Entry::Closed,
            Some(6) => recovery = recovery.or_else(|| recovery_point(unit)),
            _ => {}
        }
    }
    match recovery {
        Some(0) => Entry::Open,
        Some(frames) => Entry::Gradual(frames),
        None => Entry::None,
    }
}

/// `recovery_frame_cnt` of a supplemental unit that holds a recovery point.
pub(super) fn recovery_point(unit: &[u8]) -> Option<u32> {
    let payload = unescaped(unit.get(1..)?);
    let mut rest = &payload[..];
    loop {
        let kind = varying(&mut rest)?;
        let size = usize::try_from(varying(&mut rest)?).ok()?;
        let body = rest.get(..size.min(rest.len()))?;
        if kind == 6 {
            return Bits::new(body).unsigned();
        }
        rest = rest.get(size..)?;
        if rest.len() < 2 {
            return None;
        }
    }
}

/// A number whose bytes of 255 go on.
fn varying(rest: &mut &[u8]) -> Option<u32> {
    let mut value = 0_u32;
    loop {
        let (&byte, tail) = rest.split_first()?;
        *rest = tail;
        value = value.checked_add(u32::from(byte))?;
        if byte < 255 {
            return Some(value);
        }
    }
}

/// The beginning of a slice header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Slice {
    /// The picture's first macroblock.
    pub(super) is_first: bool,
    pub(super) is_intra: bool,
    pub(super) frame_num: u32,
    /// Of one field: whether it is the bottom one.
    pub(super) field: Option<bool>,
}

/// Reads the header of a unit of type 1 or 5.
pub(super) fn slice(unit: &[u8], sps: Option<&Sps>) -> Option<Slice> {
    let head = unescaped(unit.get(1..unit.len().min(32))?);
    let mut bits = Bits::new(&head);
    let is_first = bits.unsigned()? == 0;
    let kind = bits.unsigned()? % 5;
    bits.unsigned()?;
    let (mut frame_num, mut field) = (0, None);
    if let Some(sps) = sps {
        if sps.has_separate_planes {
            bits.skip(2)?;
        }
        frame_num = bits.number(sps.frame_num_bits.min(16))?;
        if !sps.is_frames_only && bits.flag()? {
            field = Some(bits.flag()?);
        }
    }
    Some(Slice {
        is_first,
        is_intra: kind == 2 || kind == 4,
        frame_num,
        field,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idr_closes_a_group_and_a_recovery_point_opens_one() {
        let idr = [0, 0, 0, 1, 0x67, 1, 2, 0, 0, 1, 0x65, 9];
        let recovery = [0, 0, 1, 0x06, 6, 1, 0xc4, 0x80, 0, 0, 1, 0x41, 9];
        let gradual = [0, 0, 1, 0x06, 6, 1, 0b0010_1100, 0x80, 0, 0, 1, 0x41, 9];
        let plain = [0, 0, 1, 0x41, 9];
        let at = |packet: &[u8]| entry(Form::StartCodes, &[], packet);
        assert_eq!(at(&idr), Entry::Closed);
        assert_eq!(at(&recovery), Entry::Open);
        assert_eq!(at(&gradual), Entry::Gradual(4));
        assert_eq!(at(&plain), Entry::None);
    }

    #[test]
    fn a_parameter_set_tells_size_and_colour() {
        // x264, 320×240, High, BT.709 full range tagged.
        let unit = [
            0x67, 0x64, 0x00, 0x0d, 0xac, 0xd9, 0x41, 0x41, 0xfb, 0x0e, 0x10, 0x00, 0x00, 0x03,
            0x00, 0x10, 0x00, 0x00, 0x03, 0x03, 0xc0, 0xf1, 0x42, 0x99, 0x60,
        ];
        let set = Sps::read(&unit).expect("read");
        assert_eq!((set.coded.width, set.coded.height), (320, 240));
        assert_eq!(set.coded.chroma, Chroma::Yuv420);
        assert!(set.is_frames_only);
        for cut in 0..unit.len() {
            let _ = Sps::read(&unit[..cut]);
        }
    }
}
