// Big-endian bytes <-> balanced digits of 52 bits in f64 (fma.ts), for one lane of a number of `lanes` interleaved ones.

import { BYTES, SCRATCH } from './memory';

const DIGIT_BITS: u64 = 52;
const DIGIT_MASK: u64 = (1 << 52) - 1;
const BYTES_END: usize = BYTES + 0x400;

/** Lane `lane` of out = the big-endian number of `length` bytes at `from`, at most 512; |digit| <= 2^51. */
export function digitsFromBytes(out: usize, lanes: i32, lane: i32, n: i32, from: usize, length: i32): void {
  memory.fill(BYTES, 0, 0x400);
  memory.copy(BYTES_END - length, from, length);
  const step = <usize>lanes << 3;
  let to = out + (<usize>lane << 3);
  let carry: u64 = 0;
  for (let i = 0; i < n; i++) {
    // Digit i begins at bit 52 i, that is, 4 (i & 1) bits into byte floor(13 i / 2), counted from the end.
    const bits = bswap(load<u64>(BYTES_END - 8 - (<usize>(13 * i) >> 1))) >>> (<u64>(i & 1) << 2);
    const digit = (bits & DIGIT_MASK) + carry; // <= 2^52
    carry = (digit + (1 << 51)) >>> DIGIT_BITS;
    store<f64>(to, <f64>(<i64>(digit - (carry << DIGIT_BITS))));
    to += step;
  }
}

/**
 * The `length` big-endian bytes at `to` = lane `lane` of x, modulo p: x in (-p, p) by balanced digits, the result in [0, p). p as
 * digits of one lane, whose p_0 is stored as 0 and is -1.
 */
export function bytesFromDigits(to: usize, length: i32, x: usize, lanes: i32, lane: i32, n: i32, p: usize): void {
  const step = <usize>lanes << 3;
  // Digits into [0, 2^52); what is carried out of the last is the sign, 0 or -1.
  let from = x + (<usize>lane << 3);
  let carry: i64 = 0;
  for (let i: usize = 0; i < <usize>n; i++) {
    const sum = <i64>load<f64>(from) + carry;
    store<u64>(SCRATCH + (i << 3), <u64>sum & DIGIT_MASK);
    carry = sum >> DIGIT_BITS;
    from += step;
  }
  const negative = carry; // a mask
  let pool: u64 = 0; // fewer than 8 + 52 bits
  let bits: u64 = 0;
  let end = to + length;
  carry = -1 & negative; // p_0
  for (let i: usize = 0; i < <usize>n; i++) {
    const sum = <i64>load<u64>(SCRATCH + (i << 3)) + (<i64>load<f64>(p + (i << 3)) & negative) + carry;
    carry = sum >> DIGIT_BITS;
    pool |= (<u64>sum & DIGIT_MASK) << bits;
    bits += DIGIT_BITS;
    while (bits >= 8) {
      // The digits hold 32 to 64 bits more than |p| bytes; they are zeros.
      if (end > to) store<u8>(--end, <u8>pool);
      pool >>= 8;
      bits -= 8;
    }
  }
}
