//! Equal compositions, equal bytes.

use anyhow::Result;
use chaos::claim::{Scale, determinism};

use crate::support::server::turn;

#[tokio::test]
async fn the_same_composition_gives_the_same_streams_with_any_number_of_slots() -> Result<()> {
    let turn = turn().await?;
    determinism::check(&turn.bench, Scale::Small).await?;
    Ok(())
}
