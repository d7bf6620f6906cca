//! The tests that need more than one module, as one program: one link instead of many.
//! Everything below `end_to_end` starts the real binary.

mod end_to_end;
mod support;
mod worker;
