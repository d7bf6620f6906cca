//! Every object key there is. Keys are made here and nowhere else, so that what a prefix
//! holds, and who may delete it, can be read off one page.

use cluster::model::{AssetId, Digest, Epoch, EventId, JobId, ObjectKey, TaskKind};

/// Where everything of jobs is.
pub const JOBS: &str = "jobs/";

/// Where uploads are as they arrive.
pub const UPLOADS: &str = "uploads/";

/// Where markers are.
pub const MARKERS: &str = "markers/";

/// An object that is touched to see what time it is for the store.
pub fn marker() -> ObjectKey {
    ObjectKey(format!("{MARKERS}time"))
}

/// An object that is put to see whether the store takes any.
pub fn probe() -> ObjectKey {
    ObjectKey("health/probe".to_owned())
}

/// How the key of a client's request ends.
pub(super) const COMPOSITION: &str = "/composition.json";

/// The client's request, as accepted.
pub fn composition(job: JobId) -> ObjectKey {
    ObjectKey(format!("jobs/{job}{COMPOSITION}"))
}

/// The plan's findings for clients: see `plan::Findings`. A fresh key for each try
/// of an attempt, as [`attempt`]'s, but apart: they are kept as long as the job.
pub fn findings(job: JobId, epoch: Epoch) -> ObjectKey {
    let random: u64 = rand::random();
    ObjectKey(format!(
        "{}{epoch}-{random:016x}.json",
        findings_prefix(job)
    ))
}

/// Where findings are.
pub fn findings_prefix(job: JobId) -> String {
    format!("jobs/{job}/findings/")
}

/// Where the findings of jobs are that were planned at level 0 of the log.
pub fn findings_of_level_0(job: JobId) -> ObjectKey {
    ObjectKey(format!("jobs/{job}/prepared.json"))
}

/// What a fetch brought of a render's remote sources: see `worker::host`. An epoch is
/// carried out once, so the key is written once.
pub fn fetched(job: JobId, epoch: Epoch) -> ObjectKey {
    ObjectKey(format!("jobs/{job}/{}/{epoch}.json", task(TaskKind::Fetch)))
}

/// A fresh key for one upload try of an attempt's output. Two tries never share a key: what
/// fences a stale attempt off is the committed reference, not the store.
pub fn attempt(job: JobId, kind: TaskKind, epoch: Epoch, extension: &str) -> ObjectKey {
    let random: u64 = rand::random();
    ObjectKey(format!(
        "jobs/{job}/{}/{epoch}-{random:016x}.{extension}",
        task(kind)
    ))
}

/// A source file, named by what is in it.
pub fn source(digest: Digest) -> ObjectKey {
    ObjectKey(format!("sources/{digest}"))
}

/// Where sources are, whatever is in them.
pub const SOURCES: &str = "sources/";

/// A fresh key for an upload that arrives whole through this server: of two that race, one is
/// committed and the other is an orphan.
pub fn upload_whole(asset: AssetId) -> ObjectKey {
    let random: u64 = rand::random();
    ObjectKey(format!("uploads/{asset}/{random:016x}"))
}

/// Where a client puts an upload that goes straight to the store. Writable for as long as the
/// link works: what is rendered is a copy.
pub fn upload_raw(asset: AssetId) -> ObjectKey {
    ObjectKey(format!("uploads/{asset}/raw"))
}

/// Where part `number` (from 1) of an upload is put.
pub fn upload_part(asset: AssetId, number: u32) -> ObjectKey {
    ObjectKey(format!("{}{number:05}", upload_parts(asset)))
}

/// Where all parts of an upload are.
pub fn upload_parts(asset: AssetId) -> String {
    format!("uploads/{asset}/parts/")
}

/// Everything of an upload as it arrived.
pub fn upload_prefix(asset: AssetId) -> String {
    format!("uploads/{asset}/")
}

/// What receivers are sent of an event, the same on every try.
pub fn event_body(event: EventId) -> ObjectKey {
    ObjectKey(format!("{EVENT_BODIES}{event}.json"))
}

/// Where the bodies of events are.
pub const EVENT_BODIES: &str = "webhooks/";

/// What attempts left, without the request, the findings and the artifact.
pub fn intermediate_prefixes(job: JobId, segments: u32) -> impl Iterator<Item = String> {
    let kinds = [TaskKind::Fetch, TaskKind::Prepare, TaskKind::Audio].into_iter();
    kinds
        .chain((0..segments).map(TaskKind::Segment))
        .map(move |kind| format!("jobs/{job}/{}/", task(kind)))
}

/// What joins left: the artifact, and files of tries that were not accepted.
pub fn join_prefix(job: JobId) -> String {
    format!("jobs/{job}/{}/", task(TaskKind::Join))
}

/// Everything of one job.
pub fn job_prefix(job: JobId) -> String {
    format!("jobs/{job}/")
}

fn task(kind: TaskKind) -> String {
    match kind {
        TaskKind::Fetch => "fetch".to_owned(),
        TaskKind::Prepare => "prepare".to_owned(),
        TaskKind::Audio => "audio".to_owned(),
        TaskKind::Segment(index) => format!("segment-{index:05}"),
        TaskKind::Join => "join".to_owned(),
        TaskKind::Ingest => "ingest".to_owned(),
        TaskKind::Deliver => "deliver".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_tries_of_one_attempt_never_share_a_key() {
        let job = JobId(7);
        let one = attempt(job, TaskKind::Segment(3), Epoch(9), "mp4");
        let two = attempt(job, TaskKind::Segment(3), Epoch(9), "mp4");
        assert_ne!(one, two);
        let prefix = format!("{}segment-00003/9-", job_prefix(job));
        assert!(
            one.0.starts_with(&prefix) && one.0.ends_with(".mp4"),
            "{one}"
        );
    }

    #[test]
    fn everything_of_a_job_lies_under_its_prefix() {
        let job = JobId(7);
        for key in [
            composition(job),
            findings(job, Epoch(1)),
            findings_of_level_0(job),
            fetched(job, Epoch(1)),
            attempt(job, TaskKind::Prepare, Epoch(1), "json"),
            attempt(job, TaskKind::Audio, Epoch(1), "mp4"),
            attempt(job, TaskKind::Join, Epoch(1), "mp4"),
        ] {
            assert!(key.0.starts_with(&job_prefix(job)), "{key}");
        }
    }
}
