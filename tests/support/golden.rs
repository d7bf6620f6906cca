//! The golden harness: a composition is drawn by the reference and by the GPU; the first has
//! to equal the stored picture, the second the first within fixed bounds.
#![cfg_attr(
    not(feature = "gpu"),
    expect(dead_code, reason = "there is nothing to compare with")
)]
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot be set up has failed"
)]

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
#[cfg(feature = "gpu")]
use std::sync::{Mutex, PoisonError};

use framelane::composition::time::FrameIndex;
use framelane::composition::{Json, Limits, validate};
use framelane::media::{Frame, FrameTable, Matrix, MediaInfo, PixelFormat, VideoInfo, YuvColor};
use framelane::render::image::probe_image;
use framelane::render::reference::ReferenceCompositor;
use framelane::render::text::TextEngine;
use framelane::render::{
    Compositor, Picture, PixelRect, RenderError, Stage, StageSource, i420_frame,
};
use framelane::timeline::{DrawList, Timeline};
use serde_json::Value;

/// Codes a GPU may differ by on nearly every pixel, and how many may differ by more.
const CODES: u8 = 2;
const SHARE: f64 = 0.001;
/// Codes it may differ by anywhere but beside an edge.
const FAR: u8 = 24;
const FLIP_MEAN: f32 = 0.005;

/// A finished picture to ask about.
pub(crate) struct Pixels {
    pub(crate) width: u32,
    pub(crate) height: u32,
    bytes: Vec<u8>,
}

impl Pixels {
    fn of(frame: &Frame) -> Self {
        Self {
            width: frame.width,
            height: frame.height,
            bytes: frame.planes[0].data.to_vec(),
        }
    }

    /// The premultiplied colour at (`x`, `y`).
    pub(crate) fn at(&self, x: u32, y: u32) -> [u8; 4] {
        let at = usize::try_from((y * self.width + x) * 4).unwrap();
        self.bytes[at..at + 4].try_into().unwrap()
    }

    /// Whether the colour at (`x`, `y`) is `want`, give or take one code.
    pub(crate) fn is(&self, x: u32, y: u32, want: [u8; 3]) {
        let got = self.at(x, y);
        let close = got
            .iter()
            .zip(want)
            .all(|(got, want)| got.abs_diff(want) <= 1);
        assert!(close, "({x}, {y}) is {got:?}, not {want:?}");
    }

    /// Left, top, right and bottom of what is not black.
    pub(crate) fn ink(&self) -> [u32; 4] {
        let mut ink = [u32::MAX, u32::MAX, 0, 0];
        for y in 0..self.height {
            for x in 0..self.width {
                if self.at(x, y)[..3].iter().any(|channel| *channel > 16) {
                    ink = [ink[0].min(x), ink[1].min(y), ink[2].max(x), ink[3].max(y)];
                }
            }
        }
        ink
    }

    /// The mean of a channel over everything.
    pub(crate) fn mean(&self, channel: usize) -> f64 {
        let values = self.bytes.iter().skip(channel).step_by(4);
        values.map(|value| f64::from(*value)).sum::<f64>() / f64::from(self.width * self.height)
    }
}

/// Holds `composition` to `tests/golden/NAME.png`, asks `claim` about it, and sees that
/// setting the field at `mutation.0` to `mutation.1` changes the picture.
pub(crate) fn golden(
    name: &str,
    composition: &Value,
    claim: impl Fn(&Pixels),
    mutation: (&str, Value),
) {
    let (list, pictures) = staged(composition);
    let reference = drawn(&mut ReferenceCompositor::new(), &list, &pictures);
    against_stored(name, &reference);
    claim(&reference);

    let mut changed = composition.clone();
    set(&mut changed, mutation.0, mutation.1);
    let (other_list, other_pictures) = staged(&changed);
    let other = drawn(
        &mut ReferenceCompositor::new(),
        &other_list,
        &other_pictures,
    );
    assert!(
        (other.width, &other.bytes) != (reference.width, &reference.bytes),
        "changing {} changes nothing",
        mutation.0
    );
    on_gpu(name, &list, &pictures, &reference);
}

/// Draws all of it.
fn drawn(compositor: &mut dyn Compositor, list: &DrawList, pictures: &[Picture]) -> Pixels {
    let whole = PixelRect {
        x: 0,
        y: 0,
        width: list.width,
        height: list.height,
    };
    Pixels::of(&compositor.draw(list, pictures, whole).unwrap())
}

fn set(value: &mut Value, pointer: &str, to: Value) {
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    value.pointer_mut(parent).unwrap()[key] = to;
}

/// The first frame of a composition, ready to draw.
pub(crate) fn staged(composition: &Value) -> (DrawList, Vec<Picture>) {
    static ENGINE: OnceLock<Arc<TextEngine>> = OnceLock::new();
    let engine = Arc::clone(ENGINE.get_or_init(|| Arc::new(TextEngine::new())));
    let limits = Limits::default();
    let json = Json::parse(composition.to_string().as_bytes()).unwrap();
    let (valid, _) = validate(&json, &limits).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut infos = Vec::new();
    let mut files = Vec::new();
    for used in valid.source_urls() {
        let name = used.url.rsplit('/').next().unwrap().to_owned();
        let file = folder.path().join(&name);
        infos.push(if name.ends_with(".png") {
            std::fs::write(&file, still(&name)).unwrap();
            probe_image(&file, 1 << 24).unwrap()
        } else {
            video_info(&name)
        });
        files.push(StageSource { file, digest: name });
    }
    let (timeline, _): (Timeline, _) =
        Timeline::resolve(valid, infos, engine.as_ref(), &limits).unwrap();
    let list = timeline.evaluate(FrameIndex(0));
    let mut stage = Stage::new(engine, files.clone(), 1 << 24);
    let pictures = stage
        .pictures(&list, &timeline, &mut |source, _| {
            Ok::<Frame, RenderError>(video(&files[source].digest))
        })
        .unwrap();
    (list, pictures)
}

/// Pictures that are easy to reason about.
fn still(name: &str) -> Vec<u8> {
    let (width, height) = match name {
        "ramp.png" => (64, 36),
        "quad.png" => (40, 40),
        "disc.png" => (48, 48),
        "fine.png" => (160, 90),
        _ => (33, 17),
    };
    let picture = image::RgbaImage::from_fn(width, height, |x, y| {
        image::Rgba(match name {
            "ramp.png" => [byte(x * 4), byte(y * 7), 128, 255],
            "quad.png" => match (x < 20, y < 20) {
                (true, true) => [255, 0, 0, 255],
                (false, true) => [0, 255, 0, 255],
                (true, false) => [0, 0, 255, 255],
                (false, false) => [255, 255, 255, 255],
            },
            "disc.png" => {
                let (dx, dy) = (f64::from(x) - 23.5, f64::from(y) - 23.5);
                let inside = (20.5 - dx.hypot(dy)).clamp(0.0, 1.0);
                [255, 160, 0, if inside > 0.5 { 200 } else { 0 }]
            }
            "fine.png" if (x + y) % 2 == 0 => [255, 255, 255, 255],
            "fine.png" => [0, 0, 0, 255],
            _ => [
                byte(x * 7),
                if y % 4 < 2 { 255 } else { 0 },
                byte(y * 15),
                255,
            ],
        })
    });
    let mut bytes = std::io::Cursor::new(Vec::new());
    picture
        .write_to(&mut bytes, image::ImageFormat::Png)
        .unwrap();
    bytes.into_inner()
}

fn byte(value: u32) -> u8 {
    u8::try_from(value.min(255)).unwrap()
}

fn color_of(name: &str) -> YuvColor {
    YuvColor {
        matrix: if name == "bars601.mp4" {
            Matrix::Bt601
        } else {
            Matrix::Bt709
        },
        full_range: name == "full.mp4",
        centered_chroma: name == "centered.mp4",
    }
}

fn video_info(name: &str) -> MediaInfo {
    MediaInfo {
        container: "mp4".to_owned(),
        video: Some(VideoInfo {
            track: 0,
            codec: "h264".to_owned(),
            width: 320,
            height: 180,
            coded_width: 320,
            coded_height: 180,
            rotation: 0,
            mirrored: false,
            plain: false,
            color: color_of(name),
            frames: FrameTable::from_nanos(&[0], 2_000_000_000),
        }),
        sounds: Vec::new(),
        notices: Vec::new(),
        refusal: None,
    }
}

/// Four bars of 80 columns: white, red, green, black in BT.709 limited codes.
fn video(name: &str) -> Frame {
    let codes = [
        [235, 128, 128],
        [63, 102, 240],
        [173, 42, 26],
        [16, 128, 128],
    ];
    let plane = |n: usize, width: usize, height: usize| {
        (0..width * height)
            .map(|at| codes[at % width * 4 / width][n])
            .collect::<Vec<u8>>()
    };
    let planes = [plane(0, 320, 180), plane(1, 160, 90), plane(2, 160, 90)];
    i420_frame(320, 180, color_of(name), planes)
}

fn output(name: &str, kind: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/golden");
    std::fs::create_dir_all(&root).unwrap();
    root.join(format!("{name}-{kind}.png"))
}

fn save(path: &Path, pixels: &Pixels) {
    let bytes = pixels.bytes.clone();
    let picture = image::RgbaImage::from_raw(pixels.width, pixels.height, bytes).unwrap();
    picture.save(path).unwrap();
}

fn against_stored(name: &str, reference: &Pixels) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/{name}.png"));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        save(&path, reference);
        return;
    }
    let stored = image::open(&path)
        .unwrap_or_else(|error| panic!("{}: {error}; UPDATE_GOLDEN=1 makes it", path.display()))
        .into_rgba8();
    let same = stored.dimensions() == (reference.width, reference.height)
        && stored.as_raw() == &reference.bytes;
    if !same {
        save(&output(name, "actual"), reference);
        stored.save(output(name, "expected")).unwrap();
        panic!("{name} differs from its golden picture; see target/golden");
    }
}

#[cfg(not(feature = "gpu"))]
fn on_gpu(_: &str, _: &DrawList, _: &[Picture], _: &Pixels) {}

#[cfg(feature = "gpu")]
#[expect(
    clippy::print_stderr,
    reason = "reports why half of a test was skipped"
)]
fn on_gpu(name: &str, list: &DrawList, pictures: &[Picture], reference: &Pixels) {
    use framelane::render::gpu::GpuCompositor;
    static GPU: OnceLock<Result<Mutex<GpuCompositor>, String>> = OnceLock::new();
    let opened = GPU.get_or_init(|| {
        GpuCompositor::new("auto")
            .map(Mutex::new)
            .map_err(|error| error.to_string())
    });
    let gpu = match opened {
        Ok(gpu) => gpu,
        Err(error) => {
            assert!(
                std::env::var_os("FRAMELANE_REQUIRE_GPU").is_none(),
                "{error}"
            );
            eprintln!("{name}: skipped on the GPU: {error}");
            return;
        }
    };
    let mut gpu = gpu.lock().unwrap_or_else(PoisonError::into_inner);
    let actual = drawn(&mut *gpu, list, pictures);
    if let Err(why) = compare(&actual, reference) {
        save(&output(name, "actual"), &actual);
        save(&output(name, "expected"), reference);
        save(&output(name, "diff"), &difference(&actual, reference));
        panic!("{name} on the GPU: {why}; see target/golden");
    }
    let planes = gpu.draw_i420(list, pictures).unwrap();
    let wanted = ReferenceCompositor::new()
        .draw_i420(list, pictures)
        .unwrap();
    compare_planes(&planes, &wanted).unwrap_or_else(|why| panic!("{name} as I420: {why}"));
}

fn gap(a: [u8; 4], b: [u8; 4]) -> u8 {
    a.iter().zip(b).map(|(a, b)| a.abs_diff(b)).max().unwrap()
}

/// Whether the reference has an edge within one pixel of (`x`, `y`).
fn beside_edge(reference: &Pixels, x: u32, y: u32) -> bool {
    let here = reference.at(x, y);
    (y.saturating_sub(1)..=(y + 1).min(reference.height - 1)).any(|row| {
        (x.saturating_sub(1)..=(x + 1).min(reference.width - 1))
            .any(|column| gap(reference.at(column, row), here) > FAR)
    })
}

fn compare(actual: &Pixels, reference: &Pixels) -> Result<(), String> {
    let mut off = 0u32;
    for y in 0..reference.height {
        for x in 0..reference.width {
            let gap = gap(actual.at(x, y), reference.at(x, y));
            if gap > CODES {
                off += 1;
            }
            if gap > FAR && !beside_edge(reference, x, y) {
                return Err(format!("({x}, {y}) differs by {gap}"));
            }
        }
    }
    let share = f64::from(off) / f64::from(reference.width * reference.height);
    if share > SHARE {
        return Err(format!("{off} pixels differ by more than {CODES}"));
    }
    let rgb = |pixels: &Pixels| {
        let bytes: Vec<u8> = pixels
            .bytes
            .chunks_exact(4)
            .flat_map(|p| p[..3].to_vec())
            .collect();
        nv_flip::FlipImageRgb8::with_data(pixels.width, pixels.height, &bytes)
    };
    let map = nv_flip::flip(
        rgb(reference),
        rgb(actual),
        nv_flip::DEFAULT_PIXELS_PER_DEGREE,
    );
    let mean = nv_flip::FlipPool::from_image(&map).mean();
    if mean > FLIP_MEAN {
        return Err(format!("FLIP mean {mean}"));
    }
    Ok(())
}

fn compare_planes(actual: &Frame, wanted: &Frame) -> Result<(), String> {
    assert_eq!(actual.format, PixelFormat::I420(YuvColor::OUTPUT));
    assert_eq!((actual.width, actual.height), (wanted.width, wanted.height));
    assert!(wanted.width.is_multiple_of(2) && wanted.height.is_multiple_of(2));
    for (n, (actual, wanted)) in actual.planes.iter().zip(&wanted.planes).enumerate() {
        let mut off = 0;
        let rows = actual
            .data
            .chunks(actual.stride)
            .zip(wanted.data.chunks(wanted.stride));
        for (actual, wanted) in rows {
            off += actual
                .iter()
                .zip(wanted)
                .filter(|(a, b)| a.abs_diff(**b) > CODES)
                .count();
        }
        // A thousandth, as of pixels; planes here have fewer than 2^20 samples.
        if off * 1000 > wanted.data.len() {
            return Err(format!(
                "{off} samples of plane {n} differ by more than {CODES}"
            ));
        }
    }
    Ok(())
}

fn difference(actual: &Pixels, reference: &Pixels) -> Pixels {
    let pairs = actual
        .bytes
        .chunks_exact(4)
        .zip(reference.bytes.chunks_exact(4));
    let bytes = pairs
        .flat_map(|(a, b)| {
            let [r, g, b] = [0, 1, 2].map(|n| a[n].abs_diff(b[n]).saturating_mul(8));
            [r, g, b, 255]
        })
        .collect();
    Pixels {
        width: reference.width,
        height: reference.height,
        bytes,
    }
}
