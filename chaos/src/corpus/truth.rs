//! What must be seen and heard of a file, by how it was made.

use super::Recording;
use super::canvas::{CLICKS, SECONDS};
use super::films::Film;
use super::tables::{DROPPED, Edit, GROUP, HOLD, LATE, MIDDLE, PIECES, Part, Rate, Start, TRIM};

/// Times closer than this to a picture's begin may show it or the one before: containers round to
/// milliseconds, and one more is the product's own tolerance.
const SLACK: f64 = 0.0016;
/// A late start or an early end shows the nearest picture up to this long.
const HELD: f64 = 0.1;
/// Longest distance of two pictures.
const LONGEST_FRAME: f64 = 0.06;

/// What must be seen and heard of one file's element.
#[derive(Debug, Clone)]
pub struct Truth {
    /// `in_point` and `out_point`, where the element has them.
    pub part: Option<(f64, f64)>,
    /// When each picture begins, in seconds of the file's time 0; `None`: no pictures.
    pictures: Option<Pictures>,
    /// Seconds of file time at which clicks begin; empty: no sound.
    clicks: Vec<f64>,
    /// Whether the colours are gray.
    pub gray: bool,
    /// Codes of the warnings that its element has.
    pub warnings: Vec<&'static str>,
}

#[derive(Debug, Clone)]
struct Pictures {
    /// Spans of file time, each with a number; they do not overlap and rise.
    shown: Vec<(f64, f64, u16)>,
}

/// What may be seen at a time.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Allowed {
    /// Whether nothing may be seen.
    pub blank: bool,
    /// Which numbers may be.
    pub numbers: Vec<u16>,
}

impl Truth {
    /// Whether the element is one of pictures.
    pub fn has_pictures(&self) -> bool {
        self.pictures.is_some()
    }

    /// What may be seen `t` seconds after the element's begin.
    pub fn at(&self, t: f64) -> Allowed {
        let Some(pictures) = &self.pictures else {
            return Allowed {
                blank: true,
                numbers: Vec::new(),
            };
        };
        let (from, to) = self.part.unwrap_or((0.0, f64::INFINITY));
        let time = from + t;
        if time > to + SLACK {
            return Allowed {
                blank: true,
                numbers: Vec::new(),
            };
        }
        let mut allowed = pictures.at(time);
        allowed.blank |= time > to - SLACK;
        allowed
    }

    /// Seconds after the element's begin at which clicks must be heard.
    pub fn clicks(&self) -> Vec<f64> {
        let (from, to) = self.part.unwrap_or((0.0, f64::INFINITY));
        let inside = self
            .clicks
            .iter()
            .filter(|click| **click >= from && **click + 0.02 <= to);
        inside.map(|click| click - from).collect()
    }

    /// Seconds after the element's begin near which a click may be heard in part, because the part
    /// or a piece of an edit list begins or ends in it.
    pub fn half_clicks(&self) -> Vec<f64> {
        let (from, to) = self.part.unwrap_or((0.0, f64::INFINITY));
        let cut = |click: &&f64| {
            **click + 0.02 > from && **click < from || **click < to && **click + 0.02 > to
        };
        self.clicks
            .iter()
            .filter(cut)
            .map(|click| click - from)
            .collect()
    }
}

impl Pictures {
    fn at(&self, time: f64) -> Allowed {
        let mut allowed = Allowed::default();
        let mut covered = false;
        for (from, to, number) in &self.shown {
            if (from - SLACK..to + SLACK).contains(&time) {
                allowed.numbers.push(*number);
            }
            covered |= (from + SLACK..to - SLACK).contains(&time);
        }
        if covered || !allowed.numbers.is_empty() && self.inside(time) {
            return allowed;
        }
        allowed.blank = true;
        // A gap that is short shows the picture beside it.
        let near = self.shown.iter().filter(|(from, to, _)| {
            let after = time - to;
            let before = from - time;
            (0.0..=HELD + LONGEST_FRAME).contains(&after) || (0.0..=HELD).contains(&before)
        });
        allowed.numbers.extend(near.map(|(.., number)| *number));
        allowed
    }

    /// Whether pictures follow one another at this time.
    fn inside(&self, time: f64) -> bool {
        let from = |margin: f64| {
            self.shown
                .iter()
                .any(|(from, to, _)| (from - SLACK..to + SLACK).contains(&(time + margin)))
        };
        from(2.0 * SLACK) && from(-2.0 * SLACK)
    }
}

/// Begin of picture `n`, in seconds.
fn begin(rate: Rate, n: u16) -> f64 {
    match rate {
        Rate::Constant(numerator, denominator, _) => {
            f64::from(n) * f64::from(denominator) / f64::from(numerator)
        }
        Rate::Variable => (f64::from(n) * 33.0 + f64::from(n * 17 % 25)) / 1000.0,
    }
}

/// Number of pictures in a file.
pub fn count(rate: Rate) -> u16 {
    match rate {
        Rate::Constant(_, _, count) => count,
        Rate::Variable => 48,
    }
}

/// Seconds of the coder's delay in front of the sound that nothing in the file declares.
fn undeclared(film: &Film) -> f64 {
    let samples = match (film.container.name, film.sound.0) {
        ("avi", "mp3") => 1105,
        ("avi" | "gst-ts", "mp2") => 481,
        ("avi", "ac3") => 256,
        // mkvmerge counts Vorbis' first packet half as long as it is, and keeps Opus' delay in times
        // from which the writer before it has taken it.
        ("mkvmerge", "vorbis") if film.start == Start::SoundLate => -64,
        ("mkvmerge", "opus") if film.start == Start::SoundLate => -312,
        _ => 0,
    };
    f64::from(samples) / f64::from(film.sample_rate)
}

/// What must be seen and heard of a film.
pub fn of_film(film: &Film) -> Truth {
    let count = count(film.rate);
    let raw: Vec<(f64, f64, u16)> = (0..count)
        .map(|n| (begin(film.rate, n), begin(film.rate, n + 1), n))
        .collect();
    let undeclared = undeclared(film);
    let clicks = CLICKS.iter().filter(|_| film.has_sound());
    let clicks = clicks.map(|click| click + undeclared).collect();
    let mut truth = Truth {
        part: (film.part == Part::Middle).then_some(MIDDLE),
        pictures: None,
        clicks,
        gray: film.pixels.0 == "gray",
        warnings: Vec::new(),
    };
    let shown = match (film.start, film.edit) {
        (Start::SoundLate, _) => {
            truth.clicks = truth.clicks.iter().map(|click| click + LATE).collect();
            raw
        }
        (Start::PicturesLate, _) => moved(&raw, film.pictures_late()),
        (Start::BetweenKeyframes, _) => {
            let first = DROPPED.next_multiple_of(GROUP);
            raw.into_iter().filter(|(.., n)| *n >= first).collect()
        }
        (_, Edit::Trim) => {
            truth.clicks = cut(&truth.clicks, TRIM, f64::INFINITY, 0.0);
            piece(&raw, TRIM, f64::INFINITY, 0.0)
        }
        (_, Edit::Pieces) => {
            let [(a, b), (c, d)] = PIECES;
            let heard = &truth.clicks;
            truth.clicks = [cut(heard, a, b, 0.0), cut(heard, c, d, b - a)].concat();
            [piece(&raw, a, b, 0.0), piece(&raw, c, d, b - a)].concat()
        }
        (_, Edit::Hold) => {
            let (at, long, end) = HOLD;
            truth.clicks = cut(&truth.clicks, at, end, long);
            let held = piece(&raw, at, at + 1e-9, 0.0);
            let held = held.into_iter().map(|(_, _, n)| (0.0, long, n));
            held.chain(piece(&raw, at, end, long)).collect()
        }
        (Start::Zero | Start::Offset, Edit::Whole) => raw,
    };
    let shift = shift(film);
    let shown = moved(&shown, shift);
    truth.clicks = truth.clicks.iter().map(|click| click + shift).collect();
    truth.warnings = warnings(film, &shown);
    truth.pictures = Some(Pictures { shown });
    truth
}

/// Seconds by which a muxer moves all tracks, because it has no times before 0 for the coder's
/// delay, and nothing declares that delay. Where pictures and sound begin together, the distance of
/// their first times gives it; elsewhere it is not in the file.
fn shift(film: &Film) -> f64 {
    let is_known = matches!(film.start, Start::Zero | Start::Offset | Start::SoundLate);
    let moves = matches!(
        film.container.name,
        "ts" | "m2ts" | "ps" | "mkv" | "mkvmerge"
    );
    let samples = match film.sound.0 {
        _ if is_known || !moves => 0,
        "aac" => 1024,
        "mp3" => 1105,
        "mp2" => 481,
        "ac3" => 256,
        _ => 0,
    };
    f64::from(samples) / f64::from(film.sample_rate)
}

/// What the element is warned of: where less is seen or heard than its part asks for.
fn warnings(film: &Film, shown: &[(f64, f64, u16)]) -> Vec<&'static str> {
    let from = if film.part == Part::Middle {
        MIDDLE.0
    } else {
        0.0
    };
    let first = shown.first().map_or(0.0, |first| first.0);
    let mut codes = Vec::new();
    if film.start == Start::BetweenKeyframes && first > from {
        codes.push("source_starts_between_keyframes");
    }
    if first - from > HELD {
        codes.push("source_starts_late");
    }
    let silent = match (film.start, film.edit) {
        (Start::SoundLate, _) => LATE,
        (_, Edit::Hold) => HOLD.1,
        _ => 0.0,
    };
    if film.has_sound() && silent - from > HELD {
        codes.push("audio_starts_late");
    }
    // The sound ends after the pictures do.
    if film.has_sound() && film.part == Part::Whole && film.start == Start::SoundLate {
        codes.push("source_shorter_than_out_point");
    }
    // The pictures end after the sound does.
    if film.has_sound() && film.part == Part::Whole && film.start == Start::PicturesLate {
        codes.push("audio_ends_early");
    }
    codes
}

/// What must be heard of a file of sound alone.
pub fn of_recording(recording: &Recording) -> Truth {
    let undeclared = f64::from(recording.kind.undeclared) / f64::from(recording.sample_rate);
    Truth {
        part: (recording.part == Part::Middle).then_some(MIDDLE),
        pictures: None,
        clicks: CLICKS.iter().map(|click| click + undeclared).collect(),
        gray: false,
        warnings: Vec::new(),
    }
}

fn moved(pictures: &[(f64, f64, u16)], by: f64) -> Vec<(f64, f64, u16)> {
    pictures
        .iter()
        .map(|(from, to, n)| (from + by, to + by, *n))
        .collect()
}

/// What lies between two source times, begun at `at`.
fn piece(pictures: &[(f64, f64, u16)], from: f64, to: f64, at: f64) -> Vec<(f64, f64, u16)> {
    let inside = pictures
        .iter()
        .filter(|(begin, end, _)| *end > from && *begin < to);
    inside
        .map(|(begin, end, n)| (begin.max(from) - from + at, end.min(to) - from + at, *n))
        .collect()
}

/// Clicks that lie wholly between two source times, begun at `at`.
fn cut(clicks: &[f64], from: f64, to: f64, at: f64) -> Vec<f64> {
    let inside = clicks
        .iter()
        .filter(|click| **click >= from && **click + 0.02 <= to);
    inside.map(|click| click - from + at).collect()
}

/// Seconds in which an element must have ended, whatever its part.
pub const SLOT: f64 = SECONDS + LATE + HELD;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::corpus::films;

    #[test]
    fn pictures_follow_the_recipe() {
        let film = films::all(400, 7).into_iter().find(|film| {
            film.edit == Edit::Pieces
                && film.rate == Rate::Constant(30, 1, 48)
                && film.part == Part::Whole
        });
        let truth = of_film(&film.unwrap());
        assert_eq!(truth.at(0.01).numbers, [21]);
        assert_eq!(truth.at(0.51).numbers, [3]);
        assert!(!truth.at(0.51).blank);
        assert!(truth.at(1.4).blank && truth.at(1.4).numbers.is_empty());
        // Exactly where a picture begins, either may be seen.
        assert_eq!(truth.at(1.0 / 30.0).numbers, [21, 22]);
    }
}
