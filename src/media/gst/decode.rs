//! Pictures of a source by index. Which picture came out of the decoder is told by its time,
//! never by counting (except where the container has no presentation times).

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::super::{Frame, FrameSource, FrameTable, MediaError, VideoInfo};
use super::pictures::{Decoded, Pictures, Shape, frame};
use super::sniff::{Container, sniff};

/// A jump that crosses a keyframe is only worth a seek beyond this many frames.
const WORTH_SEEKING: u64 = 12;

/// Reads one video file.
pub(super) struct VideoReader {
    file: PathBuf,
    container: Container,
    info: VideoInfo,
    stall: Duration,
    pictures: Option<Pictures>,
    /// Index of the next picture the decoder hands out, as far as known.
    position: u64,
    /// The newest picture taken from the decoder, not yet known to be too new.
    latest: Option<(u64, Decoded)>,
    /// The newest picture before `latest`, in case the wanted one never comes.
    before: Option<(u64, Decoded)>,
    given: Option<(u64, Frame)>,
    ended: bool,
}

impl VideoReader {
    /// Opens a file whose index is known; the first picture wanted is `first`.
    pub(super) fn open(
        file: &Path,
        info: &VideoInfo,
        first: u64,
        stall: Duration,
    ) -> Result<Self, MediaError> {
        let mut reader = Self {
            file: file.to_owned(),
            container: sniff(file)?,
            info: info.clone(),
            stall,
            pictures: None,
            position: 0,
            latest: None,
            before: None,
            given: None,
            ended: false,
        };
        reader.begin(reader.keyframe_before(first))?;
        Ok(reader)
    }

    fn keyframe_before(&self, index: u64) -> u64 {
        let keyframes = &self.info.frames.keyframes;
        let after = keyframes.partition_point(|&keyframe| keyframe <= index);
        after
            .checked_sub(1)
            .and_then(|at| keyframes.get(at).copied())
            .unwrap_or(0)
    }

    /// Starts decoding at a keyframe.
    fn begin(&mut self, keyframe: u64) -> Result<(), MediaError> {
        let shape = if self.info.plain {
            Shape::Plain
        } else {
            Shape::Upright {
                rotation: self.info.rotation,
                mirrored: self.info.mirrored,
            }
        };
        let pictures = match self.pictures.take() {
            // A pipeline that reached its end is not trusted to go on.
            Some(pictures) if !self.ended && keyframe > 0 => pictures,
            _ => Pictures::open(&self.file, self.container, shape, self.stall)?,
        };
        let sought = keyframe > 0 && self.container.seekable();
        // Half a frame in: rounding anywhere on the way does not lead to the frame before.
        let target = sought.then(|| middle(&self.info.frames, keyframe));
        let pictures = if pictures.run_from(target)? {
            pictures
        } else {
            let fresh = Pictures::open(&self.file, self.container, shape, self.stall)?;
            fresh.run_from(None)?;
            fresh
        };
        self.pictures = Some(pictures);
        self.position = if sought { keyframe } else { 0 };
        (self.latest, self.before, self.ended) = (None, None, false);
        Ok(())
    }

    /// Takes one more picture from the decoder.
    fn advance(&mut self) -> Result<(), MediaError> {
        let Some(pictures) = &self.pictures else {
            self.ended = true;
            return Ok(());
        };
        let next = match pictures.next() {
            Ok(next) => next,
            // Damage ends the stream; what was decoded before it stays usable.
            Err(MediaError::Invalid(reason)) if self.latest.is_some() => {
                tracing::warn!(
                    reason,
                    frame = self.position,
                    "source damaged, last picture held"
                );
                None
            }
            Err(error) => return Err(error),
        };
        let Some(sample) = next else {
            self.ended = true;
            return Ok(());
        };
        let index = if self.container == Container::Avi {
            self.position
        } else {
            match sample
                .time
                .and_then(|time| index_at(&self.info.frames, time))
            {
                Some(index) => index,
                // Not in the table (cut off by an edit list): nobody asks for it.
                None => return Ok(()),
            }
        };
        self.position = index + 1;
        self.before = self.latest.take();
        self.latest = Some((index, sample));
        Ok(())
    }

    fn seek_if_worthwhile(&mut self, index: u64) -> Result<(), MediaError> {
        let keyframe = self.keyframe_before(index);
        let behind = self.given.as_ref().is_some_and(|(given, _)| *given > index);
        let held = self.latest.as_ref().is_some_and(|(held, _)| *held >= index);
        if behind {
            self.given = None;
            self.ended = true;
            self.begin(keyframe)
        } else if !held
            && !self.ended
            && self.container.seekable()
            && keyframe > self.position + WORTH_SEEKING
        {
            self.begin(keyframe)
        } else {
            Ok(())
        }
    }
}

impl FrameSource for VideoReader {
    fn frame(&mut self, index: u64) -> Result<Frame, MediaError> {
        if let Some((given, frame)) = &self.given
            && *given == index
        {
            return Ok(frame.clone());
        }
        if index >= self.info.frames.pts.len() as u64 {
            return Err(MediaError::Invalid(format!("there is no frame {index}")));
        }
        self.seek_if_worthwhile(index)?;
        let mut restarted = false;
        loop {
            match &self.latest {
                Some((held, _)) if *held >= index => {}
                _ if !self.ended => {
                    self.advance()?;
                    continue;
                }
                _ => {}
            }
            let fits = |held: &&(u64, Decoded)| held.0 <= index;
            let best = self
                .latest
                .as_ref()
                .filter(fits)
                .or_else(|| self.before.as_ref().filter(fits));
            if let Some((_, sample)) = best {
                let picture = frame(sample, self.info.color)?;
                self.given = Some((index, picture.clone()));
                return Ok(picture);
            }
            // The seek came out too late, or nothing came out at all: once more from the start.
            if restarted {
                return Err(MediaError::Invalid(format!(
                    "no picture could be decoded up to frame {index}"
                )));
            }
            restarted = true;
            self.ended = true;
            self.begin(0)?;
        }
    }
}

/// A time well inside a frame.
fn middle(table: &FrameTable, index: u64) -> i64 {
    let at = usize::try_from(index).unwrap_or(usize::MAX);
    let start = table.pts.get(at).copied().unwrap_or(0);
    let end = table.pts.get(at + 1).copied().unwrap_or(table.end);
    start + (end - start) / 2
}

/// The frame whose time is nearest, if it is near.
fn index_at(table: &FrameTable, time: i64) -> Option<u64> {
    let after = table.pts.partition_point(|&pts| pts < time);
    let distance = |at: usize| table.pts.get(at).map(|pts| (pts - time).abs());
    let nearest = match (after.checked_sub(1), distance(after)) {
        (Some(before), Some(right)) if distance(before)? <= right => before,
        (Some(before), None) => before,
        (_, Some(_)) => after,
        (None, None) => return None,
    };
    let gap = |at: usize| Some(table.pts.get(at + 1)? - table.pts.get(at)?);
    let near = [nearest.checked_sub(1).and_then(gap), gap(nearest)]
        .into_iter()
        .flatten()
        .min()
        .unwrap_or(table.end - table.pts.first()?)
        / 2;
    (distance(nearest)? <= near.max(table.tolerance)).then_some(nearest as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_belongs_to_the_nearest_frame_within_half_a_frame() {
        let table = FrameTable {
            pts: vec![0, 100_000_000, 140_000_000, 180_000_000],
            keyframes: vec![0],
            end: 220_000_000,
            tolerance: 500_000,
        };
        let cases = [
            (0, Some(0)),
            (49_000_000, Some(0)),
            (100_400_000, Some(1)),
            (119_000_000, Some(1)),
            (121_000_000, Some(2)),
            (199_000_000, Some(3)),
            (260_000_000, None),
            (-60_000_000, None),
        ];
        for (time, expected) in cases {
            assert_eq!(index_at(&table, time), expected, "{time}");
        }
    }
}
