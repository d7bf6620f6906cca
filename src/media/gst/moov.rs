//! The index of our own MP4 files, made exact after `GStreamer` has muxed them: timestamps from
//! 0 with a constant step, right durations and edit lists, colour tags, no clock time, and the
//! index before the samples. Sample data is copied, never changed. Not a general MP4 editor: it
//! reads only what our own muxer wrote.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::Path;

use mp4_atom::{
    Atom, Co64, Codec, Colr, Ctts, CttsEntry, Decode, Edts, Elst, ElstEntry, Encode, Ftyp, Moov,
    Stbl, Stco, StszSamples, Stts, SttsEntry, Trak,
};

use super::super::MediaError;
use crate::composition::time::FrameRate;

/// Samples by which the sound decoder starts before the first sound: one AAC frame.
pub(super) const AAC_PRIMING: u64 = 1024;
/// Samples in one AAC packet.
const AAC_PACKET: u64 = 1024;
/// Samples of sound a second in everything we write.
pub(super) const SOUND_RATE: u32 = 48_000;
/// Video timescales are multiples of the rate's numerator, at least this.
const LEAST_TIMESCALE: u32 = 10_000;
/// A longer index than this was not written by this program.
const LARGEST_INDEX: u64 = 1 << 30;

/// How long the streams of the file are meant to be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Intended {
    /// Frames and their rate, if there are pictures.
    pub(super) video: Option<(u64, FrameRate)>,
    /// Samples that are to be heard, if there is sound.
    pub(super) samples: Option<u64>,
    /// What is done about the sound's priming.
    pub(super) priming: Priming,
}

/// The silence that an encoder puts before the first sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Priming {
    /// Cut off by an edit list, as players expect.
    Hidden,
    /// Left in sight: the file goes on into a muxer, which would drop what an edit cuts off.
    Kept,
}

/// What a file's picture track holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct VideoTrack {
    /// The decoder's configuration record.
    pub(super) codec_data: Vec<u8>,
    /// Number of frames.
    pub(super) frames: u64,
    /// Indices of frames at which decoding can begin.
    pub(super) keyframes: BTreeSet<u64>,
}

/// Where the parts of a file lie.
struct Layout {
    moov: Range<u64>,
    /// Bodies of the sample boxes.
    mdat: Vec<Range<u64>>,
}

/// Reads the picture track's facts.
pub(super) fn video_track(path: &Path) -> Result<VideoTrack, MediaError> {
    let mut file = BufReader::new(File::open(path)?);
    let layout = layout(&mut file)?;
    let moov = read_index(&mut file, &layout)?;
    facts(&moov)
}

/// Copies `from` to `to` with an exact index in front, and returns what the picture track holds.
pub(super) fn rewrite(
    from: &Path,
    to: &Path,
    intended: &Intended,
) -> Result<Option<VideoTrack>, MediaError> {
    let mut input = BufReader::new(File::open(from)?);
    let layout = layout(&mut input)?;
    let mut moov = read_index(&mut input, &layout)?;
    retime(&mut moov, intended)?;

    let ftyp = encoded(&Ftyp {
        major_brand: (*b"isom").into(),
        minor_version: 512,
        compatible_brands: [*b"isom", *b"iso2", *b"avc1", *b"mp41"]
            .map(Into::into)
            .to_vec(),
    })?;
    let payload: u64 = layout
        .mdat
        .iter()
        .map(|range| range.end - range.start)
        .sum();
    // The index's length does not depend on the offsets' values, only on their width.
    let wide = payload > u64::from(u32::MAX) - LARGEST_INDEX;
    let unplaced = moov.clone();
    place(&mut moov, wide, |_| Some(0))?;
    let index_len = encoded(&moov)?.len() as u64;
    moov = unplaced;
    let start = ftyp.len() as u64 + index_len + 16;
    place(&mut moov, wide, |offset| {
        relocated(&layout.mdat, start, offset)
    })?;

    let mut output = BufWriter::new(File::create(to)?);
    output.write_all(&ftyp)?;
    output.write_all(&encoded(&moov)?)?;
    output.write_all(&1_u32.to_be_bytes())?;
    output.write_all(b"mdat")?;
    output.write_all(&(payload + 16).to_be_bytes())?;
    for range in &layout.mdat {
        input.seek(SeekFrom::Start(range.start))?;
        let wanted = range.end - range.start;
        let copied = std::io::copy(&mut input.by_ref().take(wanted), &mut output)?;
        if copied != wanted {
            return Err(damaged("its samples are cut short"));
        }
    }
    output
        .into_inner()
        .map_err(std::io::IntoInnerError::into_error)?;
    intended.video.map(|_| facts(&moov)).transpose()
}

fn layout<R: Read + Seek>(file: &mut R) -> Result<Layout, MediaError> {
    let length = file.seek(SeekFrom::End(0))?;
    let (mut moov, mut mdat) = (None, Vec::new());
    let mut at = 0;
    while at + 8 <= length {
        file.seek(SeekFrom::Start(at))?;
        let mut head = [0_u8; 8];
        file.read_exact(&mut head)?;
        let [a, b, c, d, kind @ ..] = head;
        let (size, header) = match u32::from_be_bytes([a, b, c, d]) {
            0 => (length - at, 8),
            1 => {
                let mut large = [0_u8; 8];
                file.read_exact(&mut large)?;
                (u64::from_be_bytes(large), 16)
            }
            small => (u64::from(small), 8),
        };
        if size < header || size > length - at {
            return Err(damaged("a box reaches past its end"));
        }
        match &kind {
            b"moov" => moov = Some(at..at + size),
            b"mdat" => mdat.push(at + header..at + size),
            _ => {}
        }
        at += size;
    }
    let moov = moov.ok_or_else(|| damaged("it has no index"))?;
    Ok(Layout { moov, mdat })
}

fn read_index<R: Read + Seek>(file: &mut R, layout: &Layout) -> Result<Moov, MediaError> {
    let length = layout.moov.end - layout.moov.start;
    if length > LARGEST_INDEX {
        return Err(damaged("its index is too long"));
    }
    file.seek(SeekFrom::Start(layout.moov.start))?;
    let mut bytes = Vec::new();
    file.take(length).read_to_end(&mut bytes)?;
    Moov::decode(&mut bytes.as_slice()).map_err(|error| damaged(&error.to_string()))
}

fn facts(moov: &Moov) -> Result<VideoTrack, MediaError> {
    let stbl = tracks(moov, *b"vide")
        .next()
        .map(|track| &track.mdia.minf.stbl)
        .ok_or_else(|| damaged("it has no picture track"))?;
    let [Codec::Avc1(avc1)] = stbl.stsd.codecs.as_slice() else {
        return Err(damaged("its pictures are not one H.264 stream"));
    };
    let record = encoded(&avc1.avcc)?;
    let frames = sample_count(stbl);
    let keyframes = match &stbl.stss {
        Some(stss) => stss
            .entries
            .iter()
            .map(|&number| u64::from(number).saturating_sub(1))
            .collect(),
        None => (0..frames).collect(),
    };
    Ok(VideoTrack {
        // Without the box header: the record as caps and other tools know it.
        codec_data: record.get(8..).unwrap_or_default().to_vec(),
        frames,
        keyframes,
    })
}

fn tracks(moov: &Moov, handler: [u8; 4]) -> impl Iterator<Item = &Trak> {
    moov.trak
        .iter()
        .filter(move |track| track.mdia.hdlr.handler == handler.into())
}

fn sample_count(stbl: &Stbl) -> u64 {
    match &stbl.stsz.samples {
        StszSamples::Identical { count, .. } => u64::from(*count),
        StszSamples::Different { sizes } => sizes.len() as u64,
    }
}

/// The track timescale for a rate, and the frame's duration in it.
fn timescale(rate: FrameRate) -> (u32, u32) {
    let (mut scale, mut step) = (rate.numerator(), rate.denominator());
    while scale < LEAST_TIMESCALE {
        scale *= 2;
        step *= 2;
    }
    (scale, step)
}

fn retime(moov: &mut Moov, intended: &Intended) -> Result<(), MediaError> {
    let (movie_scale, movie_length) = match (intended.video, intended.samples) {
        (Some((frames, rate)), _) => {
            let (scale, step) = timescale(rate);
            (scale, frames * u64::from(step))
        }
        (None, Some(samples)) if intended.priming == Priming::Kept => {
            (SOUND_RATE, samples + AAC_PRIMING)
        }
        (None, Some(samples)) => (SOUND_RATE, samples),
        (None, None) => return Err(damaged("it is to have neither pictures nor sound")),
    };
    moov.mvhd.creation_time = 0;
    moov.mvhd.modification_time = 0;
    moov.mvhd.timescale = movie_scale;
    moov.mvhd.duration = movie_length;
    moov.udta = None;
    moov.meta = None;
    let (mut pictures, mut sounds) = (0, 0);
    for track in &mut moov.trak {
        track.tkhd.creation_time = 0;
        track.tkhd.modification_time = 0;
        track.mdia.mdhd.creation_time = 0;
        track.mdia.mdhd.modification_time = 0;
        track.udta = None;
        track.meta = None;
        let handler = track.mdia.hdlr.handler;
        if let Some((frames, rate)) = intended.video.filter(|_| handler == (*b"vide").into()) {
            pictures += 1;
            retime_video(track, frames, rate)?;
        } else if let Some(samples) = intended.samples.filter(|_| handler == (*b"soun").into()) {
            sounds += 1;
            retime_audio(track, samples, movie_scale, intended.priming)?;
        } else {
            return Err(damaged("it holds a track that was not asked for"));
        }
    }
    if pictures != usize::from(intended.video.is_some())
        || sounds != usize::from(intended.samples.is_some())
    {
        return Err(damaged("it does not hold the tracks that were asked for"));
    }
    Ok(())
}

fn retime_video(track: &mut Trak, frames: u64, rate: FrameRate) -> Result<(), MediaError> {
    let (scale, step) = timescale(rate);
    let stbl = &mut track.mdia.minf.stbl;
    let found = sample_count(stbl);
    if found != frames {
        return Err(MediaError::Invalid(format!(
            "the muxed file has {found} frames where {frames} were expected"
        )));
    }
    let shown = presentation_order(stbl, track.mdia.mdhd.timescale, rate)?;
    let delay = (0_u64..)
        .zip(&shown)
        .map(|(coded, &shown)| coded.saturating_sub(shown))
        .max()
        .unwrap_or(0);
    stbl.stts.entries = vec![SttsEntry {
        sample_count: narrow(frames)?,
        sample_delta: step,
    }];
    let mut offsets: Vec<CttsEntry> = Vec::new();
    for (coded, &shown) in (0_u64..).zip(&shown) {
        let frames_later = narrow(shown + delay - coded)?;
        let sample_offset = i64::from(frames_later) * i64::from(step);
        match offsets.last_mut() {
            Some(run) if run.sample_offset == sample_offset => run.sample_count += 1,
            _ => offsets.push(CttsEntry {
                sample_count: 1,
                sample_offset,
            }),
        }
    }
    let reordered = offsets.iter().any(|run| run.sample_offset != 0);
    stbl.ctts = reordered.then_some(Ctts { entries: offsets });
    for codec in &mut stbl.stsd.codecs {
        if let Codec::Avc1(avc1) = codec {
            avc1.colr = Some(Colr::Nclx {
                colour_primaries: 1,
                transfer_characteristics: 1,
                matrix_coefficients: 1,
                full_range_flag: false,
            });
            // The bit rates that the muxer wrote belong to its own timing.
            avc1.btrt = None;
        }
    }
    let length = frames * u64::from(step);
    track.mdia.mdhd.timescale = scale;
    track.mdia.mdhd.duration = length;
    track.tkhd.duration = length;
    track.edts = Some(edit(delay * u64::from(step), length));
    Ok(())
}

/// For each frame in coded order, its place in presentation order. Fails unless the
/// presentation times are evenly spaced to within half a frame.
fn presentation_order(
    stbl: &Stbl,
    timescale: u32,
    rate: FrameRate,
) -> Result<Vec<u64>, MediaError> {
    let mut offsets = stbl.ctts.iter().flat_map(|ctts| {
        ctts.entries.iter().flat_map(|run| {
            std::iter::repeat_n(
                run.sample_offset,
                usize::try_from(run.sample_count).unwrap_or(0),
            )
        })
    });
    let mut times = Vec::new();
    let mut decode = 0_i64;
    for run in &stbl.stts.entries {
        for _ in 0..run.sample_count {
            times.push(decode + offsets.next().unwrap_or(0));
            decode += i64::from(run.sample_delta);
        }
    }
    if times.len() as u64 != sample_count(stbl) {
        return Err(damaged(
            "its time table and its size table differ in length",
        ));
    }
    let mut order: Vec<usize> = (0..times.len()).collect();
    order.sort_by_key(|&coded| times[coded]);
    let first = order.first().map_or(0, |&coded| times[coded]);
    let mut shown = vec![0; times.len()];
    for (place, &coded) in (0_u64..).zip(&order) {
        // |time − first − place·step| < step / 2, in exact integers.
        let step = i128::from(rate.denominator()) * i128::from(timescale);
        let apart = i128::from(times[coded] - first) * i128::from(rate.numerator());
        if (apart - i128::from(place) * step).abs() * 2 >= step {
            return Err(MediaError::Invalid(format!(
                "frame {place} of the muxed file is not where a constant rate puts it"
            )));
        }
        shown[coded] = place;
    }
    Ok(shown)
}

fn retime_audio(
    track: &mut Trak,
    samples: u64,
    movie_scale: u32,
    priming: Priming,
) -> Result<(), MediaError> {
    let stbl = &mut track.mdia.minf.stbl;
    let packets = sample_count(stbl);
    let total = packets * AAC_PACKET;
    if total < AAC_PRIMING + samples {
        return Err(MediaError::Invalid(format!(
            "the encoded sound has {total} samples where {samples} and the priming were expected"
        )));
    }
    stbl.stts = Stts {
        entries: vec![SttsEntry {
            sample_count: narrow(packets)?,
            sample_delta: narrow(AAC_PACKET)?,
        }],
    };
    stbl.ctts = None;
    track.mdia.mdhd.timescale = SOUND_RATE;
    track.mdia.mdhd.duration = total;
    let (hidden, audible) = match priming {
        Priming::Hidden => (AAC_PRIMING, samples),
        Priming::Kept => (0, AAC_PRIMING + samples),
    };
    let exact = u128::from(audible) * u128::from(movie_scale);
    let rate = u128::from(SOUND_RATE);
    let length = u64::try_from((exact + rate / 2) / rate).map_err(|_| too_long())?;
    track.tkhd.duration = length;
    track.edts = Some(edit(hidden, length));
    Ok(())
}

fn edit(media_time: u64, segment_duration: u64) -> Edts {
    Edts {
        elst: Some(Elst {
            entries: vec![ElstEntry {
                segment_duration,
                media_time: Some(media_time),
                media_rate: 1.into(),
            }],
        }),
    }
}

/// Gives every chunk its new offset.
fn place(
    moov: &mut Moov,
    wide: bool,
    relocate: impl Fn(u64) -> Option<u64>,
) -> Result<(), MediaError> {
    for track in &mut moov.trak {
        let stbl = &mut track.mdia.minf.stbl;
        let old: Vec<u64> = match (&stbl.stco, &stbl.co64) {
            (Some(stco), None) => stco.entries.iter().map(|&at| u64::from(at)).collect(),
            (None, Some(co64)) => co64.entries.clone(),
            _ => return Err(damaged("its chunk table is missing")),
        };
        let new = old
            .into_iter()
            .map(|at| relocate(at).ok_or_else(|| damaged("a chunk lies outside its samples")))
            .collect::<Result<Vec<u64>, _>>()?;
        (stbl.stco, stbl.co64) = if wide {
            (None, Some(Co64 { entries: new }))
        } else {
            let entries = new.into_iter().map(narrow).collect::<Result<_, _>>()?;
            (Some(Stco { entries }), None)
        };
    }
    Ok(())
}

/// Where a byte of the old sample boxes lies once they are laid end to end from `start`.
fn relocated(boxes: &[Range<u64>], start: u64, offset: u64) -> Option<u64> {
    let mut before = start;
    for range in boxes {
        if range.contains(&offset) {
            return Some(before + (offset - range.start));
        }
        before += range.end - range.start;
    }
    None
}

fn encoded<T: Atom>(atom: &T) -> Result<Vec<u8>, MediaError> {
    let mut bytes = Vec::new();
    atom.encode(&mut bytes)
        .map_err(|error| MediaError::Engine(format!("the mp4 index cannot be written: {error}")))?;
    Ok(bytes)
}

fn narrow(value: u64) -> Result<u32, MediaError> {
    u32::try_from(value).map_err(|_| too_long())
}

fn too_long() -> MediaError {
    MediaError::Limit("the file is too long for its index".into())
}

fn damaged(what: &str) -> MediaError {
    MediaError::Invalid(format!("damaged mp4: {what}"))
}
