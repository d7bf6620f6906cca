//! Not read yet.

use super::{Contents, Input};
use crate::media::MediaError;

/// Takes the file apart; its first frame is at byte `start` or after.
pub(super) fn read(_input: &mut Input, _start: u64) -> Result<Contents, MediaError> {
    Err(MediaError::Unsupported("mp3".into()))
}
