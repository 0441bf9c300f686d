// Montgomery arithmetic for every engine: 28-bit limbs in u32, products summed in 64 bits, REDC by product scanning.
//
// R = 2^(28 n). Every number is lazy, in [0, 2p); R >= 2^8 p for each group, so
//   (x y + m p) / R < (4 p^2 + R p) / R <= p (4p/R + 1) < 2p   keeps the range without a conditional subtraction.
//
// p = -1 mod 2^64 for every ffdhe prime (RFC 7919 appendix A: the low 64 bits are ones), so -1/p mod 2^28 is 1 and the quotient's
// limb is the column's own low limb m; m p_0 = m 2^28 - m cancels it and carries m into the next column. p_0 is never read.
//
// Two columns a pass, in tiles of 2 x 2 limbs along antidiagonals: S sums x y, R sums m p, for three columns. A column sums at most 148
// products below 2^56 in each, 2^63.3, plus a carry below 2^38: neither overflows 64 bits.

import { LIMB_BITS, LIMB_MASK } from './limbs';
import { QUOTIENT } from './memory';

/** out = x y / R, for x, y in [0, 2p); out in [0, 2p). p has n limbs, n even. out may be x or y. */
export function multiplyScalar(out: usize, x: usize, y: usize, p: usize, n: i32): void {
  const half = n >> 1;
  const last = <usize>(half - 1) << 3;
  let carry: u64 = 0;
  let a0: u64, a1: u64, b0: u64, b1: u64;
  let S0: u64, S1: u64, S2: u64 = 0;
  let R0: u64, R1: u64, R2: u64 = 0;

  // Columns below n: x y and m p cancel, leaving the quotient's limbs.
  for (let t = 0; t < half; t++) {
    const end = <usize>t << 3;
    S0 = S2;
    R0 = R2;
    S1 = S2 = R1 = R2 = 0;
    for (let i = x, j = y + end; j >= y; i += 8, j -= 8) {
      a0 = load<u32>(i);
      a1 = load<u32>(i, 4);
      b0 = load<u32>(j);
      b1 = load<u32>(j, 4);
      S0 += a0 * b0;
      S1 += a0 * b1 + a1 * b0;
      S2 += a1 * b1;
    }
    for (let i = QUOTIENT, j = p + end; j > p; i += 8, j -= 8) {
      a0 = load<u32>(i);
      a1 = load<u32>(i, 4);
      b0 = load<u32>(j);
      b1 = load<u32>(j, 4);
      R0 += a0 * b0;
      R1 += a0 * b1 + a1 * b0;
      R2 += a1 * b1;
    }
    const q = QUOTIENT + end;
    const p1 = <u64>load<u32>(p, 4);
    S0 += carry;
    a0 = (S0 + R0) & LIMB_MASK;
    carry = (S0 >>> LIMB_BITS) + (R0 >>> LIMB_BITS) + (((S0 & LIMB_MASK) + (R0 & LIMB_MASK)) >>> LIMB_BITS) + a0;
    store<u32>(q, <u32>a0);
    R1 += a0 * p1;
    S1 += carry;
    a1 = (S1 + R1) & LIMB_MASK;
    carry = (S1 >>> LIMB_BITS) + (R1 >>> LIMB_BITS) + (((S1 & LIMB_MASK) + (R1 & LIMB_MASK)) >>> LIMB_BITS) + a1;
    store<u32>(q, <u32>a1, 4);
    R2 += a1 * p1;
  }
  // Columns from n: the result. Column n + c is the last to read limbs c of x and y, so out may be either.
  for (let t = half; t < n; t++) {
    const from = <usize>(t - half + 1) << 3;
    S0 = S2;
    R0 = R2;
    S1 = S2 = R1 = R2 = 0;
    for (let i = x + from, j = y + last; i <= x + last; i += 8, j -= 8) {
      a0 = load<u32>(i);
      a1 = load<u32>(i, 4);
      b0 = load<u32>(j);
      b1 = load<u32>(j, 4);
      S0 += a0 * b0;
      S1 += a0 * b1 + a1 * b0;
      S2 += a1 * b1;
    }
    for (let i = QUOTIENT + from, j = p + last; i <= QUOTIENT + last; i += 8, j -= 8) {
      a0 = load<u32>(i);
      a1 = load<u32>(i, 4);
      b0 = load<u32>(j);
      b1 = load<u32>(j, 4);
      R0 += a0 * b0;
      R1 += a0 * b1 + a1 * b0;
      R2 += a1 * b1;
    }
    const to = out + from - 8;
    S0 += carry;
    carry = (S0 >>> LIMB_BITS) + (R0 >>> LIMB_BITS) + (((S0 & LIMB_MASK) + (R0 & LIMB_MASK)) >>> LIMB_BITS);
    store<u32>(to, <u32>((S0 + R0) & LIMB_MASK));
    S1 += carry;
    carry = (S1 >>> LIMB_BITS) + (R1 >>> LIMB_BITS) + (((S1 & LIMB_MASK) + (R1 & LIMB_MASK)) >>> LIMB_BITS);
    store<u32>(to, <u32>((S1 + R1) & LIMB_MASK), 4);
  }
}

/** out = x^2 / R, as multiplyScalar with y = x, with half the products of x x. */
export function squareScalar(out: usize, x: usize, p: usize, n: i32): void {
  const half = n >> 1;
  const last = <usize>(half - 1) << 3;
  let carry: u64 = 0;
  let a0: u64, a1: u64, b0: u64, b1: u64;
  let S0: u64, S1: u64, S2: u64;
  let next: u64 = 0; // what a pass leaves for the next one's first column
  let R0: u64, R1: u64, R2: u64 = 0;

  for (let t = 0; t < half; t++) {
    const end = <usize>t << 3;
    let i = x;
    let j = x + end;
    S0 = S1 = S2 = 0;
    R0 = R2;
    R1 = R2 = 0;
    for (; i < j; i += 8, j -= 8) {
      a0 = load<u32>(i);
      a1 = load<u32>(i, 4);
      b0 = load<u32>(j);
      b1 = load<u32>(j, 4);
      S0 += a0 * b0;
      S1 += a0 * b1 + a1 * b0;
      S2 += a1 * b1;
    }
    S0 <<= 1;
    S1 <<= 1;
    S2 <<= 1;
    if (i == j) {
      // The tile on the diagonal: its two products off the diagonal are one product, twice.
      a0 = load<u32>(i);
      a1 = load<u32>(i, 4);
      S0 += a0 * a0;
      S1 += 2 * a0 * a1;
      S2 += a1 * a1;
    }
    S0 += next;
    next = S2;
    for (let i = QUOTIENT, j = p + end; j > p; i += 8, j -= 8) {
      a0 = load<u32>(i);
      a1 = load<u32>(i, 4);
      b0 = load<u32>(j);
      b1 = load<u32>(j, 4);
      R0 += a0 * b0;
      R1 += a0 * b1 + a1 * b0;
      R2 += a1 * b1;
    }
    const q = QUOTIENT + end;
    const p1 = <u64>load<u32>(p, 4);
    S0 += carry;
    a0 = (S0 + R0) & LIMB_MASK;
    carry = (S0 >>> LIMB_BITS) + (R0 >>> LIMB_BITS) + (((S0 & LIMB_MASK) + (R0 & LIMB_MASK)) >>> LIMB_BITS) + a0;
    store<u32>(q, <u32>a0);
    R1 += a0 * p1;
    S1 += carry;
    a1 = (S1 + R1) & LIMB_MASK;
    carry = (S1 >>> LIMB_BITS) + (R1 >>> LIMB_BITS) + (((S1 & LIMB_MASK) + (R1 & LIMB_MASK)) >>> LIMB_BITS) + a1;
    store<u32>(q, <u32>a1, 4);
    R2 += a1 * p1;
  }
  for (let t = half; t < n; t++) {
    const from = <usize>(t - half + 1) << 3;
    let i = x + from;
    let j = x + last;
    S0 = S1 = S2 = 0;
    R0 = R2;
    R1 = R2 = 0;
    for (; i < j; i += 8, j -= 8) {
      a0 = load<u32>(i);
      a1 = load<u32>(i, 4);
      b0 = load<u32>(j);
      b1 = load<u32>(j, 4);
      S0 += a0 * b0;
      S1 += a0 * b1 + a1 * b0;
      S2 += a1 * b1;
    }
    S0 <<= 1;
    S1 <<= 1;
    S2 <<= 1;
    if (i == j) {
      // The tile on the diagonal: its two products off the diagonal are one product, twice.
      a0 = load<u32>(i);
      a1 = load<u32>(i, 4);
      S0 += a0 * a0;
      S1 += 2 * a0 * a1;
      S2 += a1 * a1;
    }
    S0 += next;
    next = S2;
    for (let i = QUOTIENT + from, j = p + last; i <= QUOTIENT + last; i += 8, j -= 8) {
      a0 = load<u32>(i);
      a1 = load<u32>(i, 4);
      b0 = load<u32>(j);
      b1 = load<u32>(j, 4);
      R0 += a0 * b0;
      R1 += a0 * b1 + a1 * b0;
      R2 += a1 * b1;
    }
    const to = out + from - 8;
    S0 += carry;
    carry = (S0 >>> LIMB_BITS) + (R0 >>> LIMB_BITS) + (((S0 & LIMB_MASK) + (R0 & LIMB_MASK)) >>> LIMB_BITS);
    store<u32>(to, <u32>((S0 + R0) & LIMB_MASK));
    S1 += carry;
    carry = (S1 >>> LIMB_BITS) + (R1 >>> LIMB_BITS) + (((S1 & LIMB_MASK) + (R1 & LIMB_MASK)) >>> LIMB_BITS);
    store<u32>(to, <u32>((S1 + R1) & LIMB_MASK), 4);
  }
}
