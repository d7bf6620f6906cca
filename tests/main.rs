//! The integration tests: one binary, one link.

mod golden;
mod support;
