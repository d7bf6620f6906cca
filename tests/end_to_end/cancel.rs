//! Cancelling in the middle of the work.

use anyhow::Result;
use chaos::claim::{Scale, cancel};

use crate::support::server::turn;

#[tokio::test]
async fn a_cancelled_render_stops_within_two_seconds_and_leaves_nothing() -> Result<()> {
    let turn = turn().await?;
    cancel::check(&turn.bench, Scale::Small).await?;
    Ok(())
}
