//! A server that fails for a while is asked again; one that is not there, or does not want us,
//! is an error soon.

use std::time::{Duration, Instant};

use bytes::Bytes;
use chaos::s3::Trouble;
use framelane::store::s3::{Credentials, S3Limits, S3Options, S3Store};
use framelane::store::{ObjectStore, StoreError, probe};
use futures::{StreamExt, TryStreamExt, stream};

use super::bench::{Bench, PART, bytes, key, options};

/// Long enough for every retry there is, and far from for ever.
const SOON: Duration = Duration::from_secs(20);

#[tokio::test]
async fn a_server_that_recovers_is_asked_again() {
    for trouble in [Trouble::Status(503), Trouble::HangsUp, Trouble::LosesAnswer] {
        let bench = Bench::s3().await;
        let (store, server) = (&bench.store, bench.server());
        let whole = bytes(2 * PART + 10);

        server.trouble("PUT", trouble, 2);
        let put = store.put(key("a/b"), Bytes::from("hello")).await.unwrap();

        // One of them hits a part.
        server.trouble("PUT", trouble, 2);
        server.trouble("POST", trouble, 1);
        let once = stream::iter([Ok(Bytes::from(whole.clone()))]).boxed();
        let large = store.put_stream(key("a/large"), once).await;
        let large = large.unwrap_or_else(|error| panic!("{trouble:?}: {error:?}"));

        server.trouble("GET", trouble, 2);
        assert_eq!(store.get(&put.key).await.unwrap(), "hello", "{trouble:?}");
        server.trouble("GET", trouble, 2);
        let file = store.local_file(&large, bench.scratch.path()).await;
        assert!(std::fs::read(file.unwrap()).unwrap() == whole);
        server.trouble("GET", trouble, 1);
        assert_eq!(store.list("a/").await.unwrap().len(), 2);
        server.trouble("HEAD", trouble, 2);
        assert_eq!(store.head(&put.key).await.unwrap(), Some(5));
        server.trouble("PUT", trouble, 2);
        store.copy(&put.key, &key("a/copy")).await.unwrap();
        server.trouble("POST", trouble, 2);
        store.delete(&put.key).await.unwrap();
        server.trouble("POST", trouble, 1);
        store.delete_prefix("a/").await.unwrap();
        assert_eq!(server.troubles_left(), 0);
        assert_eq!(store.list("a/").await.unwrap(), []);
    }
}

#[tokio::test]
async fn a_body_that_breaks_off_goes_on_where_it_broke_off() {
    let bench = Bench::s3().await;
    let whole = bytes(1_000_000);
    let put = bench.store.put(key("a/b"), whole.clone().into()).await;
    let put = put.unwrap();
    let file = async || {
        bench.server().trouble("GET", Trouble::CutsBody, 2);
        let file = bench.store.local_file(&put, bench.scratch.path()).await;
        std::fs::read(file.unwrap()).unwrap()
    };
    let streamed = async || {
        bench.server().trouble("GET", Trouble::CutsBody, 2);
        let read = bench.store.read(&put.key, Some(1000..999_000)).await;
        let chunks: Vec<Bytes> = read.unwrap().try_collect().await.unwrap();
        chunks.concat()
    };
    assert!(file().await == whole);
    assert!(streamed().await == whole[1000..999_000]);
    assert_eq!(bench.server().troubles_left(), 0);
}

#[tokio::test]
async fn a_server_that_does_not_recover_is_an_error() {
    let bench = Bench::s3().await;
    let begun = Instant::now();
    bench.server().trouble("PUT", Trouble::Status(503), 100);
    let put = bench.store.put(key("a/b"), Bytes::from("x")).await;
    assert!(matches!(put, Err(StoreError::Io(_))), "{put:?}");
    // The first try and three more.
    assert_eq!(bench.server().troubles_left(), 96);
    assert!(begun.elapsed() < SOON);
    // Nothing was put, though parts of it could be: nothing of it stays.
    let bench = Bench::s3().await;
    bench.server().trouble("PUT", Trouble::Status(503), 100);
    let once = stream::iter([Ok(Bytes::from(bytes(3 * PART)))]).boxed();
    let put = bench.store.put_stream(key("a/b"), once).await;
    assert!(matches!(put, Err(StoreError::Io(_))), "{put:?}");
    bench.assert_nothing_is_left("a/").await;
}

#[tokio::test]
async fn a_full_server_is_full() {
    let bench = Bench::s3().await;
    // What is not of passing nature is not asked again.
    let cases = [
        (Trouble::Status(507), 4),
        (Trouble::Code(403, "QuotaExceeded"), 1),
    ];
    for (trouble, times) in cases {
        bench.server().trouble("PUT", trouble, times);
        let put = bench.store.put(key("a/b"), Bytes::from("x")).await;
        assert!(matches!(put, Err(StoreError::Full)), "{put:?}");
        assert_eq!(bench.server().troubles_left(), 0);
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_an_error_soon() {
    // A port without a listener, and one that takes connections and never answers.
    let mut bench = Bench::s3().await;
    let options = options(bench.server());
    drop(bench.server.take());
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = S3Options {
        endpoint: Some(format!("http://{}", silent.local_addr().unwrap())),
        limits: S3Limits {
            idle: Duration::from_millis(300),
            ..options.limits.clone()
        },
        ..options.clone()
    };
    for options in [options, silent] {
        let begun = Instant::now();
        let store = S3Store::open(options).unwrap();
        let put = store.put(key("a/b"), Bytes::from("x")).await;
        assert!(matches!(put, Err(StoreError::Io(_))), "{put:?}");
        let got = store.get(&key("a/b")).await;
        assert!(matches!(got, Err(StoreError::Io(_))), "{got:?}");
        assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
        let begun = Instant::now();
        let short = Duration::from_millis(200);
        let error = probe(&store, short).await.unwrap_err();
        assert!(matches!(error, StoreError::Io(_)), "{error:?}");
        assert!(begun.elapsed() < Duration::from_secs(2));
    }
}

#[tokio::test]
async fn who_is_not_let_in_is_told_so() {
    let bench = Bench::s3().await;
    let wrong_secret = S3Options {
        credentials: Credentials::Key {
            id: bench.server().access_key.clone(),
            secret: "not-the-secret".to_owned(),
        },
        ..options(bench.server())
    };
    assert!(!format!("{wrong_secret:?}").contains("not-the-secret"));
    let stranger = S3Store::open(wrong_secret).unwrap();
    let refused = probe(&stranger, SOON).await.unwrap_err();
    let no_bucket = Trouble::Code(404, "NoSuchBucket");
    bench.server().trouble("PUT", no_bucket, 1);
    let nowhere = probe(&*bench.store, SOON).await.unwrap_err();
    let cases = [
        (refused, "refuses the credentials"),
        (nowhere, "bucket does not exist"),
    ];
    for (error, expected) in cases {
        let StoreError::Io(error) = error else {
            panic!("{error:?}");
        };
        assert!(error.to_string().contains(expected), "{error}");
        assert!(!error.to_string().contains("not-the-secret"), "{error}");
    }
}

#[tokio::test]
async fn what_the_server_will_not_copy_goes_through_us() {
    let bench = Bench::s3().await;
    let mut options = options(bench.server());
    options.limits.copy_bytes = 1000;
    let store = S3Store::open(options).unwrap();
    let whole = bytes(1_000_000);
    store.put(key("a/b"), whole.clone().into()).await.unwrap();
    store.copy(&key("a/b"), &key("a/c")).await.unwrap();
    assert!(store.get(&key("a/c")).await.unwrap() == whole);
}
