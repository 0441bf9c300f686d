// Montgomery arithmetic for every engine: 28-bit limbs, products summed in 64 bits, REDC by product scanning.
//
// R = 2^(28 n). Every number is lazy, in [0, 2p); R > 8p for each group, so
//   (x y + m p) / R < (4 p^2 + R p) / R <= p (4p/R + 1) < 2p   keeps the range without a conditional subtraction.
//
// p = -1 mod 2^64 for every ffdhe prime (RFC 7919 appendix A: the low 64 bits are ones), so -1/p mod 2^28 is 1 and the quotient's
// limb is the column's own low limb m; m p_0 = m 2^28 - m cancels it and carries m into the next column.
//
// A column sums at most 148 products below 2^56 (2^63.3) for x y and as many for m p, each in an accumulator of its own, plus a carry
// below 2^37: neither accumulator overflows 64 bits.

import { LIMB_BITS, LIMB_MASK } from './limbs';
import { QUOTIENT } from './memory';

/** out = x y / R, for x, y in [0, 2p); out in [0, 2p). p has n limbs. out may be x or y. */
export function multiplyScalar(out: usize, x: usize, y: usize, p: usize, n: i32): void {
  const m = QUOTIENT;
  // Column results above n are the product's; they are written to the quotient's place only after its limb was last read, and
  // copied out at the end, so that out may be x or y.
  let carry: u64 = 0;
  for (let k = 0; k < n; k++) {
    let sum: u64 = carry;
    let reduction: u64 = 0;
    let down = y + (<usize>k << 2);
    let downP = p + (<usize>k << 2);
    const end = <usize>k << 2;
    let at: usize = 0;
    while (at < end) {
      sum += <u64>load<u32>(x + at) * <u64>load<u32>(down);
      reduction += <u64>load<u32>(m + at) * <u64>load<u32>(downP);
      at += 4;
      down -= 4;
      downP -= 4;
    }
    sum += <u64>load<u32>(x + at) * <u64>load<u32>(down);
    const low = (sum & LIMB_MASK) + (reduction & LIMB_MASK);
    const digit = low & LIMB_MASK;
    store<u32>(m + end, <u32>digit);
    carry = (sum >>> LIMB_BITS) + (reduction >>> LIMB_BITS) + (low >>> LIMB_BITS) + digit;
  }
  const last = <usize>(n - 1) << 2;
  for (let k = n; k < 2 * n; k++) {
    let sum: u64 = carry;
    let reduction: u64 = 0;
    let at = <usize>(k - n + 1) << 2;
    let down = y + last;
    let downP = p + last;
    while (at <= last) {
      sum += <u64>load<u32>(x + at) * <u64>load<u32>(down);
      reduction += <u64>load<u32>(m + at) * <u64>load<u32>(downP);
      at += 4;
      down -= 4;
      downP -= 4;
    }
    const low = (sum & LIMB_MASK) + (reduction & LIMB_MASK);
    store<u32>(m + (<usize>(k - n) << 2), <u32>(low & LIMB_MASK));
    carry = (sum >>> LIMB_BITS) + (reduction >>> LIMB_BITS) + (low >>> LIMB_BITS);
  }
  memory.copy(out, m, <usize>n << 2);
}
