//! Pictures of a source by index. Which picture came out of the decoder is known by the rank its
//! packet was given, or by counting where the container has no presentation times.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::super::bitstream::Entry;
use super::super::container::{Description, Input, Packets, Track};
use super::super::{Frame, FrameSource, MediaError};
use super::develop::Development;
use super::opened::{Opened, Pictured, entry};
use super::packets::{Feeding, Part};
use super::pictures::Decoded;
use super::probe::development;
use super::stream::Stream;

/// Decoding on to a picture further ahead than this many packets is dearer than beginning anew
/// at its keyframe.
const WORTH_SEEKING: usize = 12;
/// How often decoding begins one keyframe earlier when a picture did not come.
const EARLIER: usize = 3;

/// Reads one video file.
pub(super) struct VideoReader {
    file: PathBuf,
    opened: Arc<Opened>,
    pictured: Arc<Pictured>,
    track: usize,
    development: Development,
    packets: Packets,
    stall: Duration,
    stream: Option<Running>,
    /// The newest picture taken from the decoder.
    latest: Option<Decoded>,
    /// The picture before `latest`, in case the wanted one never comes.
    before: Option<Decoded>,
    given: Option<(u64, Frame)>,
    /// The picture given last is damaged or another's.
    is_damaged: bool,
}

/// A decoder under way.
struct Running {
    stream: Stream,
    /// The packet it began at.
    from: usize,
    /// The next packet whose picture is expected, where pictures are counted.
    counted: u64,
    ended: bool,
}

impl VideoReader {
    /// Opens a file; the first picture wanted is `first`.
    pub(super) fn open(file: &Path, first: u64, stall: Duration) -> Result<Self, MediaError> {
        let opened = Opened::of(file)?;
        let pictured = opened.pictured(file)?;
        let (track, _) = opened
            .video_track()
            .ok_or_else(|| MediaError::Invalid("it has no picture track".into()))?;
        let contents = Arc::clone(&opened.contents);
        let described = contents
            .tracks
            .get(track)
            .ok_or_else(|| MediaError::Engine("a track is gone".into()))?;
        let (development, _) = development(file, described, &pictured, u64::MAX)?;
        let mut reader = Self {
            file: file.to_owned(),
            pictured,
            track,
            development,
            packets: Packets::new(Input::open(file)?),
            opened,
            stall,
            stream: None,
            latest: None,
            before: None,
            given: None,
            is_damaged: false,
        };
        let packet = reader.packet_of(first)?;
        let from = reader.entry_for(packet, 0)?;
        reader.begin(from)?;
        Ok(reader)
    }

    fn track(&self) -> Result<&Track, MediaError> {
        self.opened
            .contents
            .tracks
            .get(self.track)
            .ok_or_else(|| MediaError::Engine("a track is gone".into()))
    }

    fn packet_of(&self, index: u64) -> Result<usize, MediaError> {
        usize::try_from(index)
            .ok()
            .and_then(|index| self.pictured.shown.packets.get(index))
            .map(|&packet| packet as usize)
            .ok_or_else(|| MediaError::Invalid(format!("there is no frame {index}")))
    }

    /// What a packet's picture is known by: its rank, or its number among those shown.
    fn mark(&self, packet: usize, index: u64) -> u64 {
        match &self.pictured.ranks {
            Some(ranks) => ranks.get(packet).copied().unwrap_or(u32::MAX).into(),
            None => index,
        }
    }

    /// The packet at which decoding must begin for `packet` to be right; `earlier` keyframes
    /// before it to be safe.
    fn entry_for(&mut self, packet: usize, earlier: usize) -> Result<usize, MediaError> {
        let contents = Arc::clone(&self.opened.contents);
        let Some(track) = contents.tracks.get(self.track) else {
            return Ok(0);
        };
        let wanted = track.packets.get(packet).map(|packet| packet.pts);
        let sync_before = |end: usize| {
            track
                .packets
                .get(..end)?
                .iter()
                .rposition(|packet| packet.flags.is_sync)
        };
        let mut found = sync_before(packet + 1);
        let mut more = earlier;
        while let Some(at) = found {
            let here = track.packets.get(at).map(|packet| packet.pts);
            let is_right = match entry(&mut self.packets, track, at)? {
                Entry::Closed => true,
                // Shown before the picture that opens the group: leans on the group before.
                Entry::Open => at == packet || wanted >= here,
                Entry::Gradual(frames) => {
                    packet >= at.saturating_add(usize::try_from(frames).unwrap_or(usize::MAX))
                }
                Entry::None => false,
            };
            if is_right && more == 0 {
                return Ok(at);
            }
            more = more.saturating_sub(usize::from(is_right));
            match sync_before(at) {
                Some(before) => found = Some(before),
                None => return Ok(at),
            }
        }
        Ok(0)
    }

    /// Starts decoding at a packet.
    fn begin(&mut self, from: usize) -> Result<(), MediaError> {
        self.stream = None;
        (self.latest, self.before) = (None, None);
        let description = self.description(from)?.clone();
        let feeding = Feeding {
            contents: Arc::clone(&self.opened.contents),
            track: self.track,
            ranks: self.pictured.ranks.clone(),
            from,
            part: Part::Picture,
        };
        let counted = (self.pictured.shown.packets)
            .partition_point(|&packet| (packet as usize) < from) as u64;
        let contents = Arc::clone(&self.opened.contents);
        let is_open = match contents.tracks.get(self.track) {
            Some(track) => entry(&mut self.packets, track, from)? == Entry::Open,
            None => false,
        };
        let stream = Stream::open(&self.file, feeding, &description, is_open, self.stall)?;
        self.stream = Some(Running {
            stream,
            from,
            counted,
            ended: false,
        });
        Ok(())
    }

    fn description(&self, packet: usize) -> Result<&Description, MediaError> {
        let track = self.track()?;
        let description = track.packets.get(packet).map_or(0, |one| one.description);
        track
            .descriptions
            .get(usize::from(description))
            .ok_or_else(|| MediaError::Invalid("its picture track has no description".into()))
    }

    /// Takes one more picture from the decoder; false at its end.
    fn advance(&mut self) -> Result<bool, MediaError> {
        let is_ranked = self.pictured.ranks.is_some();
        let Some(running) = self.stream.as_mut().filter(|running| !running.ended) else {
            return Ok(false);
        };
        let next = match running.stream.next() {
            Ok(next) => next,
            // Damage ends the stream; what was decoded before it stays usable.
            Err(MediaError::Invalid(reason)) if self.latest.is_some() => {
                tracing::warn!(reason, "source damaged, last picture held");
                None
            }
            Err(error) => return Err(error),
        };
        let Some(mut picture) = next else {
            running.ended = true;
            return Ok(false);
        };
        if !is_ranked {
            picture.rank = running.counted;
        }
        running.counted += 1;
        self.before = self.latest.take();
        self.latest = Some(picture);
        Ok(true)
    }

    /// Whether decoding on reaches `packet` without detour.
    fn is_ahead(&mut self, packet: usize, mark: u64) -> Result<bool, MediaError> {
        let Some(running) = &self.stream else {
            return Ok(false);
        };
        let (from, ended) = (running.from, running.ended);
        let newest = self.latest.as_ref().map(|picture| picture.rank);
        if packet < from || newest.is_some_and(|rank| rank > mark) || ended {
            return Ok(false);
        }
        // Close enough: ranks and decode order differ by a few packets.
        let position = newest.map_or(from, |rank| usize::try_from(rank).unwrap_or(usize::MAX));
        if packet <= position.saturating_add(WORTH_SEEKING) {
            return Ok(true);
        }
        Ok(self.entry_for(packet, 0)? <= position.saturating_add(WORTH_SEEKING))
    }

    fn picture(&self, mark: u64) -> Option<&Decoded> {
        [&self.latest, &self.before]
            .into_iter()
            .flatten()
            .find(|picture| picture.rank == mark)
    }

    /// The newest picture not after `mark`, or any.
    fn nearest(&self, mark: u64) -> Option<&Decoded> {
        let both = || [&self.latest, &self.before].into_iter().flatten();
        both()
            .find(|picture| picture.rank <= mark)
            .or_else(|| both().last())
    }
}

impl FrameSource for VideoReader {
    fn frame(&mut self, index: u64) -> Result<Frame, MediaError> {
        if let Some((given, frame)) = &self.given
            && *given == index
        {
            return Ok(frame.clone());
        }
        let packet = self.packet_of(index)?;
        let mark = self.mark(packet, index);
        if self.picture(mark).is_none() && !self.is_ahead(packet, mark)? {
            let from = self.entry_for(packet, 0)?;
            self.begin(from)?;
        }
        let mut earlier = 0;
        loop {
            if let Some(picture) = self.picture(mark).cloned() {
                let frame = self.development.frame(&picture)?;
                self.is_damaged = picture.is_damaged;
                self.given = Some((index, frame.clone()));
                return Ok(frame);
            }
            let is_past = self
                .latest
                .as_ref()
                .is_some_and(|picture| picture.rank > mark);
            if !is_past && self.advance()? {
                continue;
            }
            // It did not come: once more from before, then the picture ahead of it stays.
            let from = self.stream.as_ref().map_or(0, |running| running.from);
            let again = self.entry_for(packet, earlier + 1)?;
            if earlier < EARLIER && again < from {
                earlier += 1;
                self.begin(again)?;
                continue;
            }
            let Some(picture) = self.nearest(mark).cloned() else {
                return Err(MediaError::Invalid(format!(
                    "no picture could be decoded up to frame {index}"
                )));
            };
            tracing::warn!(
                frame = index,
                "a picture could not be decoded, another stays"
            );
            let frame = self.development.frame(&picture)?;
            self.is_damaged = true;
            self.given = Some((index, frame.clone()));
            return Ok(frame);
        }
    }

    fn is_damaged(&self) -> bool {
        self.is_damaged
    }
}
