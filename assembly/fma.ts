// What the fused multiply-add kernels share: how two digits are multiplied exactly and how a column is finished.
//
// Digits: radix 2^52, balanced, |d| <= 2^51, each an f64; n = 40, 60, 80 digits, R = 2^(52 n).
//
// The exact product of two digits, |a b| <= 2^102, in two parts (Dekker's idea, with the rounding done by adding a constant):
//   c1 = 1.5 2^103             hi = fma(a, b, c1)       = c1 + 2^51 h       ulp of [2^103, 2^104) is 2^51
//   c2 = c1 + 1.5 2^52         lo = fma(a, b, c2 - hi)  = 1.5 2^52 + l      exact: |l| <= 2^50, ulp of [2^52, 2^53) is 1
// so a b = 2^51 h + l, and the raw bits of hi and lo are constants plus the integers h and l. A column of the product adds the raw
// bits in two i64 accumulators H and L; its value is L + 2^51 H once count times each constant is taken off.
// |a b| = 2^102 is allowed and more is not: squaring therefore doubles accumulators and never an operand.
//
// Ranges, for the 160 products of the widest column: |L| < 2^58, |H| < 2^59, |carry| < 2^58. Each column starts from
// -count * constant + 2^60, so that its accumulators are positive where they are shifted, and logical shifts do (arithmetic 64-bit
// ones are slow on x86); 2^51 more in L brings the digit's low 52 bits to [0, 2^52), a balanced digit plus 2^51.
//   s = L + carry;  digit = ((s + (H << 51)) & (2^52 - 1)) - 2^51, by way of f64 bits;  carry = ((s >>> 51) + H) >>> 1
// The biases in carry, 2^8 and 2^59, are taken off where the next column's L starts.
//
// p = -1 mod 2^64 for the ffdhe primes, so the quotient's digit m_i is its column's own low digit, and m_i p_0 = -m_i cancels it; the
// same goes for a multiple k p = -1 mod 2^208, k = -1/p mod 2^208 and |k| <= 2^207, whose digits are -1, 0, 0, 0 and then q, n digits.
// The n-4 digits that go by k p touch nothing before the fourth column from their own: they wait for no product. The last four go by
// p, or else the result would be as large as k p.
//
// Lazy range: |out| <= |x| |y| / R + 3p/4 + 1. Balanced quotient digits make the n-4 add at most 2^(52(n-4))/2 (1 + 2^-51) |k| p, which
// is R p/4, and the last four R p/2.

const BITS_LO: u64 = 0x4338000000000000; // bits of 1.5 2^52
const BITS_HI: u64 = 0x4668000000000000; // bits of 1.5 2^103
/** The biases that a carry carries. */
export const CARRY_BIAS: u64 = (1 << 59) + (1 << 8);

/** A column's H before its first of `count` products. */
@inline
export function startH(count: u64): u64 {
  return (1 << 60) - count * BITS_HI;
}
/** A column's L before its first of `count` products. */
@inline
export function startL(count: u64): u64 {
  return (1 << 60) + (1 << 51) - CARRY_BIAS - count * BITS_LO;
}

// Constants come from memory into registers once a call; as immediates V8 would build them anew at each use.
export const CONSTANTS = memory.data<u64>([
  0x4668000000000000, 0x4668000000000000, // c1
  0x4668000000000003, 0x4668000000000003, // c2: 1.5 2^52 is three steps of 2^51 above c1
  0x000fffffffffffff, 0x000fffffffffffff, // 2^52 - 1
  0x4330000000000000, 0x4330000000000000, // bits of 2^52
  0x4338000000000000, 0x4338000000000000, // 2^52 + 2^51
  0xffffffffffffffff, 0x0000000000000000, // the lower lane
], 16);

@inline
export function fma(a: v128, b: v128, c: v128): v128 {
  return f64x2.relaxed_madd(a, b, c);
}
@inline
export function add(a: v128, b: v128): v128 {
  return i64x2.add(a, b);
}
/** The low part of a b, when high is its high part. */
@inline
export function low(a: v128, b: v128, high: v128, c2: v128): v128 {
  return f64x2.relaxed_madd(a, b, f64x2.sub(c2, high));
}
/** What a column's sums come to but for H: `sum` = L + carry. */
@inline
export function columnDigit(H: v128, sum: v128): v128 {
  const bits = v128.or(v128.and(add(sum, i64x2.shl(H, 51)), v128.load(CONSTANTS, 32)), v128.load(CONSTANTS, 48));
  return f64x2.sub(bits, v128.load(CONSTANTS, 64));
}
@inline
export function columnCarry(H: v128, sum: v128): v128 {
  return i64x2.shr_u(add(i64x2.shr_u(sum, 51), H), 1);
}

const PROBE = memory.data<f64>([1.000000000931322574615478515625, 1.00000000186264514923095703125]); // 1 + 2^-30, 1 + 2^-29

/** 1 when multiply-add rounds once: (1 + 2^-30)^2 - (1 + 2^-29) is 2^-60 then, and 0 when the square is rounded first. */
export function multiplyAddIsExact(): i32 {
  const x = v128.load64_splat(PROBE);
  const rest = fma(x, x, f64x2.neg(v128.load64_splat(PROBE, 8)));
  const exact = f64x2.eq(rest, f64x2.splat(8.673617379884035e-19)); // 2^-60
  return i32(i64x2.all_true(exact));
}
