//! Runs the acceptance list at full size and prints what it measured:
//! `cargo run --release -p chaos --bin acceptance -- all`.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a program for people at a terminal")]

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Result, bail};
use chaos::claim::{
    Bench, Figures, Scale, av_sync, cancel, clock, corpus, crash, destination, determinism, disk,
    edge, events, frame_exactness, hostile, idempotency, imports, kills, minimal, mutants, queue,
    speed, uploads, webhooks,
};
use chaos::timestamp;
use clap::Parser;

/// Claims by letter, and those that came later by name.
const ALL: &[&str] = &[
    "b",
    "c",
    "d",
    "e",
    "f",
    "g",
    "h",
    "j",
    "corpus",
    "mutants",
    "events",
    "uploads",
    "destination",
    "webhooks",
    "imports",
    "hostile",
    "kills",
    "disk",
    "clock",
    "queue",
    "edge",
];

/// Tries the claims of the acceptance list.
#[derive(Debug, Parser)]
struct Arguments {
    /// Which (b c d e f g h j corpus mutants events uploads destination webhooks imports hostile
    /// kills disk clock queue edge), or `all`.
    #[arg(default_value = "all")]
    claims: Vec<String>,
    /// The binary under test.
    #[arg(long, default_value = "target/release/framelane")]
    binary: PathBuf,
    /// The short versions that the test run uses.
    #[arg(long)]
    small: bool,
    /// Tells the wall clock and the clock that counts from boot, and ends: for the claim `clock`.
    #[arg(long, hide = true)]
    clocks: bool,
}

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    if arguments.clocks {
        let (wall, boot) = timestamp::clocks()?;
        println!("{wall} {boot}");
        return Ok(ExitCode::SUCCESS);
    }
    let scale = if arguments.small {
        Scale::Small
    } else {
        Scale::Full
    };
    let mut failed = false;
    for name in names(&arguments.claims)? {
        let scratch = tempfile::tempdir()?;
        let bench = Bench::new(&arguments.binary, scratch.path());
        let begun = Instant::now();
        let outcome = try_claim(name, &bench, scale).await;
        let took = begun.elapsed().as_secs_f64();
        match outcome {
            Ok(figures) => {
                println!("{name}  holds  ({took:.0} s)");
                for figure in figures {
                    println!("     {:<56} {}", figure.what, figure.value);
                }
            }
            Err(error) => {
                failed = true;
                println!("{name}  FAILS  ({took:.0} s)\n     {error:#}");
            }
        }
    }
    Ok(ExitCode::from(u8::from(failed)))
}

fn names(claims: &[String]) -> Result<Vec<&'static str>> {
    let mut names = Vec::new();
    for claim in claims {
        if claim == "all" {
            names.extend(ALL);
        } else if let Some(name) = ALL.iter().find(|name| *name == claim) {
            names.push(*name);
        } else {
            bail!("there is no claim `{claim}`: use {ALL:?} or all");
        }
    }
    Ok(names)
}

async fn try_claim(name: &str, bench: &Bench, scale: Scale) -> Result<Figures> {
    match name {
        "b" => minimal::check(bench, scale).await,
        "c" => frame_exactness::check(bench, scale).await,
        "d" => av_sync::check(bench, scale).await,
        "e" => determinism::check(bench, scale).await,
        "f" => idempotency::check(bench, scale).await,
        "g" => cancel::check(bench, scale).await,
        "h" => crash::check(bench, scale).await,
        "corpus" => corpus::check(bench, scale).await,
        "mutants" => mutants::check(bench, scale).await,
        "imports" => imports::check(bench, scale).await,
        "webhooks" => webhooks::check(bench, scale).await,
        "uploads" => uploads::check(bench, scale).await,
        "destination" => destination::check(bench, scale).await,
        "events" => events::check(bench, scale).await,
        "hostile" => hostile::check(bench, scale).await,
        "kills" => kills::check(bench, scale).await,
        "disk" => disk::check(bench, scale).await,
        "clock" => clock::check(bench, scale).await,
        "queue" => queue::check(bench, scale).await,
        "edge" => edge::check(bench, scale).await,
        _ => speed::check(bench, scale).await,
    }
}
