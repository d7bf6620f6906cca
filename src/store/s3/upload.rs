//! Bytes into a bucket as they come: one request when they are few, else parts, a bounded
//! number of them in memory. An upload that does not end well is aborted.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use cluster::model::{Digest, ObjectKey};
use futures::StreamExt;
use futures::stream::BoxStream;
use object_store::aws::AmazonS3;
use object_store::multipart::{MultipartStore, PartId};
use object_store::path::Path;
use object_store::{
    Attribute, Attributes, Error, ObjectStore as _, ObjectStoreExt as _, PutMultipartOptions,
    PutOptions, PutPayload,
};
use sha2::{Digest as _, Sha256};
use tokio::task::JoinSet;

use super::bucket::Bucket;
use super::error;
use crate::store::landing::blocking;
use crate::store::{ObjectAbout, StoreError};

/// Parts being sent at a time.
const IN_FLIGHT: usize = 2;

/// How many parts an upload may have.
const MOST_PARTS: u64 = 10_000;

/// What is put.
pub(super) struct Upload<'a> {
    pub(super) key: &'a ObjectKey,
    pub(super) path: Path,
    pub(super) about: Option<&'a ObjectAbout>,
    /// How much is coming, where that is known.
    pub(super) size: Option<u64>,
}

impl Bucket {
    pub(super) async fn upload(
        &self,
        upload: Upload<'_>,
        bytes: BoxStream<'_, Result<Bytes, StoreError>>,
    ) -> Result<(Digest, u64), StoreError> {
        let room = upload.size.unwrap_or(0).div_ceil(MOST_PARTS);
        let part_bytes = usize::try_from(room).unwrap_or(usize::MAX);
        let mut cutter = Cutter {
            bytes,
            part_bytes: part_bytes.max(self.limits.part_bytes),
            over: VecDeque::new(),
            hasher: Sha256::new(),
            size: 0,
        };
        let attributes = attributes(upload.about);
        let first = cutter.next().await?.unwrap_or_default();
        let Some(second) = cutter.next().await? else {
            let options = PutOptions {
                attributes,
                ..PutOptions::default()
            };
            self.client
                .put_opts(&upload.path, first, options)
                .await
                .map_err(|error| error::of(&error, upload.key))?;
            return Ok(cutter.finish());
        };
        let options = PutMultipartOptions {
            attributes,
            ..PutMultipartOptions::default()
        };
        let id = self
            .client
            .create_multipart_opts(&upload.path, options)
            .await
            .map_err(|error| error::of(&error, upload.key))?;
        let mut parts = Parts {
            client: Arc::clone(&self.client),
            path: upload.path.clone(),
            id: Some(id),
            begun: 0,
            done: Vec::new(),
            sending: JoinSet::new(),
        };
        let sent = self.send(&upload, &mut parts, [first, second], cutter);
        match sent.await {
            Ok(put) => {
                parts.id = None;
                Ok(put)
            }
            Err(error) => {
                if let Some(abort) = parts.abort() {
                    // A task of its own: this future may be dropped as well.
                    drop(tokio::spawn(abort).await);
                }
                Err(error)
            }
        }
    }

    async fn send(
        &self,
        upload: &Upload<'_>,
        parts: &mut Parts,
        first: [PutPayload; 2],
        mut cutter: Cutter<'_>,
    ) -> Result<(Digest, u64), StoreError> {
        let failed = |error| error::of(&error, upload.key);
        for part in first {
            parts.send(part).await.map_err(failed)?;
        }
        while let Some(part) = cutter.next().await? {
            parts.send(part).await.map_err(failed)?;
        }
        let done = parts.finish().await.map_err(failed)?;
        let put = cutter.finish();
        let completed = self
            .patient
            .complete_multipart(&upload.path, &parts.id(), done)
            .await;
        match completed {
            Ok(_) => Ok(put),
            // The answer to the first try was lost: a second finds the upload gone and the
            // object there.
            Err(error) => match self.client.head(&upload.path).await {
                Ok(there) if there.size == put.1 => Ok(put),
                _ => Err(failed(error)),
            },
        }
    }
}

/// Parts on their way. Unless the upload has ended well, it is aborted when this is dropped:
/// parts cost room until then.
struct Parts {
    client: Arc<AmazonS3>,
    path: Path,
    /// The upload's; `None` once it has ended.
    id: Option<String>,
    begun: usize,
    done: Vec<(usize, PartId)>,
    sending: JoinSet<(usize, Result<PartId, Error>)>,
}

impl Parts {
    /// Begins to send a part, once few enough others are being sent.
    async fn send(&mut self, part: PutPayload) -> Result<(), Error> {
        while self.sending.len() >= IN_FLIGHT {
            self.wait().await?;
        }
        let (client, path, id) = (Arc::clone(&self.client), self.path.clone(), self.id());
        let index = self.begun;
        self.begun += 1;
        self.sending
            .spawn(async move { (index, client.put_part(&path, &id, index, part).await) });
        Ok(())
    }

    fn id(&self) -> String {
        self.id.clone().unwrap_or_default()
    }

    async fn wait(&mut self) -> Result<(), Error> {
        if let Some(sent) = self.sending.join_next().await {
            let (index, part) = sent?;
            self.done.push((index, part?));
        }
        Ok(())
    }

    async fn finish(&mut self) -> Result<Vec<PartId>, Error> {
        while !self.sending.is_empty() {
            self.wait().await?;
        }
        self.done.sort_by_key(|(index, _)| *index);
        Ok(self.done.drain(..).map(|(_, part)| part).collect())
    }

    /// Ends the upload. Parts on their way come first: a server may keep one that comes in
    /// while it aborts.
    fn abort(&mut self) -> Option<impl Future<Output = ()> + Send + use<>> {
        let id = self.id.take()?;
        let mut sending = std::mem::take(&mut self.sending);
        let (client, path) = (Arc::clone(&self.client), self.path.clone());
        Some(async move {
            while sending.join_next().await.is_some() {}
            if let Err(error) = client.abort_multipart(&path, &id).await {
                tracing::warn!(%error, %path, "an upload could not be aborted: its parts stay until the bucket's lifecycle rule removes them");
            }
        })
    }
}

impl Drop for Parts {
    fn drop(&mut self) {
        let Some(abort) = self.abort() else {
            return;
        };
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(abort);
        }
    }
}

/// Cuts what comes into parts of one size (some servers want that of all but the last), and
/// hashes them.
struct Cutter<'a> {
    bytes: BoxStream<'a, Result<Bytes, StoreError>>,
    part_bytes: usize,
    /// Read, but of the next part.
    over: VecDeque<Bytes>,
    hasher: Sha256,
    size: u64,
}

impl Cutter<'_> {
    async fn next(&mut self) -> Result<Option<PutPayload>, StoreError> {
        let mut part = Vec::new();
        let mut room = self.part_bytes;
        while room > 0 {
            let next = match self.over.pop_front() {
                Some(bytes) => Some(bytes),
                None => self.bytes.next().await.transpose()?,
            };
            let Some(mut bytes) = next else {
                break;
            };
            if bytes.len() > room {
                self.over.push_front(bytes.split_off(room));
            }
            room -= bytes.len();
            if !bytes.is_empty() {
                part.push(bytes);
            }
        }
        if part.is_empty() {
            return Ok(None);
        }
        let part: PutPayload = part.into_iter().collect();
        self.size += part.content_length() as u64;
        let (hashed, mut hasher) = (part.clone(), std::mem::take(&mut self.hasher));
        self.hasher = blocking(move || {
            for bytes in &hashed {
                hasher.update(bytes);
            }
            Ok(hasher)
        })
        .await?;
        Ok(Some(part))
    }

    fn finish(self) -> (Digest, u64) {
        (Digest(self.hasher.finalize().into()), self.size)
    }
}

fn attributes(about: Option<&ObjectAbout>) -> Attributes {
    let mut attributes = Attributes::new();
    if let Some(about) = about {
        attributes.insert(Attribute::ContentType, about.content_type.clone().into());
        if let Some(disposition) = about.disposition() {
            attributes.insert(Attribute::ContentDisposition, disposition.into());
        }
    }
    attributes
}
