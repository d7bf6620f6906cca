//! Clients that follow renders, by streams and by long polls, and a server killed under them.

use anyhow::Result;
use chaos::claim::{Scale, events};

use crate::support::server::turn;

#[tokio::test]
async fn everyone_who_follows_a_render_hears_of_its_end_at_once() -> Result<()> {
    let turn = turn().await?;
    events::check(&turn.bench, Scale::Small).await?;
    Ok(())
}
