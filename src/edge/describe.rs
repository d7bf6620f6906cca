//! A job as its client reads it: applied state, the objects behind it and the progress of its
//! open work in one [`RenderBody`].

use std::collections::BTreeMap;
use std::sync::Arc;

use cluster::model::{Artifact, DestinationStatus, JobError, JobStatus, LogTime};
use cluster::state::Job;

use super::accepted::AcceptedRequest;
use super::body::{
    CompositionBody, DestinationBody, FramesBody, OutputBody, RenderBody, RenderErrorBody,
    TimingBody, WarningBody,
};
use super::context::Shared;
use super::details::Details;
use super::error::{ApiError, Detail};
use super::high_water::Reached;
use super::signing::{FileName, FilePart, SignedLink};
use super::status;
use super::timestamp::rfc3339;
use crate::composition::Warning;
use crate::store::Presign;

/// Progress of a render that is not completed stays below this.
const ALMOST_DONE: f64 = 0.999;

impl Shared {
    /// The job as its client reads it, with fresh links.
    pub(super) async fn describe(&self, job: &Arc<Job>) -> Result<RenderBody, ApiError> {
        let details = self.details(job).await;
        let output = match &job.artifact {
            Some(artifact) if job.status == JobStatus::Completed => {
                Some(self.output(job, artifact, &details).await?)
            }
            _ => None,
        };
        let observed = (!job.status.is_terminal())
            .then(|| self.parts.observer.progress(job.id))
            .flatten();
        let reached = self.reached(
            job,
            observed.map_or(Reached::default(), |observed| Reached {
                frames: observed.frames_done,
                fraction: observed.fraction,
            }),
        );
        let request = details.request.as_deref();
        Ok(RenderBody {
            id: job.id.to_string(),
            object: "render",
            status: status::name(job.status),
            sequence: job.sequence.0,
            created_at: rfc3339(job.submitted_at),
            started_at: job.started_at.map(rfc3339),
            finished_at: job.finished_at.map(rfc3339),
            progress: reached.fraction,
            eta_seconds: observed.and_then(|observed| observed.eta_seconds),
            frames: FramesBody {
                total: job.frames,
                done: reached.frames,
            },
            composition: request.map(|request| summary(request, job)),
            output,
            error: job.error.as_ref().map(RenderErrorBody::from),
            metadata: request.map_or_else(BTreeMap::new, |request| request.metadata.clone()),
            warnings: warnings(&details),
            idempotency_key: job.idempotency_key.clone(),
            timing: timing(job),
        })
    }

    /// The job's progress, never less than was reported before.
    pub(super) fn reached(&self, job: &Job, observed: Reached) -> Reached {
        match job.status {
            JobStatus::Completed => {
                self.high_water.forget(job.id);
                Reached {
                    frames: job.frames.unwrap_or(job.frames_done),
                    fraction: 1.0,
                }
            }
            JobStatus::Queued
            | JobStatus::Processing
            | JobStatus::Failed
            | JobStatus::Cancelled => {
                let committed = committed_fraction(job);
                let total = job.frames.unwrap_or(u64::MAX);
                self.high_water.raise(
                    job.id,
                    Reached {
                        frames: observed.frames.max(job.frames_done).min(total),
                        fraction: observed.fraction.max(committed).clamp(0.0, ALMOST_DONE),
                    },
                )
            }
        }
    }

    async fn output(
        &self,
        job: &Job,
        artifact: &Artifact,
        details: &Details,
    ) -> Result<OutputBody, ApiError> {
        let is_kept = self.keeps_files_of(job);
        let link = if is_kept {
            Some(self.link(job, artifact, FilePart::Output, details).await?)
        } else {
            None
        };
        let thumbnail = match &artifact.thumbnail {
            Some(_) if is_kept => Some(
                self.link(job, artifact, FilePart::Thumbnail, details)
                    .await?,
            ),
            _ => None,
        };
        let format = artifact.filename.rsplit_once('.');
        Ok(OutputBody {
            expires_at: link.as_ref().map(|link| rfc3339(link.expires_at)),
            url: link.map(|link| link.url),
            format: format.map_or_else(String::new, |(_, extension)| extension.to_owned()),
            width: artifact.width,
            height: artifact.height,
            duration: status::seconds(artifact.frames, artifact.rate),
            frame_rate: status::rate(artifact.rate),
            size_bytes: artifact.object.size,
            sha256: artifact.object.sha256.to_string(),
            thumbnail_url: thumbnail.map(|link| link.url),
            destination: destination(job, details),
        })
    }

    /// Whether retention still keeps the files of a completed job.
    pub(super) fn keeps_files_of(&self, job: &Job) -> bool {
        let now = u128::from(self.now().0);
        job.finished_at.is_none_or(|finished| {
            u128::from(finished.0) + self.config().artifacts.as_millis() > now
        })
    }

    /// A fresh link to a file of a completed job: the store's own where it gives any.
    pub(super) async fn link(
        &self,
        job: &Job,
        artifact: &Artifact,
        part: FilePart,
        details: &Details,
    ) -> Result<SignedLink, ApiError> {
        let object = match (part, &artifact.thumbnail) {
            (FilePart::Thumbnail, Some(thumbnail)) => thumbnail,
            (FilePart::Thumbnail | FilePart::Output, _) => &artifact.object,
        };
        let ttl = self.config().url_ttl;
        let presign = Presign::Get {
            key: object.key.clone(),
            ttl,
        };
        if let Some(url) = self.parts.store.presign(&presign) {
            let millis = u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX);
            return Ok(SignedLink {
                url: url.await?,
                expires_at: LogTime(self.now().0.saturating_add(millis)),
            });
        }
        let base = match (&self.config().public_url, &details.request) {
            (Some(url), _) => url.trim_end_matches('/'),
            (None, Some(request)) if !request.public_url.is_empty() => request.public_url.as_str(),
            (None, _) => self.config().listen_url.trim_end_matches('/'),
        };
        let filename = match part {
            FilePart::Output => artifact.filename.as_str(),
            FilePart::Thumbnail => "thumbnail.jpg",
        };
        let file = FileName {
            job: job.id,
            part,
            filename,
        };
        self.signer.link(base, file, self.now())
    }

    /// The time, for links.
    pub(super) fn now(&self) -> LogTime {
        self.parts.clock.log_time()
    }
}

fn committed_fraction(job: &Job) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a fraction for people to read")]
    match job.frames {
        Some(total) if total > 0 => job.frames_done as f64 / total as f64,
        _ => 0.0,
    }
}

/// The request in short, with the length that its sources gave it.
fn summary(request: &AcceptedRequest, job: &Job) -> CompositionBody {
    let rate = job
        .plan
        .as_ref()
        .map(|plan| plan.facts.rate)
        .or_else(|| job.artifact.as_ref().map(|artifact| artifact.rate));
    let probed = job.frames.zip(rate);
    CompositionBody {
        width: request.width,
        height: request.height,
        duration: request
            .duration
            .or_else(|| probed.map(|(frames, rate)| status::seconds(frames, rate))),
        frame_rate: request.frame_rate.clone(),
        output_format: request.output_format.clone(),
        element_count: request.element_count,
    }
}

fn destination(job: &Job, details: &Details) -> Option<DestinationBody> {
    let status = job.destination.as_ref()?;
    let (bucket, key) = details.request.as_ref()?.destination.clone()?;
    let (name, delivered_at, error) = match status {
        DestinationStatus::Pending => ("pending", None, None),
        DestinationStatus::Delivered { at } => ("delivered", Some(rfc3339(*at)), None),
        DestinationStatus::Failed(error) => ("failed", None, Some(error.into())),
    };
    Some(DestinationBody {
        kind: "s3",
        bucket,
        key,
        status: name,
        delivered_at,
        error,
    })
}

fn warnings(details: &Details) -> Vec<WarningBody> {
    let request = details.request.as_deref();
    let accepted = request.map(|request| request.warnings.as_slice());
    accepted
        .into_iter()
        .chain(details.warnings.as_deref())
        .flatten()
        .map(WarningBody::from)
        .collect()
}

impl From<&Warning> for WarningBody {
    fn from(warning: &Warning) -> Self {
        Self {
            path: warning.path.clone(),
            code: warning.code.clone(),
            message: warning.message.clone(),
            from: warning.from,
            to: warning.to,
        }
    }
}

impl From<&JobError> for RenderErrorBody {
    fn from(error: &JobError) -> Self {
        Self {
            code: error.code.clone(),
            message: error.message.clone(),
            details: error
                .path
                .iter()
                .map(|path| Detail {
                    path: path.clone(),
                    code: error.code.clone(),
                    message: error.message.clone(),
                    suggestion: None,
                })
                .collect(),
        }
    }
}

/// Where the job's time went.
pub(super) fn timing(job: &Job) -> TimingBody {
    TimingBody {
        queued_ms: job
            .started_at
            .or(job.finished_at)
            .map(|until| until.millis_since(job.submitted_at)),
        render_ms: job
            .started_at
            .zip(job.rendered_at)
            .map(|(from, until)| until.millis_since(from)),
        join_ms: job.artifact.as_ref().map(|artifact| artifact.join_millis),
        segments: job.segment_count,
        segments_from_cache: job.segments_from_cache,
    }
}
