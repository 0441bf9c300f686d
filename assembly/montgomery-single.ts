// Montgomery arithmetic on one number: the lanes of a vector are neighbouring columns; digits and columns as in fma.ts. Digit i lies
// at 8 i, with zeros before and behind (PAD in memory.ts), for y and q are read one digit beyond both ends.
//
// Operand scanning, four digits of x (or of the quotient m) at a time: a *block* of four rows,
//
//   columns   0 1 2 3 4 5 ..                    n-1 n n+1 n+2 n+3
//   a0 b      x x x x x x ..                     x
//   a1 b        x x x x x ..                     x  x
//   a2 b          x x x x ..                     x  x  x
//   a3 b            x x x ..                     x  x  x   x
//
// whose loops all have trip counts that depend on n alone; column sums lie in memory (COLUMNS) and are loaded and stored once a block.
// Columns go by two, so each row's first or last half vector is a product with a zero; zeros count like other products.
//
// The quotient. With p itself, digit m_i would have to be known before column i+1 is: four times a long wait for each block. A multiple
// of p ends it: q' = k p with k = -1/p mod 2^208 has the digits -1, 0, 0, 0 and then q, n digits. Adding m_i q' 2^(52 i) cancels column
// i by its own low digit, just as p does, and touches nothing before column i + 4. So the four digits of a block are the digits of the
// carried column sums: scalar additions and shifts, which the processor does while its vector units go on. |k| <= 2^207, so the
// blocks but the last add at most 2^(52(n-4)) / 2 * 2^207 p = R p / 4, where p would have added less. The last block takes p,
//
//   |out| <= |x| |y| / R + p/4 + p/2 + 1,
//
// and there alone each digit waits for the one before. Digits of the result are made as the last block's columns are completed.

import { CARRY_BIAS, CONSTANTS, add, fma, low, startH, startL } from './fma';
import { COLUMNS, QUOTIENT, SINGLE_MULTIPLE, SINGLE_STARTS } from './memory';

/** From the H to the L of a column, which are arrays of 2n u64 each. */
const TO_L: usize = 0x600;
/** The column sums. */
const SUMS: usize = COLUMNS;
/** From the starts of a product's columns to halves of those of a square's. */
const TO_HALVES: usize = 0xc00;

/** Writes q and the starts of columns to their places behind p, digits of one lane, whose p_0 is stored as 0. Public. */
export function prepareSingle(p: usize, n: i32): void {
  makeMultiple(p, n);
  const starts = p + SINGLE_STARTS;
  for (let k = 0; k < 2 * n; k++) {
    let product: u64 = 0;
    let square: u64 = 0;
    for (let r = 0; r < n; r += 4) {
      product += productsInColumn(k - r, n);
      square += squaresInColumn(k - 2 * r, n - r);
    }
    // The quotient's: q from the fourth column of each block on, p in the last, without the products of the columns that p cancels.
    let quotient: u64 = 0;
    for (let r = 0; r < n - 4; r += 4) quotient += productsInColumn(k - r - 4, n);
    const last = k - (n - 4);
    quotient += last < 4 ? <u64>max(last, 0) : productsInColumn(last, n);
    const at = starts + (<usize>k << 3);
    store<u64>(at, startH(product + quotient));
    store<u64>(at, startL(product + quotient), TO_L);
    // Doubled with what is added to it; starts are even.
    store<u64>(at, startH(square + quotient) >> 1, TO_HALVES);
    store<u64>(at, startL(square + quotient) >> 1, TO_HALVES + TO_L);
  }
}

/** How many products a block of rows of n digits adds to its column c. */
function productsInColumn(c: i32, n: i32): u64 {
  if (c < 0 || c >= n + 4) return 0;
  if (c < 2) return 2;
  return c < n ? 4 : c < n + 2 ? 3 : 1;
}

/** The same of a square's block, whose rows have `length` digits from the diagonal on; doubled, but for the diagonal. */
function squaresInColumn(c: i32, length: i32): u64 {
  if (c < 0 || c >= length + 4) return 0;
  let rows = min((c >> 1) + 1, 4);
  if (c >= max(length, 8)) rows = c < length + 2 ? 3 : 1;
  const diagonal = c < 8 && (c & 1) == 0;
  return <u64>(2 * rows - i32(diagonal));
}

/** q, digits 4 to n + 3 of k p: k_i is the digit of the column that it cancels. Products of two digits go by halves of 26 bits. */
function makeMultiple(p: usize, n: i32): void {
  const HALF: i64 = (1 << 26) - 1;
  const k = SUMS; // k_0 to k_3
  store<i64>(k, 1);
  let carry: i64 = 0; // of column 0, which holds -1
  for (let c = 1; c < n + 4; c++) {
    let sum = carry;
    carry = 0;
    for (let i = 0; i < min(c, 4); i++) {
      if (c - i >= n) continue;
      const a = load<i64>(k + (<usize>i << 3));
      const b = <i64>load<f64>(p + (<usize>(c - i) << 3));
      const middle = (a >> 26) * (b & HALF) + (a & HALF) * (b >> 26);
      sum += (a & HALF) * (b & HALF) + ((middle & HALF) << 26);
      carry += (a >> 26) * (b >> 26) + (middle >> 26);
    }
    const digit = (sum << 12) >> 12; // balanced
    carry += (sum - digit) >> 52;
    if (c < 4) store<i64>(k + (<usize>c << 3), digit);
    else store<f64>(p + SINGLE_MULTIPLE + (<usize>(c - 4) << 3), <f64>digit);
  }
}

@inline
function carryOf(H: u64, sum: u64): u64 {
  return ((sum >>> 51) + H) >>> 1;
}
@inline
function digit(H: u64, sum: u64): f64 {
  const bits = ((sum + (H << 51)) & load<u64>(CONSTANTS, 32)) | load<u64>(CONSTANTS, 48);
  return reinterpret<f64>(bits) - load<f64>(CONSTANTS, 64);
}
/** Four digits at `to` from the columns at `at`; the carry into the next column. */
@inline
function finishFour(to: usize, at: usize, carry: u64): u64 {
  let H = load<u64>(at);
  let sum = load<u64>(at, TO_L) + carry;
  carry = carryOf(H, sum);
  store<f64>(to, digit(H, sum));
  H = load<u64>(at, 8);
  sum = load<u64>(at, 8 + TO_L) + carry;
  carry = carryOf(H, sum);
  store<f64>(to, digit(H, sum), 8);
  H = load<u64>(at, 16);
  sum = load<u64>(at, 16 + TO_L) + carry;
  carry = carryOf(H, sum);
  store<f64>(to, digit(H, sum), 16);
  H = load<u64>(at, 24);
  sum = load<u64>(at, 24 + TO_L) + carry;
  carry = carryOf(H, sum);
  store<f64>(to, digit(H, sum), 24);
  return carry;
}

/**
 * A block's columns from some multiple of four on, to its end: b is read from `b`, `end` is where it ends, and b2 and b3 are the
 * vectors of b from b - 24 and b - 16 on. Sums go to `to`; they come from `from`, the last four from `tail`. With `finish` the columns
 * are complete, and their digits go to `out`; the carry that comes out is then the next.
 */
@inline
function columns(
  to: usize, from: usize, tail: usize, b: usize, end: usize,
  a0: v128, a1: v128, a2: v128, a3: v128, b2: v128, b3: v128, c1: v128, c2: v128,
  finish: bool, out: usize, carry: u64,
): u64 {
  let h: v128, H: v128, L: v128, b0: v128, b1: v128;
  for (; b < end; b += 32, to += 32, from += 32) {
    b0 = v128.load(b - 8);
    b1 = v128.load(b);
    h = fma(a3, b2, c1); H = add(v128.load(from), h); L = add(v128.load(from, TO_L), low(a3, b2, h, c2));
    h = fma(a2, b3, c1); H = add(H, h); L = add(L, low(a2, b3, h, c2));
    h = fma(a1, b0, c1); H = add(H, h); L = add(L, low(a1, b0, h, c2));
    h = fma(a0, b1, c1); H = add(H, h); L = add(L, low(a0, b1, h, c2));
    v128.store(to, H);
    v128.store(to, L, TO_L);
    b2 = v128.load(b, 8);
    b3 = v128.load(b, 16);
    h = fma(a3, b0, c1); H = add(v128.load(from, 16), h); L = add(v128.load(from, 16 + TO_L), low(a3, b0, h, c2));
    h = fma(a2, b1, c1); H = add(H, h); L = add(L, low(a2, b1, h, c2));
    h = fma(a1, b2, c1); H = add(H, h); L = add(L, low(a1, b2, h, c2));
    h = fma(a0, b3, c1); H = add(H, h); L = add(L, low(a0, b3, h, c2));
    v128.store(to, H, 16);
    v128.store(to, L, 16 + TO_L);
    if (finish) {
      carry = finishFour(out, to, carry);
      out += 32;
    }
  }
  b0 = v128.load(b - 8);
  h = fma(a3, b2, c1); H = add(v128.load(tail), h); L = add(v128.load(tail, TO_L), low(a3, b2, h, c2));
  h = fma(a2, b3, c1); H = add(H, h); L = add(L, low(a2, b3, h, c2));
  h = fma(a1, b0, c1); H = add(H, h); L = add(L, low(a1, b0, h, c2));
  v128.store(to, H);
  v128.store(to, L, TO_L);
  h = fma(a3, b0, c1);
  v128.store(to, add(v128.load(tail, 16), h), 16);
  v128.store(to, add(v128.load(tail, 16 + TO_L), low(a3, b0, h, c2)), 16 + TO_L);
  return finish ? finishFour(out, to, carry) : carry;
}

/** A whole block, four digits at a times the n digits at b. With `finish` the first four columns are complete and make quotient digits. */
@inline
function block(to: usize, from: usize, tail: usize, a: usize, b: usize, n: i32, finish: bool, carry: u64): u64 {
  const c1 = v128.load(CONSTANTS);
  const c2 = v128.load(CONSTANTS, 16);
  const a0 = v128.load64_splat(a);
  const a1 = v128.load64_splat(a, 8);
  const a2 = v128.load64_splat(a, 16);
  const a3 = v128.load64_splat(a, 24);
  const b0 = v128.load(b - 8);
  const b1 = v128.load(b);
  const b2 = v128.load(b, 8);
  const b3 = v128.load(b, 16);
  let h: v128, H: v128, L: v128;
  h = fma(a1, b0, c1); H = add(v128.load(from), h); L = add(v128.load(from, TO_L), low(a1, b0, h, c2));
  h = fma(a0, b1, c1); H = add(H, h); L = add(L, low(a0, b1, h, c2));
  v128.store(to, H);
  v128.store(to, L, TO_L);
  h = fma(a3, b0, c1); H = add(v128.load(from, 16), h); L = add(v128.load(from, 16 + TO_L), low(a3, b0, h, c2));
  h = fma(a2, b1, c1); H = add(H, h); L = add(L, low(a2, b1, h, c2));
  h = fma(a1, b2, c1); H = add(H, h); L = add(L, low(a1, b2, h, c2));
  h = fma(a0, b3, c1); H = add(H, h); L = add(L, low(a0, b3, h, c2));
  v128.store(to, H, 16);
  v128.store(to, L, 16 + TO_L);
  if (finish) carry = finishFour(QUOTIENT, to, carry);
  columns(to + 32, from + 32, tail, b + 32, b + (<usize>n << 3), a0, a1, a2, a3, b2, b3, c1, c2, false, 0, 0);
  return carry;
}

/** The last block, four quotient digits times p, and with it the result. `at` is column n - 4. */
@inline
function lastBlock(out: usize, at: usize, p: usize, n: i32, carry: u64): void {
  const c1 = v128.load(CONSTANTS);
  const c2 = v128.load(CONSTANTS, 16);
  const p1 = v128.load(p, 8);
  const p2 = v128.load(p, 16);
  let H = load<u64>(at);
  let sum = load<u64>(at, TO_L) + carry;
  carry = carryOf(H, sum);
  const a0 = f64x2.splat(digit(H, sum));
  let h = fma(a0, p1, c1); // of columns 1 and 2
  let l = low(a0, p1, h, c2);
  H = load<u64>(at, 8) + i64x2.extract_lane(h, 0);
  let L = load<u64>(at, 8 + TO_L) + i64x2.extract_lane(l, 0);
  let H2 = load<u64>(at, 16) + i64x2.extract_lane(h, 1);
  let L2 = load<u64>(at, 16 + TO_L) + i64x2.extract_lane(l, 1);
  h = fma(a0, p2, c1); // of column 3, in the upper lane
  l = low(a0, p2, h, c2);
  let H3 = load<u64>(at, 24) + i64x2.extract_lane(h, 1);
  let L3 = load<u64>(at, 24 + TO_L) + i64x2.extract_lane(l, 1);

  sum = L + carry;
  carry = carryOf(H, sum);
  const a1 = f64x2.splat(digit(H, sum));
  h = fma(a1, p1, c1);
  l = low(a1, p1, h, c2);
  H2 += i64x2.extract_lane(h, 0);
  L2 += i64x2.extract_lane(l, 0);
  H3 += i64x2.extract_lane(h, 1);
  L3 += i64x2.extract_lane(l, 1);

  sum = L2 + carry;
  carry = carryOf(H2, sum);
  const a2 = f64x2.splat(digit(H2, sum));
  h = fma(a2, p1, c1);
  l = low(a2, p1, h, c2);
  H3 += i64x2.extract_lane(h, 0);
  L3 += i64x2.extract_lane(l, 0);

  sum = L3 + carry;
  carry = carryOf(H3, sum);
  const a3 = f64x2.splat(digit(H3, sum));
  const to = at + 32;
  columns(to, to, at + (<usize>n << 3), p + 32, p + (<usize>n << 3), a0, a1, a2, a3, p1, p2, c1, c2, true, out, carry);
}

/** out = x y / R; |x|, |y| <= p gives |out| <= p. n digits, n a multiple of 4. out may be x or y. */
export function multiplySingle(out: usize, x: usize, y: usize, p: usize, n: i32): void {
  const size = <usize>n << 3;
  const q = p + SINGLE_MULTIPLE;
  const last = x + size - 32;
  // Column sums begin at their starts: all that the first block writes, and the last four of each block of m q.
  let from = p + SINGLE_STARTS;
  let start = from + size;
  let tail = start;
  let carry = CARRY_BIAS;
  let at = SUMS;
  for (; ; x += 32) {
    const next = block(at, from, tail, x, y, n, true, carry);
    if (x == last) break;
    carry = next;
    at += 32;
    start += 32;
    block(at, at, start, QUOTIENT, q, n, false, 0);
    from = at;
    tail = at + size;
  }
  lastBlock(out, at, p, n, carry);
}

/** out = x^2 / R, as multiplySingle with y = x. The products of x x come first, those off the diagonal once, and are doubled. */
export function squareSingle(out: usize, x: usize, p: usize, n: i32): void {
  const size = <usize>n << 3;
  const q = p + SINGLE_MULTIPLE;
  squareColumns(x, p + SINGLE_STARTS + TO_HALVES, size);
  let at = SUMS;
  let next = finishFour(QUOTIENT, at, CARRY_BIAS);
  let carry = next;
  while (at < SUMS + size - 32) {
    carry = next;
    at += 32;
    next = block(at, at, at + size, QUOTIENT, q, n, true, carry);
  }
  lastBlock(out, at, p, n, carry);
}

/** Twice the sum, but for what the square of a digit in its lower lane added. */
@inline
function doubled(sum: v128, square: v128): v128 {
  return i64x2.sub(add(sum, sum), v128.and(square, v128.load(CONSTANTS, 80)));
}

/**
 * The column sums of x x from `starts`, halves. A block's first eight columns get nothing from later blocks and are doubled at once; they
 * begin with the squares of its digits:
 *
 *   columns   0,1      2,3      4,5      6,7      8,9 ..
 *   a0        x0 x1    x2 x3    x4 x5    x6 x7
 *   a1                 x1 x2    x3 x4    x5 x6
 *   a2                          x2 x3    x4 x5
 *   a3                                   x3 x4
 */
@inline
function squareColumns(x: usize, starts: usize, size: usize): void {
  const c1 = v128.load(CONSTANTS);
  const c2 = v128.load(CONSTANTS, 16);
  const end = x + size;
  let g: v128, h: v128, l: v128, H: v128, L: v128;
  let a0: v128, a1: v128, a2: v128, a3: v128, b0: v128, b2: v128, b3: v128;
  let from = starts;
  let tail = starts + size;
  let to = SUMS;
  for (; x < end; x += 32, tail += 32) {
    a0 = v128.load64_splat(x);
    a1 = v128.load64_splat(x, 8);
    a2 = v128.load64_splat(x, 16);
    a3 = v128.load64_splat(x, 24);

    b0 = v128.load(x);
    g = fma(a0, b0, c1); l = low(a0, b0, g, c2);
    v128.store(to, doubled(add(v128.load(from), g), g));
    v128.store(to, doubled(add(v128.load(from, TO_L), l), l), TO_L);

    b0 = v128.load(x, 8);
    b2 = v128.load(x, 16);
    g = fma(a1, b0, c1); l = low(a1, b0, g, c2);
    h = fma(a0, b2, c1); H = add(v128.load(from, 16), h); L = add(v128.load(from, 16 + TO_L), low(a0, b2, h, c2));
    v128.store(to, doubled(add(H, g), g), 16);
    v128.store(to, doubled(add(L, l), l), 16 + TO_L);

    // The last block has four digits, with zeros behind, and these columns are its last four.
    const isLast = x + 32 == end;
    from = isLast ? tail : from + 32;
    b3 = v128.load(x, 24);
    b0 = v128.load(x, 32);
    g = fma(a2, b2, c1); l = low(a2, b2, g, c2);
    h = fma(a1, b3, c1); H = add(v128.load(from), h); L = add(v128.load(from, TO_L), low(a1, b3, h, c2));
    h = fma(a0, b0, c1); H = add(H, h); L = add(L, low(a0, b0, h, c2));
    v128.store(to, doubled(add(H, g), g), 32);
    v128.store(to, doubled(add(L, l), l), 32 + TO_L);

    b2 = v128.load(x, 40);
    g = fma(a3, b3, c1); l = low(a3, b3, g, c2);
    b3 = v128.load(x, 48);
    h = fma(a2, b0, c1); H = add(v128.load(from, 16), h); L = add(v128.load(from, 16 + TO_L), low(a2, b0, h, c2));
    h = fma(a1, b2, c1); H = add(H, h); L = add(L, low(a1, b2, h, c2));
    h = fma(a0, b3, c1); H = add(H, h); L = add(L, low(a0, b3, h, c2));
    v128.store(to, doubled(add(H, g), g), 48);
    v128.store(to, doubled(add(L, l), l), 48 + TO_L);

    if (isLast) break;
    to += 64;
    columns(to, from + 32, tail, x + 64, end, a0, a1, a2, a3, b2, b3, c1, c2, false, 0, 0);
    from = to;
  }
}
