//! One URL into one scratch file: redirects, retries, resuming, limits. Knows nothing of the
//! store.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use cluster::model::Digest;
use reqwest::header::{self, HeaderMap, HeaderName};
use reqwest::{Client, RequestBuilder, Response, StatusCode};
use sha2::{Digest as _, Sha256};
use tokio::fs::File;
use tokio::io::{AsyncSeekExt, AsyncWriteExt, BufWriter};
use tokio::time::timeout;
use url::Url;

use super::FetchLimits;
use super::error::FetchError;
use super::guard::{Forbidden, Guard};
use super::validators::Known;

const WRITE_BUFFER: usize = 1 << 20;

/// What one download needs.
pub(super) struct Download<'a> {
    pub(super) client: &'a Client,
    pub(super) guard: Guard,
    pub(super) limits: &'a FetchLimits,
    pub(super) url: Url,
    pub(super) progress: &'a AtomicU64,
}

/// What came of it.
pub(super) enum Downloaded {
    /// The bytes are still the ones that were known.
    Unchanged,
    /// The scratch file holds the whole.
    Body {
        sha256: Digest,
        size: u64,
        etag: Option<String>,
        last_modified: Option<String>,
    },
}

/// What has arrived so far. Kept over retries, so that a resumed download goes on hashing.
struct Partial {
    file: BufWriter<File>,
    hasher: Sha256,
    length: u64,
    /// A strong validator under which the server offered ranges.
    resumable: Option<String>,
}

impl Download<'_> {
    /// Downloads into `scratch`, unless the server says `known` is still what it has.
    pub(super) async fn run(
        &self,
        scratch: &Path,
        known: Option<&Known>,
    ) -> Result<Downloaded, FetchError> {
        let work = self.with_retries(scratch, known);
        match timeout(self.limits.total, work).await {
            Ok(result) => result,
            Err(_) => Err(FetchError::TooLong(self.limits.total)),
        }
    }

    async fn with_retries(
        &self,
        scratch: &Path,
        known: Option<&Known>,
    ) -> Result<Downloaded, FetchError> {
        let file = File::create(scratch)
            .await
            .map_err(|e| FetchError::from_io(&e))?;
        let mut partial = Partial {
            file: BufWriter::with_capacity(WRITE_BUFFER, file),
            hasher: Sha256::new(),
            length: 0,
            resumable: None,
        };
        let mut stalled = false;
        let mut pause = self.limits.backoff;
        for tries_left in (0..self.limits.tries).rev() {
            let error = match self.attempt(&mut partial, known).await {
                Ok(done) => return Ok(done),
                Err(error) => error,
            };
            // A stall costs a whole idle timeout: twice is proof enough.
            let is_stall = matches!(error, FetchError::Idle(_));
            if tries_left == 0 || !error.is_worth_retrying() || (is_stall && stalled) {
                return Err(error);
            }
            stalled |= is_stall;
            tracing::debug!(host = self.url.host_str(), %error, "fetch is tried again");
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
        Err(FetchError::Connection("no try was allowed".to_owned()))
    }

    async fn attempt(
        &self,
        partial: &mut Partial,
        known: Option<&Known>,
    ) -> Result<Downloaded, FetchError> {
        let mut url = self.url.clone();
        for _ in 0..=self.limits.redirects {
            self.guard.admit_url(&url)?;
            let request = self.client.get(url.clone());
            let sent = conditional(request, partial, known).send();
            let patience = self.limits.connect + self.limits.idle;
            let response = timeout(patience, sent)
                .await
                .map_err(|_| FetchError::Idle(self.limits.idle))?
                .map_err(|error| connection(&error))?;
            if !is_redirect(response.status()) {
                return self.receive(response, partial, known.is_some()).await;
            }
            url = text(response.headers(), &header::LOCATION)
                .and_then(|target| url.join(target).ok())
                .ok_or(FetchError::Malformed("a redirect leads nowhere"))?;
        }
        Err(FetchError::Redirects(self.limits.redirects))
    }

    async fn receive(
        &self,
        mut response: Response,
        partial: &mut Partial,
        asked_conditionally: bool,
    ) -> Result<Downloaded, FetchError> {
        let status = response.status();
        match status.as_u16() {
            304 if asked_conditionally && partial.length == 0 => return Ok(Downloaded::Unchanged),
            206 if partial.length > 0 && resumes_at(response.headers(), partial.length) => {}
            // The rest was asked for and something else came: begin again.
            206 | 416 if partial.length > 0 => {
                partial.restart().await?;
                return Err(FetchError::Connection(
                    "the download could not be resumed".into(),
                ));
            }
            200..=205 | 207..=299 => partial.restart().await?,
            404 | 410 => return Err(FetchError::NotFound(status.as_u16())),
            408 | 425 | 429 | 500..=599 => return Err(FetchError::Unavailable(status.as_u16())),
            _ => return Err(FetchError::Refused(status.as_u16())),
        }
        partial.resumable = resumable(response.headers());
        let declared = response
            .content_length()
            .map(|rest| partial.length.saturating_add(rest));
        if declared.is_some_and(|length| length > self.limits.bytes) {
            return Err(FetchError::TooLarge(self.limits.bytes));
        }
        let etag = text(response.headers(), &header::ETAG).map(str::to_owned);
        let last_modified = text(response.headers(), &header::LAST_MODIFIED).map(str::to_owned);
        loop {
            let chunk = timeout(self.limits.idle, response.chunk())
                .await
                .map_err(|_| FetchError::Idle(self.limits.idle))?;
            let chunk = match (chunk, declared) {
                (Ok(Some(chunk)), _) => chunk,
                (Ok(None), Some(declared)) if partial.length < declared => {
                    return Err(partial.truncated(declared));
                }
                (Ok(None), _) => break,
                (Err(_), Some(declared)) => return Err(partial.truncated(declared)),
                (Err(error), None) => return Err(connection(&error)),
            };
            partial.append(&chunk).await?;
            self.progress
                .fetch_add(chunk.len() as u64, Ordering::Relaxed);
            if partial.length > self.limits.bytes {
                return Err(FetchError::TooLarge(self.limits.bytes));
            }
        }
        let flushed = partial.file.flush().await;
        flushed.map_err(|error| FetchError::from_io(&error))?;
        Ok(Downloaded::Body {
            sha256: Digest(partial.hasher.clone().finalize().into()),
            size: partial.length,
            etag,
            last_modified,
        })
    }
}

impl Partial {
    async fn append(&mut self, chunk: &[u8]) -> Result<(), FetchError> {
        let written = self.file.write_all(chunk).await;
        written.map_err(|error| FetchError::from_io(&error))?;
        self.hasher.update(chunk);
        self.length += chunk.len() as u64;
        Ok(())
    }

    async fn restart(&mut self) -> Result<(), FetchError> {
        if self.length == 0 {
            return Ok(());
        }
        self.rewind()
            .await
            .map_err(|error| FetchError::from_io(&error))?;
        self.hasher = Sha256::new();
        self.length = 0;
        self.resumable = None;
        Ok(())
    }

    async fn rewind(&mut self) -> std::io::Result<()> {
        self.file.flush().await?;
        self.file.rewind().await?;
        self.file.get_mut().set_len(0).await
    }

    fn truncated(&self, declared: u64) -> FetchError {
        FetchError::Truncated {
            got: self.length,
            declared,
        }
    }
}

fn conditional(
    request: RequestBuilder,
    partial: &Partial,
    known: Option<&Known>,
) -> RequestBuilder {
    // Bytes are digested as sent: no transfer compression.
    let mut request = request.header(header::ACCEPT_ENCODING, "identity");
    if partial.length > 0 {
        if let Some(etag) = &partial.resumable {
            request = request
                .header(header::RANGE, format!("bytes={}-", partial.length))
                .header(header::IF_RANGE, etag);
        }
    } else if let Some(known) = known {
        if let Some(etag) = &known.etag {
            request = request.header(header::IF_NONE_MATCH, etag);
        } else if let Some(date) = &known.last_modified {
            request = request.header(header::IF_MODIFIED_SINCE, date);
        }
    }
    request
}

fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

fn resumable(headers: &HeaderMap) -> Option<String> {
    let ranges = text(headers, &header::ACCEPT_RANGES) == Some("bytes")
        || headers.contains_key(header::CONTENT_RANGE);
    let etag = text(headers, &header::ETAG)?;
    (ranges && !etag.starts_with("W/")).then(|| etag.to_owned())
}

fn resumes_at(headers: &HeaderMap, offset: u64) -> bool {
    text(headers, &header::CONTENT_RANGE)
        .and_then(|range| range.strip_prefix("bytes "))
        .and_then(|range| range.split_once('-'))
        .is_some_and(|(start, _)| start.parse() == Ok(offset))
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// The guard's refusal if it is at the bottom of a failed request, else the deepest cause in
/// words: the outer ones only repeat the URL.
fn connection(error: &reqwest::Error) -> FetchError {
    let mut cause: &(dyn std::error::Error + 'static) = error;
    loop {
        if let Some(forbidden) = cause.downcast_ref::<Forbidden>() {
            return FetchError::Forbidden(forbidden.clone());
        }
        match cause.source() {
            Some(deeper) => cause = deeper,
            None => break,
        }
    }
    FetchError::Connection(format!("no connection: {cause}"))
}

/// Defaults of a server that means well and a network that mostly works.
impl Default for FetchLimits {
    fn default() -> Self {
        Self {
            bytes: 5 << 30,
            connect: Duration::from_secs(10),
            idle: Duration::from_secs(30),
            total: Duration::from_secs(3600),
            tries: 3,
            backoff: Duration::from_millis(500),
            redirects: 5,
        }
    }
}
