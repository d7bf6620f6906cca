//! Times of pictures whose packets of the stream state none.

use super::super::Packet;

/// Fills in presentation times that are not there, and durations. MPEG-1 and 2 number pictures
/// within their groups (`references`: packet, number, whether it begins a group), so that one
/// time gives those of its whole group, and a group without any follows the one before; other
/// codecs are taken to show pictures as decoded.
///
/// `pace`: so many ticks that so many pictures last.
pub(super) fn complete(
    packets: &mut [Packet],
    references: &[(usize, u32, bool)],
    pace: (i64, i64),
) {
    let after = |pictures: i64| pictures * pace.0 / pace.1;
    let mut follows = None;
    for group in references.chunk_by(|_, next| !next.2) {
        let known = group.iter().find_map(|&(index, number, _)| {
            let packet = packets.get(index)?;
            (packet.pts != Packet::UNTIMED).then(|| packet.pts - after(number.into()))
        });
        let Some(base) = known.or(follows) else {
            continue;
        };
        let count = i64::try_from(group.len()).unwrap_or(0);
        follows = Some(base + after(count));
        for &(index, number, _) in group {
            if let Some(packet) = packets.get_mut(index)
                && packet.pts == Packet::UNTIMED
            {
                packet.pts = base + after(number.into());
            }
        }
    }
    let mut last = None;
    for packet in packets.iter_mut() {
        if packet.pts == Packet::UNTIMED {
            packet.pts = last.map_or(packet.dts, |last| last + after(1));
        }
        last = Some(packet.pts);
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::PacketFlags;
    use super::*;

    const NONE: i64 = Packet::UNTIMED;

    fn packet(pts: i64) -> Packet {
        Packet {
            offset: 0,
            size: 1,
            description: 0,
            flags: PacketFlags::default(),
            dts: 0,
            pts,
            duration: 0,
        }
    }

    #[test]
    fn a_groups_pictures_are_timed_by_their_numbers() {
        let mut packets = [packet(7200), packet(NONE), packet(NONE), packet(NONE)];
        let references = [(0, 2, true), (1, 0, false), (2, 1, false), (3, 5, false)];
        complete(&mut packets, &references, (3600, 1));
        assert_eq!(packets.map(|packet| packet.pts), [7200, 0, 3600, 18_000]);
    }

    #[test]
    fn a_group_without_any_time_follows_the_one_before() {
        let mut packets = [packet(3600), packet(NONE), packet(NONE), packet(NONE)];
        let references = [(0, 1, true), (1, 0, false), (2, 1, true), (3, 0, false)];
        complete(&mut packets, &references, (3600, 1));
        assert_eq!(packets.map(|packet| packet.pts), [3600, 0, 10_800, 7200]);
    }
}
