//! A running pipeline: started, watched with a deadline, and always taken down. Turns the
//! library's errors into [`MediaError`].

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use gstreamer::prelude::*;
use gstreamer::{self as gst, glib};

use super::super::MediaError;

/// How often a wait looks whether anything moved.
const LOOK: gst::ClockTime = gst::ClockTime::from_mseconds(200);

/// Counts whatever passes, so that a wait can distinguish slow from stuck.
#[derive(Debug, Clone, Default)]
pub(super) struct Moved(Arc<AtomicU64>);

impl Moved {
    /// Something passed.
    pub(super) fn tick(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Counts every buffer that leaves or enters by `pad`.
    pub(super) fn watch(&self, pad: &gst::Pad) {
        let moved = self.clone();
        pad.add_probe(gst::PadProbeType::BUFFER, move |_, _| {
            moved.tick();
            gst::PadProbeReturn::Ok
        });
    }
}

/// A pipeline that is stopped when this is dropped.
#[derive(Debug)]
pub(super) struct Running {
    pipeline: gst::Pipeline,
    bus: gst::Bus,
    stall: Duration,
}

impl Drop for Running {
    fn drop(&mut self) {
        // Stopping an element cannot be refused; there is nothing to do about a failure here.
        let _ = self.pipeline.set_state(gst::State::Null);
    }
}

impl Running {
    /// Takes charge of a pipeline that has not been started.
    pub(super) fn new(pipeline: gst::Pipeline, stall: Duration) -> Result<Self, MediaError> {
        let bus = pipeline
            .bus()
            .ok_or_else(|| MediaError::Engine("a pipeline has no bus".into()))?;
        Ok(Self {
            pipeline,
            bus,
            stall,
        })
    }

    /// How long nothing may move.
    pub(super) fn stall(&self) -> Duration {
        self.stall
    }

    /// Lets it run.
    pub(super) fn start(&self) -> Result<(), MediaError> {
        self.set(gst::State::Playing)
    }

    fn set(&self, state: gst::State) -> Result<(), MediaError> {
        self.pipeline.set_state(state).map_err(|_| {
            self.failure()
                .unwrap_or_else(|| MediaError::Engine("a pipeline did not start".into()))
        })?;
        Ok(())
    }

    /// As [`Running::failure`], of a pipeline that decodes a source: what an element fails at
    /// there is the source.
    pub(super) fn source_failure(&self) -> Option<MediaError> {
        Some(match self.failure()? {
            MediaError::Engine(why) => MediaError::Invalid(format!("it cannot be decoded: {why}")),
            error => error,
        })
    }

    /// The first error that the pipeline has reported since the last look.
    pub(super) fn failure(&self) -> Option<MediaError> {
        let message = self.bus.pop_filtered(&[gst::MessageType::Error])?;
        match message.view() {
            gst::MessageView::Error(error) => Some(mapped(error)),
            _ => None,
        }
    }

    /// Waits for the end of the stream, as long as `moved` goes on counting.
    pub(super) fn wait_end(&self, moved: &Moved) -> Result<(), MediaError> {
        let mut seen = moved.count();
        let mut since = Instant::now();
        loop {
            let wanted = [gst::MessageType::Eos, gst::MessageType::Error];
            if let Some(message) = self.bus.timed_pop_filtered(LOOK, &wanted) {
                return match message.view() {
                    gst::MessageView::Error(error) => Err(mapped(error)),
                    _ => Ok(()),
                };
            }
            let count = moved.count();
            if count != seen {
                (seen, since) = (count, Instant::now());
            } else if since.elapsed() >= self.stall {
                return Err(MediaError::Stalled(self.stall));
            }
        }
    }
}

fn mapped(message: &gst::message::Error) -> MediaError {
    let (error, debug) = (message.error(), message.debug());
    let debug = debug.as_deref().unwrap_or_default();
    let element = message
        .src()
        .and_then(|object| object.downcast_ref::<gst::Element>().cloned())
        .and_then(|element| element.factory())
        .map_or_else(|| "pipeline".into(), |factory| factory.name().to_string());
    classified(&error, debug, &element)
}

fn classified(error: &glib::Error, debug: &str, element: &str) -> MediaError {
    let text = format!("{} ({element})", error.message().trim_end_matches('.'));
    if let Some(kind) = error.kind::<gst::ResourceError>() {
        return match kind {
            gst::ResourceError::NoSpaceLeft => {
                io::Error::new(io::ErrorKind::StorageFull, text).into()
            }
            gst::ResourceError::NotFound => io::Error::new(io::ErrorKind::NotFound, text).into(),
            gst::ResourceError::Read
            | gst::ResourceError::Write
            | gst::ResourceError::Seek
            | gst::ResourceError::OpenRead
            | gst::ResourceError::OpenWrite
            | gst::ResourceError::OpenReadWrite => io::Error::other(text).into(),
            _ => MediaError::Engine(text),
        };
    }
    if let Some(kind) = error.kind::<gst::StreamError>() {
        return match kind {
            gst::StreamError::TypeNotFound
            | gst::StreamError::WrongType
            | gst::StreamError::Demux
            | gst::StreamError::Decode
            | gst::StreamError::Format => {
                MediaError::Invalid(format!("the file is damaged: {text}"))
            }
            gst::StreamError::CodecNotFound => MediaError::Unsupported(text),
            gst::StreamError::Decrypt | gst::StreamError::DecryptNokey => {
                MediaError::Unsupported("the file is encrypted".into())
            }
            gst::StreamError::Failed if debug.contains("not-linked") => {
                MediaError::Unsupported("it has no track of a kind that can be read".into())
            }
            gst::StreamError::Failed if debug.contains("not-negotiated") => {
                MediaError::Unsupported("its samples lie in a way that is not read".into())
            }
            _ => MediaError::Engine(text),
        };
    }
    if error.kind::<gst::CoreError>() == Some(gst::CoreError::MissingPlugin) {
        return MediaError::Unsupported(text);
    }
    MediaError::Engine(text)
}
