use std::path::PathBuf;

use candle_core::DType;
use serde_json::Value as Json;

use super::*;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/pth").join(name)
}

fn refusal(name: &str) -> String {
    Checkpoint::load(&fixture(name)).expect_err("must be refused").to_string()
}

#[test]
fn checkpoints_hold_what_pytorch_put_in() {
    let expected: serde_json::Map<String, Json> =
        serde_json::from_str(include_str!("../../../tests/fixtures/pth/expected.json")).expect("JSON");
    for name in [
        "zip.pth",
        "zip-protocol-3.pth",
        "zip-protocol-4.pth",
        "zip-protocol-5.pth",
        "legacy.pth",
        "legacy-protocol-3.pth",
        "legacy-protocol-4.pth",
        "legacy-protocol-5.pth",
        "state_dict.pth",
        "params_ema.pth",
        "netG_state_dict.pth",
    ] {
        let tensors = Checkpoint::load(&fixture(name)).expect(name).tensors;
        assert_eq!(tensors.keys().collect::<Vec<_>>().len(), expected.len(), "{name}");
        for (key, want) in &expected {
            let tensor = tensors.get(key).unwrap_or_else(|| panic!("{name} has {key}"));
            let shape: Vec<u64> = tensor.dims().iter().map(|n| *n as u64).collect();
            assert_eq!(want[0], serde_json::to_value(shape).expect("JSON"), "{name}: {key}");
            let values = tensor.flatten_all().and_then(|t| t.to_dtype(DType::F64)).and_then(|t| t.to_vec1::<f64>());
            assert_eq!(want[1], serde_json::to_value(values.expect("numbers")).expect("JSON"), "{name}: {key}");
        }
        assert_eq!((tensors["long"].dtype(), tensors["half"].dtype()), (DType::I64, DType::F16));
    }
}

#[test]
fn code_is_named_and_never_run() {
    for name in ["evil.pth", "evil-legacy.pth"] {
        let why = refusal(name);
        assert!(why.contains("system") && why.contains("nothing in it was run"), "{why}");
    }
    assert!(refusal("module.pth").contains("torch.nn.modules.linear.Linear"));
    assert!(!fixture("executed").exists() && !Path::new("executed").exists());
}

#[test]
fn other_files_are_refused() {
    assert!(refusal("plain.pkl").contains("torch.save"));
    assert!(refusal("expected.json").contains("torch.save"));
    assert!(refusal("none.pth").contains("no such file"));
}

#[test]
fn damage_is_refused_or_harmless() {
    let mut state = 5_u64;
    let mut below = |end: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % end
    };
    for name in ["zip.pth", "legacy.pth", "legacy-protocol-4.pth"] {
        let good = fs::read(fixture(name)).expect("fixture");
        for _ in 0..2000 {
            let mut bad = good.clone();
            for _ in 0..=below(3) {
                bad[below(good.len())] ^= 1 << below(8);
            }
            let _ = Checkpoint::from_bytes(&bad);
        }
        for length in (0..good.len()).step_by(7) {
            assert!(Checkpoint::from_bytes(&good[..length]).is_err(), "{name} cut at {length}");
        }
    }
}

#[test]
fn the_interpreter_survives_odd_pickles() {
    use super::pickle::{Refusal, read};
    // A list that holds itself, and a tower of tuples.
    assert!(read(b"]q\x00h\x00a.", 0).is_ok());
    assert!(read(b"}q\x00U\x00h\x00sU\x01ah\x00s.", 0).is_ok());
    let mut tower = b")".to_vec();
    tower.extend(std::iter::repeat_n(0x85, 1_000_000));
    tower.push(b'.');
    assert!(read(&tower, 0).is_ok());
    for odd in
        [&b""[..], b".", b"0.", b"t.", b"s.", b"a.", b"R.", b"h\x07.", b"\x8e\xff\xff\xff\xff\xff\xff\xff\x7f", b"i"]
    {
        assert_eq!(read(odd, 0).map(|_| ()), Err(Refusal::Damaged), "{odd:?}");
    }
    assert_eq!(
        read(b"cos\nsystem\n.", 0).map(|_| ()),
        Err(Refusal::Global("os.system".to_owned())),
        "named as soon as it is seen"
    );
}
