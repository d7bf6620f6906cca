//! Files with pictures: which values of which dimension go together.

use super::pairs::Space;
use super::tables::{
    CODECS, CODINGS, CONTAINERS, Codec, Coding, Container, EDITS, Edit, LATE, LAYOUTS, Muxer,
    ORDERS, Order, PARTS, PIXELS, Part, RATES, Rate, SAMPLE_RATES, SOUNDS, STARTS, Start,
};

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
    space
        .rows(least, seed)
        .iter()
        .map(|row| Film::of(row))
        .collect()
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
