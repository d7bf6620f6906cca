//! Checkers: each states one thing that must hold after any history, and says where it
//! does not.

pub mod no_lost_job;
pub mod one_output;
