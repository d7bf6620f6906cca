//! EBML elements (RFC 8794): ids, sizes and values.

use super::super::Input;
use crate::media::MediaError;

/// One element's header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Element {
    pub(super) id: u32,
    /// First byte of its body.
    pub(super) body: u64,
    /// Length of its body; `None`: unknown, to the next element of its level or above.
    pub(super) size: Option<u64>,
}

impl Element {
    /// Where it ends, at the latest at `limit`.
    pub(super) fn end(&self, limit: u64) -> u64 {
        self.size
            .map_or(limit, |size| self.body.saturating_add(size).min(limit))
    }
}

/// The number at the beginning of `bytes`, with its marker bit kept (`keep`) or taken off, and how
/// many bytes it takes. The second is none where all value bits are set: unknown.
pub(super) fn number(bytes: &[u8], keep: bool) -> Option<(u64, usize, bool)> {
    let &first = bytes.first()?;
    let length = first.leading_zeros() as usize + 1;
    if length > 8 {
        return None;
    }
    let raw = bytes
        .get(..length)?
        .iter()
        .fold(0_u64, |value, &byte| value << 8 | u64::from(byte));
    let marker = 1_u64 << (7 * length);
    let value = raw & (marker - 1);
    let is_unknown = value == marker - 1;
    Some((if keep { raw } else { value }, length, is_unknown))
}

/// The header of the element at `at`; `None` at the end of the file or where there is none.
pub(super) fn header(input: &mut Input, at: u64) -> Result<Option<Element>, MediaError> {
    let bytes = input.available(at, 12)?;
    let Some((id, id_length, _)) = number(bytes, true).filter(|&(_, length, _)| length <= 4) else {
        return Ok(None);
    };
    let Some((size, size_length, is_unknown)) =
        bytes.get(id_length..).and_then(|b| number(b, false))
    else {
        return Ok(None);
    };
    Ok(Some(Element {
        id: u32::try_from(id).unwrap_or(0),
        body: at + (id_length + size_length) as u64,
        size: (!is_unknown).then_some(size),
    }))
}

/// The elements that lie in bytes held in memory: id and body.
pub(super) fn children(bytes: &[u8]) -> impl Iterator<Item = (u32, &[u8])> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let (id, id_length, _) = number(rest, true).filter(|&(_, length, _)| length <= 4)?;
        let (size, size_length, _) = number(rest.get(id_length..)?, false)?;
        let body = rest.get(id_length + size_length..)?;
        let size = usize::try_from(size).unwrap_or(usize::MAX).min(body.len());
        rest = &body[size..];
        Some((u32::try_from(id).ok()?, &body[..size]))
    })
}

/// The body of the first child with an id.
pub(super) fn child(bytes: &[u8], id: u32) -> Option<&[u8]> {
    children(bytes)
        .find(|(own, _)| *own == id)
        .map(|(_, body)| body)
}

/// An unsigned integer of up to eight bytes.
pub(super) fn unsigned(body: &[u8]) -> Option<u64> {
    (body.len() <= 8).then(|| {
        body.iter()
            .fold(0_u64, |value, &byte| value << 8 | u64::from(byte))
    })
}

/// A signed integer of up to eight bytes.
pub(super) fn signed(body: &[u8]) -> Option<i64> {
    let value = unsigned(body)?;
    let bits = u32::try_from(body.len() * 8).ok()?;
    if bits == 0 {
        return Some(0);
    }
    Some((value << (64 - bits)).cast_signed() >> (64 - bits))
}

/// A float of four or eight bytes.
pub(super) fn float(body: &[u8]) -> Option<f64> {
    let value = match body.len() {
        4 => f64::from(f32::from_be_bytes(body.try_into().ok()?)),
        8 => f64::from_be_bytes(body.try_into().ok()?),
        _ => return None,
    };
    value.is_finite().then_some(value)
}

/// Text, without the zeros that may pad it.
pub(super) fn text(body: &[u8]) -> Option<&str> {
    let end = body
        .iter()
        .position(|&byte| byte == 0)
        .unwrap_or(body.len());
    std::str::from_utf8(&body[..end]).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_as_many_bytes_as_their_first_bit_says() {
        assert_eq!(number(&[0x81], false), Some((1, 1, false)));
        assert_eq!(number(&[0x40, 0x02], false), Some((2, 2, false)));
        assert_eq!(number(&[0xff], false), Some((127, 1, true)));
        assert_eq!(
            number(&[0x1a, 0x45, 0xdf, 0xa3], true),
            Some((0x1a45_dfa3, 4, false))
        );
        assert_eq!(number(&[0x40], false), None);
        assert_eq!(number(&[0], false), None);
    }

    #[test]
    fn integers_are_extended_by_their_sign() {
        assert_eq!(signed(&[0xff]), Some(-1));
        assert_eq!(signed(&[0x01, 0x00]), Some(256));
        assert_eq!(signed(&[]), Some(0));
        assert_eq!(unsigned(&[0; 9]), None);
    }
}
