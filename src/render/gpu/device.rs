//! The adapter and its device: choice, limits, loss. Every wait on the device is here and
//! has a deadline.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::render::RenderError;

/// A frame takes milliseconds, on a processor a second; a device silent for longer is gone.
const DEADLINE: Duration = Duration::from_secs(30);

/// An open device.
#[derive(Debug)]
pub(super) struct Gpu {
    pub(super) device: wgpu::Device,
    pub(super) queue: wgpu::Queue,
    info: wgpu::AdapterInfo,
    max_side: u32,
    trouble: Arc<Mutex<Option<Trouble>>>,
}

/// What the device reported between two looks.
#[derive(Debug, Clone)]
enum Trouble {
    Lost(String),
    Memory(String),
}

impl Gpu {
    pub(super) fn open(wanted: &str) -> Result<Self, RenderError> {
        let mut description = wgpu::InstanceDescriptor::new_without_display_handle();
        description.backends = wgpu::Backends::VULKAN;
        let instance = wgpu::Instance::new(description);
        let adapter = choose(&instance, wanted)?;
        let info = adapter.get_info();
        let limits = adapter.limits();
        let max_side = limits.max_texture_dimension_2d;
        let request = wgpu::DeviceDescriptor {
            label: Some("framelane"),
            required_limits: limits,
            ..Default::default()
        };
        let (device, queue) = pollster::block_on(adapter.request_device(&request))
            .map_err(|error| RenderError::NoAdapter(format!("{}: {error}", info.name)))?;
        let trouble = Arc::new(Mutex::new(None));
        let lost = Arc::clone(&trouble);
        device.set_device_lost_callback(move |_, message| {
            report(&lost, Trouble::Lost(message));
        });
        let failed = Arc::clone(&trouble);
        device.on_uncaptured_error(Arc::new(move |error| {
            report(
                &failed,
                match error {
                    wgpu::Error::OutOfMemory { .. } => Trouble::Memory(error.to_string()),
                    wgpu::Error::Validation { .. } | wgpu::Error::Internal { .. } => {
                        Trouble::Lost(error.to_string())
                    }
                },
            );
        }));
        Ok(Self {
            device,
            queue,
            info,
            max_side,
            trouble,
        })
    }

    pub(super) fn is_software(&self) -> bool {
        self.info.device_type == wgpu::DeviceType::Cpu
    }

    pub(super) fn fingerprint(&self) -> String {
        let info = &self.info;
        format!(
            "{:?}; {}; {:04x}:{:04x}; {}; {}",
            info.backend, info.name, info.vendor, info.device, info.driver, info.driver_info
        )
    }

    pub(super) fn encoder(&self) -> wgpu::CommandEncoder {
        self.device
            .create_command_encoder(&wgpu::CommandEncoderDescriptor::default())
    }

    /// A 2D texture of one level.
    pub(super) fn texture(
        &self,
        label: &str,
        width: u32,
        height: u32,
        format: wgpu::TextureFormat,
        usage: wgpu::TextureUsages,
    ) -> Result<wgpu::Texture, RenderError> {
        if width == 0 || height == 0 || width > self.max_side || height > self.max_side {
            return Err(RenderError::Limit(format!(
                "{label} of {width}×{height}; {} a side is the most",
                self.max_side
            )));
        }
        Ok(self.device.create_texture(&wgpu::TextureDescriptor {
            label: Some(label),
            size: wgpu::Extent3d {
                width,
                height,
                depth_or_array_layers: 1,
            },
            mip_level_count: 1,
            sample_count: 1,
            dimension: wgpu::TextureDimension::D2,
            format,
            usage,
            view_formats: &[],
        }))
    }

    /// A buffer with room for `size` bytes.
    pub(super) fn buffer(&self, label: &str, size: u64, usage: wgpu::BufferUsages) -> wgpu::Buffer {
        self.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some(label),
            size,
            usage,
            mapped_at_creation: false,
        })
    }

    /// Submits `encoder` and hands the bytes of `buffer` to `read` once they are there.
    pub(super) fn read<T>(
        &self,
        encoder: wgpu::CommandEncoder,
        buffer: &wgpu::Buffer,
        read: impl FnOnce(&[u8]) -> T,
    ) -> Result<T, RenderError> {
        let submission = self.queue.submit([encoder.finish()]);
        self.check()?;
        let mapped = Arc::new(Mutex::new(None));
        let answer = Arc::clone(&mapped);
        buffer.map_async(wgpu::MapMode::Read, .., move |result| {
            *answer.lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
        });
        let wait = wgpu::PollType::Wait {
            submission_index: Some(submission),
            timeout: Some(DEADLINE),
        };
        if let Err(error) = self.device.poll(wait) {
            return Err(RenderError::DeviceLost(format!(
                "{error} after {DEADLINE:?}"
            )));
        }
        self.check()?;
        let result = mapped.lock().unwrap_or_else(PoisonError::into_inner).take();
        match result {
            Some(Ok(())) => {}
            Some(Err(error)) => return Err(RenderError::DeviceLost(error.to_string())),
            None => {
                return Err(RenderError::DeviceLost(
                    "a buffer was never mapped".to_owned(),
                ));
            }
        }
        let value = {
            let view = buffer
                .get_mapped_range(..)
                .map_err(|error| RenderError::DeviceLost(error.to_string()))?;
            read(&view)
        };
        buffer.unmap();
        Ok(value)
    }

    /// What the device has complained about since the last look.
    pub(super) fn check(&self) -> Result<(), RenderError> {
        let mut trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        match trouble.clone() {
            None => Ok(()),
            // A lost device stays lost.
            Some(Trouble::Lost(message)) => Err(RenderError::DeviceLost(message)),
            Some(Trouble::Memory(message)) => {
                *trouble = None;
                Err(RenderError::Limit(message))
            }
        }
    }
}

/// Keeps the first trouble: later ones mostly follow from it.
fn report(place: &Mutex<Option<Trouble>>, trouble: Trouble) {
    place
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .get_or_insert(trouble);
}

fn choose(instance: &wgpu::Instance, wanted: &str) -> Result<wgpu::Adapter, RenderError> {
    let mut adapters = pollster::block_on(instance.enumerate_adapters(wgpu::Backends::VULKAN));
    // The fastest kind first; among equals, the system's order.
    adapters.sort_by_key(|adapter| match adapter.get_info().device_type {
        wgpu::DeviceType::DiscreteGpu => 0,
        wgpu::DeviceType::IntegratedGpu => 1,
        wgpu::DeviceType::VirtualGpu => 2,
        wgpu::DeviceType::Cpu => 3,
        wgpu::DeviceType::Other => 4,
    });
    let names: Vec<String> = adapters
        .iter()
        .map(|adapter| adapter.get_info().name)
        .collect();
    let needle = wanted.to_lowercase();
    adapters
        .into_iter()
        .find(|adapter| {
            let info = adapter.get_info();
            wanted == "auto"
                || info.name.to_lowercase().contains(&needle)
                || info.driver.to_lowercase().contains(&needle)
        })
        .ok_or_else(|| {
            RenderError::NoAdapter(if names.is_empty() {
                "this machine has no vulkan driver; a software one (mesa-vulkan-drivers) will do"
                    .to_owned()
            } else {
                format!("none matches `{wanted}`; there are: {}", names.join(", "))
            })
        })
}
