//! Six sources of different rates, two output rates, three ways to cut.

use anyhow::Result;
use chaos::claim::{Scale, frame_exactness};

use crate::support::server::turn;

#[tokio::test]
async fn every_output_frame_shows_the_expected_source_frame() -> Result<()> {
    let turn = turn().await?;
    frame_exactness::check(&turn.bench, Scale::Small).await?;
    Ok(())
}
