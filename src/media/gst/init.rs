//! Starting `GStreamer` once, and which of its elements are here.

use std::sync::OnceLock;

use gstreamer as gst;
use gstreamer::prelude::*;

use super::super::MediaError;

/// Elements without which nothing works. Decoders of single codecs are not among them.
const REQUIRED: [&str; 17] = [
    "filesrc",
    "filesink",
    "appsrc",
    "appsink",
    "capsfilter",
    "concat",
    "qtdemux",
    "mp4mux",
    "h264parse",
    "aacparse",
    "avdec_h264",
    "avdec_aac",
    "x264enc",
    "avenc_aac",
    "videoconvert",
    "audioconvert",
    "audioresample",
];

/// The other elements that may ever be used: decoders of what is read. Most holes of media
/// libraries are in code for rare formats, so no other element gets any input; a new
/// format needs its line here. Containers are read by this project's own code: of demuxers there
/// is one, for the segments that it wrote itself.
const OPTIONAL: [&str; 32] = [
    "avdec_h265",
    "vp8dec",
    "vp9dec",
    "av1dec",
    "avdec_mpeg2video",
    "avdec_mpeg4",
    "avdec_h263",
    "avdec_mjpeg",
    "avdec_prores",
    "avdec_dnxhd",
    "avdec_qtrle",
    "avdec_ffv1",
    "avdec_huffyuv",
    "theoradec",
    "avdec_mp3float",
    "avdec_mp2float",
    "opusdec",
    "vorbisdec",
    "avdec_flac",
    "avdec_alac",
    "avdec_ac3",
    "avdec_eac3",
    "alawdec",
    "mulawdec",
    "avdec_adpcm_ms",
    "adpcmdec",
    "avdec_adpcm_ima_qt",
    "clocksync",
    "identity",
    "queue",
    "pipeline",
    "bin",
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

/// Removes every element that is not on the list from this process's registry, and all type
/// finders: elements are only plugged by name.
pub(super) fn forget_others() -> Result<(), MediaError> {
    ready()?;
    let registry = gst::Registry::get();
    let others = |feature: &gst::PluginFeature| !is_allowed(&feature.name());
    for kind in [
        gst::ElementFactory::static_type(),
        gst::TypeFindFactory::static_type(),
        gst::DeviceProviderFactory::static_type(),
    ] {
        for feature in registry.features(kind).iter().filter(|one| others(one)) {
            registry.remove_feature(feature);
        }
    }
    Ok(())
}

fn is_allowed(name: &str) -> bool {
    REQUIRED.contains(&name) || OPTIONAL.contains(&name)
}

/// A new element of the named kind, which must be on the list.
pub(super) fn element(name: &'static str) -> Result<gst::Element, MediaError> {
    if !is_allowed(name) {
        return Err(MediaError::Engine(format!(
            "the element `{name}` is not on the list"
        )));
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_reads_other_formats_is_not_on_the_list() {
        for name in [
            "matroskademux",
            "tsdemux",
            "avidemux",
            "asfdemux",
            "rmdemux",
            "flxdec",
            "hlsdemux",
            "decodebin",
            "souphttpsrc",
        ] {
            let refused = element(name).unwrap_err().to_string();
            assert!(refused.contains(name), "{refused}");
        }
    }
}
