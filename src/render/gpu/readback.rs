//! Finished pixels back to memory: rows unpadded, or converted to planes on the device.

use bytes::Bytes;
use shaders::uniforms::RgbToYuv;

use super::device::Gpu;
use super::pipelines::Pipelines;
use crate::media::{Frame, PixelFormat, Plane};
use crate::render::RenderError;
use crate::render::pixels::{index, rgba_frame};
use crate::render::yuv::even;
use crate::timeline::YuvColor;

/// Luma samples a shader invocation converts across; rows are padded to whole blocks.
const BLOCK: u32 = 8;
/// Invocations across and down in a workgroup.
const GROUP: u32 = 8;

/// Copies `target` out as premultiplied RGBA.
pub(super) fn rgba(
    gpu: &Gpu,
    mut encoder: wgpu::CommandEncoder,
    target: &wgpu::Texture,
) -> Result<Frame, RenderError> {
    let (width, height) = (target.width(), target.height());
    let stride = (width * 4).next_multiple_of(wgpu::COPY_BYTES_PER_ROW_ALIGNMENT);
    let size = u64::from(stride) * u64::from(height);
    let usage = wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::MAP_READ;
    let staging = gpu.buffer("staging", size, usage);
    encoder.copy_texture_to_buffer(
        target.as_image_copy(),
        wgpu::TexelCopyBufferInfo {
            buffer: &staging,
            layout: wgpu::TexelCopyBufferLayout {
                offset: 0,
                bytes_per_row: Some(stride),
                rows_per_image: Some(height),
            },
        },
        target.size(),
    );
    let pixels = gpu.read(encoder, &staging, |bytes| {
        let row = index(width) * 4;
        let mut pixels = Vec::with_capacity(row * index(height));
        for line in bytes.chunks_exact(index(stride)) {
            pixels.extend_from_slice(&line[..row]);
        }
        pixels
    })?;
    Ok(rgba_frame(width, height, pixels))
}

/// Converts `target` to I420 of even size and copies the planes out.
pub(super) fn i420(
    gpu: &Gpu,
    pipelines: &Pipelines,
    mut encoder: wgpu::CommandEncoder,
    target: &wgpu::Texture,
) -> Result<Frame, RenderError> {
    let (width, height) = (even(target.width()), even(target.height()));
    let luma_stride = width.next_multiple_of(BLOCK);
    let luma = luma_stride * height;
    let chroma = luma / 4;
    let size = u64::from(luma) + 2 * u64::from(chroma);
    let last = |length: u32| i32::try_from(length).unwrap_or(i32::MAX) - 1;
    let blocks = [luma_stride / BLOCK, height / 2];
    let params = RgbToYuv {
        last: [last(target.width()), last(target.height())],
        blocks,
        luma_words: luma_stride / 4,
        u_start: luma / 4,
        v_start: (luma + chroma) / 4,
        padding: 0,
    };
    let bytes = bytemuck::bytes_of(&params);
    let usage = wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST;
    let uniform_size = u64::try_from(bytes.len()).expect("a small struct");
    let uniform = gpu.buffer("conversion", uniform_size, usage);
    gpu.queue.write_buffer(&uniform, 0, bytes);
    let usage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC;
    let planes = gpu.buffer("planes", size, usage);
    let usage = wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::MAP_READ;
    let staging = gpu.buffer("staging", size, usage);
    let view = target.create_view(&wgpu::TextureViewDescriptor::default());
    let group = gpu.device.create_bind_group(&wgpu::BindGroupDescriptor {
        label: Some("canvas"),
        layout: &pipelines.canvas_planes,
        entries: &[
            wgpu::BindGroupEntry {
                binding: 0,
                resource: uniform.as_entire_binding(),
            },
            wgpu::BindGroupEntry {
                binding: 1,
                resource: wgpu::BindingResource::TextureView(&view),
            },
            wgpu::BindGroupEntry {
                binding: 2,
                resource: planes.as_entire_binding(),
            },
        ],
    });
    {
        let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor {
            label: Some("rgb_to_yuv"),
            timestamp_writes: None,
        });
        pass.set_pipeline(&pipelines.rgb_to_yuv);
        pass.set_bind_group(0, &group, &[]);
        pass.dispatch_workgroups(blocks[0].div_ceil(GROUP), blocks[1].div_ceil(GROUP), 1);
    }
    encoder.copy_buffer_to_buffer(&planes, 0, &staging, 0, size);
    let data = gpu.read(encoder, &staging, Bytes::copy_from_slice)?;
    let (luma, chroma) = (index(luma), index(chroma));
    let plane = |from: usize, length: usize, stride: u32| Plane {
        data: data.slice(from..from + length),
        stride: index(stride),
    };
    Ok(Frame {
        width,
        height,
        format: PixelFormat::I420(YuvColor::OUTPUT),
        planes: vec![
            plane(0, luma, luma_stride),
            plane(luma, chroma, luma_stride / 2),
            plane(luma + chroma, chroma, luma_stride / 2),
        ],
    })
}
