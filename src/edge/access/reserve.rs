//! Holds new renders to what their workspace may have at once. A submission reserves its place
//! before anything is stored or proposed and gives it back with whatever comes of it: refused
//! ones count for nothing, and of many that come at the same time no more are admitted than
//! one after the other.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::http::{HeaderName, HeaderValue};
use cluster::State;
use cluster::model::{IdempotencyRow, JobId};
use cluster::state::Job;
use futures::StreamExt;

use super::quota::{MILLIS_PER_MINUTE, exceeded, finished_millis, within_bytes, within_share};
use crate::edge::context::Edge;
use crate::edge::creation::is_replayable;
use crate::edge::error::{ApiError, Code};

/// Requests that are read from the store at one time, to find out how long their renders are.
const READS: usize = 16;

/// What a submission is about to take.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    /// The render's id, if it is admitted.
    pub(crate) job: JobId,
    /// Whose it is.
    pub(crate) workspace: String,
    /// Milliseconds of video, as far as the request determines them.
    pub(crate) millis: u64,
    /// Its idempotency key: of several submissions with one key one makes a render.
    pub(crate) key: Option<IdempotencyRow>,
}

/// Submissions that applied state may not have yet.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reservations(Arc<Mutex<BTreeMap<JobId, Wanted>>>);

/// A submission's place. Dropping it gives the place back; by then applied state has the
/// render, or there is none.
#[derive(Debug)]
pub(crate) struct Reserved {
    job: JobId,
    reservations: Reservations,
}

impl Reservations {
    // A std mutex, never held across an await.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<JobId, Wanted>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        self.reservations.lock().remove(&self.job);
    }
}

/// Reserves what `wanted` is about to take.
///
/// # Errors
/// 402 when the workspace has had its minutes or keeps as many bytes as it may, 429 when its
/// queue is full, 503 when the disk is short of room and the workspace keeps more than its share.
pub(crate) async fn reserve(edge: &Edge, wanted: Wanted) -> Result<Reserved, ApiError> {
    within_bytes(edge, &wanted.workspace, 0)?;
    within_share(edge, &wanted.workspace)?;
    let known = match edge.config().quota.minutes_of(&wanted.workspace) {
        Some(_) => planned_millis(edge, &wanted.workspace).await,
        None => BTreeMap::new(),
    };
    let mut reserved = edge.reservations.lock();
    // Read under the lock: a reservation that is gone by now is in it.
    let state = edge.state();
    let is_made = wanted.key.as_ref().is_some_and(|key| {
        let place = (wanted.workspace.clone(), key.scope.clone(), key.key.clone());
        is_replayable(&state, &place)
    });
    if !is_made {
        admits(edge, &state, &reserved, &wanted, &known)?;
    }
    let job = wanted.job;
    reserved.insert(job, wanted);
    drop(reserved);
    Ok(Reserved {
        job,
        reservations: edge.reservations.clone(),
    })
}

/// Whether the workspace may have one more render.
fn admits(
    edge: &Edge,
    state: &State,
    reserved: &BTreeMap<JobId, Wanted>,
    wanted: &Wanted,
    known: &BTreeMap<JobId, u64>,
) -> Result<(), ApiError> {
    let mut keys: BTreeSet<&str> = wanted.key.iter().map(|row| row.key.as_str()).collect();
    let coming: Vec<&Wanted> = reserved
        .values()
        .filter(|other| other.workspace == wanted.workspace && !state.jobs.contains_key(&other.job))
        .filter(|other| other.key.as_ref().is_none_or(|row| keys.insert(&row.key)))
        .collect();
    if let Some(minutes) = edge.config().quota.minutes_of(&wanted.workspace) {
        let millis_of = |job: &Job| {
            let remembered = || edge.details.planned_millis(job.id);
            let reserved = reserved.get(&job.id).map(|other| other.millis);
            known.get(&job.id).copied().or(reserved).or_else(remembered)
        };
        let under_way = active(state, &wanted.workspace).filter_map(|job| millis_of(job));
        let admitted = under_way.chain(coming.iter().map(|other| other.millis));
        let finished = finished_millis(state, edge.now(), &wanted.workspace);
        let counted = admitted.fold(finished, u64::saturating_add);
        if counted >= minutes.saturating_mul(MILLIS_PER_MINUTE) {
            return Err(exceeded(minutes));
        }
    }
    let limit = edge.config().limits.queued_per_workspace;
    let queued = state.queued_of(&wanted.workspace) + coming.len();
    if queued >= limit {
        return Err(queue_full(queued, limit)?);
    }
    Ok(())
}

/// The workspace's renders that have not ended.
fn active<'a>(state: &'a State, workspace: &'a str) -> impl Iterator<Item = &'a Arc<Job>> {
    state
        .active
        .keys()
        .filter_map(|id| state.jobs.get(id))
        .filter(move |job| job.is_render() && job.workspace == workspace)
}

/// How long the workspace's renders that have not ended will be: as their sources had it where
/// that is known, else as their requests say.
async fn planned_millis(edge: &Edge, workspace: &str) -> BTreeMap<JobId, u64> {
    let state = edge.state();
    futures::stream::iter(active(&state, workspace).map(Arc::clone))
        .map(|job| async move {
            let probed = job.frames.zip(job.plan.as_ref());
            let millis = match probed {
                Some((frames, plan)) => {
                    let rate = plan.facts.rate;
                    let seconds = u128::from(frames) * u128::from(rate.denominator());
                    let millis = seconds * 1000 / u128::from(rate.numerator()).max(1);
                    u64::try_from(millis).unwrap_or(u64::MAX)
                }
                None => edge.accepted_request(&job).await?.planned_millis,
            };
            Some((job.id, millis))
        })
        .buffer_unordered(READS)
        .filter_map(std::future::ready)
        .collect()
        .await
}

fn queue_full(queued: usize, limit: usize) -> Result<ApiError, ApiError> {
    let error = ApiError::new(
        Code::QueueFull,
        format!("The workspace already has {queued} queued renders; {limit} are allowed."),
    );
    let policy = HeaderValue::from_str(&format!("\"queued\";q={limit}"));
    let policy = policy.map_err(|_| ApiError::internal())?;
    Ok(error
        .with_header(HeaderName::from_static("ratelimit-policy"), policy)
        .with_header(
            HeaderName::from_static("ratelimit"),
            HeaderValue::from_static("\"queued\";r=0;t=5"),
        ))
}
