//! VP8 (RFC 6386) and VP9 (VP9 Bitstream & Decoding Process Specification): frame headers.

use super::bits::Bits;
use super::{Chroma, Coded, Entry};
use crate::media::container::ColorTags;

fn plain(width: u32, height: u32) -> Coded {
    Coded {
        width,
        height,
        pixel_aspect: None,
        chroma: Chroma::Yuv420,
        depth: 8,
        color: ColorTags::default(),
        is_interlaced: false,
        has_alpha: false,
    }
}

pub(super) fn coded_vp8(packet: &[u8]) -> Option<Coded> {
    let &[first, _, _, 0x9d, 0x01, 0x2a, w1, w2, h1, h2, ..] = packet else {
        return None;
    };
    if first & 1 != 0 {
        return None;
    }
    let side = |low, high| u32::from(u16::from_le_bytes([low, high]) & 0x3fff);
    Some(plain(side(w1, w2), side(h1, h2)))
}

pub(super) fn entry_vp8(packet: &[u8]) -> Entry {
    match packet.first() {
        Some(first) if first & 1 == 0 => Entry::Closed,
        _ => Entry::None,
    }
}

pub(super) fn is_hidden_vp8(packet: &[u8]) -> bool {
    packet.first().is_some_and(|first| first & 0x10 == 0)
}

/// The frames of a packet: one, or those of a superframe (annex B).
fn frames(packet: &[u8]) -> Vec<&[u8]> {
    let whole = || vec![packet];
    let Some(&marker) = packet.last() else {
        return whole();
    };
    if marker & 0xe0 != 0xc0 {
        return whole();
    }
    let bytes = usize::from((marker >> 3) & 3) + 1;
    let count = usize::from(marker & 7) + 1;
    let index = 2 + bytes * count;
    let Some(start) = packet.len().checked_sub(index) else {
        return whole();
    };
    if packet[start] != marker {
        return whole();
    }
    let sizes = packet[start + 1..packet.len() - 1].chunks(bytes);
    let mut rest = &packet[..start];
    let mut found = Vec::new();
    for size in sizes {
        let size = size
            .iter()
            .rev()
            .fold(0_usize, |size, &byte| size << 8 | usize::from(byte));
        let (frame, tail) = rest.split_at(size.min(rest.len()));
        if !frame.is_empty() {
            found.push(frame);
        }
        rest = tail;
    }
    if found.is_empty() { whole() } else { found }
}

/// The beginning of `uncompressed_header`.
struct Header<'a> {
    profile: u32,
    shows_existing: bool,
    is_key: bool,
    is_shown: bool,
    bits: Bits<'a>,
}

fn header(frame: &[u8]) -> Option<Header<'_>> {
    let mut bits = Bits::new(frame);
    if bits.number(2)? != 2 {
        return None;
    }
    let (low, high) = (bits.number(1)?, bits.number(1)?);
    let profile = high << 1 | low;
    if profile == 3 {
        bits.flag()?;
    }
    if bits.flag()? {
        return Some(Header {
            profile,
            shows_existing: true,
            is_key: false,
            is_shown: true,
            bits,
        });
    }
    Some(Header {
        profile,
        shows_existing: false,
        is_key: !bits.flag()?,
        is_shown: bits.flag()?,
        bits,
    })
}

pub(super) fn coded_vp9(_config: &[u8], packet: &[u8]) -> Option<Coded> {
    let frame = *frames(packet).first()?;
    let mut header = header(frame).filter(|header| header.is_key)?;
    let bits = &mut header.bits;
    bits.flag()?;
    if bits.number(24)? != 0x49_8342 {
        return None;
    }
    let depth = match header.profile {
        0 | 1 => 8,
        _ if bits.flag()? => 12,
        _ => 10,
    };
    let space = bits.number(3)?;
    let mut color = ColorTags::default();
    let mut chroma = Chroma::Yuv420;
    if space == 7 {
        color.matrix = Some(0);
        color.full_range = Some(true);
        chroma = Chroma::Rgb;
        if header.profile & 1 == 1 {
            bits.flag()?;
        }
    } else {
        color.matrix = match space {
            1 | 3 => Some(6),
            2 => Some(1),
            4 => Some(7),
            5 => Some(9),
            _ => None,
        };
        color.full_range = Some(bits.flag()?);
        if header.profile & 1 == 1 {
            chroma = match (bits.flag()?, bits.flag()?) {
                (true, false) => Chroma::Yuv422,
                (false, false) => Chroma::Yuv444,
                (false, true) => Chroma::Yuv440,
                _ => Chroma::Yuv420,
            };
            bits.flag()?;
        }
    }
    let (width, height) = (bits.number(16)? + 1, bits.number(16)? + 1);
    Some(Coded {
        chroma,
        depth,
        color,
        ..plain(width, height)
    })
}

pub(super) fn entry_vp9(packet: &[u8]) -> Entry {
    let is_key = frames(packet)
        .first()
        .and_then(|frame| header(frame))
        .is_some_and(|header| header.is_key && !header.shows_existing);
    if is_key { Entry::Closed } else { Entry::None }
}

pub(super) fn is_hidden_vp9(packet: &[u8]) -> bool {
    let headers: Vec<_> = frames(packet).into_iter().filter_map(header).collect();
    !headers.is_empty() && headers.iter().all(|header| !header.is_shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_frames_tell_their_size() {
        let vp8 = [0x10, 0, 0, 0x9d, 1, 0x2a, 0x40, 0x01, 0xf0, 0x00];
        let found = coded_vp8(&vp8).expect("a key frame");
        assert_eq!((found.width, found.height), (320, 240));
        assert_eq!(entry_vp8(&vp8), Entry::Closed);
        assert!(!is_hidden_vp8(&vp8));
        assert!(is_hidden_vp8(&[0x01]));
    }

    #[test]
    fn a_superframe_shows_something_if_one_of_its_frames_does() {
        // Two frames of one byte: hidden inter, shown inter.
        let (hidden, shown) = (0b1000_0100, 0b1000_0110);
        let packet = [hidden, shown, 0xc1, 1, 1, 0xc1];
        assert!(!is_hidden_vp9(&packet));
        assert!(is_hidden_vp9(&[hidden]));
    }
}
