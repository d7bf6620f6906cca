//! One URL into one scratch file: redirects, retries, resuming, limits. Knows nothing of the
//! store.

use std::path::Path;

use bytes::Bytes;
use cluster::model::Digest;
use reqwest::header;
use reqwest::{Client, RequestBuilder, Response, StatusCode};
use tokio::time::{Instant, timeout, timeout_at};
use url::Url;

use super::FetchLimits;
use super::answer::Answer;
use super::error::FetchError;
use super::guard::{Guard, NoWay};
use super::pace::Pace;
use super::partial::Partial;
use super::progress::Meter;
use super::validators::Known;
use crate::store::{Marks, Purpose};

/// A try that brings this much is not held against the server: a long download over a line
/// that breaks now and then comes to its end.
const WORTHWHILE: u64 = 1 << 20;

/// What one download needs.
pub(super) struct Download<'a> {
    pub(super) client: &'a Client,
    pub(super) guard: &'a Guard,
    pub(super) limits: &'a FetchLimits,
    pub(super) url: Url,
    /// Sent to the URL's own host and to no other.
    pub(super) cookies: Option<String>,
    pub(super) meter: &'a dyn Meter,
    /// The disk's, where it has some.
    pub(super) marks: Option<&'a Marks>,
}

/// What came of it.
pub(super) enum Downloaded {
    /// The bytes are still the ones that were known.
    Unchanged,
    /// The scratch file holds the whole.
    Body(Box<Body>),
}

/// A download that is complete.
#[derive(Debug)]
pub(super) struct Body {
    pub(super) sha256: Digest,
    pub(super) size: u64,
    pub(super) answer: Answer,
}

impl Download<'_> {
    /// Downloads into `scratch`, unless the server answers that `known` is still current.
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
        let mut partial = Partial::create(scratch).await?;
        let mut stalled = false;
        let mut pause = self.limits.backoff;
        let mut tries_left = self.limits.tries;
        let mut reached = 0;
        while tries_left > 0 {
            let error = match self.attempt(&mut partial, known).await {
                Ok(done) => return Ok(done),
                Err(error) => error,
            };
            tries_left -= 1;
            if partial.length() >= reached + WORTHWHILE {
                reached = partial.length();
                tries_left = self.limits.tries;
                stalled = false;
                pause = self.limits.backoff;
            }
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
            let request = self.request(&url, partial, known);
            let patience = self.limits.connect + self.limits.idle;
            let response = timeout(patience, request.send())
                .await
                .map_err(|_| FetchError::Idle(self.limits.idle))?
                .map_err(|error| connection(&error))?;
            if !is_redirect(response.status()) {
                return self.receive(url, response, partial, known.is_some()).await;
            }
            // Some servers write names as they are, not as ASCII.
            let location = response.headers().get(header::LOCATION);
            url = location
                .and_then(|target| std::str::from_utf8(target.as_bytes()).ok())
                .and_then(|target| url.join(target).ok())
                .ok_or(FetchError::Malformed("a redirect leads nowhere"))?;
        }
        Err(FetchError::Redirects(self.limits.redirects))
    }

    fn request(&self, url: &Url, partial: &Partial, known: Option<&Known>) -> RequestBuilder {
        // Bytes are digested as sent: no transfer compression.
        let mut request = self
            .client
            .get(url.clone())
            .header(header::ACCEPT_ENCODING, "identity");
        if let Some(cookies) = &self.cookies
            && url.origin() == self.url.origin()
        {
            request = request.header(header::COOKIE, cookies);
        }
        if partial.length() > 0 {
            return partial.ask_for_rest(request);
        }
        match known.map(|known| (&known.etag, &known.last_modified)) {
            Some((Some(etag), _)) => request.header(header::IF_NONE_MATCH, etag),
            Some((None, Some(date))) => request.header(header::IF_MODIFIED_SINCE, date),
            _ => request,
        }
    }

    async fn receive(
        &self,
        url: Url,
        mut response: Response,
        partial: &mut Partial,
        asked_conditionally: bool,
    ) -> Result<Downloaded, FetchError> {
        let status = response.status();
        match status.as_u16() {
            304 if asked_conditionally && partial.length() == 0 => {
                return Ok(Downloaded::Unchanged);
            }
            206 if partial.is_continued_by(response.headers()) => {}
            // The rest was asked for and something else came: begin again.
            206 | 416 if partial.length() > 0 => {
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
        let rest = response.content_length();
        let declared = partial.begins(response.headers(), rest);
        if declared.is_some_and(|length| length > self.limits.bytes) {
            return Err(FetchError::TooLarge(self.limits.bytes));
        }
        let answer = Answer::of(url, response.headers());
        let mut pace = Pace::begin(self.limits, partial.length());
        loop {
            let chunk = self
                .chunk(&mut response, &mut pace, partial.length())
                .await?;
            let chunk = match (chunk, declared) {
                (Ok(Some(chunk)), _) => chunk,
                (Ok(None), Some(declared)) if partial.length() < declared => {
                    return Err(partial.truncated(declared));
                }
                (Ok(None), _) => break,
                (Err(_), Some(declared)) => return Err(partial.truncated(declared)),
                (Err(error), None) => return Err(connection(&error)),
            };
            if let Some(marks) = self.marks {
                marks.admit(Purpose::Source, chunk.len() as u64)?;
            }
            partial.append(&chunk).await?;
            let more = chunk.len() as u64;
            self.meter.arrived(more, partial.length(), declared);
            if partial.length() > self.limits.bytes {
                return Err(FetchError::TooLarge(self.limits.bytes));
            }
        }
        let (sha256, size) = partial.finish().await?;
        Ok(Downloaded::Body(Box::new(Body {
            sha256,
            size,
            answer,
        })))
    }
}

impl Download<'_> {
    /// The next piece of a body, unless the server is silent or too slow for too long.
    async fn chunk(
        &self,
        response: &mut Response,
        pace: &mut Pace,
        length: u64,
    ) -> Result<reqwest::Result<Option<Bytes>>, FetchError> {
        let silent_until = Instant::now() + self.limits.idle;
        loop {
            let until = pace.end().map_or(silent_until, |end| end.min(silent_until));
            // A piece that has come is not lost by giving up the wait for it.
            let chunk = timeout_at(until, response.chunk()).await;
            let now = Instant::now();
            if chunk.is_err() && now >= silent_until {
                return Err(FetchError::Idle(self.limits.idle));
            }
            pace.check(self.limits, length, now)?;
            if let Ok(chunk) = chunk {
                return Ok(chunk);
            }
        }
    }
}

fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

/// The guard's refusal if it is at the bottom of a failed request, else the text of the
/// deepest cause: the outer ones only repeat the URL.
fn connection(error: &reqwest::Error) -> FetchError {
    let mut cause: &(dyn std::error::Error + 'static) = error;
    loop {
        if let Some(NoWay::Forbidden(forbidden)) = cause.downcast_ref() {
            return FetchError::Forbidden(forbidden.clone());
        }
        match cause.source() {
            Some(deeper) => cause = deeper,
            None => break,
        }
    }
    FetchError::Connection(format!("no connection: {cause}"))
}
