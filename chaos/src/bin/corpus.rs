//! Writes the corpus of media files into a directory:
//! `cargo run --release -p chaos --bin corpus -- --out target/corpus`.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a program for people at a terminal")]

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use chaos::corpus::{Stock, items};
use clap::Parser;
use futures::{StreamExt as _, TryStreamExt as _, stream};

/// Writes the corpus of media files into a directory.
#[derive(Debug, Parser)]
struct Arguments {
    /// Where to; it is made if it is not there.
    #[arg(long, default_value = "target/corpus")]
    out: PathBuf,
    /// Only files whose names hold this.
    #[arg(long, default_value = "")]
    only: String,
}

#[tokio::main]
async fn main() -> Result<()> {
    let Arguments { out, only } = Arguments::parse();
    tokio::fs::create_dir_all(&out)
        .await
        .with_context(|| format!("failed to make {}", out.display()))?;
    let scratch = tempfile::tempdir()?;
    let stock = Stock::make(scratch.path()).await?;
    let chosen: Vec<_> = items()
        .into_iter()
        .filter(|item| item.name().contains(&only))
        .collect();
    let writing = chosen.iter().map(|item| item.write(&stock, &out));
    let files: Vec<PathBuf> = stream::iter(writing).buffered(4).try_collect().await?;
    println!("{} files in {}", files.len(), out.display());
    Ok(())
}
