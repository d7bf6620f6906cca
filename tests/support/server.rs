//! A place to try claims on the binary this test run built. Claims measure time and use the
//! whole machine, so they take turns.

use anyhow::Result;
use chaos::claim::Bench;
use chaos::node::NodeOptions;
use tempfile::TempDir;
use tokio::sync::{Mutex, MutexGuard};

static TURN: Mutex<()> = Mutex::const_new(());

/// The machine to oneself, and a scratch directory, until this is dropped.
pub(crate) struct Turn {
    pub(crate) bench: Bench,
    _scratch: TempDir,
    _turn: MutexGuard<'static, ()>,
}

/// Waits until no other claim is being tried.
pub(crate) async fn turn() -> Result<Turn> {
    let turn = TURN.lock().await;
    let scratch = tempfile::tempdir()?;
    Ok(Turn {
        bench: Bench::new(env!("CARGO_BIN_EXE_framelane"), scratch.path()),
        _scratch: scratch,
        _turn: turn,
    })
}

/// Options for a node of the built binary.
pub(crate) fn node() -> NodeOptions {
    NodeOptions::new(env!("CARGO_BIN_EXE_framelane"))
}
