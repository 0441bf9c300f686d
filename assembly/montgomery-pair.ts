// Montgomery arithmetic on two numbers at once, one in each lane of a vector; digits and columns as in fma.ts. Digit i of the two
// numbers lies at 16 i, so every operation is one instruction for both.
//
// Product scanning: columns from low to high, two at a time; x and y in tiles of 2 x 2 digits along antidiagonals: three columns, six
// accumulators, which with the operands fill the sixteen vector registers (one loop over both products would spill some of them). The
// two products of a tile's middle column are added to each other first, so that no accumulator waits for two additions a tile.
//
// The quotient's digits but the last four go by q, the digits 4 to n + 3 of the multiple k p = -1 mod 2^208 (montgomery-single.ts has
// the reasons and the range): a digit is its column's low digit, and is needed two passes later. The last four go by p, one waiting for
// the other; what they add to the result's columns is computed first, in a loop of its own, into SUMS.
//
//   |out| <= |x| |y| / R + 3 p / 4 + 1

import { CARRY_BIAS, CONSTANTS, add, columnCarry, columnDigit, fma, low, startH, startL } from './fma';
import { COLUMNS as SUMS, PAIR_MULTIPLE, PAIR_STARTS, QUOTIENT } from './memory';

/** Bytes of one digit of all lanes. */
const DIGIT: usize = 16;

/** Writes the starts of the 2n columns' H and L, 16 bytes a column. Public. */
export function prepareColumns(starts: usize, n: i32): void {
  for (let k = 0; k < 2 * n; k++) {
    let count = k < n ? k + 1 : 2 * n - 1 - k; // x y
    for (let i = 0; i < n - 4; i++) count += i32(k - 4 - i >= 0 && k - 4 - i < n); // m q
    // The first pass of the result has a tile of m q more, with zeros before m_0.
    count += k == n + 1 ? 2 : i32(k == n || k == n + 2);
    count += min(max(k - (n - 4), 0), 4); // m p, the last four, with zeros behind p
    const at = starts + (<usize>k << 4);
    store<u64>(at, startH(count));
    store<u64>(at, startL(count), 8);
  }
}

/** out = x y / R for both lanes; |x|, |y| <= p gives |out| <= p. p in both lanes, n digits, n even. out may be x or y. */
export function multiplyPair(out: usize, x: usize, y: usize, p: usize, n: i32): void {
  const c1 = v128.load(CONSTANTS);
  const c2 = v128.load(CONSTANTS, 16);
  const size = <usize>n * DIGIT;
  const q = p + PAIR_MULTIPLE;
  const p1 = p + DIGIT;
  const p2 = p + 2 * DIGIT;
  const fourth = QUOTIENT + size - 4 * DIGIT; // the fourth digit of the quotient from its end
  let starts = p + PAIR_STARTS;
  let carry = i64x2.splat(CARRY_BIAS);
  let H0: v128, L0: v128, H1: v128, L1: v128, H2: v128, L2: v128;
  let nextH = i64x2.splat(0); // what the last pass left for this pass's first column
  let nextL = i64x2.splat(0);
  let g: v128, h: v128, a0: v128, a1: v128, a2: v128, a3: v128, b0: v128, b1: v128;

  // Columns below n: products of x y and m q cancel, leaving the quotient's digits.
  for (let end: usize = 0; end < size; end += 2 * DIGIT) {
    H0 = v128.load64_splat(starts);
    L0 = v128.load64_splat(starts, 8);
    H1 = v128.load64_splat(starts, 16);
    L1 = v128.load64_splat(starts, 24);
    H2 = i64x2.splat(0);
    L2 = i64x2.splat(0);
    starts += 32;
    for (let i = x, j = y + end; j >= y; i += 2 * DIGIT, j -= 2 * DIGIT) {
      a0 = v128.load(i);
      a1 = v128.load(i, 16);
      b0 = v128.load(j);
      b1 = v128.load(j, 16);
      h = fma(a0, b0, c1); H0 = add(H0, h); L0 = add(L0, low(a0, b0, h, c2));
      g = fma(a0, b1, c1); h = fma(a1, b0, c1); H1 = add(H1, add(g, h));
      L1 = add(L1, add(low(a0, b1, g, c2), low(a1, b0, h, c2)));
      h = fma(a1, b1, c1); H2 = add(H2, h); L2 = add(L2, low(a1, b1, h, c2));
    }
    for (let i = QUOTIENT, j = q + end - 4 * DIGIT; j >= q; i += 2 * DIGIT, j -= 2 * DIGIT) {
      a0 = v128.load(i);
      a1 = v128.load(i, 16);
      b0 = v128.load(j);
      b1 = v128.load(j, 16);
      h = fma(a0, b0, c1); H0 = add(H0, h); L0 = add(L0, low(a0, b0, h, c2));
      g = fma(a0, b1, c1); h = fma(a1, b0, c1); H1 = add(H1, add(g, h));
      L1 = add(L1, add(low(a0, b1, g, c2), low(a1, b0, h, c2)));
      h = fma(a1, b1, c1); H2 = add(H2, h); L2 = add(L2, low(a1, b1, h, c2));
    }
    H0 = add(H0, nextH);
    L0 = add(L0, nextL);
    // Only the last four digits add to columns that are still to be finished here.
    const m = QUOTIENT + end;
    if (end == size - 2 * DIGIT) {
      a0 = v128.load(fourth);
      b1 = v128.load(p2);
      h = fma(a0, b1, c1); H0 = add(H0, h); L0 = add(L0, low(a0, b1, h, c2));
      b0 = v128.load(p2, 16);
      a1 = v128.load(fourth, 16);
      h = fma(a0, b0, c1); H1 = add(H1, h); L1 = add(L1, low(a0, b0, h, c2));
      h = fma(a1, b1, c1); H1 = add(H1, h); L1 = add(L1, low(a1, b1, h, c2));
    }
    L0 = add(L0, carry);
    carry = columnCarry(H0, L0);
    a0 = columnDigit(H0, L0);
    v128.store(m, a0);
    if (end >= size - 4 * DIGIT) {
      b1 = v128.load(p1);
      h = fma(a0, b1, c1); H1 = add(H1, h); L1 = add(L1, low(a0, b1, h, c2));
    }
    L1 = add(L1, carry);
    carry = columnCarry(H1, L1);
    a1 = columnDigit(H1, L1);
    v128.store(m, a1, 16);
    nextH = H2;
    nextL = L2;
    if (end == size - 4 * DIGIT) {
      b1 = v128.load(p1);
      h = fma(a1, b1, c1); nextH = add(nextH, h); nextL = add(nextL, low(a1, b1, h, c2));
    }
  }

  // The last four digits' products with p, of all columns from n.
  a0 = v128.load(fourth);
  a1 = v128.load(fourth, 16);
  a2 = v128.load(fourth, 32);
  a3 = v128.load(fourth, 48);
  let sums = SUMS;
  for (let j = p1; j < p1 + size; j += DIGIT) {
    b0 = v128.load(j, 48);
    h = fma(a0, b0, c1); H0 = add(v128.load64_splat(starts), h); L0 = add(v128.load64_splat(starts, 8), low(a0, b0, h, c2));
    b0 = v128.load(j, 32);
    h = fma(a1, b0, c1); H0 = add(H0, h); L0 = add(L0, low(a1, b0, h, c2));
    b0 = v128.load(j, 16);
    h = fma(a2, b0, c1); H0 = add(H0, h); L0 = add(L0, low(a2, b0, h, c2));
    b0 = v128.load(j);
    h = fma(a3, b0, c1); H0 = add(H0, h); L0 = add(L0, low(a3, b0, h, c2));
    v128.store(sums, H0);
    v128.store(sums, L0, 16);
    sums += 2 * DIGIT;
    starts += 16;
  }
  sums = SUMS;

  // Columns from n: the result. Column n + c is the last to read digits c of x and y, so out may be either.
  const last = size - 2 * DIGIT;
  for (let from: usize = 2 * DIGIT; from <= size; from += 2 * DIGIT) {
    H0 = v128.load(sums);
    L0 = v128.load(sums, 16);
    H1 = v128.load(sums, 32);
    L1 = v128.load(sums, 48);
    H2 = i64x2.splat(0);
    L2 = i64x2.splat(0);
    for (let i = x + from, j = y + last; i <= x + last; i += 2 * DIGIT, j -= 2 * DIGIT) {
      a0 = v128.load(i);
      a1 = v128.load(i, 16);
      b0 = v128.load(j);
      b1 = v128.load(j, 16);
      h = fma(a0, b0, c1); H0 = add(H0, h); L0 = add(L0, low(a0, b0, h, c2));
      g = fma(a0, b1, c1); h = fma(a1, b0, c1); H1 = add(H1, add(g, h));
      L1 = add(L1, add(low(a0, b1, g, c2), low(a1, b0, h, c2)));
      h = fma(a1, b1, c1); H2 = add(H2, h); L2 = add(L2, low(a1, b1, h, c2));
    }
    for (let i = QUOTIENT + from - 4 * DIGIT, j = q + last; i <= QUOTIENT + last - 4 * DIGIT; i += 2 * DIGIT, j -= 2 * DIGIT) {
      a0 = v128.load(i);
      a1 = v128.load(i, 16);
      b0 = v128.load(j);
      b1 = v128.load(j, 16);
      h = fma(a0, b0, c1); H0 = add(H0, h); L0 = add(L0, low(a0, b0, h, c2));
      g = fma(a0, b1, c1); h = fma(a1, b0, c1); H1 = add(H1, add(g, h));
      L1 = add(L1, add(low(a0, b1, g, c2), low(a1, b0, h, c2)));
      h = fma(a1, b1, c1); H2 = add(H2, h); L2 = add(L2, low(a1, b1, h, c2));
    }
    H0 = add(H0, nextH);
    L0 = add(L0, nextL);
    const to = out + from - 2 * DIGIT;
    L0 = add(L0, carry);
    carry = columnCarry(H0, L0);
    a0 = columnDigit(H0, L0);
    v128.store(to, a0);
    L1 = add(L1, carry);
    carry = columnCarry(H1, L1);
    a1 = columnDigit(H1, L1);
    v128.store(to, a1, 16);
    nextH = H2;
    nextL = L2;
    sums += 4 * DIGIT;
  }
}

/** out = x^2 / R for both lanes; as multiplyPair with y = x, with half the products of x x and their accumulators doubled. */
export function squarePair(out: usize, x: usize, p: usize, n: i32): void {
  const c1 = v128.load(CONSTANTS);
  const c2 = v128.load(CONSTANTS, 16);
  const size = <usize>n * DIGIT;
  const q = p + PAIR_MULTIPLE;
  const p1 = p + DIGIT;
  const p2 = p + 2 * DIGIT;
  const fourth = QUOTIENT + size - 4 * DIGIT; // the fourth digit of the quotient from its end
  let starts = p + PAIR_STARTS;
  let carry = i64x2.splat(CARRY_BIAS);
  let H0: v128, L0: v128, H1: v128, L1: v128, H2: v128, L2: v128;
  let nextH = i64x2.splat(0); // what the last pass left for this pass's first column
  let nextL = i64x2.splat(0);
  let g: v128, h: v128, a0: v128, a1: v128, a2: v128, a3: v128, b0: v128, b1: v128;

  for (let end: usize = 0; end < size; end += 2 * DIGIT) {
    H0 = L0 = H1 = L1 = H2 = L2 = i64x2.splat(0);
    let i = x;
    let j = x + end;
    for (; i < j; i += 2 * DIGIT, j -= 2 * DIGIT) {
      a0 = v128.load(i);
      a1 = v128.load(i, 16);
      b0 = v128.load(j);
      b1 = v128.load(j, 16);
      h = fma(a0, b0, c1); H0 = add(H0, h); L0 = add(L0, low(a0, b0, h, c2));
      g = fma(a0, b1, c1); h = fma(a1, b0, c1); H1 = add(H1, add(g, h));
      L1 = add(L1, add(low(a0, b1, g, c2), low(a1, b0, h, c2)));
      h = fma(a1, b1, c1); H2 = add(H2, h); L2 = add(L2, low(a1, b1, h, c2));
    }
    H0 = add(H0, H0);
    L0 = add(L0, L0);
    H1 = add(H1, H1);
    L1 = add(L1, L1);
    if (i == j) {
      // The tile on the diagonal: its two products off the diagonal are one product, twice.
      a0 = v128.load(i);
      a1 = v128.load(i, 16);
      h = fma(a0, a0, c1); H0 = add(H0, h); L0 = add(L0, low(a0, a0, h, c2));
      g = fma(a0, a1, c1); H1 = add(H1, add(g, g)); h = low(a0, a1, g, c2); L1 = add(L1, add(h, h));
      H2 = add(H2, H2);
      L2 = add(L2, L2);
      h = fma(a1, a1, c1); H2 = add(H2, h); L2 = add(L2, low(a1, a1, h, c2));
    } else {
      H2 = add(H2, H2);
      L2 = add(L2, L2);
    }
    for (let i = QUOTIENT, j = q + end - 4 * DIGIT; j >= q; i += 2 * DIGIT, j -= 2 * DIGIT) {
      a0 = v128.load(i);
      a1 = v128.load(i, 16);
      b0 = v128.load(j);
      b1 = v128.load(j, 16);
      h = fma(a0, b0, c1); H0 = add(H0, h); L0 = add(L0, low(a0, b0, h, c2));
      g = fma(a0, b1, c1); h = fma(a1, b0, c1); H1 = add(H1, add(g, h));
      L1 = add(L1, add(low(a0, b1, g, c2), low(a1, b0, h, c2)));
      h = fma(a1, b1, c1); H2 = add(H2, h); L2 = add(L2, low(a1, b1, h, c2));
    }
    H0 = add(H0, add(nextH, v128.load64_splat(starts)));
    L0 = add(L0, add(nextL, v128.load64_splat(starts, 8)));
    H1 = add(H1, v128.load64_splat(starts, 16));
    L1 = add(L1, v128.load64_splat(starts, 24));
    starts += 32;
    // Only the last four digits add to columns that are still to be finished here.
    const m = QUOTIENT + end;
    if (end == size - 2 * DIGIT) {
      a0 = v128.load(fourth);
      b1 = v128.load(p2);
      h = fma(a0, b1, c1); H0 = add(H0, h); L0 = add(L0, low(a0, b1, h, c2));
      b0 = v128.load(p2, 16);
      a1 = v128.load(fourth, 16);
      h = fma(a0, b0, c1); H1 = add(H1, h); L1 = add(L1, low(a0, b0, h, c2));
      h = fma(a1, b1, c1); H1 = add(H1, h); L1 = add(L1, low(a1, b1, h, c2));
    }
    L0 = add(L0, carry);
    carry = columnCarry(H0, L0);
    a0 = columnDigit(H0, L0);
    v128.store(m, a0);
    if (end >= size - 4 * DIGIT) {
      b1 = v128.load(p1);
      h = fma(a0, b1, c1); H1 = add(H1, h); L1 = add(L1, low(a0, b1, h, c2));
    }
    L1 = add(L1, carry);
    carry = columnCarry(H1, L1);
    a1 = columnDigit(H1, L1);
    v128.store(m, a1, 16);
    nextH = H2;
    nextL = L2;
    if (end == size - 4 * DIGIT) {
      b1 = v128.load(p1);
      h = fma(a1, b1, c1); nextH = add(nextH, h); nextL = add(nextL, low(a1, b1, h, c2));
    }
  }

  // The last four digits' products with p, of all columns from n.
  a0 = v128.load(fourth);
  a1 = v128.load(fourth, 16);
  a2 = v128.load(fourth, 32);
  a3 = v128.load(fourth, 48);
  let sums = SUMS;
  for (let j = p1; j < p1 + size; j += DIGIT) {
    b0 = v128.load(j, 48);
    h = fma(a0, b0, c1); H0 = add(v128.load64_splat(starts), h); L0 = add(v128.load64_splat(starts, 8), low(a0, b0, h, c2));
    b0 = v128.load(j, 32);
    h = fma(a1, b0, c1); H0 = add(H0, h); L0 = add(L0, low(a1, b0, h, c2));
    b0 = v128.load(j, 16);
    h = fma(a2, b0, c1); H0 = add(H0, h); L0 = add(L0, low(a2, b0, h, c2));
    b0 = v128.load(j);
    h = fma(a3, b0, c1); H0 = add(H0, h); L0 = add(L0, low(a3, b0, h, c2));
    v128.store(sums, H0);
    v128.store(sums, L0, 16);
    sums += 2 * DIGIT;
    starts += 16;
  }
  sums = SUMS;

  const last = size - 2 * DIGIT;
  for (let from: usize = 2 * DIGIT; from <= size; from += 2 * DIGIT) {
    H0 = L0 = H1 = L1 = H2 = L2 = i64x2.splat(0);
    let i = x + from;
    let j = x + last;
    for (; i < j; i += 2 * DIGIT, j -= 2 * DIGIT) {
      a0 = v128.load(i);
      a1 = v128.load(i, 16);
      b0 = v128.load(j);
      b1 = v128.load(j, 16);
      h = fma(a0, b0, c1); H0 = add(H0, h); L0 = add(L0, low(a0, b0, h, c2));
      g = fma(a0, b1, c1); h = fma(a1, b0, c1); H1 = add(H1, add(g, h));
      L1 = add(L1, add(low(a0, b1, g, c2), low(a1, b0, h, c2)));
      h = fma(a1, b1, c1); H2 = add(H2, h); L2 = add(L2, low(a1, b1, h, c2));
    }
    H0 = add(H0, H0);
    L0 = add(L0, L0);
    H1 = add(H1, H1);
    L1 = add(L1, L1);
    if (i == j) {
      // The tile on the diagonal: its two products off the diagonal are one product, twice.
      a0 = v128.load(i);
      a1 = v128.load(i, 16);
      h = fma(a0, a0, c1); H0 = add(H0, h); L0 = add(L0, low(a0, a0, h, c2));
      g = fma(a0, a1, c1); H1 = add(H1, add(g, g)); h = low(a0, a1, g, c2); L1 = add(L1, add(h, h));
      H2 = add(H2, H2);
      L2 = add(L2, L2);
      h = fma(a1, a1, c1); H2 = add(H2, h); L2 = add(L2, low(a1, a1, h, c2));
    } else {
      H2 = add(H2, H2);
      L2 = add(L2, L2);
    }
    for (let i = QUOTIENT + from - 4 * DIGIT, j = q + last; i <= QUOTIENT + last - 4 * DIGIT; i += 2 * DIGIT, j -= 2 * DIGIT) {
      a0 = v128.load(i);
      a1 = v128.load(i, 16);
      b0 = v128.load(j);
      b1 = v128.load(j, 16);
      h = fma(a0, b0, c1); H0 = add(H0, h); L0 = add(L0, low(a0, b0, h, c2));
      g = fma(a0, b1, c1); h = fma(a1, b0, c1); H1 = add(H1, add(g, h));
      L1 = add(L1, add(low(a0, b1, g, c2), low(a1, b0, h, c2)));
      h = fma(a1, b1, c1); H2 = add(H2, h); L2 = add(L2, low(a1, b1, h, c2));
    }
    H0 = add(H0, add(nextH, v128.load(sums)));
    L0 = add(L0, add(nextL, v128.load(sums, 16)));
    H1 = add(H1, v128.load(sums, 32));
    L1 = add(L1, v128.load(sums, 48));
    const to = out + from - 2 * DIGIT;
    L0 = add(L0, carry);
    carry = columnCarry(H0, L0);
    a0 = columnDigit(H0, L0);
    v128.store(to, a0);
    L1 = add(L1, carry);
    carry = columnCarry(H1, L1);
    a1 = columnDigit(H1, L1);
    v128.store(to, a1, 16);
    nextH = H2;
    nextL = L2;
    sums += 4 * DIGIT;
  }
}
