//! The state as bytes, for snapshots: written in the shape of its level, so that every build
//! that supports the level can read it; earlier shapes are read and brought up to date.

mod first;
mod second;

use std::io::{Read, Write};

use self::first::First;
use self::second::Second;
use super::State;
use crate::codec::{self, CodecError};
use crate::model::Level;

/// Encoding version of a snapshot of [`First`].
const FIRST: u8 = 1;

/// Encoding version of a snapshot of level 0.
const SECOND: u8 = 2;

/// Encoding version of a snapshot of [`State`], from level 1 on.
const WITH_LEVEL: u8 = 3;

/// Encodes a state for a snapshot.
///
/// # Errors
/// When it is too large.
pub fn encode(state: &State) -> Result<Vec<u8>, CodecError> {
    if state.level == Level(0) {
        codec::encode_version(&Second::from(state), SECOND)
    } else {
        codec::encode_version(state, WITH_LEVEL)
    }
}

/// Decodes a state that any build up to this one encoded.
///
/// # Errors
/// When the bytes are something else.
pub fn decode(bytes: &[u8]) -> Result<State, CodecError> {
    let mut state: State = match codec::version_of(bytes)? {
        FIRST => codec::decode_version::<First>(bytes, FIRST)
            .map(Second::from)
            .map(State::from),
        SECOND => codec::decode_version::<Second>(bytes, SECOND).map(State::from),
        _ => codec::decode_version(bytes, WITH_LEVEL),
    }?;
    state.queues = state.queues_of_jobs();
    Ok(state)
}

/// Encodes a state for a snapshot into `writer`, in small pieces: the bytes are never in
/// memory at once.
///
/// # Errors
/// When it is too large, or `writer` fails.
pub(crate) fn encode_into(state: &State, writer: &mut impl Write) -> Result<(), CodecError> {
    if state.level == Level(0) {
        codec::encode_version_into(&Second::from(state), SECOND, writer)
    } else {
        codec::encode_version_into(state, WITH_LEVEL, writer)
    }
}

/// Decodes a state that any build up to this one encoded, in small pieces up to the end of
/// `reader`, which should be buffered.
///
/// # Errors
/// When the bytes are something else, or `reader` fails.
pub(crate) fn decode_from(reader: &mut impl Read) -> Result<State, CodecError> {
    let mut state: State = match codec::read_version(reader)? {
        FIRST => codec::decode_payload_from::<First>(reader)
            .map(Second::from)
            .map(State::from),
        SECOND => codec::decode_payload_from::<Second>(reader).map(State::from),
        WITH_LEVEL => codec::decode_payload_from(reader),
        other => Err(CodecError::UnknownVersion(other)),
    }?;
    state.queues = state.queues_of_jobs();
    Ok(state)
}
