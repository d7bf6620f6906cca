//! Files that clients name.

use anyhow::Result;
use chaos::claim::{Scale, imports};

use crate::support::server::turn;

#[tokio::test]
async fn what_a_client_names_is_fetched_and_judged_by_what_it_is() -> Result<()> {
    let turn = turn().await?;
    imports::check(&turn.bench, Scale::Small).await?;
    Ok(())
}
