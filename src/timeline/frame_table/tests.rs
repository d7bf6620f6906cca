//! Tables of frame times against the plain lists they stand for.

use proptest::prelude::*;

use super::*;

/// The last of `times` that is not after `nanos`, the obvious way.
fn last_not_after(table: &FrameTable, times: &[i64], nanos: i64) -> Option<u64> {
    times
        .iter()
        .rposition(|&time| time <= nanos + table.tolerance() + 1)
        .map(|index| index as u64)
}

#[test]
fn a_constant_rate_is_one_run_however_long_it_is() {
    let table = FrameTable::constant(60, 1, 3 * 3600 * 60);
    assert_eq!(table.len(), 648_000);
    assert_eq!(table.packed.runs, [(647_999, 1)]);
    assert_eq!(table.time(648_000 - 1), Some(10_799_983_333_333));
    assert_eq!(table.end(), 10_800_000_000_000);
    assert_eq!(table.tolerance(), 500_000, "nothing is rounded");
    assert!(table.is_constant(0));
}

#[test]
fn the_tolerance_is_a_tick_and_at_least_half_a_millisecond() {
    let classic = FrameTable::new(600, 1, &[0, 20, 41, 60], 80);
    assert_eq!(classic.tolerance(), 1_666_666);
    let coarse = FrameTable::new(30, 1, &[0, 1, 3, 4], 5);
    assert_eq!(coarse.tolerance(), 10_416_666, "a quarter of a frame");
    let fine = FrameTable::new(90_000, 1, &[0, 3003, 6006], 9009);
    assert_eq!(fine.tolerance(), 500_000);
    assert!(!classic.is_constant(1_000_000));
}

#[test]
fn every_frame_of_a_rounded_film_is_found_wherever_it_begins() {
    let rates = [
        (24_000, 1001),
        (24, 1),
        (30_000, 1001),
        (30, 1),
        (60_000, 1001),
        (60, 1),
    ];
    for ((rate, per), clock) in rates
        .into_iter()
        .flat_map(|rate| [(rate, 1000_i64), (rate, 600)])
    {
        let rounded = |numerator: i64, denominator: i64| {
            (2 * numerator + denominator).div_euclid(2 * denominator)
        };
        // Starts of pictures and of sound, in sixtieths of a tick: either may be time 0.
        for (begins, origin) in (0..60).flat_map(|n| [(n, n), (n + 37, 37), (60, n)]) {
            for count in [12_i64, 40, 300] {
                let at = |frame: i64| rounded(begins * rate + 60 * frame * per * clock, 60 * rate);
                let zero = rounded(origin, 60);
                let times: Vec<i64> = (0..count).map(|frame| at(frame) - zero).collect();
                let ticks = u64::try_from(clock).unwrap();
                let table = FrameTable::new(ticks, 1, &times, at(count) - zero);
                let begin = (begins - origin).max(0);
                for frame in 0..count {
                    // Where the film would be without rounding, less what lies before time 0.
                    let time = MediaTime::new(i128::from(frame * per), i128::from(rate))
                        + MediaTime::new(i128::from(begin), i128::from(60 * clock));
                    let found = table.at(time, (time, time));
                    assert_eq!(
                        found,
                        u64::try_from(frame).ok(),
                        "{rate}/{per}, {clock} ticks, {begins} from {origin}"
                    );
                }
            }
        }
    }
}

#[test]
fn no_frames_make_an_empty_table() {
    let table = FrameTable::from_nanos(&[], 0);
    assert!(table.is_empty());
    assert_eq!((table.first(), table.last_not_after(5)), (None, None));
    let one = FrameTable::from_nanos(&[7], 9);
    assert_eq!((one.len(), one.first(), one.end()), (1, Some(7), 9));
}

proptest! {
    #[test]
    fn a_table_answers_as_the_list_it_was_made_of(
        first in -5_000_000_i64..5_000_000,
        steps in proptest::collection::vec(0_i64..60_000_000, 0..40),
        asked in -10_000_000_i64..2_000_000_000,
    ) {
        let mut times = vec![first];
        for step in steps {
            times.push(times[times.len() - 1] + step);
        }
        let table = FrameTable::from_nanos(&times, times[times.len() - 1] + 40_000_000);
        prop_assert_eq!(table.times().collect::<Vec<_>>(), times.clone());
        prop_assert_eq!(table.last_not_after(asked), last_not_after(&table, &times, asked));
        let config = bincode::config::standard();
        let bytes = bincode::serde::encode_to_vec(&table, config).expect("encoded");
        let (back, _): (FrameTable, _) =
            bincode::serde::decode_from_slice(&bytes, config).expect("decoded");
        prop_assert_eq!(back, table);
    }
}
