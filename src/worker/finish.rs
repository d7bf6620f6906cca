//! The tasks round the segments: the sound, and the join.

use std::fs;
use std::path::Path;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use cluster::model::Failure;

use super::child::Run;
use super::damage::Damage;
use super::failure;
use super::order::{AudioOrder, JoinOrder, Made};
use super::tools::Tools;
use crate::media::{DamagedClip, JoinSettings, MediaEngine, MediaError};
use crate::plan::Plan;
use crate::timeline::SAMPLE_RATE;

/// Time between two looks at how far a library has written.
const MEASURE_EVERY: Duration = Duration::from_millis(500);

/// Reads a plan object.
pub(super) fn read_plan(file: &Path) -> Result<Plan, Failure> {
    let bytes = fs::read(file).map_err(|error| failure::of_io(&error))?;
    Plan::from_bytes(&bytes)
        .map_err(|error| failure::engine(format!("the plan cannot be read: {error}")))
}

/// Mixes and encodes the whole timeline's sound.
pub(super) fn audio(tools: &Tools, order: &AudioOrder, run: &Run) -> Result<(), Failure> {
    if !run.begin(0) {
        return Ok(());
    }
    let plan = read_plan(&order.plan)?;
    let Some(mix) = plan.timeline.mix() else {
        return Err(failure::engine("the timeline has no sound to mix"));
    };
    let file = order.out.join("audio.mp4");
    let mut progress = |samples| run.reach(samples);
    let damaged = tools
        .engine()?
        .mix(&mix, &order.sources, &file, &mut progress)
        .map_err(|error| of_mix(&error, &plan))?;
    let audible = plan.timeline.heard_elements();
    let mut damage = Damage::default();
    for DamagedClip { clip, from, to } in damaged {
        if let Some(element) = audible.get(clip) {
            damage.add(*element, nanos(from), nanos(to));
        }
    }
    damage
        .append_to(&file)
        .map_err(|error| failure::of_io(&error))?;
    run.made(&Made::Audio { file })
}

/// Samples of a mix as nanoseconds of the output.
fn nanos(samples: u64) -> i64 {
    let scaled = u128::from(samples) * 1_000_000_000 / u128::from(SAMPLE_RATE);
    i64::try_from(scaled).unwrap_or(i64::MAX)
}

/// The mix does not report which clip was at fault: it is named where there is only one.
fn of_mix(error: &MediaError, plan: &Plan) -> Failure {
    let mut audible = plan.timeline.composition.elements.iter().filter(|element| {
        element.kind.clip().is_some_and(|clip| clip.gain > 0.0)
            && plan
                .timeline
                .source_of(element.index)
                .is_some_and(|(_, info)| info.audio().is_some())
    });
    let first = audible.next();
    let path = match (first, audible.next()) {
        (Some(only), None) => format!("elements[{}].source_url", only.index),
        _ => "elements".to_owned(),
    };
    failure::of_media(error, Some(&path))
}

/// Joins segments and sound into the published file, and looks at what came of it.
pub(super) fn join(tools: &Tools, order: &JoinOrder, run: &Run) -> Result<(), Failure> {
    if !run.begin(0) {
        return Ok(());
    }
    let began = Instant::now();
    let plan = read_plan(&order.plan)?;
    let rate = plan.timeline.composition.frame_rate;
    let settings = JoinSettings {
        frames: plan.timeline.frames,
        rate,
        samples: order
            .audio
            .as_ref()
            .and_then(|_| plan.timeline.mix())
            .map(|mix| mix.samples),
    };
    let file = order.out.join("output.mp4");
    let engine = tools.engine()?;
    while_measured(&order.out, run, || {
        engine.join(&order.segments, order.audio.as_deref(), &settings, &file)
    })
    .map_err(|error| failure::of_media(&error, None))?;
    check(engine.as_ref(), &file, &plan)?;
    let mut damage = Damage::default();
    for part in order.segments.iter().chain(&order.audio) {
        let found = Damage::of(part).map_err(|error| failure::of_io(&error))?;
        damage.extend(&found);
    }
    run.made(&Made::Artifact {
        file,
        warnings: damage.warnings(),
        join_millis: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
    })
}

/// Does `work`, which reports no progress, while the bytes in the directory it writes to are
/// counted as units.
fn while_measured<T>(directory: &Path, run: &Run, work: impl FnOnce() -> T) -> T {
    let meter = run.meter();
    let (done, watched) = mpsc::channel::<()>();
    thread::scope(|scope| {
        scope.spawn(move || {
            while watched.recv_timeout(MEASURE_EVERY) == Err(RecvTimeoutError::Timeout) {
                meter.reach(bytes_in(directory));
            }
        });
        let result = work();
        drop(done);
        result
    })
}

/// Bytes of the files in a directory; what cannot be looked at counts as none.
fn bytes_in(directory: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(directory) else {
        return 0;
    };
    entries
        .filter_map(|entry| Some(entry.ok()?.metadata().ok()?.len()))
        .sum()
}

/// Holds the joined file to the plan: every frame there, from 0, at a constant step.
fn check(engine: &dyn MediaEngine, file: &Path, plan: &Plan) -> Result<(), Failure> {
    let info = engine
        .probe(file)
        .map_err(|error| failure::of_media(&error, None))?;
    let wrong = |what: String| Err(failure::engine(format!("the joined file is wrong: {what}")));
    let Some(video) = &info.video else {
        return wrong("it has no pictures".to_owned());
    };
    let (width, height) = (plan.output_width(), plan.output_height());
    if (video.width, video.height) != (width, height) {
        return wrong(format!(
            "it is {}×{}, not {width}×{height}",
            video.width, video.height
        ));
    }
    let frames = &video.frames;
    if frames.len() != plan.timeline.frames {
        return wrong(format!(
            "it has {} frames, not {}",
            frames.len(),
            plan.timeline.frames
        ));
    }
    let rate = plan.timeline.composition.frame_rate;
    // A container tick each way, and as much again for the probe's rounding.
    let slack = frames.tolerance().saturating_mul(2);
    let step = i128::from(rate.denominator()) * 1_000_000_000;
    for (frame, time) in (0i128..).zip(frames.times()) {
        let due = frame * step / i128::from(rate.numerator());
        if (i128::from(time) - due).abs() > i128::from(slack) {
            return wrong(format!("frame {frame} is at {time} ns, not {due} ns"));
        }
    }
    if plan.timeline.mix().is_some() && info.audio().is_none() {
        return wrong("it has no sound".to_owned());
    }
    Ok(())
}
