//! Where a page of a list ended. Opaque to clients: they hand it back, nothing else. It names
//! the last render shown, so arrivals in front of it move nothing.

use cluster::model::JobId;
use sha2::{Digest, Sha256};

use super::error::{ApiError, Code};
use super::signing::{hex, unhex};

const VERSION: u8 = 1;
const CHECK_BYTES: usize = 4;

/// A place in a list of renders, newest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cursor {
    /// The page goes on with renders older than this one.
    pub(super) after: JobId,
}

impl Cursor {
    /// The text handed to clients.
    pub(super) fn encode(self) -> String {
        let mut bytes = vec![VERSION];
        bytes.extend(self.after.0.to_be_bytes());
        let check = check(&bytes);
        bytes.extend(check);
        hex(&bytes)
    }

    /// The cursor that [`Cursor::encode`] made `text` from.
    pub(super) fn decode(text: &str) -> Result<Self, ApiError> {
        Self::read(text).ok_or_else(|| {
            ApiError::new(
                Code::InvalidCursor,
                "The cursor is not one that this API handed out.",
            )
        })
    }

    fn read(text: &str) -> Option<Self> {
        let bytes = unhex(text)?;
        let (payload, found) = bytes.split_last_chunk::<CHECK_BYTES>()?;
        let (version, id) = payload.split_first()?;
        let id: [u8; 16] = id.try_into().ok()?;
        (*version == VERSION && *found == check(payload)).then(|| Self {
            after: JobId(u128::from_be_bytes(id)),
        })
    }
}

/// Tells a mistyped cursor from a real one; it guards nothing.
fn check(bytes: &[u8]) -> [u8; CHECK_BYTES] {
    let digest = Sha256::digest(bytes);
    [digest[0], digest[1], digest[2], digest[3]]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_cursor_is_read_as_it_was_written(id: u128) {
            let cursor = Cursor { after: JobId(id) };
            prop_assert_eq!(Cursor::decode(&cursor.encode()).ok(), Some(cursor));
        }

        #[test]
        fn any_other_text_is_refused(text in "[0-9a-f]{0,60}") {
            prop_assert!(Cursor::decode(&text).is_err());
        }
    }
}
