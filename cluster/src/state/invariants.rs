//! What holds after every command, whatever the history. Checked by the property tests and,
//! in debug builds, by `apply`.

use std::collections::BTreeSet;

use super::fail::{MAX_FAILURES, MAX_LOSSES};
use super::{HISTORY_LEN, Job, State, Task, TaskPhase};
use crate::model::{Epoch, Generation, JobId, JobStatus, TaskKind};

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
    for (id, job) in &state.jobs {
        require(*id == job.id, "a job is filed under its id", id)?;
        require(
            job.changed_at <= state.applied,
            "a change has been applied",
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
            }
        }
    }
    for id in state.active.keys() {
        require(state.jobs.contains_key(id), "an active job exists", id)?;
    }
    for (job, _, at) in state.idempotency.values() {
        require(state.jobs.contains_key(job), "a key leads to a job", job)?;
        require(*at <= state.now, "log time never goes back", job)?;
    }
    for ((id, sequence), row) in &state.outbox {
        let is_filed = row.job == *id && row.sequence == *sequence;
        require(is_filed, "an event is filed under its job and sequence", id)?;
        let is_past = state
            .jobs
            .get(id)
            .is_some_and(|job| *sequence <= job.sequence);
        require(is_past, "an event is of a change its job has seen", id)?;
    }
    Ok(())
}

fn require(holds: bool, what: &'static str, at: &JobId) -> Result<(), Violation> {
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
        let is_bare = job.tasks.len() == 1 && job.tasks.contains_key(&TaskKind::Prepare);
        require(is_bare, "a job without a plan has only its prepare", id)?;
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
        "rendered_at tells when the inputs of the join were complete",
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
        task.failures < MAX_FAILURES && task.losses < MAX_LOSSES,
        "a task that failed or was lost too often ended its job",
        id,
    )?;
    let epochs: Vec<Epoch> = task.live.iter().map(|attempt| attempt.epoch).collect();
    require(epochs.is_sorted(), "attempts are in order of grant", id)?;
    for attempt in task.live.iter().chain(&task.lingering) {
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
