//! The few operations that quantised products are written in, for eight rows at a time.

/// A set of instructions. [`super::wide`] holds the loops, once for all of them.
///
/// # Safety
/// Every function needs the instructions of its set and readable (or writable) memory behind its pointers; call them
/// only from functions compiled for the set, where the processor has it.
#[allow(clippy::missing_safety_doc)]
pub unsafe trait Isa {
    /// 32 bytes: four columns of eight rows, or what a sub-block is multiplied with.
    type Codes: Copy;
    /// Eight whole numbers of 32 bits, one a row.
    type Ints: Copy;
    /// Eight floats, one a row.
    type Floats: Copy;
    /// Whether codes of eight bits are multiplied as −128 … 127, their middle taken off already.
    const SIGNED_BYTES: bool;

    /// 32 bytes from memory.
    unsafe fn load(from: *const u8) -> Self::Codes;
    /// 32 bytes to memory.
    unsafe fn store(codes: Self::Codes, to: *mut u8);
    /// Every byte `mask`.
    unsafe fn mask(mask: u8) -> Self::Codes;
    /// Bits of both.
    unsafe fn and(a: Self::Codes, b: Self::Codes) -> Self::Codes;
    /// Bits of either.
    unsafe fn or(a: Self::Codes, b: Self::Codes) -> Self::Codes;
    /// Bits of each byte moved up; what enters from below is masked off by the caller.
    unsafe fn up<const BY: i32>(codes: Self::Codes) -> Self::Codes;
    /// Bits of each byte moved down; what enters from above is masked off by the caller.
    unsafe fn down<const BY: i32>(codes: Self::Codes) -> Self::Codes;

    /// Eight floats from memory.
    unsafe fn floats(from: *const u8) -> Self::Floats;
    /// Eight half floats from memory.
    unsafe fn halves(from: *const u8) -> Self::Floats;
    /// Eight brain floats from memory.
    unsafe fn brains(from: *const u8) -> Self::Floats;
    /// Eight floats to memory.
    unsafe fn store_floats(floats: Self::Floats, to: *mut f32);
    /// Every float `x`.
    unsafe fn splat(x: f32) -> Self::Floats;
    /// Sum.
    unsafe fn add(a: Self::Floats, b: Self::Floats) -> Self::Floats;
    /// Product.
    unsafe fn mul(a: Self::Floats, b: Self::Floats) -> Self::Floats;
    /// `a · b + c`, rounded once.
    unsafe fn mul_add(a: Self::Floats, b: Self::Floats, c: Self::Floats) -> Self::Floats;
    /// `c − a · b`, rounded once.
    unsafe fn negated_mul_add(a: Self::Floats, b: Self::Floats, c: Self::Floats) -> Self::Floats;

    /// Every number zero.
    unsafe fn zero() -> Self::Ints;
    /// Sum.
    unsafe fn add_ints(a: Self::Ints, b: Self::Ints) -> Self::Ints;
    /// `a − x · 2ⁿ` for each row.
    unsafe fn sub_scaled<const N: i32>(a: Self::Ints, x: Self::Ints) -> Self::Ints;
    /// Every number `x`.
    unsafe fn splat_int(x: i32) -> Self::Ints;
    /// As floats.
    unsafe fn to_floats(ints: Self::Ints) -> Self::Floats;

    /// Σ codes · x over the eight quads of a block of `BITS`-bit codes; 32 activations at `x`.
    unsafe fn block_dot<const BITS: usize>(quads: &[Self::Codes; 8], x: *const i8) -> Self::Ints;
    /// The factors of a pair of sub-blocks, from 16 bytes of scales and of minima: those of the even one, those of the
    /// odd one, and what [`Self::offset`] multiplies (the minima, or the scales without them).
    unsafe fn factors<const MIN: bool>(scales: *const u8, mins: *const u8) -> [Self::Codes; 3];
    /// A block with the factors of its sub-blocks: its first four quads times `first`, the others times `second`; with
    /// `SUB` 32 all times `first`.
    unsafe fn sub_dot<const BITS: usize, const SUB: usize>(
        quads: &[Self::Codes; 8],
        x: *const i8,
        first: Self::Codes,
        second: Self::Codes,
    ) -> Self::Ints;
    /// The third of the factors times the sums of the activations of the two sub-blocks, which are at `sums`.
    unsafe fn offset(other: Self::Codes, sums: *const i16) -> Self::Ints;
    /// Asks for the cache line at an address, which may lie anywhere.
    unsafe fn ask_for(at: *const u8);
}
