//! Putting elements into a pipeline and linking them.

use std::path::Path;

use gstreamer as gst;
use gstreamer::prelude::*;

use super::super::MediaError;

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
