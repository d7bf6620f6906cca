//! The quick start: serves the vendored clip over loopback, starts a node, posts a composition,
//! shows how it gets on and leaves `demo.mp4`. Started by `make demo`.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a program for people at a terminal")]

use std::io::Write as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use chaos::api::{Api, is_terminal};
use chaos::node::NodeOptions;
use chaos::origin::Origin;
use clap::Parser;
use serde_json::{Value, json};

/// A demonstration that takes longer than this has gone wrong.
const LIMIT: Duration = Duration::from_secs(600);

/// Renders the demonstration.
#[derive(Debug, Parser)]
struct Arguments {
    /// The binary to start.
    #[arg(long, default_value = "target/release/framelane")]
    binary: PathBuf,
    /// The directory with the clip and the picture.
    #[arg(long, default_value = "tests/media")]
    media: PathBuf,
    /// Where the video goes.
    #[arg(long, default_value = "demo.mp4")]
    out: PathBuf,
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let begun = Instant::now();
    let origin = Origin::start(&arguments.media).await?;
    let mut node = NodeOptions::new(&arguments.binary).start().await?;
    let api = node.api()?;
    let started = begun.elapsed();
    println!("a node listens at {}", api.edge());
    println!("posting a composition of two placements of a clip, a picture, a title and sound");
    let posted = Instant::now();
    let id = api.submit(&composition(&origin)).await?;
    let render = watch(&api, &id).await?;
    let rendered = posted.elapsed();
    ensure!(
        render["status"] == "completed",
        "the render ended {}: {}\nthe node's log ends:\n{}",
        render["status"],
        render["error"],
        node.log_tail()
    );
    api.download(&id, &arguments.out).await?;
    node.stop(Duration::from_secs(10)).await?;
    let output = &render["output"];
    println!(
        "{}: {}×{}, {} s, {} bytes",
        arguments.out.display(),
        output["width"],
        output["height"],
        output["duration"],
        output["size_bytes"]
    );
    println!(
        "node started in {:.1} s, rendered in {:.1} s, {:.1} s in all",
        started.as_secs_f64(),
        rendered.as_secs_f64(),
        begun.elapsed().as_secs_f64()
    );
    Ok(())
}

/// Eight seconds: the clip, a second placement of it in a corner, a picture, a title with an
/// emoji, and the clip's sound.
fn composition(origin: &Origin) -> Value {
    let clip = origin.url("bigbuckbunny.mp4");
    json!({
        "width": 1280, "height": 720, "duration": 8, "frame_rate": 30,
        "background_color": "#10222e",
        "elements": [
            {"type": "video", "id": "opening", "source_url": clip,
             "time": 0, "in_point": 0, "out_point": 5, "fade_in_duration": 0.5},
            {"type": "video", "id": "again", "source_url": clip, "time": 4, "in_point": 1,
             "out_point": 5, "z_index": 1, "width": "50%", "height": "50%", "x": "72%", "y": "36%",
             "z_rotation": 4, "fade_out_duration": 1},
            {"type": "image", "id": "badge", "source_url": origin.url("framelane.png"),
             "time": 0.5, "duration": 7.5, "z_index": 2, "width": 160, "height": "auto",
             "x": "4%", "y": "6%", "x_anchor": "0%", "y_anchor": "0%", "opacity": 90},
            {"type": "text", "id": "title", "text": "Frames in, video out 🎬", "time": 1,
             "duration": 7, "z_index": 3, "font_size": 64, "font_weight": 700, "y": "86%"},
        ],
    })
}

async fn watch(api: &Api, id: &str) -> Result<Value> {
    let begun = Instant::now();
    loop {
        let render = api.render(id).await?;
        show(&render, begun.elapsed())?;
        if is_terminal(&render) {
            println!();
            return Ok(render);
        }
        ensure!(begun.elapsed() < LIMIT, "{id} is not done after {LIMIT:?}");
        // A long poll would be silent until the end; a person wants to see it move.
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}

fn show(render: &Value, elapsed: Duration) -> Result<()> {
    let frames = &render["frames"];
    let done = frames["done"].as_f64().unwrap_or(0.0);
    let total = frames["total"].as_u64();
    let total = total.map_or_else(|| "?".to_owned(), |total| total.to_string());
    let rate = done / elapsed.as_secs_f64().max(0.001);
    let eta = render["eta_seconds"].as_f64();
    let eta = eta.map_or_else(|| "?".to_owned(), |eta| format!("{eta:.1}"));
    let status = render["status"].as_str().unwrap_or_default();
    print!("\r{status:<11} {done:>4.0}/{total} frames  {rate:>5.1} fps  eta {eta:>5} s ");
    std::io::stdout().flush().context("failed to write")
}
