//! The computer's own sound system, through cpal.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use cpal::{
    BufferSize, Device, ErrorKind, FromSample, SampleFormat, SizedSample, StreamConfig, SupportedStreamConfig,
    traits::{DeviceTrait, HostTrait, StreamTrait},
};

use super::{DeviceInfo, DrainMaker, Feed, FeedMaker, Format, Sound, Stream, go_ahead};
use crate::{Error, Result};

mod input;

/// Samples converted to another kind of number at a time, on the stack.
const CONVERTED: usize = 256;

/// Devices of this computer.
#[derive(Clone, Copy, Debug, Default)]
pub struct LocalSound;

impl Sound for LocalSound {
    fn outputs(&self) -> Result<Vec<DeviceInfo>> {
        let host = cpal::default_host();
        let default = host.default_output_device().and_then(|device| device.id().ok());
        let devices = host.output_devices().map_err(|why| no_device(&why))?;
        let info = |device: Device| {
            let id = device.id().ok()?;
            let is_default = Some(&id) == default.as_ref();
            Some(DeviceInfo { id: id.to_string(), name: device.to_string(), is_default })
        };
        Ok(devices.filter_map(info).collect())
    }

    fn open(&self, output: Option<&str>, frames: u32, feed: &mut FeedMaker<'_>) -> Result<Box<dyn Stream>> {
        let host = cpal::default_host();
        let chosen = output.and_then(|wanted| {
            host.output_devices().ok()?.find(|device| device.id().is_ok_and(|id| id.to_string() == wanted))
        });
        let device = chosen.or_else(|| host.default_output_device()).ok_or_else(nothing)?;
        let config = device.default_output_config().map_err(|why| no_device(&why))?;
        let format = Format { sample_rate_hz: config.sample_rate(), channels: usize::from(config.channels()).max(1) };
        let lost = Arc::new(AtomicBool::new(false));
        let stream = start(&device, &config, BufferSize::Fixed(frames), feed(format), &lost)
            // Some systems let nobody choose.
            .or_else(|_| start(&device, &config, BufferSize::Default, feed(format), &lost))?;
        Ok(Box::new(Open { _stream: stream, lost }))
    }

    fn inputs(&self) -> Result<Vec<DeviceInfo>> {
        input::list()
    }

    fn listen(&self, input: Option<&str>, frames: u32, drain: &mut DrainMaker<'_>) -> Result<Box<dyn Stream>> {
        input::open(input, frames, drain)
    }
}

struct Open {
    /// Plays or records until it is dropped.
    _stream: cpal::Stream,
    lost: Arc<AtomicBool>,
}

impl Stream for Open {
    fn is_lost(&self) -> bool {
        self.lost.load(Ordering::Relaxed)
    }
}

fn start(
    device: &Device,
    config: &SupportedStreamConfig,
    buffer_size: BufferSize,
    feed: Feed,
    lost: &Arc<AtomicBool>,
) -> Result<cpal::Stream> {
    let plain = StreamConfig { channels: config.channels(), sample_rate: config.sample_rate(), buffer_size };
    let stream = match config.sample_format() {
        SampleFormat::F32 => build::<f32>(device, plain, feed, lost),
        SampleFormat::F64 => build::<f64>(device, plain, feed, lost),
        SampleFormat::I8 => build::<i8>(device, plain, feed, lost),
        SampleFormat::I16 => build::<i16>(device, plain, feed, lost),
        SampleFormat::I24 => build::<cpal::I24>(device, plain, feed, lost),
        SampleFormat::I32 => build::<i32>(device, plain, feed, lost),
        SampleFormat::U8 => build::<u8>(device, plain, feed, lost),
        SampleFormat::U16 => build::<u16>(device, plain, feed, lost),
        other => {
            return Err(Error::new(
                format!("The sound device wants samples as {other}, which Atelier cannot give; choose another device."),
                format!("音频设备要求 {other} 格式的采样，Atelier 不支持，请另选设备。"),
            ));
        }
    }
    .map_err(|why| no_device(&why))?;
    stream.play().map_err(|why| no_device(&why))?;
    Ok(stream)
}

fn build<T: SizedSample + FromSample<f32>>(
    device: &Device,
    config: StreamConfig,
    mut feed: Feed,
    lost: &Arc<AtomicBool>,
) -> std::result::Result<cpal::Stream, cpal::Error> {
    let lost = lost.clone();
    let channels = usize::from(config.channels).max(1);
    // Whole frames at a time.
    let step = (CONVERTED / channels).max(1) * channels;
    let mut begun = false;
    let fill = move |out: &mut [T], _: &cpal::OutputCallbackInfo| {
        if !std::mem::replace(&mut begun, true) {
            go_ahead();
        }
        let mut samples = [0.0_f32; CONVERTED];
        for part in out.chunks_mut(step) {
            match samples.get_mut(..part.len()) {
                Some(samples) => {
                    feed.fill(samples);
                    part.iter_mut().zip(samples).for_each(|(out, sample)| *out = T::from_sample(*sample));
                }
                // A frame of more channels than fit: nobody has such a device.
                None => part.fill(T::EQUILIBRIUM),
            }
        }
    };
    device.build_output_stream(config, fill, failed(lost), None)
}

/// Notes that a device has gone.
fn failed(lost: Arc<AtomicBool>) -> impl FnMut(cpal::Error) + Send + 'static {
    move |why| {
        if matches!(
            why.kind(),
            ErrorKind::DeviceNotAvailable | ErrorKind::StreamInvalidated | ErrorKind::HostUnavailable
        ) {
            lost.store(true, Ordering::Relaxed);
        }
    }
}

fn nothing() -> Error {
    Error::new(
        "There is no sound device; plug in or switch on speakers or headphones, then try again. Files can be saved without.",
        "没有音频设备；请接入或打开扬声器或耳机后重试。没有设备也可以保存文件。",
    )
}

fn no_device(why: &cpal::Error) -> Error {
    Error::new(
        format!("The sound device cannot be used: {why} Choose another one, or check the system's sound settings."),
        format!("无法使用音频设备：{why} 请另选设备，或检查系统的声音设置。"),
    )
}
