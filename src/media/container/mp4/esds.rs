//! Elementary stream descriptors (ISO 14496-1 §7.2.6): what an `mp4v` or `mp4a` entry carries.

use super::fields::Fields;
use crate::media::container::Codec;

/// A decoder's configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stream {
    /// `objectTypeIndication`.
    pub(super) object_type: u8,
    /// `DecoderSpecificInfo`.
    pub(super) config: Vec<u8>,
}

/// Reads an `esds` box.
pub(super) fn read(body: &[u8]) -> Option<Stream> {
    let mut fields = Fields::new(body);
    fields.full()?;
    let (tag, descriptor) = next(&mut fields)?;
    if tag != 3 {
        return None;
    }
    let mut fields = Fields::new(descriptor);
    fields.skip(2)?;
    let flags = fields.u8()?;
    if flags & 0x80 != 0 {
        fields.skip(2)?;
    }
    if flags & 0x40 != 0 {
        let length = fields.u8()?;
        fields.skip(usize::from(length))?;
    }
    if flags & 0x20 != 0 {
        fields.skip(2)?;
    }
    let (tag, decoder) = next(&mut fields)?;
    if tag != 4 {
        return None;
    }
    let mut fields = Fields::new(decoder);
    let object_type = fields.u8()?;
    // Stream type, buffer size, two bit rates.
    fields.skip(12)?;
    let config = match next(&mut fields) {
        Some((5, config)) => config.to_vec(),
        _ => Vec::new(),
    };
    Some(Stream {
        object_type,
        config,
    })
}

/// One descriptor: its tag and body, cut off where its length exceeds what is there.
fn next<'a>(fields: &mut Fields<'a>) -> Option<(u8, &'a [u8])> {
    let tag = fields.u8()?;
    let mut length = 0_usize;
    for _ in 0..4 {
        let byte = fields.u8()?;
        length = length << 7 | usize::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            break;
        }
    }
    let length = length.min(fields.rest().len());
    Some((tag, fields.bytes(length)?))
}

/// The picture codec of an object type (mp4ra.org's registry).
pub(super) fn picture_codec(object_type: u8) -> Codec {
    match object_type {
        0x20 => Codec::Mpeg4,
        0x21 => Codec::H264,
        0x23 => Codec::H265,
        0x60..=0x65 | 0x6a => Codec::Mpeg2Video,
        0x6c => Codec::Mjpeg,
        0x6d => Codec::Png,
        0xb1 => Codec::Vp9,
        other => Codec::Other(format!("mp4v-{other:02x}")),
    }
}

/// The sound codec of an object type.
pub(super) fn sound_codec(object_type: u8) -> Codec {
    match object_type {
        0x40 | 0x66..=0x68 => Codec::Aac,
        0x69 | 0x6b => Codec::Mp3,
        0xa5 => Codec::Ac3,
        0xa6 => Codec::Eac3,
        0xad => Codec::Opus,
        0xdd => Codec::Vorbis,
        0xa9..=0xac => Codec::Other("DTS".into()),
        other => Codec::Other(format!("mp4a-{other:02x}")),
    }
}
