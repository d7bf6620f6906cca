//! What an S3 server or the way to it went wrong with, as [`StoreError`].

use std::io;

use cluster::model::ObjectKey;
use object_store::Error;

use crate::store::StoreError;

/// Error codes for no room left: S3's own status, and the codes of compatible servers.
const FULL: [&str; 4] = [
    "507 Insufficient Storage",
    "<Code>QuotaExceeded</Code>",
    "<Code>XMinioStorageFull</Code>",
    "<Code>XMinioAdminBucketQuotaExceeded</Code>",
];

/// An error about `key`.
pub(super) fn of(error: &Error, key: &ObjectKey) -> StoreError {
    let text = error.to_string();
    if FULL.iter().any(|sign| text.contains(sign)) {
        return StoreError::Full;
    }
    let (kind, problem) = match error {
        Error::NotFound { .. } if text.contains("<Code>NoSuchBucket</Code>") => {
            (io::ErrorKind::NotFound, "the bucket does not exist")
        }
        Error::NotFound { .. } => return StoreError::NotFound(key.clone()),
        Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => (
            io::ErrorKind::PermissionDenied,
            "the object store refuses the credentials",
        ),
        _ => (io::ErrorKind::Other, "the object store failed"),
    };
    StoreError::Io(io::Error::new(kind, format!("{problem}: {text}")))
}

/// Settings that no client can be made of.
pub(super) fn of_settings(error: &Error) -> StoreError {
    unusable(format!("the bucket's settings cannot be used: {error}"))
}

pub(super) fn unusable(problem: impl Into<String>) -> StoreError {
    StoreError::Io(io::Error::new(io::ErrorKind::InvalidInput, problem.into()))
}
