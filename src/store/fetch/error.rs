//! Why a source could not be fetched, and what that means to the client and the scheduler.

use std::time::Duration;

use super::guard::Forbidden;

/// Why a URL's bytes are not in the store.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The URL is not one that is ever fetched, or leads where the network guard forbids.
    #[error(transparent)]
    Forbidden(#[from] Forbidden),
    /// The server answered that there is no such file.
    #[error("the server answered {0}")]
    NotFound(u16),
    /// The server refuses or fails for good.
    #[error("the server answered {0}")]
    Refused(u16),
    /// The server failed in a way that may pass.
    #[error("the server answered {0}")]
    Unavailable(u16),
    /// No connection, or it broke off.
    #[error("{0}")]
    Connection(String),
    /// The server stopped sending.
    #[error("the server sent nothing for {0:?}")]
    Idle(Duration),
    /// The server sends, but less than a source must bring.
    #[error("the server sent {rate} bytes a second over {window:?}, and {least} are the least")]
    TooSlow {
        /// Bytes a second.
        rate: u64,
        /// Over which they were counted.
        window: Duration,
        /// Bytes a second that must come.
        least: u64,
    },
    /// The whole took too long.
    #[error("the download took longer than {0:?}")]
    TooLong(Duration),
    /// The body ended before its declared length.
    #[error("the download broke off after {got} of {declared} bytes")]
    Truncated {
        /// Bytes received.
        got: u64,
        /// Bytes announced.
        declared: u64,
    },
    /// Redirects go on and on.
    #[error("more than {0} redirects")]
    Redirects(usize),
    /// The answer makes no sense in HTTP.
    #[error("the server's answer is malformed: {0}")]
    Malformed(&'static str),
    /// More bytes than a source may have.
    #[error("the source is larger than {0} bytes")]
    TooLarge(u64),
    /// A share link that opens only for some people.
    #[error("the {0} link asks to sign in: share the file with everyone who has the link")]
    NotShared(&'static str),
    /// A shared file that its service refuses because of too many downloads.
    #[error("{0} refuses this file: it was downloaded too often within a day")]
    Withheld(&'static str),
    /// A share link that gives a page in place of its file.
    #[error(
        "the {0} link gives a web page in place of a file: the file is gone, or not shared with everyone who has the link"
    )]
    PageInstead(&'static str),
    /// A web page, whose video this installation cannot get at.
    #[error("{0}")]
    Unsupported(String),
    /// A file that no composition can use.
    #[error("the file is not media of a known kind")]
    NotMedia,
    /// No room is left on this machine or in the store.
    #[error("storage is full")]
    StorageFull,
    /// Writing it down failed.
    #[error("storage failed: {0}")]
    Storage(String),
}

impl FetchError {
    /// The render failure code of API.md §4, or the import's.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Forbidden(_) | Self::NotShared(_) => "source_forbidden",
            Self::NotFound(_) | Self::PageInstead(_) => "source_not_found",
            Self::Unsupported(_) => "import_unsupported",
            Self::NotMedia => "invalid_source",
            Self::TooLarge(_) => "source_too_large",
            Self::StorageFull | Self::Storage(_) => "storage_unavailable",
            Self::Refused(_)
            | Self::Unavailable(_)
            | Self::Connection(_)
            | Self::Idle(_)
            | Self::TooSlow { .. }
            | Self::TooLong(_)
            | Self::Truncated { .. }
            | Self::Redirects(_)
            | Self::Malformed(_)
            | Self::Withheld(_) => "source_unreachable",
        }
    }

    /// Whether a later try, perhaps on another machine, can come to anything else.
    pub fn is_permanent(&self) -> bool {
        match self {
            Self::Forbidden(_)
            | Self::NotFound(_)
            | Self::Refused(_)
            | Self::Redirects(_)
            | Self::Malformed(_)
            | Self::TooLarge(_)
            | Self::NotShared(_)
            | Self::Withheld(_)
            | Self::PageInstead(_)
            | Self::Unsupported(_)
            | Self::NotMedia
            // A server that stalled through every try here is slow for everyone.
            | Self::Idle(_)
            | Self::TooSlow { .. }
            | Self::TooLong(_) => true,
            Self::Unavailable(_)
            | Self::Connection(_)
            | Self::Truncated { .. }
            | Self::StorageFull
            | Self::Storage(_) => false,
        }
    }

    /// Whether trying again right here is worth the time.
    pub(super) fn is_worth_retrying(&self) -> bool {
        matches!(
            self,
            Self::Unavailable(_) | Self::Connection(_) | Self::Truncated { .. } | Self::Idle(_)
        )
    }

    /// Sorts a failed write by whether the disk is full.
    pub(super) fn from_io(error: &std::io::Error) -> Self {
        if is_full(error) {
            Self::StorageFull
        } else {
            Self::Storage(error.to_string())
        }
    }
}

impl From<crate::store::StoreError> for FetchError {
    fn from(error: crate::store::StoreError) -> Self {
        match error {
            crate::store::StoreError::Full => Self::StorageFull,
            crate::store::StoreError::Io(source) => Self::from_io(&source),
            other @ (crate::store::StoreError::NotFound(_)
            | crate::store::StoreError::Damaged(_)) => Self::Storage(other.to_string()),
        }
    }
}

/// Whether an I/O error means that no room is left.
pub fn is_full(error: &std::io::Error) -> bool {
    matches!(
        error.kind(),
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded
    )
}
