//! Runs the acceptance list at full size and prints what it measured:
//! `cargo run --release -p chaos --bin acceptance -- all`.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a program for people at a terminal")]

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Result, bail};
use chaos::claim::{
    Bench, Figures, Scale, av_sync, cancel, crash, determinism, frame_exactness, idempotency,
    minimal, speed,
};
use clap::Parser;

const ALL: [char; 8] = ['b', 'c', 'd', 'e', 'f', 'g', 'h', 'j'];

/// Tries the claims of the acceptance list by their letters.
#[derive(Debug, Parser)]
struct Arguments {
    /// Letters (b c d e f g h j), or `all`.
    #[arg(default_value = "all")]
    claims: Vec<String>,
    /// The binary under test.
    #[arg(long, default_value = "target/release/framelane")]
    binary: PathBuf,
    /// The short versions that the test run uses.
    #[arg(long)]
    small: bool,
}

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    let scale = if arguments.small {
        Scale::Small
    } else {
        Scale::Full
    };
    let mut failed = false;
    for letter in letters(&arguments.claims)? {
        let scratch = tempfile::tempdir()?;
        let bench = Bench::new(&arguments.binary, scratch.path());
        let begun = Instant::now();
        let outcome = try_claim(letter, &bench, scale).await;
        let took = begun.elapsed().as_secs_f64();
        match outcome {
            Ok(figures) => {
                println!("{letter}  holds  ({took:.0} s)");
                for figure in figures {
                    println!("     {:<56} {}", figure.what, figure.value);
                }
            }
            Err(error) => {
                failed = true;
                println!("{letter}  FAILS  ({took:.0} s)\n     {error:#}");
            }
        }
    }
    Ok(ExitCode::from(u8::from(failed)))
}

fn letters(claims: &[String]) -> Result<Vec<char>> {
    let mut letters = Vec::new();
    for claim in claims {
        match claim.as_str() {
            "all" => letters.extend(ALL),
            other => match other.chars().next() {
                Some(letter) if other.len() == 1 && ALL.contains(&letter) => letters.push(letter),
                _ => bail!("there is no claim `{other}`: use {ALL:?} or all"),
            },
        }
    }
    Ok(letters)
}

async fn try_claim(letter: char, bench: &Bench, scale: Scale) -> Result<Figures> {
    match letter {
        'b' => minimal::check(bench, scale).await,
        'c' => frame_exactness::check(bench, scale).await,
        'd' => av_sync::check(bench, scale).await,
        'e' => determinism::check(bench, scale).await,
        'f' => idempotency::check(bench, scale).await,
        'g' => cancel::check(bench, scale).await,
        'h' => crash::check(bench, scale).await,
        _ => speed::check(bench, scale).await,
    }
}
