//! The outermost boxes of an MP4 file, in file order.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};

/// The types of the outermost boxes.
///
/// # Errors
/// When the file is not made of boxes.
pub async fn outermost(file: &Path) -> Result<Vec<String>> {
    let mut reader = tokio::fs::File::open(file).await?;
    let length = reader.metadata().await?.len();
    let mut names = Vec::new();
    let mut at = 0;
    while at < length {
        let size = u64::from(reader.read_u32().await?);
        let mut name = [0; 4];
        reader.read_exact(&mut name).await?;
        names.push(String::from_utf8_lossy(&name).into_owned());
        let size = match size {
            // To the end of the file.
            0 => length - at,
            1 => reader.read_u64().await?,
            size => size,
        };
        ensure!(size >= 8, "a box of {size} bytes at {at}");
        at += size;
        reader.seek(std::io::SeekFrom::Start(at)).await?;
    }
    Ok(names)
}

/// Whether the index comes before the data, so that playing can start at once.
///
/// # Errors
/// When one of the two is missing.
pub async fn index_first(file: &Path) -> Result<bool> {
    let names = outermost(file).await?;
    let place = |wanted: &str| names.iter().position(|name| name == wanted);
    let moov = place("moov").context("there is no moov box")?;
    let mdat = place("mdat").context("there is no mdat box")?;
    Ok(moov < mdat)
}
