//! Pushing buffers into a pipeline that ends in a file: bounded, with a deadline, and taken down
//! whole when anything fails.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;

use super::super::MediaError;
use super::bus::{Moved, Running};

/// How often a wait looks for errors.
const LOOK: Duration = Duration::from_millis(100);

/// Buffers that were pushed and not yet taken.
#[derive(Debug, Default)]
struct Gate {
    waiting: Mutex<usize>,
    taken: Condvar,
}

/// The way into a running pipeline.
#[derive(Debug)]
pub(super) struct Feed {
    source: gst_app::AppSrc,
    gate: Arc<Gate>,
    running: Running,
    moved: Moved,
    limit: usize,
}

impl Feed {
    /// Starts `pipeline`, which contains `source`; at most `limit` buffers wait in it.
    pub(super) fn start(
        pipeline: gst::Pipeline,
        source: gst_app::AppSrc,
        last: &gst::Element,
        limit: usize,
        stall: Duration,
    ) -> Result<Self, MediaError> {
        let missing = || MediaError::Engine("an element has no pad".into());
        let gate = Arc::new(Gate::default());
        let moved = Moved::default();
        let leaving = source.static_pad("src").ok_or_else(missing)?;
        let (counted, ticking) = (Arc::clone(&gate), moved.clone());
        leaving.add_probe(gst::PadProbeType::BUFFER, move |_, _| {
            let mut waiting = counted
                .waiting
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            *waiting = waiting.saturating_sub(1);
            counted.taken.notify_one();
            ticking.tick();
            gst::PadProbeReturn::Ok
        });
        moved.watch(&last.static_pad("sink").ok_or_else(missing)?);
        let running = Running::new(pipeline, stall)?;
        running.start()?;
        Ok(Self {
            source,
            gate,
            running,
            moved,
            limit,
        })
    }

    /// Pushes one buffer, waiting while the pipeline is full.
    pub(super) fn push(&self, buffer: gst::Buffer) -> Result<(), MediaError> {
        let deadline = Instant::now() + self.running.stall();
        let mut waiting = self
            .gate
            .waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        while *waiting >= self.limit {
            (waiting, _) = self
                .gate
                .taken
                .wait_timeout(waiting, LOOK)
                .unwrap_or_else(PoisonError::into_inner);
            if *waiting >= self.limit {
                if let Some(error) = self.running.failure() {
                    return Err(error);
                }
                if Instant::now() >= deadline {
                    return Err(MediaError::Stalled(self.running.stall()));
                }
            }
        }
        *waiting += 1;
        drop(waiting);
        self.source.push_buffer(buffer).map_err(|flow| {
            self.running
                .failure()
                .unwrap_or_else(|| MediaError::Engine(format!("a pipeline took no more: {flow}")))
        })?;
        Ok(())
    }

    /// Ends the stream, waits until the file is complete and takes the pipeline down.
    pub(super) fn finish(self) -> Result<(), MediaError> {
        self.source.end_of_stream().map_err(|flow| {
            self.running
                .failure()
                .unwrap_or_else(|| MediaError::Engine(format!("a pipeline did not end: {flow}")))
        })?;
        self.running.wait_end(&self.moved)
    }
}
