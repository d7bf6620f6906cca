//! Writes the files of the corpus with the tools that people's files come from.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use super::boxes::{Entry, with_edits};
use super::canvas::{HEIGHT, SECONDS, WIDTH};
use super::films::Film;
use super::tables::{
    Coding, DROPPED, Edit, GROUP, HOLD, LATE, Muxer, Order, PIECES, Rate, Start, TRIM,
};
use super::{Recording, Stock, truth};
use crate::measure::run;

type Arguments = Vec<String>;

/// Writes a film.
pub(super) async fn film(film: &Film, stock: &Stock, dir: &Path) -> Result<PathBuf> {
    let to = dir.join(film.name());
    match film.container.muxer {
        Muxer::GStreamer(muxer) => gstreamer(film, muxer, stock, &to).await?,
        Muxer::Mkvmerge => {
            let between = dir.join(format!("{}.between.mkv", film.name()));
            encode(film, "", stock, &between).await?;
            let (to, from) = (to.display().to_string(), between.display().to_string());
            run("mkvmerge", ["-q", "-o", &to, &from]).await?;
            tokio::fs::remove_file(between).await?;
        }
        Muxer::Ffmpeg(arguments) => match (film.start, film.edit) {
            (_, Edit::Trim) => {
                let between = whole(film, stock, dir).await?;
                let seek = ["-ss".to_owned(), TRIM.to_string()];
                copied(&between, &seek, &["-c", "copy"], &to).await?;
            }
            (_, Edit::Pieces | Edit::Hold) => {
                encode(film, arguments, stock, &to).await?;
                let file = tokio::fs::read(&to).await?;
                let edited = with_edits(&file, &|handler| entries(film.edit, handler));
                tokio::fs::write(&to, edited?).await?;
            }
            _ => encode(film, arguments, stock, &to).await?,
        },
    }
    Ok(to)
}

/// The film before it is cut.
async fn whole(film: &Film, stock: &Stock, dir: &Path) -> Result<PathBuf> {
    let to = dir.join(format!(
        "{}.between.{}",
        film.name(),
        film.container.extension
    ));
    encode(film, "", stock, &to).await?;
    Ok(to)
}

async fn copied(from: &Path, before: &[String], arguments: &[&str], to: &Path) -> Result<()> {
    let (source, target) = (from.display().to_string(), to.display().to_string());
    let mut all: Arguments = words("-v error -y");
    all.extend_from_slice(before);
    all.extend(["-i".to_owned(), source]);
    all.extend(arguments.iter().map(|&word| word.to_owned()));
    all.extend(words("-strict -2"));
    all.push(target);
    run("ffmpeg", all).await?;
    tokio::fs::remove_file(from).await?;
    Ok(())
}

/// The edit list of a kind of track.
fn entries(edit: Edit, handler: &[u8]) -> Vec<Entry> {
    let play = |(from, to): (f64, f64)| Entry::Play {
        from,
        length: to - from,
    };
    match edit {
        Edit::Pieces => PIECES.into_iter().map(play).collect(),
        Edit::Hold => {
            let (at, length, end) = HOLD;
            let first = if handler == b"vide" {
                Entry::Hold { at, length }
            } else {
                Entry::Empty { length }
            };
            vec![first, play((at, end))]
        }
        Edit::Whole | Edit::Trim => vec![play((0.0, SECONDS))],
    }
}

/// Encodes and muxes with `ffmpeg`.
async fn encode(film: &Film, muxer: &str, stock: &Stock, to: &Path) -> Result<()> {
    let mut all = words("-v error -y");
    all.extend(raw_pictures(film));
    let pictures_of = stock.pictures(truth::count(film.rate));
    all.extend(["-i".to_owned(), pictures_of.display().to_string()]);
    if film.has_sound() {
        if film.start == Start::SoundLate {
            all.extend(["-itsoffset".to_owned(), LATE.to_string()]);
        }
        all.extend(["-i".to_owned(), stock.clicks.display().to_string()]);
        all.extend(words("-map 0:v -map 1:a"));
    }
    all.extend(pictures(film));
    all.extend(words(film.sound.1));
    if film.has_sound() {
        all.extend(sound(film.layout, film.sample_rate));
    }
    if film.start == Start::BetweenKeyframes {
        all.extend(["-bsf:v".to_owned(), format!("noise=drop='lt(n,{DROPPED})'")]);
    }
    if film.start == Start::Offset {
        all.extend(words("-output_ts_offset 10"));
    }
    all.extend(words(muxer));
    all.push(to.display().to_string());
    run("ffmpeg", all).await.with_context(|| film.name())?;
    Ok(())
}

fn raw_pictures(film: &Film) -> Arguments {
    let rate = match film.rate {
        Rate::Constant(numerator, denominator, _) => format!("{numerator}/{denominator}"),
        Rate::Variable => "30".to_owned(),
    };
    words(&format!(
        "-f rawvideo -pix_fmt rgb24 -s {WIDTH}x{HEIGHT} -r {rate}"
    ))
}

/// Filter, codec, colours and order of the pictures.
fn pictures(film: &Film) -> Arguments {
    let (matrix, range) = match film.coding {
        Coding::Untagged if film.pixels.1.starts_with("yuvj") => ("bt601", "pc"),
        // A picture format, not a television's: gray is in full range.
        Coding::Untagged if matches!(film.codec.name, "png" | "qtrle") => ("bt601", "pc"),
        Coding::Untagged => ("bt601", "tv"),
        Coding::Bt709 => ("bt709", "tv"),
        Coding::Full => ("bt601", "pc"),
    };
    let format = match (film.pixels.1, film.codec.name) {
        ("rgb", "h264" | "h265") => "gbrp",
        ("rgb", "ffv1") => "bgr0",
        ("rgb", "raw") => "bgr24",
        ("rgb", _) => "rgb24",
        (format, _) => format,
    };
    let mut filter = match film.pixels.1 {
        "rgb" => format!("format={format}"),
        _ => format!(
            "scale=out_color_matrix={matrix}:out_range={range}:flags=accurate_rnd+full_chroma_int,\
             format={format}"
        ),
    };
    let mut all = words("-vsync passthrough");
    if film.rate == Rate::Variable {
        filter.push_str(",settb=1/1000,setpts='N*33+mod(N*17,25)'");
        all.extend(words("-enc_time_base 1:1000"));
    }
    if film.start == Start::PicturesLate {
        filter.push_str(&format!(",setpts='PTS+round({}/TB)'", film.pictures_late()));
    }
    all.extend(["-vf".to_owned(), filter]);
    all.extend(words(film.codec.arguments));
    // The RGB variant of the encoder takes its own name.
    if film.codec.name == "h264" && format == "gbrp" {
        all.extend(words("-c:v libx264rgb -pix_fmt rgb24"));
    }
    all.extend(["-g".to_owned(), GROUP.to_string()]);
    let frames = if film.order == Order::Shown { 0 } else { 2 };
    match film.codec.name {
        "h264" => {
            let open = u8::from(film.order == Order::Open);
            let rules = format!(
                "-bf {frames} -x264-params keyint={GROUP}:min-keyint={GROUP}:open-gop={open}"
            );
            all.extend(words(&rules));
        }
        "h265" => {
            let open = u8::from(film.order == Order::Open);
            let rules = format!(
                "-x265-params log-level=error:bframes={frames}:keyint={GROUP}:min-keyint={GROUP}:scenecut=0:open-gop={open}"
            );
            all.extend(words(&rules));
        }
        "mpeg2" if film.order != Order::Open => {
            all.extend(words(&format!(
                "-bf {frames} -flags +cgop -sc_threshold 1000000000"
            )));
        }
        "mpeg1" | "mpeg2" | "mpeg4" => all.extend(words(&format!("-bf {frames}"))),
        _ => {}
    }
    match film.coding {
        Coding::Untagged => {}
        Coding::Bt709 => all.extend(words(
            "-color_primaries bt709 -color_trc bt709 -colorspace bt709 -color_range tv",
        )),
        Coding::Full => all.extend(words("-colorspace smpte170m -color_range pc")),
    }
    all
}

/// Channels and rate. Beyond stereo, the click is on the left and the right.
fn sound(layout: &str, sample_rate: u32) -> Arguments {
    let filter = match layout {
        "mono" => "aformat=channel_layouts=mono".to_owned(),
        "stereo" => "pan=stereo|FL=c0|FR=c0".to_owned(),
        layout => format!("pan={layout}|FL=c0|FR=c0"),
    };
    vec![
        "-af".to_owned(),
        filter,
        "-ar".to_owned(),
        sample_rate.to_string(),
    ]
}

/// Encodes and muxes with GStreamer.
async fn gstreamer(film: &Film, muxer: &str, stock: &Stock, to: &Path) -> Result<()> {
    let Rate::Constant(numerator, denominator, count) = film.rate else {
        bail!("GStreamer's files have a constant rate");
    };
    let encoder = match film.codec.name {
        "h264" => {
            let frames = if film.order == Order::Shown { 0 } else { 2 };
            format!(
                "x264enc speed-preset=veryfast pass=qual quantizer=12 key-int-max={GROUP} bframes={frames} b-adapt=false ! h264parse"
            )
        }
        "vp8" => {
            format!("vp8enc deadline=1 cpu-used=4 target-bitrate=3000000 keyframe-max-dist={GROUP}")
        }
        "mjpeg" => "jpegenc quality=95".to_owned(),
        "png" => "pngenc".to_owned(),
        other => bail!("{other} is not written with GStreamer"),
    };
    let raw = match film.pixels.0 {
        "rgb" => "video/x-raw,format=RGB".to_owned(),
        "jpeg" => "video/x-raw,format=I420,colorimetry=(string)1:4:0:0".to_owned(),
        _ => "video/x-raw,format=I420,colorimetry=(string)bt601".to_owned(),
    };
    let mut line = format!(
        "-q {muxer} name=mux ! filesink location={} filesrc location={} blocksize={} \
         ! rawvideoparse format=rgb width={WIDTH} height={HEIGHT} framerate={numerator}/{denominator} \
         ! videoconvert ! {raw} ! {encoder} ! queue ! mux.",
        to.display(),
        stock.pictures(count).display(),
        WIDTH * HEIGHT * 3,
    );
    if film.has_sound() {
        let encoder = match film.sound.0 {
            "opus" => "opusenc bitrate=128000",
            "flac" => "flacenc",
            "vorbis" => "vorbisenc quality=0.6",
            "alac" => "avenc_alac",
            "mp2" => "avenc_mp2 bitrate=192000",
            "pcm_s16le" => "audio/x-raw,format=S16LE",
            other => bail!("{other} is not written with GStreamer"),
        };
        let channels = if film.layout == "mono" { 1 } else { 2 };
        line.push_str(&format!(
            " filesrc location={} ! wavparse ! audioconvert ! audioresample \
             ! audio/x-raw,rate={},channels={channels} ! audioconvert ! {encoder} ! queue ! mux.",
            stock.clicks.display(),
            film.sample_rate,
        ));
    }
    run("gst-launch-1.0", words(&line))
        .await
        .with_context(|| film.name())?;
    Ok(())
}

/// Writes a file of sound alone.
pub(super) async fn recording(recording: &Recording, stock: &Stock, dir: &Path) -> Result<PathBuf> {
    let to = dir.join(recording.name());
    let mut all = words("-v error -y -i");
    all.push(stock.clicks.display().to_string());
    all.extend(sound(recording.layout.0, recording.sample_rate));
    all.extend(words(recording.kind.arguments));
    all.push(to.display().to_string());
    run("ffmpeg", all).await.with_context(|| recording.name())?;
    if matches!(recording.kind.name, "flac-id3" | "adts-id3") {
        let file = tokio::fs::read(&to).await?;
        tokio::fs::write(&to, [&id3()[..], &file].concat()).await?;
    }
    Ok(to)
}

/// An `ID3v2.4` tag: a title, then padding; its size is written in 7 bits a byte.
fn id3() -> Vec<u8> {
    let mut tag = b"ID3\x04\0\0\0\0\x02\x00TIT2\0\0\0\x06\0\0\x03title".to_vec();
    tag.resize(10 + 256, 0);
    tag
}

fn words(line: &str) -> Arguments {
    line.split_whitespace().map(str::to_owned).collect()
}
