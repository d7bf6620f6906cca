//! A finished file goes on to the bucket that its request names: retried while the bucket
//! misbehaves, told of in the render, and nothing of it undoes the render.

use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use serde_json::{Value, json};

use super::{Bench, Figure, Figures, Scale};
use crate::api::Api;
use crate::s3::{S3Server, Trouble};

/// Longest that a delivery with its retries may take.
const LIMIT: Duration = Duration::from_secs(120);

/// Delivers to a bucket that works, to one that fails at first, and to one that refuses.
///
/// # Errors
/// When a file does not arrive, or the render does not say what became of it.
pub async fn check(bench: &Bench, _scale: Scale) -> Result<Figures> {
    let directory = bench.file("s3");
    let server = S3Server::start(&directory, &["theirs"]).await?;
    let node = bench
        .node()
        .with("DESTINATIONS__THEIRS__ENDPOINT", &server.endpoint)
        .with("DESTINATIONS__THEIRS__REGION", &"us-east-1")
        .with("DESTINATIONS__THEIRS__ACCESS_KEY_ID_ENV", &"THEIR_KEY")
        .with(
            "DESTINATIONS__THEIRS__SECRET_ACCESS_KEY_ENV",
            &"THEIR_SECRET",
        )
        .variable("THEIR_KEY", &server.access_key)
        .variable("THEIR_SECRET", &server.secret_key)
        .start()
        .await?;
    let api = node.api()?;

    let render = delivered(&api, "films/one.mp4").await?;
    ensure!(status(&render) == "delivered", "{}", render["output"]);
    let artifact = bench.file("downloaded.mp4");
    let id = render["id"].as_str().unwrap_or_default();
    api.download(id, &artifact).await?;
    let put = std::fs::read(directory.join("theirs/films/one.mp4"))?;
    ensure!(
        put == std::fs::read(&artifact)?,
        "another file was delivered"
    );

    // Longer than the client library itself goes on trying.
    server.trouble("PUT", Trouble::Code(403, "AccessDenied"), 1);
    let begun = Instant::now();
    let render = delivered(&api, "films/two.mp4").await?;
    let took = begun.elapsed();
    ensure!(status(&render) == "delivered", "{}", render["output"]);
    ensure!(server.troubles_left() == 0, "the trouble was not met");

    server.trouble("PUT", Trouble::Code(403, "AccessDenied"), 100);
    let render = delivered(&api, "films/three.mp4").await?;
    ensure!(status(&render) == "failed", "{}", render["output"]);
    let message = render["output"]["destination"]["error"]["message"].to_string();
    ensure!(
        message.contains("theirs"),
        "the error does not name the bucket: {message}"
    );
    ensure!(
        render["status"] == "completed",
        "the render itself is undone"
    );

    let unknown = api.post(&composition("nobodys", "a.mp4")).await?;
    ensure!(
        unknown.status == 422,
        "an unknown bucket: {}",
        unknown.status
    );
    Ok(vec![
        Figure::new("delivered, byte for byte", "yes"),
        Figure::new(
            "refused once, then taken",
            format!("delivered {:.1} s after the submit", took.as_secs_f64()),
        ),
        Figure::new("refused always", "completed, destination failed"),
    ])
}

fn composition(bucket: &str, key: &str) -> Value {
    json!({
        "width": 160, "height": 90, "duration": 1, "frame_rate": 25,
        "elements": [{"type": "text", "text": "deliver", "duration": 1}],
        "destination": {"s3": {"bucket": bucket, "key": key}},
    })
}

/// A completed render once its destination is settled.
async fn delivered(api: &Api, key: &str) -> Result<Value> {
    let id = api.submit(&composition("theirs", key)).await?;
    api.completed(&id, LIMIT).await?;
    let deadline = Instant::now() + LIMIT;
    while Instant::now() < deadline {
        let render = api.render(&id).await?;
        if status(&render) != "pending" {
            return Ok(render);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    bail!("the destination is still pending")
}

fn status(render: &Value) -> &str {
    render["output"]["destination"]["status"]
        .as_str()
        .unwrap_or_default()
}
