//! Media made wrong.

use anyhow::Result;
use chaos::claim::{Scale, mutants};

use crate::support::server::turn;

#[tokio::test]
async fn broken_media_cost_their_renders_and_never_the_server() -> Result<()> {
    let turn = turn().await?;
    mutants::check(&turn.bench, Scale::Small).await?;
    Ok(())
}
