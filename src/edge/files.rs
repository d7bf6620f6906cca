//! `GET /files/…`: serves what a signed link names, out of the object store. The link is the
//! only authority; the path names a render and one of its files, never an object key.

use std::io::SeekFrom;
use std::path::PathBuf;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use cluster::model::{JobId, ObjectRef};
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tokio_util::io::ReaderStream;

use super::context::Edge;
use super::error::{ApiError, Code, ErrorBody};
use super::params::Params;
use super::range::{Wanted, wanted};
use super::renders::expired;
use super::signing::{Claim, FileName, FilePart, percent_encoded};
use crate::store::StoreError;

/// Bytes read from disk at a time.
const CHUNK: usize = 256 * 1024;

/// What is served, and how it is described.
struct Served {
    object: ObjectRef,
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
        ("render" = String, Path, description = "The render's id"),
        ("part" = String, Path, description = "`output` or `thumbnail`"),
        ("filename" = String, Path, description = "What the file is called when it is saved"),
        ("expires" = u64, Query, description = "When the link ends, in Unix seconds"),
        ("key" = String, Query, description = "Which key signed it"),
        ("signature" = String, Query, description = "HMAC-SHA256 in hexadecimal"),
        ("Range" = Option<String>, Header, description = "One range of bytes"),
    ),
    responses(
        (status = 200, description = "The file", content_type = "application/octet-stream", body = Vec<u8>),
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
    Path((render, part, filename)): Path<(String, String, String)>,
    params: Params,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let params = params.only(&["expires", "key", "signature"])?;
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
    respond(&edge, served, &headers).await
}

fn served(edge: &Edge, name: FileName<'_>) -> Result<Served, ApiError> {
    let state = edge.state();
    let artifact = state
        .jobs
        .get(&name.job)
        .and_then(|job| job.artifact.as_ref())
        .ok_or_else(expired)?;
    match name.part {
        FilePart::Output => Ok(Served {
            object: artifact.object.clone(),
            content_type: artifact.content_type.clone(),
            disposition: disposition("attachment", name.filename),
        }),
        FilePart::Thumbnail => Ok(Served {
            object: artifact.thumbnail.clone().ok_or_else(expired)?,
            content_type: "image/jpeg".to_owned(),
            disposition: disposition("inline", name.filename),
        }),
    }
}

async fn respond(edge: &Edge, served: Served, headers: &HeaderMap) -> Result<Response, ApiError> {
    let etag = format!("\"{}\"", served.object.sha256);
    let size = served.object.size;
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let mut described = HeaderMap::new();
    for (name, value) in [
        (header::ETAG, etag.as_str()),
        (header::ACCEPT_RANGES, "bytes"),
        (header::CACHE_CONTROL, "private, max-age=3600"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CONTENT_TYPE, &served.content_type),
        (header::CONTENT_DISPOSITION, &served.disposition),
    ] {
        let value = HeaderValue::from_str(value).map_err(|_| ApiError::internal())?;
        described.insert(name, value);
    }
    if text(header::IF_NONE_MATCH).is_some_and(|tags| names_tag(tags, &etag)) {
        described.remove(header::CONTENT_TYPE);
        described.remove(header::CONTENT_DISPOSITION);
        return Ok((StatusCode::NOT_MODIFIED, described).into_response());
    }
    // A range of another version of the file would not fit what the client has.
    let is_same = text(header::IF_RANGE).is_none_or(|tag| tag == etag);
    let (status, start, length) = match wanted(text(header::RANGE).filter(|_| is_same), size) {
        Wanted::Whole => (StatusCode::OK, 0, size),
        Wanted::Part { start, last } => {
            let range = format!("bytes {start}-{last}/{size}");
            let range = HeaderValue::from_str(&range).map_err(|_| ApiError::internal())?;
            described.insert(header::CONTENT_RANGE, range);
            (StatusCode::PARTIAL_CONTENT, start, last - start + 1)
        }
        Wanted::Unsatisfiable => {
            let range = HeaderValue::from_str(&format!("bytes */{size}"));
            let range = range.map_err(|_| ApiError::internal())?;
            let message = format!("The file has {size} bytes; the range asks for none of them.");
            return Err(ApiError::new(Code::RangeNotSatisfiable, message)
                .with_header(header::CONTENT_RANGE, range));
        }
    };
    described.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    let mut file = open(edge, &served.object).await?;
    file.seek(SeekFrom::Start(start))
        .await
        .map_err(StoreError::Io)?;
    let body = Body::from_stream(ReaderStream::with_capacity(file.take(length), CHUNK));
    Ok((status, described, body).into_response())
}

/// The object as an open file. Its digest is checked when it is first served, not each time.
async fn open(edge: &Edge, object: &ObjectRef) -> Result<File, ApiError> {
    if let Some(path) = edge.verified.get(&object.key) {
        match File::open(&path).await {
            Ok(file) => return Ok(file),
            Err(_) => edge.verified.remove(&object.key),
        }
    }
    let path: PathBuf = match edge
        .parts
        .store
        .local_file(object, &edge.config().scratch)
        .await
    {
        Ok(path) => path,
        Err(StoreError::NotFound(_)) => return Err(expired()),
        Err(error) => return Err(error.into()),
    };
    let file = File::open(&path).await.map_err(StoreError::Io)?;
    edge.verified.put(object.key.clone(), path);
    Ok(file)
}

fn names_tag(tags: &str, etag: &str) -> bool {
    tags.split(',')
        .map(|tag| tag.trim().trim_start_matches("W/"))
        .any(|tag| tag == "*" || tag == etag)
}

/// `Content-Disposition` with the name for old clients in ASCII and for others as it is.
fn disposition(kind: &str, filename: &str) -> String {
    let ascii: String = filename
        .chars()
        .map(|letter| match letter {
            ' '..='~' if !matches!(letter, '"' | '\\') => letter,
            _ => '_',
        })
        .collect();
    format!(
        "{kind}; filename=\"{ascii}\"; filename*=UTF-8''{}",
        percent_encoded(filename)
    )
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
