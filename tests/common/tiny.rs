//! Whole tiny models with random weights: a few kilobytes that load, tokenise, chat and run like real ones.

use atelier::formats::gguf::{GgmlType, GgufWriter, quantize_q8_0};

/// Numbers from a seed; the generator is Knuth's MMIX.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    pub fn below(&mut self, end: usize) -> usize {
        self.next() as usize % end.max(1)
    }

    fn weights(&mut self, count: usize) -> Vec<f32> {
        (0..count).map(|_| (self.next() as f32 / (1_u64 << 31) as f32 - 0.5) * 0.2).collect()
    }
}

const CHATML: &str = "{% for m in messages %}{{ '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>' + '\\n' }}{% endfor %}\
    {% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

/// A model of the family `llama`, `qwen2`, `qwen3` (byte-level BPE) or `gemma3` (SentencePiece), the same for the same seed.
pub fn model(family: &str, seed: u64) -> GgufWriter {
    let mut writer = GgufWriter::new();
    writer.text("general.architecture", family).text("general.license", "cc0-1.0");
    let vocabulary = if family == "gemma3" { spm_vocabulary(&mut writer) } else { bpe_vocabulary(&mut writer) };
    weights(&mut writer, family, vocabulary, &mut Random(seed));
    writer
}

const WIDTH: usize = 64;
const FEED: usize = 96;
const HEADS: usize = 4;
const KEY_HEADS: usize = 2;
const HEAD: usize = 16;

fn weights(writer: &mut GgufWriter, family: &str, vocabulary: usize, random: &mut Random) {
    let layers = if family == "gemma3" { 6 } else { 2 };
    let size = |writer: &mut GgufWriter, key: &str, value: usize| {
        writer.u32(&format!("{family}.{key}"), value as u32);
    };
    for (key, value) in [
        ("block_count", layers),
        ("context_length", 256),
        ("embedding_length", WIDTH),
        ("feed_forward_length", FEED),
        ("attention.head_count", HEADS),
        ("attention.head_count_kv", KEY_HEADS),
        ("attention.key_length", HEAD),
        ("attention.value_length", HEAD),
    ] {
        size(writer, key, value);
    }
    writer.f32(&format!("{family}.attention.layer_norm_rms_epsilon"), 1e-5);
    writer.f32(&format!("{family}.rope.freq_base"), 10_000.0);
    if family == "gemma3" {
        size(writer, "attention.sliding_window", 32);
    }

    let mut matrix = |writer: &mut GgufWriter, name: &str, rows: usize, columns: usize| {
        let data = quantize_q8_0(&random.weights(rows * columns));
        writer.tensor(name, GgmlType::Q8_0, &[rows, columns], data);
    };
    let ones = |writer: &mut GgufWriter, name: &str, length: usize| {
        writer.tensor_f32(name, &[length], &vec![1.0; length]);
    };
    matrix(writer, "token_embd.weight", vocabulary, WIDTH);
    ones(writer, "output_norm.weight", WIDTH);
    for layer in 0..layers {
        let name = |part: &str| format!("blk.{layer}.{part}");
        for (part, rows, columns) in [
            ("attn_q.weight", HEADS * HEAD, WIDTH),
            ("attn_k.weight", KEY_HEADS * HEAD, WIDTH),
            ("attn_v.weight", KEY_HEADS * HEAD, WIDTH),
            ("attn_output.weight", WIDTH, HEADS * HEAD),
            ("ffn_gate.weight", FEED, WIDTH),
            ("ffn_up.weight", FEED, WIDTH),
            ("ffn_down.weight", WIDTH, FEED),
        ] {
            matrix(writer, &name(part), rows, columns);
        }
        ones(writer, &name("attn_norm.weight"), WIDTH);
        ones(writer, &name("ffn_norm.weight"), WIDTH);
        if matches!(family, "qwen3" | "gemma3") {
            ones(writer, &name("attn_q_norm.weight"), HEAD);
            ones(writer, &name("attn_k_norm.weight"), HEAD);
        }
        if family == "gemma3" {
            ones(writer, &name("post_attention_norm.weight"), WIDTH);
            ones(writer, &name("post_ffw_norm.weight"), WIDTH);
        }
        if family == "qwen2" {
            for (part, length) in [("q", HEADS * HEAD), ("k", KEY_HEADS * HEAD), ("v", KEY_HEADS * HEAD)] {
                writer.tensor_f32(&name(&format!("attn_{part}.bias")), &[length], &vec![0.01; length]);
            }
        }
    }
}

/// Control tokens, all bytes, and a few merges.
fn bpe_vocabulary(writer: &mut GgufWriter) -> usize {
    let mut tokens: Vec<String> = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"].map(str::to_owned).into();
    let mut kinds = vec![3; tokens.len()];
    // The characters that byte-level BPE gives the bytes it cannot print.
    let mut unprintable = 0x100;
    for byte in 0..=255_u8 {
        let printable = matches!(byte, 0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff);
        let code = if printable { u32::from(byte) } else { unprintable };
        unprintable += u32::from(!printable);
        tokens.extend(char::from_u32(code).map(String::from));
    }
    let merges = ["t h", "th e", "Ġ the", "i n", "in g", "Ġ a", "a n", "an d", "o n", "e r"];
    tokens.extend(merges.iter().map(|pair| pair.replace(' ', "")));
    kinds.resize(tokens.len(), 1);
    writer.text("tokenizer.ggml.model", "gpt2").text("tokenizer.ggml.pre", "gpt-2");
    writer.texts("tokenizer.ggml.tokens", &tokens).i32s("tokenizer.ggml.token_type", &kinds);
    writer.texts("tokenizer.ggml.merges", &merges);
    writer.u32("tokenizer.ggml.bos_token_id", 0).u32("tokenizer.ggml.eos_token_id", 2);
    writer.bool("tokenizer.ggml.add_bos_token", false).text("tokenizer.chat_template", CHATML);
    tokens.len()
}

/// Control tokens, bytes to fall back on, letters, and a few words with scores.
fn spm_vocabulary(writer: &mut GgufWriter) -> usize {
    let mut tokens: Vec<String> =
        ["<pad>", "<eos>", "<bos>", "<unk>", "<start_of_turn>", "<end_of_turn>"].map(str::to_owned).into();
    let mut kinds = vec![3, 3, 3, 2, 3, 3];
    tokens.extend((0..=255).map(|byte| format!("<0x{byte:02X}>")));
    kinds.resize(tokens.len(), 6);
    let mut scores = vec![0.0; tokens.len()];
    for (rank, piece) in ["▁the", "the", "ing", "and", "th", "in", "an", "▁"].into_iter().enumerate() {
        tokens.push(piece.to_owned());
        scores.push(-(rank as f32));
    }
    for letter in ('a'..='z').chain('A'..='Z').chain('0'..='9').chain(".,!?'\n".chars()) {
        tokens.push(letter.into());
        scores.push(-100.0);
    }
    kinds.resize(tokens.len(), 1);
    writer.text("tokenizer.ggml.model", "llama").text("tokenizer.ggml.pre", "default");
    writer.texts("tokenizer.ggml.tokens", &tokens).i32s("tokenizer.ggml.token_type", &kinds);
    writer.f32s("tokenizer.ggml.scores", &scores);
    writer.u32("tokenizer.ggml.bos_token_id", 2).u32("tokenizer.ggml.eos_token_id", 1);
    writer.bool("tokenizer.ggml.add_space_prefix", false);
    tokens.len()
}
