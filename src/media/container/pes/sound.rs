//! Frames of sound in an elementary stream: MPEG audio, ADTS, AC-3.

use super::super::adts;
use super::super::mp3;
use super::super::{AudioFormat, Codec};

/// One frame.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Frame {
    pub(super) start: usize,
    /// Bytes at its beginning that the decoder does not get.
    pub(super) header: usize,
    size: usize,
    pub(super) samples: u32,
    pub(super) codec: Codec,
    pub(super) config: Vec<u8>,
    pub(super) format: AudioFormat,
}

impl Frame {
    pub(super) fn end(&self) -> usize {
        self.start + self.size
    }
}

/// The first frame at `from` or after, whole or not.
pub(super) fn next(codec: &Codec, bytes: &[u8], from: usize) -> Option<Frame> {
    let read: fn(&[u8]) -> Option<Frame> = match codec {
        Codec::Mp3 | Codec::Mp2 => mpeg,
        Codec::Aac => aac,
        Codec::Ac3 | Codec::Eac3 => ac3,
        _ => return None,
    };
    let mut at = from;
    while at + 4 <= bytes.len() {
        if let Some(mut frame) = read(&bytes[at..]) {
            // What looks like a frame is one if another follows, or nothing yet.
            let behind = bytes.get(at + frame.size..).unwrap_or_default();
            if behind.len() < 9 || read(behind).is_some() {
                frame.start = at;
                return Some(frame);
            }
        }
        at += 1;
    }
    None
}

fn format(rate: u32, channels: u16) -> AudioFormat {
    AudioFormat {
        sample_rate: rate,
        channels,
        ..AudioFormat::default()
    }
}

fn mpeg(bytes: &[u8]) -> Option<Frame> {
    let header = mp3::Header::read(bytes.get(..4)?.try_into().ok()?)?;
    Some(Frame {
        start: 0,
        header: 0,
        size: header.size as usize,
        samples: header.samples,
        codec: if header.layer == 3 {
            Codec::Mp3
        } else {
            Codec::Mp2
        },
        config: Vec::new(),
        format: format(header.rate, header.channels),
    })
}

fn aac(bytes: &[u8]) -> Option<Frame> {
    let header = adts::Header::read(bytes)?;
    Some(Frame {
        start: 0,
        header: header.header as usize,
        size: header.size as usize,
        samples: header.blocks * 1024,
        codec: Codec::Aac,
        config: header.config(),
        format: format(header.rate(), header.channels()),
    })
}

/// AC-3 and E-AC-3 (ETSI TS 102 366).
fn ac3(bytes: &[u8]) -> Option<Frame> {
    const KILOBITS: [u32; 19] = [
        32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 576, 640,
    ];
    const CHANNELS: [u16; 8] = [2, 1, 2, 3, 3, 4, 4, 5];
    let &[0x0b, 0x77, third, fourth, fifth, sixth, seventh, ..] = bytes else {
        return None;
    };
    if sixth >> 3 > 10 {
        // E-AC-3: its size is written, in words.
        let words = u32::from(third & 7) << 8 | u32::from(fourth);
        let code = fifth >> 6;
        let (rate, blocks) = if code == 3 {
            let rate = *[24_000, 22_050, 16_000].get(usize::from(fifth >> 4 & 3))?;
            (rate, 6)
        } else {
            let blocks = [1, 2, 3, 6][usize::from(fifth >> 4 & 3)];
            ([48_000, 44_100, 32_000][usize::from(code)], blocks)
        };
        let channels = CHANNELS[usize::from(fifth >> 1 & 7)] + u16::from(fifth & 1);
        return Some(Frame {
            start: 0,
            header: 0,
            size: (words as usize + 1) * 2,
            samples: blocks * 256,
            codec: Codec::Eac3,
            config: Vec::new(),
            format: format(rate, channels),
        });
    }
    let rate = *[48_000_u32, 44_100, 32_000].get(usize::from(fifth >> 6))?;
    let index = fifth & 0x3f;
    let kilobits = *KILOBITS.get(usize::from(index / 2))?;
    // 1536 samples, in words; at 44.1 kHz every other size has one more.
    let words = kilobits * 1000 * 1536 / rate / 16 + u32::from(rate == 44_100 && index % 2 == 1);
    let mode = seventh >> 5;
    // The low-frequency flag lies behind the mode's levels of centre and surround.
    let skipped = match mode {
        2 => 2,
        _ => u8::from(mode & 1 == 1 && mode != 1) * 2 + u8::from(mode & 4 != 0) * 2,
    };
    let has_low = seventh << (3 + skipped).min(7) & 0x80 != 0;
    Some(Frame {
        start: 0,
        header: 0,
        size: words as usize * 2,
        samples: 1536,
        codec: Codec::Ac3,
        config: Vec::new(),
        format: format(rate, CHANNELS[usize::from(mode)] + u16::from(has_low)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ac3_frames_say_their_size() {
        // 48 kHz, 192 kb/s, stereo.
        let frame = ac3(&[0x0b, 0x77, 0, 0, 0x14, 0x40, 0x40, 0]).expect("a frame");
        assert_eq!(
            (frame.size, frame.samples, frame.format.channels),
            (768, 1536, 2)
        );
        assert_eq!(ac3(&[0x0b, 0x77, 0, 0, 0xff, 0x40, 0x40, 0]), None);
    }
}
