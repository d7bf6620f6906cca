//! The golden render: a small composition with everything built in, rendered by the same code
//! as every other. Equal machines make equal bytes of it; where a library takes another way
//! on another processor and that changes the output, the bytes differ.
//!
//! Eight frames of 320×180 in two segments. The first shows a clip in its own planes with text
//! blended over it (decoder, text, reference compositor, overlay), the second a smaller clip,
//! turned, with a picture over it (scaling, compositor, conversion). Both sound (resampling, mix,
//! AAC), and both are encoded and joined.
//!
//! `clip.mp4` is `testsrc2=s=320x180:r=25` and two tones at 44.1 kHz, `picture.jpg` is
//! `testsrc=s=64x64`, by ffmpeg with `-fflags +bitexact`. Replacing one, or the composition, changes
//! every node's fingerprint, as any other change of the program does.

#[cfg(test)]
mod tests;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use actors::protocol::FromWorker;
use cluster::model::{Digest, Failure, ObjectKey, ObjectRef};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use super::child::Run;
use super::failure;
use super::order::{
    self, AudioOrder, FetchedSource, JoinOrder, Made, Order, PrepareOrder, SegmentsOrder,
};
use super::settings::WorkerSettings;
use super::tools::Tools;
use crate::composition::{Json, Limits, ValidComposition, validate};
use crate::plan::CutSettings;

const COMPOSITION: &str = include_str!("composition.json");
const CLIP: &[u8] = include_bytes!("clip.mp4");
const PICTURE: &[u8] = include_bytes!("picture.jpg");

/// Frames of a segment: two segments, so that there is something to join.
const SEGMENT_FRAMES: u32 = 4;

/// More bytes than all files of a golden render have.
const ROOM: u64 = 4 << 20;

/// Renders it with `tools`, and gives the SHA-256 of the joined file.
///
/// # Errors
/// The failure of the task that could not be carried out, as for any other render.
pub(super) fn render(tools: &mut Tools) -> Result<Digest, Failure> {
    let directory = directory(tools.settings())?;
    let mut golden = Golden {
        tools,
        directory: directory.path(),
        messages: Arc::default(),
    };
    let sources = golden.prepare()?;
    let plan = golden.path("plan.bin");
    let segments = golden.carry_out(&Order::Segments(SegmentsOrder {
        plan: plan.clone(),
        sources: sources.clone(),
        fonts: Vec::new(),
        segments: vec![0, 1],
        out: golden.path(""),
    }))?;
    let audio = golden.carry_out(&Order::Audio(AudioOrder {
        plan: plan.clone(),
        sources,
        out: golden.path(""),
    }))?;
    let joined = golden.carry_out(&Order::Join(JoinOrder {
        plan,
        segments,
        audio: audio.into_iter().next(),
        out: golden.path(""),
    }))?;
    let [file] = joined.as_slice() else {
        return Err(failure::engine("the golden join made no file"));
    };
    let bytes = fs::read(file).map_err(|error| failure::of_io(&error))?;
    Ok(Digest(Sha256::digest(bytes).into()))
}

/// One golden render under way.
struct Golden<'a> {
    tools: &'a mut Tools,
    directory: &'a Path,
    messages: Arc<Mutex<Vec<FromWorker>>>,
}

impl Golden<'_> {
    fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// Leaves the plan, and gives the files of its sources in its order.
    fn prepare(&mut self) -> Result<Vec<PathBuf>, Failure> {
        let composition = composition()?;
        let sources = composition
            .source_urls()
            .into_iter()
            .map(|used| {
                let (name, bytes) = if used.url.ends_with(".mp4") {
                    ("clip.mp4", CLIP)
                } else {
                    ("picture.jpg", PICTURE)
                };
                let file = self.path(name);
                fs::write(&file, bytes).map_err(|error| failure::of_io(&error))?;
                Ok(FetchedSource {
                    url: used.url,
                    path: used.path,
                    kind: used.kind,
                    object: ObjectRef {
                        key: ObjectKey(format!("golden/{name}")),
                        sha256: Digest(Sha256::digest(bytes).into()),
                        size: bytes.len() as u64,
                    },
                    file,
                })
            })
            .collect::<Result<Vec<_>, Failure>>()?;
        let files = sources.iter().map(|source| source.file.clone()).collect();
        let limits = Limits::default();
        self.carry_out(&Order::Prepare(PrepareOrder {
            composition,
            sources,
            cuts: CutSettings {
                segment_frames: SEGMENT_FRAMES,
                segment_pixels: u64::MAX,
            },
            max_duration: limits.duration,
            max_render_pixels: limits.render_pixels,
            out: self.path(""),
        }))?;
        Ok(files)
    }

    /// Carries one order out and gives the files that it made.
    fn carry_out(&mut self, order: &Order) -> Result<Vec<PathBuf>, Failure> {
        let unreadable = |error: serde_json::Error| failure::engine(error.to_string());
        let bytes = order::encode(order).map_err(unreadable)?;
        let run = Run::collecting(Arc::clone(&self.messages));
        self.tools.carry_out(&bytes, &run)?;
        let mut messages = self.messages.lock().unwrap_or_else(PoisonError::into_inner);
        let bodies = messages.drain(..).filter_map(|message| match message {
            FromWorker::Output { body, .. } => Some(body),
            _ => None,
        });
        bodies
            .map(|body| {
                Ok(match order::decode::<Made>(&body).map_err(unreadable)? {
                    Made::Plan { plan: file, .. }
                    | Made::Segment { file }
                    | Made::Audio { file }
                    | Made::Artifact { file, .. } => Some(file),
                    Made::Probed { .. } => None,
                })
            })
            .filter_map(Result::transpose)
            .collect()
    }
}

fn composition() -> Result<ValidComposition, Failure> {
    let json = Json::parse(COMPOSITION.as_bytes())
        .map_err(|error| failure::engine(format!("the golden composition: {error:?}")))?;
    validate(&json, &Limits::default())
        .map(|(composition, _warnings)| composition)
        .map_err(|violations| failure::engine(format!("the golden composition: {violations:?}")))
}

/// A directory for the files of one golden render, removed with what is in it when it is dropped. In
/// memory where that is possible: a data directory that is full must not change the fingerprint.
fn directory(settings: &WorkerSettings) -> Result<TempDir, Failure> {
    let data = settings.registry.as_deref().and_then(Path::parent);
    let places = [
        Some(PathBuf::from("/dev/shm")),
        Some(std::env::temp_dir()),
        data.map(Path::to_owned),
    ];
    places
        .into_iter()
        .flatten()
        .filter_map(|place| {
            let mut builder = tempfile::Builder::new();
            builder.prefix("framelane-golden-").tempdir_in(place).ok()
        })
        .find(|directory| has_room(directory.path()))
        .ok_or_else(|| failure::engine("no directory has room for the golden render"))
}

fn has_room(directory: &Path) -> bool {
    let file = directory.join("room");
    let reserved = fs::File::create(&file).is_ok_and(|file| {
        let flags = rustix::fs::FallocateFlags::empty();
        rustix::fs::fallocate(&file, flags, 0, ROOM).is_ok()
    });
    fs::remove_file(&file).is_ok() && reserved
}
