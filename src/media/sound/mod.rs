//! Arithmetic on 48 kHz stereo samples: gains, folding of channels, the limiter. Pure; decoding
//! and encoding are the engine's.

mod envelope;
mod fold;
mod limiter;
mod pieces;
mod true_peak;

pub use envelope::amplitude;
pub use fold::{Fold, Speaker};
pub use limiter::Limiter;
pub use pieces::{MOST_CHANGES, Piece, audible, entry, packet_ticks, pieces, unread_speed};

/// One sample of both channels, left first.
pub type Stereo = [f32; 2];
