// Montgomery arithmetic on one number: the lanes of a vector are neighbouring columns; digits and columns as in fma.ts. Digit i lies
// at 8 i, with zeros before and behind (PAD in memory.ts), for y and p are read a few digits beyond both ends.
//
// Product scanning, four columns k to k+3 a pass (two vectors): for each digit i, x_i in both lanes times y_(k-i)..y_(k-i+3). Products
// with the zeros beyond the ends count like others: columns differ in count only by what their neighbours' quotient digits add. p is
// a copy whose p_0 is 0: the quotient's digit cancels its own column as it is.
//
// A quotient digit waits for the one before it (about 20 cycles each), so below n the next pass's products of x y, which wait for
// nothing, are dealt out between the four.

import { CARRY_BIAS, CONSTANTS, add, columnCarry, columnDigit, columnValue, fma, low, startH, startL } from './fma';
import { QUOTIENT } from './memory';

/** Starts of two neighbouring columns, the second of which gets `step` products more. */
@inline
function startsH(count: u64, step: u64): v128 {
  return i64x2.replace_lane(i64x2.splat(startH(count)), 1, startH(count + step));
}
@inline
function startsL(count: u64, step: u64): v128 {
  return i64x2.replace_lane(i64x2.splat(startL(count)), 1, startL(count + step));
}
@inline
function bothLower(v: v128): v128 {
  return v128.shuffle<u64>(v, v, 0, 0);
}
@inline
function bothUpper(v: v128): v128 {
  return v128.shuffle<u64>(v, v, 1, 1);
}

/** out = x y / R; |x|, |y| <= p gives |out| <= p. n digits, n a multiple of 4. out may be x or y. */
export function multiplySingle(out: usize, x: usize, y: usize, p: usize, n: i32): void {
  const c1 = v128.load(CONSTANTS);
  const c2 = v128.load(CONSTANTS, 16);
  const end = <usize>n << 3;
  let carry = i64x2.splat(CARRY_BIAS);
  let h: v128, v: v128, a: v128, b: v128, d: v128;
  let H0: v128, L0: v128, H2: v128, L2: v128; // columns k, k+1 and k+2, k+3
  let G0: v128, M0: v128, G2: v128, M2: v128; // the same of the next pass
  let i: usize, j: usize;

  // The first pass's products of x y: digits 0 to 3.
  G0 = M0 = G2 = M2 = i64x2.splat(0);
  i = x;
  j = y;
  for (; i < x + 32; i += 8, j -= 8) {
    a = v128.load64_splat(i);
    b = v128.load(j);
    d = v128.load(j, 16);
    h = fma(a, b, c1); G0 = add(G0, h); M0 = add(M0, low(a, b, h, c2));
    h = fma(a, d, c1); G2 = add(G2, h); M2 = add(M2, low(a, d, h, c2));
  }

  // Columns below n: products of x y and m p cancel, leaving the quotient's digits.
  for (let k: usize = 0; k < end; k += 32) {
    const count = <u64>(k >> 2) + 4; // k + 4 of x y and k of m p in the first column, one more in each next; k in digits
    H0 = add(G0, startsH(count, 1));
    L0 = add(M0, startsL(count, 1));
    H2 = add(G2, startsH(count + 2, 1));
    L2 = add(M2, startsL(count + 2, 1));
    for (let i: usize = 0, j = p + k; i < k; i += 8, j -= 8) {
      a = v128.load64_splat(QUOTIENT + i);
      b = v128.load(j);
      d = v128.load(j, 16);
      h = fma(a, b, c1); H0 = add(H0, h); L0 = add(L0, low(a, b, h, c2));
      h = fma(a, d, c1); H2 = add(H2, h); L2 = add(L2, low(a, d, h, c2));
    }
    // The next pass is k + 4 with digits 0 to k + 7, or n with digits 1 to n - 1.
    const first: usize = k + 32 < end ? 0 : 8;
    const quarter = ((k >> 2) + 16) & ~7;
    i = x + first;
    j = y + k + 32 - first;
    const stop = k + 32 < end ? i + k + 64 : x + end;
    G0 = M0 = G2 = M2 = i64x2.splat(0);
    // The four columns' own quotient digits, each of which adds to the columns above it.
    v = columnValue(H0, L0, carry);
    carry = columnCarry(H0, v);
    a = columnDigit(v);
    v128.store_lane<f64>(QUOTIENT + k, a, 0);
    a = bothLower(a);
    b = v128.load(p);
    d = v128.load(p, 16);
    h = fma(a, b, c1); H0 = add(H0, h); L0 = add(L0, low(a, b, h, c2));
    h = fma(a, d, c1); H2 = add(H2, h); L2 = add(L2, low(a, d, h, c2));
    for (; i < x + quarter; i += 8, j -= 8) {
      a = v128.load64_splat(i);
      b = v128.load(j);
      d = v128.load(j, 16);
      h = fma(a, b, c1); G0 = add(G0, h); M0 = add(M0, low(a, b, h, c2));
      h = fma(a, d, c1); G2 = add(G2, h); M2 = add(M2, low(a, d, h, c2));
    }
    v = columnValue(H0, L0, bothLower(carry));
    carry = columnCarry(H0, v);
    a = columnDigit(v);
    v128.store_lane<f64>(QUOTIENT + k, a, 1, 8);
    a = bothUpper(a);
    d = v128.load(p, 8);
    h = fma(a, d, c1); H2 = add(H2, h); L2 = add(L2, low(a, d, h, c2));
    for (; i < x + 2 * quarter; i += 8, j -= 8) {
      a = v128.load64_splat(i);
      b = v128.load(j);
      d = v128.load(j, 16);
      h = fma(a, b, c1); G0 = add(G0, h); M0 = add(M0, low(a, b, h, c2));
      h = fma(a, d, c1); G2 = add(G2, h); M2 = add(M2, low(a, d, h, c2));
    }
    v = columnValue(H2, L2, bothUpper(carry));
    carry = columnCarry(H2, v);
    a = columnDigit(v);
    v128.store_lane<f64>(QUOTIENT + k, a, 0, 16);
    a = bothLower(a);
    d = v128.load(p);
    h = fma(a, d, c1); H2 = add(H2, h); L2 = add(L2, low(a, d, h, c2));
    for (; i < x + 3 * quarter; i += 8, j -= 8) {
      a = v128.load64_splat(i);
      b = v128.load(j);
      d = v128.load(j, 16);
      h = fma(a, b, c1); G0 = add(G0, h); M0 = add(M0, low(a, b, h, c2));
      h = fma(a, d, c1); G2 = add(G2, h); M2 = add(M2, low(a, d, h, c2));
    }
    v = columnValue(H2, L2, bothLower(carry));
    carry = bothUpper(columnCarry(H2, v));
    v128.store_lane<f64>(QUOTIENT + k, columnDigit(v), 1, 24);
    for (; i < stop; i += 8, j -= 8) {
      a = v128.load64_splat(i);
      b = v128.load(j);
      d = v128.load(j, 16);
      h = fma(a, b, c1); G0 = add(G0, h); M0 = add(M0, low(a, b, h, c2));
      h = fma(a, d, c1); G2 = add(G2, h); M2 = add(M2, low(a, d, h, c2));
    }
  }

  // Columns from n: the result. Column n + c is the last to read digits c of x and y, so out may be either.
  for (let k = end; k < 2 * end; k += 32) {
    const count = <u64>((2 * end - 8 - k) >> 2); // 2n - 1 - k of each
    H0 = add(G0, i64x2.splat(startH(count)));
    L0 = add(M0, i64x2.splat(startL(count)));
    H2 = add(G2, i64x2.splat(startH(count)));
    L2 = add(M2, i64x2.splat(startL(count)));
    for (let i = k - end + 8, j = p + end - 8; i < end; i += 8, j -= 8) {
      a = v128.load64_splat(QUOTIENT + i);
      b = v128.load(j);
      d = v128.load(j, 16);
      h = fma(a, b, c1); H0 = add(H0, h); L0 = add(L0, low(a, b, h, c2));
      h = fma(a, d, c1); H2 = add(H2, h); L2 = add(L2, low(a, d, h, c2));
    }
    const to = out + k - end;
    v = columnValue(H0, L0, carry);
    b = columnValue(H0, L0, bothLower(columnCarry(H0, v)));
    carry = bothUpper(columnCarry(H0, b));
    v128.store(to, columnDigit(v128.shuffle<u64>(v, b, 0, 3)));
    v = columnValue(H2, L2, carry);
    b = columnValue(H2, L2, bothLower(columnCarry(H2, v)));
    carry = bothUpper(columnCarry(H2, b));
    v128.store(to, columnDigit(v128.shuffle<u64>(v, b, 0, 3)), 16);
    G0 = M0 = G2 = M2 = i64x2.splat(0);
    i = x + k + 40 - end;
    j = y + end - 8;
    for (; i < x + end; i += 8, j -= 8) {
      a = v128.load64_splat(i);
      b = v128.load(j);
      d = v128.load(j, 16);
      h = fma(a, b, c1); G0 = add(G0, h); M0 = add(M0, low(a, b, h, c2));
      h = fma(a, d, c1); G2 = add(G2, h); M2 = add(M2, low(a, d, h, c2));
    }
  }
}

/** out = x^2 / R, as multiplySingle with y = x, with half the products of x x and their accumulators doubled. */
export function squareSingle(out: usize, x: usize, p: usize, n: i32): void {
  const c1 = v128.load(CONSTANTS);
  const c2 = v128.load(CONSTANTS, 16);
  const end = <usize>n << 3;
  let carry = i64x2.splat(CARRY_BIAS);
  let h: v128, v: v128, a: v128, b: v128, d: v128;
  let H0: v128, L0: v128, H2: v128, L2: v128; // columns k, k+1 and k+2, k+3
  let G0: v128, M0: v128, G2: v128, M2: v128; // the same of the next pass
  let i: usize, j: usize;

  G0 = M0 = G2 = M2 = i64x2.splat(0);
  i = x;
  // Digit k/2 meets itself in column k, digit k/2 + 1 in column k + 2: once, where their other products count twice.
  a = v128.load64_splat(i);
  b = v128.load(i);
  d = v128.load(i, 16);
  h = fma(a, d, c1); G2 = add(G2, h); M2 = add(M2, low(a, d, h, c2));
  h = fma(a, b, c1); G0 = add(G0, h);
  b = low(a, b, h, c2); M0 = add(M0, b);
  G0 = i64x2.sub(add(G0, G0), v128.and(h, v128.load(CONSTANTS, 96)));
  M0 = i64x2.sub(add(M0, M0), v128.and(b, v128.load(CONSTANTS, 96)));
  a = v128.load64_splat(i, 8);
  b = v128.load(i, 8);
  h = fma(a, b, c1); G2 = add(G2, h);
  b = low(a, b, h, c2); M2 = add(M2, b);
  G2 = i64x2.sub(add(G2, G2), v128.and(h, v128.load(CONSTANTS, 96)));
  M2 = i64x2.sub(add(M2, M2), v128.and(b, v128.load(CONSTANTS, 96)));

  for (let k: usize = 0; k < end; k += 32) {
    const count = <u64>(k >> 2) + 1; // k + 1 of x x and k of m p in the first column, one more of each in each next
    H0 = add(G0, startsH(count, 2));
    L0 = add(M0, startsL(count, 2));
    H2 = add(G2, startsH(count + 4, 2));
    L2 = add(M2, startsL(count + 4, 2));
    for (let i: usize = 0, j = p + k; i < k; i += 8, j -= 8) {
      a = v128.load64_splat(QUOTIENT + i);
      b = v128.load(j);
      d = v128.load(j, 16);
      h = fma(a, b, c1); H0 = add(H0, h); L0 = add(L0, low(a, b, h, c2));
      h = fma(a, d, c1); H2 = add(H2, h); L2 = add(L2, low(a, d, h, c2));
    }
    // The next pass is k + 4 with digits 0 to k/2 + 1, or n with digits 1 to n/2 - 1; the last two are the diagonal's.
    const first: usize = k + 32 < end ? 0 : 8;
    const middle = x + ((k >> 1) + 16);
    i = x + first;
    j = x + k + 32 - first;
    const third = (k / 6 & ~7) + 8;
    G0 = M0 = G2 = M2 = i64x2.splat(0);
    // The four columns' own quotient digits, each of which adds to the columns above it.
    v = columnValue(H0, L0, carry);
    carry = columnCarry(H0, v);
    a = columnDigit(v);
    v128.store_lane<f64>(QUOTIENT + k, a, 0);
    a = bothLower(a);
    b = v128.load(p);
    d = v128.load(p, 16);
    h = fma(a, b, c1); H0 = add(H0, h); L0 = add(L0, low(a, b, h, c2));
    h = fma(a, d, c1); H2 = add(H2, h); L2 = add(L2, low(a, d, h, c2));
    for (; i < x + third; i += 8, j -= 8) {
      a = v128.load64_splat(i);
      b = v128.load(j);
      d = v128.load(j, 16);
      h = fma(a, b, c1); G0 = add(G0, h); M0 = add(M0, low(a, b, h, c2));
      h = fma(a, d, c1); G2 = add(G2, h); M2 = add(M2, low(a, d, h, c2));
    }
    v = columnValue(H0, L0, bothLower(carry));
    carry = columnCarry(H0, v);
    a = columnDigit(v);
    v128.store_lane<f64>(QUOTIENT + k, a, 1, 8);
    a = bothUpper(a);
    d = v128.load(p, 8);
    h = fma(a, d, c1); H2 = add(H2, h); L2 = add(L2, low(a, d, h, c2));
    for (; i < x + 2 * third; i += 8, j -= 8) {
      a = v128.load64_splat(i);
      b = v128.load(j);
      d = v128.load(j, 16);
      h = fma(a, b, c1); G0 = add(G0, h); M0 = add(M0, low(a, b, h, c2));
      h = fma(a, d, c1); G2 = add(G2, h); M2 = add(M2, low(a, d, h, c2));
    }
    v = columnValue(H2, L2, bothUpper(carry));
    carry = columnCarry(H2, v);
    a = columnDigit(v);
    v128.store_lane<f64>(QUOTIENT + k, a, 0, 16);
    a = bothLower(a);
    d = v128.load(p);
    h = fma(a, d, c1); H2 = add(H2, h); L2 = add(L2, low(a, d, h, c2));
    for (; i < middle; i += 8, j -= 8) {
      a = v128.load64_splat(i);
      b = v128.load(j);
      d = v128.load(j, 16);
      h = fma(a, b, c1); G0 = add(G0, h); M0 = add(M0, low(a, b, h, c2));
      h = fma(a, d, c1); G2 = add(G2, h); M2 = add(M2, low(a, d, h, c2));
    }
    v = columnValue(H2, L2, bothLower(carry));
    carry = bothUpper(columnCarry(H2, v));
    v128.store_lane<f64>(QUOTIENT + k, columnDigit(v), 1, 24);
    // Digit k/2 meets itself in column k, digit k/2 + 1 in column k + 2: once, where their other products count twice.
    a = v128.load64_splat(i);
    b = v128.load(i);
    d = v128.load(i, 16);
    h = fma(a, d, c1); G2 = add(G2, h); M2 = add(M2, low(a, d, h, c2));
    h = fma(a, b, c1); G0 = add(G0, h);
    b = low(a, b, h, c2); M0 = add(M0, b);
    G0 = i64x2.sub(add(G0, G0), v128.and(h, v128.load(CONSTANTS, 96)));
    M0 = i64x2.sub(add(M0, M0), v128.and(b, v128.load(CONSTANTS, 96)));
    a = v128.load64_splat(i, 8);
    b = v128.load(i, 8);
    h = fma(a, b, c1); G2 = add(G2, h);
    b = low(a, b, h, c2); M2 = add(M2, b);
    G2 = i64x2.sub(add(G2, G2), v128.and(h, v128.load(CONSTANTS, 96)));
    M2 = i64x2.sub(add(M2, M2), v128.and(b, v128.load(CONSTANTS, 96)));
  }

  for (let k = end; k < 2 * end; k += 32) {
    const count = <u64>((2 * end - 8 - k) >> 2); // 2n - 1 - k of each in the first column, of x x one more in each next
    H0 = add(G0, startsH(count, 1));
    L0 = add(M0, startsL(count, 1));
    H2 = add(G2, startsH(count + 2, 1));
    L2 = add(M2, startsL(count + 2, 1));
    for (let i = k - end + 8, j = p + end - 8; i < end; i += 8, j -= 8) {
      a = v128.load64_splat(QUOTIENT + i);
      b = v128.load(j);
      d = v128.load(j, 16);
      h = fma(a, b, c1); H0 = add(H0, h); L0 = add(L0, low(a, b, h, c2));
      h = fma(a, d, c1); H2 = add(H2, h); L2 = add(L2, low(a, d, h, c2));
    }
    const to = out + k - end;
    v = columnValue(H0, L0, carry);
    b = columnValue(H0, L0, bothLower(columnCarry(H0, v)));
    carry = bothUpper(columnCarry(H0, b));
    v128.store(to, columnDigit(v128.shuffle<u64>(v, b, 0, 3)));
    v = columnValue(H2, L2, carry);
    b = columnValue(H2, L2, bothLower(columnCarry(H2, v)));
    carry = bothUpper(columnCarry(H2, b));
    v128.store(to, columnDigit(v128.shuffle<u64>(v, b, 0, 3)), 16);
    if (k + 32 == 2 * end) break;
    G0 = M0 = G2 = M2 = i64x2.splat(0);
    i = x + k + 40 - end;
    j = x + end - 8;
    for (; i < x + ((k + 32) >> 1); i += 8, j -= 8) {
      a = v128.load64_splat(i);
      b = v128.load(j);
      d = v128.load(j, 16);
      h = fma(a, b, c1); G0 = add(G0, h); M0 = add(M0, low(a, b, h, c2));
      h = fma(a, d, c1); G2 = add(G2, h); M2 = add(M2, low(a, d, h, c2));
    }
    // Digit k/2 meets itself in column k, digit k/2 + 1 in column k + 2: once, where their other products count twice.
    a = v128.load64_splat(i);
    b = v128.load(i);
    d = v128.load(i, 16);
    h = fma(a, d, c1); G2 = add(G2, h); M2 = add(M2, low(a, d, h, c2));
    h = fma(a, b, c1); G0 = add(G0, h);
    b = low(a, b, h, c2); M0 = add(M0, b);
    G0 = i64x2.sub(add(G0, G0), v128.and(h, v128.load(CONSTANTS, 96)));
    M0 = i64x2.sub(add(M0, M0), v128.and(b, v128.load(CONSTANTS, 96)));
    a = v128.load64_splat(i, 8);
    b = v128.load(i, 8);
    h = fma(a, b, c1); G2 = add(G2, h);
    b = low(a, b, h, c2); M2 = add(M2, b);
    G2 = i64x2.sub(add(G2, G2), v128.and(h, v128.load(CONSTANTS, 96)));
    M2 = i64x2.sub(add(M2, M2), v128.and(b, v128.load(CONSTANTS, 96)));
  }
}
