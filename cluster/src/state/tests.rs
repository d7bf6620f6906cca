//! What each command family does, as tables and short histories.

mod ending;
mod failing;
mod leasing;
mod rendering;
mod submitting;
mod world;
