//! What may vary in a file with pictures, and what each container and codec can hold.

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
    pub(super) video: &'static [&'static str],
    /// Names of [`SOUNDS`] that it holds, `none` beside them.
    pub(super) audio: &'static [&'static str],
    /// Whether it keeps the time of each picture.
    pub(super) times: bool,
    /// Whether its clock may begin anywhere.
    pub(super) offset: bool,
    /// Whether a track may begin after the other.
    pub(super) late: bool,
    /// Whether it has edit lists.
    pub(super) edits: bool,
}

const MP4_VIDEO: &[&str] = &["h264", "h265", "mpeg4", "mpeg2", "vp9", "av1", "mjpeg"];
const MOV_VIDEO: &[&str] = &["h264", "h265", "mpeg4", "mjpeg", "prores", "png", "qtrle"];
const MP4_AUDIO: &[&str] = &["aac", "mp3", "opus", "flac", "alac", "ac3"];
const MOV_AUDIO: &[&str] = &[
    "aac",
    "mp3",
    "alac",
    "pcm_s16le",
    "pcm_f32le",
    "pcm_s24be",
    "pcm_mulaw",
];
const MKV_VIDEO: &[&str] = &[
    "h264", "h265", "mpeg4", "mpeg2", "vp8", "vp9", "av1", "mjpeg", "ffv1", "png", "prores",
    "theora",
];
const MKV_AUDIO: &[&str] = &[
    "aac",
    "mp3",
    "mp2",
    "opus",
    "vorbis",
    "flac",
    "alac",
    "ac3",
    "pcm_s16le",
    "pcm_f32le",
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
        ..container(
            "m2ts",
            "m2ts",
            Muxer::Ffmpeg("-f mpegts -mpegts_m2ts_mode 1"),
        )
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
    pub(super) pixels: &'static [&'static str],
    /// Whether pictures may be stored in another order than they are shown in.
    pub(super) reorders: bool,
    /// Whether its stream says which matrix and range it has.
    pub(super) tags: bool,
}

const fn codec(
    name: &'static str,
    arguments: &'static str,
    pixels: &'static [&'static str],
) -> Codec {
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
