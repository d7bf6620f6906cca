//! High dynamic range to BT.709: ITU-R BT.2446-1 method A, evaluated once into a table of three
//! dimensions that pictures are looked up in.

use super::decide::{ColorDecision, Curve};

/// Nodes of the table along each axis.
const NODES: usize = 65;
/// Brightest of a standard display, in candelas per square metre.
const SDR_PEAK: f64 = 100.0;
/// Gamma of a standard display (BT.1886) and of the method's own domain.
const GAMMA: f64 = 2.4;

/// From three coded components, each 0–1, to red, green and blue.
#[derive(Debug)]
pub(super) struct Lut {
    nodes: Vec<[f32; 3]>,
}

impl Lut {
    pub(super) fn new(decision: &ColorDecision) -> Self {
        let mut nodes = Vec::with_capacity(NODES * NODES * NODES);
        let step = |index: usize| index_to_unit(index);
        for first in 0..NODES {
            for second in 0..NODES {
                for third in 0..NODES {
                    let coded = [step(first), step(second), step(third)];
                    nodes.push(mapped(decision, coded).map(narrow));
                }
            }
        }
        Self { nodes }
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped to the table and to a byte before the casts"
    )]
    /// Interpolates within the tetrahedron that `coded` lies in; bytes of red, green and blue.
    pub(super) fn apply(&self, coded: [f32; 3]) -> [u8; 3] {
        let scaled = coded.map(|value| value.clamp(0.0, 1.0) * (NODES - 1) as f32);
        let base = scaled.map(|value| (value as usize).min(NODES - 2));
        let [x, y, z] = [0, 1, 2].map(|axis| scaled[axis] - base[axis] as f32);
        let node = |dx: usize, dy: usize, dz: usize| {
            let at = ((base[0] + dx) * NODES + base[1] + dy) * NODES + base[2] + dz;
            self.nodes.get(at).copied().unwrap_or_default()
        };
        let (low, high) = (node(0, 0, 0), node(1, 1, 1));
        // From the largest fraction down: the edges that lead from one corner to the other.
        let (a, b, weights) = if x >= y && y >= z {
            (node(1, 0, 0), node(1, 1, 0), [1.0 - x, x - y, y - z, z])
        } else if x >= z && z >= y {
            (node(1, 0, 0), node(1, 0, 1), [1.0 - x, x - z, z - y, y])
        } else if z >= x && x >= y {
            (node(0, 0, 1), node(1, 0, 1), [1.0 - z, z - x, x - y, y])
        } else if y >= x && x >= z {
            (node(0, 1, 0), node(1, 1, 0), [1.0 - y, y - x, x - z, z])
        } else if y >= z && z >= x {
            (node(0, 1, 0), node(0, 1, 1), [1.0 - y, y - z, z - x, x])
        } else {
            (node(0, 0, 1), node(0, 1, 1), [1.0 - z, z - y, y - x, x])
        };
        [0, 1, 2].map(|channel| {
            let value = low[channel] * weights[0]
                + a[channel] * weights[1]
                + b[channel] * weights[2]
                + high[channel] * weights[3];
            (value * 255.0 + 0.5).clamp(0.0, 255.0) as u8
        })
    }
}

fn index_to_unit(index: usize) -> f64 {
    index as f64 / (NODES - 1) as f64
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "seven digits are more than a byte needs"
)]
fn narrow(value: f64) -> f32 {
    value as f32
}

/// Coded components to coded red, green and blue of BT.709. Where there are coefficients, luma
/// comes first and the colour differences have their zero at one half.
pub(super) fn mapped(decision: &ColorDecision, coded: [f64; 3]) -> [f64; 3] {
    let rgb = match decision.matrix {
        None => coded,
        Some(matrix) => {
            let (red, blue) = matrix.weights();
            let [luma, u, v] = [coded[0], coded[1] - 0.5, coded[2] - 0.5];
            let r = luma + 2.0 * (1.0 - red) * v;
            let b = luma + 2.0 * (1.0 - blue) * u;
            let g = (luma - red * r - blue * b) / (1.0 - red - blue);
            [r, g, b]
        }
    };
    let peak = decision.peak();
    let light = match decision.curve {
        Curve::Hlg => hlg(rgb, peak),
        Curve::Pq | Curve::Sdr => rgb.map(pq),
    };
    let wide = to_bt2020(decision.primaries, light);
    let sdr = method_a(wide, peak);
    let narrow = bt2020_to_709(sdr);
    narrow.map(|value| value.clamp(0.0, 1.0).powf(1.0 / GAMMA))
}

/// Candelas per square metre of a PQ signal (SMPTE ST 2084).
pub(super) fn pq(signal: f64) -> f64 {
    const M1: f64 = 2610.0 / 16_384.0;
    const M2: f64 = 2523.0 / 4096.0 * 128.0;
    const C1: f64 = 3424.0 / 4096.0;
    const C2: f64 = 2413.0 / 4096.0 * 32.0;
    const C3: f64 = 2392.0 / 4096.0 * 32.0;
    let root = signal.clamp(0.0, 1.0).powf(1.0 / M2);
    10_000.0 * ((root - C1).max(0.0) / (C2 - C3 * root)).powf(1.0 / M1)
}

/// Light that a display of `peak` shows for an HLG signal (BT.2100, gamma 1.2).
fn hlg(signal: [f64; 3], peak: f64) -> [f64; 3] {
    const A: f64 = 0.178_832_77;
    const B: f64 = 0.284_668_92;
    const C: f64 = 0.559_910_73;
    let scene = signal.map(|value| {
        let value = value.clamp(0.0, 1.0);
        if value <= 0.5 {
            value * value / 3.0
        } else {
            (((value - C) / A).exp() + B) / 12.0
        }
    });
    let luma = luminance(scene);
    let factor = if luma > 0.0 {
        peak * luma.powf(0.2)
    } else {
        0.0
    };
    scene.map(|value| value * factor)
}

fn luminance([r, g, b]: [f64; 3]) -> f64 {
    0.2627 * r + 0.6780 * g + 0.0593 * b
}

fn product(rows: [[f64; 3]; 3], [r, g, b]: [f64; 3]) -> [f64; 3] {
    rows.map(|[x, y, z]| x * r + y * g + z * b)
}

/// Linear light of other primaries as that of BT.2020 (matrices of BT.2087 and SMPTE EG 432-1).
fn to_bt2020(primaries: Option<u8>, light: [f64; 3]) -> [f64; 3] {
    match primaries {
        Some(1) => product(
            [
                [0.6274, 0.3293, 0.0433],
                [0.0691, 0.9195, 0.0114],
                [0.0164, 0.0880, 0.8956],
            ],
            light,
        ),
        Some(12) => product(
            [
                [0.753_83, 0.198_60, 0.047_57],
                [0.045_74, 0.941_78, 0.012_48],
                [-0.001_21, 0.017_60, 0.983_61],
            ],
            light,
        ),
        _ => light,
    }
}

fn bt2020_to_709(light: [f64; 3]) -> [f64; 3] {
    product(
        [
            [1.6605, -0.5876, -0.0728],
            [-0.1246, 1.1329, -0.0083],
            [-0.0182, -0.1006, 1.1187],
        ],
        light,
    )
}

/// BT.2446-1 §4: light up to `peak` to linear light of 0–1 on a standard display.
fn method_a(light: [f64; 3], peak: f64) -> [f64; 3] {
    let coded = light.map(|value| (value.clamp(0.0, peak) / peak).powf(1.0 / GAMMA));
    let luma = luminance(coded);
    let rho = 1.0 + 32.0 * (peak / 10_000.0).powf(1.0 / GAMMA);
    let perceived = (1.0 + (rho - 1.0) * luma).ln() / rho.ln();
    let compressed = if perceived <= 0.7399 {
        1.0770 * perceived
    } else if perceived < 0.9909 {
        -1.1510 * perceived * perceived + 2.7811 * perceived - 0.6302
    } else {
        0.5 * perceived + 0.5
    };
    let rho_sdr = 1.0 + 32.0 * (SDR_PEAK / 10_000.0).powf(1.0 / GAMMA);
    let toned = (rho_sdr.powf(compressed) - 1.0) / (rho_sdr - 1.0);
    let scale = if luma > 0.0 {
        toned / (1.1 * luma)
    } else {
        0.0
    };
    let blue = scale * (coded[2] - luma) / 1.8814;
    let red = scale * (coded[0] - luma) / 1.4746;
    let toned = toned - (0.1 * red).max(0.0);
    let r = toned + 1.4746 * red;
    let b = toned + 1.8814 * blue;
    let g = (toned - 0.2627 * r - 0.0593 * b) / 0.6780;
    [r, g, b].map(|value| value.clamp(0.0, 1.0).powf(GAMMA))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::container::ColorTags;
    use crate::media::pixels::{Layout, decide};

    fn decision(transfer: u8) -> ColorDecision {
        let tags = ColorTags {
            primaries: Some(9),
            transfer: Some(transfer),
            matrix: Some(9),
            full_range: Some(false),
            ..ColorTags::default()
        };
        decide(&tags, None, Layout::I420Deep(10), 1080)
    }

    #[test]
    fn pq_signals_stand_for_the_light_of_the_standard() {
        for (signal, light) in [
            (0.0, 0.0),
            (0.508_078, 100.0),
            (0.751_827, 1000.0),
            (1.0, 10_000.0),
        ] {
            assert!((pq(signal) - light).abs() <= light * 0.001, "{signal}");
        }
    }

    #[test]
    fn grey_stays_grey_and_brightness_keeps_its_order() {
        for transfer in [16, 18] {
            let decision = decision(transfer);
            let mut last = -1.0;
            for step in 0..=20 {
                let [r, g, b] = mapped(&decision, [f64::from(step) / 20.0, 0.5, 0.5]);
                assert!(
                    (r - g).abs() < 0.004 && (b - g).abs() < 0.004,
                    "{r} {g} {b}"
                );
                assert!(g >= last, "{step}");
                last = g;
            }
            assert!(last > 0.99);
        }
    }

    #[test]
    fn the_table_agrees_with_what_it_was_made_of() {
        let decision = decision(16);
        for coded in [
            [0.3, 0.5, 0.5],
            [0.55, 0.45, 0.6],
            [0.7, 0.55, 0.42],
            [0.12, 0.5, 0.52],
        ] {
            let exact = mapped(&decision, coded).map(|value| value * 255.0);
            let looked_up = decision.lut().apply(coded.map(narrow));
            for (exact, found) in exact.iter().zip(looked_up) {
                assert!(
                    (exact - f64::from(found)).abs() <= 2.0,
                    "{coded:?}: {exact} {found}"
                );
            }
        }
    }
}
