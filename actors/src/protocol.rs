//! What a slot and its `framelane worker` child say to each other: bincode values, each
//! with its length before it as four big-endian bytes, on the child's stdin and stdout.

use cluster::model::Failure;
use serde::{Deserialize, Serialize};

/// Version of this protocol; a child that says another one is killed.
pub const VERSION: u32 = 1;

/// Largest message either side accepts, in bytes.
pub const MAX_MESSAGE: u32 = 64 * 1024 * 1024;

/// To the child.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToWorker {
    /// Carry out this order. Only sent to a child that is ready.
    Run {
        /// Opaque to the slot.
        order: Vec<u8>,
    },
    /// Stop the current run before its output number `output` (a stolen tail). Outputs
    /// already begun may still come.
    StopBefore {
        /// Position in the run, from 0.
        output: u32,
    },
}

/// From the child.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum FromWorker {
    /// Up and able to take an order. Sent once after start and after every run's end.
    Ready {
        /// [`VERSION`].
        version: u32,
    },
    /// Sent every 200 ms while work goes on.
    Progress {
        /// Position in the run of what is being worked on.
        output: u32,
        /// Units of it done (frames, samples, bytes): a stall is this not moving.
        units: u64,
    },
    /// One output of the run is complete.
    Output {
        /// Position in the run, from 0.
        output: u32,
        /// The child's description, for `TaskHost::publish`.
        body: Vec<u8>,
    },
    /// The output being worked on cannot be made; the run ends.
    Failed {
        /// Position in the run.
        output: u32,
        /// Why.
        failure: Failure,
    },
    /// The run is at its end.
    Finished,
}
