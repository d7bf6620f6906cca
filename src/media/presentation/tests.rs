//! What is shown of tracks made by hand, against ISO 14496-12 §8.6.6 and API.md §5.

use super::super::container::{
    Codec, Container, Description, Detail, Orientation, PacketFlags, Payload, VideoFormat,
};
use super::*;

/// 1/1000 s.
const MOVIE: Clock = Clock::hertz(1000);

fn packet(dts: i64, pts: i64, is_sync: bool) -> Packet {
    Packet {
        offset: 0,
        size: 1,
        description: 0,
        flags: PacketFlags {
            is_sync,
            ..PacketFlags::default()
        },
        dts,
        pts,
        duration: 100,
    }
}

fn track(packets: Vec<Packet>, edits: Option<Vec<Edit>>) -> Track {
    Track {
        id: 1,
        kind: TrackKind::Video,
        is_enabled: true,
        is_default: true,
        language: None,
        clock: Clock::hertz(3000),
        descriptions: vec![Description {
            codec: Codec::H264,
            config: Vec::new(),
            encryption: None,
            detail: Detail::Video(VideoFormat::default()),
        }],
        packets,
        payload: Payload::Plain,
        edits,
        lead: 0,
        tail: 0,
        orientation: Orientation::default(),
        alpha: Vec::new(),
        declared_rate: None,
    }
}

/// Thirty pictures a second in decode order I P B B P B B …, a keyframe each 15.
fn film(count: i64) -> Vec<Packet> {
    (0..count)
        .map(|n| packet(n * 100, n * 100, n % 15 == 0))
        .collect()
}

fn edit(media_time: Option<i64>, duration: Option<u64>) -> Edit {
    Edit {
        media_time,
        duration,
        clock: MOVIE,
        rate: NORMAL_RATE,
    }
}

/// Times in milliseconds, rounded, and packets.
fn shown(track: &Track) -> (Vec<i64>, Vec<u32>) {
    let shown = present(track, Moment::ZERO, false).expect("presented");
    let milliseconds = |nanos: i64| (nanos + 500_000).div_euclid(1_000_000);
    (
        shown.table.times().map(milliseconds).collect(),
        shown.packets,
    )
}

#[test]
fn pictures_come_in_presentation_order_and_the_last_has_a_length() {
    let packets = vec![
        packet(0, 0, true),
        packet(100, 300, false),
        packet(200, 100, false),
        packet(300, 200, false),
    ];
    let track = track(packets, None);
    let shown = present(&track, Moment::ZERO, false).expect("presented");
    assert_eq!(shown.packets, [0, 2, 3, 1]);
    assert_eq!(shown.order, Order::Ranked(vec![0, 3, 1, 2]));
    assert_eq!(shown.table.end(), 133_333_333);
    assert_eq!(shown.notices, []);
}

#[test]
fn time_0_is_the_earliest_start_of_all_tracks() {
    let late = |first: i64| {
        let moved = |n: i64| packet(first + n * 100, first + n * 100, n == 0);
        track((0..3).map(moved).collect(), None)
    };
    let contents = |tracks| Contents {
        container: Container::MpegTs,
        tracks,
        findings: Vec::new(),
    };
    let both = contents(vec![late(4200), late(4350)]);
    let origin = origin(&both);
    let first = |track: &Track| {
        present(track, origin, false)
            .expect("presented")
            .table
            .first()
    };
    assert_eq!(first(&both.tracks[0]), Some(0));
    assert_eq!(first(&both.tracks[1]), Some(50_000_000));
    // An edit list begins at 0, so that an empty edit at its beginning is a late start.
    let edited = contents(vec![track(
        film(30),
        Some(vec![edit(None, Some(500)), edit(Some(0), Some(1000))]),
    )]);
    assert_eq!(super::origin(&edited), Moment::ZERO);
    assert_eq!(shown(&edited.tracks[0]).0[..2], [500, 533]);
}

#[test]
fn sound_starts_behind_its_codec_delay() {
    let mut sound = track(vec![packet(-312, -312, true)], None);
    sound.clock = Clock::hertz(48_000);
    sound.kind = TrackKind::Audio;
    sound.lead = 312;
    sound.descriptions[0].detail = Detail::Audio(crate::media::container::AudioFormat {
        sample_rate: 48_000,
        ..Default::default()
    });
    let contents = Contents {
        container: Container::Matroska,
        tracks: vec![sound],
        findings: Vec::new(),
    };
    assert_eq!(origin(&contents).nanos(), 0);
}

#[test]
fn an_edit_begins_with_the_picture_that_covers_its_start() {
    // From 1.05 s of the media, in the middle of picture 31, for 0.2 s.
    let track = track(film(90), Some(vec![edit(Some(3150), Some(200))]));
    let (times, packets) = shown(&track);
    assert_eq!(packets, [31, 32, 33, 34, 35, 36, 37]);
    assert_eq!(times, [0, 17, 50, 83, 117, 150, 183]);
    let end = present(&track, Moment::ZERO, false)
        .expect("presented")
        .table
        .end();
    assert_eq!(end, 200_000_000);
}

#[test]
fn a_picture_that_only_rounding_lets_in_is_left_out() {
    // 47 pictures are 1566.67 ms, which the movie's clock rounds up.
    let track = track(film(90), Some(vec![edit(Some(0), Some(1567))]));
    assert_eq!(shown(&track).1.len(), 47);
}

#[test]
fn pieces_play_one_after_the_other_and_may_repeat() {
    let track = track(
        film(90),
        Some(vec![
            edit(Some(6000), Some(100)),
            edit(Some(0), Some(100)),
            edit(Some(6000), Some(100)),
        ]),
    );
    let (times, packets) = shown(&track);
    assert_eq!(packets, [60, 61, 62, 0, 1, 2, 60, 61, 62]);
    assert_eq!(times, [0, 33, 67, 100, 133, 167, 200, 233, 267]);
}

#[test]
fn an_empty_edit_amid_others_shows_nothing_unless_it_is_short() {
    let with_gap = |gap: u64| {
        let edits = vec![
            edit(Some(0), Some(100)),
            edit(None, Some(gap)),
            edit(Some(300), Some(100)),
        ];
        present(&track(film(90), Some(edits)), Moment::ZERO, false).expect("presented")
    };
    let at = |shown: &Presentation, ms: i128| {
        let time = crate::composition::time::MediaTime::new(ms, 1000);
        shown
            .table
            .at(time, (crate::composition::time::MediaTime::ZERO, time))
    };
    let long = with_gap(500);
    assert_eq!(at(&long, 90), Some(2));
    assert_eq!(at(&long, 300), None, "nothing");
    assert_eq!(at(&long, 610), Some(4));
    let short = with_gap(100);
    assert_eq!(at(&short, 150), Some(2), "held");
}

#[test]
fn rate_0_holds_a_picture_and_other_rates_are_refused_by_name() {
    let held = Edit {
        rate: 0,
        ..edit(Some(3010), Some(400))
    };
    let track = track(film(90), Some(vec![held, edit(Some(0), Some(100))]));
    let (times, packets) = shown(&track);
    assert_eq!(packets, [30, 0, 1, 2]);
    assert_eq!(times, [0, 400, 433, 467]);
    let fast = Edit {
        rate: NORMAL_RATE * 2,
        ..edit(Some(0), Some(100))
    };
    let refused = present(&self::track(film(9), Some(vec![fast])), Moment::ZERO, false);
    assert!(
        matches!(&refused, Err(MediaError::Unsupported(why)) if why.contains("2.000 times")),
        "{refused:?}"
    );
}

#[test]
fn an_edit_without_a_duration_runs_to_the_end_of_the_media() {
    let track = track(film(30), Some(vec![edit(Some(1500), None)]));
    let (_, packets) = shown(&track);
    assert_eq!(packets, (15..30).collect::<Vec<u32>>());
}

#[test]
fn pictures_before_the_first_keyframe_are_left_out_and_noted() {
    let cut = track(film(60)[20..].to_vec(), None);
    let origin = Moment::of(2000, cut.clock);
    let shown = present(&cut, origin, false).expect("presented");
    // Pictures 20 to 29 are gone; the first is number 30, a third of a second late.
    assert_eq!(shown.table.first(), Some(333_333_333));
    assert_eq!(shown.packets.first(), Some(&10));
    let [notice] = &shown.notices[..] else {
        panic!("{:?}", shown.notices);
    };
    assert_eq!(notice.code, "source_starts_between_keyframes");
    assert_eq!(notice.span, Some((0, 333_333_333)));
}

#[test]
fn leading_pictures_of_an_open_group_at_the_beginning_cannot_be_decoded() {
    let packets = vec![
        packet(0, 200, true),
        packet(100, 0, false),
        packet(200, 100, false),
        packet(300, 300, false),
    ];
    let shown = present(&track(packets, None), Moment::ZERO, true).expect("presented");
    assert_eq!(shown.packets, [0, 3]);
}

#[test]
fn pictures_of_one_time_are_noted() {
    let packets = vec![
        packet(0, 0, true),
        packet(100, 100, false),
        packet(200, 100, false),
    ];
    let shown = present(&track(packets, None), Moment::ZERO, false).expect("presented");
    assert_eq!(shown.notices[0].code, "frames_skipped");
}

#[test]
fn pictures_missing_from_a_constant_rate_are_noted() {
    // Pictures 20 to 22 and 40 are lost; the times of those behind them stay.
    let is_lost = |n: usize| (20..23).contains(&n) || n == 40;
    let kept: Vec<Packet> = (0..)
        .zip(film(60))
        .filter_map(|(n, one)| (!is_lost(n)).then_some(one))
        .collect();
    let spans = |packets: Vec<Packet>, edits| {
        let shown = present(&track(packets, edits), Moment::ZERO, false).expect("presented");
        let one = |notice: Notice| {
            assert_eq!(notice.code, "frames_duplicated");
            let (from, to) = notice.span.expect("a span");
            (from / 1_000_000, to / 1_000_000, notice.message)
        };
        shown.notices.into_iter().map(one).collect::<Vec<_>>()
    };
    let found = spans(kept.clone(), None);
    let [(633, 766, three), (1300, 1366, one)] = &found[..] else {
        panic!("{found:?}");
    };
    assert!(three.starts_with("3 pictures are"), "{three}");
    assert!(one.starts_with("a picture is"), "{one}");
    // An edit from 0.7 s on passes the first gap over and moves the second.
    let found = spans(kept.clone(), Some(vec![edit(Some(2500), Some(1000))]));
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].0, found[0].1), (466, 533));
    // Without durations the usual distance shows what is missing.
    let without = |one: &Packet| Packet {
        duration: 0,
        ..*one
    };
    assert_eq!(spans(kept.iter().map(without).collect(), None).len(), 2);
}

#[test]
fn pictures_that_last_longer_on_purpose_are_not_noted() {
    let noted = |packets: Vec<Packet>| {
        let shown = present(&track(packets, None), Moment::ZERO, false).expect("presented");
        shown.notices
    };
    // The container states that picture 20 lasts for four.
    let mut stated: Vec<Packet> = film(60);
    stated.drain(21..24);
    stated[20].duration = 400;
    assert_eq!(noted(stated), []);
    // A packet that shows nothing of its own holds the one before.
    let mut repeated: Vec<Packet> = film(60)
        .into_iter()
        .map(|one| Packet { duration: 0, ..one })
        .collect();
    repeated[21].flags.is_repeat = true;
    assert_eq!(noted(repeated), []);
    // The rate varies.
    let varying = (0..60_i64).map(|n| Packet {
        duration: 0,
        ..packet(n * 100 + n / 5 * 100, n * 100 + n / 5 * 100, n == 0)
    });
    assert_eq!(noted(varying.collect()), []);
}

#[test]
fn without_presentation_times_pictures_are_counted() {
    let untimed = |n: i64, is_sync| Packet {
        pts: Packet::UNTIMED,
        ..packet(n * 100, 0, is_sync)
    };
    let mut packets: Vec<Packet> = (0..5).map(|n| untimed(n, n == 0)).collect();
    packets[2].flags.is_repeat = true;
    let shown = present(&track(packets, None), Moment::ZERO, false).expect("presented");
    assert_eq!(shown.order, Order::Counted);
    assert_eq!(shown.packets, [0, 1, 3, 4]);
    let times: Vec<i64> = shown.table.times().map(|time| time / 1_000_000).collect();
    assert_eq!(
        times,
        [0, 33, 100, 133],
        "a null frame keeps the one before"
    );
}

#[test]
fn a_track_without_a_keyframe_shows_nothing() {
    let none = track(film(15)[1..].to_vec(), None);
    assert!(matches!(
        present(&none, Moment::ZERO, false),
        Err(MediaError::Invalid(_))
    ));
}
