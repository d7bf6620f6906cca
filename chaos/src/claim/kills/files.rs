//! What is in the store once the kills are over and one sweep is done: only what a record names.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde_json::Value;

use super::{LIMIT, listed};
use crate::api::Api;
use crate::node::Node;
use crate::receiver::Receiver;

/// Waits until only what a record names is in the store.
pub(super) async fn swept_clean(node: &Node, receiver: &Receiver) -> Result<String> {
    let deadline = Instant::now() + LIMIT;
    let api = node.api()?;
    let objects = node.data_dir().join("objects");
    let renders = ids(&listed(&api, "/v1/renders").await?);
    let events: BTreeSet<String> = receiver.got().into_iter().map(|one| one.id).collect();
    loop {
        let mut stray = of_jobs(&objects, &renders)?;
        stray.extend(of_uploads(&api, &objects).await?);
        stray.extend(of_sources(&objects)?);
        stray.extend(of_events(&objects, &events)?);
        stray.extend(half_written(&objects)?);
        if stray.is_empty() {
            return Ok(format!(
                "{} jobs have files, {} events bodies, one source; no other file",
                renders.len(),
                children(&objects.join("webhooks"))?.len(),
            ));
        }
        ensure!(
            Instant::now() < deadline,
            "{} without a record: {stray:?}",
            stray.len()
        );
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

fn ids(list: &[Value]) -> BTreeSet<String> {
    list.iter()
        .filter_map(|one| one["id"].as_str())
        .map(str::to_owned)
        .collect()
}

/// Files of jobs that no record names. Of a completed job that is all but its request, what
/// clients are told from, and one film.
fn of_jobs(objects: &Path, renders: &BTreeSet<String>) -> Result<Vec<String>> {
    let mut stray = Vec::new();
    for job in children(&objects.join("jobs"))? {
        let at = objects.join("jobs").join(&job);
        if !renders.contains(&format!("render_{job}")) && !renders.contains(&job) {
            stray.push(format!("jobs/{job}"));
            continue;
        }
        let films = children(&at.join("join"))?.into_iter().skip(1);
        stray.extend(films.map(|film| format!("jobs/{job}/join/{film}")));
        let known = ["composition.json", "prepared", "findings", "join"];
        let others = children(&at)?.into_iter();
        for name in others.filter(|name| !known.iter().any(|known| name.starts_with(known))) {
            if files_below(&at.join(&name))? > 0 {
                stray.push(format!("jobs/{job}/{name}"));
            }
        }
    }
    Ok(stray)
}

async fn of_uploads(api: &Api, objects: &Path) -> Result<Vec<String>> {
    let mut stray = Vec::new();
    for upload in children(&objects.join("uploads"))? {
        let path = format!("/v1/uploads/{upload}");
        if api.get(&path).await?.status == 404 {
            stray.push(format!("uploads/{upload}"));
        }
    }
    Ok(stray)
}

/// Sources are named by what is in them, and every source of the traffic is the same clip.
fn of_sources(objects: &Path) -> Result<Vec<String>> {
    let sources = children(&objects.join("sources"))?.into_iter().skip(1);
    Ok(sources.map(|source| format!("sources/{source}")).collect())
}

/// Bodies of events that nobody was ever sent.
fn of_events(objects: &Path, events: &BTreeSet<String>) -> Result<Vec<String>> {
    let bodies = children(&objects.join("webhooks"))?.into_iter();
    let stray = bodies.filter(|body| !events.contains(body.trim_end_matches(".json")));
    Ok(stray.map(|body| format!("webhooks/{body}")).collect())
}

/// Files that were being written when the server was killed.
fn half_written(objects: &Path) -> Result<Vec<String>> {
    let left = children(&objects.join(".incoming"))?.into_iter();
    Ok(left.map(|file| format!(".incoming/{file}")).collect())
}

fn children(directory: &Path) -> Result<Vec<String>> {
    match std::fs::read_dir(directory) {
        Ok(entries) => Ok(entries
            .flatten()
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error.into()),
    }
}

fn files_below(path: &Path) -> Result<usize> {
    if !path.is_dir() {
        return Ok(usize::from(path.is_file()));
    }
    let mut count = 0;
    for name in children(path)? {
        count += files_below(&path.join(name))?;
    }
    Ok(count)
}
