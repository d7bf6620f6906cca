//! The request object: what the edge stores of an accepted `POST /v1/renders` before any
//! command names it, and what prepare and every later answer about the render read.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::composition::Warning;

/// An accepted request. Stored as JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RequestObject {
    /// Format of this object; readers refuse others.
    pub version: u32,
    /// The client's body as sent, in canonical form.
    pub composition: serde_json::Value,
    /// Warnings of validation.
    pub warnings: Vec<Warning>,
    /// Base of the links this render's answers hold, without a slash at the end; empty:
    /// wherever the server that answers listens.
    pub public_url: String,
}

/// Why stored bytes are not a request object.
#[derive(Debug, thiserror::Error)]
pub enum RequestObjectError {
    /// They are not the JSON of one.
    #[error("request object is damaged")]
    Damaged(#[from] serde_json::Error),
    /// A newer build wrote them.
    #[error("request object has version {0}, which this build does not read")]
    Version(u32),
}

impl RequestObject {
    /// The format this build writes.
    pub const VERSION: u32 = 1;

    /// The bytes to store.
    pub fn to_bytes(&self) -> Bytes {
        Bytes::from(serde_json::to_vec(self).expect("strings and JSON values always serialise"))
    }

    /// Reads what [`RequestObject::to_bytes`] wrote.
    ///
    /// # Errors
    /// [`RequestObjectError`] when the bytes are damaged or of another version.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, RequestObjectError> {
        let object: Self = serde_json::from_slice(bytes)?;
        if object.version != Self::VERSION {
            return Err(RequestObjectError::Version(object.version));
        }
        Ok(object)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_and_other_versions_are_refused() {
        let mut object = RequestObject {
            version: RequestObject::VERSION,
            composition: serde_json::json!({"elements": []}),
            warnings: Vec::new(),
            public_url: "http://127.0.0.1:8080".to_owned(),
        };
        let read = RequestObject::from_bytes(&object.to_bytes()).expect("its own bytes");
        assert_eq!(read, object);
        object.version = 2;
        assert!(matches!(
            RequestObject::from_bytes(&object.to_bytes()),
            Err(RequestObjectError::Version(2))
        ));
    }
}
