// Montgomery arithmetic on two numbers at once, one in each lane of a vector; digits and columns as in fma.ts. Digit i of the two
// numbers lies at 16 i, so every operation is one instruction for both.
//
// Product scanning: columns from low to high, two at a time; x and y in tiles of 2 x 2 digits along antidiagonals: three columns, six
// accumulators, which with the operands fill the sixteen vector registers (one loop over both products would spill some of them).
// p_0 is never read: the quotient's digit cancels its column as it is.

import { CARRY_BIAS, CONSTANTS, add, columnCarry, columnDigit, columnValue, fma, low, startH, startL } from './fma';
import { QUOTIENT } from './memory';

/** out = x y / R for both lanes; |x|, |y| <= p gives |out| <= p. p in both lanes, n digits, n even. out may be x or y. */
export function multiplyPair(out: usize, x: usize, y: usize, p: usize, n: i32): void {
  const c1 = v128.load(CONSTANTS);
  const c2 = v128.load(CONSTANTS, 16);
  const half = n >> 1;
  const p1 = p + 16;
  let carry = i64x2.splat(CARRY_BIAS);
  let H0: v128, L0: v128, H1: v128, L1: v128;
  let H2 = i64x2.splat(0);
  let L2 = i64x2.splat(0);
  let h: v128, a0: v128, a1: v128, b0: v128, b1: v128;

  // Columns below n: products of x y and m p cancel, leaving the quotient's digits.
  for (let t = 0; t < half; t++) {
    const count = <u64>(4 * t + 1); // 2t + 1 of x y, 2t of m p; two more in the next column
    const startH0 = startH(count);
    const startL0 = startL(count);
    const startH1 = startH(count + 2);
    const startL1 = startL(count + 2);
    H0 = add(H2, i64x2.splat(startH0));
    L0 = add(L2, i64x2.splat(startL0));
    H1 = i64x2.splat(startH1);
    L1 = i64x2.splat(startL1);
    H2 = i64x2.splat(0);
    L2 = i64x2.splat(0);
    const end = <usize>t << 5;
    for (let i = x, j = y + end; j >= y; i += 32, j -= 32) {
      a0 = v128.load(i);
      a1 = v128.load(i, 16);
      b0 = v128.load(j);
      b1 = v128.load(j, 16);
      h = fma(a0, b0, c1); H0 = add(H0, h); L0 = add(L0, low(a0, b0, h, c2));
      h = fma(a0, b1, c1); H1 = add(H1, h); L1 = add(L1, low(a0, b1, h, c2));
      h = fma(a1, b0, c1); H1 = add(H1, h); L1 = add(L1, low(a1, b0, h, c2));
      h = fma(a1, b1, c1); H2 = add(H2, h); L2 = add(L2, low(a1, b1, h, c2));
    }
    for (let i = QUOTIENT, j = p + end; j > p; i += 32, j -= 32) {
      a0 = v128.load(i);
      a1 = v128.load(i, 16);
      b0 = v128.load(j);
      b1 = v128.load(j, 16);
      h = fma(a0, b0, c1); H0 = add(H0, h); L0 = add(L0, low(a0, b0, h, c2));
      h = fma(a0, b1, c1); H1 = add(H1, h); L1 = add(L1, low(a0, b1, h, c2));
      h = fma(a1, b0, c1); H1 = add(H1, h); L1 = add(L1, low(a1, b0, h, c2));
      h = fma(a1, b1, c1); H2 = add(H2, h); L2 = add(L2, low(a1, b1, h, c2));
    }
    const m = QUOTIENT + end;
    b1 = v128.load(p1);
    a0 = columnValue(H0, L0, carry);
    carry = columnCarry(H0, a0);
    a0 = columnDigit(a0);
    v128.store(m, a0);
    h = fma(a0, b1, c1); H1 = add(H1, h); L1 = add(L1, low(a0, b1, h, c2));
    a1 = columnValue(H1, L1, carry);
    carry = columnCarry(H1, a1);
    a1 = columnDigit(a1);
    v128.store(m, a1, 16);
    h = fma(a1, b1, c1); H2 = add(H2, h); L2 = add(L2, low(a1, b1, h, c2));
  }

  // Columns from n: the result. Column n + c is the last to read digits c of x and y, so out may be either.
  const last = <usize>(half - 1) << 5;
  for (let t = half; t < n; t++) {
    const count = <u64>(4 * (n - t) - 2); // 2(n - t) - 1 of each; one less of each in the next column
    const startH0 = startH(count);
    const startL0 = startL(count);
    const startH1 = startH(count - 2);
    const startL1 = startL(count - 2);
    H0 = add(H2, i64x2.splat(startH0));
    L0 = add(L2, i64x2.splat(startL0));
    H1 = i64x2.splat(startH1);
    L1 = i64x2.splat(startL1);
    H2 = i64x2.splat(0);
    L2 = i64x2.splat(0);
    const from = <usize>(t - half + 1) << 5;
    for (let i = x + from, j = y + last; i <= x + last; i += 32, j -= 32) {
      a0 = v128.load(i);
      a1 = v128.load(i, 16);
      b0 = v128.load(j);
      b1 = v128.load(j, 16);
      h = fma(a0, b0, c1); H0 = add(H0, h); L0 = add(L0, low(a0, b0, h, c2));
      h = fma(a0, b1, c1); H1 = add(H1, h); L1 = add(L1, low(a0, b1, h, c2));
      h = fma(a1, b0, c1); H1 = add(H1, h); L1 = add(L1, low(a1, b0, h, c2));
      h = fma(a1, b1, c1); H2 = add(H2, h); L2 = add(L2, low(a1, b1, h, c2));
    }
    for (let i = QUOTIENT + from, j = p + last; i <= QUOTIENT + last; i += 32, j -= 32) {
      a0 = v128.load(i);
      a1 = v128.load(i, 16);
      b0 = v128.load(j);
      b1 = v128.load(j, 16);
      h = fma(a0, b0, c1); H0 = add(H0, h); L0 = add(L0, low(a0, b0, h, c2));
      h = fma(a0, b1, c1); H1 = add(H1, h); L1 = add(L1, low(a0, b1, h, c2));
      h = fma(a1, b0, c1); H1 = add(H1, h); L1 = add(L1, low(a1, b0, h, c2));
      h = fma(a1, b1, c1); H2 = add(H2, h); L2 = add(L2, low(a1, b1, h, c2));
    }
    const to = out + from - 32;
    a0 = columnValue(H0, L0, carry);
    carry = columnCarry(H0, a0);
    a0 = columnDigit(a0);
    v128.store(to, a0);
    a1 = columnValue(H1, L1, carry);
    carry = columnCarry(H1, a1);
    a1 = columnDigit(a1);
    v128.store(to, a1, 16);
  }
}

/** out = x^2 / R for both lanes; as multiplyPair with y = x, with half the products of x x and their accumulators doubled. */
export function squarePair(out: usize, x: usize, p: usize, n: i32): void {
  const c1 = v128.load(CONSTANTS);
  const c2 = v128.load(CONSTANTS, 16);
  const half = n >> 1;
  const p1 = p + 16;
  let carry = i64x2.splat(CARRY_BIAS);
  let H0: v128, L0: v128, H1: v128, L1: v128, H2: v128, L2: v128;
  let nextH = i64x2.splat(0); // what the last pass left for this pass's first column
  let nextL = i64x2.splat(0);
  let h: v128, a0: v128, a1: v128, b0: v128, b1: v128;

  for (let t = 0; t < half; t++) {
    const count = <u64>(4 * t + 1);
    const end = <usize>t << 5;
    H0 = L0 = H1 = L1 = H2 = L2 = i64x2.splat(0);
    let i = x;
    let j = x + end;
    for (; i < j; i += 32, j -= 32) {
      a0 = v128.load(i);
      a1 = v128.load(i, 16);
      b0 = v128.load(j);
      b1 = v128.load(j, 16);
      h = fma(a0, b0, c1); H0 = add(H0, h); L0 = add(L0, low(a0, b0, h, c2));
      h = fma(a0, b1, c1); H1 = add(H1, h); L1 = add(L1, low(a0, b1, h, c2));
      h = fma(a1, b0, c1); H1 = add(H1, h); L1 = add(L1, low(a1, b0, h, c2));
      h = fma(a1, b1, c1); H2 = add(H2, h); L2 = add(L2, low(a1, b1, h, c2));
    }
    H0 = add(H0, H0);
    L0 = add(L0, L0);
    if (i == j) {
      // The tile on the diagonal: its two products off the diagonal are one product, twice.
      a0 = v128.load(i);
      a1 = v128.load(i, 16);
      h = fma(a0, a1, c1); H1 = add(H1, h); L1 = add(L1, low(a0, a1, h, c2));
      h = fma(a0, a0, c1); H0 = add(H0, h); L0 = add(L0, low(a0, a0, h, c2));
      H2 = add(H2, H2);
      L2 = add(L2, L2);
      h = fma(a1, a1, c1); H2 = add(H2, h); L2 = add(L2, low(a1, a1, h, c2));
    } else {
      H2 = add(H2, H2);
      L2 = add(L2, L2);
    }
    const startH0 = startH(count);
    const startL0 = startL(count);
    const startH1 = startH(count + 2);
    const startL1 = startL(count + 2);
    H0 = add(H0, add(nextH, i64x2.splat(startH0)));
    L0 = add(L0, add(nextL, i64x2.splat(startL0)));
    H1 = add(add(H1, H1), i64x2.splat(startH1));
    L1 = add(add(L1, L1), i64x2.splat(startL1));
    for (let i = QUOTIENT, j = p + end; j > p; i += 32, j -= 32) {
      a0 = v128.load(i);
      a1 = v128.load(i, 16);
      b0 = v128.load(j);
      b1 = v128.load(j, 16);
      h = fma(a0, b0, c1); H0 = add(H0, h); L0 = add(L0, low(a0, b0, h, c2));
      h = fma(a0, b1, c1); H1 = add(H1, h); L1 = add(L1, low(a0, b1, h, c2));
      h = fma(a1, b0, c1); H1 = add(H1, h); L1 = add(L1, low(a1, b0, h, c2));
      h = fma(a1, b1, c1); H2 = add(H2, h); L2 = add(L2, low(a1, b1, h, c2));
    }
    const m = QUOTIENT + end;
    b1 = v128.load(p1);
    a0 = columnValue(H0, L0, carry);
    carry = columnCarry(H0, a0);
    a0 = columnDigit(a0);
    v128.store(m, a0);
    h = fma(a0, b1, c1); H1 = add(H1, h); L1 = add(L1, low(a0, b1, h, c2));
    a1 = columnValue(H1, L1, carry);
    carry = columnCarry(H1, a1);
    a1 = columnDigit(a1);
    v128.store(m, a1, 16);
    h = fma(a1, b1, c1);
    nextH = add(H2, h);
    nextL = add(L2, low(a1, b1, h, c2));
  }

  const last = <usize>(half - 1) << 5;
  for (let t = half; t < n; t++) {
    const count = <u64>(4 * (n - t) - 2);
    const from = <usize>(t - half + 1) << 5;
    H0 = L0 = H1 = L1 = H2 = L2 = i64x2.splat(0);
    let i = x + from;
    let j = x + last;
    for (; i < j; i += 32, j -= 32) {
      a0 = v128.load(i);
      a1 = v128.load(i, 16);
      b0 = v128.load(j);
      b1 = v128.load(j, 16);
      h = fma(a0, b0, c1); H0 = add(H0, h); L0 = add(L0, low(a0, b0, h, c2));
      h = fma(a0, b1, c1); H1 = add(H1, h); L1 = add(L1, low(a0, b1, h, c2));
      h = fma(a1, b0, c1); H1 = add(H1, h); L1 = add(L1, low(a1, b0, h, c2));
      h = fma(a1, b1, c1); H2 = add(H2, h); L2 = add(L2, low(a1, b1, h, c2));
    }
    H0 = add(H0, H0);
    L0 = add(L0, L0);
    if (i == j) {
      // The tile on the diagonal: its two products off the diagonal are one product, twice.
      a0 = v128.load(i);
      a1 = v128.load(i, 16);
      h = fma(a0, a1, c1); H1 = add(H1, h); L1 = add(L1, low(a0, a1, h, c2));
      h = fma(a0, a0, c1); H0 = add(H0, h); L0 = add(L0, low(a0, a0, h, c2));
      H2 = add(H2, H2);
      L2 = add(L2, L2);
      h = fma(a1, a1, c1); H2 = add(H2, h); L2 = add(L2, low(a1, a1, h, c2));
    } else {
      H2 = add(H2, H2);
      L2 = add(L2, L2);
    }
    const startH0 = startH(count);
    const startL0 = startL(count);
    const startH1 = startH(count - 2);
    const startL1 = startL(count - 2);
    H0 = add(H0, add(nextH, i64x2.splat(startH0)));
    L0 = add(L0, add(nextL, i64x2.splat(startL0)));
    H1 = add(add(H1, H1), i64x2.splat(startH1));
    L1 = add(add(L1, L1), i64x2.splat(startL1));
    for (let i = QUOTIENT + from, j = p + last; i <= QUOTIENT + last; i += 32, j -= 32) {
      a0 = v128.load(i);
      a1 = v128.load(i, 16);
      b0 = v128.load(j);
      b1 = v128.load(j, 16);
      h = fma(a0, b0, c1); H0 = add(H0, h); L0 = add(L0, low(a0, b0, h, c2));
      h = fma(a0, b1, c1); H1 = add(H1, h); L1 = add(L1, low(a0, b1, h, c2));
      h = fma(a1, b0, c1); H1 = add(H1, h); L1 = add(L1, low(a1, b0, h, c2));
      h = fma(a1, b1, c1); H2 = add(H2, h); L2 = add(L2, low(a1, b1, h, c2));
    }
    const to = out + from - 32;
    a0 = columnValue(H0, L0, carry);
    carry = columnCarry(H0, a0);
    a0 = columnDigit(a0);
    v128.store(to, a0);
    a1 = columnValue(H1, L1, carry);
    carry = columnCarry(H1, a1);
    a1 = columnDigit(a1);
    v128.store(to, a1, 16);
    nextH = H2;
    nextL = L2;
  }
}
