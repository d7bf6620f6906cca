//! The tests that need more than one module, as one program: one link instead of many.
//! Everything below `end_to_end` starts the real binary.

mod api;
#[cfg(feature = "gst")]
mod end_to_end;
mod golden;
#[cfg(feature = "gst")]
mod media;
mod store;
mod support;
mod worker;
