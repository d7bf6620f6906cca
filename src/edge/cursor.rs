//! Where a page of a list ended. Opaque to clients: they only send it back. It names
//! the last item shown, so arrivals in front of it move nothing. A cursor is valid for
//! one list only: the list's kind and filters go into the check.

use sha2::{Digest, Sha256};

use super::error::{ApiError, Code};
use super::params::Params;

const VERSION: u8 = 2;
const CHECK_BYTES: usize = 4;

/// Which list a cursor is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct List(Vec<String>);

impl List {
    /// The list called `name`, as its filters have it.
    pub(super) fn new(name: &str, owner: &str, params: &Params, filters: &[&str]) -> Self {
        let named = [name.to_owned(), owner.to_owned()];
        let values = filters.iter().flat_map(|filter| {
            let value = params.text(filter);
            value.map(|value| [(*filter).to_owned(), value.to_owned()])
        });
        Self(named.into_iter().chain(values.flatten()).collect())
    }

    /// The place that the request asks to go on after, if it does.
    ///
    /// # Errors
    /// 400 for anything but a cursor of this list.
    pub(super) fn place(&self, params: &Params) -> Result<Option<u128>, ApiError> {
        let Some(text) = params.text("cursor") else {
            return Ok(None);
        };
        let place = self.read(text).ok_or_else(|| {
            let message = "The cursor is not one that this API handed out for this list.";
            ApiError::new(Code::InvalidCursor, message)
        });
        place.map(Some)
    }

    /// The cursor of the page after the item called `last`.
    pub(super) fn cursor(&self, last: u128) -> String {
        let mut bytes = vec![VERSION];
        bytes.extend(last.to_be_bytes());
        bytes.extend(self.check(&bytes));
        hex::encode(bytes)
    }

    fn read(&self, text: &str) -> Option<u128> {
        let bytes = hex::decode(text).ok()?;
        let (payload, found) = bytes.split_last_chunk::<CHECK_BYTES>()?;
        let (version, id) = payload.split_first()?;
        let id: [u8; 16] = id.try_into().ok()?;
        (*version == VERSION && *found == self.check(payload)).then(|| u128::from_be_bytes(id))
    }

    /// A checksum that detects cursors that were mistyped or belong to another list; it is no
    /// protection against forgery.
    fn check(&self, bytes: &[u8]) -> [u8; CHECK_BYTES] {
        let mut hasher = Sha256::new();
        hasher.update(bytes);
        for part in &self.0 {
            hasher.update(part.len().to_be_bytes());
            hasher.update(part);
        }
        let digest = hasher.finalize();
        [digest[0], digest[1], digest[2], digest[3]]
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn list(name: &str) -> List {
        List(vec![name.to_owned(), "films".to_owned()])
    }

    proptest! {
        #[test]
        fn a_cursor_is_read_as_it_was_written_and_by_its_own_list_only(id: u128) {
            let cursor = list("renders").cursor(id);
            prop_assert_eq!(list("renders").read(&cursor), Some(id));
            prop_assert_eq!(list("imports").read(&cursor), None);
        }

        #[test]
        fn any_other_text_is_refused(text in "[0-9a-f]{0,60}") {
            prop_assert_eq!(list("renders").read(&text), None);
        }
    }
}
