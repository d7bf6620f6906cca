//! What each command family does, as tables and short histories.

mod access;
mod assets;
mod delivering;
mod ending;
mod failing;
mod fetching;
mod leasing;
mod levels;
mod rendering;
mod submitting;
pub(in crate::state) mod world;
