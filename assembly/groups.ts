// The three groups: where their constants and tables lie, and how the constants are made from p, once, at start. All of it is public.
//
// A group's constants exist once for each lane count that the build has, at GROUPS + 0x10000 group + 0x4000 log2(lanes):
//
//   from     size   constant
//   0x0040   n      p               (PAD before each, zeros behind)
//   0x1040   n      R mod p         one, in Montgomery form
//   0x2040   n      R^2 mod p       brings a number into Montgomery form
//   0x3040   n      2 R mod p       the generator, in Montgomery form
// and for the kernels of fused multiply-add, of the group's 0x10000:
//   0xc000   512    p, and then p - 1, as big-endian bytes (for every kernel)
//   0xc440   n      q, a part of a multiple of p (montgomery-single.ts), in one lane
//   0xc840   n      q in two lanes
//   0xd000   2n     the starts of columns in the kernel of one number, H and L, twice
//   0xe740   n      q in four lanes
//   0xf200   2n     the starts of columns in the kernels of two and four numbers, H and L

import { DIGIT_BYTES, LANES_MAX, digitCount, multiply, numberFromBytes, radixBits, square } from './kernel';
import {
  GROUPS,
  NUMBER_SIZE,
  PAD,
  PAIR_MULTIPLE,
  PAIR_STARTS,
  QUAD_MULTIPLE,
  SINGLE_MULTIPLE,
  TABLES,
} from './memory';
import { prepareColumns } from './montgomery-pair';
import { prepareSingle } from './montgomery-single';

export const GROUP_COUNT: i32 = 3;

/** |p| in bytes: 256, 384, 512. */
export function primeBytes(group: i32): i32 {
  return 256 + (group << 7);
}

/** The bytes of an exponent that the fixed-base table covers: 232, 280, 328 bits, at least RFC 7919's 225, 275, 325. */
export function tableExponentBytes(group: i32): i32 {
  return 29 + 6 * group;
}

/** Where a group's fixed-base table begins. The largest, 66 windows of 32 powers of 80 digits, takes 0x14a000 bytes. */
export function tableAddress(group: i32): usize {
  return TABLES + (group == 0 ? 0 : group == 1 ? 0x100000 : 0x240000);
}

export function primeAddress(group: i32, lanes: i32): usize {
  return GROUPS + (<usize>group << 16) + (<usize>(lanes >> 1) << 14) + PAD;
}
export function oneAddress(group: i32, lanes: i32): usize {
  return primeAddress(group, lanes) + NUMBER_SIZE;
}
export function squareAddress(group: i32, lanes: i32): usize {
  return primeAddress(group, lanes) + 2 * NUMBER_SIZE;
}
export function generatorAddress(group: i32, lanes: i32): usize {
  return primeAddress(group, lanes) + 3 * NUMBER_SIZE;
}
export function primeBytesAddress(group: i32): usize {
  return GROUPS + (<usize>group << 16) + 0xc000;
}
export function primeLessOneAddress(group: i32): usize {
  return primeBytesAddress(group) + 512;
}

/** Makes a group's constants from the big-endian prime at `from`. */
export function makeConstants(group: i32, from: usize): void {
  const n = digitCount(group);
  const length = primeBytes(group);
  const p = primeAddress(group, 1);
  const bytes = primeBytesAddress(group);
  numberFromBytes(p, 1, 0, n, from, length);
  // fma.ts: p_0 = -1 takes part in no product, and the kernel of one number wants it to be 0.
  if (ASC_FEATURE_RELAXED_SIMD) {
    store<f64>(p, 0);
    prepareSingle(p, n);
  }

  // 2^b - p, b = 8 |p|, is 0.33 2^(b-64) or less (RFC 7919 appendix A). So R mod p = (2^b - p) 2^(log2 R - b) and twice that are
  // below p without a reduction: log2 R - b is 24, 8, 48 or 32, 48, 64.
  const shift = (radixBits(group) >> 3) - length;
  let carry: u32 = 1;
  for (let i = length - 1; i >= 0; i--) {
    carry += <u32>load<u8>(from + i) ^ 0xff;
    if (i >= shift) store<u8>(bytes + i - shift, <u8>carry);
    carry >>= 8;
  }
  memory.fill(bytes + length - shift, 0, shift);
  numberFromBytes(oneAddress(group, 1), 1, 0, n, bytes, length);
  carry = 0;
  for (let i = length - 1; i >= 0; i--) {
    carry += <u32>load<u8>(bytes + i) << 1;
    store<u8>(bytes + i, <u8>carry);
    carry >>= 8;
  }
  numberFromBytes(generatorAddress(group, 1), 1, 0, n, bytes, length);

  memory.copy(bytes, from, length);
  memory.copy(primeLessOneAddress(group), from, length);
  store<u8>(primeLessOneAddress(group) + length - 1, 0xfe);

  // R^2 mod p is R = 2^(log2 R) in Montgomery form: left to right over the bits of log2 R, with 2 as the base.
  const exponent = radixBits(group);
  const power = squareAddress(group, 1);
  memory.copy(power, oneAddress(group, 1), <usize>n * DIGIT_BYTES);
  for (let bit = 31 - clz(exponent); bit >= 0; bit--) {
    square(1, power, power, p, n);
    if ((exponent >> bit) & 1) multiply(1, power, power, generatorAddress(group, 1), p, n);
  }

  if (LANES_MAX >= 2) prepareColumns(primeAddress(group, 2) + PAIR_STARTS, n);
  for (let lanes = 2; lanes <= LANES_MAX; lanes <<= 1) {
    const ofLanes = primeAddress(group, lanes);
    spread(ofLanes, p, lanes, n);
    spread(ofLanes + (lanes == 2 ? PAIR_MULTIPLE : QUAD_MULTIPLE), p + SINGLE_MULTIPLE, lanes, n);
    spread(oneAddress(group, lanes), oneAddress(group, 1), lanes, n);
    spread(squareAddress(group, lanes), power, lanes, n);
    spread(generatorAddress(group, lanes), generatorAddress(group, 1), lanes, n);
  }
}

/** out = x in every lane. */
function spread(out: usize, x: usize, lanes: i32, n: i32): void {
  for (let i = 0; i < n * lanes; i++) {
    store<f64>(out + (<usize>i << 3), load<f64>(x + (<usize>(i / lanes) << 3)));
  }
}
