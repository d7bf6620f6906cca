//! The media engine against real files: every claim is checked with `ffmpeg` or with numbers that
//! the test itself put into the pictures.

#![expect(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a test that cannot be set up has failed, and its numbers are small"
)]

mod containers;
mod damage;
mod descriptions;
mod kinds;
mod losses;
mod reading;
mod sound;
mod writing;

use framelane::media::gst::GstEngine;

/// The engine with a deadline that a test can wait for.
pub(crate) fn engine() -> GstEngine {
    GstEngine::new()
        .expect("GStreamer starts")
        .with_stall(std::time::Duration::from_secs(20))
}
