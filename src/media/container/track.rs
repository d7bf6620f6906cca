//! What every container reader makes: tracks, and where and when each packet of them is.

/// A file taken apart: its tracks, without their bytes.
#[derive(Debug, Clone, PartialEq)]
pub struct Contents {
    /// Which container it is.
    pub container: super::Container,
    /// All tracks in the file's order, those that cannot be decoded too.
    pub tracks: Vec<Track>,
    /// What was wrong with the file and did not stop it from being read.
    pub findings: Vec<Finding>,
}

/// Something that was wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// The file ends before what it announces; what is there is used.
    Truncated,
    /// Part of the file is left alone: a sentence.
    Ignored(String),
    /// Bytes that are no packet were passed over, before media time `at` (nanoseconds) of the
    /// first track.
    Damaged {
        /// Nanoseconds.
        at: i64,
        /// What was wrong, as a lowercase fragment.
        what: String,
    },
}

/// One track.
#[derive(Debug, Clone, PartialEq)]
pub struct Track {
    /// The container's own number of the track.
    pub id: u64,
    /// What it carries.
    pub kind: TrackKind,
    /// Whether players may use it.
    pub is_enabled: bool,
    /// Whether players prefer it over others of its kind.
    pub is_default: bool,
    /// Language as the file writes it (`eng`, `de-CH`); `None`: not given, or `und`.
    pub language: Option<String>,
    /// The unit of every time of this track's packets.
    pub clock: Clock,
    /// Sample descriptions; a packet names one by index. A track has at least one.
    pub descriptions: Vec<Description>,
    /// Packets in decode order.
    pub packets: Vec<Packet>,
    /// Where packets' bytes lie.
    pub payload: Payload,
    /// MP4 edit list in order: media is presented by these alone. `None`: packets are presented
    /// at their own times.
    pub edits: Option<Vec<Edit>>,
    /// Sound: samples (at the description's rate) at the track's very beginning that are codec
    /// delay. The packets' times already count from behind them: the first packet's `pts` is
    /// negative by as much where the container's times begin at 0.
    pub lead: u64,
    /// Sound: samples at the track's very end that are padding.
    pub tail: u64,
    /// Pictures: how they are turned for showing.
    pub orientation: Orientation,
    /// Alpha planes (`WebM` `BlockAdditions` of VP8 and VP9), ascending by packet.
    pub alpha: Vec<Addition>,
    /// Frames per second that the container declares, if it declares any.
    pub declared_rate: Option<(u32, u32)>,
}

impl Track {
    /// The first packet that sound comes of. Vorbis' first one gives nothing: its half that
    /// would overlap with the packet before is missing.
    #[must_use]
    pub fn first_sounding(&self) -> Option<&Packet> {
        let is_vorbis = self
            .descriptions
            .first()
            .is_some_and(|one| one.codec == Codec::Vorbis);
        let second = self.packets.get(1).filter(|_| is_vorbis);
        second.or_else(|| self.packets.first())
    }

    /// The description of packet `index`.
    #[must_use]
    pub fn description(&self, index: usize) -> Option<&Description> {
        let packet = self.packets.get(index)?;
        self.descriptions.get(usize::from(packet.description))
    }

    /// Packets whose description differs from that of the packet before: `QuickTime`
    /// editors join pieces of different formats in one track.
    pub fn changes(&self) -> impl Iterator<Item = usize> {
        let numbered = (1..).zip(self.packets.windows(2));
        let of = |packet: &Packet| self.descriptions.get(usize::from(packet.description));
        numbered
            .filter(move |(_, pair)| {
                pair[0].description != pair[1].description && of(&pair[0]) != of(&pair[1])
            })
            .map(|(index, _)| index)
    }

    /// Every description that packets are of, in the order of their first use; as often as the track
    /// [changes](Self::changes) to it.
    pub fn used_descriptions(&self) -> impl Iterator<Item = &Description> {
        let places = std::iter::once(0).chain(self.changes());
        places.filter_map(|index| self.description(index))
    }
}

/// What a track carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrackKind {
    /// Pictures.
    Video,
    /// Sound.
    Audio,
    /// Subtitles, time codes, data, attached pictures: never rendered.
    Other,
}

/// Ticks a second, as a fraction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clock {
    /// Ticks …
    pub ticks: u64,
    /// … in so many seconds; positive.
    pub seconds: u64,
}

impl Clock {
    /// `ticks` a second.
    #[must_use]
    pub const fn hertz(ticks: u32) -> Self {
        Self {
            ticks: ticks as u64,
            seconds: 1,
        }
    }

    /// Ticks in nanoseconds, rounded down.
    #[must_use]
    pub fn nanos(self, ticks: i64) -> i64 {
        let scaled = i128::from(ticks) * i128::from(self.seconds);
        let scaled = scaled.saturating_mul(1_000_000_000);
        let nanos = scaled.div_euclid(i128::from(self.ticks.max(1)));
        i64::try_from(nanos).unwrap_or(if nanos < 0 { i64::MIN } else { i64::MAX })
    }

    /// Nanoseconds in ticks, rounded to nearest.
    #[must_use]
    pub fn ticks_in(self, nanos: i64) -> i64 {
        let divisor = (i128::from(self.seconds) * 1_000_000_000).max(1);
        let scaled = i128::from(nanos) * i128::from(self.ticks);
        let ticks = (scaled + divisor / 2).div_euclid(divisor);
        i64::try_from(ticks).unwrap_or(if ticks < 0 { i64::MIN } else { i64::MAX })
    }
}

/// One packet: what a decoder is fed at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packet {
    /// First byte in the file; for [`Payload::Scattered`] the index of its first extent.
    pub offset: u64,
    /// Bytes.
    pub size: u32,
    /// Index in [`Track::descriptions`].
    pub description: u16,
    /// Its properties from the container.
    pub flags: PacketFlags,
    /// When it is decoded, in ticks. Equal to `pts` where the container has no decode times.
    pub dts: i64,
    /// When its first picture or sample is shown, in ticks; [`Packet::UNTIMED`] where the
    /// container has decode order only (AVI).
    pub pts: i64,
    /// How long it is shown, in ticks; 0: not known, until the next one.
    pub duration: u32,
}

impl Packet {
    /// A `pts` that the container does not give.
    pub const UNTIMED: i64 = i64::MIN;
}

/// Properties of a packet from the container.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PacketFlags {
    /// Decoding can begin here, as far as the container states it: for H.264 and H.265 also at
    /// pictures that open a group whose leading pictures lean on the group before.
    pub is_sync: bool,
    /// Decoded for others' sake and never shown.
    pub is_hidden: bool,
    /// Times behind it do not follow from those before it (a discontinuity of the stream).
    pub is_break: bool,
    /// It has no bytes: the picture before stays (AVI null frames, dropped samples).
    pub is_repeat: bool,
}

/// Where packets' bytes lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Payload {
    /// In one piece at the packet's offset.
    Plain,
    /// As `Plain`, and every packet begins with these bytes, which the file leaves out
    /// (Matroska header stripping).
    Prefixed(Vec<u8>),
    /// In pieces: as many extents from the packet's first as make up its size (Ogg, PES).
    Scattered(Vec<Extent>),
}

/// Consecutive bytes of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// First byte.
    pub offset: u64,
    /// Bytes.
    pub size: u32,
}

/// A second payload of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Addition {
    /// Index in [`Track::packets`].
    pub packet: u32,
    /// Its bytes.
    pub extent: Extent,
}

/// One entry of an MP4 edit list (ISO 14496-12 §8.6.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Edit {
    /// Ticks of the track's clock where it begins in the media; `None`: an empty edit.
    pub media_time: Option<i64>,
    /// How long it lasts, in ticks of `clock`; `None`: to the end of the media.
    pub duration: Option<u64>,
    /// The movie's clock.
    pub clock: Clock,
    /// Playing speed as 16.16 fixed point: `0x1_0000` is normal, 0 holds one picture.
    pub rate: i32,
}

/// How decoded pictures are turned before they are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Orientation {
    /// Clockwise degrees: 0, 90, 180 or 270.
    pub rotation: u16,
    /// Left to right, before the turn.
    pub mirrored: bool,
}

pub use super::description::{
    AudioFormat, ChannelLayout, Codec, ColorTags, Crop, Description, Detail, LightLevels,
    PcmFormat, Role, VideoFormat,
};
