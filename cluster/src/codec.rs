//! The only encoding of values as bytes: bincode behind a magic byte and a version, for log
//! entries, votes, snapshots and whatever crosses the wire.
//!
//! A later encoding gets a new version here; bytes of the old one keep decoding.

use std::io::{self, Read, Write};

use bincode::config::{Configuration, Limit, LittleEndian, Varint};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// First byte of every envelope: distinguishes it from text, zeroes and foreign files.
const MAGIC: u8 = 0xF1;

/// The encoding in use: bincode 2, little endian, variable-length integers.
const VERSION: u8 = 1;

/// Largest payload that is decoded, in bytes; a damaged length must not exhaust memory.
const MAX_PAYLOAD: usize = 1 << 30;

/// Why bytes are not the value they should be, or a value has no bytes.
#[derive(Debug, thiserror::Error)]
pub enum CodecError {
    /// Not an envelope at all.
    #[error("not an encoded value")]
    NotAnEnvelope,
    /// Written by a later release, or damaged.
    #[error("encoding version {0} is not known")]
    UnknownVersion(u8),
    /// Beyond the size limit.
    #[error("encoded value of {0} bytes is too large")]
    TooLarge(usize),
    /// The payload goes on after the value.
    #[error("{0} bytes follow the encoded value")]
    TrailingBytes(usize),
    /// The payload is not the value.
    #[error("failed to decode")]
    Decode(#[from] bincode::error::DecodeError),
    /// The value cannot be encoded.
    #[error("failed to encode")]
    Encode(#[from] bincode::error::EncodeError),
    /// The bytes could not be read.
    #[error("failed to read")]
    Read(#[source] io::Error),
}

fn configuration() -> Configuration<LittleEndian, Varint, Limit<MAX_PAYLOAD>> {
    bincode::config::standard().with_limit::<MAX_PAYLOAD>()
}

/// Encodes `value` in the current version.
pub fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, CodecError> {
    encode_version(value, VERSION)
}

/// Decodes a value that any release up to this one encoded.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, CodecError> {
    decode_version(bytes, VERSION)
}

/// Encodes a value whose shape has versions of its own.
pub(crate) fn encode_version<T: Serialize>(value: &T, version: u8) -> Result<Vec<u8>, CodecError> {
    let mut bytes = vec![MAGIC, version];
    bincode::serde::encode_into_std_write(value, &mut bytes, configuration())?;
    if bytes.len() > MAX_PAYLOAD {
        return Err(CodecError::TooLarge(bytes.len()));
    }
    Ok(bytes)
}

/// Encodes a value whose shape has versions of its own into `writer`, piece by piece.
pub(crate) fn encode_version_into<T: Serialize>(
    value: &T,
    version: u8,
    writer: &mut impl Write,
) -> Result<(), CodecError> {
    let mut writer = Counting {
        inner: writer,
        bytes: 0,
    };
    writer
        .write_all(&[MAGIC, version])
        .map_err(|inner| bincode::error::EncodeError::Io { inner, index: 0 })?;
    bincode::serde::encode_into_std_write(value, &mut writer, configuration())?;
    if writer.bytes > MAX_PAYLOAD {
        return Err(CodecError::TooLarge(writer.bytes));
    }
    Ok(())
}

/// Reads the head of an envelope: the version its value has. The value follows in `reader`.
pub(crate) fn read_version(reader: &mut impl Read) -> Result<u8, CodecError> {
    let mut head = [0; 2];
    reader
        .read_exact(&mut head)
        .map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => CodecError::NotAnEnvelope,
            _ => CodecError::Read(error),
        })?;
    version_of(&head)
}

/// Decodes the value that follows the head of an envelope, up to the end of `reader`.
pub(crate) fn decode_payload_from<T: DeserializeOwned>(
    reader: &mut impl Read,
) -> Result<T, CodecError> {
    let value = bincode::serde::decode_from_std_read(reader, configuration())?;
    let rest = io::copy(reader, &mut io::sink()).map_err(CodecError::Read)?;
    if rest != 0 {
        return Err(CodecError::TrailingBytes(
            usize::try_from(rest).unwrap_or(usize::MAX),
        ));
    }
    Ok(value)
}

/// Counts what goes through it.
struct Counting<'a, W> {
    inner: &'a mut W,
    bytes: usize,
}

impl<W: Write> Write for Counting<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.bytes = self.bytes.saturating_add(written);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// The version of the value, from its envelope.
pub(crate) fn version_of(bytes: &[u8]) -> Result<u8, CodecError> {
    match bytes {
        [MAGIC, version, ..] => Ok(*version),
        _ => Err(CodecError::NotAnEnvelope),
    }
}

/// Decodes a value of this version and no other.
pub(crate) fn decode_version<T: DeserializeOwned>(
    bytes: &[u8],
    version: u8,
) -> Result<T, CodecError> {
    let found = version_of(bytes)?;
    if found != version {
        return Err(CodecError::UnknownVersion(found));
    }
    let payload = &bytes[2..];
    if payload.len() > MAX_PAYLOAD {
        return Err(CodecError::TooLarge(payload.len()));
    }
    let (value, read) = bincode::serde::decode_from_slice(payload, configuration())?;
    if read != payload.len() {
        return Err(CodecError::TrailingBytes(payload.len() - read));
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_comes_back_as_it_was() {
        let value = (7u64, "naïve".to_owned(), Some(vec![1u8, 2, 3]));
        let bytes = encode(&value).unwrap();
        let back: (u64, String, Option<Vec<u8>>) = decode(&bytes).unwrap();
        assert_eq!(back, value);
    }

    #[test]
    fn bytes_that_are_not_ours_are_refused() {
        let good = encode(&"text").unwrap();
        let mut later = good.clone();
        later[1] = VERSION + 1;
        let mut longer = good.clone();
        longer.push(0);
        let cases: [(&str, &[u8], &str); 6] = [
            ("nothing", &[], "not an encoded value"),
            ("one byte", &good[..1], "not an encoded value"),
            ("another magic", b"{\"a\":1}", "not an encoded value"),
            ("a later version", &later, "encoding version 2 is not known"),
            ("a torn tail", &good[..good.len() - 1], "failed to decode"),
            (
                "something after it",
                &longer,
                "1 bytes follow the encoded value",
            ),
        ];
        for (what, bytes, want) in cases {
            let error = decode::<String>(bytes).unwrap_err();
            assert_eq!(error.to_string(), want, "{what}");
        }
    }

    #[test]
    fn a_stream_holds_the_same_bytes_and_is_checked_alike() {
        let value = (7u64, "naïve".to_owned(), vec![1u8, 2, 3]);
        let whole = encode_version(&value, 5).unwrap();
        let mut streamed = Vec::new();
        encode_version_into(&value, 5, &mut streamed).unwrap();
        assert_eq!(streamed, whole);

        let read = |bytes: &[u8]| {
            let mut reader = bytes;
            assert_eq!(read_version(&mut reader)?, 5);
            decode_payload_from::<(u64, String, Vec<u8>)>(&mut reader)
        };
        assert_eq!(read(&whole).unwrap(), value);
        let longer = [&whole[..], &[0, 0]].concat();
        let cases: [(&str, &[u8], &str); 4] = [
            ("nothing", &[], "not an encoded value"),
            ("another magic", b"{}", "not an encoded value"),
            ("a torn tail", &whole[..whole.len() - 1], "failed to decode"),
            (
                "something after it",
                &longer,
                "2 bytes follow the encoded value",
            ),
        ];
        for (what, bytes, want) in cases {
            assert_eq!(read(bytes).unwrap_err().to_string(), want, "{what}");
        }
    }

    #[test]
    fn a_forged_length_is_an_error_and_not_an_allocation() {
        // 253 announces a 64-bit length: here of 2^62 bytes.
        let bytes = [MAGIC, VERSION, 253, 0, 0, 0, 0, 0, 0, 0, 0x40];
        assert!(decode::<String>(&bytes).is_err());
    }
}
