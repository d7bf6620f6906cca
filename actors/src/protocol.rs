//! Messages between a slot and its `framelane worker` child: bincode values, each
//! with its length before it as four big-endian bytes, on the child's stdin and stdout.

use std::io::{self, Read, Write};

use cluster::model::Failure;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Version of this protocol; a child that announces another one is killed.
pub const VERSION: u32 = 1;

/// The environment variable with the number of a child's slot.
pub const SLOT_VARIABLE: &str = "FRAMELANE_SLOT";

/// Largest message to a child, in bytes.
pub const MAX_MESSAGE: u32 = 64 * 1024 * 1024;

/// Largest message from a child, in bytes: the plan of a long output with short segments is
/// the largest there is, and a child that lies must not fill its parent's memory.
pub const MAX_REPLY: u32 = 4 * 1024 * 1024;

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

/// Why a message could not be passed.
#[derive(Debug, thiserror::Error)]
pub enum ProtocolError {
    /// The pipe broke, or ended within a message.
    #[error("pipe to the other side failed")]
    Pipe(#[from] io::Error),
    /// The message is larger than [`MAX_MESSAGE`], or [`MAX_REPLY`].
    #[error("message of {0} bytes is too large")]
    TooLarge(u64),
    /// The bytes are no message.
    #[error("message cannot be decoded: {0}")]
    Malformed(String),
}

/// Writes one message and flushes it.
pub fn write_message<T: Serialize>(
    output: &mut impl Write,
    message: &T,
) -> Result<(), ProtocolError> {
    let body = bincode::serde::encode_to_vec(message, bincode::config::standard())
        .map_err(|error| ProtocolError::Malformed(error.to_string()))?;
    let length = u32::try_from(body.len())
        .ok()
        .filter(|&length| length <= MAX_MESSAGE)
        .ok_or(ProtocolError::TooLarge(body.len() as u64))?;
    output.write_all(&length.to_be_bytes())?;
    output.write_all(&body)?;
    output.flush()?;
    Ok(())
}

/// Reads one message; `None` if the other side closed the pipe between two messages.
pub fn read_message<T: DeserializeOwned>(
    input: &mut impl Read,
) -> Result<Option<T>, ProtocolError> {
    read_at_most(input, MAX_MESSAGE)
}

/// The same from a child, which is not trusted.
pub fn read_reply(input: &mut impl Read) -> Result<Option<FromWorker>, ProtocolError> {
    read_at_most(input, MAX_REPLY)
}

fn read_at_most<T: DeserializeOwned>(
    input: &mut impl Read,
    most: u32,
) -> Result<Option<T>, ProtocolError> {
    let mut prefix = [0u8; 4];
    let mut filled = 0;
    while filled < prefix.len() {
        match input.read(&mut prefix[filled..]) {
            Ok(0) if filled == 0 => return Ok(None),
            Ok(0) => return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
    let length = u32::from_be_bytes(prefix);
    if length > most {
        return Err(ProtocolError::TooLarge(u64::from(length)));
    }
    // Grows as bytes arrive: a wrong prefix alone does not make us allocate.
    let mut body = Vec::new();
    input.take(u64::from(length)).read_to_end(&mut body)?;
    if body.len() as u64 != u64::from(length) {
        return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
    }
    let (message, used) = bincode::serde::decode_from_slice(&body, bincode::config::standard())
        .map_err(|error| ProtocolError::Malformed(error.to_string()))?;
    if used != body.len() {
        return Err(ProtocolError::Malformed("bytes are left over".to_owned()));
    }
    Ok(Some(message))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn broken_frames_are_errors_and_a_clean_end_is_not() {
        let mut whole = Vec::new();
        write_message(&mut whole, &ToWorker::StopBefore { output: 3 }).unwrap();
        let read = |mut bytes: &[u8]| read_message::<ToWorker>(&mut bytes);
        assert_eq!(read(&[]).unwrap(), None);
        assert_eq!(
            read(&whole).unwrap(),
            Some(ToWorker::StopBefore { output: 3 })
        );
        assert!(matches!(read(&whole[..2]), Err(ProtocolError::Pipe(_))));
        assert!(matches!(
            read(&whole[..whole.len() - 1]),
            Err(ProtocolError::Pipe(_))
        ));
        assert!(matches!(
            read(&[255, 255, 255, 255]),
            Err(ProtocolError::TooLarge(_))
        ));
        assert!(matches!(
            read(&[0, 0, 0, 1, 9]),
            Err(ProtocolError::Malformed(_))
        ));
        assert!(matches!(
            read(&[0, 0, 0, 3, 1, 3, 0]),
            Err(ProtocolError::Malformed(_))
        ));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(output: u32, units: u64, order: Vec<u8>) {
            let mut bytes = Vec::new();
            write_message(&mut bytes, &FromWorker::Progress { output, units }).unwrap();
            write_message(&mut bytes, &ToWorker::Run { order: order.clone() }).unwrap();
            let mut input = bytes.as_slice();
            prop_assert_eq!(
                read_message(&mut input).unwrap(),
                Some(FromWorker::Progress { output, units })
            );
            prop_assert_eq!(read_message(&mut input).unwrap(), Some(ToWorker::Run { order }));
            prop_assert!(input.is_empty());
        }
    }
}
