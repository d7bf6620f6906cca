//! H.264 and H.265 units: their two forms in packets, and their bytes without emulation
//! prevention.

use crate::media::container::Codec;

/// How units are separated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// By start codes (Annex B).
    StartCodes,
    /// Each behind its length in so many bytes (1, 2 or 4).
    Lengths(u8),
}

/// The form that a codec's packets have.
pub(super) fn form(codec: &Codec, config: &[u8]) -> Form {
    let size = match codec {
        Codec::H264 => config.get(4),
        Codec::H265 => config.get(21),
        _ => return Form::StartCodes,
    };
    // A record that is not there (`avc3` without one) leaves the usual four bytes.
    Form::Lengths(size.map_or(4, |byte| (byte & 3) + 1))
}

/// The units of a packet, each with its header and with emulation prevention in place.
pub(super) fn units(form: Form, packet: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = packet;
    std::iter::from_fn(move || match form {
        Form::StartCodes => {
            let start = after_start_code(rest)?;
            let body = &rest[start..];
            let end = next_start_code(body).unwrap_or(body.len());
            rest = &body[end..];
            Some(&body[..end])
        }
        Form::Lengths(size) => {
            let size = usize::from(size);
            let length = rest
                .get(..size)?
                .iter()
                .fold(0_usize, |length, &byte| length << 8 | usize::from(byte));
            let unit = rest.get(size..)?;
            let unit = &unit[..length.min(unit.len())];
            rest = &rest[size + unit.len()..];
            Some(unit)
        }
    })
    .filter(|unit| !unit.is_empty())
}

/// Where the first unit begins.
fn after_start_code(bytes: &[u8]) -> Option<usize> {
    next_start_code(bytes).map(|at| at + 3)
}

/// Where the next `00 00 01` begins.
pub(super) fn next_start_code(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    while let Some(&third) = bytes.get(at + 2) {
        match third {
            0 => at += 1,
            1 if bytes[at] == 0 && bytes[at + 1] == 0 => return Some(at),
            _ => at += 3,
        }
    }
    None
}

/// A unit's payload without emulation prevention bytes.
pub(super) fn unescaped(unit: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(unit.len());
    let mut zeros = 0;
    for &byte in unit {
        if zeros >= 2 && byte == 3 {
            zeros = 0;
            continue;
        }
        zeros = if byte == 0 { zeros + 1 } else { 0 };
        out.push(byte);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_give_the_same_units() {
        let annex_b = [0, 0, 0, 1, 0x67, 1, 2, 0, 0, 1, 0x65, 9, 0, 0, 3, 1];
        let lengths = [0, 3, 0x67, 1, 2, 0, 6, 0x65, 9, 0, 0, 3, 1];
        let expected: [&[u8]; 2] = [&[0x67, 1, 2], &[0x65, 9, 0, 0, 3, 1]];
        assert!(units(Form::StartCodes, &annex_b).eq(expected));
        assert!(units(Form::Lengths(2), &lengths).eq(expected));
        assert_eq!(unescaped(expected[1]), [0x65, 9, 0, 0, 1]);
    }

    #[test]
    fn a_length_beyond_the_packet_takes_what_is_there() {
        let expected: [&[u8]; 1] = [&[0x65, 1]];
        assert!(units(Form::Lengths(4), &[0, 0, 9, 9, 0x65, 1]).eq(expected));
        assert_eq!(units(Form::Lengths(4), &[0, 0]).count(), 0);
    }
}
