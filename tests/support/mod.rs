//! What the tests stand on.

pub(crate) mod clips;
pub(crate) mod golden;
pub(crate) mod server;
