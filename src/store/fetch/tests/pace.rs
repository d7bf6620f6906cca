//! How slow a server may be.

use super::*;

/// Serves a body of `count` pieces of `size` bytes, one every `pause`.
async fn dripping(count: usize, size: usize, pause: Duration) -> String {
    let drip = move || async move {
        let pieces = futures::stream::iter(0..count).then(move |_| async move {
            tokio::time::sleep(pause).await;
            Ok::<_, std::io::Error>(vec![b'x'; size])
        });
        Body::from_stream(pieces)
    };
    let app = Router::new().route("/drip", get(drip));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    format!("http://{address}/drip")
}

fn bench(min_rate: u64, window: Duration, idle: Duration) -> Bench {
    let limits = FetchLimits {
        idle,
        min_rate,
        rate_window: window,
        ..FetchLimits::default()
    };
    Bench::within(true, limits)
}

const PAUSE: Duration = Duration::from_millis(20);
const WINDOW: Duration = Duration::from_millis(300);
const LONG: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_source_slower_than_the_least_rate_over_a_window_is_given_up() {
    // About 50 bytes a second; the whole would take a minute.
    let url = dripping(3000, 1, PAUSE).await;
    let error = bench(10_000, WINDOW, LONG).fetch(&url).await.unwrap_err();
    assert!(matches!(error, FetchError::TooSlow { .. }), "{error}");
    assert_eq!(error.code(), "source_unreachable");
    assert!(error.is_permanent(), "{error}");
    let message = error.to_string();
    assert!(
        message.contains("bytes a second") && message.contains("10000 are the least"),
        "{message}"
    );

    // The window ends in the middle of a silence, too.
    let url = dripping(10, 1, LONG).await;
    let error = bench(10_000, WINDOW, LONG).fetch(&url).await.unwrap_err();
    assert!(
        matches!(error, FetchError::TooSlow { rate: 0, .. }),
        "{error}"
    );
}

#[tokio::test]
async fn a_source_that_is_fast_enough_may_take_many_windows() {
    // At least 1,000 bytes in every window, however late its pieces are.
    let url = dripping(40, 10_000, PAUSE).await;
    let object = bench(1_000, WINDOW, LONG).fetch(&url).await.unwrap();
    assert_eq!(object.size, 400_000);
    // Without a least rate, any byte will do.
    let url = dripping(40, 1, PAUSE).await;
    let object = bench(0, WINDOW, LONG).fetch(&url).await.unwrap();
    assert_eq!(object.size, 40);
}
