//! From packets in coded order to the table of frames in presentation order. Pure.

use super::super::FrameTable;

/// A pts may lie this much after a wanted time and still count as not after it, in nanoseconds.
const LEAST_TOLERANCE: i64 = 500_000;
/// `QuickTime`'s classic clock, coarse enough that rounding exceeds [`LEAST_TOLERANCE`].
const CLASSIC_CLOCK: i128 = 600;
/// A length for a frame that has none, in nanoseconds.
const GUESSED_LENGTH: i64 = 40_000_000;

/// One packet of a picture track, times in nanoseconds of source time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct CodedFrame {
    /// When it is shown, or if the container doesn't say when it is decoded.
    pub(super) time: Option<i64>,
    /// How long it is shown.
    pub(super) duration: Option<i64>,
    /// Decoding can begin here.
    pub(super) keyframe: bool,
}

/// The table of the frames that are shown, or nothing if none is.
pub(super) fn table(packets: &[CodedFrame]) -> Option<FrameTable> {
    let mut next = 0;
    let mut frames: Vec<(i64, i64, bool)> = Vec::with_capacity(packets.len());
    for packet in packets {
        let duration = packet.duration.unwrap_or(0).max(0);
        let time = packet.time.unwrap_or(next);
        next = time + duration.max(1);
        // Cut off by an edit list, wholly or at its beginning.
        if time < 0 && time + duration <= LEAST_TOLERANCE {
            continue;
        }
        frames.push((time.max(0), duration, packet.keyframe));
    }
    frames.sort_by_key(|&(time, ..)| time);
    frames.dedup_by_key(|&mut (time, ..)| time);
    let pts: Vec<i64> = frames.iter().map(|&(time, ..)| time).collect();
    let &(last, last_duration, _) = frames.last()?;
    let length = if last_duration > 0 {
        last_duration
    } else {
        usual_step(&pts).unwrap_or(GUESSED_LENGTH)
    };
    let keyframes = (0_u64..)
        .zip(&frames)
        .filter(|&(index, &(.., keyframe))| keyframe || index == 0)
        .map(|(index, _)| index)
        .collect();
    let tolerance = if on_classic_clock(&pts) {
        1_000_000_000 / 1_200
    } else {
        LEAST_TOLERANCE
    };
    Some(FrameTable {
        keyframes,
        end: last + length,
        tolerance,
        pts,
    })
}

fn usual_step(pts: &[i64]) -> Option<i64> {
    let mut steps: Vec<i64> = pts.windows(2).map(|pair| pair[1] - pair[0]).collect();
    steps.sort_unstable();
    steps.get(steps.len() / 2).copied()
}

/// Uneven steps that all fall on 1/600 s: a rate that the clock could not express.
fn on_classic_clock(pts: &[i64]) -> bool {
    let mut steps = pts.windows(2).map(|pair| pair[1] - pair[0]);
    let even = steps
        .next()
        .is_none_or(|first| steps.all(|step| (step - first).abs() <= 2));
    !even
        && pts.iter().all(|&time| {
            let scaled = i128::from(time) * CLASSIC_CLOCK;
            let off = scaled.rem_euclid(1_000_000_000);
            off.min(1_000_000_000 - off) <= 2 * CLASSIC_CLOCK
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(time: i64, keyframe: bool) -> CodedFrame {
        CodedFrame {
            time: Some(time * 1_000_000),
            duration: Some(40_000_000),
            keyframe,
        }
    }

    #[test]
    fn frames_come_in_presentation_order_with_their_keyframes() {
        let coded = [
            packet(0, true),
            packet(120, false),
            packet(40, false),
            packet(80, false),
            packet(160, true),
        ];
        let table = table(&coded).expect("frames");
        assert_eq!(table.pts, [0, 40, 80, 120, 160].map(|ms| ms * 1_000_000));
        assert_eq!(table.keyframes, [0, 4]);
        assert_eq!(table.end, 200_000_000);
        assert_eq!(table.tolerance, 500_000);
    }

    #[test]
    fn what_an_edit_list_cuts_off_is_no_frame() {
        let coded = [packet(-80, true), packet(-20, false), packet(20, false)];
        let table = table(&coded).expect("frames");
        assert_eq!(table.pts, [0, 20_000_000]);
        assert_eq!(table.keyframes, [0]);
    }

    #[test]
    fn a_coarse_clock_widens_the_tolerance() {
        let at = |tick: i64| CodedFrame {
            time: Some(tick * 1_000_000_000 / 600),
            duration: None,
            keyframe: true,
        };
        let uneven = [at(0), at(20), at(41), at(60)];
        assert_eq!(table(&uneven).expect("frames").tolerance, 833_333);
        let even = [at(0), at(20), at(40), at(60)];
        assert_eq!(table(&even).expect("frames").tolerance, 500_000);
    }

    #[test]
    fn no_packets_make_no_table() {
        assert_eq!(table(&[]), None);
    }
}
