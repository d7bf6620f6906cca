//! Not read yet.

use super::{Contents, Input};
use crate::media::MediaError;

/// Takes the file apart.
pub(super) fn read(_input: &mut Input) -> Result<Contents, MediaError> {
    Err(MediaError::Unsupported("matroska".into()))
}
