//! Every kind of file that people bring shows the pictures, plays the clicks and has the colours
//! that its generator put in, and says so where it cannot.

use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::{Value, json};

use super::{Bench, Figure, Figures, RENDER_LIMIT, Scale};
use crate::api::Api;
use crate::corpus::canvas::{self, HEIGHT, Seen, WIDTH};
use crate::corpus::{Item, Stock, Truth, items};
use crate::measure::pictures::{Region, each_rgb};
use crate::measure::sound::{self, RATE};
use crate::origin::Origin;

/// Files that one composition shows, one after the other.
const BATCH: usize = 12;
/// Frames from one file's begin to the next.
const SLOT_FRAMES: usize = 66;
const FRAME_RATE: f64 = 30.0;
/// A click may lie so far from where it was put, in seconds.
const CLICK_TOLERANCE: f64 = 0.001;
/// Sound beside the clicks: less than this share of full scale. A click reaches 0.6.
const SILENCE: f32 = 0.12;
/// Codes by which a colour may differ after the lossy coding of source and output.
const COLOR_TOLERANCE: i32 = 6;
/// Variable: the small scale takes each third file, from this one on.
const FIRST: &str = "FRAMELANE_CORPUS_FIRST";
/// Variable: only files whose names hold this, at any scale.
const ONLY: &str = "FRAMELANE_CORPUS_ONLY";

const WHOLE: Region = Region {
    x: 0,
    y: 0,
    width: WIDTH,
    height: HEIGHT,
};

/// What one file came to.
#[derive(Debug, Default)]
struct Outcome {
    frames: usize,
    clicks: usize,
    /// The farthest click from its place, in seconds.
    click_error: f64,
    color_error: i32,
    wrong: Vec<String>,
}

/// Renders the corpus, or a third of it.
///
/// # Errors
/// When a file is not shown and heard as it was made.
pub async fn check(bench: &Bench, scale: Scale) -> Result<Figures> {
    let begun = Instant::now();
    let chosen = chosen(scale)?;
    let stock = Stock::make(bench.scratch()).await?;
    let writing = chosen
        .iter()
        .map(|item| item.write(&stock, bench.scratch()));
    let unwritten: Vec<String> = stream::iter(writing)
        .buffered(4)
        .filter_map(|written| async { written.err().map(|error| format!("{error:#}")) })
        .collect()
        .await;
    ensure!(
        unwritten.is_empty(),
        "not written:\n{}",
        unwritten.join("\n")
    );
    let written = begun.elapsed().as_secs_f64();
    let origin = bench.origin().await?;
    let node = bench.node().start().await?;
    let api = node.api()?;
    let batches = chosen
        .chunks(BATCH)
        .map(|batch| judged(bench, &api, &origin, batch));
    let outcomes: Vec<Vec<Outcome>> = stream::iter(batches).buffered(2).try_collect().await?;
    let outcomes: Vec<Outcome> = outcomes.into_iter().flatten().collect();
    let wrong: Vec<String> = chosen
        .iter()
        .zip(&outcomes)
        .filter(|(_, outcome)| !outcome.wrong.is_empty())
        .map(|(item, outcome)| format!("{}: {}", item.name(), outcome.wrong.join("; ")))
        .collect();
    ensure!(
        wrong.is_empty(),
        "{} of {} files:\n{}",
        wrong.len(),
        chosen.len(),
        wrong.join("\n")
    );
    let farthest = outcomes
        .iter()
        .map(|one| one.click_error)
        .fold(0.0, f64::max);
    let color = outcomes
        .iter()
        .map(|one| one.color_error)
        .max()
        .unwrap_or(0);
    let frames: usize = outcomes.iter().map(|one| one.frames).sum();
    let clicks: usize = outcomes.iter().map(|one| one.clicks).sum();
    let all = begun.elapsed().as_secs_f64();
    Ok(vec![
        Figure::new(
            "files",
            format!(
                "{} in {all:.0} s, {written:.0} s of it writing them",
                chosen.len()
            ),
        ),
        Figure::new("frames looked at, wrong", format!("{frames}, 0")),
        Figure::new("clicks listened for, wrong", format!("{clicks}, 0")),
        Figure::new("farthest click", format!("{:.2} ms", farthest * 1000.0)),
        Figure::new("largest difference of a colour", format!("{color} codes")),
    ])
}

fn chosen(scale: Scale) -> Result<Vec<Item>> {
    let all = items();
    if let Ok(part) = std::env::var(ONLY) {
        return Ok(all
            .into_iter()
            .filter(|item| item.name().contains(&part))
            .collect());
    }
    let first = match std::env::var(FIRST) {
        Ok(first) => first
            .parse()
            .with_context(|| format!("{FIRST} is `{first}`"))?,
        Err(_) => 0,
    };
    Ok(match scale {
        Scale::Small => all.into_iter().skip(first).step_by(3).collect(),
        Scale::Full => all,
    })
}

/// Renders some files together; where that fails, each alone, so that the others are judged.
async fn judged(bench: &Bench, api: &Api, origin: &Origin, batch: &[Item]) -> Result<Vec<Outcome>> {
    if let Ok(outcomes) = rendered(bench, api, origin, batch).await {
        return Ok(outcomes);
    }
    let mut outcomes = Vec::new();
    for item in batch {
        let alone = rendered(bench, api, origin, std::slice::from_ref(item)).await;
        outcomes.push(match alone {
            Ok(mut one) => one.pop().context("one file, one outcome")?,
            Err(error) => Outcome {
                wrong: vec![format!("{error:#}")],
                ..Outcome::default()
            },
        });
    }
    Ok(outcomes)
}

async fn rendered(
    bench: &Bench,
    api: &Api,
    origin: &Origin,
    batch: &[Item],
) -> Result<Vec<Outcome>> {
    let truths: Vec<Truth> = batch.iter().map(Item::truth).collect();
    let elements: Vec<Value> = batch
        .iter()
        .zip(&truths)
        .enumerate()
        .map(|(index, (item, truth))| element(index, &origin.url(&item.name()), truth))
        .collect();
    let composition = json!({
        "width": WIDTH, "height": HEIGHT, "frame_rate": 30,
        "duration": seconds(batch.len() * SLOT_FRAMES), "encoding": {"crf": 8},
        "elements": elements,
    });
    let id = api.submit(&composition).await?;
    let render = api.completed(&id, RENDER_LIMIT).await?;
    let file = bench.file(&format!("{id}.mp4"));
    api.download(&id, &file).await?;
    let mut outcomes: Vec<Outcome> = truths.iter().map(|_| Outcome::default()).collect();
    each_rgb(&file, WHOLE, |frame, rgb| {
        let index = frame / SLOT_FRAMES;
        if let (Some(outcome), Some(truth)) = (outcomes.get_mut(index), truths.get(index)) {
            look(outcome, truth, seconds(frame % SLOT_FRAMES), rgb);
        }
        Ok(())
    })
    .await?;
    let samples = sound::decode(&file).await.unwrap_or_default();
    for (index, (outcome, truth)) in outcomes.iter_mut().zip(&truths).enumerate() {
        listen(outcome, truth, seconds(index * SLOT_FRAMES), &samples);
        compare_warnings(outcome, truth, index, &render["warnings"]);
    }
    tokio::fs::remove_file(file).await?;
    Ok(outcomes)
}

fn element(index: usize, url: &str, truth: &Truth) -> Value {
    let kind = if truth.has_pictures() {
        "video"
    } else {
        "audio"
    };
    let mut element = json!({
        "type": kind, "id": format!("file-{index}"), "source_url": url,
        "time": seconds(index * SLOT_FRAMES),
    });
    if let Some((from, to)) = truth.part {
        element["in_point"] = json!(from);
        element["out_point"] = json!(to);
    }
    element
}

fn look(outcome: &mut Outcome, truth: &Truth, t: f64, rgb: &[u8]) {
    outcome.frames += 1;
    let allowed = truth.at(t);
    match canvas::read(rgb) {
        Ok(Seen::Blank) if allowed.blank => {}
        Ok(Seen::Number(number)) if allowed.numbers.contains(&number) => {
            let error = canvas::color_error(rgb, truth.gray);
            outcome.color_error = outcome.color_error.max(error);
            if error > COLOR_TOLERANCE {
                outcome
                    .wrong
                    .push(format!("at {t:.3} colours are {error} codes off"));
            }
        }
        Ok(seen) => outcome
            .wrong
            .push(format!("at {t:.3} {seen:?}, not {allowed:?}")),
        Err(error) => outcome.wrong.push(format!("at {t:.3} {error}")),
    }
    outcome.wrong.truncate(4);
}

fn listen(outcome: &mut Outcome, truth: &Truth, start: f64, samples: &[f32]) {
    let clicks = truth.clicks();
    for click in &clicks {
        outcome.clicks += 1;
        match sound::find_click(samples, start + click) {
            Ok(found) => {
                let error = (found - start - click).abs();
                outcome.click_error = outcome.click_error.max(error);
                if error > CLICK_TOLERANCE {
                    let error = (found - start - click) * 1000.0;
                    outcome
                        .wrong
                        .push(format!("the click at {click:.3} is {error:.2} ms off"));
                }
            }
            Err(error) => outcome.wrong.push(format!("{error:#}")),
        }
    }
    // A click at the edge of a part is heard in half.
    let half = |t: f64| {
        truth
            .half_clicks()
            .iter()
            .any(|click| (t - click).abs() < 0.04)
    };
    let from = sound::whole(start * f64::from(RATE));
    let slot = samples
        .iter()
        .skip(from)
        .take(sound::whole(seconds(SLOT_FRAMES) * f64::from(RATE)));
    let loud = slot.enumerate().find(|(at, sample)| {
        let t = fraction(*at);
        let near = clicks
            .iter()
            .any(|click| (-0.03..0.05).contains(&(t - click)));
        sample.abs() > SILENCE && !near && !half(t)
    });
    if let Some((at, sample)) = loud {
        outcome
            .wrong
            .push(format!("a sound of {sample:.2} at {:.3}", fraction(at)));
    }
}

fn compare_warnings(outcome: &mut Outcome, truth: &Truth, index: usize, warnings: &Value) {
    let path = format!("elements[{index}]");
    let own = warnings.as_array().into_iter().flatten();
    let own = own.filter(|one| {
        one["path"]
            .as_str()
            .is_some_and(|found| found.starts_with(&path))
    });
    let mut found: Vec<&str> = own.filter_map(|one| one["code"].as_str()).collect();
    let mut expected = truth.warnings.clone();
    found.sort_unstable();
    expected.sort_unstable();
    if found != expected {
        outcome
            .wrong
            .push(format!("warnings {found:?}, not {expected:?}"));
    }
}

#[expect(clippy::cast_precision_loss, reason = "frames of a short film")]
fn seconds(frames: usize) -> f64 {
    frames as f64 / FRAME_RATE
}

#[expect(clippy::cast_precision_loss, reason = "samples of a short film")]
fn fraction(samples: usize) -> f64 {
    samples as f64 / f64::from(RATE)
}
