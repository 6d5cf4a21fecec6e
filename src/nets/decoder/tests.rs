//! Tiny random models of each family against a plain forward pass in double precision.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use super::{Decoder, Session};
use crate::formats::gguf::{GgmlType, GgufFile, GgufWriter, dequantize, quantize_q8_0};

static NO: AtomicBool = AtomicBool::new(false);

struct Random(u64);

impl Random {
    /// In −1 … 1.
    fn float(&mut self) -> f32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 40) as f32) / (1 << 23) as f32 - 1.0
    }

    fn floats(&mut self, count: usize, size: f32) -> Vec<f32> {
        (0..count).map(|_| self.float() * size).collect()
    }
}

/// A tiny model.
#[derive(Clone)]
struct Tiny {
    family: &'static str,
    layers: usize,
    width: usize,
    feed: usize,
    heads: usize,
    key_heads: usize,
    size: usize,
    vocabulary: usize,
    /// Matrices as eight-bit blocks instead of floats.
    quantised: bool,
    tied: bool,
    window: usize,
}

fn tiny(family: &'static str) -> Tiny {
    let tied = family != "llama";
    let (layers, window) = if family == "gemma3" { (7, 9) } else { (2, 0) };
    Tiny {
        family,
        layers,
        width: 64,
        feed: 96,
        heads: 6,
        key_heads: 2,
        size: 16,
        vocabulary: 50,
        quantised: false,
        tied,
        window,
    }
}

impl Tiny {
    fn writer(&self, seed: u64) -> GgufWriter {
        let mut random = Random(seed);
        let mut writer = GgufWriter::new();
        let family = self.family;
        writer.text("general.architecture", family);
        for (key, value) in [
            ("block_count", self.layers),
            ("embedding_length", self.width),
            ("feed_forward_length", self.feed),
            ("attention.head_count", self.heads),
            ("attention.head_count_kv", self.key_heads),
            ("attention.key_length", self.size),
            ("attention.value_length", self.size),
            ("context_length", 128),
        ] {
            writer.u32(&format!("{family}.{key}"), value as u32);
        }
        writer.f32(&format!("{family}.attention.layer_norm_rms_epsilon"), 1e-5);
        writer.f32(&format!("{family}.rope.freq_base"), 500.0);
        if self.window > 0 {
            writer.u32(&format!("{family}.attention.sliding_window"), self.window as u32);
        }
        let (queries, keys) = (self.heads * self.size, self.key_heads * self.size);
        let matrix = |writer: &mut GgufWriter, random: &mut Random, name: &str, rows: usize, columns: usize| {
            let values = random.floats(rows * columns, 2.0 / (columns as f32).sqrt());
            if self.quantised {
                writer.tensor(name, GgmlType::Q8_0, &[rows, columns], quantize_q8_0(&values));
            } else {
                writer.tensor_f32(name, &[rows, columns], &values);
            }
        };
        let vector = |writer: &mut GgufWriter, random: &mut Random, name: &str, count: usize, around: f32| {
            let values: Vec<f32> = random.floats(count, 0.5).into_iter().map(|x| x + around).collect();
            writer.tensor_f32(name, &[count], &values);
        };
        matrix(&mut writer, &mut random, "token_embd.weight", self.vocabulary, self.width);
        if !self.tied {
            matrix(&mut writer, &mut random, "output.weight", self.vocabulary, self.width);
        }
        vector(&mut writer, &mut random, "output_norm.weight", self.width, 1.0);
        if family == "llama" {
            vector(&mut writer, &mut random, "rope_freqs.weight", self.size / 2, 2.0);
        }
        for layer in 0..self.layers {
            let name = |part: &str| format!("blk.{layer}.{part}");
            for (part, rows, columns) in [
                ("attn_q.weight", queries, self.width),
                ("attn_k.weight", keys, self.width),
                ("attn_v.weight", keys, self.width),
                ("attn_output.weight", self.width, queries),
                ("ffn_gate.weight", self.feed, self.width),
                ("ffn_up.weight", self.feed, self.width),
                ("ffn_down.weight", self.width, self.feed),
            ] {
                matrix(&mut writer, &mut random, &name(part), rows, columns);
            }
            vector(&mut writer, &mut random, &name("attn_norm.weight"), self.width, 1.0);
            vector(&mut writer, &mut random, &name("ffn_norm.weight"), self.width, 1.0);
            if family == "qwen2" {
                for (part, count) in [("attn_q.bias", queries), ("attn_k.bias", keys), ("attn_v.bias", keys)] {
                    vector(&mut writer, &mut random, &name(part), count, 0.0);
                }
            }
            if family == "qwen3" || family == "gemma3" {
                vector(&mut writer, &mut random, &name("attn_q_norm.weight"), self.size, 1.0);
                vector(&mut writer, &mut random, &name("attn_k_norm.weight"), self.size, 1.0);
            }
            if family == "gemma3" {
                vector(&mut writer, &mut random, &name("post_attention_norm.weight"), self.width, 1.0);
                vector(&mut writer, &mut random, &name("post_ffw_norm.weight"), self.width, 1.0);
            }
        }
        writer
    }

    fn file(&self) -> GgufFile {
        GgufFile::from_bytes(self.writer(7).to_bytes()).expect("a whole file")
    }

    fn decoder(&self, threads: usize) -> Arc<Decoder> {
        Arc::new(Decoder::load(&self.file(), threads, &mut |_, _| {}, &NO).expect("a whole model"))
    }
}

/// The forward pass, plainly: logits of every token.
struct Plain<'a> {
    tiny: &'a Tiny,
    file: GgufFile,
}

impl Plain<'_> {
    fn get(&self, name: &str) -> Option<Vec<f64>> {
        let tensor = self.file.tensor(name)?;
        let mut out = vec![0.0; tensor.shape.iter().product()];
        dequantize(tensor.dtype, tensor.data, &mut out).expect("sizes fit");
        Some(out.into_iter().map(f64::from).collect())
    }

    fn product(&self, name: &str, x: &[f64]) -> Vec<f64> {
        let matrix = self.get(name).expect("there");
        matrix.chunks_exact(x.len()).map(|row| row.iter().zip(x).map(|(w, x)| w * x).sum()).collect()
    }

    fn norm(&self, name: &str, x: &[f64]) -> Vec<f64> {
        let Some(weight) = self.get(name) else { return x.to_vec() };
        let out = x.chunks_exact(weight.len()).flat_map(|x| {
            let scale = 1.0 / (x.iter().map(|x| x * x).sum::<f64>() / x.len() as f64 + 1e-5).sqrt();
            x.iter().zip(&weight).map(move |(x, w)| x * scale * w).collect::<Vec<_>>()
        });
        out.collect()
    }

    fn rotate(&self, x: &mut [f64], position: usize, local: bool) {
        let (size, llama) = (self.tiny.size, self.tiny.family == "llama");
        let factors = self.get("rope_freqs.weight");
        let base: f64 = if local { 10_000.0 } else { 500.0 };
        for head in x.chunks_exact_mut(size) {
            for i in 0..size / 2 {
                let factor = factors.as_ref().map_or(1.0, |factors| factors[i]);
                let angle = position as f64 * base.powf(-2.0 * i as f64 / size as f64) / factor;
                let (a, b) = if llama { (2 * i, 2 * i + 1) } else { (i, i + size / 2) };
                let (x, y) = (head[a], head[b]);
                head[a] = x * angle.cos() - y * angle.sin();
                head[b] = x * angle.sin() + y * angle.cos();
            }
        }
    }

    fn with_bias(&self, mut x: Vec<f64>, name: &str) -> Vec<f64> {
        if let Some(bias) = self.get(name) {
            x.iter_mut().zip(bias).for_each(|(x, b)| *x += b);
        }
        x
    }

    fn run(&self, ids: &[u32]) -> Vec<Vec<f64>> {
        let Tiny { family, layers, width, heads, key_heads, size, window, .. } = *self.tiny;
        let gemma = family == "gemma3";
        let half = |x: f64| f64::from(half::f16::from_f64(x).to_f32());
        let embedding = self.get("token_embd.weight").expect("there");
        let scale = if gemma { (width as f64).sqrt() } else { 1.0 };
        let mut xs: Vec<Vec<f64>> = ids
            .iter()
            .map(|id| embedding[*id as usize * width..][..width].iter().map(|x| x * scale).collect())
            .collect();
        for layer in 0..layers {
            let name = |part: &str| format!("blk.{layer}.{part}");
            let local = gemma && (layer + 1) % 6 != 0;
            let (mut keys, mut values) = (Vec::new(), Vec::new());
            for (position, x) in xs.iter_mut().enumerate() {
                let normed = self.norm(&name("attn_norm.weight"), x);
                let project = |part: &str| {
                    let x = self.product(&name(&format!("attn_{part}.weight")), &normed);
                    self.with_bias(x, &name(&format!("attn_{part}.bias")))
                };
                let mut query = self.norm(&name("attn_q_norm.weight"), &project("q"));
                let mut key = self.norm(&name("attn_k_norm.weight"), &project("k"));
                self.rotate(&mut query, position, local);
                self.rotate(&mut key, position, local);
                keys.push(key.into_iter().map(half).collect::<Vec<_>>());
                values.push(project("v").into_iter().map(half).collect::<Vec<_>>());
                let first = if local { (position + 1).saturating_sub(window) } else { 0 };
                let mut mixed = vec![0.0; heads * size];
                for head in 0..heads {
                    let at = head / (heads / key_heads) * size;
                    let query = &query[head * size..(head + 1) * size];
                    let scores: Vec<f64> = (first..=position)
                        .map(|p| keys[p][at..at + size].iter().zip(query).map(|(k, q)| k * q).sum::<f64>())
                        .map(|score| score / (size as f64).sqrt())
                        .collect();
                    let most = scores.iter().copied().fold(f64::MIN, f64::max);
                    let sum: f64 = scores.iter().map(|score| (score - most).exp()).sum();
                    for (p, score) in (first..).zip(&scores) {
                        for i in 0..size {
                            mixed[head * size + i] += (score - most).exp() / sum * values[p][at + i];
                        }
                    }
                }
                let branch = self.product(&name("attn_output.weight"), &mixed);
                let branch = self.norm(&name("post_attention_norm.weight"), &branch);
                x.iter_mut().zip(branch).for_each(|(x, b)| *x += b);
                let normed = self.norm(&name("ffn_norm.weight"), x);
                let gate = self.product(&name("ffn_gate.weight"), &normed).into_iter().map(|x| {
                    if gemma {
                        let u = (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044715 * x.powi(3));
                        0.5 * x * (1.0 + u.tanh())
                    } else {
                        x / (1.0 + (-x).exp())
                    }
                });
                let up = self.product(&name("ffn_up.weight"), &normed);
                let inner: Vec<f64> = gate.zip(up).map(|(gate, up)| gate * up).collect();
                let branch = self.product(&name("ffn_down.weight"), &inner);
                let branch = self.norm(&name("post_ffw_norm.weight"), &branch);
                x.iter_mut().zip(branch).for_each(|(x, b)| *x += b);
            }
        }
        let head = if self.tiny.tied { "token_embd.weight" } else { "output.weight" };
        xs.iter().map(|x| self.product(head, &self.norm("output_norm.weight", x))).collect()
    }
}

fn ids(count: usize) -> Vec<u32> {
    (0..count).map(|i| (i * 17 + i * i * 5 + 3) as u32 % 50).collect()
}

fn all_logits(decoder: &Arc<Decoder>, ids: &[u32]) -> Vec<Vec<f32>> {
    let mut session = Session::new(Arc::clone(decoder), 128).expect("a context");
    let mut out = Vec::new();
    session.forward_all(ids, &NO, &mut |_, logits| out.push(logits.to_vec())).expect("runs");
    out
}

const FAMILIES: [&str; 4] = ["llama", "qwen2", "qwen3", "gemma3"];

#[test]
fn every_family_equals_the_plain_forward_pass() {
    for family in FAMILIES {
        let tiny = tiny(family);
        let expected = Plain { tiny: &tiny, file: tiny.file() }.run(&ids(30));
        let logits = all_logits(&tiny.decoder(2), &ids(30));
        for (token, (logits, expected)) in logits.iter().zip(&expected).enumerate() {
            for (a, b) in logits.iter().zip(expected) {
                assert!(
                    (f64::from(*a) - b).abs() < 5e-3 * b.abs().max(1.0),
                    "{family} token {token}: {a} instead of {b}"
                );
            }
        }
    }
}

#[test]
fn quantised_models_stay_close_to_the_plain_forward_pass() {
    for family in FAMILIES {
        let tiny = Tiny { quantised: true, ..tiny(family) };
        let expected = Plain { tiny: &tiny, file: tiny.file() }.run(&ids(30));
        for (logits, expected) in all_logits(&tiny.decoder(2), &ids(30)).iter().zip(&expected) {
            let (mut dot, mut a2, mut b2) = (0.0, 0.0, 0.0);
            for (a, b) in logits.iter().map(|a| f64::from(*a)).zip(expected) {
                (dot, a2, b2) = (dot + a * b, a2 + a * a, b2 + b * b);
            }
            assert!(dot / (a2 * b2).sqrt() > 0.995, "{family}: cosine {}", dot / (a2 * b2).sqrt());
        }
    }
}

fn bits(logits: &[f32]) -> Vec<u32> {
    logits.iter().map(|x| x.to_bits()).collect()
}

/// Threads, the split of the text over calls, and what was taken back before change nothing.
#[test]
fn logits_depend_on_the_text_alone() {
    for family in FAMILIES {
        for quantised in [false, true] {
            let tiny = Tiny { quantised, ..tiny(family) };
            let (ids, one, three) = (ids(40), tiny.decoder(1), tiny.decoder(3));
            let together = all_logits(&one, &ids);
            assert_eq!(together, all_logits(&three, &ids), "{family}: threads");
            let mut session = Session::new(Arc::clone(&three), 64).expect("a context");
            for (token, id) in ids.iter().enumerate() {
                let logits = session.forward(&[*id], &NO).expect("runs");
                assert_eq!(bits(logits), bits(&together[token]), "{family}: token {token} by itself");
            }
            session.truncate(11);
            session.forward(&[4, 4, 4, 4, 4, 4, 4, 4, 4], &NO).expect("another branch");
            session.truncate(11);
            assert_eq!(session.tokens(), &ids[..11]);
            assert_eq!(bits(session.forward(&ids[11..13], &NO).expect("runs")), bits(&together[12]));
            assert_eq!(bits(session.forward(&ids[13..], &NO).expect("runs")), bits(&together[39]), "{family}: prefix");
        }
    }
}

#[test]
fn wrong_calls_and_stops_are_said_and_leave_the_session_usable() {
    let decoder = tiny("llama").decoder(2);
    assert!(Session::new(Arc::clone(&decoder), 0).is_err());
    let mut session = decoder.session(4).expect("a context");
    for wrong in [&[][..], &[50], &[1, 2, 3, 4, 5]] {
        assert!(session.forward(wrong, &NO).is_err());
    }
    let stop = AtomicBool::new(true);
    assert!(session.forward(&[1, 2], &stop).is_err());
    assert!(session.tokens().is_empty());
    stop.store(false, Ordering::Relaxed);
    assert_eq!(session.forward(&[1, 2, 3, 4], &stop).expect("runs").len(), 50);
    assert_eq!(session.memory_bytes(), 2 * decoder.config().cache_bytes(64));
    session.truncate(0);
    session.shrink();
    assert_eq!(session.memory_bytes(), 0);
}

fn refusal(writer: &GgufWriter) -> String {
    let file = GgufFile::from_bytes(writer.to_bytes()).expect("a whole file");
    let Err(error) = Decoder::load(&file, 1, &mut |_, _| {}, &NO) else { panic!("loaded") };
    assert_ne!(error.text(crate::Lang::En), error.text(crate::Lang::Zh));
    error.to_string()
}

#[test]
fn models_that_cannot_be_run_say_why() {
    let mut writer = GgufWriter::new();
    writer.text("general.architecture", "mamba");
    assert!(refusal(&writer).contains("mamba"));
    let mut writer = GgufWriter::new();
    writer.text("general.architecture", "llama");
    assert!(refusal(&writer).contains("llama.embedding_length"));
    let whole = tiny("llama");
    assert!(refusal(&Tiny { size: 12, ..whole }.writer(1)).contains("key_length"));
    assert!(refusal(&Tiny { key_heads: 4, ..whole }.writer(1)).contains("head_count_kv"));
    let mut writer = whole.writer(1);
    writer.text("llama.rope.scaling.type", "longrope");
    writer.f32("llama.rope.scaling.factor", 4.0);
    assert!(refusal(&writer).contains("longrope"));
    let mut writer = whole.writer(1);
    writer.u32("llama.expert_count", 8);
    assert!(refusal(&writer).contains("experts"));
    let mut writer = whole.writer(1);
    writer.u32("llama.block_count2", 3).tensor_f32("blk.0.attn_output.bias", &[64], &[0.0; 64]);
    assert!(refusal(&writer).contains("attn_output.bias"));
    // More layers than there are tensors, a wrong shape, a type without kernels.
    let mut writer = GgufWriter::new();
    writer.text("general.architecture", "llama").u32("llama.block_count", 1).u32("llama.embedding_length", 32);
    writer.u32("llama.feed_forward_length", 32).u32("llama.attention.head_count", 2);
    assert!(refusal(&writer).contains("token_embd.weight"));
    writer.tensor_f32("token_embd.weight", &[3, 16], &[0.0; 48]);
    assert!(refusal(&writer).contains("[3, 16]"));
    let mut writer = GgufWriter::new();
    writer.text("general.architecture", "llama").u32("llama.block_count", 1).u32("llama.embedding_length", 32);
    writer.u32("llama.feed_forward_length", 32).u32("llama.attention.head_count", 2);
    writer.tensor("token_embd.weight", GgmlType::IQ4_NL, &[2, 32], vec![0; 36]);
    assert!(refusal(&writer).contains("IQ4_NL"));
}

#[test]
fn loading_reports_progress_and_can_be_stopped() {
    let file = tiny("qwen3").file();
    let mut seen = Vec::new();
    Decoder::load(&file, 2, &mut |done, total| seen.push((done, total)), &NO).expect("loads");
    assert!(seen.windows(2).all(|pair| pair[0].0 <= pair[1].0 && pair[0].1 == pair[1].1));
    assert!(seen.last().is_some_and(|(done, total)| done == total));
    assert!(Decoder::load(&file, 2, &mut |_, _| {}, &AtomicBool::new(true)).is_err());
}
