//! Files that clients send.

use anyhow::Result;
use chaos::claim::{Scale, uploads};

use crate::support::server::turn;

#[tokio::test]
async fn a_large_file_goes_through_without_being_held() -> Result<()> {
    let turn = turn().await?;
    uploads::check(&turn.bench, Scale::Small).await?;
    Ok(())
}
