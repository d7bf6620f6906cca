//! Which container a file is, by its bytes: file names and declared types are not believed.

use super::Input;
use crate::media::MediaError;

/// Bytes looked at.
const LOOK: u64 = 4096;
/// Tags in front of a bare format (`ID3v2`) that are passed over; each may be followed by another.
const MAX_TAGS: usize = 16;

/// The containers that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Container {
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
    /// RIFF WAVE, RF64 too.
    Wav,
    /// AIFF and AIFF-C.
    Aiff,
    /// Ogg, whatever is in it.
    Ogg,
    /// Bare MPEG audio.
    Mp3,
    /// Bare FLAC.
    Flac,
    /// Bare AAC with ADTS headers.
    Adts,
}

impl Container {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Mp4,
        Self::Matroska,
        Self::Avi,
        Self::MpegPs,
        Self::MpegTs,
        Self::Wav,
        Self::Aiff,
        Self::Ogg,
        Self::Mp3,
        Self::Flac,
        Self::Adts,
    ];

    /// Its name in the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mp4 => "mp4",
            Self::Matroska => "matroska",
            Self::Avi => "avi",
            Self::MpegPs => "mpeg-ps",
            Self::MpegTs => "mpeg-ts",
            Self::Wav => "wav",
            Self::Aiff => "aiff",
            Self::Ogg => "ogg",
            Self::Mp3 => "mp3",
            Self::Flac => "flac",
            Self::Adts => "aac",
        }
    }
}

/// Reads the head of a file and decides; also where the container begins, behind tags.
pub(super) fn sniff(input: &mut Input) -> Result<(Container, u64), MediaError> {
    if input.length() == 0 {
        return Err(MediaError::Invalid("not a media file: it is empty".into()));
    }
    let start = behind_tags(input)?;
    let head = input.available(start, LOOK)?.to_vec();
    let head = head.as_slice();
    if let Some(container) = recognised(head) {
        return Ok((container, start));
    }
    if let Some(name) = unread(head) {
        return Err(MediaError::Unsupported(format!("{name} is not read")));
    }
    if let Some(found) = sound_within(input, start)? {
        return Ok(found);
    }
    if start > 0 {
        // A tag is nearly always an MP3's; its reader looks for the first frame.
        return Ok((Container::Mp3, start));
    }
    let what = if looks_like_html(head) {
        "not a media file: it is a web page"
    } else if is_text(head) {
        "not a media file: it is text"
    } else {
        "not a media file of a known kind"
    };
    Err(MediaError::Invalid(what.into()))
}

/// Bare MPEG audio or ADTS behind something else: half a frame where a recording was cut, zeros, a tag.
/// So many frames one behind another are no accident.
fn sound_within(input: &mut Input, start: u64) -> Result<Option<(Container, u64)>, MediaError> {
    const SEARCH: u64 = 64 * 1024;
    const FRAMES: usize = 5;
    let bytes = input.available(start, SEARCH)?;
    let size_at = |at: usize, container: Container| -> Option<usize> {
        let head = bytes.get(at..)?;
        let size = match container {
            Container::Adts => super::adts::Header::read(head)?.size,
            _ => super::mp3::Header::read(*head.first_chunk()?)?.size,
        };
        usize::try_from(size).ok().filter(|&size| size > 4)
    };
    let follow = |from: usize, container: Container| {
        let mut at = from;
        (0..FRAMES).all(|_| {
            let size = size_at(at, container);
            at += size.unwrap_or(0);
            size.is_some()
        })
    };
    let syncs = (0..bytes.len()).filter(|&at| bytes[at] == 0xff);
    for at in syncs {
        for container in [Container::Adts, Container::Mp3] {
            if follow(at, container) {
                return Ok(Some((container, start + at as u64)));
            }
        }
    }
    Ok(None)
}

/// The name of a kind of file that is known and not read.
fn unread(head: &[u8]) -> Option<&'static str> {
    let kinds: [(&[u8], &str); 18] = [
        (
            b"\x30\x26\xb2\x75\x8e\x66\xcf\x11",
            "Advanced Systems Format (WMV, WMA)",
        ),
        (b"FLV\x01", "Flash video"),
        (b"caff", "Core Audio Format"),
        (b"riff\x2e\x91\xcf\x11", "Wave64"),
        (b".RMF", "RealMedia"),
        (b"\x06\x0e\x2b\x34", "Material Exchange Format (MXF)"),
        (b"wvpk", "WavPack"),
        (b"TTA1", "True Audio"),
        (b"MAC ", "Monkey's Audio"),
        (b"MPCK", "Musepack"),
        (b"MP+", "Musepack"),
        (b"#!AMR", "AMR"),
        (b".snd", "Sun audio"),
        (b"DKIF", "IVF"),
        (b"YUV4MPEG2", "YUV4MPEG"),
        (b"MThd", "MIDI"),
        (b"nut/multimedia container", "NUT"),
        (b"\x0b\x77", "AC-3 without a container"),
    ];
    if matches!(head, [0x56, 0xe0..=0xff, ..]) {
        return Some("AAC in LOAS");
    }
    let known = kinds.iter().find(|(magic, _)| head.starts_with(magic));
    known.map(|&(_, name)| name).or_else(|| bare_pictures(head))
}

/// The name of a stream of pictures without a container, by its first start code.
fn bare_pictures(head: &[u8]) -> Option<&'static str> {
    let code = head
        .strip_prefix(&[0, 0, 0, 1])
        .or_else(|| head.strip_prefix(&[0, 0, 1]))?;
    match code {
        [0x09 | 0x27 | 0x47 | 0x67, ..] => Some("H.264 without a container"),
        [0x40 | 0x42 | 0x46, 0x01, ..] => Some("H.265 without a container"),
        [0xb3, ..] => Some("MPEG video without a container"),
        [0xb0 | 0x00..=0x2f, ..] => Some("MPEG-4 video without a container"),
        _ => None,
    }
}

/// Where the file goes on behind `ID3v2` tags.
fn behind_tags(input: &mut Input) -> Result<u64, MediaError> {
    let mut start = 0;
    for _ in 0..MAX_TAGS {
        let &[b'I', b'D', b'3', _, _, flags, a, b, c, d] = input.available(start, 10)? else {
            break;
        };
        let size = [a, b, c, d]
            .iter()
            .fold(0_u64, |size, byte| (size << 7) | u64::from(byte & 0x7f));
        let footer = if flags & 0x10 != 0 { 10 } else { 0 };
        start += 10 + size + footer;
    }
    Ok(start)
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
    let boxes: [&[u8]; 9] = [
        b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot", b"styp", b"moof",
    ];
    if boxes.iter().any(|kind| at(4, kind)) {
        return Some(Container::Mp4);
    }
    if at(0, &[0x1a, 0x45, 0xdf, 0xa3]) {
        return Some(Container::Matroska);
    }
    if at(0, b"RIFF") || at(0, b"RF64") || at(0, b"BW64") {
        return match head.get(8..12) {
            Some(b"AVI ") => Some(Container::Avi),
            Some(b"WAVE") => Some(Container::Wav),
            _ => None,
        };
    }
    if at(0, b"FORM") {
        return match head.get(8..12) {
            Some(b"AIFF" | b"AIFC") => Some(Container::Aiff),
            _ => None,
        };
    }
    if at(0, b"OggS") {
        return Some(Container::Ogg);
    }
    if at(0, b"fLaC") {
        return Some(Container::Flac);
    }
    if at(0, &[0, 0, 1, 0xba]) {
        return Some(Container::MpegPs);
    }
    if transport_stride(head).is_some() {
        return Some(Container::MpegTs);
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

/// Bytes from packet to packet and the first sync byte, of a transport stream.
pub(super) fn transport_stride(head: &[u8]) -> Option<(usize, usize)> {
    [188, 192, 204].into_iter().find_map(|stride| {
        (0..stride)
            .find(|&first| (0..4).all(|n| head.get(first + n * stride) == Some(&0x47)))
            .map(|first| (stride, first))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn containers_are_recognised_by_their_first_bytes() {
        let mut packets = vec![0_u8; 188 * 4];
        for n in 0..4 {
            packets[n * 188] = 0x47;
        }
        let cases: [(&[u8], Option<Container>); 13] = [
            (b"\0\0\0\x20ftypisom", Some(Container::Mp4)),
            (&[0x1a, 0x45, 0xdf, 0xa3, 1], Some(Container::Matroska)),
            (b"RIFF\0\0\0\0AVI LIST", Some(Container::Avi)),
            (b"RIFF\0\0\0\0WAVEfmt ", Some(Container::Wav)),
            (b"RIFF\0\0\0\0WEBPVP8 ", None),
            (b"FORM\0\0\0\0AIFFCOMM", Some(Container::Aiff)),
            (b"OggS\0", Some(Container::Ogg)),
            (b"fLaC\0", Some(Container::Flac)),
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

    #[test]
    fn what_is_known_and_not_read_is_named() {
        for (head, name) in [
            (&b"FLV\x01\x05\0\0\0\x09"[..], "Flash video"),
            (b"caff\0\x01\0\0desc", "Core Audio Format"),
            (&[0, 0, 0, 1, 0x67, 0x64], "H.264 without a container"),
            (&[0, 0, 1, 0xb3, 0x14], "MPEG video without a container"),
            (&[0x0b, 0x77, 1, 2], "AC-3 without a container"),
        ] {
            let refused = sniff(&mut Input::from_bytes(head.to_vec())).unwrap_err();
            assert_eq!(
                refused.to_string(),
                format!("unsupported media: {name} is not read")
            );
        }
    }

    #[test]
    fn a_tag_in_front_does_not_decide_what_follows() {
        for (rest, expected) in [
            (&b"fLaC\0"[..], Container::Flac),
            (&[0xff, 0xf1, 0x50, 0x80], Container::Adts),
            (&[0xff, 0xfb, 0x90, 0x64], Container::Mp3),
            (&[0; 8], Container::Mp3),
        ] {
            let tag = [b"ID3\x04\0\0\0\0\x01\x02".as_slice(), &[7; 130], rest].concat();
            let found = sniff(&mut Input::from_bytes(tag)).expect("recognised");
            assert_eq!(found, (expected, 140));
        }
    }
}
