//! Decoding errors that libavcodec only logs: most of its decoders hide damage as well as they can
//! and give the picture without a flag. Its log goes through `GStreamer`'s, on the thread that
//! decodes, and names no decoder; who decodes there is noted before each packet.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use gstreamer as gst;
use gstreamer::prelude::*;

use super::packets::rank_of;

/// Category that libavcodec's log appears in.
const CATEGORY: &str = "libav";
/// Parts of what is logged of damage; other errors are of streams that begin amid a group.
const DAMAGE: [&str; 17] = [
    "error while decoding",
    "concealing",
    "damaged",
    "error at mb",
    "bad vlc",
    "error dc",
    "error y=",
    "error count",
    "overread",
    "invalid plane data",
    "crc mismatch",
    "slice mismatch",
    "mismatching checksum",
    "invalid mb type",
    "skipped mb in i-frame",
    // H.265.
    "cabac_max_bin",
    "outside the valid range",
];
/// Ranks that are kept of one decoder.
const MOST: usize = 100_000;

/// Ranks of packets in which a decoder found errors.
#[derive(Debug, Default)]
pub(super) struct DecodeErrors {
    ranks: Mutex<BTreeSet<u64>>,
    /// Rank of the packet that it was given last.
    given: AtomicU64,
}

thread_local! {
    /// The decoder that is given a packet on this thread.
    static DECODING: RefCell<Option<Arc<DecodeErrors>>> = const { RefCell::new(None) };
}

/// Decoders that decode on threads of their own.
static THREADED: Mutex<Vec<Weak<DecodeErrors>>> = Mutex::new(Vec::new());

impl DecodeErrors {
    /// Notes the errors of a decoder from now on.
    pub(super) fn of(decoder: &gst::Element) -> Arc<Self> {
        listen();
        let errors = Arc::new(Self::default());
        let is_threaded = decoder.find_property("max-threads").is_some()
            && decoder.property::<i32>("max-threads") != 1;
        if is_threaded {
            let mut threaded = THREADED.lock().unwrap_or_else(PoisonError::into_inner);
            threaded.retain(|one| one.strong_count() > 0);
            threaded.push(Arc::downgrade(&errors));
        }
        if let Some(pad) = decoder.static_pad("sink") {
            let given = Arc::clone(&errors);
            pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
                if let Some(time) = info.buffer().and_then(|buffer| buffer.pts()) {
                    given.given.store(rank_of(time), Ordering::Relaxed);
                }
                let now = Some(Arc::clone(&given));
                drop(DECODING.try_with(|decoding| decoding.replace(now)));
                gst::PadProbeReturn::Ok
            });
        }
        errors
    }

    /// Whether errors were found in the packet of a rank.
    pub(super) fn contains(&self, rank: u64) -> bool {
        let ranks = self.ranks.lock().unwrap_or_else(PoisonError::into_inner);
        ranks.contains(&rank)
    }

    fn note(&self) {
        let mut ranks = self.ranks.lock().unwrap_or_else(PoisonError::into_inner);
        if ranks.len() < MOST {
            ranks.insert(self.given.load(Ordering::Relaxed));
        }
    }
}

/// Has the library's log read, once for the process. Its category exists from when the first of its
/// elements is made: a decoder of another library may come before.
fn listen() {
    static IS_LISTENING: Mutex<bool> = Mutex::new(false);
    let mut is_listening = IS_LISTENING.lock().unwrap_or_else(PoisonError::into_inner);
    if *is_listening {
        return;
    }
    let Some(category) = gst::DebugCategory::get(CATEGORY) else {
        return;
    };
    *is_listening = true;
    // If a log was requested, it stays.
    if std::env::var_os("GST_DEBUG").is_none() {
        gst::log::remove_default_log_function();
    }
    // Concealed damage is logged at the level of information.
    if category.threshold() < gst::DebugLevel::Info {
        category.set_threshold(gst::DebugLevel::Info);
    }
    gst::log::set_active(true);
    gst::log::add_log_function(move |from, level, _, _, _, _, message| {
        if from != category || level > gst::DebugLevel::Info {
            return;
        }
        if message.get().is_some_and(|text| is_damage(&text)) {
            note();
        }
    });
}

fn is_damage(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    DAMAGE.iter().any(|part| text.contains(part))
}

fn note() {
    // The library may log while a thread ends, when its values are gone already.
    let decoding = DECODING.try_with(|decoding| decoding.try_borrow().ok()?.clone());
    let is_known = decoding.ok().flatten().is_some_and(|errors| {
        errors.note();
        true
    });
    if is_known {
        return;
    }
    // On a thread of the library's own: of any of those that have some.
    let threaded = THREADED.lock().unwrap_or_else(PoisonError::into_inner);
    for errors in threaded.iter().filter_map(Weak::upgrade) {
        errors.note();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damage_is_distinguished_from_what_a_stream_that_begins_amid_a_group_logs() {
        for text in [
            "error while decoding MB 6 14, bytestream -18",
            "concealing 299 DC, 299 AC, 299 MV errors in P frame",
            "ac tex damaged 512, 512",
            "Error at MB: 11",
            "CABAC_MAX_BIN : 7",
            "The cu_qp_delta 41 is outside the valid range [-26, 25].",
        ] {
            assert!(is_damage(text), "{text}");
        }
        for text in [
            "mmco: unref short failure",
            "co located POCs unavailable",
            "Could not find ref with POC 12",
        ] {
            assert!(!is_damage(text), "{text}");
        }
    }
}
