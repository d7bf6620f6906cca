//! Pictures as textures: uploaded once while they stay in the cache, decoded planes turned
//! to RGBA on the way.

use shaders::uniforms::YuvToRgb;
use wgpu::{TextureFormat, TextureUsages};

use super::device::Gpu;
use super::pipelines::Pipelines;
use crate::media::{Frame, PixelFormat};
use crate::render::pixels::{is_whole, plane_size};
use crate::render::yuv::coefficients;
use crate::render::{Picture, RenderError};
use crate::timeline::YuvColor;

/// Bytes of textures kept for pictures that the current frame doesn't show.
const BUDGET: u64 = 256 * 1024 * 1024;

/// Textures by picture, least recently used first.
#[derive(Debug)]
pub(super) struct TextureCache {
    kept: Vec<Kept>,
    frame: u64,
    budget: u64,
}

#[derive(Debug)]
struct Kept {
    picture: u64,
    texture: wgpu::Texture,
    bytes: u64,
    /// The last frame that showed it.
    frame: u64,
}

impl TextureCache {
    pub(super) fn new() -> Self {
        Self {
            kept: Vec::new(),
            frame: 0,
            budget: BUDGET,
        }
    }

    /// Begins a frame: what it uses cannot be dropped before it ends.
    pub(super) fn begin(&mut self) {
        self.frame += 1;
    }

    /// Ends the frame: drops what is over the budget.
    pub(super) fn end(&mut self) {
        let mut bytes: u64 = self.kept.iter().map(|kept| kept.bytes).sum();
        let (budget, frame) = (self.budget, self.frame);
        self.kept.retain(|kept| {
            let stays = bytes <= budget || kept.frame == frame;
            if !stays {
                bytes -= kept.bytes;
            }
            stays
        });
    }

    /// The texture of `picture`, made if it isn't there; conversions are recorded in
    /// `encoder`.
    pub(super) fn view(
        &mut self,
        gpu: &Gpu,
        pipelines: &Pipelines,
        encoder: &mut wgpu::CommandEncoder,
        element: usize,
        picture: &Picture,
    ) -> Result<wgpu::TextureView, RenderError> {
        let known = self.kept.iter().position(|kept| kept.picture == picture.id);
        let mut kept = if let Some(at) = known {
            self.kept.remove(at)
        } else {
            if !is_whole(&picture.frame) {
                return Err(RenderError::Picture(format!(
                    "element {element} has a frame shorter than its size"
                )));
            }
            let frame = &picture.frame;
            let texture = match frame.format {
                PixelFormat::Rgba => {
                    let usage = TextureUsages::TEXTURE_BINDING | TextureUsages::COPY_DST;
                    upload(gpu, frame, 0, TextureFormat::Rgba8Unorm, usage)?
                }
                PixelFormat::I420(color) => converted(gpu, pipelines, encoder, frame, color)?,
            };
            Kept {
                picture: picture.id,
                bytes: u64::from(frame.width) * u64::from(frame.height) * 4,
                texture,
                frame: 0,
            }
        };
        kept.frame = self.frame;
        let view = view(&kept.texture);
        self.kept.push(kept);
        Ok(view)
    }
}

/// Plane `n` of `frame` as a texture.
fn upload(
    gpu: &Gpu,
    frame: &Frame,
    n: usize,
    format: TextureFormat,
    usage: TextureUsages,
) -> Result<wgpu::Texture, RenderError> {
    let (width, height) = plane_size(frame, n);
    let texture = gpu.texture("picture", width, height, format, usage)?;
    let plane = &frame.planes[n];
    let stride = u32::try_from(plane.stride)
        .map_err(|_| RenderError::Limit(format!("rows of {} bytes", plane.stride)))?;
    gpu.queue.write_texture(
        texture.as_image_copy(),
        &plane.data,
        wgpu::TexelCopyBufferLayout {
            offset: 0,
            bytes_per_row: Some(stride),
            rows_per_image: Some(height),
        },
        texture.size(),
    );
    Ok(texture)
}

/// A decoded frame as an RGBA texture, by a pass over its planes.
fn converted(
    gpu: &Gpu,
    pipelines: &Pipelines,
    encoder: &mut wgpu::CommandEncoder,
    frame: &Frame,
    color: YuvColor,
) -> Result<wgpu::Texture, RenderError> {
    let usage = TextureUsages::TEXTURE_BINDING | TextureUsages::COPY_DST;
    let mut planes = Vec::with_capacity(3);
    for n in 0..3 {
        planes.push(view(&upload(gpu, frame, n, TextureFormat::R8Unorm, usage)?));
    }
    let target_usage = TextureUsages::TEXTURE_BINDING | TextureUsages::RENDER_ATTACHMENT;
    let format = TextureFormat::Rgba8Unorm;
    let target = gpu.texture("picture", frame.width, frame.height, format, target_usage)?;
    let bytes = bytemuck::bytes_of(&conversion(frame, color)).to_vec();
    let size = u64::try_from(bytes.len()).expect("a small struct");
    let usage = wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST;
    let uniform = gpu.buffer("conversion", size, usage);
    gpu.queue.write_buffer(&uniform, 0, &bytes);
    let mut entries = vec![wgpu::BindGroupEntry {
        binding: 0,
        resource: uniform.as_entire_binding(),
    }];
    for (binding, plane) in (1..).zip(&planes) {
        entries.push(wgpu::BindGroupEntry {
            binding,
            resource: wgpu::BindingResource::TextureView(plane),
        });
    }
    let group = gpu.device.create_bind_group(&wgpu::BindGroupDescriptor {
        label: Some("planes"),
        layout: &pipelines.yuv_planes,
        entries: &entries,
    });
    let mut pass = encoder.begin_render_pass(&wgpu::RenderPassDescriptor {
        label: Some("yuv_to_rgb"),
        color_attachments: &[Some(wgpu::RenderPassColorAttachment {
            view: &view(&target),
            depth_slice: None,
            resolve_target: None,
            ops: wgpu::Operations {
                load: wgpu::LoadOp::Clear(wgpu::Color::BLACK),
                store: wgpu::StoreOp::Store,
            },
        })],
        depth_stencil_attachment: None,
        timestamp_writes: None,
        occlusion_query_set: None,
        multiview_mask: None,
    });
    pass.set_pipeline(&pipelines.yuv_to_rgb);
    pass.set_bind_group(0, &group, &[]);
    pass.draw(0..3, 0..1);
    drop(pass);
    Ok(target)
}

/// The linear map from samples (0–1) to RGB, with range and matrix folded into it.
fn conversion(frame: &Frame, color: YuvColor) -> YuvToRgb {
    let (kr, kb) = coefficients(color.matrix);
    let kg = 1.0 - kr - kb;
    let (luma_zero, luma_span, chroma_span) = if color.full_range {
        (0.0, 255.0, 255.0)
    } else {
        (16.0, 219.0, 224.0)
    };
    let y = 255.0 / luma_span;
    let c = 255.0 / chroma_span;
    let (red, blue) = (2.0 * (1.0 - kr), 2.0 * (1.0 - kb));
    let row = |u: f64, v: f64| {
        let offset = -luma_zero / luma_span - (u + v) * 128.0 / chroma_span;
        [y, c * u, c * v, offset].map(narrow)
    };
    let (width, height) = plane_size(frame, 1);
    let last = |length: u32| i32::try_from(length).unwrap_or(i32::MAX) - 1;
    YuvToRgb {
        red: row(0.0, red),
        green: row(-kb * blue / kg, -kr * red / kg),
        blue: row(blue, 0.0),
        site: [if color.centered_chroma { 0.5 } else { 0.0 }, 0.5],
        last: [last(width), last(height)],
    }
}

fn view(texture: &wgpu::Texture) -> wgpu::TextureView {
    texture.create_view(&wgpu::TextureViewDescriptor::default())
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "shaders compute in single precision"
)]
fn narrow(value: f64) -> f32 {
    value as f32
}
