//! What clients should know of how their elements and sources fit together: where less is shown
//! or heard than was asked for, and what was wrong with a source where it is used.

use super::frame_table::{FrameTable, HOLD_NANOS};
use super::span::source_end;
use super::{MediaInfo, Notice, Timeline};
use crate::composition::time::MediaTime;
use crate::composition::{Clip, Element, ElementKind, Warning};

/// Code of tracks that are not used.
const TRACKS: &str = "tracks_ignored";
/// Sound may begin so much later, or end so much earlier, than was asked for.
const AUDIO_SLACK: i64 = HOLD_NANOS;

impl Timeline {
    /// Everything worth a warning once the sources are known.
    pub(super) fn warnings(&self, duration: MediaTime) -> Vec<Warning> {
        let mut warnings = Vec::new();
        let (width, height) = (self.composition.width, self.composition.height);
        if !width.is_multiple_of(2) || !height.is_multiple_of(2) {
            warnings.push(Warning::new(
                "",
                "padded_to_even",
                format!(
                    "{width}x{height} is odd; the file is {}x{}, its last column or row doubled",
                    width.next_multiple_of(2),
                    height.next_multiple_of(2)
                ),
            ));
        }
        for element in self.composition.elements.iter().filter(|e| e.visible) {
            let path = format!("elements[{}]", element.index);
            // With a length of the client's own, validation has reported this already.
            if self.composition.duration.is_none() && element.time >= duration {
                warnings.push(Warning::new(
                    path.clone(),
                    "element_after_end",
                    format!(
                        "it starts at {}, when the output has ended at {duration}",
                        element.time
                    ),
                ));
            }
            let Some((_, info)) = self.source_of(element.index) else {
                continue;
            };
            match element.kind.clip() {
                Some(clip) => {
                    let used = Used::new(self, element, clip, info, &path);
                    warnings.extend(used.pictures());
                    warnings.extend(used.sound());
                    warnings.extend(info.notices.iter().filter_map(|one| used.notice(one)));
                }
                None => {
                    let of_whole =
                        |one: &Notice| Warning::new(path.clone(), &one.code, &one.message);
                    warnings.extend(info.notices.iter().map(of_whole));
                }
            }
        }
        warnings
    }
}

/// The part of a source that an element asks for, in nanoseconds of source time.
struct Used<'a> {
    element: &'a Element,
    clip: &'a Clip,
    info: &'a MediaInfo,
    path: &'a str,
    from: i64,
    to: i64,
    /// Where the source ends: the picture track, or sound that lasts longer.
    end: Option<MediaTime>,
    /// Whether it lasts for a sample of sound at all.
    is_heard: bool,
}

impl<'a> Used<'a> {
    fn new(
        timeline: &Timeline,
        element: &'a Element,
        clip: &'a Clip,
        info: &'a MediaInfo,
        path: &'a str,
    ) -> Self {
        let length = timeline
            .span(element)
            .map_or(MediaTime::ZERO, |(start, end)| end - start);
        Self {
            element,
            clip,
            info,
            path,
            from: nanos(clip.in_point),
            to: nanos(clip.in_point + length),
            end: source_end(element, timeline),
            is_heard: timeline.mix_clip(element, u64::MAX).is_some(),
        }
    }

    fn is_video(&self) -> bool {
        matches!(self.element.kind, ElementKind::Video { .. })
    }

    /// A source time on the output's timeline, in seconds.
    fn output(&self, source: i64) -> f64 {
        seconds(nanos(self.element.time).saturating_add(source - self.from))
    }

    /// A warning about a part of the source, where the element shows any of it.
    fn between(&self, code: &str, message: String, from: i64, to: i64) -> Option<Warning> {
        let (from, to) = (from.max(self.from), to.min(self.to));
        (from <= to).then(|| {
            Warning::new(self.path, code, message).between(self.output(from), self.output(to))
        })
    }

    /// Pictures that are asked for before the first or after the last.
    fn pictures(&self) -> Vec<Warning> {
        let table = self.info.video.as_ref().map(|video| &video.frames);
        let table = table.filter(|_| self.is_video());
        let hold = table.map_or(HOLD_NANOS, FrameTable::hold);
        let mut found = Vec::new();
        let Some(source_end) = self.end else {
            return found;
        };
        let end = table.map_or(nanos(source_end), FrameTable::end);
        let wanted = self.clip.out_point.unwrap_or(source_end);
        if nanos(wanted).saturating_sub(end) > hold {
            let (what, gap) = if table.is_some() {
                ("its pictures end", "transparent")
            } else {
                ("the source ends", "silent")
            };
            let asked = match self.clip.out_point {
                Some(out_point) => format!("out_point is {out_point}"),
                None => format!("its sound ends at {source_end}"),
            };
            let message = format!(
                "{asked}, {what} at {}; it is {gap} from there",
                MediaTime::from_nanos(end)
            );
            let code = "source_shorter_than_out_point";
            found.extend(self.between(code, message, end, nanos(wanted)));
        }
        if let Some(first) = table.and_then(FrameTable::first)
            && first.saturating_sub(self.from) > hold
        {
            let message = format!(
                "in_point is {}, the source's first frame is at {}; it is transparent until then",
                self.clip.in_point,
                MediaTime::from_nanos(first)
            );
            found.extend(self.between("source_starts_late", message, self.from, first));
        }
        found
    }

    /// Sound that begins late or ends early within what is asked for.
    fn sound(&self) -> Vec<Warning> {
        let mut found = Vec::new();
        let Some(sound) = self
            .info
            .sound(self.clip.audio_track.as_ref())
            .filter(|_| self.clip.gain > 0.0)
        else {
            return found;
        };
        if !self.is_heard {
            let message = "it is shorter than one sample of sound; nothing of it is heard".into();
            found.extend(self.between("audio_ends_early", message, self.from, self.to));
            return found;
        }
        if sound.start.saturating_sub(self.from) > AUDIO_SLACK {
            let message = format!(
                "its sound begins at {} of the source; it is silent until then",
                MediaTime::from_nanos(sound.start)
            );
            found.extend(self.between("audio_starts_late", message, self.from, sound.start));
        }
        // Of an audio element this is what `source_shorter_than_out_point` reports.
        if self.is_video() && self.to.saturating_sub(sound.end) > AUDIO_SLACK {
            let message = format!(
                "its sound ends at {} of the source; it is silent from there",
                MediaTime::from_nanos(sound.end)
            );
            found.extend(self.between("audio_ends_early", message, sound.end, self.to));
        }
        found
    }

    /// What was noticed about the source, where it concerns the part that is used.
    fn notice(&self, notice: &Notice) -> Option<Warning> {
        let is_of_pictures = matches!(
            notice.code.as_str(),
            "source_starts_between_keyframes"
                | "frames_skipped"
                | "frames_duplicated"
                | "tone_mapped"
        );
        if is_of_pictures && !self.is_video() {
            return None;
        }
        // No notice where the client chose a track or the element is silent.
        let is_of_sound = notice.code == TRACKS && notice.message.contains("sound");
        if is_of_sound && (self.clip.audio_track.is_some() || self.clip.gain <= 0.0) {
            return None;
        }
        match notice.span {
            Some((from, to)) => {
                // What is missing behind the last readable frame concerns only elements that play
                // to the end.
                let end = self.end.map_or(i64::MAX, nanos);
                let plays_to_end = from >= end && self.to >= end;
                let from = if plays_to_end {
                    from.min(self.to)
                } else {
                    from
                };
                self.between(&notice.code, notice.message.clone(), from, to)
            }
            None => Some(Warning::new(self.path, &notice.code, &notice.message)),
        }
    }
}

fn nanos(time: MediaTime) -> i64 {
    let floor = time.floor_nanos();
    i64::try_from(floor).unwrap_or(if floor < 0 { i64::MIN } else { i64::MAX })
}

#[expect(
    clippy::cast_precision_loss,
    reason = "times of an output are far below 2^52 microseconds"
)]
fn seconds(nanos: i64) -> f64 {
    (nanos.div_euclid(1_000)) as f64 / 1e6
}
