// Exponentiation by a secret exponent. Trip counts depend on the exponent's length in bytes and the group; every table is read whole
// for each selection; no branch and no address depends on an exponent's bits.

import {
  canonical,
  generatorAddress,
  limbCount,
  oneAddress,
  primeAddress,
  primeBytes,
  primeLessOneAddress,
  squareAddress,
  tableAddress,
  tableExponentBytes,
} from './groups';
import { aboveOne, bytesFromLimbs, lessThan, limbsFromBytes } from './limbs';
import { ACCUMULATOR, BASE, EXPONENT, NUMBER_SIZE, ONE, SELECTED, WINDOW } from './memory';
import { montgomeryMultiply } from './montgomery';

/** An item's status: the result is good, the peer's value is not in 2 to p-2, or the result is 0, 1 or p-1. */
export const STATUS_OK: u8 = 0;
export const STATUS_PEER_VALUE: u8 = 1;
export const STATUS_RESULT: u8 = 2;

/** Window of the variable-base method: two windows a byte, 16 powers. */
const WINDOW_BITS = 4;
/** Window of the fixed-base method: 32 powers for each 5 bits of the exponent. */
const FIXED_BITS = 5;

/** Copies the secret exponent to EXPONENT, least significant byte first, zeros above. */
function loadExponent(from: usize, length: i32): void {
  for (let i = 0; i < length; i++) store<u8>(EXPONENT + i, load<u8>(from + (length - 1 - i)));
  store<u64>(EXPONENT + length, 0);
}

/** SELECTED = table[index], reading all `count` entries of n limbs each `stride` bytes apart; index is secret. */
function selectEntry(table: usize, stride: usize, count: i32, index: u32, n: i32): void {
  const bytes = <usize>n << 2;
  for (let at: usize = 0; at < bytes; at += 8) store<u64>(SELECTED + at, 0);
  for (let entry = 0; entry < count; entry++) {
    const difference: u64 = <u64>(<u32>entry ^ index);
    const mask: u64 = 0 - ((difference - 1) >>> 63); // all ones when entry == index
    const from = table + <usize>entry * stride;
    for (let at: usize = 0; at < bytes; at += 8) {
      store<u64>(SELECTED + at, load<u64>(SELECTED + at) | (load<u64>(from + at) & mask));
    }
  }
}

/** A number's bytes in a table: whole u64, so that selection may go by eights. */
function entryStride(n: i32): usize {
  return (<usize>n * 4 + 7) & ~7;
}

/** ACCUMULATOR = base^exponent, both in Montgomery form; base is any number in [0, 2p). */
function power(group: i32, base: usize, length: i32): void {
  const n = limbCount(group);
  const p = primeAddress(group);
  const stride = entryStride(n);
  memory.copy(WINDOW, oneAddress(group), stride);
  memory.copy(WINDOW + stride, base, stride);
  for (let i = 2; i < 1 << WINDOW_BITS; i++) {
    montgomeryMultiply(WINDOW + <usize>i * stride, WINDOW + <usize>(i - 1) * stride, base, p, n);
  }
  for (let i = length - 1; i >= 0; i--) {
    const byte: u32 = load<u8>(EXPONENT + i);
    for (let half = 0; half < 2; half++) {
      const first = i == length - 1 && half == 0;
      selectEntry(WINDOW, stride, 1 << WINDOW_BITS, (byte >>> (4 - 4 * half)) & 15, n);
      if (first) {
        memory.copy(ACCUMULATOR, SELECTED, stride);
        continue;
      }
      for (let s = 0; s < WINDOW_BITS; s++) montgomeryMultiply(ACCUMULATOR, ACCUMULATOR, ACCUMULATOR, p, n);
      montgomeryMultiply(ACCUMULATOR, ACCUMULATOR, SELECTED, p, n);
    }
  }
}

/** Makes a group's fixed-base table: entry d of window j is g^(d 2^(5j)) in Montgomery form. Public. */
export function makeTable(group: i32): void {
  const n = limbCount(group);
  const p = primeAddress(group);
  const stride = entryStride(n);
  const windows = (tableExponentBytes(group) * 8 + FIXED_BITS - 1) / FIXED_BITS;
  let entry = tableAddress(group);
  memory.copy(BASE, generatorAddress(group), stride);
  for (let j = 0; j < windows; j++) {
    memory.copy(entry, oneAddress(group), stride);
    for (let d = 1; d < 1 << FIXED_BITS; d++) {
      montgomeryMultiply(entry + stride, entry, BASE, p, n);
      entry += stride;
    }
    montgomeryMultiply(BASE, entry, BASE, p, n); // the 31st power times the base is the 32nd
    entry += stride;
  }
}

/** ACCUMULATOR = g^exponent from the table; length <= tableExponentBytes. */
function powerOfGenerator(group: i32, length: i32): void {
  const n = limbCount(group);
  const p = primeAddress(group);
  const stride = entryStride(n);
  const windows = (length * 8 + FIXED_BITS - 1) / FIXED_BITS;
  const table = tableAddress(group);
  memory.copy(ACCUMULATOR, oneAddress(group), stride);
  for (let j = 0; j < windows; j++) {
    const bit = j * FIXED_BITS;
    const digit = (<u32>load<u16>(EXPONENT + (bit >> 3)) >>> (bit & 7)) & 31;
    selectEntry(table + (<usize>j << FIXED_BITS) * stride, stride, 1 << FIXED_BITS, digit, n);
    montgomeryMultiply(ACCUMULATOR, ACCUMULATOR, SELECTED, p, n);
  }
}

/** Writes ACCUMULATOR, out of Montgomery form and canonical, as |p| big-endian bytes. */
function storeResult(group: i32, to: usize): void {
  const n = limbCount(group);
  const p = primeAddress(group);
  memory.fill(ONE, 0, <usize>n << 2);
  store<u32>(ONE, 1);
  montgomeryMultiply(ACCUMULATOR, ACCUMULATOR, ONE, p, n); // <= p: (2p + (R-1) p) / R < p + 1
  canonical(ACCUMULATOR, p, n);
  bytesFromLimbs(to, primeBytes(group), ACCUMULATOR, n);
}

/** |p| bytes at `to` = g^exponent mod p. */
export function fixedBaseOne(group: i32, exponent: usize, length: i32, to: usize): void {
  loadExponent(exponent, length);
  if (length <= tableExponentBytes(group)) powerOfGenerator(group, length);
  else {
    memory.copy(BASE, generatorAddress(group), NUMBER_SIZE);
    power(group, BASE, length);
  }
  storeResult(group, to);
}

/** |p| bytes at `to` = peer^exponent mod p, or zeros when the returned status is not STATUS_OK. The peer's value is public. */
export function variableBaseOne(group: i32, peer: usize, exponent: usize, length: i32, to: usize): u8 {
  const n = limbCount(group);
  const bytes = primeBytes(group);
  const primeLessOne = primeLessOneAddress(group);
  // RFC 7919 §5.1, SP 800-56A r3 §5.6.2.3.1: 1 < Y < p-1, before any work is done with it.
  if (!(aboveOne(peer, bytes) & lessThan(peer, primeLessOne, bytes))) {
    memory.fill(to, 0, bytes);
    return STATUS_PEER_VALUE;
  }
  loadExponent(exponent, length);
  limbsFromBytes(BASE, n, peer, bytes);
  montgomeryMultiply(BASE, BASE, squareAddress(group), primeAddress(group), n);
  power(group, BASE, length);
  storeResult(group, to);
  // SP 800-56A r3 §5.7.1.1: Z is neither 0 nor 1 nor p-1. Whether that is so is all that becomes known of Z.
  const good = aboveOne(to, bytes) & lessThan(to, primeLessOne, bytes);
  const mask = <u8>(0 - good);
  for (let i = 0; i < bytes; i++) store<u8>(to + i, load<u8>(to + i) & mask);
  return <u8>(STATUS_RESULT & ~mask);
}
