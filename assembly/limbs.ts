// Big-endian bytes <-> limbs of 28 bits in u32, least significant first; comparison and reduction without branches on the values.

export const LIMB_BITS: u32 = 28;
export const LIMB_MASK: u64 = (1 << LIMB_BITS) - 1;

/** out[0..n) = the big-endian number of `length` bytes at `from`. Trip counts depend on n and length alone. */
export function limbsFromBytes(out: usize, n: i32, from: usize, length: i32): void {
  let pool: u64 = 0; // fewer than 28 + 8 bits
  let bits: u32 = 0;
  let next = length - 1;
  for (let i = 0; i < n; i++) {
    while (bits < LIMB_BITS) {
      if (next >= 0) pool |= (<u64>load<u8>(from + next)) << bits;
      next--;
      bits += 8;
    }
    store<u32>(out + (<usize>i << 2), <u32>(pool & LIMB_MASK));
    pool >>= LIMB_BITS;
    bits -= LIMB_BITS;
  }
}

/** The `length` big-endian bytes at `to` = limbs[0..n), which must be below 2^(8 length). */
export function bytesFromLimbs(to: usize, length: i32, limbs: usize, n: i32): void {
  let pool: u64 = 0;
  let bits: u32 = 0;
  let next = 0;
  for (let i = length - 1; i >= 0; i--) {
    if (bits < 8) {
      if (next < n) pool |= (<u64>load<u32>(limbs + (<usize>next << 2))) << bits;
      next++;
      bits += LIMB_BITS;
    }
    store<u8>(to + i, <u8>pool);
    pool >>= 8;
    bits -= 8;
  }
}

/** x in [0, 2p) becomes x mod p, over n limbs: p is subtracted, and added again under a mask when that went below zero. */
export function canonicalLimbs(x: usize, p: usize, n: i32): void {
  let borrow: u64 = 0;
  for (let i = 0; i < n; i++) {
    const at = <usize>i << 2;
    const difference = <u64>load<u32>(x + at) - <u64>load<u32>(p + at) - borrow;
    store<u32>(x + at, <u32>(difference & LIMB_MASK));
    borrow = difference >>> 63;
  }
  const mask = 0 - borrow;
  let carry: u64 = 0;
  for (let i = 0; i < n; i++) {
    const at = <usize>i << 2;
    const sum = <u64>load<u32>(x + at) + (<u64>load<u32>(p + at) & mask) + carry;
    store<u32>(x + at, <u32>(sum & LIMB_MASK));
    carry = sum >>> LIMB_BITS;
  }
}

/** 1 when two big-endian numbers satisfy x < y, else 0; both of `length` bytes. */
export function lessThan(x: usize, y: usize, length: i32): u32 {
  let borrow: u32 = 0;
  for (let i = length - 1; i >= 0; i--) {
    borrow = (<u32>load<u8>(x + i) - <u32>load<u8>(y + i) - borrow) >>> 31;
  }
  return borrow;
}

/** 1 when the big-endian number of `length` bytes is above 1, else 0. */
export function aboveOne(x: usize, length: i32): u32 {
  let bits: u32 = load<u8>(x + length - 1) & 0xfe;
  for (let i = 0; i < length - 1; i++) bits |= load<u8>(x + i);
  return (0 - bits) >>> 31;
}
