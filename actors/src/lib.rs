//! Supervision and scheduling: who works on what, and what happens when that fails.
#![forbid(unsafe_code)]

pub mod poll;
pub mod ports;
pub mod protocol;
