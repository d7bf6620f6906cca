//! What holds after every command, whatever the history. Checked by the property tests and,
//! in debug builds, by `apply`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::fail::{MAX_FAILURES, MAX_LOSSES};
use super::reopen::MAX_REOPENS;
use super::{HISTORY_LEN, Job, State, Task, TaskPhase};
use crate::model::{
    AssetStatus, Boot, DeliveryStatus, Epoch, Generation, JobKind, JobStatus, TaskKind,
};

/// A state that no history leads to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} ({at})")]
pub struct Violation {
    /// The rule that is broken.
    pub what: &'static str,
    /// Where.
    pub at: String,
}

/// Checks every rule.
pub fn check(state: &State) -> Result<(), Violation> {
    let mut epochs = BTreeSet::new();
    let mut runs = BTreeMap::new();
    for (id, job) in &state.jobs {
        require(*id == job.id, "a job is filed under its id", id)?;
        require(
            job.changed_at <= state.applied,
            "a change has been applied",
            id,
        )?;
        require(
            job.submitted_ran <= state.ran,
            "running time never goes back",
            id,
        )?;
        require(
            state.active.contains_key(id) != job.status.is_terminal(),
            "exactly the jobs that go on are active",
            id,
        )?;
        check_job(job)?;
        for task in job.tasks.values() {
            for attempt in task.live.iter().chain(&task.lingering) {
                require(
                    attempt.epoch < state.next_epoch,
                    "an epoch in use has been handed out",
                    id,
                )?;
                require(epochs.insert(attempt.epoch), "an epoch has one attempt", id)?;
                let slot = (*id, attempt.node, attempt.incarnation, attempt.generation);
                require(
                    *runs.entry(attempt.run).or_insert(slot) == slot,
                    "a run is of one job, on one start of one node",
                    id,
                )?;
            }
        }
    }
    for id in state.active.keys() {
        require(state.jobs.contains_key(id), "an active job exists", id)?;
    }
    for (node, boot) in &state.boots {
        require(
            state.nodes.contains_key(node) && *boot > Boot(0),
            "a boot is that of a node",
            node,
        )?;
    }
    require(
        state.queues == state.queues_of_jobs() && state.touched.is_empty(),
        "the queues follow from the jobs",
        &"queues",
    )?;
    for (job, _, at) in state.idempotency.values() {
        require(state.jobs.contains_key(job), "a key leads to a job", job)?;
        require(*at <= state.now, "log time never goes back", job)?;
    }
    check_assets(state)?;
    check_deliveries(state)?;
    Ok(())
}

fn check_assets(state: &State) -> Result<(), Violation> {
    for (id, asset) in &state.assets {
        require(*id == asset.id(), "an asset is filed under its id", id)?;
        require(
            state.open_assets.contains_key(id) != asset.status.is_settled(),
            "exactly the assets that are not settled are open",
            id,
        )?;
        require(
            asset.settled_at.is_some() == asset.status.is_settled(),
            "an asset has an end iff it is settled",
            id,
        )?;
        require(
            asset.ingested.is_some() == (asset.status == AssetStatus::Ready),
            "exactly ready assets have their bytes",
            id,
        )?;
        let transfer = asset.job.and_then(|job| state.jobs.get(&job));
        let is_taken_in = transfer.is_some_and(|job| job.kind == JobKind::Ingest(*id));
        require(
            is_taken_in == (asset.status == AssetStatus::Processing),
            "exactly assets being processed have a job that takes them in",
            id,
        )?;
    }
    for id in state.open_assets.keys() {
        require(state.assets.contains_key(id), "an open asset exists", id)?;
    }
    for (asset, _, _) in state.asset_keys.values() {
        require(
            state.assets.contains_key(asset),
            "a key leads to an asset",
            asset,
        )?;
    }
    Ok(())
}

fn check_deliveries(state: &State) -> Result<(), Violation> {
    for (id, delivery) in &state.deliveries {
        require(*id == delivery.id, "a delivery is filed under its id", id)?;
        let is_pending = delivery.status == DeliveryStatus::Pending;
        require(
            state.due.contains_key(&(delivery.due, *id)) == is_pending,
            "exactly pending deliveries are due",
            id,
        )?;
        require(
            delivery.settled_at.is_some() != is_pending,
            "a delivery has an end iff it is settled",
            id,
        )?;
    }
    let pending = state
        .deliveries
        .values()
        .filter(|delivery| delivery.status == DeliveryStatus::Pending)
        .count();
    require(
        state.due.len() == pending,
        "what is due is a delivery",
        &"due",
    )
}

fn require(holds: bool, what: &'static str, at: &impl fmt::Display) -> Result<(), Violation> {
    if holds {
        return Ok(());
    }
    Err(Violation {
        what,
        at: at.to_string(),
    })
}

fn check_job(job: &Job) -> Result<(), Violation> {
    let id = &job.id;
    let is_terminal = job.status.is_terminal();
    require(
        job.finished_at.is_some() == is_terminal,
        "a job has an end iff it has ended",
        id,
    )?;
    require(
        job.artifact.is_some() == (job.status == JobStatus::Completed),
        "exactly completed jobs have an artifact",
        id,
    )?;
    require(
        job.error.is_some() == (job.status == JobStatus::Failed),
        "exactly failed jobs have an error",
        id,
    )?;
    require(job.sequence.0 >= 1, "a job was announced", id)?;
    let last = job.reached.last().map(|(_, status)| *status);
    require(
        last == Some(job.status),
        "the last status reached is the current one",
        id,
    )?;
    if is_terminal {
        let is_empty = job.tasks.is_empty() && job.plan.is_none() && job.fingerprint.is_none();
        return require(is_empty, "an ended job keeps no tasks", id);
    }
    let is_untried = job.tasks.values().all(|task| task.attempts == 0);
    require(
        (job.status == JobStatus::Queued) == is_untried && job.started_at.is_none() == is_untried,
        "a job is queued until its first grant",
        id,
    )?;
    check_shape(job)?;
    for (kind, task) in &job.tasks {
        check_task(job, *kind, task)?;
    }
    Ok(())
}

/// The tasks are those of the plan, and the join is open exactly when it can be done.
fn check_shape(job: &Job) -> Result<(), Violation> {
    let id = &job.id;
    let Some(plan) = &job.plan else {
        let has_fetch = job.tasks.contains_key(&TaskKind::Fetch);
        let want: &[TaskKind] = match job.kind {
            JobKind::Render if has_fetch => &[TaskKind::Prepare, TaskKind::Fetch],
            JobKind::Render => &[TaskKind::Prepare],
            JobKind::Ingest(_) => &[TaskKind::Ingest],
            JobKind::Deliver(_) => &[TaskKind::Deliver],
        };
        require(
            job.tasks.keys().eq(want),
            "a job without a plan has only its first tasks",
            id,
        )?;
        let is_fetching = job
            .tasks
            .get(&TaskKind::Fetch)
            .is_some_and(|fetch| !fetch.is_done());
        let first = if is_fetching {
            job.tasks.get(&TaskKind::Fetch)
        } else {
            job.tasks.get(&want[0])
        };
        let is_prepared = job
            .tasks
            .get(&TaskKind::Prepare)
            .is_some_and(|prepare| prepare.phase != TaskPhase::Blocked);
        require(
            !(is_fetching && is_prepared),
            "a job is prepared once its sources are fetched",
            id,
        )?;
        let is_blocked = first.is_some_and(|task| task.phase == TaskPhase::Blocked);
        require(
            is_blocked != job.waits_on.is_empty(),
            "a job that waits for its assets is blocked, and no other",
            id,
        )?;
        return require(
            job.generation == Generation(0),
            "generation 0 is before the plan",
            id,
        );
    };
    require(
        job.generation >= Generation(1),
        "a plan has a generation",
        id,
    )?;
    let segments = u32::try_from(plan.facts.segments.len()).unwrap_or(u32::MAX);
    let mut want: BTreeSet<TaskKind> = (0..segments).map(TaskKind::Segment).collect();
    want.extend([TaskKind::Prepare, TaskKind::Join]);
    if job.tasks.contains_key(&TaskKind::Fetch) {
        want.insert(TaskKind::Fetch);
    }
    if plan.facts.has_audio {
        want.insert(TaskKind::Audio);
    }
    let is_whole = job.tasks.keys().copied().eq(want);
    require(is_whole, "a planned job has the tasks of its plan", id)?;
    let join_phase = if job.is_rendered() {
        TaskPhase::Open
    } else {
        TaskPhase::Blocked
    };
    let join = job.tasks.get(&TaskKind::Join).map(|join| &join.phase);
    require(
        join == Some(&join_phase),
        "the join is open iff all of its inputs are there",
        id,
    )?;
    require(
        job.rendered_at.is_some() == job.is_rendered(),
        "rendered_at is set exactly when the inputs of the join are complete",
        id,
    )
}

fn check_task(job: &Job, kind: TaskKind, task: &Task) -> Result<(), Violation> {
    let id = &job.id;
    require(
        task.live.len() <= 2,
        "a task has at most two live attempts",
        id,
    )?;
    require(task.history.len() <= HISTORY_LEN, "a history is short", id)?;
    let is_idle = task.live.is_empty() && task.lingering.is_none();
    require(
        task.phase == TaskPhase::Open || is_idle,
        "only an open task has attempts",
        id,
    )?;
    let keeps_file = matches!(kind, TaskKind::Segment(_) | TaskKind::Audio);
    require(
        !task.is_done() || task.mark().is_some() == keeps_file,
        "exactly done segments and sound keep a file",
        id,
    )?;
    require(
        task.failures < MAX_FAILURES && task.losses < MAX_LOSSES && task.reopens <= MAX_REOPENS,
        "a task that failed, was lost or was opened again too often ended its job",
        id,
    )?;
    let epochs: Vec<Epoch> = task.live.iter().map(|attempt| attempt.epoch).collect();
    require(epochs.is_sorted(), "attempts are in order of grant", id)?;
    for attempt in task.live.iter().chain(&task.lingering) {
        require(
            attempt.run.0 <= attempt.epoch.0,
            "a run has the number of its first attempt",
            id,
        )?;
        require(
            attempt.generation == job.generation,
            "an attempt works from the current plan",
            id,
        )?;
        require(attempt.number <= task.attempts, "attempts are counted", id)?;
        require(
            job.fingerprint.is_some() || !matches!(kind, TaskKind::Segment(_)),
            "the first segment grant binds the fingerprint",
            id,
        )?;
    }
    Ok(())
}
