// The three groups: where their constants and tables lie, and how the constants are made from p, once, at start.
//
//   from     size   constant, n limbs each
//   0x0000   0x1000 p
//   0x1000   0x1000 R mod p      (one, in Montgomery form)
//   0x2000   0x1000 R^2 mod p    (brings a number into Montgomery form)
//   0x3000   0x1000 2 R mod p    (the generator, in Montgomery form)
//   0x4000   0x1000 p and p - 1 as big-endian bytes, 512 each

import { LIMB_MASK, limbsFromBytes, select, subtract } from './limbs';
import { GROUPS, GROUP_SIZE, NUMBER_SIZE, SELECTED, TABLES } from './memory';
import { montgomeryMultiply } from './montgomery';

export const GROUP_COUNT: i32 = 3;

/** |p| in bytes: 256, 384, 512. */
export function primeBytes(group: i32): i32 {
  return 256 + (group << 7);
}

/** Limbs of 28 bits such that R > 8p: 74, 110, 147 give R = 2^2072, 2^3080, 2^4116. */
export function limbCount(group: i32): i32 {
  return group == 0 ? 74 : group == 1 ? 110 : 147;
}

/** The bytes of an exponent that the fixed-base table covers: 232, 280, 328 bits, at least RFC 7919's 225, 275, 325. */
export function tableExponentBytes(group: i32): i32 {
  return group == 0 ? 29 : group == 1 ? 35 : 41;
}

/** Where a group's fixed-base table begins. The largest, 66 windows of 32 powers of 147 limbs, takes 0x12f000 bytes. */
export function tableAddress(group: i32): usize {
  return TABLES + (group == 0 ? 0 : group == 1 ? 0x100000 : 0x240000);
}

export function primeAddress(group: i32): usize {
  return GROUPS + <usize>group * GROUP_SIZE;
}
export function oneAddress(group: i32): usize {
  return primeAddress(group) + NUMBER_SIZE;
}
export function squareAddress(group: i32): usize {
  return primeAddress(group) + 2 * NUMBER_SIZE;
}
export function generatorAddress(group: i32): usize {
  return primeAddress(group) + 3 * NUMBER_SIZE;
}
export function primeBytesAddress(group: i32): usize {
  return primeAddress(group) + 4 * NUMBER_SIZE;
}
export function primeLessOneAddress(group: i32): usize {
  return primeBytesAddress(group) + 512;
}

/** x = 2 x mod p, for x in [0, p). */
function double(x: usize, p: usize, n: i32): void {
  let carry: u64 = 0;
  for (let i = 0; i < n; i++) {
    const at = <usize>i << 2;
    const twice = (<u64>load<u32>(x + at) << 1) + carry;
    store<u32>(x + at, <u32>(twice & LIMB_MASK));
    carry = twice >>> 28;
  }
  const less = subtract(SELECTED, x, p, n);
  select(x, less, x, SELECTED, n);
}

/** x in [0, p] becomes x mod p. */
export function canonical(x: usize, p: usize, n: i32): void {
  const less = subtract(SELECTED, x, p, n);
  select(x, less, x, SELECTED, n);
}

/** Makes a group's constants from the big-endian prime at `from`. All of it is public. */
export function makeConstants(group: i32, from: usize): void {
  const n = limbCount(group);
  const bytes = primeBytes(group);
  const p = primeAddress(group);
  const one = oneAddress(group);
  const square = squareAddress(group);
  const generator = generatorAddress(group);
  limbsFromBytes(p, n, from, bytes);
  memory.copy(primeBytesAddress(group), from, bytes);
  memory.copy(primeLessOneAddress(group), from, bytes);
  store<u8>(primeLessOneAddress(group) + bytes - 1, 0xfe);

  // R mod p: 2^b - p is below p, for p has its top bit set; then double up to R.
  memory.fill(one, 0, NUMBER_SIZE);
  subtract(one, one, p, n); // 2^(28 n) - p
  const topBits = 8 * bytes - 28 * (n - 1); // bits of p in its top limb
  store<u32>(one + (<usize>(n - 1) << 2), load<u32>(one + (<usize>(n - 1) << 2)) & ((1 << topBits) - 1));
  for (let i = 8 * bytes; i < 28 * n; i++) double(one, p, n);

  memory.copy(generator, one, NUMBER_SIZE);
  double(generator, p, n);

  // R^2 mod p is 2^(28 n) in Montgomery form: left to right over the (public) bits of 28 n.
  const exponent = 28 * n;
  memory.copy(square, one, NUMBER_SIZE);
  for (let bit = 31 - clz(exponent); bit >= 0; bit--) {
    montgomeryMultiply(square, square, square, p, n);
    canonical(square, p, n);
    if ((exponent >> bit) & 1) double(square, p, n);
  }
}
