//! Files taken apart, kept for a while: an element's decoder is opened many times over a render,
//! and a long film's tables cost tenths of a second each time.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::super::MediaError;
use super::super::bitstream::{self, Entry};
use super::super::container::{self, Contents, Input, Packets, Track, TrackKind};
use super::super::presentation::{self, Moment, Order, Presentation};

/// Packets that kept files may hold together; the newest is kept whatever it holds.
const PACKETS_KEPT: usize = 2_000_000;

/// One file taken apart.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) contents: Arc<Contents>,
    /// The file's time 0.
    pub(super) origin: Moment,
    /// The picture track that is shown.
    pub(super) video: Option<usize>,
    pictures: OnceLock<Result<Arc<Pictured>, Refusal>>,
}

/// What of the picture track is shown.
#[derive(Debug)]
pub(super) struct Pictured {
    pub(super) shown: Presentation,
    pub(super) ranks: Option<Arc<Vec<u32>>>,
}

/// A [`MediaError`] that can be given more than once.
#[derive(Debug, Clone)]
enum Refusal {
    Invalid(String),
    Unsupported(String),
}

impl From<Refusal> for MediaError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Invalid(why) => Self::Invalid(why),
            Refusal::Unsupported(why) => Self::Unsupported(why),
        }
    }
}

/// Identifies a file, as long as it is not written to.
type Key = (u64, u64, u64, i64, i64);

static KEPT: Mutex<Vec<(Key, Arc<Opened>)>> = Mutex::new(Vec::new());

impl Opened {
    /// Takes a file apart, or gives what was made of it before.
    pub(super) fn of(file: &Path) -> Result<Arc<Self>, MediaError> {
        let about = fs::metadata(file)?;
        let key = (
            about.dev(),
            about.ino(),
            about.len(),
            about.mtime(),
            about.mtime_nsec(),
        );
        {
            let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(at) = kept.iter().position(|(known, _)| *known == key) {
                // To the end: what is used stays.
                let found = kept.remove(at);
                let opened = Arc::clone(&found.1);
                kept.push(found);
                return Ok(opened);
            }
        }
        let contents = container::read(file)?;
        let opened = Arc::new(Self {
            origin: presentation::origin(&contents),
            video: shown_track(&contents),
            contents: Arc::new(contents),
            pictures: OnceLock::new(),
        });
        let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
        kept.push((key, Arc::clone(&opened)));
        let mut total: usize = kept.iter().map(|(_, one)| one.packets()).sum();
        while kept.len() > 1 && total > PACKETS_KEPT {
            total -= kept.remove(0).1.packets();
        }
        Ok(opened)
    }

    fn packets(&self) -> usize {
        let tracks = self.contents.tracks.iter();
        tracks.map(|track| track.packets.len()).sum()
    }

    /// The picture track and its place.
    pub(super) fn video_track(&self) -> Option<(usize, &Track)> {
        let index = self.video?;
        Some((index, self.contents.tracks.get(index)?))
    }

    /// What of the picture track is shown; `file` is the one this was made of.
    pub(super) fn pictured(&self, file: &Path) -> Result<Arc<Pictured>, MediaError> {
        let Some((_, track)) = self.video_track() else {
            return Err(MediaError::Invalid("it has no picture track".into()));
        };
        if let Some(known) = self.pictures.get() {
            return known.clone().map_err(MediaError::from);
        }
        let first = track
            .packets
            .iter()
            .position(|packet| packet.flags.is_sync)
            .unwrap_or(0);
        let mut packets = Packets::new(Input::open(file)?);
        let is_open = entry(&mut packets, track, first)? == Entry::Open;
        let made = match presentation::present(track, self.origin, is_open) {
            Ok(shown) => {
                let ranks = match &shown.order {
                    Order::Ranked(ranks) => Some(Arc::new(ranks.clone())),
                    Order::Counted => None,
                };
                Ok(Arc::new(Pictured { shown, ranks }))
            }
            Err(MediaError::Unsupported(why)) => Err(Refusal::Unsupported(why)),
            Err(error) => Err(Refusal::Invalid(match error {
                MediaError::Invalid(why) => why,
                other => other.to_string(),
            })),
        };
        self.pictures
            .get_or_init(|| made)
            .clone()
            .map_err(MediaError::from)
    }
}

/// The picture track that is shown: an enabled one that is flagged default, else an enabled one,
/// else the first.
fn shown_track(contents: &Contents) -> Option<usize> {
    let with = |wanted: &dyn Fn(&Track) -> bool| {
        contents.tracks.iter().position(|track| {
            track.kind == TrackKind::Video && !track.packets.is_empty() && wanted(track)
        })
    };
    with(&|track| track.is_enabled && track.is_default)
        .or_else(|| with(&|track| track.is_enabled))
        .or_else(|| with(&|_| true))
}

/// What decoding from packet `index` on gives.
pub(super) fn entry(
    packets: &mut Packets,
    track: &Track,
    index: usize,
) -> Result<Entry, MediaError> {
    let Some(packet) = track.packets.get(index) else {
        return Ok(Entry::None);
    };
    let Some(description) = track.descriptions.get(usize::from(packet.description)) else {
        return Ok(Entry::None);
    };
    if description.codec.is_intra_only() {
        return Ok(Entry::Closed);
    }
    let mut bytes = Vec::new();
    packets.read(track, packet, &mut bytes)?;
    let found = bitstream::entry(&description.codec, &description.config, &bytes);
    Ok(match found {
        // The container marks it: a picture that stands alone, which pictures shown before it
        // may lean across.
        Entry::None if packet.flags.is_sync => Entry::Open,
        found => found,
    })
}
