//! A media engine without codecs, for tests of everything round it: sources are small JSON
//! files, pictures carry their own index, and written files describe their input. Not a player of
//! real files.

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{
    AudioInfo, DamagedClip, EncodeSettings, EncodedSegment, Frame, FrameSink, FrameSource,
    FrameTable, JoinSettings, MediaEngine, MediaError, MediaInfo, MixPlan, PixelFormat, Plane,
    VideoInfo, YuvColor,
};
use crate::composition::time::FrameRate;

/// Bytes of the index at the beginning of a picture.
const INDEX_BYTES: usize = 8;

/// A source file: write it with [`SyntheticSource::write`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyntheticSource {
    /// Width in pixels, at least 8.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Frames a second.
    pub rate: FrameRate,
    /// Number of frames; 0 for none.
    pub frames: u64,
    /// Samples of sound at 48 kHz; 0 for none.
    pub samples: u64,
}

impl SyntheticSource {
    /// Writes the source as a file.
    ///
    /// # Errors
    /// [`MediaError::Io`] when the file cannot be written.
    pub fn write(&self, file: &Path) -> Result<(), MediaError> {
        write_json(file, self)
    }
}

/// A finished segment or joined file, as this engine writes them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyntheticFile {
    /// The encoder's settings, in place of a codec's configuration.
    pub codec_data: Vec<u8>,
    /// The index that each picture carried, in order.
    pub indices: Vec<u64>,
    /// Samples of sound, if it was joined with sound.
    pub samples: Option<u64>,
}

impl SyntheticFile {
    /// Reads a file that this engine wrote.
    ///
    /// # Errors
    /// [`MediaError::Invalid`] when it is another kind of file.
    pub fn read(file: &Path) -> Result<Self, MediaError> {
        read_json(file)
    }
}

/// The index that a picture of this engine carries.
pub fn index_of(frame: &Frame) -> Option<u64> {
    let bytes = frame.planes.first()?.data.get(..INDEX_BYTES)?;
    Some(u64::from_le_bytes(bytes.try_into().ok()?))
}

/// The engine.
#[derive(Debug, Clone, Copy, Default)]
pub struct SyntheticEngine;

impl MediaEngine for SyntheticEngine {
    fn probe(&self, file: &Path) -> Result<MediaInfo, MediaError> {
        let source: SyntheticSource = read_json(file)?;
        let video = (source.frames > 0).then(|| VideoInfo {
            track: 0,
            codec: "synthetic".into(),
            width: source.width,
            height: source.height,
            coded_width: source.width,
            coded_height: source.height,
            rotation: 0,
            mirrored: false,
            plain: true,
            color: YuvColor::OUTPUT,
            frames: FrameTable::constant(
                source.rate.numerator().into(),
                source.rate.denominator().into(),
                source.frames,
            ),
        });
        let audio = (source.samples > 0).then(|| AudioInfo {
            track: 1,
            codec: "synthetic".into(),
            sample_rate: 48_000,
            channels: 2,
            start: 0,
            end: i64::try_from(u128::from(source.samples) * 1_000_000_000 / 48_000)
                .unwrap_or(i64::MAX),
            language: None,
            is_default: true,
        });
        Ok(MediaInfo {
            container: "synthetic".into(),
            video,
            sounds: audio.into_iter().collect(),
            notices: Vec::new(),
            refusal: None,
        })
    }

    fn open(
        &self,
        file: &Path,
        info: &VideoInfo,
        _first: u64,
    ) -> Result<Box<dyn FrameSource>, MediaError> {
        let _: SyntheticSource = read_json(file)?;
        Ok(Box::new(Source { info: info.clone() }))
    }

    fn encode(
        &self,
        settings: &EncodeSettings,
        file: &Path,
    ) -> Result<Box<dyn FrameSink>, MediaError> {
        Ok(Box::new(Sink {
            file: file.to_owned(),
            written: SyntheticFile {
                codec_data: serde_json::to_vec(settings).map_err(|error| broken(&error))?,
                indices: Vec::new(),
                samples: None,
            },
        }))
    }

    fn mix(
        &self,
        plan: &MixPlan,
        files: &[PathBuf],
        out: &Path,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Vec<DamagedClip>, MediaError> {
        for clip in &plan.clips {
            let file = files
                .get(clip.source)
                .ok_or_else(|| MediaError::Engine("a clip names no source".into()))?;
            let _: SyntheticSource = read_json(file)?;
        }
        progress(plan.samples);
        write_json(out, plan)?;
        Ok(Vec::new())
    }

    fn join(
        &self,
        segments: &[PathBuf],
        audio: Option<&Path>,
        settings: &JoinSettings,
        out: &Path,
    ) -> Result<(), MediaError> {
        let mut joined: Option<SyntheticFile> = None;
        for segment in segments {
            let part = SyntheticFile::read(segment)?;
            match &mut joined {
                None => joined = Some(part),
                Some(whole) if whole.codec_data == part.codec_data => {
                    whole.indices.extend(part.indices);
                }
                Some(_) => {
                    return Err(MediaError::Invalid(
                        "segments were encoded with different settings".into(),
                    ));
                }
            }
        }
        let mut joined = joined.ok_or_else(|| MediaError::Invalid("no segments".into()))?;
        if joined.indices.len() as u64 != settings.frames {
            return Err(MediaError::Invalid("wrong number of frames".into()));
        }
        joined.samples = audio
            .map(read_json::<MixPlan>)
            .transpose()?
            .map(|p| p.samples);
        if joined.samples != settings.samples {
            return Err(MediaError::Invalid("wrong number of samples".into()));
        }
        write_json(out, &joined)
    }

    fn fingerprint(&self) -> String {
        "synthetic 1".into()
    }
}

struct Source {
    info: VideoInfo,
}

impl FrameSource for Source {
    fn frame(&mut self, index: u64) -> Result<Frame, MediaError> {
        if index >= self.info.frames.len() {
            return Err(MediaError::Invalid(format!("there is no frame {index}")));
        }
        let (width, height) = (self.info.coded_width, self.info.coded_height);
        let plane = |width: u32, height: u32, value: u8| Plane {
            data: vec![value; width as usize * height as usize].into(),
            stride: width as usize,
        };
        let mut luma = vec![0x80; width as usize * height as usize];
        let head = luma
            .get_mut(..INDEX_BYTES)
            .ok_or_else(|| MediaError::Invalid("pictures too small for their index".into()))?;
        head.copy_from_slice(&index.to_le_bytes());
        let (across, down) = (width.div_ceil(2), height.div_ceil(2));
        Ok(Frame {
            width,
            height,
            format: PixelFormat::I420(self.info.color),
            planes: vec![
                Plane {
                    data: luma.into(),
                    stride: width as usize,
                },
                plane(across, down, 0x80),
                plane(across, down, 0x80),
            ],
        })
    }
}

struct Sink {
    file: PathBuf,
    written: SyntheticFile,
}

impl FrameSink for Sink {
    fn push(&mut self, frame: &Frame) -> Result<(), MediaError> {
        let index = index_of(frame)
            .ok_or_else(|| MediaError::Engine("a picture carries no index".into()))?;
        self.written.indices.push(index);
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<EncodedSegment, MediaError> {
        write_json(&self.file, &self.written)?;
        Ok(EncodedSegment {
            frames: self.written.indices.len() as u64,
            codec_data: self.written.codec_data,
        })
    }
}

fn read_json<T: DeserializeOwned>(file: &Path) -> Result<T, MediaError> {
    serde_json::from_slice(&std::fs::read(file)?)
        .map_err(|error| MediaError::Invalid(format!("not a synthetic file: {error}")))
}

fn write_json<T: Serialize>(file: &Path, value: &T) -> Result<(), MediaError> {
    std::fs::write(
        file,
        serde_json::to_vec(value).map_err(|error| broken(&error))?,
    )?;
    Ok(())
}

fn broken(error: &serde_json::Error) -> MediaError {
    MediaError::Engine(format!("a synthetic file cannot be written: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_through_the_engine_keeps_its_indices() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = |name: &str| dir.path().join(name);
        let rate = FrameRate::new(30, 1).expect("a rate");
        let source = SyntheticSource {
            width: 16,
            height: 16,
            rate,
            frames: 10,
            samples: 0,
        };
        source.write(&path("source")).expect("written");
        let info = SyntheticEngine.probe(&path("source")).expect("probed");
        let video = info.video.expect("pictures");
        let settings = EncodeSettings {
            width: 16,
            height: 16,
            rate,
            crf: 20,
            preset: "veryfast".into(),
            kbps: None,
            keyframe_interval: 60,
        };
        let mut parts = Vec::new();
        for (part, range) in [0..4, 4..10].into_iter().enumerate() {
            let file = path(&format!("part{part}"));
            let mut reader = SyntheticEngine
                .open(&path("source"), &video, range.start)
                .expect("opened");
            let mut writer = SyntheticEngine.encode(&settings, &file).expect("begun");
            for index in range {
                writer
                    .push(&reader.frame(index).expect("a frame"))
                    .expect("taken");
            }
            writer.finish().expect("finished");
            parts.push(file);
        }
        let join = JoinSettings {
            frames: 10,
            rate,
            samples: None,
        };
        SyntheticEngine
            .join(&parts, None, &join, &path("out"))
            .expect("joined");
        let joined = SyntheticFile::read(&path("out")).expect("read");
        assert_eq!(joined.indices, (0..10).collect::<Vec<u64>>());
    }
}
