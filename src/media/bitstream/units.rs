//! Where access units begin in elementary streams: a unit is one whole frame, both fields of it.

use super::h264::{self, Sps};
use super::nal::next_start_code;
use super::{Entry, h265, mpeg2, mpeg4};
use crate::media::container::Codec;

/// The beginning of an access unit in the bytes that were looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unit {
    /// Its first byte.
    pub at: usize,
    /// What decoding from it gives.
    pub entry: Entry,
    /// MPEG-1 and 2: its place in its group as shown.
    pub reference: Option<u32>,
    /// MPEG-1 and 2: it begins a group.
    pub begins_group: bool,
}

/// Finds access units in a stream that comes in pieces which end between units of the syntax.
#[derive(Debug)]
pub struct Units {
    codec: Codec,
    sps: Option<Sps>,
    /// The field that waits for its other one: frame number and parity.
    field: Option<(u32, bool)>,
    /// Frames a second, where the stream gives it.
    pub rate: Option<(u32, u32)>,
}

/// The unit that is being put together.
#[derive(Debug, Clone, Copy)]
struct Open {
    at: usize,
    entry: Entry,
    reference: Option<u32>,
    begins_group: bool,
}

impl Units {
    /// For a byte-stream codec.
    #[must_use]
    pub fn new(codec: &Codec) -> Self {
        Self {
            codec: codec.clone(),
            sps: None,
            field: None,
            rate: None,
        }
    }

    /// The units that begin in `bytes`, and from where on bytes must be looked at again once more
    /// have come: what leads to a picture that is not there yet, or a header that is cut off.
    /// With `is_last` nothing more comes.
    pub fn find(&mut self, bytes: &[u8], is_last: bool) -> (Vec<Unit>, usize) {
        let (found, pending) = match self.codec {
            Codec::H264ByteStream => self.h264(bytes, is_last),
            Codec::H265ByteStream => Self::h265(bytes, is_last),
            Codec::Mpeg2Video => self.mpeg2(bytes, is_last),
            Codec::Mpeg4 => Self::mpeg4(bytes, is_last),
            _ => (Vec::new(), None),
        };
        if is_last {
            return (found, bytes.len());
        }
        // A start code may be cut in two.
        let zeros = bytes
            .iter()
            .rev()
            .take(3)
            .take_while(|&&byte| byte <= 1)
            .count();
        (found, pending.unwrap_or(bytes.len() - zeros))
    }

    fn h264(&mut self, bytes: &[u8], is_last: bool) -> (Vec<Unit>, Option<usize>) {
        let mut found: Vec<Unit> = Vec::new();
        // Where the headers of the next picture begin, and their contents.
        let mut prefix: Option<usize> = None;
        let mut recovery = None;
        for (at, unit) in start_code_units(bytes) {
            if is_cut(bytes, unit, is_last) {
                return (found, Some(prefix.unwrap_or(at)));
            }
            let kind = unit.first().map_or(0, |head| head & 0x1f);
            match kind {
                1 | 5 => {
                    let Some(slice) = h264::slice(unit, self.sps.as_ref()) else {
                        continue;
                    };
                    if !slice.is_first {
                        continue;
                    }
                    let begins = prefix.take().unwrap_or(at);
                    let is_second = slice
                        .field
                        .is_some_and(|bottom| self.field == Some((slice.frame_num, !bottom)));
                    if is_second {
                        self.field = None;
                        recovery = None;
                        continue;
                    }
                    self.field = slice.field.map(|bottom| (slice.frame_num, bottom));
                    let entry = if kind == 5 {
                        Entry::Closed
                    } else {
                        match recovery.take() {
                            Some(0) => Entry::Open,
                            Some(frames) => Entry::Gradual(frames),
                            None => Entry::None,
                        }
                    };
                    recovery = None;
                    found.push(Unit {
                        at: begins,
                        entry,
                        reference: None,
                        begins_group: false,
                    });
                }
                6 => {
                    prefix.get_or_insert(at);
                    recovery = recovery.or_else(|| h264::recovery_point(unit));
                }
                7 => {
                    prefix.get_or_insert(at);
                    self.sps = Sps::read(unit).or(self.sps);
                }
                8 | 9 | 14..=18 => {
                    prefix.get_or_insert(at);
                }
                _ => {}
            }
        }
        (found, prefix)
    }

    fn h265(bytes: &[u8], is_last: bool) -> (Vec<Unit>, Option<usize>) {
        let mut found = Vec::new();
        let mut prefix: Option<usize> = None;
        for (at, unit) in start_code_units(bytes) {
            if is_cut(bytes, unit, is_last) {
                return (found, Some(prefix.unwrap_or(at)));
            }
            match h265::kind(unit) {
                Some(kind @ 0..=31) => {
                    if unit.get(2).is_none_or(|byte| byte & 0x80 == 0) {
                        continue;
                    }
                    found.push(Unit {
                        at: prefix.take().unwrap_or(at),
                        entry: match kind {
                            16..=20 => Entry::Closed,
                            21 => Entry::Open,
                            _ => Entry::None,
                        },
                        reference: None,
                        begins_group: false,
                    });
                }
                Some(32..=35 | 39 | 41..=44 | 48..=55) => {
                    prefix.get_or_insert(at);
                }
                _ => {}
            }
        }
        (found, prefix)
    }

    fn mpeg2(&mut self, bytes: &[u8], is_last: bool) -> (Vec<Unit>, Option<usize>) {
        let mut found: Vec<Unit> = Vec::new();
        let mut prefix: Option<(usize, bool, bool)> = None;
        let mut open: Option<Open> = None;
        for (code, at, body) in mpeg2::headers(bytes) {
            if matches!(code, 0x00 | 0xb3 | 0xb5 | 0xb8) && is_cut(bytes, body, is_last) {
                let begun = open.map(|open| open.at).or(prefix.map(|(at, ..)| at));
                return (found, Some(begun.unwrap_or(at)));
            }
            match code {
                0xb3 => {
                    prefix.get_or_insert((at, false, false));
                    if let Some(sequence) = mpeg2::sequence(&bytes[at..]) {
                        self.rate = sequence.rate.or(self.rate);
                    }
                }
                0xb8 => {
                    let (start, ..) = prefix.unwrap_or((at, false, false));
                    let is_closed = body.get(3).is_some_and(|byte| byte & 0x40 != 0);
                    prefix = Some((start, true, is_closed));
                }
                0x00 => {
                    let Some(picture) = mpeg2::picture(body) else {
                        continue;
                    };
                    let (start, begins_group, is_closed) =
                        prefix.take().unwrap_or((at, false, false));
                    open = Some(Open {
                        at: start,
                        entry: match (picture.is_intra, is_closed) {
                            (true, true) => Entry::Closed,
                            (true, false) => Entry::Open,
                            _ => Entry::None,
                        },
                        reference: Some(picture.reference),
                        begins_group,
                    });
                }
                0xb5 => {
                    // The picture's coding extension states whether it is one field.
                    let Some(structure) = mpeg2::structure(body) else {
                        continue;
                    };
                    let Some(picture) = open.take() else { continue };
                    let field = (structure != 3).then_some(structure == 2);
                    let reference = picture.reference.unwrap_or(0);
                    let is_second =
                        field.is_some_and(|bottom| self.field == Some((reference, !bottom)));
                    if is_second {
                        self.field = None;
                        continue;
                    }
                    self.field = field.map(|bottom| (reference, bottom));
                    found.push(picture.into());
                }
                0x01..=0xaf => {
                    // MPEG-1 has no extension.
                    found.extend(open.take().map(Unit::from));
                }
                _ => {}
            }
        }
        if is_last {
            found.extend(open.take().map(Unit::from));
            return (found, None);
        }
        (
            found,
            open.map(|open| open.at).or(prefix.map(|(at, ..)| at)),
        )
    }

    fn mpeg4(bytes: &[u8], is_last: bool) -> (Vec<Unit>, Option<usize>) {
        let mut found = Vec::new();
        let mut prefix: Option<usize> = None;
        for (code, at, body) in mpeg2::headers(bytes) {
            if is_cut(bytes, body, is_last) {
                return (found, Some(prefix.unwrap_or(at)));
            }
            match code {
                0xb6 => {
                    let begins = prefix.take().unwrap_or(at);
                    let unit = bytes.get(begins..).unwrap_or_default();
                    found.push(Unit {
                        at: begins,
                        entry: mpeg4::entry(unit),
                        reference: None,
                        begins_group: false,
                    });
                }
                0xb0 | 0xb2 | 0xb3 | 0xb5 | 0x00..=0x2f => {
                    prefix.get_or_insert(at);
                }
                _ => {}
            }
        }
        (found, prefix)
    }
}

/// Headers that matter lie within so many bytes.
const HEADER: usize = 64;

/// Whether a unit reaches the end of `bytes` with too little to be read.
fn is_cut(bytes: &[u8], unit: &[u8], is_last: bool) -> bool {
    let reaches_end = unit.as_ptr_range().end == bytes.as_ptr_range().end;
    !is_last && unit.len() < HEADER && reaches_end
}

impl From<Open> for Unit {
    fn from(open: Open) -> Self {
        Self {
            at: open.at,
            entry: open.entry,
            reference: open.reference,
            begins_group: open.begins_group,
        }
    }
}

/// Units behind start codes, each with where its start code stands; a zero in front of that is
/// part of it.
fn start_code_units(bytes: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let mut from = next_start_code(bytes);
    std::iter::from_fn(move || {
        let at = from?;
        let body = at + 3;
        let next = next_start_code(bytes.get(body..)?).map(|next| body + next);
        from = next;
        let begins = if at > 0 && bytes.get(at - 1) == Some(&0) {
            at - 1
        } else {
            at
        };
        Some((begins, &bytes[body..next.unwrap_or(bytes.len())]))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_leads_to_a_picture_belongs_to_it() {
        let aud = [0, 0, 0, 1, 0x09, 0xf0];
        let idr = [0, 0, 1, 0x65, 0x88, 0x84];
        let more = [0, 0, 1, 0x65, 0x40, 0x84];
        let inter = [0, 0, 1, 0x41, 0x9a, 0x24];
        let bytes = [&aud[..], &idr, &more, &aud, &inter].concat();
        let found = Units::new(&Codec::H264ByteStream).find(&bytes, true).0;
        let starts: Vec<_> = found.iter().map(|unit| (unit.at, unit.entry)).collect();
        assert_eq!(starts, [(0, Entry::Closed), (18, Entry::None)]);
        // Cut behind the second delimiter, its picture is waited for from there.
        let (found, held) = Units::new(&Codec::H264ByteStream).find(&bytes[..26], false);
        assert_eq!((found.len(), held), (1, 18));
    }

    #[test]
    fn two_fields_of_a_frame_are_one_unit() {
        // Picture header (reference 0), then its extension: top field, bottom field, frame.
        let picture = |structure: u8| {
            let mut bytes = vec![0, 0, 1, 0, 0, 0x08, 0, 0];
            bytes.extend([0, 0, 1, 0xb5, 0x8f, 0xff, 0xf0 | structure, 0, 0]);
            bytes
        };
        let bytes = [picture(1), picture(2), picture(3)].concat();
        let found = Units::new(&Codec::Mpeg2Video).find(&bytes, true).0;
        let starts: Vec<usize> = found.iter().map(|unit| unit.at).collect();
        assert_eq!(starts, [0, 34]);
    }
}
