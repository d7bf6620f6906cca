//! The composition seen as a function of time: which layers a frame shows. Pure.

mod draw_list;
mod mix;
mod resolve;
mod source;

pub use draw_list::{Affine, Content, DrawList, Layer, Rect};
pub use mix::{MixClip, MixPlan};
pub use resolve::{ResolveError, Resolved, TextMeasure, Timeline};
pub use source::{AudioInfo, FrameTable, Matrix, MediaInfo, VideoInfo, YuvColor};
