//! Files that go on to a client's own bucket.

use anyhow::Result;
use chaos::claim::{Scale, destination};

use crate::support::server::turn;

#[tokio::test]
async fn a_finished_file_goes_on_to_the_bucket_that_its_request_names() -> Result<()> {
    let turn = turn().await?;
    destination::check(&turn.bench, Scale::Small).await?;
    Ok(())
}
