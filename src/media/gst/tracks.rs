//! From a file to its first picture and sound tracks: source, demuxer, and whatever is attached
//! to the pads that appear. What is attached is the caller's.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use gstreamer as gst;
use gstreamer::prelude::*;

use super::super::MediaError;
use super::init::element;
use super::sniff::Container;

/// What a track carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Pictures.
    Video,
    /// Sound.
    Audio,
}

/// What went wrong while tracks were attached, on the library's threads.
#[derive(Debug, Clone, Default)]
pub(super) struct Faults(Arc<Mutex<Option<MediaError>>>);

impl Faults {
    /// Takes the first fault, if there was one.
    pub(super) fn take(&self) -> Option<MediaError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn record(&self, error: MediaError) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get_or_insert(error);
    }
}

/// Puts source and demuxer into `pipeline`. For the first track of each kind `attach` makes what
/// follows and returns its first element, or nothing if the track is not wanted.
pub(super) fn demux(
    pipeline: &gst::Pipeline,
    file: &Path,
    container: Container,
    attach: impl Fn(Kind, &gst::Caps, &gst::Pad) -> Result<Option<gst::Element>, MediaError>
    + Send
    + Sync
    + 'static,
) -> Result<Faults, MediaError> {
    let source = element("filesrc")?;
    source.set_property("location", location(file)?);
    let demuxer = element(container.demuxer())?;
    add(pipeline, &[&source, &demuxer])?;
    link(&[&source, &demuxer])?;
    let faults = Faults::default();
    if let Some(caps) = container.bare() {
        let caps: gst::Caps = caps
            .parse()
            .map_err(|_| MediaError::Engine("fixed caps do not parse".into()))?;
        let pad = demuxer
            .static_pad("src")
            .ok_or_else(|| MediaError::Engine("a parser has no output".into()))?;
        connect(&pad, attach(Kind::Audio, &caps, &pad)?)?;
        return Ok(faults);
    }
    let seen = Mutex::new(Vec::new());
    let reported = faults.clone();
    demuxer.connect_pad_added(move |_, pad| {
        let caps = pad.current_caps().unwrap_or_else(|| pad.query_caps(None));
        let Some(kind) = kind_of(&caps) else { return };
        let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.contains(&kind) {
            return;
        }
        seen.push(kind);
        let attached = attach(kind, &caps, pad).and_then(|head| connect(pad, head));
        if let Err(error) = attached {
            reported.record(error);
        }
    });
    Ok(faults)
}

fn kind_of(caps: &gst::CapsRef) -> Option<Kind> {
    let name = caps.structure(0)?.name();
    if name.starts_with("video/") || name.starts_with("image/") {
        Some(Kind::Video)
    } else if name.starts_with("audio/") {
        Some(Kind::Audio)
    } else {
        None
    }
}

fn connect(pad: &gst::Pad, head: Option<gst::Element>) -> Result<(), MediaError> {
    let Some(head) = head else { return Ok(()) };
    let sink = head
        .static_pad("sink")
        .ok_or_else(|| MediaError::Engine("an element has no input".into()))?;
    pad.link(&sink)
        .map_err(|error| MediaError::Unsupported(format!("a track cannot be read: {error}")))?;
    Ok(())
}

/// Puts `elements` between a new pad and `tail`, which is in the pipeline already, and brings
/// them to the pipeline's state; returns the first.
///
/// A sink that joined only now would let the pipeline count as ready, and itself as ended, before
/// anything reached it.
pub(super) fn chain(
    pipeline: &gst::Pipeline,
    elements: &[gst::Element],
    tail: &gst::Element,
) -> Result<Option<gst::Element>, MediaError> {
    let middle: Vec<&gst::Element> = elements.iter().collect();
    add(pipeline, &middle)?;
    let whole: Vec<&gst::Element> = elements.iter().chain([tail]).collect();
    link(&whole)?;
    for element in elements.iter().rev() {
        element
            .sync_state_with_parent()
            .map_err(|error| MediaError::Engine(error.to_string()))?;
    }
    Ok(whole.first().copied().cloned())
}

/// Adds elements to a pipeline.
pub(super) fn add(pipeline: &gst::Pipeline, elements: &[&gst::Element]) -> Result<(), MediaError> {
    pipeline
        .add_many(elements.iter().copied())
        .map_err(|error| MediaError::Engine(error.to_string()))
}

/// Links elements in order.
pub(super) fn link(elements: &[&gst::Element]) -> Result<(), MediaError> {
    if elements.len() < 2 {
        return Ok(());
    }
    gst::Element::link_many(elements.iter().copied())
        .map_err(|error| MediaError::Engine(error.to_string()))
}

/// A path as the library takes it.
pub(super) fn location(file: &Path) -> Result<&str, MediaError> {
    file.to_str().ok_or_else(|| {
        std::io::Error::new(std::io::ErrorKind::InvalidInput, "a path is not unicode").into()
    })
}
