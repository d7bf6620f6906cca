//! Not read yet.

use super::{Contents, Input};
use crate::media::MediaError;

/// Takes the file apart.
pub(super) fn read(_input: &mut Input) -> Result<Contents, MediaError> {
    Err(MediaError::Unsupported("transport".into()))
}

/// Fills `into` with a packet's bytes from the transport packets of its PID.
pub(super) fn gather(
    _input: &mut Input,
    (_pid, _stride, _phase): (u16, u32, u32),
    _packet: &super::Packet,
    _into: &mut Vec<u8>,
) -> Result<(), MediaError> {
    Err(MediaError::Unsupported("transport".into()))
}
