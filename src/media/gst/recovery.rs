//! Packets looked into: can decoding begin here, and is anything shown. Containers and parsers
//! also flag I pictures that later pictures reach across; only the bitstream knows.

use gstreamer as gst;

/// The form in which packets of a codec are looked into, where a codec has several.
pub(super) fn readable_form(codec: &str) -> Option<gst::Caps> {
    let name = match codec {
        "h264" => "video/x-h264",
        "h265" => "video/x-h265",
        _ => return None,
    };
    Some(
        gst::Caps::builder(name)
            .field("stream-format", "byte-stream")
            .field("alignment", "au")
            .build(),
    )
}

/// Whether every picture shown after this one decodes without what lies before it.
pub(super) fn is_closed(codec: &str, packet: &[u8]) -> bool {
    match codec {
        // Instantaneous decoder refresh.
        "h264" => units(packet).any(|head| head & 0x1f == 5),
        // IDR, BLA and CRA: pictures that lean on earlier ones are shown before these.
        "h265" => units(packet).any(|head| (16..=21).contains(&((head >> 1) & 0x3f))),
        _ => true,
    }
}

/// Whether a packet makes a reference picture that is never shown.
pub(super) fn is_hidden(codec: &str, packet: &[u8]) -> bool {
    codec == "vp8" && packet.first().is_some_and(|first| first & 0x10 == 0)
}

/// First byte of each unit behind a start code.
fn units(packet: &[u8]) -> impl Iterator<Item = u8> + '_ {
    packet
        .windows(4)
        .filter(|window| window.starts_with(&[0, 0, 1]))
        .map(|window| window[3])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_refresh_closes_an_h264_group() {
        let idr = [0, 0, 0, 1, 0x67, 1, 2, 0, 0, 1, 0x65, 9];
        let intra = [0, 0, 0, 1, 0x06, 5, 0, 0, 1, 0x41, 9];
        assert!(is_closed("h264", &idr));
        assert!(!is_closed("h264", &intra));
    }

    #[test]
    fn a_clean_random_access_picture_opens_an_h265_group() {
        assert!(is_closed("h265", &[0, 0, 1, 21 << 1, 1, 9]));
        assert!(!is_closed("h265", &[0, 0, 1, 1 << 1, 1, 9]));
    }

    #[test]
    fn vp8_reference_pictures_are_not_shown() {
        assert!(is_hidden("vp8", &[0x00]));
        assert!(!is_hidden("vp8", &[0x10]));
        assert!(!is_hidden("vp9", &[0x00]));
    }
}
