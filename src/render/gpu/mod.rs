//! The compositor on a GPU: the reference's formulas as WGSL. One per worker thread; nothing
//! of `wgpu` leaves this folder.

mod device;
mod draw;
mod pipelines;
mod readback;
mod textures;

use device::Gpu;
use draw::Drawing;
use pipelines::Pipelines;
use textures::TextureCache;

use super::pixels::premultiplied;
use super::{Compositor, Picture, PixelRect, RenderError};
use crate::media::Frame;
use crate::timeline::DrawList;

/// Draws through `wgpu`.
#[derive(Debug)]
pub struct GpuCompositor {
    gpu: Gpu,
    pipelines: Pipelines,
    textures: TextureCache,
    target: Option<wgpu::Texture>,
}

impl GpuCompositor {
    /// Opens an adapter: `auto` takes the fastest there is, anything else the first whose
    /// name or driver contains it, in any case.
    ///
    /// # Errors
    /// [`RenderError::NoAdapter`] naming what was wanted and what there is.
    pub fn new(adapter: &str) -> Result<Self, RenderError> {
        let gpu = Gpu::open(adapter)?;
        let pipelines = Pipelines::new(&gpu);
        gpu.check()?;
        Ok(Self {
            gpu,
            pipelines,
            textures: TextureCache::new(),
            target: None,
        })
    }

    /// Whether the adapter computes on the processor: touched rectangles pay off there.
    #[must_use]
    pub fn is_software(&self) -> bool {
        self.gpu.is_software()
    }

    /// Draws `region` into the target, which it answers, without waiting for it.
    fn compose(
        &mut self,
        list: &DrawList,
        pictures: &[Picture],
        region: PixelRect,
        encoder: &mut wgpu::CommandEncoder,
    ) -> Result<wgpu::Texture, RenderError> {
        let target = self.target(region.width, region.height)?;
        self.textures.begin();
        let mut drawing = Drawing::new(region);
        for (layer, picture) in list.layers.iter().zip(pictures) {
            let Some(uniform) = drawing.layer(list, layer, picture) else {
                continue;
            };
            let view =
                self.textures
                    .view(&self.gpu, &self.pipelines, encoder, layer.element, picture)?;
            drawing.push(uniform, view);
        }
        let background = premultiplied(list.background);
        drawing.record(&self.gpu, &self.pipelines, encoder, &target, background);
        self.textures.end();
        Ok(target)
    }

    /// A target of the wanted size: the last one if it fits.
    fn target(&mut self, width: u32, height: u32) -> Result<wgpu::Texture, RenderError> {
        if let Some(target) = &self.target
            && (target.width(), target.height()) == (width, height)
        {
            return Ok(target.clone());
        }
        let usage = wgpu::TextureUsages::RENDER_ATTACHMENT
            | wgpu::TextureUsages::COPY_SRC
            | wgpu::TextureUsages::TEXTURE_BINDING;
        let format = wgpu::TextureFormat::Rgba8Unorm;
        let target = self.gpu.texture("target", width, height, format, usage)?;
        self.target = Some(target.clone());
        Ok(target)
    }
}

impl Compositor for GpuCompositor {
    fn draw(
        &mut self,
        list: &DrawList,
        pictures: &[Picture],
        region: PixelRect,
    ) -> Result<Frame, RenderError> {
        let mut encoder = self.gpu.encoder();
        let target = self.compose(list, pictures, region, &mut encoder)?;
        readback::rgba(&self.gpu, encoder, &target)
    }

    fn draw_i420(&mut self, list: &DrawList, pictures: &[Picture]) -> Result<Frame, RenderError> {
        let whole = PixelRect {
            x: 0,
            y: 0,
            width: list.width,
            height: list.height,
        };
        let mut encoder = self.gpu.encoder();
        let target = self.compose(list, pictures, whole, &mut encoder)?;
        readback::i420(&self.gpu, &self.pipelines, encoder, &target)
    }

    fn fingerprint(&self) -> String {
        self.gpu.fingerprint()
    }
}
