// Exponentiation by secret exponents, one a lane. Trip counts depend on the exponents' length in bytes and the group; every table is
// read whole for each selection; no branch and no address depends on an exponent's bits.

import {
  generatorAddress,
  oneAddress,
  primeAddress,
  primeBytes,
  primeLessOneAddress,
  squareAddress,
  tableAddress,
  tableExponentBytes,
} from './groups';
import { DIGIT_BYTES, bytesFromNumber, digitCount, multiply, numberFromBytes, square } from './kernel';
import { aboveOne, lessThan } from './limbs';
import { ACCUMULATOR, BASE, EXPONENT, EXPONENT_LANE, INDICES, NUMBERS, NUMBERS_SIZE, NUMBER_SIZE, ONE, SELECTED, WINDOW } from './memory';
import { selectFour, selectLimbs, selectTwo, selectVectors } from './select';

/** An item's status: the result is good, the peer's value is not in 2 to p-2, or the result is 0, 1 or p-1. */
export const STATUS_OK: u8 = 0;
export const STATUS_PEER_VALUE: u8 = 1;
export const STATUS_RESULT: u8 = 2;

/** Window of the variable-base method: two windows a byte, 16 powers. */
const WINDOW_BITS = 4;
/** Window of the fixed-base method: 32 powers for each 5 bits of the exponent. */
const FIXED_BITS = 5;
/** Teeth of the fixed-base comb: 64 powers, one for each set of 6 bits that lie a sixth of the exponent apart. */
const COMB_TEETH = 6;

/** How powers of g are made: as those of any base, or from a table. */
export const TABLE_NONE: i32 = 0;
export const TABLE_WINDOWS: i32 = 1;
export const TABLE_COMB: i32 = 2;

/** Copies each lane's secret exponent to its part of EXPONENT, least significant byte first; above it there are zeros. */
function loadExponents(lanes: i32, from: usize, length: i32): void {
  // The kernel of one number reads beyond its operands' ends, where an earlier pass of more lanes may have left digits.
  if (lanes == 1) memory.fill(NUMBERS, 0, NUMBERS_SIZE);
  for (let lane = 0; lane < lanes; lane++) {
    const to = EXPONENT + <usize>lane * EXPONENT_LANE;
    for (let i = 0; i < length; i++) store<u8>(to + i, load<u8>(from + (length - 1 - i)));
    from += length;
  }
}

/** `count` <= 8 bits of the lane's exponent from bit `at`. */
@inline
function exponentBits(lane: i32, at: i32, count: i32): u32 {
  const from = EXPONENT + <usize>lane * EXPONENT_LANE + (at >> 3);
  return (<u32>load<u16>(from) >>> (at & 7)) & ((1 << count) - 1);
}

/** A table entry's bytes in one lane: whole 16 bytes, which selection goes by. */
function entryStride(n: i32): usize {
  return (<usize>n * DIGIT_BYTES + 15) & ~15;
}

/** The bytes of WINDOW that a pass uses; passes of fewer lanes use fewer. */
export function windowBytes(group: i32, lanes: i32): usize {
  return (entryStride(digitCount(group)) * lanes) << WINDOW_BITS;
}

/** SELECTED = in each lane the power in WINDOW that the four bits of its exponent from bit `at` say. */
function selectPower(lanes: i32, stride: usize, n: i32, at: i32): void {
  const i0 = exponentBits(0, at, WINDOW_BITS);
  if (!ASC_FEATURE_RELAXED_SIMD) return selectLimbs(WINDOW, stride, 1 << WINDOW_BITS, i0, n);
  if (lanes == 1) return selectVectors(WINDOW, stride, 1 << WINDOW_BITS, i0, i0);
  const i1 = exponentBits(1, at, WINDOW_BITS);
  if (lanes == 2) return selectVectors(WINDOW, stride, 1 << WINDOW_BITS, i0, i1);
  const i2 = exponentBits(2, at, WINDOW_BITS);
  selectFour(WINDOW, stride, 1 << WINDOW_BITS, i0, i1, i2, exponentBits(3, at, WINDOW_BITS));
}

/** SELECTED = in each lane the table's entry of its index in INDICES; a table of numbers of one lane. */
function selectFromTable(lanes: i32, table: usize, stride: usize, count: i32, n: i32): void {
  const i0 = load<u32>(INDICES);
  if (!ASC_FEATURE_RELAXED_SIMD) return selectLimbs(table, stride, count, i0, n);
  if (lanes == 1) return selectVectors(table, stride, count, i0, i0);
  selectTwo(SELECTED, <usize>lanes << 3, table, stride, count, i0, load<u32>(INDICES, 4));
  if (lanes == 4) {
    selectTwo(SELECTED + 16, <usize>lanes << 3, table, stride, count, load<u32>(INDICES, 8), load<u32>(INDICES, 12));
  }
}

/** ACCUMULATOR = base^exponent in each lane, in Montgomery form. */
function power(group: i32, lanes: i32, base: usize, length: i32): void {
  const n = digitCount(group);
  const p = primeAddress(group, lanes);
  const stride = entryStride(n) * lanes;
  memory.copy(WINDOW, oneAddress(group, lanes), stride);
  memory.copy(WINDOW + stride, base, stride);
  // Even powers are squares; SELECTED is where the kernel may read beyond both ends.
  for (let i = 2; i < 1 << WINDOW_BITS; i += 2) {
    const even = WINDOW + <usize>i * stride;
    memory.copy(SELECTED, WINDOW + (<usize>i >> 1) * stride, stride);
    square(lanes, even, SELECTED, p, n);
    multiply(lanes, even + stride, even, base, p, n);
  }
  const windows = length << 1;
  for (let w = windows - 1; w >= 0; w--) {
    // Selected before the squarings, so that its stores are done with when the multiplication reads across them.
    selectPower(lanes, stride, n, w * WINDOW_BITS);
    if (w == windows - 1) {
      memory.copy(ACCUMULATOR, SELECTED, stride);
      continue;
    }
    for (let s = 0; s < WINDOW_BITS; s++) square(lanes, ACCUMULATOR, ACCUMULATOR, p, n);
    multiply(lanes, ACCUMULATOR, ACCUMULATOR, SELECTED, p, n);
  }
}

/** Makes a group's fixed-base table of the chosen kind. Public. */
export function makeTable(group: i32, kind: i32): void {
  if (kind == TABLE_COMB) makeComb(group);
  if (kind == TABLE_WINDOWS) makeWindows(group);
}

/** Entry d of window j is g^(d 2^(5j)), in one lane. */
function makeWindows(group: i32): void {
  const n = digitCount(group);
  const p = primeAddress(group, 1);
  const stride = entryStride(n);
  const windows = (tableExponentBytes(group) * 8 + FIXED_BITS - 1) / FIXED_BITS;
  let entry = tableAddress(group);
  memory.copy(BASE, generatorAddress(group, 1), stride);
  for (let j = 0; j < windows; j++) {
    memory.copy(entry, oneAddress(group, 1), stride);
    for (let d = 1; d < 1 << FIXED_BITS; d++) {
      multiply(1, entry + stride, entry, BASE, p, n);
      entry += stride;
    }
    multiply(1, BASE, entry, BASE, p, n); // the 31st power times the base is the 32nd
    entry += stride;
  }
}

/** Bits between neighbouring teeth of the comb. */
function combSpacing(group: i32): i32 {
  return (tableExponentBytes(group) * 8 + COMB_TEETH - 1) / COMB_TEETH;
}

/** Entry e is the product of g^(2^(spacing t)) over the bits t of e, in one lane. */
function makeComb(group: i32): void {
  const n = digitCount(group);
  const p = primeAddress(group, 1);
  const stride = entryStride(n);
  const table = tableAddress(group);
  memory.copy(table, oneAddress(group, 1), stride);
  memory.copy(BASE, generatorAddress(group, 1), stride);
  for (let t = 0; t < COMB_TEETH; t++) {
    const half = <usize>(1 << t) * stride;
    for (let e: usize = 0; e < half; e += stride) multiply(1, table + half + e, table + e, BASE, p, n);
    for (let s = 0; s < combSpacing(group); s++) square(1, BASE, BASE, p, n);
  }
}

/** ACCUMULATOR = g^exponent in each lane from the windows; length <= tableExponentBytes. */
function powerByWindows(group: i32, lanes: i32, length: i32): void {
  const n = digitCount(group);
  const stride = entryStride(n);
  const windows = (length * 8 + FIXED_BITS - 1) / FIXED_BITS;
  for (let j = 0; j < windows; j++) {
    const table = tableAddress(group) + (<usize>j << FIXED_BITS) * stride;
    for (let lane = 0; lane < lanes; lane++) {
      store<u32>(INDICES + (<usize>lane << 2), exponentBits(lane, j * FIXED_BITS, FIXED_BITS));
    }
    selectFromTable(lanes, table, stride, 1 << FIXED_BITS, n);
    if (j == 0) memory.copy(ACCUMULATOR, SELECTED, stride * lanes);
    else multiply(lanes, ACCUMULATOR, ACCUMULATOR, SELECTED, primeAddress(group, lanes), n);
  }
}

/** ACCUMULATOR = g^exponent in each lane from the comb; length <= tableExponentBytes, and the time that of the longest. */
function powerByComb(group: i32, lanes: i32): void {
  const n = digitCount(group);
  const p = primeAddress(group, lanes);
  const stride = entryStride(n);
  const spacing = combSpacing(group);
  for (let at = spacing - 1; at >= 0; at--) {
    if (at != spacing - 1) square(lanes, ACCUMULATOR, ACCUMULATOR, p, n);
    for (let lane = 0; lane < lanes; lane++) {
      let index: u32 = 0;
      for (let t = 0; t < COMB_TEETH; t++) index |= exponentBits(lane, at + t * spacing, 1) << t;
      store<u32>(INDICES + (<usize>lane << 2), index);
    }
    selectFromTable(lanes, tableAddress(group), stride, 1 << COMB_TEETH, n);
    if (at != spacing - 1) multiply(lanes, ACCUMULATOR, ACCUMULATOR, SELECTED, p, n);
    else memory.copy(ACCUMULATOR, SELECTED, stride * lanes);
  }
}

/** Writes each lane of ACCUMULATOR, out of Montgomery form and canonical, as |p| big-endian bytes. */
function storeResults(group: i32, lanes: i32, to: usize): void {
  const n = digitCount(group);
  const length = primeBytes(group);
  // One, not in Montgomery form: x 1 / R. Its digits but the first are zeros already.
  for (let lane = 0; lane < lanes; lane++) {
    if (ASC_FEATURE_RELAXED_SIMD) store<f64>(ONE + (<usize>lane << 3), 1);
    else store<u32>(ONE, 1);
  }
  multiply(lanes, ACCUMULATOR, ACCUMULATOR, ONE, primeAddress(group, lanes), n);
  for (let lane = 0; lane < lanes; lane++) {
    bytesFromNumber(to, length, ACCUMULATOR, lanes, lane, n, primeAddress(group, 1));
    to += length;
  }
  memory.fill(ONE, 0, NUMBER_SIZE >> 1);
}

/** |p| bytes a lane at `to` = g^exponent mod p. */
export function fixedBasePass(group: i32, lanes: i32, kind: i32, exponents: usize, length: i32, to: usize): void {
  loadExponents(lanes, exponents, length);
  if (kind == TABLE_NONE || length > tableExponentBytes(group)) {
    memory.copy(BASE, generatorAddress(group, lanes), entryStride(digitCount(group)) * lanes);
    power(group, lanes, BASE, length);
  } else if (kind == TABLE_COMB) powerByComb(group, lanes);
  else powerByWindows(group, lanes, length);
  storeResults(group, lanes, to);
}

/** RFC 7919 §5.1, SP 800-56A r3 §5.6.2.3.1: 1 < Y < p-1, to be asked before any work is done with Y. */
export function peerIsGood(group: i32, peer: usize): bool {
  const length = primeBytes(group);
  return <bool>(aboveOne(peer, length) & lessThan(peer, primeLessOneAddress(group), length));
}

/**
 * |p| bytes a lane at `to` = peer^exponent mod p, and a status byte a lane at `status`; zeros where the status is not STATUS_OK, which
 * it is from the start for a lane whose peer was not good and whose peer's value is a stand-in.
 */
export function variableBasePass(
  group: i32,
  lanes: i32,
  peers: usize,
  exponents: usize,
  length: i32,
  to: usize,
  status: usize,
): void {
  const n = digitCount(group);
  const bytes = primeBytes(group);
  loadExponents(lanes, exponents, length);
  for (let lane = 0; lane < lanes; lane++) {
    numberFromBytes(BASE, lanes, lane, n, peers + <usize>(lane * bytes), bytes);
  }
  multiply(lanes, BASE, BASE, squareAddress(group, lanes), primeAddress(group, lanes), n);
  power(group, lanes, BASE, length);
  storeResults(group, lanes, to);
  for (let lane = 0; lane < lanes; lane++) {
    // SP 800-56A r3 §5.7.1.1: Z is neither 0 nor 1 nor p-1. Whether that is so is all that becomes known of Z.
    let good = aboveOne(to, bytes) & lessThan(to, primeLessOneAddress(group), bytes);
    const peerIsBad = load<u8>(status + lane); // public
    if (peerIsBad) good = 0;
    else store<u8>(status + lane, STATUS_RESULT & (<u8>good - 1));
    const mask = <u8>(0 - good);
    for (let i = 0; i < bytes; i++) store<u8>(to + i, load<u8>(to + i) & mask);
    to += bytes;
  }
}
