//! Ordered editions (RFC 9559 §20.2): chapters that play one behind another, each from its start to
//! its end, instead of the whole file. They correspond to an edit list of MP4.

use super::super::{Clock, Edit, Track, TrackKind};
use super::ebml::{child, children, unsigned};
use crate::media::MediaError;

const EDITION: u32 = 0x45b9;
const ORDERED: u32 = 0x45dd;
const DEFAULT: u32 = 0x45db;
const CHAPTER: u32 = 0xb6;
const START: u32 = 0x91;
const END: u32 = 0x92;
const ENABLED: u32 = 0x4598;
/// The segment of another file that a chapter plays.
const SEGMENT: u32 = 0x6e67;
/// Chapters that are played.
const MOST: usize = 10_000;
/// 1.0 as 16.16 fixed point.
const NORMAL_RATE: i32 = 0x1_0000;
/// Chapters count nanoseconds.
const CLOCK: Clock = Clock::hertz(1_000_000_000);

/// A part of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Chapter {
    /// Nanoseconds.
    start: i64,
    /// Nanoseconds; `None`: to the end.
    length: Option<u64>,
}

/// The chapters of the edition that plays, if that is an ordered one: the one flagged default, else
/// the first.
///
/// # Errors
/// [`MediaError::Unsupported`] where one plays another file.
pub(super) fn ordered(body: &[u8]) -> Result<Option<Vec<Chapter>>, MediaError> {
    let flag = |body: &[u8], id: u32| child(body, id).and_then(unsigned);
    let editions = || children(body).filter(|(id, _)| *id == EDITION);
    let default = editions().find(|(_, body)| flag(body, DEFAULT) == Some(1));
    let played = default.or_else(|| editions().next());
    let Some((_, edition)) = played.filter(|(_, body)| flag(body, ORDERED) == Some(1)) else {
        return Ok(None);
    };
    let mut found = Vec::new();
    for (_, chapter) in children(edition)
        .filter(|(id, _)| *id == CHAPTER)
        .take(MOST)
    {
        if flag(chapter, ENABLED) == Some(0) {
            continue;
        }
        if child(chapter, SEGMENT).is_some() {
            return Err(MediaError::Unsupported(
                "ordered chapters that play another file".into(),
            ));
        }
        let nanos = |id: u32| flag(chapter, id).and_then(|time| i64::try_from(time).ok());
        let start = nanos(START).unwrap_or(0);
        let length = nanos(END).map(|end| u64::try_from(end - start).unwrap_or(0));
        found.push(Chapter { start, length });
    }
    Ok((!found.is_empty()).then_some(found))
}

/// Makes every track play the chapters.
pub(super) fn apply(chapters: &[Chapter], tracks: &mut [Track]) {
    for track in tracks.iter_mut().filter(|one| one.kind != TrackKind::Other) {
        let edits = chapters.iter().map(|chapter| Edit {
            media_time: Some(track.clock.ticks_in(chapter.start)),
            duration: chapter.length,
            clock: CLOCK,
            rate: NORMAL_RATE,
        });
        track.edits = Some(edits.collect());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn element(id: &[u8], body: &[u8]) -> Vec<u8> {
        let size = u8::try_from(body.len()).unwrap() | 0x80;
        [id, &[size], body].concat()
    }

    fn chapter(start: u8, end: u8, more: &[u8]) -> Vec<u8> {
        let times = [element(&[0x91], &[start]), element(&[0x92], &[end])].concat();
        element(&[0xb6], &[&times, more].concat())
    }

    fn edition(flags: &[u8], chapters: &[u8]) -> Vec<u8> {
        element(&[0x45, 0xb9], &[flags, chapters].concat())
    }

    #[test]
    fn chapters_of_an_ordered_edition_play_in_their_order() {
        let is_ordered = element(&[0x45, 0xdd], &[1]);
        let off = element(&[0x45, 0x98], &[0]);
        let list = [
            chapter(20, 30, &[]),
            chapter(5, 6, &off),
            chapter(0, 5, &[]),
        ]
        .concat();
        let found = ordered(&edition(&is_ordered, &list)).unwrap().unwrap();
        let spans: Vec<_> = found.iter().map(|one| (one.start, one.length)).collect();
        assert_eq!(spans, [(20, Some(10)), (0, Some(5))]);
        // Another edition is the default, which is a list of places only.
        let is_default = element(&[0x45, 0xdb], &[1]);
        let plain = edition(&is_default, &chapter(1, 2, &[]));
        let both = [edition(&is_ordered, &list), plain].concat();
        assert_eq!(ordered(&both).unwrap(), None);
    }

    #[test]
    fn chapters_of_other_files_are_refused_by_name() {
        let is_ordered = element(&[0x45, 0xdd], &[1]);
        let other = chapter(0, 5, &element(&[0x6e, 0x67], &[7; 16]));
        let error = ordered(&edition(&is_ordered, &other)).unwrap_err();
        assert!(matches!(error, MediaError::Unsupported(_)), "{error}");
    }
}
