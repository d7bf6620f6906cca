//! Where channels are heard from: `QuickTime`'s `chan` (Core Audio's layouts) and ISO's `chnl`
//! (positions of ISO/IEC 23001-8).

use super::fields::Fields;
use crate::media::container::{ChannelLayout, Role};
use Role::{
    BackCenter, BackLeft, BackRight, FrontCenter, FrontLeft, FrontLeftOfCenter, FrontRight,
    FrontRightOfCenter, LowFrequency, LowFrequency2, Mono, SideLeft, SideRight, TopBackCenter,
    TopBackLeft, TopBackRight, TopCenter, TopFrontCenter, TopFrontLeft, TopFrontRight, Unplaced,
    WideLeft, WideRight,
};

/// Roles of the bits of a channel bitmap, from the lowest (WAVEFORMATEXTENSIBLE's order).
pub(in crate::media::container) const BITMAP: [Role; 18] = [
    FrontLeft,
    FrontRight,
    FrontCenter,
    LowFrequency,
    BackLeft,
    BackRight,
    FrontLeftOfCenter,
    FrontRightOfCenter,
    BackCenter,
    SideLeft,
    SideRight,
    TopCenter,
    TopFrontLeft,
    TopFrontCenter,
    TopFrontRight,
    TopBackLeft,
    TopBackCenter,
    TopBackRight,
];

/// Reads a `chan` box; `None` when it does not fit the number of channels.
pub(super) fn quicktime(body: &[u8], channels: u16) -> Option<ChannelLayout> {
    let mut fields = Fields::new(body);
    fields.full()?;
    let (tag, bitmap, count) = (fields.u32()?, fields.u32()?, fields.u32()?);
    let layout: ChannelLayout = match tag {
        0 => {
            let count = count.min(u32::from(channels));
            (0..count)
                .map_while(|_| {
                    let label = fields.u32()?;
                    fields.skip(16)?;
                    Some(labelled(label))
                })
                .collect()
        }
        0x0001_0000 => (0_u32..)
            .zip(BITMAP)
            .filter(|&(bit, _)| bitmap & 1 << bit != 0)
            .map(|(_, role)| role)
            .collect(),
        tag => tagged(tag >> 16)?.to_vec(),
    };
    (layout.len() == usize::from(channels)).then_some(layout)
}

/// Core Audio's layout tags, without the number of channels in their low half.
fn tagged(tag: u32) -> Option<&'static [Role]> {
    Some(match tag {
        100 => &[Mono],
        101..=103 | 106 => &[FrontLeft, FrontRight],
        108 => &[FrontLeft, FrontRight, BackLeft, BackRight],
        113 => &[FrontLeft, FrontRight, FrontCenter],
        114 => &[FrontCenter, FrontLeft, FrontRight],
        115 => &[FrontLeft, FrontRight, FrontCenter, BackCenter],
        116 => &[FrontCenter, FrontLeft, FrontRight, BackCenter],
        117 => &[FrontLeft, FrontRight, FrontCenter, SideLeft, SideRight],
        118 => &[FrontLeft, FrontRight, SideLeft, SideRight, FrontCenter],
        119 => &[FrontLeft, FrontCenter, FrontRight, SideLeft, SideRight],
        120 => &[FrontCenter, FrontLeft, FrontRight, SideLeft, SideRight],
        121 => &[
            FrontLeft,
            FrontRight,
            FrontCenter,
            LowFrequency,
            SideLeft,
            SideRight,
        ],
        122 => &[
            FrontLeft,
            FrontRight,
            SideLeft,
            SideRight,
            FrontCenter,
            LowFrequency,
        ],
        123 => &[
            FrontLeft,
            FrontCenter,
            FrontRight,
            SideLeft,
            SideRight,
            LowFrequency,
        ],
        124 => &[
            FrontCenter,
            FrontLeft,
            FrontRight,
            SideLeft,
            SideRight,
            LowFrequency,
        ],
        125 => &[
            FrontLeft,
            FrontRight,
            FrontCenter,
            LowFrequency,
            SideLeft,
            SideRight,
            BackCenter,
        ],
        126 => &[
            FrontLeft,
            FrontRight,
            FrontCenter,
            LowFrequency,
            SideLeft,
            SideRight,
            FrontLeftOfCenter,
            FrontRightOfCenter,
        ],
        127 => &[
            FrontCenter,
            FrontLeftOfCenter,
            FrontRightOfCenter,
            FrontLeft,
            FrontRight,
            SideLeft,
            SideRight,
            LowFrequency,
        ],
        128 => &[
            FrontLeft,
            FrontRight,
            FrontCenter,
            LowFrequency,
            SideLeft,
            SideRight,
            BackLeft,
            BackRight,
        ],
        131 => &[FrontLeft, FrontRight, BackCenter],
        132 => &[FrontLeft, FrontRight, SideLeft, SideRight],
        133 => &[FrontLeft, FrontRight, LowFrequency],
        137 => &[FrontLeft, FrontRight, LowFrequency, SideLeft, SideRight],
        _ => return None,
    })
}

/// Core Audio's channel labels.
fn labelled(label: u32) -> Role {
    match label {
        1..=18 => [
            FrontLeft,
            FrontRight,
            FrontCenter,
            LowFrequency,
            SideLeft,
            SideRight,
            FrontLeftOfCenter,
            FrontRightOfCenter,
            BackCenter,
            SideLeft,
            SideRight,
            TopCenter,
            TopFrontLeft,
            TopFrontCenter,
            TopFrontRight,
            TopBackLeft,
            TopBackCenter,
            TopBackRight,
        ]
        .get(label as usize - 1)
        .copied()
        .unwrap_or(Unplaced),
        33 => BackLeft,
        34 => BackRight,
        35 => WideLeft,
        36 => WideRight,
        37 => LowFrequency2,
        42 => Mono,
        _ => Unplaced,
    }
}

/// Reads a `chnl` box of version 0; `None` when it does not fit the number of channels.
pub(super) fn iso(body: &[u8], channels: u16) -> Option<ChannelLayout> {
    let mut fields = Fields::new(body);
    let (version, _) = fields.full()?;
    if version != 0 || fields.u8()? & 1 == 0 {
        return None;
    }
    let layout: ChannelLayout = match fields.u8()? {
        0 => (0..channels)
            .map_while(|_| {
                let position = fields.u8()?;
                if position == 126 {
                    fields.skip(3)?;
                }
                Some(placed(position))
            })
            .collect(),
        1 => vec![Mono],
        2 => vec![FrontLeft, FrontRight],
        3 => vec![FrontCenter, FrontLeft, FrontRight],
        4 => vec![FrontCenter, FrontLeft, FrontRight, BackCenter],
        5 => vec![FrontCenter, FrontLeft, FrontRight, SideLeft, SideRight],
        6 => vec![
            FrontCenter,
            FrontLeft,
            FrontRight,
            SideLeft,
            SideRight,
            LowFrequency,
        ],
        _ => return None,
    };
    (layout.len() == usize::from(channels)).then_some(layout)
}

/// `OutputChannelPosition` of ISO/IEC 23001-8.
fn placed(position: u8) -> Role {
    const POSITIONS: [Role; 27] = [
        FrontLeft,
        FrontRight,
        FrontCenter,
        LowFrequency,
        SideLeft,
        SideRight,
        FrontLeftOfCenter,
        FrontRightOfCenter,
        BackLeft,
        BackRight,
        BackCenter,
        SideLeft,
        SideRight,
        SideLeft,
        SideRight,
        WideLeft,
        WideRight,
        TopFrontLeft,
        TopFrontRight,
        TopFrontCenter,
        TopBackLeft,
        TopBackRight,
        TopBackCenter,
        TopFrontLeft,
        TopFrontRight,
        TopCenter,
        LowFrequency2,
    ];
    POSITIONS
        .get(usize::from(position))
        .copied()
        .unwrap_or(Unplaced)
}
