use super::*;

/// A small file with one of everything.
fn sample() -> GgufWriter {
    let mut writer = GgufWriter::new();
    writer.text("general.architecture", "llama").text("general.license", "mit").u32("n", 7).f32("f", 0.5);
    writer.bool("b", true).texts("words", &["a", "", "诗"]).i32s("ints", &[-1, 2]).f32s("floats", &[0.25, -4.0]);
    writer.tensor_f32("one", &[3], &[1.0, 2.0, 3.0]);
    writer.tensor("two", GgmlType::Q8_0, &[2, 64], quantize_q8_0(&[0.5; 128]));
    writer
}

fn refusal(bytes: impl AsRef<[u8]>) -> String {
    GgufFile::from_bytes(bytes).expect_err("must be refused").to_string()
}

#[test]
fn what_is_written_is_read() {
    let file = GgufFile::from_bytes(sample().to_bytes()).expect("reads");
    assert_eq!((file.architecture(), file.licence(), file.quantisation()), ("llama", "mit", "Q8_0"));
    assert_eq!(file.parameters(), 3 + 128);
    let meta = file.metadata();
    assert_eq!((meta.get_u32("n"), meta.get_f32("f"), meta.get_f32("n")), (Some(7), Some(0.5), Some(7.0)));
    assert_eq!((meta.get_bool("b"), meta.get_u32("f"), meta.get_str("n")), (Some(true), None, None));
    assert_eq!(meta.str_array("words").expect("texts").collect::<Vec<_>>(), ["a", "", "诗"]);
    assert_eq!(meta.i32_array("ints").expect("integers").collect::<Vec<_>>(), [-1, 2]);
    assert_eq!(meta.f32_array("floats").expect("numbers").collect::<Vec<_>>(), [0.25, -4.0]);
    assert_eq!(meta.f32_array("ints").expect("numbers").collect::<Vec<_>>(), [-1.0, 2.0]);
    assert!(meta.i32_array("floats").is_none() && meta.str_array("ints").is_none());
    let two = file.tensor("two").expect("tensor");
    assert_eq!((two.dtype, two.shape.as_slice(), two.data.len()), (GgmlType::Q8_0, &[2, 64][..], 4 * 34));
    assert_eq!(two.data.as_ptr() as usize % 32, 0);
    let mut values = [0.0; 128];
    dequantize(two.dtype, two.data, &mut values).expect("right size");
    assert!(values.iter().all(|value| (value - 0.5).abs() < 1e-3));
    assert_eq!(file.tensors().map(|t| t.name).collect::<Vec<_>>(), ["one", "two"]);
    assert!(file.tensor("three").is_none());
}

#[test]
fn integers_of_any_width_are_counts() {
    use metadata::{ItemType, Value};
    assert_eq!(ItemType::I16.scalar(&[0xfe, 0xff]), Some(Value::Signed(-2)));
    assert_eq!(ItemType::U16.scalar(&[0xfe, 0xff]), Some(Value::Unsigned(0xfffe)));
    assert_eq!(ItemType::I64.scalar(&[0xff; 8]), Some(Value::Signed(-1)));
    assert_eq!(ItemType::F64.scalar(&1.5_f64.to_le_bytes()), Some(Value::Float(1.5)));
    assert_eq!(ItemType::Text.scalar(&[]), None);
}

#[test]
fn every_format_matches_the_reference_values() {
    let golden = include_str!("../../../tests/fixtures/formats/dequant.txt");
    let unhex = |text: &str| -> Vec<u8> {
        (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).expect("hex")).collect()
    };
    let mut seen = 0;
    for line in golden.lines().filter(|line| !line.starts_with('#')) {
        let [name, stored, values] = line.split(' ').collect::<Vec<_>>().try_into().expect("three fields");
        let dtype = (0..64).filter_map(GgmlType::from_code).find(|t| t.name() == name).expect("known");
        let want: Vec<f32> =
            unhex(values).chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().expect("four"))).collect();
        let mut got = vec![f32::NAN; want.len()];
        dequantize(dtype, &unhex(stored), &mut got).expect("right size");
        for (i, (got, want)) in got.iter().zip(&want).enumerate() {
            let near =
                (got - want).abs() <= 2e-6 * want.abs().max(1.0) || (got.is_nan() && want.is_nan()) || got == want;
            assert!(near, "{name} value {i}: {got} is not {want}");
        }
        seen += 1;
    }
    let supported = (0..64).filter_map(GgmlType::from_code).filter(|t| t.is_supported()).count();
    assert_eq!(seen, supported);
}

#[test]
fn wrong_sizes_and_unsupported_formats_are_refused_by_name() {
    let mut out = [0.0; 256];
    let why = dequantize(GgmlType::IQ4_XS, &[0; 136], &mut out).expect_err("unsupported");
    assert!(why.to_string().contains("IQ4_XS"), "{why}");
    assert!(dequantize(GgmlType::Q4_K, &[0; 143], &mut out).is_err());
    assert!(dequantize(GgmlType::Q4_K, &[0; 144], &mut out[..255]).is_err());
}

#[test]
fn damage_is_named() {
    let good = sample().to_bytes();
    assert!(refusal(Vec::new()).contains("empty"));
    assert!(refusal(vec![0; 100]).contains("not a GGUF file"));
    let with = |at: usize, bytes: &[u8]| {
        let mut file = good.clone();
        file[at..at + bytes.len()].copy_from_slice(bytes);
        file
    };
    assert!(refusal(with(4, &1_u32.to_le_bytes())).contains("version 1"));
    assert!(refusal(with(4, &3_u32.to_be_bytes())).contains("big-endian"));
    assert!(refusal(with(4, &200_u32.to_le_bytes())).contains("version 200"));
    assert!(refusal(with(8, &u64::MAX.to_le_bytes())).contains("cut short"));
    assert!(refusal(with(16, &(1_u64 << 40).to_le_bytes())).contains("cut short"));

    let find = |text: &[u8]| good.windows(text.len()).position(|w| w == text).expect("is there");
    let two = find(b"two") + 3;
    // After the name: dimension count, two dimensions, type, offset.
    assert!(refusal(with(two, &9_u32.to_le_bytes())).contains("9 dimensions"));
    assert!(refusal(with(two + 4, &65_u64.to_le_bytes())).contains("impossible shape"));
    assert!(refusal(with(two + 4, &0_u64.to_le_bytes())).contains("impossible shape"));
    assert!(refusal(with(two + 12, &u64::MAX.to_le_bytes())).contains("impossible shape"));
    assert!(refusal(with(two + 12, &(1_u64 << 30).to_le_bytes())).contains("cut short"));
    assert!(refusal(with(two + 20, &77_u32.to_le_bytes())).contains("format 77"));
    assert!(refusal(with(two + 24, &1_u64.to_le_bytes())).contains("not aligned"));
    assert!(refusal(with(two + 24, &0_u64.to_le_bytes())).contains("overlap"));
    assert!(refusal(with(two + 24, &(u64::MAX - 31).to_le_bytes())).contains("beyond"));
    assert!(refusal(with(find(b"words") + 5 + 4, &9_u32.to_le_bytes())).contains("array of arrays"));
    assert!(refusal(with(find("诗".as_bytes()), &[0xff])).contains("UTF-8"));

    let mut twice = sample();
    twice.u32("n", 8);
    assert!(refusal(twice.to_bytes()).contains("“n” is there twice"));
    let mut twice = sample();
    twice.tensor_f32("one", &[1], &[0.0]);
    assert!(refusal(twice.to_bytes()).contains("“one” is there twice"));
    let mut odd = sample();
    odd.u32("general.alignment", 24);
    assert!(refusal(odd.to_bytes()).contains("power of two"));
}

#[test]
fn every_truncation_is_refused() {
    let good = sample().to_bytes();
    let two = GgufFile::from_bytes(good.clone()).expect("reads");
    let padding = good.len() % 32 + (32 - two.tensor("two").expect("last").data.len() % 32) % 32;
    for length in 0..good.len() - padding {
        let why = refusal(&good[..length]);
        assert!(["cut short", "empty", "not a GGUF"].iter().any(|word| why.contains(word)), "{length}: {why}");
    }
    assert!(GgufFile::from_bytes(&good[..good.len() - padding]).is_ok());
}

#[test]
fn released_data_can_be_read_again() {
    let values: Vec<f32> = (0..40_000).map(|i| i as f32).collect();
    let mut writer = GgufWriter::new();
    writer.text("general.architecture", "llama").tensor_f32("x", &[40_000], &values);
    let dir = tempfile::tempdir().expect("temporary folder");
    let path = dir.path().join("x.gguf");
    crate::files::write_whole(&path, &writer.to_bytes()).expect("written");
    for file in [GgufFile::open(&path), GgufFile::from_bytes(writer.to_bytes())] {
        let file = file.expect("a whole file");
        let data = file.tensor("x").expect("there").data;
        let before = data.to_vec();
        file.release(data);
        file.release(&data[100..200]);
        file.release(&before);
        assert!(data == before);
    }
}
