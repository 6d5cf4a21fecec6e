//! The steps in time.

use super::{BLOCK, Layer, MOST_VOICES, Network, Voice};
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

    /// Computes the logits of the next sample of each voice, in one pass over the weights. `last` is the class of the
    /// sample before. Every voice must be at the same place of its block.
    ///
    /// # Panics
    /// If there are none or more than [`MOST_VOICES`] voices, or a class is none.
    pub fn step(&self, voices: &mut [&mut Voice], last: &[usize]) {
        assert!(voices.len() == last.len() && voices.len() <= MOST_VOICES, "too many voices");
        assert!(last.iter().all(|class| *class < self.sizes.classes), "a class that is none");
        let place = |voice: &&mut Voice| voice.time % BLOCK;
        assert!(voices.windows(2).all(|pair| place(&pair[0]) == place(&pair[1])), "voices at different places");
        // SAFETY: every voice has the lengths of this network; classes are inside the embedding.
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
        unsafe { layer.slow.multiply::<V, 1>([condition.as_ptr()], [sum.as_mut_ptr()]) };
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
    let (r, inputs) = (net.sizes.channels, net.sizes.fast_condition);
    let width = 2 * r;
    let frames = voice.frame.chunks_exact(width);
    let blocks = voice.known.chunks_exact_mut(BLOCK * width);
    for (((layer, ring), frame), block) in net.layers.iter().zip(&voice.rings).zip(frames).zip(blocks) {
        block.chunks_exact_mut(width).for_each(|sum| sum.copy_from_slice(frame));
        for first in (0..BLOCK).step_by(TOGETHER) {
            let sums: [*mut f32; TOGETHER] =
                std::array::from_fn(|i| block[(first + i) * width..(first + i + 1) * width].as_mut_ptr());
            let x = std::array::from_fn(|i| fast[(first + i) * inputs..(first + i + 1) * inputs].as_ptr());
            // SAFETY: the sums are parts of their own of `block`, as wide as the layer has outputs; `x` are conditions.
            unsafe { layer.fast.multiply::<V, TOGETHER>(x, sums) };
            if layer.dilation >= BLOCK {
                let x = std::array::from_fn(|i| old(layer, ring, voice.time + first + i, r).as_ptr());
                // SAFETY: as above; `x` are moments of `r` channels.
                unsafe { layer.old_tap.multiply::<V, TOGETHER>(x, sums) };
            }
        }
    }
}

/// The moment `dilation` samples before `time`; nothing before the beginning, where the ring still holds zeros.
#[inline(always)]
fn old<'a>(layer: &Layer, ring: &'a super::Ring, time: usize, channels: usize) -> &'a [f32] {
    let at = (time.wrapping_sub(layer.dilation) & ring.mask) * channels;
    &ring.moments[at..at + channels]
}

macro_rules! samples {
    ($($name:ident = $body:ident, $voices:literal;)*) => {$(
        vectorised! {
            /// # Safety
            /// The voices must be different ones made by the network, and the classes be classes.
            unsafe fn $name = $body(net: &Network, voices: [*mut Voice; $voices], last: [usize; $voices])
        }

        #[inline(always)]
        unsafe fn $body<V: Vector>(net: &Network, voices: [*mut Voice; $voices], last: [usize; $voices]) {
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
/// The voices must be different ones made by the network, and the classes be classes.
unsafe fn sample<V: Vector, const VOICES: usize>(net: &Network, voices: [*mut Voice; VOICES], last: [usize; VOICES]) {
    let r = net.sizes.channels;
    // SAFETY: the caller promises different voices that nobody else uses.
    let mut voices: [&mut Voice; VOICES] = voices.map(|voice| unsafe { &mut *voice });
    for (voice, last) in voices.iter_mut().zip(last) {
        copy::<V>(&mut voice.h, &net.embedding[last * r..(last + 1) * r]);
    }
    for (index, layer) in net.layers.iter().enumerate() {
        for voice in &mut voices {
            let at = (index * BLOCK + voice.time % BLOCK) * 2 * r;
            copy::<V>(&mut voice.y, &voice.known[at..at + 2 * r]);
        }
        let sums: [*mut f32; VOICES] = std::array::from_fn(|v| voices[v].y.as_mut_ptr());
        if layer.dilation < BLOCK {
            let x = std::array::from_fn(|v| old(layer, &voices[v].rings[index], voices[v].time, r).as_ptr());
            // SAFETY: buffers of a voice have the sizes of the network and do not overlap, here and below.
            unsafe { layer.old_tap.multiply::<V, VOICES>(x, sums) };
        }
        let h = std::array::from_fn(|v| voices[v].h.as_ptr());
        // SAFETY: as above.
        unsafe { layer.new_tap.multiply::<V, VOICES>(h, sums) };
        for voice in &mut voices {
            let ring = &mut voice.rings[index];
            let at = (voice.time & ring.mask) * r;
            copy::<V>(&mut ring.moments[at..at + r], &voice.h);
            let z = &mut voice.z[index * r..(index + 1) * r];
            let (a, b) = voice.y.split_at(r);
            gate::<V>(a, b, z);
            for (h, bias) in voice.h.chunks_exact_mut(LANES).zip(layer.mix_bias.chunks_exact(LANES)) {
                // SAFETY: eight floats each.
                unsafe { V::load(h.as_ptr()).add(V::load(bias.as_ptr())).store(h.as_mut_ptr()) };
            }
        }
        let z = std::array::from_fn(|v| voices[v].z[index * r..(index + 1) * r].as_ptr());
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

/// `z = tanh(a) · sigmoid(b)`, all as long and whole vectors.
#[inline(always)]
fn gate<V: Vector>(a: &[f32], b: &[f32], z: &mut [f32]) {
    /// Vectors that are on their way together: one alone is mostly waited for.
    const TOGETHER: usize = 2;
    const WIDE: usize = TOGETHER * LANES;
    let whole = z.len() / WIDE * WIDE;
    let (za, zb) = z.split_at_mut(whole);
    for ((a, b), z) in a.chunks_exact(WIDE).zip(b.chunks_exact(WIDE)).zip(za.chunks_exact_mut(WIDE)) {
        // SAFETY: as many floats as vectors have.
        unsafe {
            let (mut x, mut y) = ([V::zero(); TOGETHER], [V::zero(); TOGETHER]);
            for i in 0..TOGETHER {
                (x[i], y[i]) = (V::load(a.as_ptr().add(i * LANES)), V::load(b.as_ptr().add(i * LANES)));
            }
            let values = math::gated(x, y);
            for (i, value) in values.into_iter().enumerate() {
                value.store(z.as_mut_ptr().add(i * LANES));
            }
        }
    }
    for ((a, b), z) in
        a[whole..].chunks_exact(LANES).zip(b[whole..].chunks_exact(LANES)).zip(zb.chunks_exact_mut(LANES))
    {
        // SAFETY: eight floats each.
        unsafe {
            let [value] = math::gated([V::load(a.as_ptr())], [V::load(b.as_ptr())]);
            value.store(z.as_mut_ptr());
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
        voice.logits.copy_from_slice(&net.head1_bias);
    }
    let z = std::array::from_fn(|v| voices[v].z.as_ptr());
    let skip = std::array::from_fn(|v| voices[v].skip.as_mut_ptr());
    // SAFETY: buffers of a voice have the sizes of the network and do not overlap, here and below.
    unsafe { net.skip.multiply::<V, VOICES>(z, skip) };
    voices.iter_mut().for_each(|voice| relu(&mut voice.skip));
    let skip = std::array::from_fn(|v| voices[v].skip.as_ptr());
    let hidden = std::array::from_fn(|v| voices[v].hidden.as_mut_ptr());
    // SAFETY: as above.
    unsafe { net.head0.multiply::<V, VOICES>(skip, hidden) };
    voices.iter_mut().for_each(|voice| relu(&mut voice.hidden));
    let hidden = std::array::from_fn(|v| voices[v].hidden.as_ptr());
    let logits = std::array::from_fn(|v| voices[v].logits.as_mut_ptr());
    // SAFETY: as above.
    unsafe { net.head1.multiply::<V, VOICES>(hidden, logits) };
}

#[inline(always)]
fn relu(values: &mut [f32]) {
    values.iter_mut().for_each(|value| *value = value.max(0.0));
}
