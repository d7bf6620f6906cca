//! Kills at 10, 50 and 90 % of a render.

use anyhow::Result;
use chaos::claim::{Scale, crash};

use crate::support::server::turn;

#[tokio::test]
async fn killed_workers_and_killed_servers_lose_nothing() -> Result<()> {
    let turn = turn().await?;
    crash::check(&turn.bench, Scale::Small).await?;
    Ok(())
}
