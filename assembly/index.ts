// The ABI and nothing else. Lengths and counts are in bytes and items; numbers are big-endian; groups are 0, 1, 2 for ffdhe2048,
// ffdhe3072, ffdhe4096. The caller writes arguments to STAGING_IN, reads results from STAGING_OUT and wipes both; it also keeps to
// the stated ranges, for an argument out of range traps (unreachable) and does nothing else.

import { GROUP_COUNT, makeConstants, primeBytes } from './groups';
import { expandEach, prefixDigests } from './hash-many';
import { expand } from './hkdf';
import { hmacAdd, hmacFinish, hmacRestart, hmacStart } from './hmac';
import { KERNEL_FEATURES, LANES_MAX, kernelIsExact, lanesFor } from './kernel';
import { STAGING_IN, STAGING_OUT, STAGING_SIZE, wipeExponentiation, wipeHash, wipeHashes } from './memory';
import {
  STATUS_PEER_VALUE,
  TABLE_COMB,
  TABLE_NONE,
  fixedBasePass,
  makeTable,
  peerIsGood,
  variableBasePass,
  windowBytes,
} from './modexp';
import { sha256Add, sha256Finish, sha256Start } from './sha256';

/** Changes whenever a caller written for the old one could go wrong. */
export const ABI_VERSION: i32 = 3;
/** Bit 0: SIMD; bit 1: relaxed SIMD fused multiply-add. */
export const FEATURES: i32 = KERNEL_FEATURES;
/** Numbers that one pass of the kernel carries: a batch that is a multiple of it wastes nothing. */
export const LANES: i32 = LANES_MAX;
export const stagingIn: i32 = <i32>STAGING_IN;
export const stagingOut: i32 = <i32>STAGING_OUT;
export const stagingSize: i32 = <i32>STAGING_SIZE;
/** Items in one batch: 32 of 512 bytes of exponent and 512 of peer value fill half of the staging zone. */
export const BATCH_MAX: i32 = 32;

/** Bytes of STAGING_IN that a message of sha256Prefixes may fill. */
const MESSAGE_SLOT: usize = 0x4000;

/** The kind of fixed-base table each group has. */
const tableKinds = memory.data<i32>([0, 0, 0]);

function check(condition: bool): void {
  if (!condition) unreachable();
}

/** Staging in: p, big-endian. Makes the group's constants; must come before the group's first use. */
export function prepare(group: i32): void {
  checkGroup(group);
  makeConstants(group, STAGING_IN);
  wipeExponentiation(0);
}

/** Makes the group's fixed-base table of a kind: 0 none, 1 windows, 2 comb. Before it, there is none. */
export function prepareTable(group: i32, kind: i32): void {
  checkGroup(group);
  check(kind >= TABLE_NONE && kind <= TABLE_COMB);
  makeTable(group, kind);
  store<i32>(tableKinds + (<usize>group << 2), kind);
  wipeExponentiation(0);
}

/** 1 when multiply-add is fused: the square of 1 + 2^-30 less its rounding is 2^-60 then, and 0 otherwise. Or when none is used. */
export function multiplyAddIsFused(): i32 {
  return kernelIsExact();
}

/** In: count exponents of `length` bytes. Out: count values g^exponent mod p of |p| bytes. */
export function fixedBase(group: i32, count: i32, length: i32): void {
  const bytes = checkBatch(group, count, length);
  const kind = load<i32>(tableKinds + (<usize>group << 2));
  for (let done = 0; done < count; ) {
    const lanes = lanesFor(count - done);
    const exponents = STAGING_IN + <usize>(done * length);
    fixedBasePass(group, lanes, kind, exponents, length, STAGING_OUT + <usize>(done * bytes));
    done += lanes;
  }
  wipeExponentiation(windowBytes(group, lanesFor(count)));
}

/**
 * In: count exponents of `length` bytes, then count peer values of |p| bytes. Out: count values peer^exponent mod p of |p| bytes, then
 * count status bytes: 0 good, 1 the peer's value is not in 2 to p-2, 2 the result is 0, 1 or p-1; a result that is not good is zeros.
 */
export function variableBase(group: i32, count: i32, length: i32): void {
  const bytes = checkBatch(group, count, length);
  const peers = STAGING_IN + <usize>(count * length);
  const status = STAGING_OUT + <usize>(count * bytes);
  // A peer's value is public. One that is not good is replaced by 4, so that the pass goes on, and its result is thrown away.
  for (let i = 0; i < count; i++) {
    const peer = peers + <usize>(i * bytes);
    const good = peerIsGood(group, peer);
    store<u8>(status + i, good ? 0 : STATUS_PEER_VALUE);
    if (good) continue;
    memory.fill(peer, 0, bytes);
    store<u8>(peer + bytes - 1, 4);
  }
  for (let done = 0; done < count; ) {
    const lanes = lanesFor(count - done);
    const exponents = STAGING_IN + <usize>(done * length);
    const at = <usize>(done * bytes);
    variableBasePass(group, lanes, peers + at, exponents, length, STAGING_OUT + at, status + done);
    done += lanes;
  }
  wipeExponentiation(windowBytes(group, lanesFor(count)));
}

function checkGroup(group: i32): void {
  check(group >= 0 && group < GROUP_COUNT);
}

function checkBatch(group: i32, count: i32, length: i32): i32 {
  checkGroup(group);
  const bytes = primeBytes(group);
  check(count >= 1 && count <= BATCH_MAX && length >= 1 && length <= bytes);
  return bytes;
}

function checkLengths(first: i32, second: i32): void {
  check(first >= 0 && second >= 0 && first <= <i32>STAGING_SIZE && second <= <i32>STAGING_SIZE - first);
}

/** In: `length` bytes. Out: their SHA-256. */
export function sha256(length: i32): void {
  checkLengths(length, 0);
  sha256Start();
  sha256Add(STAGING_IN, length);
  sha256Finish(STAGING_OUT);
  wipeHash();
}

/** In: key, then data. Out: HMAC-SHA-256. */
export function hmac(keyLength: i32, length: i32): void {
  checkLengths(keyLength, length);
  hmacStart(STAGING_IN, keyLength);
  hmacAdd(STAGING_IN + keyLength, length);
  hmacFinish(STAGING_OUT);
  wipeHash();
}

/** In: pseudorandom key, then info. Out: `length` bytes of HKDF-Expand, 1 to 8160. */
export function hkdfExpand(prkLength: i32, infoLength: i32, length: i32): void {
  checkLengths(prkLength, infoLength);
  check(length >= 1 && length <= 8160);
  expand(STAGING_IN, prkLength, STAGING_IN + prkLength, infoLength, STAGING_OUT, length);
  wipeHash();
}

/**
 * In: `count` messages, 1 to 4, each in 0x4000 bytes: the lengths of its prefix and of all of it, two little-endian u32, and from byte 64
 * on the message, at most 0x3fc0 bytes. Out: for each the SHA-256 of the prefix and that of the message.
 */
export function sha256Prefixes(count: i32): void {
  check(count >= 1 && count <= 4);
  for (let i = 0; i < count; i++) {
    const slot = STAGING_IN + <usize>i * MESSAGE_SLOT;
    check(load<i32>(slot) >= 0 && load<i32>(slot) <= load<i32>(slot, 4) && load<i32>(slot, 4) <= <i32>MESSAGE_SLOT - 64);
  }
  prefixDigests(count, STAGING_IN, MESSAGE_SLOT, STAGING_OUT);
  wipeHashes();
}

/**
 * In: a pseudorandom key of at most 64 bytes, and from byte 128 on `count` infos, 1 to 64, each in 128 bytes: its length, a
 * little-endian u32, and the info, at most 110 bytes. Out: for each the first 32 bytes of HKDF-Expand. Infos end up with a counter behind.
 */
export function hkdfExpandEach(prkLength: i32, count: i32): void {
  check(prkLength >= 0 && prkLength <= 64 && count >= 1 && count <= 64);
  for (let i = 0; i < count; i++) {
    const length = load<i32>(STAGING_IN + 128 + (<usize>i << 7));
    check(length >= 0 && length <= 110);
  }
  expandEach(STAGING_IN, prkLength, count, STAGING_IN + 128, STAGING_OUT);
  wipeHashes();
}

// The same in pieces, for what is longer than the staging zone: start, any number of updates, finish (which wipes).

export function sha256Begin(): void {
  sha256Start();
}
export function sha256Update(length: i32): void {
  checkLengths(length, 0);
  sha256Add(STAGING_IN, length);
}
export function sha256End(): void {
  sha256Finish(STAGING_OUT);
  wipeHash();
}

/** In: key. */
export function hmacBegin(keyLength: i32): void {
  checkLengths(keyLength, 0);
  hmacStart(STAGING_IN, keyLength);
}
export function hmacUpdate(length: i32): void {
  checkLengths(length, 0);
  hmacAdd(STAGING_IN, length);
}
/** Out: the code; the key is kept for another message until hmacEnd. */
export function hmacNext(): void {
  hmacFinish(STAGING_OUT);
  hmacRestart();
}
export function hmacEnd(): void {
  hmacFinish(STAGING_OUT);
  wipeHash();
}
