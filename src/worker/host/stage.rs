//! Inputs of a run to files that its worker may read, and the order that names them.
//!
//! The worker gets a second name for each file of the store that it needs, in its slot's
//! directory: demuxers want to seek in files they open themselves. Where the store is on another
//! file system, or without hard links, it gets a copy.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use actors::ports::{Assignment, Staged};
use cluster::model::{AssetId, AssetKind, Failure, ObjectRef, TaskKind};
use futures::{StreamExt, TryStreamExt};

use super::Shared;
use super::ingest::Taken;
use super::transfer::{self, FetchedSources, SOURCES_AT_ONCE};
use crate::composition::{Json, SourceUse, ValidComposition, validate};
use crate::plan::{Plan, RequestObject, asset_of};
use crate::store::{Purpose, StoreError};
use crate::worker::failure;
use crate::worker::order::{
    self, AudioOrder, FetchedSource, IngestOrder, JoinOrder, Order, PrepareOrder, SegmentsOrder,
};
use crate::worker::scratch::RunDirs;

/// Bytes copied between two signs of progress.
const COPY: u64 = 64 << 20;

/// Brings a run's inputs here.
pub(super) async fn stage(
    shared: &Shared,
    slot: usize,
    run: &[Assignment],
    to_probe: Option<&[u8]>,
    progress: &Arc<AtomicU64>,
) -> Result<Staged, Failure> {
    let Some(first) = run.first() else {
        return Err(failure::engine("a run without tasks"));
    };
    let label = match first.granted.task.kind {
        TaskKind::Prepare => "prepare",
        TaskKind::Audio => "audio",
        TaskKind::Segment(_) => "segments",
        TaskKind::Join => "join",
        TaskKind::Ingest => "ingest",
        TaskKind::Fetch | TaskKind::Deliver => {
            return Err(failure::engine("a task that takes no slot"));
        }
    };
    // What would only fail at its end is not begun. A delivery writes nothing here.
    let purpose = match first.granted.task.kind {
        TaskKind::Ingest => Purpose::Source,
        TaskKind::Deliver => Purpose::Record,
        _ => Purpose::Render,
    };
    let dirs = shared
        .scratch
        .admit(purpose, 0)
        .and_then(|()| shared.scratch.fresh(slot, label))
        .map_err(|error| failure::of_io(&error))?;
    let mut unfinished = Unfinished(Some(dirs.clone()));
    let order = order(shared, first, run, to_probe, &dirs, progress).await?;
    let bytes = order::encode(&order).map_err(|error| unwritten(&error))?;
    if let Order::Prepare(order) = &order {
        keep(&dirs, order).await?;
    }
    unfinished.0 = None;
    Ok(Staged {
        order: bytes,
        scratch: dirs.output,
    })
}

/// Keeps the node's own record of a run, where the worker cannot reach it.
async fn keep<T: serde::Serialize>(dirs: &RunDirs, known: &T) -> Result<(), Failure> {
    let kept = order::encode(known).map_err(|error| unwritten(&error))?;
    tokio::fs::write(kept_order(dirs), kept)
        .await
        .map_err(|error| failure::of_io(&error))
}

/// Where the node keeps what it asked of a run, to hold the answer to it.
pub(super) fn kept_order(dirs: &RunDirs) -> PathBuf {
    dirs.own.join("order.json")
}

fn unwritten(error: &serde_json::Error) -> Failure {
    failure::engine(format!("the order cannot be written: {error}"))
}

/// Removes a run's directories.
pub(super) fn remove(dirs: &RunDirs) {
    if let Err(error) = dirs.remove() {
        // The next start sweeps it.
        tracing::warn!(path = %dirs.output.display(), %error, "scratch stays");
    }
}

/// Directories that go again unless staging comes to its end: when it fails, and when it is
/// dropped half-way.
struct Unfinished(Option<RunDirs>);

impl Drop for Unfinished {
    fn drop(&mut self) {
        if let Some(dirs) = self.0.take() {
            remove(&dirs);
        }
    }
}

async fn order(
    shared: &Shared,
    first: &Assignment,
    run: &[Assignment],
    to_probe: Option<&[u8]>,
    dirs: &RunDirs,
    progress: &Arc<AtomicU64>,
) -> Result<Order, Failure> {
    let out = dirs.output.clone();
    let files = Files {
        shared,
        dirs,
        progress,
        given: AtomicUsize::new(0),
    };
    if first.granted.task.kind == TaskKind::Prepare {
        let prepare = prepare(&files, first, out).await?;
        return Ok(Order::Prepare(prepare));
    }
    if let Some(asset) = &first.ingest {
        let bytes = to_probe.ok_or_else(|| failure::engine("an ingest without its file"))?;
        let taken: Taken = order::decode(bytes)
            .map_err(|error| failure::engine(format!("what was taken in: {error}")))?;
        keep(dirs, &taken).await?;
        return Ok(Order::Ingest(IngestOrder {
            file: files.one(&taken.object).await?,
            content_type: taken.content_type,
            in_full: asset.id().kind == AssetKind::Probe,
        }));
    }
    let Some(plan_object) = &first.plan else {
        return Err(failure::engine("a task without its plan"));
    };
    let plan_file = files.one(plan_object).await?;
    Ok(match first.granted.task.kind {
        TaskKind::Join => {
            let mut segments = files.inputs(&first.inputs).await?;
            let audio = if first.has_audio {
                segments.pop()
            } else {
                None
            };
            Order::Join(JoinOrder {
                plan: plan_file,
                segments,
                audio,
                out,
            })
        }
        TaskKind::Audio => {
            let plan = read_plan(&plan_file).await?;
            Order::Audio(AudioOrder {
                plan: plan_file,
                sources: files.all(&plan.sources).await?,
                out,
            })
        }
        _ => {
            let plan = read_plan(&plan_file).await?;
            let fonts: Vec<_> = plan.fonts.into_iter().map(|font| font.object).collect();
            Order::Segments(SegmentsOrder {
                plan: plan_file,
                sources: files.all(&plan.sources).await?,
                fonts: files.all(&fonts).await?,
                segments: segment_indices(run)?,
                out,
            })
        }
    })
}

fn segment_indices(run: &[Assignment]) -> Result<Vec<u32>, Failure> {
    run.iter()
        .map(|assignment| match assignment.granted.task.kind {
            TaskKind::Segment(index) => Ok(index),
            _ => Err(failure::engine("a run of segments holds another task")),
        })
        .collect()
}

async fn prepare(
    files: &Files<'_>,
    assignment: &Assignment,
    out: PathBuf,
) -> Result<PrepareOrder, Failure> {
    let shared = files.shared;
    let composition = composition(shared, &assignment.request).await?;
    let fetched = match assignment.fetched {
        Some(epoch) => {
            let job = assignment.granted.task.job;
            Some(transfer::fetched(shared, job, epoch).await?)
        }
        None => None,
    };
    let uses = composition.source_urls();
    let sources = futures::stream::iter(uses)
        .map(|used| obtain(files, used, &assignment.assets, fetched.as_ref()))
        .buffered(SOURCES_AT_ONCE)
        .try_collect()
        .await?;
    Ok(PrepareOrder {
        composition,
        sources,
        cuts: shared.settings.cuts,
        max_duration: shared.settings.limits.duration,
        max_render_pixels: shared.settings.limits.render_pixels,
        out,
    })
}

/// The composition of a request that the edge accepted. Validated again: the object may be of
/// another build, and only validation makes the type.
pub(super) async fn composition(
    shared: &Shared,
    request: &ObjectRef,
) -> Result<ValidComposition, Failure> {
    let bytes = shared
        .store
        .get(&request.key)
        .await
        .map_err(|error| failure::of_store(&error))?;
    let request =
        RequestObject::from_bytes(&bytes).map_err(|error| failure::engine(error.to_string()))?;
    let json = Json::parse(request.composition.to_string().as_bytes())
        .map_err(|error| failure::engine(format!("the stored request: {error}")))?;
    match validate(&json, &shared.settings.limits) {
        Ok((composition, _warnings)) => Ok(composition),
        Err(violations) => {
            let first = violations.first();
            let message = first.map_or("the composition is not valid", |v| v.message.as_str());
            let path = first.map(|violation| violation.path.as_str());
            Err(failure::permanent("engine_error", message, path))
        }
    }
}

/// A source's bytes: from the store if its URL is that of an upload or import, whatever its
/// host, or was fetched before; else from where the URL leads.
async fn obtain(
    files: &Files<'_>,
    used: SourceUse,
    assets: &[(AssetId, ObjectRef)],
    fetched: Option<&FetchedSources>,
) -> Result<FetchedSource, Failure> {
    let (shared, own) = (files.shared, &files.dirs.own);
    let (object, file) = match (asset_of(&used.url), fetched) {
        (Some(asset), _) => {
            let object = asset_object(asset, assets, &used)?;
            let file = files.one(&object).await?;
            (object, file)
        }
        (None, Some(fetched)) => {
            let object = fetched.by_url.get(&used.url).cloned().ok_or_else(|| {
                failure::engine(format!("{} was not fetched with the others", used.path))
            })?;
            let file = files.local(&object).await;
            (object, file.map_err(|error| transfer::lost(&error))?)
        }
        // A render that was admitted before there were fetches.
        (None, None) => {
            let object = transfer::fetch_one(shared, &used, own, files.progress).await?;
            let file = files.one(&object).await?;
            (object, file)
        }
    };
    Ok(FetchedSource {
        url: used.url,
        path: used.path,
        kind: used.kind,
        object,
        file,
    })
}

fn asset_object(
    asset: AssetId,
    assets: &[(AssetId, ObjectRef)],
    used: &SourceUse,
) -> Result<ObjectRef, Failure> {
    let known = assets.iter().find(|(id, _)| *id == asset);
    let (_, object) = known.ok_or_else(|| {
        let message = format!("there is no {asset}");
        failure::permanent("source_not_found", message, Some(&used.path))
    })?;
    Ok(object.clone())
}

async fn read_plan(file: &Path) -> Result<Plan, Failure> {
    let bytes = tokio::fs::read(file)
        .await
        .map_err(|error| failure::of_io(&error))?;
    Plan::from_bytes(&bytes)
        .map_err(|error| failure::engine(format!("the plan cannot be read: {error}")))
}

/// Objects of the store as files for the worker, checked against their digests.
struct Files<'a> {
    shared: &'a Shared,
    dirs: &'a RunDirs,
    progress: &'a Arc<AtomicU64>,
    /// How many there are, to name the next.
    given: AtomicUsize,
}

impl Files<'_> {
    async fn local(&self, object: &ObjectRef) -> Result<PathBuf, StoreError> {
        let store = &self.shared.store;
        let file = store.local_file(object, &self.dirs.own).await?;
        self.progress.fetch_add(object.size, Ordering::Relaxed);
        let number = self.given.fetch_add(1, Ordering::Relaxed);
        let given = self.dirs.input.join(number.to_string());
        let (to, progress) = (given.clone(), Arc::clone(self.progress));
        tokio::task::spawn_blocking(move || give(&file, &to, &progress))
            .await
            .unwrap_or_else(|error| Err(io::Error::other(error)))
            .map_err(|error| match error.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StoreError::Full,
                _ => StoreError::Io(error),
            })?;
        Ok(given)
    }

    async fn one(&self, object: &ObjectRef) -> Result<PathBuf, Failure> {
        self.local(object)
            .await
            .map_err(|error| failure::of_store(&error))
    }

    async fn all(&self, objects: &[ObjectRef]) -> Result<Vec<PathBuf>, Failure> {
        let mut files = Vec::with_capacity(objects.len());
        for object in objects {
            files.push(self.one(object).await?);
        }
        Ok(files)
    }

    /// A join's inputs. All that are gone or damaged are named by their places, so that their
    /// tasks are opened again together: each join that fails counts as a try.
    async fn inputs(&self, objects: &[ObjectRef]) -> Result<Vec<PathBuf>, Failure> {
        let mut files = Vec::with_capacity(objects.len());
        let (mut damaged, mut first) = (Vec::new(), None);
        for (index, object) in objects.iter().enumerate() {
            match self.local(object).await {
                Ok(file) => files.push(file),
                Err(error @ (StoreError::NotFound(_) | StoreError::Damaged(_))) => {
                    damaged.push(index);
                    first.get_or_insert(error);
                }
                Err(error @ (StoreError::Full | StoreError::Io(_))) => {
                    return Err(failure::of_store(&error));
                }
            }
        }
        match first {
            None => Ok(files),
            Some(first) => Err(failure::damaged_inputs(&damaged, &first)),
        }
    }
}

/// Makes `file` readable at `to`, where it may be removed again at any time.
fn give(file: &Path, to: &Path, progress: &AtomicU64) -> io::Result<()> {
    if fs::hard_link(file, to).is_ok() {
        return Ok(());
    }
    let mut source = File::open(file)?;
    let mut copy = File::create_new(to)?;
    loop {
        // The kernel copies, by sharing blocks where the file system can.
        let copied = io::copy(&mut io::Read::take(&mut source, COPY), &mut copy)?;
        progress.fetch_add(copied, Ordering::Relaxed);
        if copied < COPY {
            return Ok(());
        }
    }
}
