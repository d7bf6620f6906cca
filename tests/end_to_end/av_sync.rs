//! Clicks and flashes through three codecs, and a tone over the joints.

use anyhow::Result;
use chaos::claim::{Scale, av_sync};

use crate::support::server::turn;

#[tokio::test]
async fn a_click_is_heard_within_a_millisecond_of_its_flash() -> Result<()> {
    let turn = turn().await?;
    av_sync::check(&turn.bench, Scale::Small).await?;
    Ok(())
}
