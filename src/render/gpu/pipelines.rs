//! The shader catalogue as pipelines, made once a device.

use super::device::Gpu;
use shaders::Shader;
use shaders::uniforms::{Layer, RgbToYuv, YuvToRgb};
use wgpu::{BindGroupLayout, BindGroupLayoutEntry, BindingType, ShaderStages};

/// Every pipeline, with the layouts of what is bound to it.
#[derive(Debug)]
pub(super) struct Pipelines {
    /// Whole-pixel copies.
    pub(super) copy: wgpu::RenderPipeline,
    /// Enlarged or turned.
    pub(super) bilinear: wgpu::RenderPipeline,
    /// Reduced.
    pub(super) tent: wgpu::RenderPipeline,
    /// Group 0 of the three above: the layer's uniform, at a dynamic offset.
    pub(super) layer_uniform: BindGroupLayout,
    /// Group 1: the picture.
    pub(super) layer_picture: BindGroupLayout,
    /// Planes to RGBA.
    pub(super) yuv_to_rgb: wgpu::RenderPipeline,
    /// Its group 0.
    pub(super) yuv_planes: BindGroupLayout,
    /// Canvas to planes.
    pub(super) rgb_to_yuv: wgpu::ComputePipeline,
    /// Its group 0.
    pub(super) canvas_planes: BindGroupLayout,
}

impl Pipelines {
    pub(super) fn new(gpu: &Gpu) -> Self {
        let both = ShaderStages::VERTEX_FRAGMENT;
        let fragment = ShaderStages::FRAGMENT;
        let compute = ShaderStages::COMPUTE;
        let layer_uniform = bindings(gpu, "layer", &[uniform(0, both, Layer::SIZE, true)]);
        let layer_picture = bindings(gpu, "picture", &[texture(0, fragment)]);
        let yuv_planes = bindings(
            gpu,
            "planes",
            &[
                uniform(0, fragment, YuvToRgb::SIZE, false),
                texture(1, fragment),
                texture(2, fragment),
                texture(3, fragment),
            ],
        );
        let canvas_planes = bindings(
            gpu,
            "canvas",
            &[
                uniform(0, compute, RgbToYuv::SIZE, false),
                texture(1, compute),
                BindGroupLayoutEntry {
                    binding: 2,
                    visibility: compute,
                    ty: BindingType::Buffer {
                        ty: wgpu::BufferBindingType::Storage { read_only: false },
                        has_dynamic_offset: false,
                        min_binding_size: None,
                    },
                    count: None,
                },
            ],
        );
        let composite = module(gpu, &shaders::COMPOSITE);
        let over = Some(wgpu::BlendState::PREMULTIPLIED_ALPHA_BLENDING);
        let layer = |entry| {
            let groups = [Some(&layer_uniform), Some(&layer_picture)];
            render(gpu, &composite, ("vs_layer", entry), &groups, over)
        };
        let convert = module(gpu, &shaders::YUV_TO_RGB);
        let entries = ("vs_fullscreen", "fs_yuv_to_rgb");
        let yuv_to_rgb = render(gpu, &convert, entries, &[Some(&yuv_planes)], None);
        let rgb_to_yuv = gpu
            .device
            .create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
                label: Some("rgb_to_yuv"),
                layout: Some(&layout(gpu, &[Some(&canvas_planes)])),
                module: &module(gpu, &shaders::RGB_TO_YUV),
                entry_point: Some("cs_rgb_to_yuv"),
                compilation_options: wgpu::PipelineCompilationOptions::default(),
                cache: None,
            });
        Self {
            copy: layer("fs_copy"),
            bilinear: layer("fs_bilinear"),
            tent: layer("fs_tent"),
            layer_uniform,
            layer_picture,
            yuv_to_rgb,
            yuv_planes,
            rgb_to_yuv,
            canvas_planes,
        }
    }
}

fn module(gpu: &Gpu, shader: &Shader) -> wgpu::ShaderModule {
    gpu.device
        .create_shader_module(wgpu::ShaderModuleDescriptor {
            label: Some(shader.name),
            source: wgpu::ShaderSource::Wgsl(shader.source().into()),
        })
}

fn layout(gpu: &Gpu, groups: &[Option<&BindGroupLayout>]) -> wgpu::PipelineLayout {
    gpu.device
        .create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: None,
            bind_group_layouts: groups,
            immediate_size: 0,
        })
}

fn render(
    gpu: &Gpu,
    module: &wgpu::ShaderModule,
    (vertex, fragment): (&str, &str),
    groups: &[Option<&BindGroupLayout>],
    blend: Option<wgpu::BlendState>,
) -> wgpu::RenderPipeline {
    gpu.device
        .create_render_pipeline(&wgpu::RenderPipelineDescriptor {
            label: Some(fragment),
            layout: Some(&layout(gpu, groups)),
            vertex: wgpu::VertexState {
                module,
                entry_point: Some(vertex),
                compilation_options: wgpu::PipelineCompilationOptions::default(),
                buffers: &[],
            },
            primitive: wgpu::PrimitiveState::default(),
            depth_stencil: None,
            multisample: wgpu::MultisampleState::default(),
            fragment: Some(wgpu::FragmentState {
                module,
                entry_point: Some(fragment),
                compilation_options: wgpu::PipelineCompilationOptions::default(),
                targets: &[Some(wgpu::ColorTargetState {
                    format: wgpu::TextureFormat::Rgba8Unorm,
                    blend,
                    write_mask: wgpu::ColorWrites::ALL,
                })],
            }),
            multiview_mask: None,
            cache: None,
        })
}

fn bindings(gpu: &Gpu, label: &str, entries: &[BindGroupLayoutEntry]) -> BindGroupLayout {
    gpu.device
        .create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
            label: Some(label),
            entries,
        })
}

fn uniform(
    binding: u32,
    visibility: ShaderStages,
    size: usize,
    dynamic: bool,
) -> BindGroupLayoutEntry {
    BindGroupLayoutEntry {
        binding,
        visibility,
        ty: BindingType::Buffer {
            ty: wgpu::BufferBindingType::Uniform,
            has_dynamic_offset: dynamic,
            min_binding_size: u64::try_from(size).ok().and_then(std::num::NonZeroU64::new),
        },
        count: None,
    }
}

fn texture(binding: u32, visibility: ShaderStages) -> BindGroupLayoutEntry {
    BindGroupLayoutEntry {
        binding,
        visibility,
        ty: BindingType::Texture {
            sample_type: wgpu::TextureSampleType::Float { filterable: false },
            view_dimension: wgpu::TextureViewDimension::D2,
            multisampled: false,
        },
        count: None,
    }
}
