//! What the tests stand on.

#[cfg(feature = "gst")]
pub(crate) mod clips;
pub(crate) mod golden;
#[cfg(feature = "gst")]
pub(crate) mod server;
