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

use super::Shared;
use crate::media::Report;
use crate::plan::Probe;
use crate::store::fetch::{LOOK, Sniffed, sniff};
use crate::store::{BulkFile, Purpose, StoreError, keys};
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
    let arrived = Arrived {
        size,
        declared: asset.new.size.unwrap_or(size),
    };
    let known = match arrival {
        // A client that has a link to the store itself can write there again.
        Arrival::Whole { key, .. } if *key != keys::upload_raw(asset.id()) => {
            let known = shared.store.object_ref(key).await;
            known.map_err(|error| gone(&error))?
        }
        _ => None,
    };
    let (object, content_type) = match known {
        Some(known) => link(shared, asset, known, arrived, scratch).await?,
        None => {
            let file = scratch.join("upload");
            let (sha256, written) = gather(shared, &pieces, size, &file, progress).await?;
            arrived.check(written)?;
            let content_type = judge(&file, asset).await?;
            let key = keys::source(sha256);
            let object = ObjectRef { key, sha256, size };
            if !is_stored(shared, &object).await? {
                let put = shared.store.put_file(object.key.clone(), &file, None).await;
                put.map_err(|error| failure::of_store(&error))?;
            }
            (object, content_type)
        }
    };
    Ok(Taken {
        object,
        content_type,
        filename: asset.new.filename.clone(),
    })
}

/// How many bytes of an upload there should be.
#[derive(Debug, Clone, Copy)]
struct Arrived {
    /// Those that were counted when it arrived.
    size: u64,
    /// Those that its client declared.
    declared: u64,
}

impl Arrived {
    /// A client may write to the store itself: what came is what counts.
    fn check(self, written: u64) -> Result<(), Failure> {
        if written == self.size && written == self.declared {
            return Ok(());
        }
        let message = format!("{written} bytes arrived of {}", self.declared);
        Err(failure::permanent("invalid_source", message, None))
    }
}

/// Takes in a whole upload that lies in the store unchangeably, by giving it the name of its
/// digest: its bytes are neither read nor written again.
async fn link(
    shared: &Shared,
    asset: &Asset,
    upload: ObjectRef,
    arrived: Arrived,
    scratch: &Path,
) -> Result<(ObjectRef, String), Failure> {
    arrived.check(upload.size)?;
    let file = shared.store.local_file(&upload, scratch).await;
    let content_type = judge(&file.map_err(|error| gone(&error))?, asset).await?;
    let object = ObjectRef {
        key: keys::source(upload.sha256),
        ..upload
    };
    if !is_stored(shared, &object).await? {
        let copied = shared.store.copy(&upload.key, &object.key).await;
        copied.map_err(|error| gone(&error))?;
        // Its time of use is that of the upload, which may have waited for long.
        let touched = shared.store.touch(&object.key).await;
        touched.map_err(|error| failure::of_store(&error))?;
    }
    Ok((object, content_type))
}

/// Whether the object is in the store. It is touched then, so that it is not trimmed before
/// the log names it.
async fn is_stored(shared: &Shared, object: &ObjectRef) -> Result<bool, Failure> {
    let of_store = |error: StoreError| failure::of_store(&error);
    let known = shared.store.head(&object.key).await.map_err(of_store)?;
    if known != Some(object.size) {
        return Ok(false);
    }
    match shared.store.touch(&object.key).await {
        Ok(()) => Ok(true),
        // Trimmed in between.
        Err(StoreError::NotFound(_)) => Ok(false),
        Err(error) => Err(of_store(error)),
    }
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
    let mut out = BulkFile::create(file).map_err(of_io)?;
    for key in pieces {
        let mut bytes = shared
            .store
            .read(key, None)
            .await
            .map_err(|error| gone(&error))?;
        while let Some(chunk) = bytes.next().await {
            let chunk = chunk.map_err(|error| failure::of_store(&error))?;
            let more = chunk.len() as u64;
            if out.length() + more > size {
                let message = format!("more than the {size} bytes of the upload arrived");
                return Err(failure::permanent("invalid_source", message, None));
            }
            let admitted = shared.scratch.admit(Purpose::Source, more);
            admitted.map_err(of_io)?;
            out.append(&chunk).await.map_err(of_io)?;
            progress.fetch_add(more, Ordering::Relaxed);
        }
    }
    out.finish().await.map_err(of_io)
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
