// SHA-256 (FIPS 180-4 §6.2), streaming. Data enters in pieces of any length; the state lies in HASH.
//
//   HASH + 0x000   32   working state H0..H7
//   HASH + 0x040   64   the block being filled
//   HASH + 0x080    8   total length in bytes
//   HASH + 0x100  256   message schedule W0 + K0 .. W63 + K63
//   HASH + 0x200   64   HMAC: the key's block
//   HASH + 0x240   32   HMAC: state after the outer key block
//   HASH + 0x260   32   a digest between two hashes
//   HASH + 0x300  256   with SIMD: W0..W63

import { HASH } from './memory';

export const STATE: usize = HASH;
const BLOCK: usize = HASH + 0x40;
const TOTAL: usize = HASH + 0x80;
const SCHEDULE: usize = HASH + 0x100;
const WORDS: usize = HASH + 0x300;

// FIPS 180-4 §4.2.2: the first 32 bits of the fractional parts of the cube roots of the first 64 primes.
// prettier-ignore
export const K = memory.data<u32>([
  0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
  0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
  0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
  0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
  0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
  0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
  0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
  0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
]);

// FIPS 180-4 §5.3.3: the initial state.
// prettier-ignore
export const INITIAL = memory.data<u32>([
  0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
]);

@inline
function bigSigma0(a: u32): u32 {
  return rotr(a, 2) ^ rotr(a, 13) ^ rotr(a, 22);
}
/** h + Sigma1(e) + Ch(e, f, g) + K_t + W_t, the sum having been put where W was. */
@inline
function roundSum(e: u32, f: u32, g: u32, h: u32, at: usize): u32 {
  return h + load<u32>(at) + (rotr(e, 6) ^ rotr(e, 11) ^ rotr(e, 25)) + (g ^ (e & (f ^ g)));
}
@inline
function smallSigma0(w: u32): u32 {
  return rotr(w, 7) ^ rotr(w, 18) ^ (w >>> 3);
}
@inline
function smallSigma1(w: u32): u32 {
  return rotr(w, 17) ^ rotr(w, 19) ^ (w >>> 10);
}

/** W_t + K_t for all 64 rounds into SCHEDULE, a word at a time. */
function expandWords(block: usize): void {
  for (let t: usize = 0; t < 64; t += 4) store<u32>(SCHEDULE + t, bswap(load<u32>(block + t)));
  let w2 = load<u32>(SCHEDULE, 56);
  let w1 = load<u32>(SCHEDULE, 60);
  for (let t = SCHEDULE + 64; t < SCHEDULE + 256; t += 8) {
    w2 = smallSigma1(w2) + load<u32>(t - 28) + smallSigma0(load<u32>(t - 60)) + load<u32>(t - 64);
    store<u32>(t, w2);
    w1 = smallSigma1(w1) + load<u32>(t - 24) + smallSigma0(load<u32>(t - 56)) + load<u32>(t - 60);
    store<u32>(t, w1, 4);
  }
  for (let t: usize = 0; t < 256; t += 8) {
    const two = SCHEDULE + t;
    store<u32>(two, load<u32>(two) + load<u32>(K + t));
    store<u32>(two, load<u32>(two, 4) + load<u32>(K + t, 4), 4);
  }
}

@inline
function rotate(w: v128, by: i32): v128 {
  return v128.or(i32x4.shr_u(w, by), i32x4.shl(w, 32 - by));
}
/** W_t to W_(t+3) from the sixteen words before them, four in each of x0 to x3. */
@inline
function nextFour(x0: v128, x1: v128, x2: v128, x3: v128): v128 {
  const zero = i32x4.splat(0);
  const w15 = v128.shuffle<u32>(x0, x1, 1, 2, 3, 4);
  const sigma0 = v128.xor(v128.xor(rotate(w15, 7), rotate(w15, 18)), i32x4.shr_u(w15, 3));
  const sum = i32x4.add(i32x4.add(x0, v128.shuffle<u32>(x2, x3, 1, 2, 3, 4)), sigma0);
  // Sigma1 of W_(t-2) and W_(t-1) completes the first two words, and of those the other two; sigma1 of 0 is 0.
  const w2 = v128.shuffle<u32>(x3, zero, 2, 3, 4, 4);
  const firstTwo = i32x4.add(sum, v128.xor(v128.xor(rotate(w2, 17), rotate(w2, 19)), i32x4.shr_u(w2, 10)));
  const w0 = v128.shuffle<u32>(firstTwo, zero, 4, 4, 0, 1);
  return i32x4.add(firstTwo, v128.xor(v128.xor(rotate(w0, 17), rotate(w0, 19)), i32x4.shr_u(w0, 10)));
}
@inline
function loadFour(from: usize): v128 {
  const bytes = v128.load(from);
  return v128.shuffle<u8>(bytes, bytes, 3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12);
}
@inline
function storeFour(at: usize, w: v128): void {
  v128.store(WORDS + at, w);
  v128.store(SCHEDULE + at, i32x4.add(w, v128.load(K + at)));
}

/** W_t + K_t of the block's own words into SCHEDULE, and W_t into WORDS. */
function firstSixteen(block: usize): void {
  for (let at: usize = 0; at < 64; at += 16) storeFour(at, loadFour(block + at));
}
/** The same of the sixteen rounds from `at` / 4, from the sixteen before them. */
function nextSixteen(at: usize): void {
  const last = WORDS + at - 64;
  let x0 = v128.load(last);
  let x1 = v128.load(last, 16);
  let x2 = v128.load(last, 32);
  let x3 = v128.load(last, 48);
  x0 = nextFour(x0, x1, x2, x3);
  x1 = nextFour(x1, x2, x3, x0);
  x2 = nextFour(x2, x3, x0, x1);
  x3 = nextFour(x3, x0, x1, x2);
  storeFour(at, x0);
  storeFour(at + 16, x1);
  storeFour(at + 32, x2);
  storeFour(at + 48, x3);
}

/**
 * FIPS 180-4 §6.2.2: one block of 64 bytes at `block` into the state. Eight rounds a turn, the working variables taking each other's
 * places by name. Maj(a, b, c) is b ^ ((a ^ b) & (b ^ c)), and a ^ b is the next round's b ^ c. With SIMD the schedule's next sixteen
 * words are made between the rounds, which wait for each other and leave room.
 */
export function compress(block: usize): void {
  if (ASC_FEATURE_SIMD) firstSixteen(block);
  else expandWords(block);
  let a = load<u32>(STATE);
  let b = load<u32>(STATE, 4);
  let c = load<u32>(STATE, 8);
  let d = load<u32>(STATE, 12);
  let e = load<u32>(STATE, 16);
  let f = load<u32>(STATE, 20);
  let g = load<u32>(STATE, 24);
  let h = load<u32>(STATE, 28);
  let m: u32;
  let n = b ^ c;
  for (let sixteen: usize = 0; sixteen < 256; sixteen += 64) {
    if (ASC_FEATURE_SIMD && sixteen < 192) nextSixteen(sixteen + 64);
    for (let t = SCHEDULE + sixteen; t < SCHEDULE + sixteen + 64; t += 32) {
      h = roundSum(e, f, g, h, t + 0);
      d += h;
      m = a ^ b;
      h += bigSigma0(a) + (b ^ (m & n));
      n = m;
      g = roundSum(d, e, f, g, t + 4);
      c += g;
      m = h ^ a;
      g += bigSigma0(h) + (a ^ (m & n));
      n = m;
      f = roundSum(c, d, e, f, t + 8);
      b += f;
      m = g ^ h;
      f += bigSigma0(g) + (h ^ (m & n));
      n = m;
      e = roundSum(b, c, d, e, t + 12);
      a += e;
      m = f ^ g;
      e += bigSigma0(f) + (g ^ (m & n));
      n = m;
      d = roundSum(a, b, c, d, t + 16);
      h += d;
      m = e ^ f;
      d += bigSigma0(e) + (f ^ (m & n));
      n = m;
      c = roundSum(h, a, b, c, t + 20);
      g += c;
      m = d ^ e;
      c += bigSigma0(d) + (e ^ (m & n));
      n = m;
      b = roundSum(g, h, a, b, t + 24);
      f += b;
      m = c ^ d;
      b += bigSigma0(c) + (d ^ (m & n));
      n = m;
      a = roundSum(f, g, h, a, t + 28);
      e += a;
      m = b ^ c;
      a += bigSigma0(b) + (c ^ (m & n));
      n = m;
    }
  }
  store<u32>(STATE, load<u32>(STATE) + a);
  store<u32>(STATE, load<u32>(STATE, 4) + b, 4);
  store<u32>(STATE, load<u32>(STATE, 8) + c, 8);
  store<u32>(STATE, load<u32>(STATE, 12) + d, 12);
  store<u32>(STATE, load<u32>(STATE, 16) + e, 16);
  store<u32>(STATE, load<u32>(STATE, 20) + f, 20);
  store<u32>(STATE, load<u32>(STATE, 24) + g, 24);
  store<u32>(STATE, load<u32>(STATE, 28) + h, 28);
}

export function sha256Start(): void {
  memory.copy(STATE, INITIAL, 32);
  store<u64>(TOTAL, 0);
}

/** Goes on from the state at `state`, reached after `blocks` whole blocks. */
export function sha256Resume(state: usize, blocks: u64): void {
  memory.copy(STATE, state, 32);
  store<u64>(TOTAL, blocks << 6);
}

export function sha256Add(data: usize, length: i32): void {
  const total = load<u64>(TOTAL);
  store<u64>(TOTAL, total + <u64>length);
  const filled = <i32>(total & 63);
  if (filled + length < 64) {
    memory.copy(BLOCK + filled, data, length);
    return;
  }
  const end = data + length;
  if (filled > 0) {
    memory.copy(BLOCK + filled, data, 64 - filled);
    data += 64 - filled;
    compress(BLOCK);
  }
  while (data + 64 <= end) {
    compress(data);
    data += 64;
  }
  memory.copy(BLOCK, data, end - data);
}

/** FIPS 180-4 §5.1.1: pads, and writes the 32 bytes of the digest. */
export function sha256Finish(to: usize): void {
  const total = load<u64>(TOTAL);
  const filled = <i32>(total & 63);
  store<u8>(BLOCK + filled, 0x80);
  memory.fill(BLOCK + filled + 1, 0, 63 - filled);
  if (filled >= 56) {
    compress(BLOCK);
    memory.fill(BLOCK, 0, 56);
  }
  store<u64>(BLOCK + 56, bswap(total << 3));
  compress(BLOCK);
  for (let i: usize = 0; i < 32; i += 4) store<u32>(to + i, bswap(load<u32>(STATE + i)));
}
