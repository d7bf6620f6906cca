//! H.265 (ITU-T H.265): sequence parameter sets with their usability information, kinds of pictures.

use super::bits::Bits;
use super::h264::usability;
use super::nal::{Form, unescaped, units};
use super::{Chroma, Coded, Entry};
use crate::media::container::ColorTags;

/// A unit's type.
pub(super) fn kind(unit: &[u8]) -> Option<u8> {
    unit.first().map(|head| (head >> 1) & 0x3f)
}

fn read(unit: &[u8]) -> Option<Coded> {
    let payload = unescaped(unit.get(2..)?);
    let mut bits = Bits::new(&payload);
    bits.skip(4)?;
    let sub_layers = bits.number(3)?;
    bits.flag()?;
    // General profile, tier and level.
    bits.skip(88 + 8)?;
    let mut present = Vec::new();
    for _ in 0..sub_layers {
        present.push((bits.flag()?, bits.flag()?));
    }
    if sub_layers > 0 {
        bits.skip((8 - sub_layers as usize) * 2)?;
    }
    for (profile, level) in present {
        bits.skip(if profile { 88 } else { 0 })?;
        bits.skip(if level { 8 } else { 0 })?;
    }
    bits.unsigned()?;
    let chroma = bits.unsigned()?;
    if chroma == 3 {
        bits.flag()?;
    }
    let (width, height) = (bits.unsigned()?, bits.unsigned()?);
    let (mut crop_width, mut crop_height) = (0_u32, 0_u32);
    if bits.flag()? {
        let (unit_x, unit_y) = match chroma {
            1 => (2, 2),
            2 => (2, 1),
            _ => (1, 1),
        };
        let (left, right) = (bits.unsigned()?, bits.unsigned()?);
        let (top, bottom) = (bits.unsigned()?, bits.unsigned()?);
        crop_width = left.checked_add(right)?.checked_mul(unit_x)?;
        crop_height = top.checked_add(bottom)?.checked_mul(unit_y)?;
    }
    let depth = bits.unsigned()?.checked_add(8)?;
    let mut color = ColorTags::default();
    let mut pixel_aspect = None;
    // What follows leads to the usability information; where it cannot be read, that is missing.
    let _: Option<()> = to_usability(&mut bits, sub_layers, chroma)
        .and_then(|()| usability(&mut bits, &mut color, &mut pixel_aspect));
    let is_rgb = color.matrix == Some(0) && chroma == 3;
    Some(Coded {
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
        is_interlaced: false,
        has_alpha: false,
    })
}

/// Passes over everything between the bit depths and the usability information.
fn to_usability(bits: &mut Bits<'_>, sub_layers: u32, chroma: u32) -> Option<()> {
    bits.unsigned()?;
    let order_bits = bits.unsigned()?.checked_add(4)?;
    let all = bits.flag()?;
    for _ in 0..if all { sub_layers + 1 } else { 1 } {
        bits.unsigned()?;
        bits.unsigned()?;
        bits.unsigned()?;
    }
    for _ in 0..6 {
        bits.unsigned()?;
    }
    if bits.flag()? && bits.flag()? {
        scaling_lists(bits, chroma)?;
    }
    bits.flag()?;
    bits.flag()?;
    if bits.flag()? {
        bits.skip(8)?;
        bits.unsigned()?;
        bits.unsigned()?;
        bits.flag()?;
    }
    reference_sets(bits)?;
    if bits.flag()? {
        for _ in 0..bits.unsigned()?.min(33) {
            bits.skip(order_bits as usize + 1)?;
        }
    }
    bits.flag()?;
    bits.flag()?;
    bits.flag()?.then_some(())
}

fn scaling_lists(bits: &mut Bits<'_>, _chroma: u32) -> Option<()> {
    for size in 0..4_u32 {
        let step = if size == 3 { 3 } else { 1 };
        for _ in (0..6).step_by(step) {
            if !bits.flag()? {
                bits.unsigned()?;
                continue;
            }
            if size > 1 {
                bits.signed()?;
            }
            for _ in 0..64.min(1_u32 << (4 + (size << 1))) {
                bits.signed()?;
            }
        }
    }
    Some(())
}

/// Short-term reference picture sets (§7.3.7).
fn reference_sets(bits: &mut Bits<'_>) -> Option<()> {
    let count = bits.unsigned()?.min(64);
    let mut pictures = 0_u32;
    for index in 0..count {
        if index > 0 && bits.flag()? {
            bits.flag()?;
            bits.unsigned()?;
            let mut kept = 0;
            for _ in 0..=pictures {
                let used = bits.flag()?;
                if used || bits.flag()? {
                    kept += 1;
                }
            }
            pictures = kept;
            continue;
        }
        let (before, after) = (bits.unsigned()?, bits.unsigned()?);
        pictures = before.checked_add(after).filter(|&all| all <= 32)?;
        for _ in 0..pictures {
            bits.unsigned()?;
            bits.flag()?;
        }
    }
    Some(())
}

/// Units in the arrays of an `hvcC` record.
fn record_units(config: &[u8]) -> Vec<&[u8]> {
    let Some(&arrays) = config.get(22) else {
        return Vec::new();
    };
    let mut rest = config.get(23..).unwrap_or_default();
    let mut found = Vec::new();
    for _ in 0..arrays {
        let &[_, high, low, ..] = rest else { break };
        rest = &rest[3..];
        for _ in 0..u16::from_be_bytes([high, low]) {
            let Some((length, tail)) = rest.split_first_chunk::<2>() else {
                return found;
            };
            let length = usize::from(u16::from_be_bytes(*length)).min(tail.len());
            found.push(&tail[..length]);
            rest = &tail[length..];
        }
    }
    found
}

pub(super) fn coded(form: Form, config: &[u8], packet: &[u8]) -> Option<Coded> {
    let is_set = |unit: &&[u8]| kind(unit) == Some(33);
    let own = units(form, packet).filter(is_set).last().and_then(read);
    own.or_else(|| match form {
        Form::Lengths(_) => record_units(config)
            .into_iter()
            .rfind(is_set)
            .and_then(read),
        Form::StartCodes => units(form, config).filter(is_set).last().and_then(read),
    })
}

/// IDR and BLA pictures close a group (what leans across a BLA is not output); CRA opens one.
pub(super) fn entry(form: Form, packet: &[u8]) -> Entry {
    for unit in units(form, packet) {
        match kind(unit) {
            Some(16..=20) => return Entry::Closed,
            Some(21) => return Entry::Open,
            _ => {}
        }
    }
    Entry::None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_say_whether_they_close_their_group() {
        let at = |kind: u8| entry(Form::StartCodes, &[0, 0, 1, kind << 1, 1, 9]);
        assert_eq!(at(19), Entry::Closed);
        assert_eq!(at(21), Entry::Open);
        assert_eq!(at(1), Entry::None);
    }
}
