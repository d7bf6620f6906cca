//! A worker's output into the store under a fresh key, described for the coordinator.

use std::path::Path;

use actors::ports::Assignment;
use cluster::model::{Artifact, Failure, ObjectRef, TaskOutput};

use crate::store::{ObjectStore, keys};
use crate::worker::failure;
use crate::worker::order::{self, Made};

/// Stores one output. Nothing names it before this returns.
pub(super) async fn publish(
    store: &dyn ObjectStore,
    assignment: &Assignment,
    body: &[u8],
) -> Result<TaskOutput, Failure> {
    let made: Made = order::decode(body)
        .map_err(|error| failure::engine(format!("the output is not described: {error}")))?;
    Ok(match made {
        Made::Plan {
            plan,
            prepared,
            facts,
        } => {
            let key = keys::prepared(assignment.granted.task.job);
            store_file(store, key, &prepared).await?;
            TaskOutput::Plan {
                object: put(store, assignment, &plan, "json").await?,
                facts,
            }
        }
        Made::Segment { file } => TaskOutput::Segment {
            object: put(store, assignment, &file, "mp4").await?,
            from_cache: false,
        },
        Made::Audio { file } => TaskOutput::Audio {
            object: put(store, assignment, &file, "mp4").await?,
            from_cache: false,
        },
        Made::Artifact {
            file,
            filename,
            width,
            height,
            frames,
            rate,
            join_millis,
        } => {
            let name = filename.unwrap_or_else(|| assignment.granted.task.job.to_string());
            TaskOutput::Artifact(Artifact {
                object: put(store, assignment, &file, "mp4").await?,
                filename: format!("{name}.mp4"),
                content_type: "video/mp4".to_owned(),
                width,
                height,
                frames,
                rate,
                thumbnail: None,
                join_millis,
            })
        }
    })
}

async fn put(
    store: &dyn ObjectStore,
    assignment: &Assignment,
    file: &Path,
    extension: &str,
) -> Result<ObjectRef, Failure> {
    let granted = &assignment.granted;
    let key = keys::attempt(
        granted.task.job,
        granted.task.kind,
        granted.epoch,
        extension,
    );
    store_file(store, key, file).await
}

async fn store_file(
    store: &dyn ObjectStore,
    key: cluster::model::ObjectKey,
    file: &Path,
) -> Result<ObjectRef, Failure> {
    store
        .put_file(key, file)
        .await
        .map_err(|error| failure::of_store(&error))
}
