//! Files made by hand: lacing, groups, sizes that are not known, damage.

use super::super::{Codec, Extent, Packet, TrackKind};
use super::*;

/// An element with a size of eight bytes.
fn element(id: u32, body: &[u8]) -> Vec<u8> {
    let id = id.to_be_bytes();
    let first = id.iter().position(|&byte| byte != 0).unwrap_or(3);
    let size = body.len() as u64 | 1 << 56;
    [&id[first..], &size.to_be_bytes(), body].concat()
}

fn uint(id: u32, value: u64) -> Vec<u8> {
    element(id, &value.to_be_bytes())
}

fn track(number: u64, kind: u64, codec: &str, more: &[Vec<u8>]) -> Vec<u8> {
    let parts = [
        uint(0xd7, number),
        uint(0x83, kind),
        element(0x86, codec.as_bytes()),
        more.concat(),
    ];
    element(0xae, &parts.concat())
}

fn simple(track: u8, time: i16, flags: u8, data: &[u8]) -> Vec<u8> {
    let [high, low] = time.to_be_bytes();
    element(
        0xa3,
        &[&[0x80 | track, high, low, flags][..], data].concat(),
    )
}

fn cluster(time: u64, blocks: &[Vec<u8>]) -> Vec<u8> {
    element(CLUSTER, &[uint(0xe7, time), blocks.concat()].concat())
}

fn file(tracks: &[Vec<u8>], rest: &[Vec<u8>]) -> Vec<u8> {
    let head = element(EBML, &element(0x4282, b"webm"));
    let body = [element(TRACKS, &tracks.concat()), rest.concat()].concat();
    [head, element(SEGMENT, &body)].concat()
}

fn parsed(bytes: Vec<u8>) -> Contents {
    read(&mut Input::from_bytes(bytes)).expect("read")
}

fn times(packets: &[Packet]) -> Vec<i64> {
    packets.iter().map(|packet| packet.pts).collect()
}

#[test]
fn blocks_are_packets_at_their_clusters_time_and_their_own() {
    let blocks = [
        cluster(
            1000,
            &[simple(1, 0, 0x80, &[1; 3]), simple(1, 40, 0, &[2; 5])],
        ),
        cluster(2000, &[simple(1, -20, 0, &[3; 4])]),
    ];
    let contents = parsed(file(&[track(1, 1, "V_VP8", &[])], &blocks));
    let track = &contents.tracks[0];
    assert_eq!(track.kind, TrackKind::Video);
    assert_eq!(track.descriptions[0].codec, Codec::Vp8);
    assert_eq!(times(&track.packets), [1000, 1040, 1980]);
    let sizes: Vec<u32> = track.packets.iter().map(|packet| packet.size).collect();
    assert_eq!(sizes, [3, 5, 4]);
    let sync: Vec<bool> = track
        .packets
        .iter()
        .map(|packet| packet.flags.is_sync)
        .collect();
    assert_eq!(sync, [true, false, false]);
    assert_eq!(contents.findings, []);
}

#[test]
fn laced_frames_are_packets_of_their_own() {
    let sizes = |data: &[u8], flags: u8| -> Vec<u32> {
        let tracks = [track(1, 2, "A_MPEG/L3", &[uint(0x23_e383, 24_000_000)])];
        let contents = parsed(file(&tracks, &[cluster(0, &[simple(1, 0, flags, data)])]));
        assert_eq!(
            times(&contents.tracks[0].packets)[..2],
            [0, 24_000_000],
            "a default duration apart"
        );
        contents.tracks[0]
            .packets
            .iter()
            .map(|packet| packet.size)
            .collect()
    };
    let xiph = [&[2, 3, 255, 1][..], &[0; 3 + 256 + 7]].concat();
    assert_eq!(sizes(&xiph, 0x82), [3, 256, 7]);
    // EBML: 4, then −1 as a difference, then the rest.
    let ebml = [&[2, 0x84, 0xbe][..], &[0; 4 + 3 + 6]].concat();
    assert_eq!(sizes(&ebml, 0x86), [4, 3, 6]);
    let fixed = [&[2][..], &[0; 15]].concat();
    assert_eq!(sizes(&fixed, 0x84), [5, 5, 5]);
}

#[test]
fn a_group_is_a_keyframe_if_it_leans_on_nothing_and_may_carry_alpha() {
    let block = element(0xa1, &[0x81, 0, 0, 0, 7, 7]);
    let more = element(0xa6, &[uint(0xee, 1), element(0xa5, &[9; 4])].concat());
    let key = element(0xa0, &[block.clone(), element(0x75a1, &more)].concat());
    let delta = element(0xa0, &[block, element(0xfb, &[0xff])].concat());
    let contents = parsed(file(
        &[track(1, 1, "V_VP9", &[])],
        &[cluster(0, &[key, delta])],
    ));
    let track = &contents.tracks[0];
    assert!(track.packets[0].flags.is_sync && !track.packets[1].flags.is_sync);
    let [alpha] = track.alpha[..] else {
        panic!("{:?}", track.alpha)
    };
    assert_eq!((alpha.packet, alpha.extent.size), (0, 4));
    assert_ne!(alpha.extent, Extent { offset: 0, size: 4 });
}

#[test]
fn the_codecs_delay_is_in_front_of_time_0_and_padding_at_the_end() {
    let audio = element(0xe1, &element(0xb5, &48_000_f32.to_be_bytes()));
    let tracks = [track(1, 2, "A_OPUS", &[audio, uint(0x56aa, 6_500_000)])];
    let last = element(
        0xa0,
        &[
            element(0xa1, &[0x81, 0, 20, 0, 7, 7]),
            element(0x75a2, &13_500_000_i64.to_be_bytes()),
        ]
        .concat(),
    );
    let contents = parsed(file(
        &tracks,
        &[cluster(0, &[simple(1, 0, 0x80, &[1])]), cluster(0, &[last])],
    ));
    let track = &contents.tracks[0];
    assert_eq!((track.lead, track.tail), (312, 648));
    assert_eq!(times(&track.packets), [-6_500_000, 13_500_000]);
}

#[test]
fn what_lies_behind_damage_is_found_again() {
    let rubbish = vec![0x55; 300];
    let rest = [
        cluster(0, &[simple(1, 0, 0x80, &[1; 9])]),
        rubbish,
        cluster(500, &[simple(1, 0, 0x80, &[1; 9])]),
    ];
    let contents = parsed(file(&[track(1, 1, "V_VP8", &[])], &rest));
    assert_eq!(times(&contents.tracks[0].packets), [0, 500]);
    assert!(matches!(contents.findings[..], [Finding::Damaged { .. }]));
}

#[test]
fn a_cluster_of_unknown_size_ends_where_the_next_begins() {
    let open = |time: u64| {
        let body = [uint(0xe7, time), simple(1, 0, 0x80, &[1; 9])].concat();
        [
            &CLUSTER.to_be_bytes()[..],
            &[0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
            &body,
        ]
        .concat()
    };
    let contents = parsed(file(&[track(1, 1, "V_VP8", &[])], &[open(0), open(40)]));
    assert_eq!(times(&contents.tracks[0].packets), [0, 40]);
}

proptest::proptest! {
    #[test]
    fn no_change_of_bytes_is_too_much(at in 0_usize..400, to: u8, cut in 0_usize..400) {
        let blocks = [cluster(0, &[simple(1, 0, 0x82, &[2, 3, 4, 0, 0, 0, 0, 0, 0, 0, 0])])];
        let mut bytes = file(&[track(1, 1, "V_VP8", &[])], &blocks);
        let length = bytes.len();
        bytes[at % length] = to;
        bytes.truncate(length - cut % length);
        let _ = read(&mut Input::from_bytes(bytes));
    }
}
