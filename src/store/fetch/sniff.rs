//! What kind of file an import is, by its first bytes, as the content types that uploads are
//! declared with. It decides what is kept; which demuxer may open a file is decided again,
//! and more strictly, where it is opened.

/// Bytes worth looking at.
pub const LOOK: usize = 4096;

/// A transport stream packet.
const TS_PACKET: usize = 188;

/// What a file's head gives away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sniffed {
    /// Something that a composition may use, as this content type.
    Media(&'static str),
    /// A web page.
    Html,
    /// Anything else.
    Other,
}

/// Decides by content. The server's `content_type` and the name at the end of `path` only choose
/// between types that begin alike.
pub fn sniff(head: &[u8], content_type: Option<&str>, path: &str) -> Sniffed {
    let hint = Hint::new(content_type, path);
    if let Some(mime) = binary(head, &hint) {
        return Sniffed::Media(mime);
    }
    match text(head) {
        Some(text) => textual(&text, &hint),
        None => Sniffed::Other,
    }
}

/// Declared properties of a file, used only where its bytes are ambiguous.
struct Hint {
    declared: String,
    extension: String,
}

impl Hint {
    fn new(content_type: Option<&str>, path: &str) -> Self {
        let declared = content_type.and_then(|value| value.split(';').next());
        let last = path.rsplit('/').next().unwrap_or_default();
        let extension = last.rsplit_once('.').map_or("", |(_, extension)| extension);
        Self {
            declared: declared.unwrap_or_default().trim().to_ascii_lowercase(),
            extension: extension.to_ascii_lowercase(),
        }
    }

    fn is_audio(&self) -> bool {
        self.declared.starts_with("audio/")
            || matches!(self.extension.as_str(), "m4a" | "m4b" | "aac" | "oga")
    }

    fn is_page(&self) -> bool {
        matches!(
            self.declared.as_str(),
            "text/html" | "application/xhtml+xml"
        )
    }
}

fn binary(head: &[u8], hint: &Hint) -> Option<&'static str> {
    let at = |offset: usize, what: &[u8]| head.get(offset..).is_some_and(|h| h.starts_with(what));
    if at(4, b"ftyp") {
        return branded(head, hint);
    }
    // QuickTime files older than brands.
    let boxes: [&[u8]; 6] = [b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot"];
    if boxes.iter().any(|kind| at(4, kind)) {
        return Some("video/quicktime");
    }
    if at(0, b"RIFF") || at(0, b"RF64") {
        return match head.get(8..12) {
            Some(b"AVI ") => Some("video/x-msvideo"),
            Some(b"WAVE") => Some("audio/wav"),
            Some(b"WEBP") => Some("image/webp"),
            _ => None,
        };
    }
    if at(0, b"FORM") {
        return match head.get(8..12) {
            Some(b"AIFF" | b"AIFC") => Some("audio/aiff"),
            _ => None,
        };
    }
    if at(0, &[0x1a, 0x45, 0xdf, 0xa3]) {
        let webm = head.windows(4).take(64).any(|word| word == b"webm");
        return Some(if webm {
            "video/webm"
        } else {
            "video/x-matroska"
        });
    }
    let signatures: [(&[u8], &str); 16] = [
        (b"OggS", "audio/ogg"),
        (b"fLaC", "audio/flac"),
        (b"ID3", "audio/mpeg"),
        (&[0, 0, 1, 0xba], "video/mpeg"),
        (&[0, 0, 1, 0xb3], "video/mpeg"),
        (&[0xff, 0xd8, 0xff], "image/jpeg"),
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        (b"GIF87a", "image/gif"),
        (b"GIF89a", "image/gif"),
        (b"II*\0", "image/tiff"),
        (b"MM\0*", "image/tiff"),
        (&[0, 1, 0, 0, 0], "font/ttf"),
        (b"true", "font/ttf"),
        (b"OTTO", "font/otf"),
        (b"wOFF", "font/woff"),
        (b"wOF2", "font/woff2"),
    ];
    let known = signatures.iter().find(|(start, _)| at(0, start));
    known.map(|(_, mime)| *mime).or_else(|| bare_stream(head))
}

/// ISO base media, by its brands.
fn branded(head: &[u8], hint: &Hint) -> Option<&'static str> {
    let length = u32::from_be_bytes(head.get(..4)?.try_into().ok()?);
    let end = usize::try_from(length)
        .unwrap_or(head.len())
        .min(head.len());
    let major = head.get(8..12)?;
    let compatible = head.get(16..end).unwrap_or_default();
    let any = |brand: &[u8; 4]| major == brand || compatible.chunks(4).any(|b| b == brand);
    match major {
        b"avif" | b"avis" => Some("image/avif"),
        b"mif1" | b"msf1" | b"heic" | b"heix" | b"heim" | b"heis" | b"hevc" => {
            any(b"avif").then_some("image/avif")
        }
        b"qt  " => Some("video/quicktime"),
        b"M4A " | b"M4B " | b"M4P " | b"F4A " => Some("audio/mp4"),
        _ if hint.is_audio() => Some("audio/mp4"),
        _ => Some("video/mp4"),
    }
}

/// Streams without a header, recognised by how their packets begin.
fn bare_stream(head: &[u8]) -> Option<&'static str> {
    // 188-byte packets, or 192-byte ones with a time stamp in front.
    for (first, packet) in [(0, TS_PACKET), (4, TS_PACKET + 4)] {
        if (0..4).all(|n| head.get(first + n * packet) == Some(&0x47)) {
            return Some("video/mp2t");
        }
    }
    match head {
        // ADTS: 12 sync bits, layer 0.
        [0xff, second, ..] if second & 0xf6 == 0xf0 => Some("audio/aac"),
        // MPEG audio: 11 sync bits, a valid version, layer and rate. Two set bytes alone are
        // a byte order mark.
        [0xff, second, third, ..]
            if second & 0xe0 == 0xe0
                && second & 0x18 != 0x08
                && second & 0x06 != 0
                && third & 0xf0 != 0xf0
                && third & 0x0c != 0x0c
                && head.get(1) != Some(&0xfe) =>
        {
            Some("audio/mpeg")
        }
        _ => None,
    }
}

/// The head as text, if it is some: without its byte order mark, lower case.
fn text(head: &[u8]) -> Option<String> {
    let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
    // Pages in old encodings are no UTF-8, but text has no control bytes in any of them.
    let printable = |byte: &u8| *byte >= 0x20 || b"\t\r\n\x0c\x1b".contains(byte);
    (!head.is_empty() && head.iter().all(printable))
        .then(|| String::from_utf8_lossy(head).to_ascii_lowercase())
}

fn textual(text: &str, hint: &Hint) -> Sniffed {
    let body = without_prologue(text);
    if body.starts_with("<svg") || text.starts_with("<?xml") && body.contains("<svg") {
        return Sniffed::Media("image/svg+xml");
    }
    let opens = [
        "<!doctype html",
        "<html",
        "<head",
        "<body",
        "<script",
        "<title",
        "<meta",
    ];
    if opens.iter().any(|tag| body.starts_with(tag)) || hint.is_page() {
        return Sniffed::Html;
    }
    let mut lines = text.lines().map(str::trim_start);
    if lines.any(|line| line.starts_with("lut_3d_size") || line.starts_with("lut_1d_size")) {
        return Sniffed::Media("application/x-cube");
    }
    Sniffed::Other
}

/// What comes after white space, comments and an XML declaration; an SVG's own doctype too.
fn without_prologue(mut text: &str) -> &str {
    loop {
        text = text.trim_start();
        let skipped = [("<!--", "-->"), ("<?", "?>"), ("<!doctype svg", ">")]
            .into_iter()
            .find_map(|(open, close)| text.strip_prefix(open)?.split_once(close));
        match skipped {
            Some((_, rest)) => text = rest,
            None => return text,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ftyp(major: &[u8; 4], compatible: &[&[u8; 4]]) -> Vec<u8> {
        let length = u8::try_from(16 + 4 * compatible.len()).unwrap();
        let mut head = vec![0, 0, 0, length];
        head.extend_from_slice(b"ftyp");
        head.extend_from_slice(major);
        head.extend_from_slice(&[0; 4]);
        head.extend(compatible.iter().flat_map(|brand| brand.iter()));
        head.extend_from_slice(b"\0\0\0\x08moov");
        head
    }

    fn packets(size: usize, first: usize) -> Vec<u8> {
        let mut head = vec![0; first + size * 4];
        for n in 0..4 {
            head[first + n * size] = 0x47;
        }
        head
    }

    #[test]
    fn every_type_that_may_be_uploaded_is_recognised_by_its_bytes() {
        let mut webm = vec![0x1a, 0x45, 0xdf, 0xa3, 0x9f, 0x42, 0x82, 0x84];
        webm.extend_from_slice(b"webm");
        let cases: Vec<(Vec<u8>, &str)> = vec![
            (ftyp(b"isom", &[b"mp41"]), "video/mp4"),
            (ftyp(b"qt  ", &[]), "video/quicktime"),
            (b"\0\0\0\x08wide\0\0\0\0mdat".to_vec(), "video/quicktime"),
            (webm, "video/webm"),
            (
                b"\x1a\x45\xdf\xa3\x42\x82\x88matroska".to_vec(),
                "video/x-matroska",
            ),
            (b"RIFF\0\0\0\0AVI LIST".to_vec(), "video/x-msvideo"),
            (vec![0, 0, 1, 0xba, 0x44], "video/mpeg"),
            (packets(188, 0), "video/mp2t"),
            (packets(192, 4), "video/mp2t"),
            (vec![0xff, 0xfb, 0x90, 0x64], "audio/mpeg"),
            (b"ID3\x04\0".to_vec(), "audio/mpeg"),
            (ftyp(b"M4A ", &[b"isom"]), "audio/mp4"),
            (b"RIFF\0\0\0\0WAVEfmt ".to_vec(), "audio/wav"),
            (vec![0xff, 0xf1, 0x50, 0x80], "audio/aac"),
            (b"fLaC\0".to_vec(), "audio/flac"),
            (b"OggS\0".to_vec(), "audio/ogg"),
            (vec![0xff, 0xd8, 0xff, 0xe0], "image/jpeg"),
            (b"\x89PNG\r\n\x1a\n\0".to_vec(), "image/png"),
            (b"RIFF\0\0\0\0WEBPVP8 ".to_vec(), "image/webp"),
            (b"GIF89a\0".to_vec(), "image/gif"),
            (b"II*\0\x08".to_vec(), "image/tiff"),
            (b"MM\0*\0".to_vec(), "image/tiff"),
            (ftyp(b"avif", &[b"mif1"]), "image/avif"),
            (ftyp(b"mif1", &[b"miaf", b"avif"]), "image/avif"),
            (
                b"<svg xmlns='http://www.w3.org/2000/svg'/>".to_vec(),
                "image/svg+xml",
            ),
            (
                b"<?xml version='1.0'?>\n<!-- made -->\n<!DOCTYPE svg PUBLIC 'x' 'y'>\n<svg>"
                    .to_vec(),
                "image/svg+xml",
            ),
            (vec![0, 1, 0, 0, 0, 0x12], "font/ttf"),
            (b"true\0".to_vec(), "font/ttf"),
            (b"OTTO\0".to_vec(), "font/otf"),
            (b"wOFF\0".to_vec(), "font/woff"),
            (b"wOF2\0".to_vec(), "font/woff2"),
            (
                b"# made\nTITLE \"x\"\nLUT_3D_SIZE 33\n0 0 0".to_vec(),
                "application/x-cube",
            ),
        ];
        for (head, expected) in cases {
            // The declared type does not count.
            for lie in [None, Some("text/html"), Some("application/octet-stream")] {
                let page_like = lie == Some("text/html") && expected == "application/x-cube";
                let expected = if page_like {
                    Sniffed::Html
                } else {
                    Sniffed::Media(expected)
                };
                assert_eq!(
                    sniff(&head, lie, "/page.html"),
                    expected,
                    "{head:02x?} {lie:?}"
                );
            }
        }
    }

    #[test]
    fn pages_and_the_rest_are_told_apart() {
        let cases: [(&[u8], Option<&str>, Sniffed); 9] = [
            (b"\n<!DOCTYPE HTML>\n<html>", None, Sniffed::Html),
            (
                b"\xef\xbb\xbf<html lang=en>",
                Some("video/mp4"),
                Sniffed::Html,
            ),
            (b"<!-- hello --><html>", None, Sniffed::Html),
            (
                b"<div>part of a page",
                Some("text/html; charset=utf-8"),
                Sniffed::Html,
            ),
            (b"<div>part of a page", None, Sniffed::Other),
            (
                b"#EXTM3U\nhttp://example.com/",
                Some("video/mp4"),
                Sniffed::Other,
            ),
            (b"%PDF-1.7\n", None, Sniffed::Other),
            (b"\xff\xfe<\0h\0", None, Sniffed::Other),
            (b"", Some("video/mp4"), Sniffed::Other),
        ];
        for (head, declared, expected) in cases {
            assert_eq!(sniff(head, declared, "/a.mp4"), expected, "{head:02x?}");
        }
    }

    #[test]
    fn what_begins_alike_is_told_by_what_is_said() {
        let head = ftyp(b"isom", &[b"mp42"]);
        for (declared, path, expected) in [
            (Some("audio/mp4"), "/a", "audio/mp4"),
            (None, "/song.M4A", "audio/mp4"),
            (Some("image/png"), "/a.png", "video/mp4"),
        ] {
            assert_eq!(
                sniff(&head, declared, path),
                Sniffed::Media(expected),
                "{path}"
            );
        }
    }
}
