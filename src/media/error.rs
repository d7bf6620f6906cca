//! Why media could not be read or written.

/// Why media could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum MediaError {
    /// The file is not media, or is damaged beyond use.
    #[error("not readable as media: {0}")]
    Invalid(String),
    /// It is media of a kind that is not supported.
    #[error("unsupported media: {0}")]
    Unsupported(String),
    /// It goes beyond a limit (pixels, duration).
    #[error("over a limit: {0}")]
    Limit(String),
    /// Nothing moved for too long.
    #[error("no progress for {0:?}")]
    Stalled(std::time::Duration),
    /// An element of the installation is missing.
    #[error("gstreamer element `{0}` is not installed")]
    MissingElement(&'static str),
    /// A local file could not be read or written.
    #[error("file access failed")]
    Io(#[from] std::io::Error),
    /// The media library failed in a way that a retry may mend.
    #[error("media engine failed: {0}")]
    Engine(String),
}
