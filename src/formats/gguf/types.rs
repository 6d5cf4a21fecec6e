//! How GGUF stores numbers: the block formats of ggml and their sizes.

use std::fmt;

/// The number format of a tensor. Quantised formats store blocks: a fixed count of values in a fixed count of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(non_camel_case_types, reason = "these are the names the field uses")]
pub enum GgmlType {
    F32,
    F16,
    BF16,
    F64,
    I8,
    I16,
    I32,
    I64,
    Q4_0,
    Q4_1,
    Q5_0,
    Q5_1,
    Q8_0,
    Q8_1,
    Q2_K,
    Q3_K,
    Q4_K,
    Q5_K,
    Q6_K,
    Q8_K,
    IQ2_XXS,
    IQ2_XS,
    IQ3_XXS,
    IQ1_S,
    IQ4_NL,
    IQ3_S,
    IQ2_S,
    IQ4_XS,
    IQ1_M,
    TQ1_0,
    TQ2_0,
    MXFP4,
    NVFP4,
    Q1_0,
}

/// Type, code in the file, name, values a block, bytes a block.
type Row = (GgmlType, u32, &'static str, usize, usize);

/// In the order of the enum, so that a type indexes its own row.
const TABLE: [Row; 34] = {
    use GgmlType::*;
    [
        (F32, 0, "F32", 1, 4),
        (F16, 1, "F16", 1, 2),
        (BF16, 30, "BF16", 1, 2),
        (F64, 28, "F64", 1, 8),
        (I8, 24, "I8", 1, 1),
        (I16, 25, "I16", 1, 2),
        (I32, 26, "I32", 1, 4),
        (I64, 27, "I64", 1, 8),
        (Q4_0, 2, "Q4_0", 32, 18),
        (Q4_1, 3, "Q4_1", 32, 20),
        (Q5_0, 6, "Q5_0", 32, 22),
        (Q5_1, 7, "Q5_1", 32, 24),
        (Q8_0, 8, "Q8_0", 32, 34),
        (Q8_1, 9, "Q8_1", 32, 36),
        (Q2_K, 10, "Q2_K", 256, 84),
        (Q3_K, 11, "Q3_K", 256, 110),
        (Q4_K, 12, "Q4_K", 256, 144),
        (Q5_K, 13, "Q5_K", 256, 176),
        (Q6_K, 14, "Q6_K", 256, 210),
        (Q8_K, 15, "Q8_K", 256, 292),
        (IQ2_XXS, 16, "IQ2_XXS", 256, 66),
        (IQ2_XS, 17, "IQ2_XS", 256, 74),
        (IQ3_XXS, 18, "IQ3_XXS", 256, 98),
        (IQ1_S, 19, "IQ1_S", 256, 50),
        (IQ4_NL, 20, "IQ4_NL", 32, 18),
        (IQ3_S, 21, "IQ3_S", 256, 110),
        (IQ2_S, 22, "IQ2_S", 256, 82),
        (IQ4_XS, 23, "IQ4_XS", 256, 136),
        (IQ1_M, 29, "IQ1_M", 256, 56),
        (TQ1_0, 34, "TQ1_0", 256, 54),
        (TQ2_0, 35, "TQ2_0", 256, 66),
        (MXFP4, 39, "MXFP4", 32, 17),
        (NVFP4, 40, "NVFP4", 64, 36),
        (Q1_0, 41, "Q1_0", 128, 18),
    ]
};

impl GgmlType {
    /// The type with this code in a GGUF file.
    pub fn from_code(code: u32) -> Option<Self> {
        TABLE.iter().find(|row| row.1 == code).map(|row| row.0)
    }

    /// The code in a GGUF file.
    pub fn code(self) -> u32 {
        self.row().1
    }

    /// The name that people know it by, such as `Q4_K`.
    pub fn name(self) -> &'static str {
        self.row().2
    }

    /// Values in a block; rows of a tensor are whole blocks.
    pub fn block_size(self) -> usize {
        self.row().3
    }

    /// Bytes in a block.
    pub fn type_bytes(self) -> usize {
        self.row().4
    }

    /// Whether [`dequantize`](super::dequantize) reads it, and so whether the networks can use it.
    pub fn is_supported(self) -> bool {
        use GgmlType::*;
        matches!(self, F32 | F16 | BF16 | Q4_0 | Q4_1 | Q5_0 | Q5_1 | Q8_0 | Q2_K | Q3_K | Q4_K | Q5_K | Q6_K)
    }

    /// Bytes that `values` values take, or `None` when they are no whole blocks or too many.
    pub fn bytes_for(self, values: usize) -> Option<usize> {
        let blocks = values / self.block_size();
        values.is_multiple_of(self.block_size()).then(|| blocks.checked_mul(self.type_bytes()))?
    }

    fn row(self) -> &'static Row {
        &TABLE[self as usize]
    }
}

impl fmt::Display for GgmlType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_the_order_of_the_enum() {
        for (index, row) in TABLE.iter().enumerate() {
            assert_eq!(row.0 as usize, index, "{}", row.2);
            assert_eq!(format!("{:?}", row.0), row.2);
            assert_eq!(GgmlType::from_code(row.1), Some(row.0));
        }
        assert_eq!(GgmlType::from_code(4), None, "Q4_2 was removed from the format");
    }

    #[test]
    fn bytes_are_counted_in_whole_blocks() {
        assert_eq!(GgmlType::Q4_1.bytes_for(576), Some(360));
        assert_eq!(GgmlType::Q4_K.bytes_for(640), None);
        assert_eq!(GgmlType::F64.bytes_for(usize::MAX), None);
    }
}
