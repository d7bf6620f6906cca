//! Times of pictures whose packets of the stream say none.

use super::super::Packet;

/// Fills in presentation times that are not there, and durations. MPEG-1 and 2 number pictures
/// within their groups (`references`: packet, number, whether it begins a group), so that one
/// time gives those of its whole group; other codecs are taken to show pictures as decoded.
pub(super) fn complete(packets: &mut [Packet], references: &[(usize, u32, bool)], step: i64) {
    for group in references.chunk_by(|_, next| !next.2) {
        let known = group.iter().find_map(|&(index, number, _)| {
            let packet = packets.get(index)?;
            (packet.pts != Packet::UNTIMED).then(|| packet.pts - i64::from(number) * step)
        });
        let Some(base) = known else { continue };
        for &(index, number, _) in group {
            if let Some(packet) = packets.get_mut(index)
                && packet.pts == Packet::UNTIMED
            {
                packet.pts = base + i64::from(number) * step;
            }
        }
    }
    let mut last = None;
    for packet in packets.iter_mut() {
        if packet.pts == Packet::UNTIMED {
            packet.pts = last.map_or(packet.dts, |last| last + step);
        }
        last = Some(packet.pts);
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::PacketFlags;
    use super::*;

    #[test]
    fn a_groups_pictures_are_timed_by_their_numbers() {
        let packet = |pts| Packet {
            offset: 0,
            size: 1,
            description: 0,
            flags: PacketFlags::default(),
            dts: 0,
            pts,
            duration: 0,
        };
        let none = Packet::UNTIMED;
        let mut packets = [packet(7200), packet(none), packet(none), packet(none)];
        let references = [(0, 2, true), (1, 0, false), (2, 1, false), (3, 5, false)];
        complete(&mut packets, &references, 3600);
        assert_eq!(packets.map(|packet| packet.pts), [7200, 0, 3600, 18_000]);
    }
}
