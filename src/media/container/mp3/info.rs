//! The first frame of many files: no sound but the encoder's description of the file (`Xing`,
//! `Info` with LAME's extension, `VBRI`).

use super::Header;

/// Nothing if `frame` is sound. Else delay and padding in samples, if they are declared.
pub(super) fn read(header: &Header, frame: &[u8]) -> Option<Option<(u64, u64)>> {
    if header.layer != 3 {
        return None;
    }
    if frame.get(36..40) == Some(b"VBRI") {
        return Some(None);
    }
    let tag = frame.get(4 + header.side()..)?;
    if !tag.starts_with(b"Xing") && !tag.starts_with(b"Info") {
        return None;
    }
    Some(extension(tag))
}

fn extension(tag: &[u8]) -> Option<(u64, u64)> {
    let flags = *tag.get(7)?;
    // Frames, bytes, table of contents, quality: each there if its flag is.
    let at = 8 + [4, 4, 100, 4]
        .iter()
        .enumerate()
        .filter(|&(bit, _)| flags & 1 << bit != 0)
        .map(|(_, size)| size)
        .sum::<usize>();
    let extension = tag.get(at..at + 24)?;
    if extension[0] == 0 {
        return None;
    }
    let [high, middle, low] = [extension[21], extension[22], extension[23]].map(u64::from);
    Some((high << 4 | middle >> 4, (middle & 15) << 8 | low))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first_frame(extension: [u8; 24]) -> (Header, Vec<u8>) {
        let mut frame = vec![0xff, 0xfb, 0x94, 0x00];
        frame.resize(4 + 32, 0);
        frame.extend_from_slice(b"Info\0\0\0\x0f");
        frame.extend_from_slice(&100_u32.to_be_bytes());
        frame.resize(frame.len() + 4 + 100 + 4, 0);
        frame.extend_from_slice(&extension);
        (
            Header::read([0xff, 0xfb, 0x94, 0]).expect("a header"),
            frame,
        )
    }

    #[test]
    fn delay_and_padding_are_read_from_the_extension() {
        let mut extension = [0_u8; 24];
        extension[..4].copy_from_slice(b"LAME");
        // 576 samples of delay, 1000 of padding.
        extension[21..].copy_from_slice(&[0x24, 0x03, 0xe8]);
        let (header, frame) = first_frame(extension);
        assert_eq!(
            (header.rate, header.samples, header.size),
            (48_000, 1152, 384)
        );
        assert_eq!(read(&header, &frame), Some(Some((576, 1000))));
    }

    #[test]
    fn a_frame_without_the_extension_declares_nothing() {
        let (header, mut frame) = first_frame([0; 24]);
        assert_eq!(read(&header, &frame), Some(None));
        frame[36..40].copy_from_slice(&[0; 4]);
        assert_eq!(read(&header, &frame), None);
    }
}
