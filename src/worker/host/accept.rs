//! What a worker reports it made, checked against its order. A worker that was taken over can
//! spoil its own render; it must not name another's objects, nor put anything into the log or
//! before clients that does not follow from the composition.

use std::path::Path;

use cluster::model::{Failure, PlanFacts};
use serde::de::DeserializeOwned;

use crate::composition::{SourceKind, Warning};
use crate::plan::{self, Findings, Plan};
use crate::worker::damage::CODE;
use crate::worker::failure;
use crate::worker::order::PrepareOrder;

/// Largest file of a worker that is read into memory.
const LARGEST: u64 = plan::MAX_BYTES as u64;

fn impossible(what: &str) -> Failure {
    failure::engine(format!("the worker made a plan that cannot be: {what}"))
}

/// Reads a file of a worker as JSON, if it is of a size that a worker makes.
pub(super) async fn read_json<T: DeserializeOwned>(file: &Path) -> Result<T, Failure> {
    serde_json::from_slice(&read(file).await?).map_err(|error| impossible(&error.to_string()))
}

/// Reads a worker's plan.
pub(super) async fn read_plan(file: &Path) -> Result<Plan, Failure> {
    Plan::from_bytes(&read(file).await?).map_err(|error| impossible(&error.to_string()))
}

async fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    let about = tokio::fs::metadata(file)
        .await
        .map_err(|error| failure::of_io(&error))?;
    if about.len() > LARGEST {
        return Err(impossible("it is too large"));
    }
    tokio::fs::read(file)
        .await
        .map_err(|error| failure::of_io(&error))
}

/// Warnings that a render is made of more than what prepare found.
const LATE_WARNINGS: usize = 1_000;

/// Holds what a join found to what a join can find.
pub(super) fn late_warnings(warnings: &[Warning]) -> Result<(), Failure> {
    let longest = |warning: &Warning| warning.path.len().max(warning.message.len());
    let is_possible = warnings.len() <= LATE_WARNINGS
        && warnings
            .iter()
            .all(|warning| warning.code == CODE && longest(warning) <= 200);
    if is_possible {
        Ok(())
    } else {
        Err(failure::engine("the worker reported damage that cannot be"))
    }
}

/// Checks a plan against its order, and against the worker's report of it.
pub(super) fn plan(
    order: &PrepareOrder,
    plan: &Plan,
    findings: &Findings,
    facts: &PlanFacts,
) -> Result<(), Failure> {
    let composition = &plan.timeline.composition;
    if *composition != order.composition {
        return Err(impossible("it is of another composition"));
    }
    let objects = |kind: fn(SourceKind) -> bool| {
        let wanted = order.sources.iter().filter(move |one| kind(one.kind));
        wanted.map(|source| &source.object)
    };
    let fonts = plan.fonts.iter().map(|font| &font.object);
    let same = objects(|kind| kind != SourceKind::Font).eq(plan.sources.iter())
        && objects(|kind| kind == SourceKind::Font).eq(fonts);
    if !same {
        return Err(impossible("it is of other sources"));
    }
    let longest = order.max_duration.frame_count(composition.frame_rate);
    let frames = plan.timeline.frames;
    if frames == 0 || frames > longest {
        return Err(impossible("its length"));
    }
    let is_consistent = facts.frames == frames
        && facts.rate == composition.frame_rate
        && facts.segments == plan.segments
        && findings.frames == frames
        && (findings.width, findings.height) == (plan.output_width(), plan.output_height());
    if !is_consistent {
        return Err(impossible("it is described as another"));
    }
    Ok(())
}
