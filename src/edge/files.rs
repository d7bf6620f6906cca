//! `GET /files/…`: serves what a signed link names, out of the object store. The link is the
//! only authority; the path names a render and one of its files, never an object key.

use std::ops::Range;
use std::time::{Duration, SystemTime};

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use cluster::model::{Asset, AssetId, JobId, LogTime, ObjectRef};

use super::context::{Edge, Shared};
use super::error::{ApiError, Code, ErrorBody};
use super::params::Params;
use super::range::{Wanted, wanted};
use super::renders::expired;
use super::signing::{Claim, FileName, FilePart, percent_encoded, signed_query};
use crate::store::StoreError;
use crate::store::disposition;

/// What is served, and how it is described.
struct Served {
    object: ObjectRef,
    made_at: LogTime,
    content_type: String,
    disposition: String,
}

/// Fetch a file by its signed link.
///
/// Links come from a render's `output` and from `download`; they need no key.
#[utoipa::path(
    get,
    path = "/files/{render}/{part}/{filename}",
    tag = "files",
    params(
        ("render" = String, Path, description = "The render's, upload's or import's id"),
        ("part" = String, Path, description = "`output` or `thumbnail` of a render; `source` of the others"),
        ("filename" = String, Path, description = "What the file is called when it is saved"),
        ("expires" = u64, Query, description = "When the link ends, in Unix seconds"),
        ("key" = String, Query, description = "Which key signed it"),
        ("signature" = String, Query, description = "HMAC-SHA256 in hexadecimal"),
        ("Range" = Option<String>, Header, description = "One range of bytes; of several, all of the file"),
        ("If-Range" = Option<String>, Header, description = "The `ETag` or `Last-Modified` that the range is of"),
        ("If-None-Match" = Option<String>, Header, description = "`ETag`s the client has"),
        ("If-Modified-Since" = Option<String>, Header, description = "The `Last-Modified` the client has"),
    ),
    responses(
        (status = 200, description = "The file", content_type = "application/octet-stream", body = Vec<u8>,
            headers(("ETag" = String), ("Last-Modified" = String), ("Accept-Ranges" = String),
                ("Content-Disposition" = String))),
        (status = 206, description = "The bytes asked for", content_type = "application/octet-stream", body = Vec<u8>,
            headers(("Content-Range" = String))),
        (status = 304, description = "The client has it already"),
        (status = 400, body = ErrorBody, description = "`invalid_parameter`"),
        (status = 403, body = ErrorBody, description = "`forbidden`: expired or not genuine"),
        (status = 404, body = ErrorBody, description = "`not_found`"),
        (status = 410, body = ErrorBody, description = "`artifact_expired`"),
        (status = 416, body = ErrorBody, description = "`range_not_satisfiable`"),
        (status = 503, body = ErrorBody, description = "`storage_full`", headers(("Retry-After" = u64))),
    )
)]
pub(crate) async fn file(
    State(edge): State<Edge>,
    method: Method,
    Path((render, part, filename)): Path<(String, String, String)>,
    params: Params,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let params = params.only(&["expires", "key", "signature"])?;
    if let Ok(asset) = render.parse::<AssetId>() {
        if part != SOURCE {
            return Err(ApiError::not_found("file"));
        }
        let claim = Claim {
            expires: params.integer("expires", 0..=u64::MAX)?.unwrap_or(0),
            key: params.text("key").unwrap_or_default(),
            signature: params.text("signature").unwrap_or_default(),
        };
        let subject = source_subject(asset, &filename);
        edge.signer.check_subject(&subject, claim, edge.now())?;
        let served = served_source(&edge, asset, &filename)?;
        return respond(&edge, &served, &method, &headers).await;
    }
    let job: JobId = render.parse().map_err(|_| ApiError::not_found("file"))?;
    let part = FilePart::from_name(&part).ok_or_else(|| ApiError::not_found("file"))?;
    let claim = Claim {
        expires: params.integer("expires", 0..=u64::MAX)?.unwrap_or(0),
        key: params.text("key").unwrap_or_default(),
        signature: params.text("signature").unwrap_or_default(),
    };
    let name = FileName {
        job,
        part,
        filename: &filename,
    };
    edge.signer.check(name, claim, edge.now())?;
    let served = served(&edge, name)?;
    respond(&edge, &served, &method, &headers).await
}

/// What links call the bytes of an upload or import.
const SOURCE: &str = "source";

fn source_subject(asset: AssetId, filename: &str) -> String {
    format!("framelane source link v1\n{asset}\n{filename}")
}

impl Shared {
    /// A link to the bytes of a ready upload or import.
    pub(super) fn source_link(&self, asset: &Asset) -> Result<String, ApiError> {
        let id = asset.id();
        let filename = asset.new.filename.clone();
        let filename = filename
            .or_else(|| asset.ingested.as_ref()?.filename.clone())
            .unwrap_or_else(|| id.to_string());
        let ttl = u64::try_from(self.config().url_ttl.as_millis()).unwrap_or(u64::MAX);
        let subject = source_subject(id, &filename);
        let query = signed_query(&self.signer, &subject, self.now().plus_millis(ttl))?;
        let (base, name) = (self.base_of(asset), percent_encoded(&filename));
        Ok(format!("{base}/files/{id}/{SOURCE}/{name}?{query}"))
    }
}

fn served_source(edge: &Edge, id: AssetId, filename: &str) -> Result<Served, ApiError> {
    let state = edge.state();
    let asset = state.assets.get(&id).ok_or_else(expired)?;
    let taken = asset.ingested.as_ref().ok_or_else(expired)?;
    Ok(Served {
        object: taken.object.clone(),
        made_at: asset.settled_at.unwrap_or(asset.created_at),
        content_type: taken.content_type.clone(),
        disposition: disposition("attachment", filename),
    })
}

fn served(edge: &Edge, name: FileName<'_>) -> Result<Served, ApiError> {
    let state = edge.state();
    let job = state.jobs.get(&name.job).ok_or_else(expired)?;
    let artifact = job.artifact.as_ref().ok_or_else(expired)?;
    if !edge.keeps_files_of(job) {
        return Err(expired());
    }
    let made_at = job.finished_at.unwrap_or(job.submitted_at);
    match name.part {
        FilePart::Output => Ok(Served {
            object: artifact.object.clone(),
            made_at,
            content_type: artifact.content_type.clone(),
            disposition: disposition("attachment", name.filename),
        }),
        FilePart::Thumbnail => Ok(Served {
            object: artifact.thumbnail.clone().ok_or_else(expired)?,
            made_at,
            content_type: "image/jpeg".to_owned(),
            disposition: disposition("inline", name.filename),
        }),
    }
}

async fn respond(
    edge: &Edge,
    served: &Served,
    method: &Method,
    headers: &HeaderMap,
) -> Result<Response, ApiError> {
    let size = served.object.size;
    let validators = Validators::of(served);
    let mut described = described(served, &validators)?;
    if validators.are_known(headers) {
        described.remove(header::CONTENT_TYPE);
        described.remove(header::CONTENT_DISPOSITION);
        return Ok((StatusCode::NOT_MODIFIED, described).into_response());
    }
    // Ranges are defined for GET alone.
    let range = (method == Method::GET && validators.allow_range(headers))
        .then(|| text(headers, header::RANGE))
        .flatten();
    let (status, start, length) = match wanted(range, size) {
        Wanted::Whole => (StatusCode::OK, 0, size),
        Wanted::Part { start, last } => {
            let range = format!("bytes {start}-{last}/{size}");
            described.insert(header::CONTENT_RANGE, header_value(&range)?);
            (StatusCode::PARTIAL_CONTENT, start, last - start + 1)
        }
        Wanted::Unsatisfiable => {
            let range = header_value(&format!("bytes */{size}"))?;
            let message = format!("The file has {size} bytes; the range asks for none of them.");
            return Err(ApiError::new(Code::RangeNotSatisfiable, message)
                .with_header(header::CONTENT_RANGE, range));
        }
    };
    described.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    let body = if method == Method::GET {
        read(edge, &served.object, start..start + length).await?
    } else {
        check(edge, &served.object).await?;
        Body::empty()
    };
    Ok((status, described, body).into_response())
}

fn described(served: &Served, validators: &Validators) -> Result<HeaderMap, ApiError> {
    let mut described = HeaderMap::new();
    for (name, value) in [
        (header::ETAG, validators.etag.as_str()),
        (header::LAST_MODIFIED, &validators.last_modified),
        (header::ACCEPT_RANGES, "bytes"),
        (header::CACHE_CONTROL, "private, max-age=3600"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CONTENT_TYPE, &served.content_type),
        (header::CONTENT_DISPOSITION, &served.disposition),
    ] {
        described.insert(name, header_value(value)?);
    }
    Ok(described)
}

/// The object is there, as long as it was committed.
async fn check(edge: &Edge, object: &ObjectRef) -> Result<(), ApiError> {
    match edge.parts.store.head(&object.key).await? {
        None => Err(expired()),
        Some(size) if size == object.size => Ok(()),
        Some(_) => Err(StoreError::Damaged(object.key.clone()).into()),
    }
}

/// The bytes of a range as they come from the store: a chunk in memory at a time, the next one
/// when the client has taken it.
async fn read(edge: &Edge, object: &ObjectRef, range: Range<u64>) -> Result<Body, ApiError> {
    check(edge, object).await?;
    match edge.parts.store.read(&object.key, Some(range)).await {
        Ok(bytes) => Ok(Body::from_stream(bytes)),
        Err(StoreError::NotFound(_)) => Err(expired()),
        Err(error) => Err(error.into()),
    }
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn header_value(text: &str) -> Result<HeaderValue, ApiError> {
    HeaderValue::from_str(text).map_err(|_| ApiError::internal())
}

/// The headers that identify the version of a file.
struct Validators {
    etag: String,
    last_modified: String,
    /// The same in whole seconds, as clients hand it back.
    modified: SystemTime,
}

impl Validators {
    fn of(served: &Served) -> Self {
        let modified = SystemTime::UNIX_EPOCH + Duration::from_secs(served.made_at.0 / 1000);
        Self {
            etag: format!("\"{}\"", served.object.sha256),
            last_modified: httpdate::fmt_http_date(modified),
            modified,
        }
    }

    /// The client has this very version. A tag, where it sends one, decides alone.
    fn are_known(&self, headers: &HeaderMap) -> bool {
        if let Some(tags) = text(headers, header::IF_NONE_MATCH) {
            return names_tag(tags, &self.etag);
        }
        text(headers, header::IF_MODIFIED_SINCE)
            .and_then(|date| httpdate::parse_http_date(date).ok())
            .is_some_and(|known| self.modified <= known)
    }

    /// A range of another version of the file would not fit what the client has.
    fn allow_range(&self, headers: &HeaderMap) -> bool {
        text(headers, header::IF_RANGE)
            .is_none_or(|version| version == self.etag || version == self.last_modified)
    }
}

fn names_tag(tags: &str, etag: &str) -> bool {
    tags.split(',')
        .map(|tag| tag.trim().trim_start_matches("W/"))
        .any(|tag| tag == "*" || tag == etag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_not_ascii_come_in_both_spellings() {
        assert_eq!(
            disposition("attachment", "Ferien \"Süd\".mp4"),
            "attachment; filename=\"Ferien _S_d_.mp4\"; \
             filename*=UTF-8''Ferien%20%22S%C3%BCd%22.mp4"
        );
    }

    #[test]
    fn a_tag_is_found_in_a_list_and_by_the_star() {
        for (tags, is_named) in [
            ("\"a\"", true),
            ("W/\"a\"", true),
            ("\"b\", \"a\"", true),
            ("*", true),
            ("\"b\"", false),
            ("a", false),
        ] {
            assert_eq!(names_tag(tags, "\"a\""), is_named, "{tags}");
        }
    }
}
