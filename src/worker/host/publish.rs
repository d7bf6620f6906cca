//! A worker's output into the store under a fresh key, described for the coordinator.

use std::path::Path;

use actors::ports::Assignment;
use cluster::model::{Artifact, Failure, ObjectRef, TaskOutput};

use super::Shared;
use crate::store::{ObjectAbout, keys};
use crate::worker::failure;
use crate::worker::order::{self, Made};

/// Stores one output. Nothing names it before this returns.
pub(super) async fn publish(
    shared: &Shared,
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
            store_file(shared, key, &prepared, None).await?;
            TaskOutput::Plan {
                object: put(shared, assignment, &plan, "json", None).await?,
                facts,
            }
        }
        Made::Segment { file } => TaskOutput::Segment {
            object: put(shared, assignment, &file, "mp4", None).await?,
            from_cache: false,
        },
        Made::Audio { file } => TaskOutput::Audio {
            object: put(shared, assignment, &file, "mp4", None).await?,
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
            let about = ObjectAbout {
                content_type: "video/mp4".to_owned(),
                filename: Some(format!("{name}.mp4")),
            };
            let object = put(shared, assignment, &file, "mp4", Some(&about)).await?;
            TaskOutput::Artifact(Artifact {
                object,
                filename: format!("{name}.mp4"),
                content_type: about.content_type,
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
    shared: &Shared,
    assignment: &Assignment,
    file: &Path,
    extension: &str,
    about: Option<&ObjectAbout>,
) -> Result<ObjectRef, Failure> {
    let granted = &assignment.granted;
    let key = keys::attempt(
        granted.task.job,
        granted.task.kind,
        granted.epoch,
        extension,
    );
    store_file(shared, key, file, about).await
}

async fn store_file(
    shared: &Shared,
    key: cluster::model::ObjectKey,
    file: &Path,
    about: Option<&ObjectAbout>,
) -> Result<ObjectRef, Failure> {
    // The worker met hostile input: it does not choose which of our files are published.
    if !shared.scratch.holds(file) {
        return Err(failure::engine(
            "the worker named a file that is not its own",
        ));
    }
    shared
        .store
        .put_file(key, file, about)
        .await
        .map_err(|error| failure::of_store(&error))
}
