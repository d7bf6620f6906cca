//! What a server's headers give about the bytes it sends, and the name a file is to have.

use reqwest::header::{self, HeaderMap, HeaderName};
use url::Url;

/// Longest name kept, in bytes.
const NAME_BYTES: usize = 200;

/// The headers of an answer that outlive it.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    /// Where it came from, after redirects.
    pub(super) url: Url,
    pub(super) etag: Option<String>,
    pub(super) last_modified: Option<String>,
    pub(super) content_type: Option<String>,
    pub(super) disposition: Option<String>,
    /// `name=value` of each cookie set.
    pub(super) cookies: Vec<String>,
}

impl Answer {
    pub(super) fn of(url: Url, headers: &HeaderMap) -> Self {
        let one = |name| text(headers, &name).map(str::to_owned);
        let cookies = headers.get_all(header::SET_COOKIE).iter();
        Self {
            url,
            etag: one(header::ETAG),
            last_modified: one(header::LAST_MODIFIED),
            content_type: one(header::CONTENT_TYPE),
            disposition: disposition(headers),
            cookies: cookies
                .filter_map(|cookie| cookie.to_str().ok()?.split(';').next())
                .map(|pair| pair.trim().to_owned())
                .filter(|pair| pair.contains('='))
                .collect(),
        }
    }

    /// The file's name: as the server gives it, else the end of a path it was found under.
    pub(super) fn filename(&self, asked: &Url) -> Option<String> {
        let given = self.disposition.as_deref().and_then(named);
        given
            .or_else(|| last_step(asked))
            .or_else(|| last_step(&self.url))
    }
}

pub(super) fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// Servers send names in it as they are, against the standard.
fn disposition(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::CONTENT_DISPOSITION)?;
    Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
}

/// `filename*` of a `Content-Disposition`, else its `filename`.
fn named(disposition: &str) -> Option<String> {
    let mut plain = None;
    for parameter in parameters(disposition) {
        let Some((name, value)) = parameter.split_once('=') else {
            continue;
        };
        let (name, value) = (name.trim().to_ascii_lowercase(), value.trim());
        if name == "filename*"
            && let Some((_, encoded)) = value.split_once("''")
        {
            let decoded = percent_encoding::percent_decode_str(encoded).decode_utf8_lossy();
            return clean(&decoded);
        }
        if name == "filename" {
            let value = value.strip_prefix('"').unwrap_or(value);
            let value = value.strip_suffix('"').unwrap_or(value);
            plain = clean(&value.replace("\\\"", "\""));
        }
    }
    plain
}

/// Splits at the semicolons that are not within quotes.
fn parameters(value: &str) -> Vec<&str> {
    let (mut parts, mut start, mut quoted, mut escaped) = (Vec::new(), 0, false, false);
    for (at, character) in value.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            ';' if !quoted => {
                parts.push(&value[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&value[start..]);
    parts
}

/// The last step of a path, if it looks like a file's name.
fn last_step(url: &Url) -> Option<String> {
    let last = url.path_segments()?.next_back()?;
    let decoded = percent_encoding::percent_decode_str(last).decode_utf8_lossy();
    clean(&decoded).filter(|name| name.trim_matches('.').contains('.'))
}

/// A name alone: no path, nothing that does not print, not too long.
pub(super) fn clean(name: &str) -> Option<String> {
    let name = name.rsplit(['/', '\\']).next()?;
    let mut name: String = name.chars().filter(|c| !c.is_control()).collect();
    if name.len() > NAME_BYTES {
        // The end of a name is kept: it has the extension.
        let ending = name.rfind('.').map(|dot| name[dot..].to_owned());
        let ending = ending
            .filter(|ending| ending.len() <= 10)
            .unwrap_or_default();
        name.truncate(name.floor_char_boundary(NAME_BYTES - ending.len()));
        name += &ending;
    }
    let name = name.trim();
    (!name.trim_matches('.').is_empty()).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(url: &str, disposition: Option<&str>) -> Answer {
        Answer {
            url: Url::parse(url).unwrap(),
            etag: None,
            last_modified: None,
            content_type: None,
            disposition: disposition.map(str::to_owned),
            cookies: Vec::new(),
        }
    }

    #[test]
    fn a_file_is_named_by_the_server_else_by_its_path() {
        let cases = [
            (Some("attachment; filename=\"a b.mp4\""), Some("a b.mp4")),
            (Some("attachment; filename=plain.mp4"), Some("plain.mp4")),
            (
                Some("attachment; filename=\"x.mp4\"; filename*=UTF-8''%E2%82%AC%20x.mp4"),
                Some("€ x.mp4"),
            ),
            (
                Some("attachment; filename=\"semi;colon.mp4\""),
                Some("semi;colon.mp4"),
            ),
            (
                Some("attachment; filename=\"../../etc/passwd\""),
                Some("passwd"),
            ),
            (Some("attachment; filename=\"..\""), Some("clip one.mp4")),
            (Some("inline"), Some("clip one.mp4")),
            (None, Some("clip one.mp4")),
        ];
        let asked = Url::parse("https://a.example/x/clip%20one.mp4?dl=1").unwrap();
        for (disposition, expected) in cases {
            let answer = answer("https://b.example/download", disposition);
            assert_eq!(
                answer.filename(&asked).as_deref(),
                expected,
                "{disposition:?}"
            );
        }
        let nameless = Url::parse("https://a.example/download?id=1").unwrap();
        assert_eq!(answer("https://b.example/", None).filename(&nameless), None);
        let moved = answer("https://b.example/real.mov", None);
        assert_eq!(moved.filename(&nameless).as_deref(), Some("real.mov"));
    }

    #[test]
    fn a_long_name_keeps_its_ending() {
        let name = clean(&format!("{}.mp4", "é".repeat(300))).unwrap();
        assert!(
            name.len() <= NAME_BYTES && name.ends_with("é.mp4"),
            "{name}"
        );
    }
}
