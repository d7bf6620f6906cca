//! A third of the corpus of media files.

use anyhow::Result;
use chaos::claim::{Scale, corpus};

use crate::support::server::turn;

#[tokio::test]
async fn every_kind_of_file_shows_and_plays_what_was_put_into_it() -> Result<()> {
    let turn = turn().await?;
    corpus::check(&turn.bench, Scale::Small).await?;
    Ok(())
}
