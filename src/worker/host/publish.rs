//! A worker's output into the store under a fresh key, described for the coordinator.

use std::path::{Path, PathBuf};

use actors::ports::Assignment;
use cluster::model::{Artifact, Failure, ObjectKey, ObjectRef, PlanFacts, TaskKind, TaskOutput};

use super::ingest::Taken;
use super::take::{TakeError, take};
use super::{Shared, accept, stage};
use crate::composition::Warning;
use crate::plan::{Findings, Plan};
use crate::store::{ObjectAbout, keys};
use crate::worker::failure;
use crate::worker::order::{self, Made, PrepareOrder};
use crate::worker::scratch::RunDirs;

/// Longest that joining can have taken: beyond this it is not the truth.
const LONGEST_JOIN: u64 = 24 * 3600 * 1000;

/// Stores one output. Nothing names it before this returns.
pub(super) async fn publish(
    shared: &Shared,
    assignment: &Assignment,
    scratch: &Path,
    body: &[u8],
) -> Result<TaskOutput, Failure> {
    let made: Made = order::decode(body)
        .map_err(|error| failure::engine(format!("the output is not described: {error}")))?;
    let dirs = RunDirs::of(scratch).ok_or_else(|| failure::engine("a run without directories"))?;
    let output = Output {
        shared,
        assignment,
        dirs,
    };
    // The kind of output must match the task.
    Ok(match (assignment.granted.task.kind, made) {
        (
            TaskKind::Prepare,
            Made::Plan {
                plan,
                findings,
                facts,
            },
        ) => output.plan(&plan, &findings, facts).await?,
        (TaskKind::Segment(_), Made::Segment { file }) => TaskOutput::Segment {
            object: output.store(&file).await?,
            from_cache: false,
        },
        (TaskKind::Audio, Made::Audio { file }) => TaskOutput::Audio {
            object: output.store(&file).await?,
            from_cache: false,
        },
        (TaskKind::Ingest, Made::Probed { probe, report }) => {
            let taken: Taken = accept::read_json(&stage::kept_order(&output.dirs)).await?;
            TaskOutput::Ingested(taken.probed(probe, report))
        }
        (
            TaskKind::Join,
            Made::Artifact {
                file,
                join_millis,
                warnings,
            },
        ) => {
            let findings = output.with_warnings(warnings).await?;
            let artifact = output.artifact(&file, join_millis).await?;
            TaskOutput::Published { artifact, findings }
        }
        _ => {
            return Err(failure::engine(
                "the worker made another thing than was asked",
            ));
        }
    })
}

struct Output<'a> {
    shared: &'a Shared,
    assignment: &'a Assignment,
    dirs: RunDirs,
}

impl Output<'_> {
    async fn plan(
        &self,
        plan: &Path,
        findings: &Path,
        facts: PlanFacts,
    ) -> Result<TaskOutput, Failure> {
        let (plan, findings) = (self.take(plan).await?, self.take(findings).await?);
        let order: PrepareOrder = accept::read_json(&stage::kept_order(&self.dirs)).await?;
        let read = accept::read_plan(&plan).await?;
        let found: Findings = accept::read_json(&findings).await?;
        accept::plan(&order, &read, &found, &facts)?;
        let findings = self.put(self.findings_key(), &findings, None).await?;
        let object = self.put(self.key("plan"), &plan, None).await?;
        Ok(TaskOutput::Planned {
            object,
            facts,
            findings,
        })
    }

    /// What prepare found with what was found while the render was made; `None` if that is
    /// nothing.
    async fn with_warnings(&self, warnings: Vec<Warning>) -> Result<Option<ObjectRef>, Failure> {
        if warnings.is_empty() {
            return Ok(None);
        }
        accept::late_warnings(&warnings)?;
        let job = self.assignment.granted.task.job;
        let key = match &self.assignment.findings {
            Some(findings) => findings.key.clone(),
            None => keys::findings_of_level_0(job),
        };
        let store = &self.shared.store;
        let bytes = store.get(&key).await;
        let bytes = bytes.map_err(|error| failure::of_store(&error))?;
        let mut findings: Findings = serde_json::from_slice(&bytes)
            .map_err(|error| failure::engine(format!("what prepare found: {error}")))?;
        for warning in warnings {
            if !findings.warnings.contains(&warning) {
                findings.warnings.push(warning);
            }
        }
        let json = serde_json::to_vec(&findings)
            .map_err(|error| failure::engine(format!("what was found: {error}")))?;
        let written = store.put(self.findings_key(), json.into()).await;
        written.map(Some).map_err(|error| failure::of_store(&error))
    }

    /// The published file, described by the plan, not by the worker, because clients see it.
    async fn artifact(&self, file: &Path, join_millis: u64) -> Result<Artifact, Failure> {
        let Some(plan) = &self.assignment.plan else {
            return Err(failure::engine("a join without its plan"));
        };
        let bytes = self
            .shared
            .store
            .get(&plan.key)
            .await
            .map_err(|error| failure::of_store(&error))?;
        let plan = Plan::from_bytes(&bytes)
            .map_err(|error| failure::engine(format!("the plan cannot be read: {error}")))?;
        let composition = &plan.timeline.composition;
        let job = self.assignment.granted.task.job;
        let name = composition.output.filename.clone();
        let filename = format!("{}.mp4", name.unwrap_or_else(|| job.to_string()));
        let about = ObjectAbout {
            content_type: "video/mp4".to_owned(),
            filename: Some(filename.clone()),
        };
        let taken = self.take(file).await?;
        Ok(Artifact {
            object: self.put(self.key("mp4"), &taken, Some(&about)).await?,
            filename,
            content_type: about.content_type,
            width: plan.output_width(),
            height: plan.output_height(),
            frames: plan.timeline.frames,
            rate: composition.frame_rate,
            thumbnail: None,
            join_millis: join_millis.min(LONGEST_JOIN),
        })
    }

    fn findings_key(&self) -> ObjectKey {
        let granted = &self.assignment.granted;
        keys::findings(granted.task.job, granted.epoch)
    }

    fn key(&self, extension: &str) -> ObjectKey {
        let granted = &self.assignment.granted;
        let (job, kind) = (granted.task.job, granted.task.kind);
        keys::attempt(job, kind, granted.epoch, extension)
    }

    async fn store(&self, file: &Path) -> Result<ObjectRef, Failure> {
        let taken = self.take(file).await?;
        self.put(self.key("mp4"), &taken, None).await
    }

    async fn take(&self, file: &Path) -> Result<PathBuf, Failure> {
        let (dirs, file) = (self.dirs.clone(), file.to_owned());
        let taken = tokio::task::spawn_blocking(move || take(&dirs, &file))
            .await
            .map_err(|error| failure::engine(error.to_string()))?;
        taken.map_err(|error| match error {
            TakeError::Io(source) => failure::of_io(&source),
            TakeError::Foreign | TakeError::NotPlain => failure::engine(error.to_string()),
        })
    }

    async fn put(
        &self,
        key: ObjectKey,
        taken: &Path,
        about: Option<&ObjectAbout>,
    ) -> Result<ObjectRef, Failure> {
        self.shared
            .store
            .put_file(key, taken, about)
            .await
            .map_err(|error| failure::of_store(&error))
    }
}
