//! Streams in: whole or not at all, and never all in memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use framelane::store::{StoreError, digest};
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};

use super::bench::{Bench, PART, bytes, key};

/// Bytes of a stream that are still held, and the most that it ever was.
#[derive(Debug, Default)]
struct Held {
    now: AtomicUsize,
    most: AtomicUsize,
}

/// A piece of a stream that counts its release.
struct Piece {
    bytes: Vec<u8>,
    held: Arc<Held>,
}

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        self.held.now.fetch_sub(self.bytes.len(), Ordering::SeqCst);
    }
}

/// `whole` in pieces of a length that no part is a multiple of.
fn pieces(whole: &[u8], held: &Arc<Held>) -> BoxStream<'static, Result<Bytes, StoreError>> {
    let pieces: Vec<Vec<u8>> = whole.chunks(77_777).map(<[u8]>::to_vec).collect();
    let held = Arc::clone(held);
    let pieces = stream::iter(pieces).map(move |bytes| {
        let now = held.now.fetch_add(bytes.len(), Ordering::SeqCst) + bytes.len();
        held.most.fetch_max(now, Ordering::SeqCst);
        let held = Arc::clone(&held);
        Ok(Bytes::from_owner(Piece { bytes, held }))
    });
    pieces.boxed()
}

fn broken() -> StoreError {
    StoreError::Io(std::io::Error::other("the client went away"))
}

pub(super) async fn a_stream_is_stored_whole_and_held_in_part(bench: &Bench) {
    let whole = bytes(8 * PART + 12_345);
    let held = Arc::new(Held::default());
    let put = bench
        .store
        .put_stream(key("uploads/1"), pieces(&whole, &held));
    let put = put.await.unwrap();
    let size = u64::try_from(whole.len()).unwrap();
    assert_eq!((put.size, put.sha256), (size, digest(&whole)));
    let most = held.most.load(Ordering::SeqCst);
    assert!(most <= 4 * PART, "{most} bytes were held");
    assert_eq!(held.now.load(Ordering::SeqCst), 0);

    let read = bench.store.read(&put.key, None).await.unwrap();
    let chunks: Vec<Bytes> = read.try_collect().await.unwrap();
    assert!(chunks.concat() == whole, "other bytes came back");
    assert_eq!(bench.unfinished(), [""; 0]);
}

pub(super) async fn an_empty_stream_is_an_empty_object(bench: &Bench) {
    let nothing = [Bytes::new(), Bytes::new()].map(Ok);
    let nothing = [stream::empty().boxed(), stream::iter(nothing).boxed()];
    for (index, nothing) in nothing.into_iter().enumerate() {
        let name = key(&format!("uploads/{index}"));
        let put = bench.store.put_stream(name, nothing).await.unwrap();
        assert_eq!((put.size, put.sha256), (0, digest(b"")));
        assert_eq!(bench.store.get(&put.key).await.unwrap(), "");
    }
}

pub(super) async fn a_stream_that_breaks_leaves_nothing(bench: &Bench) {
    // Before anything is sent, within the second part, and after many.
    for length in [10, PART + 10, 4 * PART] {
        let held = Arc::new(Held::default());
        let whole = bytes(length);
        let breaks = pieces(&whole, &held).chain(stream::iter([Err(broken())]));
        let put = bench.store.put_stream(key("uploads/1"), breaks.boxed());
        let error = put.await.unwrap_err();
        let StoreError::Io(error) = error else {
            panic!("{error}");
        };
        assert_eq!(error.to_string(), "the client went away");
        bench.assert_nothing_is_left("uploads/").await;
    }
}

pub(super) async fn an_abandoned_put_leaves_nothing(bench: &Bench) {
    for length in [10, 4 * PART] {
        let held = Arc::new(Held::default());
        let whole = bytes(length);
        let (stalls, stalled) = tokio::sync::oneshot::channel();
        let silence = stream::once(async move {
            stalls.send(()).expect("a receiver waits");
            futures::future::pending().await
        });
        let bytes = pieces(&whole, &held).chain(silence).boxed();
        let put = bench.store.put_stream(key("uploads/1"), bytes);
        tokio::select! {
            _ = put => panic!("a stream without an end was put"),
            stalled = stalled => stalled.unwrap(),
            () = tokio::time::sleep(Duration::from_secs(20)) => panic!("it never came so far"),
        }
        bench.assert_nothing_is_left("uploads/").await;
        assert_eq!(held.now.load(Ordering::SeqCst), 0);
    }
}
