//! Files with sound alone: what may vary, and what goes with what.

use super::pairs::Space;
use super::tables::{PARTS, Part};

/// A kind of sound file.
#[derive(Debug, PartialEq, Eq)]
pub struct Kind {
    /// Short name.
    pub name: &'static str,
    /// Extension of the file.
    pub extension: &'static str,
    /// Arguments of `ffmpeg`: codec and container.
    pub arguments: &'static str,
    /// Samples a second that it can have.
    rates: &'static [u32],
    /// The most channels.
    channels: usize,
    /// Samples of the coder's delay that the file does not declare, so that no reader can cut them off.
    pub undeclared: u32,
}

const ANY: &[u32] = &[48_000, 44_100, 22_050, 96_000];
const COMMON: &[u32] = &[48_000, 44_100, 22_050];

const fn kind(name: &'static str, extension: &'static str, arguments: &'static str) -> Kind {
    Kind {
        name,
        extension,
        arguments,
        rates: ANY,
        channels: 8,
        undeclared: 0,
    }
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "constant functions cannot drop"
)]
const fn limited(kind: Kind, rates: &'static [u32], channels: usize) -> Kind {
    Kind {
        rates,
        channels,
        ..kind
    }
}

/// The kinds of sound files.
pub static KINDS: [Kind; 36] = [
    kind("wav-s16", "wav", "-c:a pcm_s16le"),
    kind("wav-s24", "wav", "-c:a pcm_s24le"),
    kind("wav-s32", "wav", "-c:a pcm_s32le"),
    kind("wav-f32", "wav", "-c:a pcm_f32le"),
    kind("wav-f64", "wav", "-c:a pcm_f64le"),
    kind("wav-u8", "wav", "-c:a pcm_u8"),
    kind("rf64", "wav", "-c:a pcm_s16le -rf64 always"),
    limited(kind("wav-alaw", "wav", "-c:a pcm_alaw"), ANY, 2),
    limited(kind("wav-mulaw", "wav", "-c:a pcm_mulaw"), ANY, 2),
    limited(kind("wav-adpcm-ms", "wav", "-c:a adpcm_ms"), COMMON, 2),
    limited(
        kind("wav-adpcm-ima", "wav", "-c:a adpcm_ima_wav"),
        COMMON,
        2,
    ),
    limited(kind("wav-mp3", "wav", "-c:a libmp3lame"), &[48_000], 0),
    kind("aiff-s16", "aiff", "-c:a pcm_s16be"),
    kind("aiff-s24", "aiff", "-c:a pcm_s24be"),
    kind("aifc-f32", "aiff", "-c:a pcm_f32be"),
    kind("flac", "flac", "-c:a flac"),
    kind("flac-id3", "flac", "-c:a flac"),
    kind("flac-ogg", "oga", "-c:a flac"),
    limited(
        kind("mp3-cbr", "mp3", "-c:a libmp3lame -b:a 128k"),
        COMMON,
        2,
    ),
    limited(kind("mp3-vbr", "mp3", "-c:a libmp3lame -q:a 3"), COMMON, 2),
    limited(
        kind(
            "mp3-id3",
            "mp3",
            "-c:a libmp3lame -b:a 128k -id3v2_version 4 -metadata title=x",
        ),
        COMMON,
        2,
    ),
    Kind {
        undeclared: 1105,
        ..limited(
            kind(
                "mp3-bare",
                "mp3",
                "-c:a libmp3lame -b:a 128k -write_xing 0 -id3v2_version 0",
            ),
            COMMON,
            2,
        )
    },
    Kind {
        undeclared: 1024,
        ..kind("adts", "aac", "-c:a aac -b:a 160k")
    },
    Kind {
        undeclared: 1024,
        ..kind("adts-id3", "aac", "-c:a aac -b:a 160k")
    },
    kind("m4a-aac", "m4a", "-c:a aac -b:a 160k"),
    kind("m4a-alac", "m4a", "-c:a alac"),
    limited(kind("mp4-opus", "mp4", "-c:a libopus"), &[48_000], 8),
    kind("mp4-flac", "mp4", "-c:a flac -strict -2"),
    kind("mov-f32", "mov", "-c:a pcm_f32le"),
    limited(kind("vorbis", "ogg", "-c:a libvorbis -q:a 6"), ANY, 8),
    limited(kind("opus", "opus", "-c:a libopus -b:a 160k"), &[48_000], 8),
    limited(
        kind("mka-opus", "mka", "-c:a libopus -b:a 160k"),
        &[48_000],
        8,
    ),
    limited(kind("mka-vorbis", "mka", "-c:a libvorbis -q:a 6"), ANY, 8),
    kind("mka-flac", "mka", "-c:a flac"),
    Kind {
        undeclared: 256,
        ..limited(
            kind("mka-ac3", "mka", "-c:a ac3 -b:a 448k"),
            &[48_000, 44_100],
            6,
        )
    },
    limited(kind("webm-opus", "webm", "-c:a libopus"), &[48_000], 8),
];

/// Layouts: name, channels.
pub static LAYOUTS: [(&str, usize); 4] = [("mono", 1), ("stereo", 2), ("5.1", 6), ("7.1", 8)];

/// One file of sound alone.
#[derive(Debug, Clone, Copy)]
pub struct Recording {
    /// What kind of file.
    pub kind: &'static Kind,
    /// Its channels: name, number.
    pub layout: &'static (&'static str, usize),
    /// Samples a second.
    pub sample_rate: u32,
    /// What of it is used.
    pub part: Part,
}

const SIZES: [usize; 4] = [KINDS.len(), LAYOUTS.len(), ANY.len(), PARTS.len()];

/// All files of sound alone.
pub fn all(seed: u64) -> Vec<Recording> {
    let space = Space {
        sizes: &SIZES,
        allows: &|row| {
            let Some(kind) = row[0].map(|value| &KINDS[value]) else {
                return true;
            };
            row[1].is_none_or(|layout| LAYOUTS[layout].1 <= kind.channels)
                && row[2].is_none_or(|rate| kind.rates.contains(&ANY[rate]))
        },
    };
    let rows = space.rows(0, seed);
    rows.iter()
        .map(|row| Recording {
            kind: &KINDS[row[0]],
            layout: &LAYOUTS[row[1]],
            sample_rate: ANY[row[2]],
            part: PARTS[row[3]],
        })
        .collect()
}

impl Recording {
    /// File name, which says what is in it.
    pub fn name(&self) -> String {
        let part = format!("{:?}", self.part).to_lowercase();
        let (layout, _) = self.layout;
        let Self {
            kind, sample_rate, ..
        } = self;
        format!(
            "{}_{layout}_{sample_rate}_{part}.{}",
            kind.name, kind.extension
        )
    }
}
