//! Any bytes as a GGUF file: opened, its vocabulary and template read and used. Nothing may panic.
#![no_main]

use atelier::{
    formats::{
        chat_template::ChatTemplate,
        gguf::{GgufFile, dequantize},
        tokenizer::{EncodeOptions, Tokenizer},
    },
    generate::{ChatMessage, Role},
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(file) = GgufFile::from_bytes(bytes) else { return };
    for tensor in file.tensors() {
        let mut values = vec![0.0; tensor.shape.iter().product::<usize>().min(1 << 12)];
        let _ = dequantize(tensor.dtype, tensor.data, &mut values);
    }
    let _ = (file.metadata().summary(), file.parameters(), file.quantisation());
    if let Ok(tokenizer) = Tokenizer::from_gguf(file.metadata()) {
        for parse_special in [false, true] {
            let text = "The thing, and 你好 <|im_end|>\n\n  1234 <0x0A>";
            let tokens = tokenizer.encode(text, EncodeOptions { add_bos: true, parse_special });
            tokenizer.decode(&tokens);
            for id in tokens {
                let _ = (tokenizer.token_label(id), tokenizer.is_end_of_generation(id));
            }
        }
    }
    if let Ok(Some(template)) = ChatTemplate::from_gguf(file.metadata()) {
        let message = |role| ChatMessage { role, content: "Hi".to_owned() };
        let _ = template.render(&[message(Role::System), message(Role::User)], true);
    }
});
