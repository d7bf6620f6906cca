//! The delay and padding of an MP3 file, from the `Xing`/`Info` frame with its `LAME` extension.
//! Nothing in the pipeline removes them.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use super::super::MediaError;

/// Samples that every MP3 decoder is late by, over what the encoder declares.
const DECODER_DELAY: i64 = 529;
/// Bytes of a first frame that can matter.
const LOOK: u64 = 2048;
/// Hertz by version (2.5, 2, 1) and index.
const RATES: [[i64; 3]; 3] = [
    [11_025, 12_000, 8_000],
    [22_050, 24_000, 16_000],
    [44_100, 48_000, 32_000],
];

/// What is to be cut off, in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Gapless {
    /// From the beginning.
    pub(super) lead: i64,
    /// Length of what remains, if the file says.
    pub(super) duration: Option<i64>,
}

/// Reads the declaration of an MP3 file; nothing if it makes none.
pub(super) fn gapless(path: &Path) -> Result<Option<Gapless>, MediaError> {
    let mut file = File::open(path)?;
    let mut head = [0_u8; 10];
    if file.read_exact(&mut head).is_err() {
        return Ok(None);
    }
    let start = match head {
        [b'I', b'D', b'3', _, _, _, a, b, c, d] => {
            10 + [a, b, c, d]
                .iter()
                .fold(0_u64, |size, byte| (size << 7) | u64::from(byte & 0x7f))
        }
        _ => 0,
    };
    file.seek(SeekFrom::Start(start))?;
    let mut frame = Vec::new();
    file.take(LOOK).read_to_end(&mut frame)?;
    Ok(declared(&frame))
}

fn declared(frame: &[u8]) -> Option<Gapless> {
    let &[0xff, second, third, fourth, ..] = frame else {
        return None;
    };
    // MPEG 1, 2 or 2.5, layer 3.
    if second & 0xe6 != 0xe2 {
        return None;
    }
    let version = match (second >> 3) & 3 {
        0 => 0,
        2 => 1,
        3 => 2,
        _ => return None,
    };
    let rate = *RATES[version].get(usize::from((third >> 2) & 3))?;
    let mono = fourth >> 6 == 3;
    let side = match (version, mono) {
        (2, false) => 32,
        (2, true) | (0 | 1, false) => 17,
        _ => 9,
    };
    let tag = frame.get(4 + side..)?;
    if !tag.starts_with(b"Xing") && !tag.starts_with(b"Info") {
        return None;
    }
    let flags = *tag.get(7)?;
    let mut at = 8;
    let mut frames = None;
    if flags & 1 != 0 {
        let count: [u8; 4] = tag.get(at..at + 4)?.try_into().ok()?;
        frames = Some(i64::from(u32::from_be_bytes(count)));
        at += 4;
    }
    at += if flags & 2 != 0 { 4 } else { 0 };
    at += if flags & 4 != 0 { 100 } else { 0 };
    at += if flags & 8 != 0 { 4 } else { 0 };
    let extension = tag.get(at..at + 24)?;
    if extension[0] == 0 {
        return None;
    }
    let [high, middle, low] = [extension[21], extension[22], extension[23]].map(i64::from);
    let delay = (high << 4) | (middle >> 4);
    let padding = ((middle & 15) << 8) | low;
    let per_frame = if version == 2 { 1152 } else { 576 };
    let nanos = |samples: i64| samples.saturating_mul(1_000_000_000) / rate;
    Some(Gapless {
        lead: nanos(delay + DECODER_DELAY),
        duration: frames.map(|count| nanos((count * per_frame - delay - padding).max(0))),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first_frame(extension: [u8; 24]) -> Vec<u8> {
        let mut frame = vec![0xff, 0xfb, 0x94, 0x00];
        frame.resize(4 + 32, 0);
        frame.extend_from_slice(b"Info\0\0\0\x0f");
        frame.extend_from_slice(&100_u32.to_be_bytes());
        frame.resize(frame.len() + 4 + 100 + 4, 0);
        frame.extend_from_slice(&extension);
        frame
    }

    #[test]
    fn delay_and_padding_are_read_from_the_extension() {
        let mut extension = [0_u8; 24];
        extension[..4].copy_from_slice(b"LAME");
        // 576 samples of delay, 1000 of padding.
        extension[21..].copy_from_slice(&[0x24, 0x03, 0xe8]);
        let gapless = declared(&first_frame(extension)).expect("declared");
        assert_eq!(gapless.lead, 1105 * 1_000_000_000 / 48_000);
        let samples = 100 * 1152 - 576 - 1000;
        assert_eq!(gapless.duration, Some(samples * 1_000_000_000 / 48_000));
    }

    #[test]
    fn a_file_without_the_extension_declares_nothing() {
        assert_eq!(declared(&first_frame([0; 24])), None);
        assert_eq!(declared(&[0xff, 0xfb, 0x94, 0x00]), None);
        assert_eq!(declared(b"RIFF"), None);
    }
}
