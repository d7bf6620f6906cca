//! Imports: one URL of any kind becomes one object that compositions may use.

use std::path::Path;

use cluster::model::ObjectRef;
use url::Url;

use super::answer::clean;
use super::download::Downloaded;
use super::error::FetchError;
use super::progress::Progress;
use super::sniff::{LOOK, Sniffed, sniff};
use super::{Fetcher, Scratch, UNASKED, read_head};

/// An import that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// Its bytes.
    pub object: ObjectRef,
    /// Their type, found from the bytes alone.
    pub content_type: String,
    /// Its name, where the server or the link gives one.
    pub filename: Option<String>,
}

impl Fetcher {
    /// Imports what a direct link, a share link or a web page's address leads to. Files in
    /// the making lie in the directory `scratch`.
    ///
    /// # Errors
    /// [`FetchError`], after all tries.
    pub async fn import(
        &self,
        url: &str,
        scratch: &Path,
        progress: &Progress,
    ) -> Result<Imported, FetchError> {
        let given = self.guard.admit(url)?;
        let _turn = self.turn(&given, progress).await?;
        {
            let file = Scratch::within(scratch);
            let Downloaded::Body(body) = self.obtain(&given, &file.0, None, progress).await? else {
                return Err(UNASKED);
            };
            let filename = body.answer.filename(&given);
            let head = read_head(&file.0, LOOK as u64).await?;
            let declared = body.answer.content_type.as_deref();
            match sniff(&head, declared, filename.as_deref().unwrap_or_default()) {
                Sniffed::Media(content_type) => {
                    return Ok(Imported {
                        object: self.keep(url, &body, &file).await?,
                        content_type: content_type.to_owned(),
                        filename,
                    });
                }
                Sniffed::Other => return Err(FetchError::NotMedia),
                Sniffed::Html => {}
            }
        }
        self.import_page(&given, scratch, progress).await
    }

    async fn import_page(
        &self,
        url: &Url,
        scratch: &Path,
        progress: &Progress,
    ) -> Result<Imported, FetchError> {
        let Some(pages) = &self.pages else {
            return Err(FetchError::Unsupported(
                "the link gives a web page, and video pages need yt-dlp, which is not installed"
                    .to_owned(),
            ));
        };
        let found = pages
            .download(&self.guard, &self.limits, url, scratch, progress)
            .await?;
        let head = read_head(&found.file, LOOK as u64).await?;
        let name = found.file.file_name().map(|name| name.to_string_lossy());
        let Sniffed::Media(content_type) = sniff(&head, None, &name.unwrap_or_default()) else {
            return Err(FetchError::NotMedia);
        };
        let file = found.file.clone();
        let hashed = tokio::task::spawn_blocking(move || crate::store::hash_file(&file)).await;
        let (sha256, size) = hashed
            .map_err(|error| FetchError::Storage(error.to_string()))?
            .map_err(|error| FetchError::from_io(&error))?;
        let extension = found.file.extension().and_then(|end| end.to_str());
        let filename = found.title.as_deref().and_then(|title| {
            // A title is no path: its slashes are part of it.
            clean(&format!(
                "{}.{}",
                title.replace(['/', '\\'], " "),
                extension?
            ))
        });
        Ok(Imported {
            object: self.put(sha256, size, &found.file).await?,
            content_type: content_type.to_owned(),
            filename,
        })
    }
}
