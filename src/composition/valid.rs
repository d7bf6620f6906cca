//! A composition that passed validation, in the renderer's terms. Only [`super::validate`] makes
//! one; fields that don't render yet have no place here.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::time::{FrameRate, MediaTime};

/// A composition without errors. Lengths are still relative: sources are not probed yet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ValidComposition {
    /// Canvas width in pixels.
    pub width: u32,
    /// Canvas height in pixels.
    pub height: u32,
    /// Length of the output; none: from the elements, once probed.
    pub duration: Option<MediaTime>,
    /// Output rate.
    pub frame_rate: FrameRate,
    /// Container and codecs.
    pub output: Output,
    /// What lies under everything.
    pub background: Rgba,
    /// In the order of the request. Invisible ones (`visible: false`) are kept, marked.
    pub elements: Vec<Element>,
    /// Echoed to the client.
    pub metadata: BTreeMap<String, String>,
    /// Receives this render's events, instead of the workspace's endpoints.
    pub webhook_url: Option<String>,
    /// Where the file is copied to once it is done.
    pub destination: Option<Destination>,
    /// −10…10.
    pub priority: i8,
}

/// An object in a bucket that the server is set up with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Destination {
    /// The bucket's name in the settings.
    pub bucket: String,
    /// The object's key.
    pub key: String,
}

/// What file to write.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Output {
    /// The container.
    pub format: OutputFormat,
    /// File name without extension; none: the render's id.
    pub filename: Option<String>,
    /// x264 constant rate factor.
    pub crf: u8,
    /// x264 preset name.
    pub preset: String,
    /// Target instead of crf, in kbit/s.
    pub video_kbps: Option<u32>,
    /// AAC rate in kbit/s.
    pub audio_kbps: u32,
    /// Frames between forced keyframes; none: one a segment.
    pub keyframe_interval: Option<u32>,
}

/// Containers that render.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum OutputFormat {
    /// H.264 and AAC.
    Mp4,
}

/// A straight (not premultiplied) 8-bit colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rgba {
    /// Red, gamma-encoded.
    pub r: u8,
    /// Green, gamma-encoded.
    pub g: u8,
    /// Blue, gamma-encoded.
    pub b: u8,
    /// 255 is opaque.
    pub a: u8,
}

/// Something placed on the timeline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Element {
    /// Position in the request's list; `elements[index]` in messages.
    pub index: usize,
    /// The client's name for it.
    pub id: Option<String>,
    /// When it begins.
    pub time: MediaTime,
    /// How long it is visible at most; always there on text and image.
    pub duration: Option<MediaTime>,
    /// Whether it takes part at all.
    pub visible: bool,
    /// What it is.
    pub kind: ElementKind,
}

/// What an element is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum ElementKind {
    /// Moving pictures, with their sound.
    Video {
        /// The media and its trim.
        clip: Clip,
        /// Where it lies.
        visual: Visual,
    },
    /// A still picture.
    Image {
        /// Where the file is.
        source_url: String,
        /// Where it lies.
        visual: Visual,
    },
    /// Text.
    Text {
        /// What is written and how.
        text: TextStyle,
        /// Where it lies.
        visual: Visual,
    },
    /// Sound alone.
    Audio {
        /// The media and its trim.
        clip: Clip,
    },
}

impl ElementKind {
    /// Where it lies, if it can be seen.
    pub fn visual(&self) -> Option<&Visual> {
        match self {
            Self::Video { visual, .. } | Self::Image { visual, .. } | Self::Text { visual, .. } => {
                Some(visual)
            }
            Self::Audio { .. } => None,
        }
    }

    /// Its trimmed media, if it has any.
    pub fn clip(&self) -> Option<&Clip> {
        match self {
            Self::Video { clip, .. } | Self::Audio { clip } => Some(clip),
            Self::Image { .. } | Self::Text { .. } => None,
        }
    }
}

/// Trimmed media with sound.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Clip {
    /// Where the file is.
    pub source_url: String,
    /// Where in the source it begins.
    pub in_point: MediaTime,
    /// Where in the source it ends; none: at its end.
    pub out_point: Option<MediaTime>,
    /// Which sound track plays; none: the file's default.
    pub audio_track: Option<TrackChoice>,
    /// Amplitude factor, 0–1.
    pub gain: f64,
    /// Linear ramp from silence at the beginning.
    pub fade_in: MediaTime,
    /// Linear ramp to silence at the end.
    pub fade_out: MediaTime,
}

/// Which of a file's sound tracks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum TrackChoice {
    /// By its number among the sound tracks, from 0.
    Number(u8),
    /// By its language, as the file writes it.
    Language(String),
}

/// Where and how a visual element lies on the canvas.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Visual {
    /// Where the anchor lies, across.
    pub x: Length,
    /// Where the anchor lies, down.
    pub y: Length,
    /// Which point of the box is the anchor, across.
    pub x_anchor: Length,
    /// Which point of the box is the anchor, down.
    pub y_anchor: Length,
    /// Width of the box.
    pub width: Size,
    /// Height of the box.
    pub height: Size,
    /// Width over height for an automatic axis, instead of the source's.
    pub aspect_ratio: Option<f64>,
    /// How the picture fills the box.
    pub fit: Fit,
    /// Clockwise about the anchor, in degrees.
    pub z_rotation: f64,
    /// 0–1.
    pub opacity: f64,
    /// Higher lies above.
    pub z_index: i32,
}

/// A length along one canvas (or box) axis.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum Length {
    /// Pixels.
    Px(f64),
    /// Percent of the axis: 50.0 is the middle.
    Percent(f64),
}

/// A length, or what the content asks for.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum Size {
    /// Given.
    Length(Length),
    /// From the other axis and the aspect ratio; on text's height, from its lines.
    Auto,
}

/// How a picture fills its box.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fit {
    /// Fills it, cropped, aspect kept.
    Cover,
    /// Whole within it, aspect kept.
    Contain,
    /// Stretched to it.
    Fill,
}

/// What is written, and how.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TextStyle {
    /// The text; `\n` breaks lines.
    pub text: String,
    /// Family asked for.
    pub family: String,
    /// A font file to use instead.
    pub font_url: Option<String>,
    /// Pixels per em.
    pub size: f64,
    /// 100–900, with `bold` already counted in.
    pub weight: u16,
    /// Slanted.
    pub italic: bool,
    /// Colour of the fill.
    pub color: Rgba,
    /// Across.
    pub align: TextAlign,
    /// Down.
    pub vertical_align: VerticalAlign,
    /// Line height over font size.
    pub leading: f64,
    /// Whether long lines are broken to the box's width.
    pub wrap: bool,
}

/// Alignment of lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum TextAlign {
    /// Flush left.
    Left,
    /// Centred.
    Center,
    /// Flush right.
    Right,
}

/// Alignment of the block of lines in its box.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum VerticalAlign {
    /// At the top.
    Top,
    /// In the middle.
    Middle,
    /// At the bottom.
    Bottom,
}
