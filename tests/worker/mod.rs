//! The worker process from outside, and what a worker that was taken over can do.

mod pipe;
mod sandbox;
#[cfg(feature = "gst")]
mod taken_over;
