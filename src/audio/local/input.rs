//! Inputs of the computer's own sound system: microphones, and whatever else can be recorded from.

use std::sync::{Arc, atomic::AtomicBool};

use cpal::{
    BufferSize, Device, ErrorKind, FromSample, Sample, SampleFormat, SizedSample, StreamConfig, SupportedStreamConfig,
    traits::{DeviceTrait, HostTrait, StreamTrait},
};

use super::{CONVERTED, Open, failed};
use crate::{
    Error, Result,
    audio::{DeviceInfo, Drain, DrainMaker, Format, Stream, go_ahead},
};

pub(super) fn list() -> Result<Vec<DeviceInfo>> {
    let host = cpal::default_host();
    let default = host.default_input_device().and_then(|device| device.id().ok());
    let devices = host.input_devices().map_err(|why| unusable(&why))?;
    let info = |device: Device| {
        let id = device.id().ok()?;
        let is_default = Some(&id) == default.as_ref();
        Some(DeviceInfo { id: id.to_string(), name: device.to_string(), is_default })
    };
    Ok(devices.filter_map(info).collect())
}

pub(super) fn open(input: Option<&str>, frames: u32, drain: &mut DrainMaker<'_>) -> Result<Box<dyn Stream>> {
    let host = cpal::default_host();
    let chosen = input.and_then(|wanted| {
        host.input_devices().ok()?.find(|device| device.id().is_ok_and(|id| id.to_string() == wanted))
    });
    let device = chosen.or_else(|| host.default_input_device()).ok_or_else(nothing)?;
    let config = device.default_input_config().map_err(|why| unusable(&why))?;
    let format = Format { sample_rate_hz: config.sample_rate(), channels: usize::from(config.channels()).max(1) };
    let lost = Arc::new(AtomicBool::new(false));
    let stream = start(&device, &config, BufferSize::Fixed(frames), drain(format), &lost)
        // Some systems let nobody choose.
        .or_else(|_| start(&device, &config, BufferSize::Default, drain(format), &lost))?;
    Ok(Box::new(Open { _stream: stream, lost }))
}

fn start(
    device: &Device,
    config: &SupportedStreamConfig,
    buffer_size: BufferSize,
    drain: Drain,
    lost: &Arc<AtomicBool>,
) -> Result<cpal::Stream> {
    let plain = StreamConfig { channels: config.channels(), sample_rate: config.sample_rate(), buffer_size };
    let stream = match config.sample_format() {
        SampleFormat::F32 => build::<f32>(device, plain, drain, lost),
        SampleFormat::F64 => build::<f64>(device, plain, drain, lost),
        SampleFormat::I8 => build::<i8>(device, plain, drain, lost),
        SampleFormat::I16 => build::<i16>(device, plain, drain, lost),
        SampleFormat::I24 => build::<cpal::I24>(device, plain, drain, lost),
        SampleFormat::I32 => build::<i32>(device, plain, drain, lost),
        SampleFormat::U8 => build::<u8>(device, plain, drain, lost),
        SampleFormat::U16 => build::<u16>(device, plain, drain, lost),
        other => {
            return Err(Error::new(
                format!("The input gives samples as {other}, which Atelier cannot take; choose another one."),
                format!("输入设备给出 {other} 格式的采样，Atelier 不支持，请另选。"),
            ));
        }
    }
    .map_err(|why| unusable(&why))?;
    stream.play().map_err(|why| unusable(&why))?;
    Ok(stream)
}

fn build<T: SizedSample>(
    device: &Device,
    config: StreamConfig,
    mut drain: Drain,
    lost: &Arc<AtomicBool>,
) -> std::result::Result<cpal::Stream, cpal::Error>
where
    f32: FromSample<T>,
{
    let channels = usize::from(config.channels).max(1);
    // Whole frames at a time; nobody has a device with more channels than fit.
    let step = (CONVERTED / channels).max(1) * channels;
    let mut begun = false;
    let take = move |given: &[T], _: &cpal::InputCallbackInfo| {
        if !std::mem::replace(&mut begun, true) {
            go_ahead();
        }
        let mut samples = [0.0_f32; CONVERTED];
        for part in given.chunks(step) {
            if let Some(samples) = samples.get_mut(..part.len()) {
                samples.iter_mut().zip(part).for_each(|(to, from)| *to = f32::from_sample(*from));
                drain.take(samples);
            }
        }
    };
    device.build_input_stream(config, take, failed(lost.clone()), None)
}

fn nothing() -> Error {
    Error::new(
        "There is no sound input; plug in or switch on a microphone or an instrument, then try again.",
        "没有声音输入设备；请接入或打开麦克风或乐器后重试。",
    )
}

fn unusable(why: &cpal::Error) -> Error {
    match why.kind() {
        ErrorKind::PermissionDenied => Error::new(
            "Atelier may not record; allow it to use the microphone in the system's privacy settings, then try again.",
            "Atelier 没有录音权限；请在系统的隐私设置中允许使用麦克风后重试。",
        ),
        _ => Error::new(
            format!("The sound input cannot be used: {why} Choose another one, or check the system's sound settings."),
            format!("无法使用声音输入设备：{why} 请另选设备，或检查系统的声音设置。"),
        ),
    }
}
