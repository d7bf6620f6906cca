//! The measuring itself, tried on clips whose truth is known: what the claims are worth.

use anyhow::{Result, ensure};
use chaos::clips::{self, HEIGHT, Sound, Timing, WIDTH};
use chaos::measure::boxes::index_first;
use chaos::measure::pictures::{Region, each_luma, mean};
use chaos::measure::probe::{packets, stream_digests};
use chaos::measure::{run, sound};
use chaos::origin::{Origin, Trouble};

const WHOLE: Region = Region {
    x: 0,
    y: 0,
    width: WIDTH,
    height: HEIGHT,
};

#[tokio::test]
async fn every_picture_of_a_numbered_clip_reads_as_its_number() -> Result<()> {
    let directory = tempfile::tempdir()?;
    for timing in [Timing::Constant(30_000, 1_001), Timing::Variable] {
        let file = directory.path().join("numbered.mp4");
        clips::numbered(&file, timing, 270).await?;
        let found = packets(&file, "v").await?;
        assert_eq!(found.pts[0], 0);
        assert_eq!(found.keyframes, [0, 250]);
        assert_eq!(found.constant_step().is_some(), timing != Timing::Variable);
        let count = each_luma(&file, WHOLE, |frame, luma| {
            let number = clips::read_number(luma, WIDTH, HEIGHT)?;
            ensure!(usize::from(number) == frame, "{frame} reads as {number}");
            Ok(())
        })
        .await?;
        assert_eq!(count, 270);
    }
    Ok(())
}

#[tokio::test]
async fn made_clicks_lie_on_their_flashes_in_every_codec() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let cases = [
        ("a.mp4", Sound::AacInMp4),
        ("b.mp3", Sound::Mp3),
        ("c.webm", Sound::OpusInWebm),
    ];
    for (name, kind) in cases {
        let file = directory.path().join(name);
        clips::clicks(&file, kind, 3).await?;
        let samples = sound::decode(&file).await?;
        for expected in clips::click_times(3) {
            let found = sound::find_click(&samples, expected)?;
            let error = (found - expected).abs();
            ensure!(error < 0.0005, "{name}: {expected} s is off by {error} s");
        }
        if kind == Sound::Mp3 {
            continue;
        }
        let mut flashes = Vec::new();
        each_luma(&file, WHOLE, |frame, luma| {
            if mean(luma) > 128.0 {
                flashes.push(frame);
            }
            Ok(())
        })
        .await?;
        assert_eq!(flashes, [15, 45, 75], "{name}");
    }
    Ok(())
}

#[tokio::test]
async fn a_tone_slips_where_a_frame_of_sound_was_cut_out() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let whole = directory.path().join("tone.wav");
    clips::tone(&whole, 997.0, 3).await?;
    let mut samples = sound::decode(&whole).await?;
    ensure!(sound::tone_slip(&samples, 997.0)? < 0.05);
    samples.drain(70_000..71_024);
    ensure!(sound::tone_slip(&samples, 997.0)? > 0.5);
    Ok(())
}

#[tokio::test]
async fn digests_and_box_order_tell_files_apart() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let [one, copy, other] = ["one.mp4", "copy.mp4", "other.mp4"].map(|n| directory.path().join(n));
    clips::numbered(&one, Timing::Constant(30, 1), 30).await?;
    clips::numbered(&other, Timing::Constant(30, 1), 31).await?;
    let (from, to) = (one.display().to_string(), copy.display().to_string());
    let remux = [
        "-v",
        "error",
        "-i",
        &from,
        "-c",
        "copy",
        "-movflags",
        "+faststart",
        &to,
    ];
    run("ffmpeg", remux).await?;
    assert_eq!(stream_digests(&one).await?, stream_digests(&copy).await?);
    assert_ne!(stream_digests(&one).await?, stream_digests(&other).await?);
    assert!(!index_first(&one).await?);
    assert!(index_first(&copy).await?);
    Ok(())
}

#[tokio::test]
async fn the_origin_serves_ranges_and_troubles() -> Result<()> {
    let directory = tempfile::tempdir()?;
    tokio::fs::write(directory.path().join("a"), b"0123456789").await?;
    tokio::fs::write(directory.path().join("b"), b"0123456789").await?;
    let origin = Origin::start(directory.path()).await?;
    let client = reqwest::Client::builder().no_proxy().build()?;
    let part = client.get(origin.url("a")).header("range", "bytes=2-4");
    let part = part.send().await?;
    assert_eq!(part.status(), 206);
    assert_eq!(part.headers()["content-range"], "bytes 2-4/10");
    assert_eq!(part.text().await?, "234");
    origin.trouble("a", Trouble::StatusAtFirst(503, 2));
    assert_eq!(client.get(origin.url("a")).send().await?.status(), 503);
    assert_eq!(client.get(origin.url("a")).send().await?.status(), 200);
    origin.trouble("b", Trouble::Truncated);
    assert!(
        client
            .get(origin.url("b"))
            .send()
            .await?
            .bytes()
            .await
            .is_err()
    );
    assert_eq!(
        client.get(origin.url("nothing")).send().await?.status(),
        404
    );
    assert_eq!(origin.requests("a"), 3);
    Ok(())
}
