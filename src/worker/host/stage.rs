//! Inputs of a run to local files, and the order that names them.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use actors::ports::{Assignment, Staged};
use cluster::model::{Failure, ObjectRef, TaskKind};
use futures::{StreamExt, TryStreamExt};

use super::Shared;
use crate::composition::{Json, SourceUse, ValidComposition, validate};
use crate::plan::{Plan, RequestObject};
use crate::store::StoreError;
use crate::worker::failure;
use crate::worker::order::{
    self, AudioOrder, FetchedSource, JoinOrder, Order, PrepareOrder, SegmentsOrder,
};

/// Sources of one composition fetched at a time.
const FETCHES: usize = 4;

/// Brings a run's inputs here.
pub(super) async fn stage(
    shared: &Shared,
    run: &[Assignment],
    progress: &AtomicU64,
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
        TaskKind::Deliver => "deliver",
    };
    let scratch = shared
        .scratch
        .fresh(label)
        .map_err(|error| failure::of_io(&error))?;
    let mut unfinished = Unfinished(Some(scratch.clone()));
    let order = order(shared, first, run, &scratch, progress).await?;
    let order = order::encode(&order)
        .map_err(|error| failure::engine(format!("the order cannot be written: {error}")))?;
    unfinished.0 = None;
    Ok(Staged { order, scratch })
}

/// A scratch directory that goes again unless staging comes to its end: when it fails, and
/// when it is dropped half-way.
struct Unfinished(Option<PathBuf>);

impl Drop for Unfinished {
    fn drop(&mut self) {
        if let Some(scratch) = self.0.take()
            && let Err(error) = std::fs::remove_dir_all(&scratch)
        {
            // The next start sweeps it.
            tracing::warn!(path = %scratch.display(), %error, "scratch stays");
        }
    }
}

async fn order(
    shared: &Shared,
    first: &Assignment,
    run: &[Assignment],
    scratch: &Path,
    progress: &AtomicU64,
) -> Result<Order, Failure> {
    let out = scratch.to_owned();
    if first.granted.task.kind == TaskKind::Prepare {
        let prepare = prepare(shared, first, out, progress).await?;
        return Ok(Order::Prepare(prepare));
    }
    let Some(plan_object) = &first.plan else {
        return Err(failure::engine("a task without its plan"));
    };
    let files = Files {
        shared,
        scratch,
        progress,
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
    shared: &Shared,
    assignment: &Assignment,
    out: PathBuf,
    progress: &AtomicU64,
) -> Result<PrepareOrder, Failure> {
    let composition = composition(shared, &assignment.request).await?;
    let uses = composition.source_urls();
    let sources = futures::stream::iter(uses)
        .map(|used| fetch(shared, used, &out, progress))
        .buffered(FETCHES)
        .try_collect()
        .await?;
    Ok(PrepareOrder {
        composition,
        sources,
        segment_frames: shared.settings.segment_frames,
        max_duration: shared.settings.limits.duration,
        out,
    })
}

/// The composition of a request that the edge accepted. Validated again: the object may be of
/// another build, and only validation makes the type.
async fn composition(shared: &Shared, request: &ObjectRef) -> Result<ValidComposition, Failure> {
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

async fn fetch(
    shared: &Shared,
    used: SourceUse,
    scratch: &Path,
    progress: &AtomicU64,
) -> Result<FetchedSource, Failure> {
    let object = shared
        .fetcher
        .fetch(&used.url, scratch, progress)
        .await
        .map_err(|error| failure::of_fetch(&error, &used.path))?;
    let file = shared
        .store
        .local_file(&object, scratch)
        .await
        .map_err(|error| failure::of_store(&error))?;
    Ok(FetchedSource {
        url: used.url,
        path: used.path,
        kind: used.kind,
        object,
        file,
    })
}

async fn read_plan(file: &Path) -> Result<Plan, Failure> {
    let bytes = tokio::fs::read(file)
        .await
        .map_err(|error| failure::of_io(&error))?;
    serde_json::from_slice(&bytes)
        .map_err(|error| failure::engine(format!("the plan cannot be read: {error}")))
}

/// Objects of the store as local files, checked against their digests.
struct Files<'a> {
    shared: &'a Shared,
    scratch: &'a Path,
    progress: &'a AtomicU64,
}

impl Files<'_> {
    async fn local(&self, object: &ObjectRef) -> Result<PathBuf, StoreError> {
        let file = self.shared.store.local_file(object, self.scratch).await?;
        self.progress.fetch_add(object.size, Ordering::Relaxed);
        Ok(file)
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

    /// A join's inputs. One that is gone or damaged is named by its place, so that its task
    /// can be opened again.
    async fn inputs(&self, objects: &[ObjectRef]) -> Result<Vec<PathBuf>, Failure> {
        let mut files = Vec::with_capacity(objects.len());
        for (index, object) in objects.iter().enumerate() {
            let file = self.local(object).await.map_err(|error| match error {
                StoreError::NotFound(_) | StoreError::Damaged(_) => {
                    failure::damaged_input(index, &error)
                }
                StoreError::Full | StoreError::Io(_) => failure::of_store(&error),
            })?;
            files.push(file);
        }
        Ok(files)
    }
}
