//! The node's side of taking in an asset: the bytes of an upload, or of the URL of an import,
//! to one immutable object named by its digest. Renders use that object and never what a
//! client can still write to.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use cluster::model::{Arrival, Asset, AssetKind, Digest, Failure, Ingested, ObjectKey, ObjectRef};
use futures::StreamExt;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tokio::io::AsyncWriteExt;

use super::Shared;
use crate::media::Report;
use crate::plan::Probe;
use crate::store::fetch::{LOOK, Sniffed, sniff};
use crate::store::{Purpose, StoreError, keys};
use crate::worker::failure;

/// Time between two looks at how far an import is.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// What is known of an asset before its file is looked into. Kept by the node while the worker
/// does that.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Taken {
    pub(super) object: ObjectRef,
    pub(super) content_type: String,
    pub(super) filename: Option<String>,
}

impl Taken {
    /// What is reported to the coordinator once the file was probed.
    pub(super) fn probed(self, probe: Probe, report: Option<Report>) -> Ingested {
        Ingested {
            object: self.object,
            content_type: self.content_type,
            filename: self.filename,
            probe: match report {
                Some(report) => report.bounded().to_json(),
                None => probe.bounded().to_json(),
            },
        }
    }
}

/// Brings an asset's bytes into the store.
pub(super) async fn take_in(
    shared: &Shared,
    asset: &Asset,
    scratch: &Path,
    progress: &Arc<AtomicU64>,
) -> Result<Taken, Failure> {
    match (&asset.arrival, &asset.new.url) {
        (Some(arrival), _) => upload(shared, asset, arrival, scratch, progress).await,
        (None, Some(url)) if asset.id().kind == AssetKind::Probe => {
            fetched(shared, url, scratch, progress).await
        }
        (None, Some(url)) => import(shared, asset, url, scratch, progress).await,
        (None, None) => Err(failure::engine("an asset without bytes")),
    }
}

async fn import(
    shared: &Shared,
    asset: &Asset,
    url: &str,
    scratch: &Path,
    progress: &Arc<AtomicU64>,
) -> Result<Taken, Failure> {
    let seen = shared.transfers.begin(asset.id());
    let importing = shared.fetcher.import(url, scratch, seen.progress());
    tokio::pin!(importing);
    let mut ticks = tokio::time::interval(LOOK_EVERY);
    let mut last = (0, 0);
    let imported = loop {
        tokio::select! {
            done = &mut importing => break done,
            _ = ticks.tick() => {
                let now = (seen.progress().received(), seen.progress().waits());
                // Falls back where a download begins again: any change is a sign of life.
                if now != last {
                    let moved = now.0.abs_diff(last.0).max(1);
                    progress.fetch_add(moved, Ordering::Relaxed);
                    last = now;
                }
            }
        }
    };
    let imported = imported.map_err(|error| Failure {
        path: None,
        ..failure::of_fetch(&error, "the link")
    })?;
    Ok(Taken {
        object: imported.object,
        content_type: imported.content_type,
        filename: asset.new.filename.clone().or(imported.filename),
    })
}

/// A source that is only looked at: fetched as a render's is, neither pages nor share links.
async fn fetched(
    shared: &Shared,
    url: &str,
    scratch: &Path,
    progress: &Arc<AtomicU64>,
) -> Result<Taken, Failure> {
    let fetched = shared.fetcher.fetch(url, scratch, progress).await;
    let object = fetched.map_err(|error| Failure {
        path: None,
        ..failure::of_fetch(&error, "source_url")
    })?;
    let file = shared.store.local_file(&object, scratch).await;
    let file = file.map_err(|error| failure::of_store(&error))?;
    Ok(Taken {
        content_type: sniffed(&file, None, "").await?,
        object,
        filename: None,
    })
}

async fn upload(
    shared: &Shared,
    asset: &Asset,
    arrival: &Arrival,
    scratch: &Path,
    progress: &Arc<AtomicU64>,
) -> Result<Taken, Failure> {
    let (pieces, size) = match arrival {
        Arrival::Whole { key, size } => (vec![key.clone()], *size),
        Arrival::Parts { size } => {
            let count = asset.new.parts.map_or(0, |parts| parts.count);
            let parts = (1..=count).map(|number| keys::upload_part(asset.id(), number));
            (parts.collect(), *size)
        }
    };
    if size > shared.settings.source_bytes {
        let most = shared.settings.source_bytes;
        let message = format!("the file has {size} bytes, more than the limit of {most}");
        return Err(failure::permanent("source_too_large", message, None));
    }
    let file = scratch.join("upload");
    let (sha256, written) = gather(shared, &pieces, size, &file, progress).await?;
    // A client may write to the store itself: what came is what counts.
    let declared = asset.new.size.unwrap_or(size);
    if written != size || written != declared {
        let message = format!("{written} bytes arrived of {declared}");
        return Err(failure::permanent("invalid_source", message, None));
    }
    let content_type = judge(&file, asset).await?;
    let key = keys::source(sha256);
    let known = shared.store.head(&key).await;
    let object = if known.map_err(|error| failure::of_store(&error))? == Some(written) {
        // So that it is not trimmed before the log names it.
        let touched = shared.store.touch(&key).await;
        touched.map_err(|error| failure::of_store(&error))?;
        ObjectRef {
            key,
            sha256,
            size: written,
        }
    } else {
        let put = shared.store.put_file(key, &file, None).await;
        put.map_err(|error| failure::of_store(&error))?
    };
    Ok(Taken {
        object,
        content_type,
        filename: asset.new.filename.clone(),
    })
}

/// Writes the pieces of an upload one behind the other.
async fn gather(
    shared: &Shared,
    pieces: &[ObjectKey],
    size: u64,
    file: &Path,
    progress: &AtomicU64,
) -> Result<(Digest, u64), Failure> {
    let of_io = |error: std::io::Error| failure::of_io(&error);
    let mut out = tokio::fs::File::create(file).await.map_err(of_io)?;
    let mut hasher = Sha256::new();
    let mut written = 0;
    for key in pieces {
        let mut bytes = shared
            .store
            .read(key, None)
            .await
            .map_err(|error| gone(&error))?;
        while let Some(chunk) = bytes.next().await {
            let chunk = chunk.map_err(|error| failure::of_store(&error))?;
            written += chunk.len() as u64;
            if written > size {
                let message = format!("more than the {size} bytes of the upload arrived");
                return Err(failure::permanent("invalid_source", message, None));
            }
            hasher.update(&chunk);
            let admitted = shared.scratch.admit(Purpose::Source, chunk.len() as u64);
            admitted.map_err(of_io)?;
            out.write_all(&chunk).await.map_err(of_io)?;
            progress.fetch_add(chunk.len() as u64, Ordering::Relaxed);
        }
    }
    out.flush().await.map_err(of_io)?;
    Ok((Digest(hasher.finalize().into()), written))
}

fn gone(error: &StoreError) -> Failure {
    match error {
        StoreError::NotFound(_) => failure::permanent(
            "source_not_found",
            "the bytes of the upload are not there any more",
            None,
        ),
        other => failure::of_store(other),
    }
}

/// What the bytes are. They must be of the family that was declared: a video declared as one
/// in another container is fine, a web page is not.
async fn judge(file: &Path, asset: &Asset) -> Result<String, Failure> {
    let declared = asset.new.content_type.as_deref();
    let name = asset.new.filename.as_deref().unwrap_or_default();
    sniffed(file, declared, name).await
}

async fn sniffed(file: &Path, declared: Option<&str>, name: &str) -> Result<String, Failure> {
    use tokio::io::AsyncReadExt;
    let read = async {
        let mut head = Vec::new();
        let file = tokio::fs::File::open(file).await?;
        file.take(LOOK as u64).read_to_end(&mut head).await?;
        Ok(head)
    };
    let head: Vec<u8> = read
        .await
        .map_err(|error: std::io::Error| failure::of_io(&error))?;
    match sniff(&head, declared, name) {
        Sniffed::Media(found) if is_allowed(declared, found) => Ok(found.to_owned()),
        Sniffed::Media(found) => {
            let declared = declared.unwrap_or("nothing");
            let message = format!("the file is {found}, not {declared} as declared");
            Err(failure::permanent("invalid_source", message, None))
        }
        Sniffed::Html | Sniffed::Other => {
            let message = "the file is not media of a kind that compositions use";
            Err(failure::permanent("invalid_source", message, None))
        }
    }
}

/// Sound and pictures share containers: either may turn out as the other.
fn is_allowed(declared: Option<&str>, found: &str) -> bool {
    let family = |text: &str| match text.split('/').next().unwrap_or_default() {
        "video" | "audio" => "av".to_owned(),
        other => other.to_owned(),
    };
    declared.is_none_or(|declared| family(declared) == family(found))
}
