//! Telling receivers of events: what they are sent, how it is signed, and the sending of one.
//! When, and whether again, is decided elsewhere.

mod body;
mod seal;
mod send;
mod sign;

pub use seal::{SealError, Sealer};
pub use send::HttpWebhooks;

pub(super) use send::{Sender, WebhookRequest};
pub(super) use sign::{fresh_secret, text_of};
