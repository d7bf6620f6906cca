//! What a job needs of its leader beyond grants, decided purely: `on(event, now)` gives
//! the effects. Limits in time (deadline, no node, lost fingerprint) and progress.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use cluster::command::{Command, Outcome};
use cluster::model::{AttemptOutcome, Epoch, Fingerprint, JobId, NodeId, RanTime, TaskKind};
use cluster::state::{Job, TaskPhase};

use super::limits;
use super::rate::Rate;
use crate::config::Timings;
use crate::ports::{LOST_SOURCES, ProposeError, damaged_inputs};
use crate::progress::JobProgress;

/// Something that happened to a job.
#[derive(Debug, Clone)]
pub(crate) enum JobEvent {
    /// The job as applied, and what polls report of it. Comes at every look.
    Seen(Sight),
    /// What came of the driver's last proposal.
    Proposed(Result<Outcome, ProposeError>),
}

/// One look at a job.
#[derive(Debug, Clone)]
pub(crate) struct Sight {
    /// As applied; `None` if retention has dropped it.
    pub(crate) job: Option<Arc<Job>>,
    /// Running time of the look.
    pub(crate) ran: RanTime,
    /// Units done by attempts of this job, by task and epoch.
    pub(crate) units: BTreeMap<(TaskKind, Epoch), u64>,
    /// The nodes that poll and take work, with their fingerprints.
    pub(crate) nodes: Vec<(NodeId, Fingerprint)>,
}

/// What is to be done about it.
#[derive(Debug, Clone, PartialEq)]
#[expect(
    clippy::large_enum_variant,
    reason = "made and carried out one at a time"
)]
pub(crate) enum Effect {
    /// Propose this; the outcome comes back as [`JobEvent::Proposed`].
    Propose(Command),
    /// Show this progress.
    Publish(JobProgress),
    /// The job has ended: stop its actor.
    Stop,
}

/// Drives one job. Rebuilt from applied state at any time; only rates start anew.
#[derive(Debug)]
pub(crate) struct JobDriver {
    id: JobId,
    timings: Timings,
    is_proposing: bool,
    without_node_since: Option<Instant>,
    without_fingerprint_since: Option<Instant>,
    /// The node that fetched the sources does not poll, and others do.
    without_sources_since: Option<Instant>,
    rate: Rate,
    shown: JobProgress,
}

impl JobDriver {
    pub(crate) fn new(id: JobId, timings: Timings) -> Self {
        let shown = JobProgress {
            frames_done: 0,
            frames_total: None,
            fraction: 0.0,
            fps: None,
            eta_seconds: None,
        };
        Self {
            id,
            timings,
            is_proposing: false,
            without_node_since: None,
            without_fingerprint_since: None,
            without_sources_since: None,
            rate: Rate::default(),
            shown,
        }
    }

    /// What follows from `event`.
    pub(crate) fn on(&mut self, event: JobEvent, now: Instant) -> Vec<Effect> {
        match event {
            JobEvent::Seen(sight) => self.seen(&sight, now),
            JobEvent::Proposed(outcome) => {
                // Rejected or unknown: the next look at applied state decides anew.
                if let Err(error) = outcome {
                    tracing::debug!(job = %self.id, %error, "proposal has no outcome");
                }
                self.is_proposing = false;
                Vec::new()
            }
        }
    }

    /// The progress last shown.
    pub(crate) fn progress(&self) -> JobProgress {
        self.shown
    }

    fn seen(&mut self, sight: &Sight, now: Instant) -> Vec<Effect> {
        let Some(job) = sight.job.as_ref().filter(|job| !job.status.is_terminal()) else {
            return vec![Effect::Stop];
        };
        let mut effects = Vec::new();
        if let Some(progress) = self.advance(job, sight, now) {
            effects.push(Effect::Publish(progress));
        }
        let (any, fits) = (!sight.nodes.is_empty(), fingerprint_lives(job, sight));
        limits::since(&mut self.without_node_since, !any, now);
        limits::since(&mut self.without_fingerprint_since, any && !fits, now);
        let has_sources = sources_live(job, sight);
        limits::since(&mut self.without_sources_since, any && !has_sources, now);
        let due = || self.overdue(job, sight.ran, now);
        let spoiled = self.spoiled(job).or_else(|| self.lost_sources(job, now));
        if let Some(command) = spoiled.or_else(due)
            && !self.is_proposing
        {
            self.is_proposing = true;
            effects.push(Effect::Propose(command));
        }
        effects
    }

    /// Opens again all that the last join found missing or damaged, but for what was made
    /// anew since.
    fn spoiled(&self, job: &Job) -> Option<Command> {
        let join = job.tasks.get(&TaskKind::Join)?;
        let (attempt, _, outcome) = join.history.last()?;
        let AttemptOutcome::Failed(failure) = outcome else {
            return None;
        };
        let kinds = damaged_inputs(failure.path.as_deref()?)?
            .into_iter()
            .map(|input| {
                if input < job.segment_count {
                    TaskKind::Segment(input)
                } else {
                    TaskKind::Audio
                }
            });
        let tasks: Vec<TaskKind> = kinds
            .filter(|kind| {
                let mark = job.tasks.get(kind).and_then(|task| task.mark());
                mark.is_some_and(|mark| mark.epoch < attempt.epoch)
            })
            .collect();
        (!tasks.is_empty()).then_some(Command::ReopenTasks {
            job: self.id,
            generation: job.generation,
            tasks,
        })
    }

    /// Has sources fetched again that are gone, or are on a node that does not poll any more.
    fn lost_sources(&self, job: &Job, now: Instant) -> Option<Command> {
        let fetched = job.fetched_by().filter(|_| job.plan.is_none())?;
        let prepare = job.tasks.get(&TaskKind::Prepare)?;
        let are_missed = prepare.history.last().is_some_and(|(attempt, _, outcome)| {
            attempt.epoch > fetched.epoch
                && matches!(outcome, AttemptOutcome::Failed(failure)
                    if failure.path.as_deref() == Some(LOST_SOURCES))
        });
        // After a change of leader the nodes' first polls arrive one after the other.
        let is_node_gone = self
            .without_sources_since
            .is_some_and(|start| now.saturating_duration_since(start) >= self.timings.suspect);
        (are_missed || is_node_gone).then(|| Command::ReopenTasks {
            job: self.id,
            generation: job.generation,
            tasks: vec![TaskKind::Fetch],
        })
    }

    /// The command a limit in time calls for, if one has passed.
    fn overdue(&self, job: &Job, ran: RanTime, now: Instant) -> Option<Command> {
        let replan = || {
            let start = self.without_fingerprint_since;
            limits::is_over(start, now, self.timings.fingerprint_gone).then_some(Command::Replan {
                job: self.id,
                generation: job.generation,
            })
        };
        limits::past_deadline(job, ran, &self.timings)
            .or_else(|| limits::without_node(self.id, self.without_node_since, now, &self.timings))
            .or_else(replan)
    }

    /// Progress from committed segments and listed units; `None` if none of it changed.
    fn advance(&mut self, job: &Job, sight: &Sight, now: Instant) -> Option<JobProgress> {
        let total = job.plan.as_ref().map(|plan| plan.facts.frames);
        let done = frames_done(job, sight)
            .min(total.unwrap_or(0))
            .max(self.shown.frames_done);
        self.rate.note(done, now);
        let fps = self.rate.per_second(now);
        let left = total.map(|total| total.saturating_sub(done));
        let fraction = total
            .map_or(0.0, |total| share(done, total))
            .max(self.shown.fraction);
        let progress = JobProgress {
            frames_done: done,
            frames_total: total,
            fraction,
            fps,
            eta_seconds: match (left, fps) {
                (Some(left), Some(fps)) if fps > 0.0 => Some(to_f64(left) / fps),
                _ => None,
            },
        };
        let is_new = progress != self.shown;
        self.shown = progress;
        is_new.then_some(progress)
    }
}

/// Whether some live node may render this job.
fn fingerprint_lives(job: &Job, sight: &Sight) -> bool {
    job.fingerprint
        .is_none_or(|wanted| sight.nodes.iter().any(|(_, node)| *node == wanted))
}

/// Whether the node that fetched the sources of a job without a plan takes work; true for
/// a job that has none.
fn sources_live(job: &Job, sight: &Sight) -> bool {
    job.plan.is_some()
        || job
            .fetched_by()
            .is_none_or(|fetched| sight.nodes.iter().any(|(id, _)| *id == fetched.node))
}

fn frames_done(job: &Job, sight: &Sight) -> u64 {
    let Some(plan) = &job.plan else {
        return 0;
    };
    let mut done = 0;
    for (index, frames) in plan.facts.segments.iter().enumerate() {
        let Ok(index) = u32::try_from(index) else {
            break;
        };
        let kind = TaskKind::Segment(index);
        let Some(task) = job.tasks.get(&kind) else {
            continue;
        };
        done += match task.phase {
            TaskPhase::Done(_) => frames.count(),
            // Of two attempts at a straggler the one that is ahead counts.
            TaskPhase::Open | TaskPhase::Blocked => task
                .live
                .iter()
                .filter_map(|attempt| sight.units.get(&(kind, attempt.epoch)))
                .max()
                .map_or(0, |&units| units.min(frames.count())),
        };
    }
    done
}

/// Below 1 until the artifact is committed: the join is still to come.
fn share(done: u64, total: u64) -> f64 {
    if total == 0 {
        0.0
    } else {
        0.99 * to_f64(done) / to_f64(total)
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "frame counts are far below 2^52"
)]
fn to_f64(count: u64) -> f64 {
    count as f64
}
