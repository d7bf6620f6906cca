//! What has arrived of a download, and whether a broken one may go on where it stopped.

use std::path::Path;
use std::time::Duration;

use cluster::model::Digest;
use reqwest::RequestBuilder;
use reqwest::header::{self, HeaderMap};

use super::answer::text;
use super::error::FetchError;
use crate::store::BulkFile;

/// A file is dated to the second: one that is younger may change again within it.
const SETTLED: Duration = Duration::from_secs(1);

/// What has arrived so far. Kept over retries, so that a resumed download goes on hashing.
pub(super) struct Partial {
    file: BulkFile,
    /// What the bytes so far belong to.
    version: Version,
}

/// How a server identifies the version of a file it sends.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Version {
    /// For `If-Range`: equal only if every byte is.
    validator: Option<String>,
    etag: Option<String>,
    /// Of the whole file.
    length: Option<u64>,
}

impl Partial {
    pub(super) async fn create(scratch: &Path) -> Result<Self, FetchError> {
        Ok(Self {
            file: BulkFile::create(scratch).map_err(failed)?,
            version: Version::default(),
        })
    }

    /// Bytes that have arrived.
    pub(super) fn length(&self) -> u64 {
        self.file.length()
    }

    /// Asks for the rest only, where something has arrived of a version that can be named.
    pub(super) fn ask_for_rest(&self, request: RequestBuilder) -> RequestBuilder {
        match &self.version.validator {
            Some(validator) if self.length() > 0 => request
                .header(header::RANGE, format!("bytes={}-", self.length()))
                .header(header::IF_RANGE, validator),
            _ => request,
        }
    }

    /// Whether a 206 carries the rest of the same version, from the byte that is missing.
    pub(super) fn is_continued_by(&self, headers: &HeaderMap) -> bool {
        let same = |ours: Option<&str>, theirs: Option<&str>| match (ours, theirs) {
            (Some(ours), Some(theirs)) => ours == theirs,
            _ => true,
        };
        let whole = self.version.length.map(|length| length.to_string());
        self.length() > 0
            && content_range(headers).is_some_and(|(start, total)| {
                start.parse() == Ok(self.length())
                    && (total == "*" || same(whole.as_deref(), Some(total)))
            })
            && same(self.version.etag.as_deref(), text(headers, &header::ETAG))
    }

    /// Notes the version of the body that begins now. It has `rest` bytes; returns
    /// how many the whole has, which may be more: a server need not send all that is missing.
    pub(super) fn begins(&mut self, headers: &HeaderMap, rest: Option<u64>) -> Option<u64> {
        let named = content_range(headers).and_then(|(_, total)| total.parse().ok());
        let before = self.version.length.filter(|_| self.length() > 0);
        let after = rest.map(|rest| self.length().saturating_add(rest));
        let length = if self.length() > 0 {
            named.or(before).or(after)
        } else {
            after
        };
        self.version = Version {
            validator: validator(headers),
            etag: text(headers, &header::ETAG).map(str::to_owned),
            length,
        };
        length
    }

    pub(super) async fn append(&mut self, chunk: &[u8]) -> Result<(), FetchError> {
        self.file.append(chunk).await.map_err(failed)
    }

    /// Forgets everything that has arrived.
    pub(super) async fn restart(&mut self) -> Result<(), FetchError> {
        self.version = Version::default();
        if self.length() == 0 {
            return Ok(());
        }
        self.file.restart().await.map_err(failed)
    }

    /// Writes everything to the file, and returns what it is.
    pub(super) async fn finish(&mut self) -> Result<(Digest, u64), FetchError> {
        self.file.finish().await.map_err(failed)
    }

    pub(super) fn truncated(&self, declared: u64) -> FetchError {
        FetchError::Truncated {
            got: self.length(),
            declared,
        }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "as `map_err` hands it over")]
fn failed(error: std::io::Error) -> FetchError {
    FetchError::from_io(&error)
}

/// What a rest may be asked for by: a strong tag, or a date that is old enough to be sure.
fn validator(headers: &HeaderMap) -> Option<String> {
    if text(headers, &header::ACCEPT_RANGES) == Some("none") {
        return None;
    }
    let strong = text(headers, &header::ETAG).filter(|tag| !tag.starts_with("W/"));
    let dated = || {
        let date = |name| httpdate::parse_http_date(text(headers, &name)?).ok();
        let (changed, now) = (date(header::LAST_MODIFIED)?, date(header::DATE)?);
        let settled = now.duration_since(changed).is_ok_and(|age| age >= SETTLED);
        settled.then(|| text(headers, &header::LAST_MODIFIED))?
    };
    strong.or_else(dated).map(str::to_owned)
}

/// Where a part begins, and the length of the whole, as written.
fn content_range(headers: &HeaderMap) -> Option<(&str, &str)> {
    let range = text(headers, &header::CONTENT_RANGE)?.strip_prefix("bytes ")?;
    let (part, total) = range.split_once('/')?;
    Some((part.split_once('-')?.0, total))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_proves_equal_bytes_is_resumed_by() {
        let old = ("last-modified", "Tue, 01 Jul 2025 10:00:00 GMT");
        let now = ("date", "Tue, 01 Jul 2025 10:00:00 GMT");
        let later = ("date", "Tue, 01 Jul 2025 10:00:01 GMT");
        let cases: [(Fields<'_>, Option<&str>); 8] = [
            (&[("etag", "\"a\"")], Some("\"a\"")),
            (
                &[("etag", "\"a\""), ("accept-ranges", "bytes")],
                Some("\"a\""),
            ),
            (&[("etag", "\"a\""), ("accept-ranges", "none")], None),
            (&[("etag", "W/\"a\"")], None),
            (&[("etag", "W/\"a\""), old, later], Some(old.1)),
            (&[old], None),
            (&[old, now], None),
            (&[old, later], Some(old.1)),
        ];
        for (fields, expected) in cases {
            assert_eq!(
                validator(&headers(fields)).as_deref(),
                expected,
                "{fields:?}"
            );
        }
    }

    type Fields<'a> = &'a [(&'a str, &'a str)];

    fn headers(fields: Fields<'_>) -> HeaderMap {
        let parsed = |(name, value): &(&str, &str)| {
            let name: header::HeaderName = name.parse().unwrap();
            (name, value.parse().unwrap())
        };
        fields.iter().map(parsed).collect()
    }

    #[tokio::test]
    async fn a_rest_must_fit_what_has_arrived() {
        let directory = tempfile::tempdir().unwrap();
        let mut partial = Partial::create(&directory.path().join("part"))
            .await
            .unwrap();
        partial.begins(&headers(&[("etag", "\"a\"")]), Some(20));
        partial.append(b"01234567").await.unwrap();
        let cases = [
            ("bytes 8-19/20", "\"a\"", true),
            ("bytes 8-19/*", "\"a\"", true),
            ("bytes 7-19/20", "\"a\"", false),
            ("bytes 8-20/21", "\"a\"", false),
            ("bytes 8-19/20", "\"b\"", false),
            ("8-19/20", "\"a\"", false),
        ];
        for (range, etag, expected) in cases {
            let headers = headers(&[("content-range", range), ("etag", etag)]);
            assert_eq!(
                partial.is_continued_by(&headers),
                expected,
                "{range} {etag}"
            );
        }
    }
}
