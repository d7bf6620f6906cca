//! Files with pictures: what may vary, and what goes with what.

use super::pairs::Space;

/// Who writes the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Muxer {
    /// `ffmpeg` with these arguments.
    Ffmpeg(&'static str),
    /// `mkvmerge`, from a Matroska file of `ffmpeg`.
    Mkvmerge,
    /// A GStreamer element, which the encoders of GStreamer go to as well.
    GStreamer(&'static str),
}

/// A container and what it can hold.
#[derive(Debug, PartialEq, Eq)]
pub struct Container {
    /// Short name.
    pub name: &'static str,
    /// Extension of the file.
    pub extension: &'static str,
    /// Who writes it.
    pub muxer: Muxer,
    /// Names of [`CODECS`] that it holds.
    video: &'static [&'static str],
    /// Names of [`SOUNDS`] that it holds, `none` beside them.
    audio: &'static [&'static str],
    /// Whether it keeps the time of each picture.
    times: bool,
    /// Whether its clock may begin anywhere.
    offset: bool,
    /// Whether a track may begin after the other.
    late: bool,
    /// Whether it has edit lists.
    edits: bool,
}

const MP4_VIDEO: &[&str] = &["h264", "h265", "mpeg4", "mpeg2", "vp9", "av1", "mjpeg"];
const MOV_VIDEO: &[&str] = &["h264", "h265", "mpeg4", "mjpeg", "prores", "png", "qtrle"];
const MP4_AUDIO: &[&str] = &["aac", "mp3", "opus", "flac", "alac", "ac3"];
const MOV_AUDIO: &[&str] = &["aac", "mp3", "alac", "pcm_s16le", "pcm_f32le", "pcm_s24be", "pcm_mulaw"];
const MKV_VIDEO: &[&str] = &[
    "h264", "h265", "mpeg4", "mpeg2", "vp8", "vp9", "av1", "mjpeg", "ffv1", "png", "prores", "theora",
];
const MKV_AUDIO: &[&str] = &[
    "aac", "mp3", "mp2", "opus", "vorbis", "flac", "alac", "ac3", "pcm_s16le", "pcm_f32le",
];

const fn container(name: &'static str, extension: &'static str, muxer: Muxer) -> Container {
    Container {
        name,
        extension,
        muxer,
        video: MP4_VIDEO,
        audio: MP4_AUDIO,
        times: true,
        offset: false,
        late: true,
        edits: false,
    }
}

/// The containers.
pub static CONTAINERS: [Container; 16] = [
    Container {
        edits: true,
        ..container("mp4", "mp4", Muxer::Ffmpeg(""))
    },
    container(
        "fragments",
        "mp4",
        Muxer::Ffmpeg("-movflags +frag_keyframe+delay_moov+default_base_moof"),
    ),
    Container {
        video: MOV_VIDEO,
        audio: MOV_AUDIO,
        edits: true,
        ..container("mov", "mov", Muxer::Ffmpeg(""))
    },
    Container {
        video: MKV_VIDEO,
        audio: MKV_AUDIO,
        offset: true,
        ..container("mkv", "mkv", Muxer::Ffmpeg(""))
    },
    Container {
        video: MKV_VIDEO,
        audio: MKV_AUDIO,
        ..container("mkvmerge", "mkv", Muxer::Mkvmerge)
    },
    Container {
        video: &["vp8", "vp9", "av1"],
        audio: &["opus", "vorbis"],
        offset: true,
        ..container("webm", "webm", Muxer::Ffmpeg(""))
    },
    Container {
        video: &["h264", "mpeg4", "mpeg2", "mjpeg", "png", "ffv1", "raw"],
        audio: &["mp3", "mp2", "ac3", "pcm_s16le", "pcm_mulaw"],
        times: false,
        late: false,
        ..container("avi", "avi", Muxer::Ffmpeg("-avoid_negative_ts disabled"))
    },
    Container {
        video: &["h264", "h265", "mpeg2"],
        audio: &["aac", "mp3", "mp2", "ac3"],
        offset: true,
        ..container("ts", "ts", Muxer::Ffmpeg(""))
    },
    Container {
        video: &["h264", "h265", "mpeg2"],
        audio: &["aac", "mp2", "ac3"],
        offset: true,
        ..container("m2ts", "m2ts", Muxer::Ffmpeg("-f mpegts -mpegts_m2ts_mode 1"))
    },
    Container {
        video: &["mpeg2", "mpeg1"],
        audio: &["mp2", "ac3"],
        times: false,
        late: false,
        ..container("ps", "mpg", Muxer::Ffmpeg("-f vob"))
    },
    Container {
        video: &["theora"],
        audio: &["vorbis", "opus", "flac"],
        times: false,
        late: false,
        ..container("ogg", "", Muxer::Ffmpeg("-f ogg"))
    },
    Container {
        video: &["h264"],
        audio: &["opus", "alac"],
        times: false,
        late: false,
        ..container("gst-mp4", "mp4", Muxer::GStreamer("mp4mux"))
    },
    Container {
        video: &["h264", "vp8", "mjpeg"],
        audio: &["opus", "flac", "vorbis", "pcm_s16le"],
        times: false,
        late: false,
        ..container("gst-mkv", "mkv", Muxer::GStreamer("matroskamux"))
    },
    Container {
        video: &["h264", "mjpeg", "png"],
        audio: &["alac", "pcm_s16le"],
        times: false,
        late: false,
        ..container("gst-mov", "mov", Muxer::GStreamer("qtmux"))
    },
    Container {
        video: &["h264"],
        audio: &["mp2"],
        times: false,
        late: false,
        ..container("gst-ts", "ts", Muxer::GStreamer("mpegtsmux"))
    },
    Container {
        video: &["mjpeg", "h264"],
        audio: &["pcm_s16le"],
        times: false,
        late: false,
        ..container("gst-avi", "avi", Muxer::GStreamer("avimux"))
    },
];

/// A codec of pictures and how `ffmpeg` is asked for it.
#[derive(Debug, PartialEq, Eq)]
pub struct Codec {
    /// Short name.
    pub name: &'static str,
    /// Arguments.
    pub arguments: &'static str,
    /// Names of [`PIXELS`] that it takes.
    pixels: &'static [&'static str],
    /// Whether pictures may be stored in another order than they are shown in.
    reorders: bool,
    /// Whether its stream says which matrix and range it has.
    tags: bool,
}

const fn codec(name: &'static str, arguments: &'static str, pixels: &'static [&'static str]) -> Codec {
    Codec {
        name,
        arguments,
        pixels,
        reorders: false,
        tags: false,
    }
}

/// The codecs of pictures.
pub static CODECS: [Codec; 15] = [
    Codec {
        reorders: true,
        tags: true,
        ..codec(
            "h264",
            "-c:v libx264 -preset veryfast -crf 12 -sc_threshold 0 -b_strategy 0",
            &["420", "422", "444", "420-10", "rgb", "gray"],
        )
    },
    Codec {
        reorders: true,
        tags: true,
        ..codec(
            "h265",
            "-c:v libx265 -preset ultrafast -crf 10",
            &["420", "422", "444", "420-10", "rgb", "gray"],
        )
    },
    Codec {
        reorders: true,
        ..codec("mpeg4", "-c:v mpeg4 -q:v 2", &["420"])
    },
    Codec {
        reorders: true,
        ..codec("mpeg2", "-c:v mpeg2video -q:v 2", &["420", "422"])
    },
    Codec {
        reorders: true,
        ..codec("mpeg1", "-c:v mpeg1video -q:v 2", &["420"])
    },
    codec(
        "vp8",
        "-c:v libvpx -deadline realtime -cpu-used 4 -b:v 3M -auto-alt-ref 1 -lag-in-frames 8",
        &["420"],
    ),
    codec(
        "vp9",
        "-c:v libvpx-vp9 -deadline realtime -cpu-used 6 -b:v 3M",
        &["420", "444", "420-10"],
    ),
    Codec {
        tags: true,
        ..codec(
            "av1",
            "-c:v libaom-av1 -usage good -cpu-used 8 -crf 10 -b:v 0",
            &["420", "444", "420-10"],
        )
    },
    codec("mjpeg", "-c:v mjpeg -q:v 2", &["jpeg", "jpeg-422"]),
    codec("prores", "-c:v prores_ks", &["422-10"]),
    codec("png", "-c:v png", &["rgb", "gray"]),
    codec("qtrle", "-c:v qtrle", &["rgb", "gray"]),
    codec("ffv1", "-c:v ffv1", &["420", "422", "444", "420-10", "rgb"]),
    codec("raw", "-c:v rawvideo", &["420", "rgb"]),
    codec("theora", "-c:v libtheora -q:v 9", &["420"]),
];

/// Pixel formats: name, and `ffmpeg`'s name (of `rgb`, each codec has its own).
pub static PIXELS: [(&str, &str); 9] = [
    ("420", "yuv420p"),
    ("422", "yuv422p"),
    ("444", "yuv444p"),
    ("420-10", "yuv420p10le"),
    ("422-10", "yuv422p10le"),
    ("rgb", "rgb"),
    ("gray", "gray"),
    ("jpeg", "yuvj420p"),
    ("jpeg-422", "yuvj422p"),
];

/// How colours are coded and whether the file says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    /// BT.601 in limited range, as untagged files of this size are.
    Untagged,
    /// BT.709 in limited range, tagged.
    Bt709,
    /// BT.601 in full range, tagged.
    Full,
}

/// Codings of colours.
pub const CODINGS: [Coding; 3] = [Coding::Untagged, Coding::Bt709, Coding::Full];

/// Pictures a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rate {
    /// `numerator / denominator`, in so many pictures.
    Constant(u32, u32, u16),
    /// About 30 a second, no two distances alike.
    Variable,
}

/// Rates of pictures; each file lasts [`super::canvas::SECONDS`], to the next picture.
pub const RATES: [Rate; 6] = [
    Rate::Constant(30, 1, 48),
    Rate::Constant(25, 1, 40),
    Rate::Constant(24000, 1001, 39),
    Rate::Constant(50, 1, 80),
    Rate::Constant(60000, 1001, 96),
    Rate::Variable,
];

/// In which order pictures are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// As they are shown.
    Shown,
    /// Two B-frames between others, groups of pictures closed.
    Reordered,
    /// The same, groups open: the first B-frames of a group need the group before.
    Open,
}

/// Orders of pictures.
pub const ORDERS: [Order; 3] = [Order::Shown, Order::Reordered, Order::Open];

/// Where the tracks begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// Both at 0.
    Zero,
    /// Both at ten seconds of the container's clock.
    Offset,
    /// Sound [`LATE`] seconds after the pictures.
    SoundLate,
    /// Pictures [`LATE`] seconds after the sound.
    PicturesLate,
    /// Pictures begin between keyframes: [`DROPPED`] of them are missing.
    BetweenKeyframes,
}

/// Starts of tracks.
pub const STARTS: [Start; 5] = [
    Start::Zero,
    Start::Offset,
    Start::SoundLate,
    Start::PicturesLate,
    Start::BetweenKeyframes,
];
/// Seconds by which late sound begins later; late pictures begin with the frame after it.
pub const LATE: f64 = 0.3;
/// Pictures that are missing at the beginning of a file that begins between keyframes.
pub const DROPPED: u16 = 7;
/// Pictures from keyframe to keyframe.
pub const GROUP: u16 = 12;

/// What an edit list makes of the tracks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edit {
    /// Nothing beyond what the muxer needs.
    Whole,
    /// A copy from [`TRIM`] seconds on, without encoding.
    Trim,
    /// Two pieces, the later one first: [`PIECES`].
    Pieces,
    /// The picture at [`HOLD`] held, then on from there.
    Hold,
}

/// What edit lists do.
pub const EDITS: [Edit; 4] = [Edit::Whole, Edit::Trim, Edit::Pieces, Edit::Hold];
/// Seconds at which a trim begins.
pub const TRIM: f64 = 0.5;
/// Pieces of source seconds, in the order in which they play.
pub const PIECES: [(f64, f64); 2] = [(0.7, 1.2), (0.1, 0.7)];
/// The source second that is held, for how long, and where the piece after it ends.
pub const HOLD: (f64, f64, f64) = (0.5, 0.4, 1.5);

/// A codec of sound in a film: name, and arguments of `ffmpeg`.
pub static SOUNDS: [(&str, &str); 14] = [
    ("none", "-an"),
    ("aac", "-c:a aac -b:a 128k"),
    ("mp3", "-c:a libmp3lame -b:a 128k"),
    ("mp2", "-c:a mp2 -b:a 192k"),
    ("opus", "-c:a libopus -b:a 128k"),
    ("vorbis", "-c:a libvorbis -q:a 6"),
    ("flac", "-c:a flac -strict -2"),
    ("alac", "-c:a alac"),
    ("ac3", "-c:a ac3 -b:a 384k"),
    ("pcm_s16le", "-c:a pcm_s16le"),
    ("pcm_f32le", "-c:a pcm_f32le"),
    ("pcm_s24be", "-c:a pcm_s24be"),
    ("pcm_mulaw", "-c:a pcm_mulaw"),
    ("pcm_s16be", "-c:a pcm_s16be"),
];

/// Channels of the sound.
pub static LAYOUTS: [&str; 3] = ["mono", "stereo", "5.1"];

/// Samples a second of the sound.
pub const SAMPLE_RATES: [u32; 2] = [48_000, 44_100];

/// The part of the file that an element uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// All of it: neither `in_point` nor `out_point`.
    Whole,
    /// From `in_point` to `out_point`.
    Middle,
}

/// Parts of a file.
pub const PARTS: [Part; 2] = [Part::Whole, Part::Middle];
/// `in_point` and `out_point` of a part in the middle.
pub const MIDDLE: (f64, f64) = (0.4035, 1.0035);

/// One file with pictures.
#[derive(Debug, Clone, Copy)]
pub struct Film {
    /// Its container.
    pub container: &'static Container,
    /// Its pictures' codec.
    pub codec: &'static Codec,
    /// Its pixels: name, and `ffmpeg`'s name.
    pub pixels: &'static (&'static str, &'static str),
    /// Coding of its colours.
    pub coding: Coding,
    /// Pictures a second.
    pub rate: Rate,
    /// Order in which pictures are stored.
    pub order: Order,
    /// Where its tracks begin.
    pub start: Start,
    /// What its edit list does.
    pub edit: Edit,
    /// Its sound's codec: name and arguments.
    pub sound: &'static (&'static str, &'static str),
    /// Channels of its sound.
    pub layout: &'static str,
    /// Samples a second of its sound.
    pub sample_rate: u32,
    /// What of it is used.
    pub part: Part,
}

const SIZES: [usize; 12] = [
    CONTAINERS.len(),
    CODECS.len(),
    PIXELS.len(),
    CODINGS.len(),
    RATES.len(),
    ORDERS.len(),
    STARTS.len(),
    EDITS.len(),
    SOUNDS.len(),
    LAYOUTS.len(),
    SAMPLE_RATES.len(),
    PARTS.len(),
];

/// All films of the corpus, at least so many.
pub fn all(least: usize, seed: u64) -> Vec<Film> {
    let space = Space {
        sizes: &SIZES,
        allows: &|row| Open::of(row).is_possible(),
    };
    space.rows(least, seed).iter().map(|row| Film::of(row)).collect()
}

/// A film of which some may not be chosen yet.
struct Open {
    container: Option<&'static Container>,
    codec: Option<&'static Codec>,
    pixels: Option<&'static str>,
    coding: Option<Coding>,
    rate: Option<Rate>,
    order: Option<Order>,
    start: Option<Start>,
    edit: Option<Edit>,
    sound: Option<&'static str>,
    layout: Option<usize>,
    sample_rate: Option<u32>,
}

/// True unless both are known and break the rule.
fn both<A: Copy, B: Copy>(a: Option<A>, b: Option<B>, rule: impl Fn(A, B) -> bool) -> bool {
    a.zip(b).is_none_or(|(a, b)| rule(a, b))
}

impl Open {
    fn of(row: &[Option<usize>]) -> Self {
        Self {
            container: row[0].map(|value| &CONTAINERS[value]),
            codec: row[1].map(|value| &CODECS[value]),
            pixels: row[2].map(|value| PIXELS[value].0),
            coding: row[3].map(|value| CODINGS[value]),
            rate: row[4].map(|value| RATES[value]),
            order: row[5].map(|value| ORDERS[value]),
            start: row[6].map(|value| STARTS[value]),
            edit: row[7].map(|value| EDITS[value]),
            sound: row[8].map(|value| SOUNDS[value].0),
            layout: row[9],
            sample_rate: row[10].map(|value| SAMPLE_RATES[value]),
        }
    }

    fn is_possible(&self) -> bool {
        self.pictures_fit() && self.times_fit() && self.sound_fits()
    }

    fn pictures_fit(&self) -> bool {
        let gst = |container: &Container| matches!(container.muxer, Muxer::GStreamer(_));
        both(self.container, self.codec, |container, codec| {
            container.video.contains(&codec.name)
        }) && both(self.codec, self.pixels, |codec, pixels| codec.pixels.contains(&pixels))
            && both(self.codec, self.order, |codec, order| match order {
                Order::Shown => true,
                Order::Reordered => codec.reorders,
                Order::Open => matches!(codec.name, "h264" | "h265" | "mpeg2"),
            })
            && both(self.codec, self.coding, |codec, coding| coding == Coding::Untagged || codec.tags)
            // What has no chroma, or no range of its own, is written in one way.
            && both(self.pixels, self.coding, |pixels, coding| {
                coding == Coding::Untagged || matches!(pixels, "420" | "422" | "444" | "420-10")
            })
            && both(self.container, self.pixels, |container, pixels| {
                !gst(container) || matches!(pixels, "420" | "jpeg" | "rgb")
            })
            && (!self.container.is_some_and(gst)
                || both(self.codec, self.pixels, |codec, pixels| codec.name == "png" || pixels != "rgb"))
            && both(self.container, self.coding, |container, coding| {
                !gst(container) || coding == Coding::Untagged
            })
            // AVI's pictures are counted as they are decoded, program streams have a broken link.
            && both(self.container, self.order, |container, order| {
                order != Order::Open || container.times
            })
    }

    fn times_fit(&self) -> bool {
        both(self.container, self.rate, |container, rate| {
            container.times || rate != Rate::Variable
        }) && both(self.codec, self.rate, |codec, rate| match codec.name {
            // These know a list of rates.
            "mpeg1" | "mpeg2" => rate != Rate::Variable,
            "mpeg4" | "theora" => matches!(rate, Rate::Constant(..)),
            _ => true,
        }) && both(self.container, self.start, |container, start| match start {
            Start::Zero => true,
            Start::Offset => container.offset,
            Start::SoundLate | Start::PicturesLate => container.late,
            Start::BetweenKeyframes => matches!(container.name, "mkv" | "ts" | "mp4"),
        }) && both(self.container, self.edit, |container, edit| {
            edit == Edit::Whole || container.edits
        }) && both(self.start, self.edit, |start, edit| {
            edit == Edit::Whole || start == Start::Zero
        })
            // Which of the pictures left comes first depends on the encoder's order otherwise.
            && both(self.start, self.order, |start, order| {
                start != Start::BetweenKeyframes || order == Order::Shown
            })
            && both(self.start, self.codec, |start, codec| {
                start != Start::BetweenKeyframes
                    || matches!(codec.name, "h264" | "h265" | "mpeg4" | "mpeg2" | "vp8" | "vp9")
            })
            && both(self.start, self.rate, |start, rate| {
                start != Start::BetweenKeyframes || rate != Rate::Variable
            })
            // Without sound, nothing else says where time 0 is.
            && both(self.start, self.sound, |start, sound| {
                sound != "none" || matches!(start, Start::Zero | Start::Offset)
            })
    }

    fn sound_fits(&self) -> bool {
        both(self.container, self.sound, |container, sound| {
            sound == "none" || container.audio.contains(&sound)
        }) && both(self.sound, self.sample_rate, |sound, rate| {
            !matches!(sound, "none" | "opus") || rate == 48_000
        }) && both(self.sound, self.layout, |sound, layout| match sound {
            "none" => layout == 0,
            "mp3" | "mp2" | "pcm_mulaw" => layout < 2,
            _ => true,
        }) && both(self.container, self.layout, |container, layout| {
            layout < 2 || !matches!(container.muxer, Muxer::GStreamer(_))
        }) && both(self.container, self.sample_rate, |container, rate| {
            // AVI aligns packets of lossy sound to blocks of its own.
            rate == 48_000 || container.name != "avi"
        })
    }
}

impl Film {
    fn of(row: &[usize]) -> Self {
        Self {
            container: &CONTAINERS[row[0]],
            codec: &CODECS[row[1]],
            pixels: &PIXELS[row[2]],
            coding: CODINGS[row[3]],
            rate: RATES[row[4]],
            order: ORDERS[row[5]],
            start: STARTS[row[6]],
            edit: EDITS[row[7]],
            sound: &SOUNDS[row[8]],
            layout: LAYOUTS[row[9]],
            sample_rate: SAMPLE_RATES[row[10]],
            part: PARTS[row[11]],
        }
    }

    /// Seconds by which its pictures begin later than its sound, where they are late.
    pub fn pictures_late(&self) -> f64 {
        match self.rate {
            Rate::Constant(numerator, denominator, _) => {
                let rate = f64::from(numerator) / f64::from(denominator);
                (LATE * rate).ceil() / rate
            }
            Rate::Variable => LATE,
        }
    }

    /// Whether it has sound.
    pub fn has_sound(&self) -> bool {
        self.sound.0 != "none"
    }

    /// File name, which says what is in it.
    pub fn name(&self) -> String {
        let rate = match self.rate {
            Rate::Constant(numerator, denominator, _) => format!("{numerator}-{denominator}"),
            Rate::Variable => "variable".to_owned(),
        };
        let parts = [
            self.container.name.to_owned(),
            self.codec.name.to_owned(),
            self.pixels.0.to_owned(),
            format!("{:?}", self.coding),
            rate,
            format!("{:?}", self.order),
            format!("{:?}", self.start),
            format!("{:?}", self.edit),
            self.sound.0.to_owned(),
            self.layout.to_owned(),
            self.sample_rate.to_string(),
            format!("{:?}", self.part),
        ];
        let name = parts.join("_").to_lowercase().replace('.', "");
        match self.container.extension {
            // The contract has no extension for it; it is judged by what it is.
            "" => name,
            extension => format!("{name}.{extension}"),
        }
    }
}
