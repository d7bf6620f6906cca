//! Any number of channels folded into two, by ITU-R BS.775.

use super::super::container::Role;
use super::Stereo;

/// −3 dB.
const HALF_POWER: f32 = std::f32::consts::FRAC_1_SQRT_2;

/// Where a channel is heard from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speaker {
    /// The only channel there is, or one for both sides.
    Mono,
    /// Front left.
    Left,
    /// Front right.
    Right,
    /// Front centre.
    Center,
    /// Any surround channel of the left side.
    LeftSurround,
    /// Any surround channel of the right side.
    RightSurround,
    /// Surround in the middle.
    RearCenter,
    /// Low-frequency effects, which a two-channel downmix leaves out.
    LowFrequency,
}

/// What each channel adds to left and right.
#[derive(Debug, Clone, PartialEq)]
pub struct Fold(Vec<Stereo>);

impl Fold {
    /// The fold of channels in this order.
    pub fn new(speakers: &[Speaker]) -> Self {
        Self(speakers.iter().map(|&speaker| weight(speaker)).collect())
    }

    /// The fold of channels whose places are not known: by the usual order of their number.
    pub fn unplaced(channels: usize) -> Self {
        use Speaker::{
            Center, Left, LeftSurround, LowFrequency, Mono, RearCenter, Right, RightSurround,
        };
        Self::new(match channels {
            1 => &[Mono],
            2 => &[Left, Right],
            3 => &[Left, Right, Center],
            4 => &[Left, Right, LeftSurround, RightSurround],
            5 => &[Left, Right, Center, LeftSurround, RightSurround],
            7 => &[
                Left,
                Right,
                Center,
                LowFrequency,
                RearCenter,
                LeftSurround,
                RightSurround,
            ],
            // Two pairs of surrounds; further channels have no place that is known.
            8.. => &[
                Left,
                Right,
                Center,
                LowFrequency,
                LeftSurround,
                RightSurround,
                LeftSurround,
                RightSurround,
            ],
            _ => &[
                Left,
                Right,
                Center,
                LowFrequency,
                LeftSurround,
                RightSurround,
            ],
        })
    }

    /// The fold of channels whose places a container names.
    pub fn of_roles(roles: &[Role]) -> Self {
        let speakers: Vec<Speaker> = roles.iter().map(|&role| speaker(role)).collect();
        Self::new(&speakers)
    }

    /// Folds one sample of all channels.
    pub fn apply(&self, channels: &[f32]) -> Stereo {
        let mut sum = [0.0_f32; 2];
        for (&sample, weight) in channels.iter().zip(&self.0) {
            // Adding nothing keeps a straight copy bit by bit, signed zeros and all.
            for (out, &factor) in sum.iter_mut().zip(weight) {
                if factor != 0.0 {
                    *out += sample * factor;
                }
            }
        }
        sum
    }
}

/// BS.775 has front, centre, surround and low frequencies: what lies between or above counts
/// as the nearest of them on its side.
fn speaker(role: Role) -> Speaker {
    match role {
        Role::Mono | Role::Unplaced => Speaker::Mono,
        Role::FrontLeft | Role::FrontLeftOfCenter | Role::WideLeft => Speaker::Left,
        Role::FrontRight | Role::FrontRightOfCenter | Role::WideRight => Speaker::Right,
        Role::FrontCenter | Role::TopFrontCenter => Speaker::Center,
        Role::LowFrequency | Role::LowFrequency2 => Speaker::LowFrequency,
        Role::BackLeft | Role::SideLeft | Role::TopFrontLeft | Role::TopBackLeft => {
            Speaker::LeftSurround
        }
        Role::BackRight | Role::SideRight | Role::TopFrontRight | Role::TopBackRight => {
            Speaker::RightSurround
        }
        Role::BackCenter | Role::TopCenter | Role::TopBackCenter => Speaker::RearCenter,
    }
}

fn weight(speaker: Speaker) -> Stereo {
    match speaker {
        Speaker::Mono => [1.0, 1.0],
        Speaker::Left => [1.0, 0.0],
        Speaker::Right => [0.0, 1.0],
        Speaker::Center => [HALF_POWER, HALF_POWER],
        Speaker::LeftSurround => [HALF_POWER, 0.0],
        Speaker::RightSurround => [0.0, HALF_POWER],
        Speaker::RearCenter => [0.5, 0.5],
        Speaker::LowFrequency => [0.0, 0.0],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_point_one_folds_by_the_recommendation() {
        let fold = Fold::unplaced(6);
        let alone = |channel: usize| {
            let mut samples = [0.0; 6];
            samples[channel] = 1.0;
            fold.apply(&samples)
        };
        let heard: Vec<Stereo> = (0..6).map(alone).collect();
        let c = HALF_POWER;
        assert_eq!(
            heard,
            [
                [1.0, 0.0],
                [0.0, 1.0],
                [c, c],
                [0.0, 0.0],
                [c, 0.0],
                [0.0, c]
            ]
        );
    }

    #[test]
    fn mono_goes_to_both_sides_unchanged() {
        assert_eq!(Fold::unplaced(1).apply(&[0.3]), [0.3, 0.3]);
    }
}
