//! A hundred posts at once, variations of the body, a restart.

use anyhow::Result;
use chaos::claim::{Scale, idempotency};

use crate::support::server::turn;

#[tokio::test]
async fn one_key_makes_one_render_whoever_races_and_whatever_restarts() -> Result<()> {
    let turn = turn().await?;
    idempotency::check(&turn.bench, Scale::Small).await?;
    Ok(())
}
