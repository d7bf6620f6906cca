//! Reads the bytes of packets.

use super::{Addition, Extent, Input, Packet, Payload, Track};
use crate::media::MediaError;

/// A packet larger than this is damage, whatever size its container states.
const MAX_PACKET: u32 = 256 * 1024 * 1024;

/// Reads packets of one file, in any order.
#[derive(Debug)]
pub struct Packets {
    input: Input,
}

impl Packets {
    /// Reads from `input`.
    #[must_use]
    pub fn new(input: Input) -> Self {
        Self { input }
    }

    /// The file.
    pub fn input(&mut self) -> &mut Input {
        &mut self.input
    }

    /// Fills `into` with the bytes of `packet` of `track`.
    ///
    /// # Errors
    /// [`MediaError::Invalid`] where the file ends before, [`MediaError::Io`].
    pub fn read(
        &mut self,
        track: &Track,
        packet: &Packet,
        into: &mut Vec<u8>,
    ) -> Result<(), MediaError> {
        into.clear();
        if packet.size > MAX_PACKET {
            let size = packet.size;
            return Err(MediaError::Invalid(format!("a packet of {size} bytes")));
        }
        match &track.payload {
            Payload::Plain => self
                .input
                .append(packet.offset, u64::from(packet.size), into),
            Payload::Prefixed(prefix) => {
                into.extend_from_slice(prefix);
                self.input
                    .append(packet.offset, u64::from(packet.size), into)
            }
            Payload::Scattered(extents) => self.gather(extents, packet, into),
        }
    }

    /// Fills `into` with the bytes of an addition.
    ///
    /// # Errors
    /// As [`Packets::read`].
    pub fn read_addition(
        &mut self,
        addition: &Addition,
        into: &mut Vec<u8>,
    ) -> Result<(), MediaError> {
        into.clear();
        let Extent { offset, size } = addition.extent;
        self.input.append(offset, u64::from(size), into)
    }

    fn gather(
        &mut self,
        extents: &[Extent],
        packet: &Packet,
        into: &mut Vec<u8>,
    ) -> Result<(), MediaError> {
        let first = usize::try_from(packet.offset).unwrap_or(usize::MAX);
        let mut missing = packet.size;
        let mut rest = extents.get(first..).unwrap_or_default().iter();
        while missing > 0 {
            let Some(extent) = rest.next() else {
                return Err(MediaError::Invalid("a packet lacks its end".into()));
            };
            let part = extent.size.min(missing);
            self.input.append(extent.offset, u64::from(part), into)?;
            missing -= part;
        }
        Ok(())
    }
}
