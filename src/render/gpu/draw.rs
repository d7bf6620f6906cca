//! Layers to draw calls: one uniform and one quad each, all in one pass.

use shaders::uniforms::Layer as LayerUniform;

use super::device::Gpu;
use super::pipelines::Pipelines;
use crate::render::geometry::{Placement, place};
use crate::render::{Picture, PixelRect};
use crate::timeline::{Affine, DrawList, Layer};

/// Bytes from one layer's uniform to the next: the largest alignment a device may ask for.
const STEP: usize = 256;

/// How a layer's texels are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Filter {
    Copy,
    Bilinear,
    Tent,
}

/// One frame's draw calls, being collected.
pub(super) struct Drawing {
    region: PixelRect,
    calls: Vec<(Prepared, wgpu::TextureView)>,
}

/// A visible layer, without its texture.
pub(super) struct Prepared {
    uniform: LayerUniform,
    filter: Filter,
}

impl Drawing {
    pub(super) fn new(region: PixelRect) -> Self {
        Self {
            region,
            calls: Vec::new(),
        }
    }

    /// What is drawn of `layer` within the region; None if nothing is.
    pub(super) fn layer(
        &self,
        list: &DrawList,
        layer: &Layer,
        picture: &Picture,
    ) -> Option<Prepared> {
        let placement = place(layer, picture)?;
        let bounds = placement.bounds(list.width, list.height)?;
        let region = self.region;
        let seen = bounds.x < region.x + region.width
            && region.x < bounds.x + bounds.width
            && bounds.y < region.y + region.height
            && region.y < bounds.y + bounds.height;
        seen.then(|| prepared(&placement, layer, picture, region))
    }

    pub(super) fn push(&mut self, prepared: Prepared, view: wgpu::TextureView) {
        self.calls.push((prepared, view));
    }

    /// Clears `target` to `background` and draws every layer over it.
    pub(super) fn record(
        self,
        gpu: &Gpu,
        pipelines: &Pipelines,
        encoder: &mut wgpu::CommandEncoder,
        target: &wgpu::Texture,
        background: [u8; 4],
    ) {
        let uniforms = self.uniforms(gpu, pipelines);
        let pictures: Vec<wgpu::BindGroup> = self
            .calls
            .iter()
            .map(|(_, view)| {
                gpu.device.create_bind_group(&wgpu::BindGroupDescriptor {
                    label: Some("picture"),
                    layout: &pipelines.layer_picture,
                    entries: &[wgpu::BindGroupEntry {
                        binding: 0,
                        resource: wgpu::BindingResource::TextureView(view),
                    }],
                })
            })
            .collect();
        let [r, g, b, a] = background.map(|channel| f64::from(channel) / 255.0);
        let view = target.create_view(&wgpu::TextureViewDescriptor::default());
        let mut pass = encoder.begin_render_pass(&wgpu::RenderPassDescriptor {
            label: Some("layers"),
            color_attachments: &[Some(wgpu::RenderPassColorAttachment {
                view: &view,
                depth_slice: None,
                resolve_target: None,
                ops: wgpu::Operations {
                    load: wgpu::LoadOp::Clear(wgpu::Color { r, g, b, a }),
                    store: wgpu::StoreOp::Store,
                },
            })],
            depth_stencil_attachment: None,
            timestamp_writes: None,
            occlusion_query_set: None,
            multiview_mask: None,
        });
        let Some(uniforms) = uniforms else {
            return;
        };
        let mut offset = 0;
        for ((prepared, _), picture) in self.calls.iter().zip(&pictures) {
            pass.set_pipeline(match prepared.filter {
                Filter::Copy => &pipelines.copy,
                Filter::Bilinear => &pipelines.bilinear,
                Filter::Tent => &pipelines.tent,
            });
            pass.set_bind_group(0, &uniforms, &[offset]);
            pass.set_bind_group(1, picture, &[]);
            pass.draw(0..6, 0..1);
            offset += u32::try_from(STEP).expect("a small constant");
        }
    }

    /// All uniforms in one buffer, bound with a dynamic offset.
    fn uniforms(&self, gpu: &Gpu, pipelines: &Pipelines) -> Option<wgpu::BindGroup> {
        let mut bytes = vec![0; STEP * self.calls.len()];
        for ((prepared, _), place) in self.calls.iter().zip(bytes.chunks_exact_mut(STEP)) {
            place[..LayerUniform::SIZE].copy_from_slice(bytemuck::bytes_of(&prepared.uniform));
        }
        let size = u64::try_from(bytes.len()).ok().filter(|size| *size > 0)?;
        let usage = wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST;
        let buffer = gpu.buffer("layers", size, usage);
        gpu.queue.write_buffer(&buffer, 0, &bytes);
        let length = u64::try_from(LayerUniform::SIZE).ok();
        Some(gpu.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some("layer"),
            layout: &pipelines.layer_uniform,
            entries: &[wgpu::BindGroupEntry {
                binding: 0,
                resource: wgpu::BindingResource::Buffer(wgpu::BufferBinding {
                    buffer: &buffer,
                    offset: 0,
                    size: length.and_then(std::num::NonZeroU64::new),
                }),
            }],
        }))
    }
}

fn prepared(
    placement: &Placement,
    layer: &Layer,
    picture: &Picture,
    region: PixelRect,
) -> Prepared {
    // Moved to the target's origin in double precision: single would lose it on large canvases.
    let to_texel = moved(placement.to_texel, region);
    let to_region = moved(placement.to_region, region);
    let radius = (placement.density.0.max(1.0), placement.density.1.max(1.0));
    let corners = grown_corners(placement).map(|corner| clip_space(corner, region));
    let last = |length: u32| i32::try_from(length).unwrap_or(i32::MAX) - 1;
    let uniform = LayerUniform {
        texel_u: narrow([to_texel.a, to_texel.c, to_texel.e, radius.0]),
        texel_v: narrow([to_texel.b, to_texel.d, to_texel.f, radius.1]),
        edge_s: narrow([to_region.a, to_region.c, to_region.e, placement.region.0]),
        edge_t: narrow([to_region.b, to_region.d, to_region.f, placement.region.1]),
        corners_top: narrow([corners[0].0, corners[0].1, corners[1].0, corners[1].1]),
        corners_bottom: narrow([corners[2].0, corners[2].1, corners[3].0, corners[3].1]),
        last: [last(picture.frame.width), last(picture.frame.height)],
        opacity: narrow([layer.opacity.min(1.0)])[0],
        padding: 0.0,
    };
    let filter = if placement.exact {
        Filter::Copy
    } else if radius == (1.0, 1.0) {
        Filter::Bilinear
    } else {
        Filter::Tent
    };
    Prepared { uniform, filter }
}

/// `affine` for coordinates that begin at the region's corner.
fn moved(affine: Affine, region: PixelRect) -> Affine {
    let (e, f) = affine.apply((f64::from(region.x), f64::from(region.y)));
    Affine { e, f, ..affine }
}

/// The region's corners, one canvas pixel further out: antialiased edges lie outside.
fn grown_corners(placement: &Placement) -> [(f64, f64); 4] {
    let [a, b, c, d] = placement.corners;
    let (across, down) = (direction(a, b), direction(a, d));
    let out = |corner: (f64, f64), s: f64, t: f64| {
        (
            corner.0 + s * across.0 + t * down.0,
            corner.1 + s * across.1 + t * down.1,
        )
    };
    [
        out(a, -1.0, -1.0),
        out(b, 1.0, -1.0),
        out(c, 1.0, 1.0),
        out(d, -1.0, 1.0),
    ]
}

fn direction(from: (f64, f64), to: (f64, f64)) -> (f64, f64) {
    let (x, y) = (to.0 - from.0, to.1 - from.1);
    let length = x.hypot(y).max(f64::MIN_POSITIVE);
    (x / length, y / length)
}

fn clip_space(corner: (f64, f64), region: PixelRect) -> (f64, f64) {
    (
        (corner.0 - f64::from(region.x)) / f64::from(region.width) * 2.0 - 1.0,
        1.0 - (corner.1 - f64::from(region.y)) / f64::from(region.height) * 2.0,
    )
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "shaders compute in single precision"
)]
fn narrow<const N: usize>(values: [f64; N]) -> [f32; N] {
    values.map(|value| value as f32)
}
