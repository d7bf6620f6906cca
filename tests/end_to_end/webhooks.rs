//! Telling receivers of events.

use anyhow::Result;
use chaos::claim::{Scale, webhooks};

use crate::support::server::turn;

#[tokio::test]
async fn who_registered_is_told_of_every_change_whatever_is_killed() -> Result<()> {
    let turn = turn().await?;
    webhooks::check(&turn.bench, Scale::Small).await?;
    Ok(())
}
