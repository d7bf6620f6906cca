//! The composition seen as a function of time: which layers a frame shows. Pure.

mod draw_list;
mod evaluate;
mod frame_table;
mod language;
mod layout;
mod mix;
mod resolve;
mod source;
mod span;
mod stills;
#[cfg(test)]
mod testing;
mod warnings;

pub use draw_list::{Affine, Content, DrawList, Layer, Rect};
pub use frame_table::FrameTable;
pub use mix::{MixClip, MixPlan, SAMPLE_RATE};
pub use resolve::{ResolveError, Resolved, TextMeasure, Timeline};
pub use source::{AudioInfo, Matrix, MediaInfo, Notice, VideoInfo, YuvColor};
pub use stills::StillsBeyond;
