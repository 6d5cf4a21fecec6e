//! Files that are cut short, damaged or no models at all: a sentence, never a panic, and no more memory than they are worth.
#![allow(clippy::expect_used, reason = "a test stops at what it did not expect")]

mod common;

use std::{
    fs::{File, OpenOptions},
    io::{Seek as _, SeekFrom, Write as _},
    path::Path,
    sync::{Arc, atomic::AtomicBool},
};

use atelier::{
    Lang, catalogue,
    formats::{
        chat_template::ChatTemplate,
        gguf::{GgufFile, dequantize},
        tokenizer::{EncodeOptions, Tokenizer},
    },
    generate::{ChatMessage, Role},
    nets::decoder::{Decoder, Session},
};
use common::tiny::{self, Random};

/// Does with a file all that opening a model does with it; whatever it is, this must come back.
fn use_it(file: &GgufFile) {
    for tensor in file.tensors() {
        let mut values = vec![0.0; tensor.shape.iter().product::<usize>().min(1 << 16)];
        // Refusing is as good as reading.
        let _ = dequantize(tensor.dtype, tensor.data, &mut values);
    }
    let _ = Decoder::needed_bytes(file);
    let _ = file.metadata().summary();
    if let Ok(tokenizer) = Tokenizer::from_gguf(file.metadata()) {
        let options = EncodeOptions { add_bos: true, parse_special: true };
        let tokens = tokenizer.encode("The thing, and 你好 <|im_end|>\n\n  1234 <0x0A>", options);
        tokenizer.decode(&tokens);
        let _ = tokens.iter().map(|id| tokenizer.token_label(*id).len()).sum::<usize>();
    }
    if let Ok(Some(template)) = ChatTemplate::from_gguf(file.metadata()) {
        let _ = template.render(&[ChatMessage { role: Role::User, content: "Hi".to_owned() }], true);
    }
}

fn sentence(path: &Path) -> String {
    let why = GgufFile::open(path).expect_err("must be refused");
    assert!(why.text(Lang::En).ends_with('.') && why.text(Lang::Zh).ends_with('。'), "{why}");
    why.to_string()
}

#[test]
fn tiny_models_are_whole() {
    for family in ["llama", "qwen2", "qwen3", "gemma3"] {
        let file = GgufFile::from_bytes(tiny::model(family, 1).to_bytes()).expect("opens");
        Decoder::needed_bytes(&file).expect("runs");
        let tokenizer = Tokenizer::from_gguf(file.metadata()).expect("has a tokenizer");
        let text = "The king and the thing: 你好!";
        assert_eq!(tokenizer.decode(&tokenizer.encode(text, EncodeOptions::default())), text, "{family}");
        use_it(&file);
    }
}

#[test]
fn flipped_bits_in_a_header_never_panic() {
    let mut random = Random(7);
    for family in ["llama", "gemma3"] {
        let good = tiny::model(family, 1).to_bytes();
        let weights =
            good.len() - GgufFile::from_bytes(&good).expect("opens").tensors().map(|t| t.data.len()).sum::<usize>();
        let mut opened = 0;
        for _ in 0..1500 {
            let mut bad = good.clone();
            for _ in 0..=random.below(4) {
                bad[random.below(weights)] ^= 1 << random.below(8);
            }
            if let Ok(file) = GgufFile::from_bytes(&bad) {
                use_it(&file);
                opened += 1;
            }
        }
        // Flips in texts are no damage that anyone could see.
        assert!((100..1500).contains(&opened), "{opened}");
    }
}

/// Opens the network of a file and has it read a few tokens; whatever is in it, this must come back.
fn run_it(file: &GgufFile) -> bool {
    let go = AtomicBool::new(false);
    let Ok(decoder) = Decoder::load(file, 1, &mut |_, _| {}, &go) else { return false };
    let most = decoder.config().vocabulary as u32 - 1;
    let Ok(mut session) = Arc::new(decoder).session(16) else { return false };
    let logits = |session: &mut Session, tokens: &[u32]| session.forward(tokens, &go).map(|logits| logits.len()).ok();
    logits(&mut session, &[0, 1.min(most), most]).is_some() && logits(&mut session, &[most / 2]).is_some()
}

#[test]
fn flipped_bits_in_weights_and_settings_never_panic_when_it_runs() {
    let mut random = Random(13);
    for family in ["llama", "qwen2", "qwen3", "gemma3"] {
        let good = tiny::model(family, 2).to_bytes();
        assert!(run_it(&GgufFile::from_bytes(good.clone()).expect("opens")), "{family}");
        // The settings come first in the file; the vocabulary behind them and the weights are most of it.
        for (places, rounds) in [(700, 150), (good.len(), 150)] {
            let mut ran = 0;
            for _ in 0..rounds {
                let mut bad = good.clone();
                for _ in 0..=random.below(4) {
                    bad[random.below(places)] ^= 1 << random.below(8);
                }
                ran += usize::from(GgufFile::from_bytes(bad).is_ok_and(|file| run_it(&file)));
            }
            assert!(places == 700 || ran > rounds / 4, "{family}: {ran}");
        }
        // Scales that are no numbers, in all of the weights.
        let weights = GgufFile::from_bytes(good.clone()).expect("opens").tensors().map(|t| t.data.len()).sum::<usize>();
        let mut bad = good.clone();
        let first = good.len() - weights;
        bad[first..].fill(0xff);
        assert!(GgufFile::from_bytes(bad).is_ok_and(|file| run_it(&file)), "{family}");
    }
}

#[test]
fn numbers_in_a_header_that_are_out_of_range_never_panic() {
    let good = tiny::model("qwen2", 3).to_bytes();
    let mut random = Random(11);
    for _ in 0..1500 {
        let mut bad = good.clone();
        let at = random.below(12_000.min(good.len() - 8));
        let number = [0, 1, u64::MAX, u64::MAX / 2, 1 << 32, 1 << 63, good.len() as u64][random.below(7)];
        bad[at..at + 8].copy_from_slice(&number.to_le_bytes());
        if let Ok(file) = GgufFile::from_bytes(&bad) {
            use_it(&file);
        }
    }
}

#[test]
fn the_real_model_cut_short_anywhere_is_refused() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let path = dir.path().join("cut.gguf");
    std::fs::copy(common::bundled_model(), &path).expect("copy");
    let whole = std::fs::metadata(&path).expect("size").len();
    let mut random = Random(5);
    let mut lengths: Vec<u64> = (0..120).map(|_| random.next() % whole).collect();
    lengths.extend((0..120).map(|_| random.next() % 2_000_000));
    lengths.extend([whole - 1, whole / 2, 1_000_000, 1000, 24, 23, 8, 4, 3, 1, 0]);
    lengths.sort_unstable();
    let file = OpenOptions::new().write(true).open(&path).expect("open");
    for length in lengths.into_iter().rev() {
        file.set_len(length).expect("cut");
        let why = sentence(&path);
        assert!(["cut short", "empty", "not a GGUF"].iter().any(|word| why.contains(word)), "{length}: {why}");
        assert_eq!(catalogue::describe(&path).size_bytes, length);
    }
}

#[test]
fn the_real_model_with_flipped_bits_never_panics() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let path = dir.path().join("flipped.gguf");
    std::fs::copy(common::bundled_model(), &path).expect("copy");
    let good = std::fs::read(&path).expect("read");
    let mut writer = OpenOptions::new().write(true).open(&path).expect("open");
    let mut put = |at: usize, byte: u8| {
        writer.seek(SeekFrom::Start(at as u64)).and_then(|_| writer.write_all(&[byte])).expect("write");
    };
    let mut random = Random(3);
    for round in 0..400 {
        let at = if round % 4 == 0 { random.below(3000) } else { random.below(1_750_000) };
        put(at, good[at] ^ (1 << random.below(8)));
        if let Ok(file) = GgufFile::open(&path) {
            let _ = Decoder::needed_bytes(&file);
            if round % 10 == 0 {
                let _ =
                    Tokenizer::from_gguf(file.metadata()).map(|t| t.encode("Hello, world!", EncodeOptions::default()));
            }
        }
        put(at, good[at]);
    }
}

#[test]
fn what_is_no_model_at_all_says_so() {
    let dir = tempfile::tempdir().expect("temporary folder");
    assert!(sentence(dir.path()).contains("folder"));
    assert!(sentence(&dir.path().join("none.gguf")).contains("no such file"));
    let empty = dir.path().join("empty.gguf");
    File::create(&empty).expect("create");
    assert!(sentence(&empty).contains("empty"));
    let sparse = dir.path().join("sparse.gguf");
    File::create(&sparse).and_then(|file| file.set_len(3 << 30)).expect("create");
    assert!(sentence(&sparse).contains("not a GGUF"));
    if cfg!(unix) {
        assert!(sentence(Path::new("/dev/zero")).contains("not an ordinary file"));
    }
}

#[test]
fn a_header_that_promises_three_gigabytes_is_read_without_them() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let path = dir.path().join("huge.gguf");
    let mut bytes = b"GGUF".to_vec();
    bytes.extend(3_u32.to_le_bytes());
    // A hundred million tensors and as many pairs fit in 3 GB of zeros, so only reading tells that they are not there.
    bytes.extend(100_000_000_u64.to_le_bytes());
    bytes.extend(100_000_000_u64.to_le_bytes());
    let mut file = File::create(&path).expect("create");
    file.write_all(&bytes).and_then(|()| file.set_len(3 << 30)).expect("write");
    sentence(&path);
}
