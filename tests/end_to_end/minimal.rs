//! The contract's minimal example, at its full size.

use anyhow::Result;
use chaos::claim::{Scale, minimal};

use crate::support::server::turn;

#[tokio::test]
async fn the_minimal_composition_gives_exactly_the_file_of_the_contract() -> Result<()> {
    let turn = turn().await?;
    minimal::check(&turn.bench, Scale::Small).await?;
    Ok(())
}
