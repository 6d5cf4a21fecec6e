//! The steps in time.

use super::{
    BLOCK, Entry, Last, MOST_VOICES, Network, Voice,
    int8::UNIT,
    pack::{Form, Input},
};
use crate::kernels::{
    elementwise::math,
    exec::vectorised,
    vector::{LANES, Vector},
};

impl Network {
    /// Sets the slow condition of a voice from its next block on.
    ///
    /// # Panics
    /// If `condition` has another length than the network's sizes say.
    pub fn set_frame(&self, voice: &mut Voice, condition: &[f32]) {
        assert_eq!(condition.len(), self.sizes.slow_condition, "a condition of another length");
        // SAFETY: the lengths are those that the voice was made with.
        unsafe { frame(self.level, self, voice, condition) };
    }

    /// Begins a block of [`BLOCK`] samples of a voice; `fast` is their condition, sample after sample.
    ///
    /// # Panics
    /// If `fast` has another length, or the voice is in the middle of a block.
    pub fn begin_block(&self, voice: &mut Voice, fast: &[f32]) {
        assert_eq!(fast.len(), BLOCK * self.sizes.fast_condition, "a condition of another length");
        assert!(voice.time.is_multiple_of(BLOCK), "a block begins where one ends");
        // SAFETY: the lengths are checked, the rest is as the voice was made.
        unsafe { known(self.level, self, voice, fast) };
    }

    /// Computes the outputs for the next sample of each voice, in one pass over the weights. `last` is the sample before.
    /// Every voice must be at the same place of its block.
    ///
    /// # Panics
    /// If there are more than [`MOST_VOICES`] voices, or a sample is no class of the network, or none of its kind.
    pub fn step(&self, voices: &mut [&mut Voice], last: &[Last]) {
        assert!(voices.len() == last.len() && voices.len() <= MOST_VOICES, "too many voices");
        let fits = |last: &Last| match *last {
            Last::Class(class) => self.sizes.entry == Entry::Classes && class < self.sizes.outputs,
            Last::Value(_) => self.sizes.entry == Entry::Value,
        };
        assert!(last.iter().all(fits), "a sample of another kind");
        let place = |voice: &&mut Voice| voice.time % BLOCK;
        assert!(voices.windows(2).all(|pair| place(&pair[0]) == place(&pair[1])), "voices at different places");
        // SAFETY: every voice has the lengths of this network; samples fit it.
        unsafe {
            match voices {
                [] => {}
                [a] => sample_1(self.level, self, [*a as *mut Voice], [last[0]]),
                [a, b] => sample_2(self.level, self, [*a, *b], [last[0], last[1]]),
                [a, b, c] => sample_3(self.level, self, [*a, *b, *c], [last[0], last[1], last[2]]),
                [a, b, c, d, ..] => {
                    sample_4(self.level, self, [*a, *b, *c, *d], [last[0], last[1], last[2], last[3]]);
                }
            }
        }
    }
}

vectorised! {
    /// # Safety
    /// The voice must have been made by the network, and the condition have the length of its slow condition.
    unsafe fn frame = frame_body(net: &Network, voice: &mut Voice, condition: &[f32])
}

#[inline(always)]
unsafe fn frame_body<V: Vector>(net: &Network, voice: &mut Voice, condition: &[f32]) {
    let width = 2 * net.sizes.channels;
    for (layer, sum) in net.layers.iter().zip(voice.frame.chunks_exact_mut(width)) {
        sum.copy_from_slice(&layer.tap_bias);
        // SAFETY: `sum` has the layer's outputs, `condition` its inputs.
        unsafe { layer.slow.multiply::<V, 1>([Input::floats(condition)], [sum.as_mut_ptr()]) };
    }
}

vectorised! {
    /// # Safety
    /// The voice must have been made by the network, and the condition have the length of a block of fast conditions.
    unsafe fn known = known_body(net: &Network, voice: &mut Voice, fast: &[f32])
}

#[inline(always)]
unsafe fn known_body<V: Vector>(net: &Network, voice: &mut Voice, fast: &[f32]) {
    /// Moments that share a pass over the weights.
    const TOGETHER: usize = 4;
    let inputs = net.sizes.fast_condition;
    let width = 2 * net.sizes.channels;
    let mut conditions = [Input::floats(&[]); BLOCK];
    for (i, condition) in conditions.iter_mut().enumerate() {
        let words = net.form.words(inputs);
        let room = &mut voice.room[i * words..(i + 1) * words];
        *condition = net.form.input::<V>(&fast[i * inputs..(i + 1) * inputs], room);
    }
    let frames = voice.frame.chunks_exact(width);
    let blocks = voice.known.chunks_exact_mut(BLOCK * width);
    for (((layer, ring), frame), block) in net.layers.iter().zip(&voice.rings).zip(frames).zip(blocks) {
        block.chunks_exact_mut(width).for_each(|sum| sum.copy_from_slice(frame));
        for first in (0..BLOCK).step_by(TOGETHER) {
            let sums: [*mut f32; TOGETHER] =
                std::array::from_fn(|i| block[(first + i) * width..(first + i + 1) * width].as_mut_ptr());
            let x = std::array::from_fn(|i| conditions[first + i]);
            // SAFETY: the sums are parts of their own of `block`, as wide as the layer has outputs; `x` are conditions.
            unsafe { layer.fast.multiply::<V, TOGETHER>(x, sums) };
            if layer.dilation >= BLOCK {
                let x = std::array::from_fn(|i| moment(net, ring, voice.time + first + i, layer.dilation));
                // SAFETY: as above; `x` are moments.
                unsafe { layer.old_tap.multiply::<V, TOGETHER>(x, sums) };
            }
        }
    }
}

/// The moment `ago` samples before `time`; nothing before the beginning, where the ring still holds zeros.
#[inline(always)]
fn moment(net: &Network, ring: &super::Ring, time: usize, ago: usize) -> Input {
    let (at, words) = (time.wrapping_sub(ago) & ring.mask, net.form.words(net.sizes.channels));
    Input { numbers: ring.moments[at * words..(at + 1) * words].as_ptr(), scale: ring.scales[at] }
}

macro_rules! samples {
    ($($name:ident = $body:ident, $voices:literal;)*) => {$(
        vectorised! {
            /// # Safety
            /// The voices must be different ones made by the network, and the samples fit it.
            unsafe fn $name = $body(net: &Network, voices: [*mut Voice; $voices], last: [Last; $voices])
        }

        #[inline(always)]
        unsafe fn $body<V: Vector>(net: &Network, voices: [*mut Voice; $voices], last: [Last; $voices]) {
            // SAFETY: the caller's promise, passed on.
            unsafe { sample::<V, $voices>(net, voices, last) }
        }
    )*};
}
samples! {
    sample_1 = sample_1_body, 1;
    sample_2 = sample_2_body, 2;
    sample_3 = sample_3_body, 3;
    sample_4 = sample_4_body, 4;
}

#[inline(always)]
/// # Safety
/// The voices must be different ones made by the network, and the samples fit it.
unsafe fn sample<V: Vector, const VOICES: usize>(net: &Network, voices: [*mut Voice; VOICES], last: [Last; VOICES]) {
    let r = net.sizes.channels;
    // SAFETY: the caller promises different voices that nobody else uses.
    let mut voices: [&mut Voice; VOICES] = voices.map(|voice| unsafe { &mut *voice });
    for (voice, last) in voices.iter_mut().zip(last) {
        match last {
            Last::Class(class) => copy::<V>(&mut voice.h, &net.entry[class * r..(class + 1) * r]),
            Last::Value(value) => {
                let (weight, bias) = net.entry.split_at(r);
                let rows = weight.chunks_exact(LANES).zip(bias.chunks_exact(LANES));
                for (h, (weight, bias)) in voice.h.chunks_exact_mut(LANES).zip(rows) {
                    // SAFETY: eight floats each.
                    unsafe {
                        let row = V::splat(value).mul_add(V::load(weight.as_ptr()), V::load(bias.as_ptr()));
                        row.store(h.as_mut_ptr());
                    }
                }
            }
        }
    }
    let words = net.form.words(r);
    for (index, layer) in net.layers.iter().enumerate() {
        let mut sums = [std::ptr::null_mut(); VOICES];
        for (voice, sums) in voices.iter_mut().zip(&mut sums) {
            let ring = &mut voice.rings[index];
            let at = voice.time & ring.mask;
            ring.scales[at] = net.form.write::<V>(&voice.h, &mut ring.moments[at * words..(at + 1) * words]);
            let at = (index * BLOCK + voice.time % BLOCK) * 2 * r;
            *sums = voice.known[at..at + 2 * r].as_mut_ptr();
        }
        if layer.dilation < BLOCK {
            let x = std::array::from_fn(|v| moment(net, &voices[v].rings[index], voices[v].time, layer.dilation));
            // SAFETY: buffers of a voice have the sizes of the network and do not overlap, here and below.
            unsafe { layer.old_tap.multiply::<V, VOICES>(x, sums) };
        }
        let h = std::array::from_fn(|v| moment(net, &voices[v].rings[index], voices[v].time, 0));
        // SAFETY: as above.
        unsafe { layer.new_tap.multiply::<V, VOICES>(h, sums) };
        for voice in &mut voices {
            let at = (index * BLOCK + voice.time % BLOCK) * 2 * r;
            let (a, b) = voice.known[at..at + 2 * r].split_at(r);
            gate::<V>(net.form, a, b, &mut voice.z[index * words..(index + 1) * words]);
            for (h, bias) in voice.h.chunks_exact_mut(LANES).zip(layer.mix_bias.chunks_exact(LANES)) {
                // SAFETY: eight floats each.
                unsafe { V::load(h.as_ptr()).add(V::load(bias.as_ptr())).store(h.as_mut_ptr()) };
            }
        }
        let z = std::array::from_fn(|v| gated(&voices[v].z[index * words..(index + 1) * words]));
        let h = std::array::from_fn(|v| voices[v].h.as_mut_ptr());
        // SAFETY: as above.
        unsafe { layer.mix.multiply::<V, VOICES>(z, h) };
    }
    // SAFETY: as above.
    unsafe { head::<V, VOICES>(net, &mut voices) };
    for voice in voices {
        voice.time += 1;
    }
}

/// What [`gate`] has written, as inputs.
#[inline(always)]
fn gated(z: &[u32]) -> Input {
    Input { numbers: z.as_ptr(), scale: 1.0 / UNIT }
}

/// `z = tanh(a) · sigmoid(b)`, whole vectors; `z` in the form of inputs.
#[inline(always)]
fn gate<V: Vector>(form: Form, a: &[f32], b: &[f32], z: &mut [u32]) {
    /// Vectors that are on their way together: one alone is mostly waited for.
    const TOGETHER: usize = 2;
    assert!(a.len() == b.len() && a.len().is_multiple_of(LANES) && z.len() == form.words(a.len()));
    let mut at = 0;
    while at + TOGETHER * LANES <= a.len() {
        // SAFETY: as many floats as vectors have.
        unsafe { gate_some::<V, TOGETHER>(form, a.as_ptr().add(at), b.as_ptr().add(at), z.as_mut_ptr(), at) };
        at += TOGETHER * LANES;
    }
    if at < a.len() {
        // SAFETY: eight floats.
        unsafe { gate_some::<V, 1>(form, a.as_ptr().add(at), b.as_ptr().add(at), z.as_mut_ptr(), at) };
    }
}

/// # Safety
/// `N` vectors must be readable at `a` and `b`, and as many numbers writable from number `at` of `z`.
#[inline(always)]
unsafe fn gate_some<V: Vector, const N: usize>(form: Form, a: *const f32, b: *const f32, z: *mut u32, at: usize) {
    let (mut x, mut y) = ([V::zero(); N], [V::zero(); N]);
    // SAFETY: the caller's promise.
    unsafe {
        for i in 0..N {
            (x[i], y[i]) = (V::load(a.add(i * LANES)), V::load(b.add(i * LANES)));
        }
        for (i, value) in math::gated(x, y).into_iter().enumerate() {
            match form {
                Form::Float => value.store(z.cast::<f32>().add(at + i * LANES)),
                Form::Short => value.mul(V::splat(UNIT)).store_short(z.cast::<i16>().add(at + i * LANES)),
            }
        }
    }
}

/// Copies whole vectors, without the call that a slice of unknown length needs.
#[inline(always)]
fn copy<V: Vector>(to: &mut [f32], from: &[f32]) {
    for (to, from) in to.chunks_exact_mut(LANES).zip(from.chunks_exact(LANES)) {
        // SAFETY: eight floats each.
        unsafe { V::load(from.as_ptr()).store(to.as_mut_ptr()) };
    }
}

/// # Safety
/// The voices must have been made by the network.
#[inline(always)]
unsafe fn head<V: Vector, const VOICES: usize>(net: &Network, voices: &mut [&mut Voice; VOICES]) {
    for voice in voices.iter_mut() {
        voice.skip.copy_from_slice(&net.skip_bias);
        voice.hidden.copy_from_slice(&net.head0_bias);
        voice.outputs.copy_from_slice(&net.head1_bias);
    }
    let z = std::array::from_fn(|v| gated(&voices[v].z));
    let skip = std::array::from_fn(|v| voices[v].skip.as_mut_ptr());
    // SAFETY: buffers of a voice have the sizes of the network and do not overlap, here and below.
    unsafe { net.skip.multiply::<V, VOICES>(z, skip) };
    let mut x = [Input::floats(&[]); VOICES];
    for (voice, x) in voices.iter_mut().zip(&mut x) {
        relu(&mut voice.skip);
        *x = net.form.input::<V>(&voice.skip, &mut voice.room);
    }
    let hidden = std::array::from_fn(|v| voices[v].hidden.as_mut_ptr());
    // SAFETY: as above.
    unsafe { net.head0.multiply::<V, VOICES>(x, hidden) };
    for (voice, x) in voices.iter_mut().zip(&mut x) {
        relu(&mut voice.hidden);
        *x = net.form.input::<V>(&voice.hidden, &mut voice.room);
    }
    let outputs = std::array::from_fn(|v| voices[v].outputs.as_mut_ptr());
    // SAFETY: as above.
    unsafe { net.head1.multiply::<V, VOICES>(x, outputs) };
}

#[inline(always)]
fn relu(values: &mut [f32]) {
    values.iter_mut().for_each(|value| *value = value.max(0.0));
}
