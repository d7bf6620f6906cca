//! Breaks a node at random for a while, then asks the checkers:
//! `cargo run -p chaos -- --seed 7 --for 60`.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a program for people at a terminal")]

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use chaos::check::{no_lost_job, one_output};
use chaos::fault::{Fault, schedule};
use chaos::history::History;
use chaos::node::{Node, NodeOptions};
use chaos::workload::submit_until;
use clap::Parser;
use tokio::sync::watch;

const CLIENTS: u32 = 2;
/// The time a backlog may take once the faults are over.
const CALM_LIMIT: Duration = Duration::from_secs(600);

/// Submits renders to one node while killing its processes.
#[derive(Debug, Parser)]
struct Arguments {
    /// The binary under test.
    #[arg(long, default_value = "target/release/framelane")]
    binary: PathBuf,
    /// Decides the faults; drawn and printed when absent.
    #[arg(long)]
    seed: Option<u64>,
    /// Seconds of faults.
    #[arg(long = "for", default_value_t = 60)]
    seconds: u64,
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let seed = arguments.seed.unwrap_or_else(rand::random);
    println!("seed {seed}");
    let total = Duration::from_secs(arguments.seconds);
    let mut node = NodeOptions::new(&arguments.binary).start().await?;
    let (publish, api) = watch::channel(node.api()?);
    let history = Arc::new(Mutex::new(History::default()));
    let until = Instant::now() + total;
    let mut clients = tokio::task::JoinSet::new();
    for client in 0..CLIENTS {
        clients.spawn(submit_until(
            client,
            until,
            api.clone(),
            Arc::clone(&history),
        ));
    }
    for planned in schedule(seed, total) {
        tokio::time::sleep(planned.after).await;
        println!("{:?}", planned.fault);
        inflict(&mut node, planned.fault).await?;
        publish.send_replace(node.api()?);
    }
    while let Some(client) = clients.join_next().await {
        client.context("a client panicked")?;
    }

    let history = history
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clone();
    let api = node.api()?;
    let scratch = tempfile::tempdir()?;
    let jobs = no_lost_job::check(&api, &history, CALM_LIMIT).await?;
    println!("no lost job: {jobs} acknowledged, {jobs} completed");
    one_output::check(&api, &history, scratch.path()).await?;
    println!("one output: {jobs} renders, each the same on two looks");
    Ok(())
}

async fn inflict(node: &mut Node, fault: Fault) -> Result<()> {
    match fault {
        Fault::KillWorker => node.busiest_worker().await?.kill(),
        Fault::KillServer => {
            node.kill().await?;
            node.start_again().await
        }
    }
}
