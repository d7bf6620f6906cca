//! A node whose objects live in a bucket.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use chaos::compositions::plain;
use chaos::s3::S3Server;

use crate::support::server::{node, turn};

const LIMIT: Duration = Duration::from_secs(120);

#[tokio::test]
async fn a_render_lives_in_a_bucket_and_outlives_its_server() -> Result<()> {
    let turn = turn().await?;
    let directory = tempfile::tempdir()?;
    let server = S3Server::start(directory.path(), &["films"]).await?;
    let mut node = node().in_bucket(&server, "films").start().await?;
    let mut composition = plain("bucket");
    composition["output_filename"] = "greeting".into();
    let id = node.api()?.submit(&composition).await?;
    node.api()?.completed(&id, LIMIT).await?;
    node.kill().await?;
    node.start_again().await?;
    let target = turn.bench.file("bucket.mp4");
    node.api()?.download(&id, &target).await?;

    let objects = directory.path().join("films/framelane/jobs").join(&id);
    let joined = std::fs::read_dir(objects.join("join"))?;
    let joined: Vec<_> = joined
        .map(|entry| entry.map(|entry| entry.path()))
        .collect();
    ensure!(joined.len() == 1, "{joined:?}");
    for path in joined {
        ensure!(std::fs::read(path?)? == std::fs::read(&target)?);
    }
    ensure!(server.unfinished()?.is_empty());
    Ok(())
}

#[tokio::test]
async fn a_bucket_that_lets_nobody_in_is_told_before_anything_is_served() -> Result<()> {
    let _turn = turn().await?;
    let directory = tempfile::tempdir()?;
    let mut server = S3Server::start(directory.path(), &["films"]).await?;
    server.secret_key = "another".to_owned();
    let refused = node().in_bucket(&server, "films").start().await;
    let error = format!("{:#}", refused.err().context("it started")?);
    ensure!(error.contains("s3://films/framelane"), "{error}");
    ensure!(error.contains("refuses the credentials"), "{error}");
    Ok(())
}
