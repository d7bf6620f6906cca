//! Starting `GStreamer` once, and which of its elements are here.

use std::sync::OnceLock;

use gstreamer as gst;

use super::super::MediaError;

/// Elements without which nothing works. Decoders of single codecs are not among them.
const REQUIRED: [&str; 23] = [
    "filesrc",
    "filesink",
    "appsrc",
    "appsink",
    "capsfilter",
    "concat",
    "qtdemux",
    "mp4mux",
    "matroskademux",
    "wavparse",
    "oggdemux",
    "id3demux",
    "h264parse",
    "aacparse",
    "mpegaudioparse",
    "avdec_h264",
    "avdec_aac",
    "x264enc",
    "avenc_aac",
    "videoconvert",
    "videoflip",
    "audioconvert",
    "audioresample",
];

/// Starts the library; later calls only repeat the first answer.
pub(super) fn ready() -> Result<(), MediaError> {
    static STARTED: OnceLock<Result<(), String>> = OnceLock::new();
    STARTED
        .get_or_init(|| gst::init().map_err(|error| error.to_string()))
        .clone()
        .map_err(MediaError::Engine)
}

/// The required elements that this installation lacks.
pub(super) fn missing() -> Vec<&'static str> {
    if ready().is_err() {
        return REQUIRED.to_vec();
    }
    REQUIRED
        .into_iter()
        .filter(|name| gst::ElementFactory::find(name).is_none())
        .collect()
}

/// A new element of the named kind.
pub(super) fn element(name: &'static str) -> Result<gst::Element, MediaError> {
    gst::ElementFactory::make(name)
        .build()
        .map_err(|_| MediaError::MissingElement(name))
}

/// Names and versions of what can change pixels or bytes.
pub(super) fn versions() -> String {
    let registry = gst::Registry::get();
    let mut parts = vec![gst::version_string().to_string()];
    for name in [
        "libav",
        "x264",
        "videoconvertscale",
        "audioresample",
        "vpx",
        "mpg123",
        "opus",
    ] {
        if let Some(plugin) = registry.find_plugin(name) {
            parts.push(format!("{name} {}", plugin.version()));
        }
    }
    parts.join("; ")
}
