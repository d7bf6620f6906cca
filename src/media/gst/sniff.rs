//! Which container a file is, by its first bytes. Only what is named here is ever given to a
//! demuxer: file names and declared types are not believed.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::super::MediaError;

/// Bytes looked at.
const LOOK: u64 = 4096;
/// A transport stream packet.
const TS_PACKET: usize = 188;

/// The containers that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Container {
    /// ISO base media and `QuickTime`.
    Mp4,
    /// Matroska and `WebM`.
    Matroska,
    /// RIFF AVI.
    Avi,
    /// MPEG program stream.
    MpegPs,
    /// MPEG transport stream.
    MpegTs,
    /// RIFF WAVE.
    Wav,
    /// Ogg, whatever is in it.
    Ogg,
    /// Bare MPEG audio.
    Mp3,
    /// Bare FLAC.
    Flac,
    /// Bare AAC with ADTS headers.
    Adts,
    /// An ID3 tag with one of the bare formats behind it.
    Id3,
}

impl Container {
    /// All of them.
    #[cfg(test)]
    pub(super) const ALL: [Self; 11] = [
        Self::Mp4,
        Self::Matroska,
        Self::Avi,
        Self::MpegPs,
        Self::MpegTs,
        Self::Wav,
        Self::Ogg,
        Self::Mp3,
        Self::Flac,
        Self::Adts,
        Self::Id3,
    ];

    /// Its name in one word.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Mp4 => "mp4",
            Self::Matroska => "matroska",
            Self::Avi => "avi",
            Self::MpegPs => "mpeg-ps",
            Self::MpegTs => "mpeg-ts",
            Self::Wav => "wav",
            Self::Ogg => "ogg",
            Self::Mp3 | Self::Id3 => "mp3",
            Self::Flac => "flac",
            Self::Adts => "aac",
        }
    }

    /// The element that takes it apart.
    pub(super) fn demuxer(self) -> &'static str {
        match self {
            Self::Mp4 => "qtdemux",
            Self::Matroska => "matroskademux",
            Self::Avi => "avidemux",
            Self::MpegPs => "mpegpsdemux",
            Self::MpegTs => "tsdemux",
            Self::Wav => "wavparse",
            Self::Ogg => "oggdemux",
            Self::Mp3 => "mpegaudioparse",
            Self::Flac => "flacparse",
            Self::Adts => "aacparse",
            Self::Id3 => "id3demux",
        }
    }

    /// Caps of the only stream, where the format has no tracks.
    pub(super) fn bare(self) -> Option<&'static str> {
        match self {
            // A tag is nearly always an MP3's.
            Self::Mp3 | Self::Id3 => Some("audio/mpeg,mpegversion=(int)1,layer=(int)3"),
            Self::Flac => Some("audio/x-flac"),
            Self::Adts => Some("audio/mpeg,mpegversion=(int)4"),
            Self::Wav => Some("audio/x-raw"),
            _ => None,
        }
    }

    /// Whether a seek to a keyframe is to be trusted.
    pub(super) fn seekable(self) -> bool {
        matches!(self, Self::Mp4 | Self::Matroska)
    }
}

/// Reads the head of a file and decides.
pub(super) fn sniff(path: &Path) -> Result<Container, MediaError> {
    let mut head = Vec::new();
    File::open(path)?.take(LOOK).read_to_end(&mut head)?;
    if head.is_empty() {
        return Err(MediaError::Invalid("not a media file: it is empty".into()));
    }
    recognised(&head).ok_or_else(|| {
        let what = if looks_like_html(&head) {
            "not a media file: it is a web page"
        } else if is_text(&head) {
            "not a media file: it is text"
        } else {
            "not a media file of a known kind"
        };
        MediaError::Invalid(what.into())
    })
}

fn is_text(head: &[u8]) -> bool {
    // The head may end within a character.
    let unicode = std::str::from_utf8(head).map_or_else(|e| e.error_len().is_none(), |_| true);
    unicode
        && head
            .iter()
            .all(|&byte| byte >= 0x20 || b"\t\r\n".contains(&byte))
}

fn looks_like_html(head: &[u8]) -> bool {
    let start: Vec<u8> = head
        .iter()
        .skip_while(|byte| byte.is_ascii_whitespace())
        .take(14)
        .map(u8::to_ascii_lowercase)
        .collect();
    start.starts_with(b"<!doctype html") || start.starts_with(b"<html")
}

fn recognised(head: &[u8]) -> Option<Container> {
    let at = |offset: usize, what: &[u8]| head.get(offset..).is_some_and(|h| h.starts_with(what));
    let boxes: [&[u8]; 7] = [
        b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot",
    ];
    if boxes.iter().any(|kind| at(4, kind)) {
        return Some(Container::Mp4);
    }
    if at(0, &[0x1a, 0x45, 0xdf, 0xa3]) {
        return Some(Container::Matroska);
    }
    if at(0, b"RIFF") || at(0, b"RF64") {
        return match head.get(8..12) {
            Some(b"AVI ") => Some(Container::Avi),
            Some(b"WAVE") => Some(Container::Wav),
            _ => None,
        };
    }
    if at(0, b"OggS") {
        return Some(Container::Ogg);
    }
    if at(0, b"fLaC") {
        return Some(Container::Flac);
    }
    if at(0, b"ID3") {
        return Some(Container::Id3);
    }
    if at(0, &[0, 0, 1, 0xba]) {
        return Some(Container::MpegPs);
    }
    // 188-byte packets, or 192-byte ones with a time stamp in front.
    for (first, packet) in [(0, TS_PACKET), (4, TS_PACKET + 4)] {
        let sync = |n: usize| head.get(first + n * packet) == Some(&0x47);
        if (0..4).all(sync) {
            return Some(Container::MpegTs);
        }
    }
    match head {
        // ADTS: 12 sync bits, layer 0.
        [0xff, second, ..] if second & 0xf6 == 0xf0 => Some(Container::Adts),
        // MPEG audio: 11 sync bits, a valid version, layer 3, 2 or 1, a valid rate.
        [0xff, second, third, ..]
            if second & 0xe0 == 0xe0
                && second & 0x18 != 0x08
                && second & 0x06 != 0
                && third & 0xf0 != 0xf0
                && third & 0x0c != 0x0c =>
        {
            Some(Container::Mp3)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn containers_are_told_by_their_first_bytes() {
        let mut packets = vec![0_u8; TS_PACKET * 4];
        for n in 0..4 {
            packets[n * TS_PACKET] = 0x47;
        }
        let cases: [(&[u8], Option<Container>); 12] = [
            (b"\0\0\0\x20ftypisom", Some(Container::Mp4)),
            (&[0x1a, 0x45, 0xdf, 0xa3, 1], Some(Container::Matroska)),
            (b"RIFF\0\0\0\0AVI LIST", Some(Container::Avi)),
            (b"RIFF\0\0\0\0WAVEfmt ", Some(Container::Wav)),
            (b"RIFF\0\0\0\0WEBPVP8 ", None),
            (b"OggS\0", Some(Container::Ogg)),
            (b"ID3\x04", Some(Container::Id3)),
            (&[0xff, 0xfb, 0x90, 0x64], Some(Container::Mp3)),
            (&[0xff, 0xf1, 0x50, 0x80], Some(Container::Adts)),
            (&packets, Some(Container::MpegTs)),
            (b"\x89PNG\r\n\x1a\n", None),
            (b"#EXTM3U\nhttp://example.com/", None),
        ];
        for (head, expected) in cases {
            assert_eq!(recognised(head), expected, "{head:02x?}");
        }
    }
}
