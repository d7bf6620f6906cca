//! What a render costs against the encoder's own program doing the same composition: same
//! source, same settings, same keyframes, same machine, turn about.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::{Bench, Figure, Figures, RENDER_LIMIT, Scale};
use crate::api::Api;
use crate::clips;
use crate::compositions;
use crate::measure::probe::packets;
use crate::measure::run;

const RUNS: usize = 3;
const FONT: &str = "config/fonts/inter/Inter-Regular.otf";
/// Sizes further apart than this make the times worthless.
const SIZE_LIMIT: f64 = 0.05;

/// Renders the minimal composition and has `ffmpeg` make the same, three times each, in turns.
///
/// # Errors
/// When the sizes are more than 5 % apart, or either fails. The ratio is a figure, not a
/// verdict: it is the machine's as much as ours.
pub async fn check(bench: &Bench, _scale: Scale) -> Result<Figures> {
    let source = bench.file("speed-source.mp4");
    let clip = bench.repository_file("tests/media/bigbuckbunny.mp4")?;
    clips::remade(&clip, &source, (1920, 1080), 10).await?;
    let font = bench.repository_file(FONT)?;
    let origin = bench.origin().await?;
    let node = bench.node().start().await?;
    let api = node.api()?;
    let composition = compositions::minimal(&origin.url("speed-source.mp4"));
    let warm = bench.rendered(&api, &composition).await?;
    let keys = packets(&warm.file, "v").await?.keyframes;
    let interval = keys.get(1).copied().unwrap_or(300);

    let theirs_file = bench.file("speed-ffmpeg.mp4");
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    let mut our_size = 0;
    for _ in 0..RUNS {
        let (took, size) = render(&api, &composition).await?;
        ours.push(took);
        our_size = size;
        let begun = Instant::now();
        ffmpeg(&source, &font, interval, &theirs_file).await?;
        theirs.push(begun.elapsed());
    }
    let their_size = tokio::fs::metadata(&theirs_file).await?.len();
    let (our_median, their_median) = (median(&ours), median(&theirs));
    let ratio = our_median.as_secs_f64() / their_median.as_secs_f64();
    let size_ratio = quotient(our_size, their_size);
    let figures = vec![
        Figure::new(
            "framelane",
            format!("{} (median {})", list(&ours), show(our_median)),
        ),
        Figure::new(
            "ffmpeg",
            format!("{} (median {})", list(&theirs), show(their_median)),
        ),
        Figure::new("ratio of medians", format!("{ratio:.2}")),
        Figure::new(
            "sizes",
            format!(
                "{our_size} and {their_size} bytes ({:+.1} %)",
                (size_ratio - 1.0) * 100.0
            ),
        ),
        Figure::new("keyframes every", interval.to_string()),
        Figure::new("render's own timing", warm.render["timing"].to_string()),
    ];
    ensure!(
        (size_ratio - 1.0).abs() <= SIZE_LIMIT,
        "sizes are too far apart to compare: {figures:?}"
    );
    Ok(figures)
}

/// From the request to the answer of the long poll that sees it completed.
async fn render(api: &Api, composition: &Value) -> Result<(Duration, u64)> {
    let begun = Instant::now();
    let id = api.submit(composition).await?;
    let render = api.completed(&id, RENDER_LIMIT).await?;
    let took = begun.elapsed();
    let size = render["output"]["size_bytes"].as_u64();
    Ok((took, size.context("the output has no size")?))
}

async fn ffmpeg(source: &Path, font: &Path, interval: usize, to: &Path) -> Result<()> {
    let filter = format!(
        "drawtext=fontfile={}:text='Hello World':fontsize=72:fontcolor=white:\
         x=(w-text_w)/2:y=(h-text_h)/2:enable='lt(t,5)'",
        font.display()
    );
    let interval = interval.to_string();
    let source = source.display().to_string();
    let to = to.display().to_string();
    let mut arguments = vec![
        "-v", "error", "-y", "-i", &source, "-vf", &filter, "-t", "10",
    ];
    arguments.extend([
        "-g",
        &interval,
        "-keyint_min",
        &interval,
        "-sc_threshold",
        "0",
    ]);
    arguments.extend(
        "-c:v libx264 -preset veryfast -crf 20 -pix_fmt yuv420p -color_primaries bt709 \
         -color_trc bt709 -colorspace bt709 -color_range tv -c:a aac -b:a 192k -ar 48000 -ac 2 \
         -movflags +faststart"
            .split_whitespace(),
    );
    arguments.push(&to);
    run("ffmpeg", arguments).await?;
    Ok(())
}

fn median(times: &[Duration]) -> Duration {
    let mut sorted = times.to_vec();
    sorted.sort();
    sorted[sorted.len() / 2]
}

fn show(time: Duration) -> String {
    format!("{:.2} s", time.as_secs_f64())
}

fn list(times: &[Duration]) -> String {
    let shown: Vec<String> = times.iter().copied().map(show).collect();
    shown.join(", ")
}

#[expect(clippy::cast_precision_loss, reason = "file sizes are far below 2^52")]
fn quotient(one: u64, other: u64) -> f64 {
    one as f64 / other.max(1) as f64
}
