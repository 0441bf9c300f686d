// SHA-256 (FIPS 180-4 §6.2) of up to four messages at once, each with its own state, data and number of blocks: a *lane* each. With SIMD
// the lanes are those of a vector; what a lane does after its last block is thrown away. Without, they take turns.
//
//   HASH_FOUR + 0x000   128   states between calls, 32 bytes a lane
//   HASH_FOUR + 0x080    16   each lane's data, an address
//   HASH_FOUR + 0x090    16   each lane's number of blocks
//   HASH_FOUR + 0x100   128   states, word i of the four lanes at 16 i
//   HASH_FOUR + 0x200  1024   message schedule, W_t of the four lanes at 16 t
//   HASH_FOUR + 0x600         hash-many.ts

import { HASH_FOUR } from './memory';
import { K, STATE, compress } from './sha256';

const STATES: usize = HASH_FOUR;
const DATA: usize = HASH_FOUR + 0x80;
const BLOCKS: usize = HASH_FOUR + 0x90;
const WORKING: usize = HASH_FOUR + 0x100;
const SCHEDULE: usize = HASH_FOUR + 0x200;

export const LANES: i32 = 4;

/** Where the state of a lane lies, eight words. */
export function laneState(lane: i32): usize {
  return STATES + (<usize>lane << 5);
}
/** The next run takes `blocks` whole blocks at `data` into the lane's state. */
export function laneData(lane: i32, data: usize, blocks: i32): void {
  store<u32>(DATA + (<usize>lane << 2), <u32>data);
  store<i32>(BLOCKS + (<usize>lane << 2), blocks);
}
function dataOf(lane: i32): usize {
  return <usize>load<u32>(DATA + (<usize>lane << 2));
}
function blocksOf(lane: i32): i32 {
  return load<i32>(BLOCKS + (<usize>lane << 2));
}

@inline
function bigSigma0(a: v128): v128 {
  const left = v128.xor(v128.xor(i32x4.shl(a, 30), i32x4.shl(a, 19)), i32x4.shl(a, 10));
  return v128.xor(left, v128.xor(v128.xor(i32x4.shr_u(a, 2), i32x4.shr_u(a, 13)), i32x4.shr_u(a, 22)));
}
@inline
function bigSigma1(e: v128): v128 {
  const left = v128.xor(v128.xor(i32x4.shl(e, 26), i32x4.shl(e, 21)), i32x4.shl(e, 7));
  return v128.xor(left, v128.xor(v128.xor(i32x4.shr_u(e, 6), i32x4.shr_u(e, 11)), i32x4.shr_u(e, 25)));
}
@inline
function smallSigma0(w: v128): v128 {
  const left = v128.xor(i32x4.shl(w, 25), i32x4.shl(w, 14));
  return v128.xor(left, v128.xor(v128.xor(i32x4.shr_u(w, 7), i32x4.shr_u(w, 18)), i32x4.shr_u(w, 3)));
}
@inline
function smallSigma1(w: v128): v128 {
  const left = v128.xor(i32x4.shl(w, 15), i32x4.shl(w, 13));
  return v128.xor(left, v128.xor(v128.xor(i32x4.shr_u(w, 17), i32x4.shr_u(w, 19)), i32x4.shr_u(w, 10)));
}
/** W_(t+16) at `at`, from the words before it. */
@inline
function nextWord(at: usize): void {
  const t = SCHEDULE + (at << 2);
  const sum = i32x4.add(i32x4.add(v128.load(t), smallSigma0(v128.load(t, 16))), v128.load(t, 144));
  v128.store(t, i32x4.add(sum, smallSigma1(v128.load(t, 224))), 256);
}
/** h + Sigma1(e) + Ch(e, f, g) + K_t + W_t. */
@inline
function roundSum(e: v128, f: v128, g: v128, h: v128, at: usize): v128 {
  const word = i32x4.add(v128.load(SCHEDULE + (at << 2)), v128.load32_splat(K + at));
  return i32x4.add(i32x4.add(i32x4.add(h, word), v128.xor(g, v128.and(e, v128.xor(f, g)))), bigSigma1(e));
}

/** Four words of a lane's block, big endian. */
@inline
function loadWords(from: usize): v128 {
  const bytes = v128.load(from);
  return v128.shuffle<u8>(bytes, bytes, 3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12);
}
/** Writes four vectors of four words at `to` as their transpose. */
@inline
function storeTransposed(to: usize, r0: v128, r1: v128, r2: v128, r3: v128): void {
  const low01 = v128.shuffle<u32>(r0, r1, 0, 4, 1, 5);
  const high01 = v128.shuffle<u32>(r0, r1, 2, 6, 3, 7);
  const low23 = v128.shuffle<u32>(r2, r3, 0, 4, 1, 5);
  const high23 = v128.shuffle<u32>(r2, r3, 2, 6, 3, 7);
  v128.store(to, v128.shuffle<u64>(low01, low23, 0, 2));
  v128.store(to, v128.shuffle<u64>(low01, low23, 1, 3), 16);
  v128.store(to, v128.shuffle<u64>(high01, high23, 0, 2), 32);
  v128.store(to, v128.shuffle<u64>(high01, high23, 1, 3), 48);
}

/** One block of each lane into WORKING. */
function compressFour(d0: usize, d1: usize, d2: usize, d3: usize): void {
  for (let at: usize = 0; at < 64; at += 16) {
    storeTransposed(SCHEDULE + (at << 2), loadWords(d0 + at), loadWords(d1 + at), loadWords(d2 + at), loadWords(d3 + at));
  }
  let a = v128.load(WORKING);
  let b = v128.load(WORKING, 16);
  let c = v128.load(WORKING, 32);
  let d = v128.load(WORKING, 48);
  let e = v128.load(WORKING, 64);
  let f = v128.load(WORKING, 80);
  let g = v128.load(WORKING, 96);
  let h = v128.load(WORKING, 112);
  let m: v128;
  let n = v128.xor(b, c);
  for (let t: usize = 0; t < 256; t += 32) {
    // The words sixteen rounds on are made between the rounds, which wait for each other and leave room.
    const more = t < 192;
    h = roundSum(e, f, g, h, t);
    if (more) nextWord(t);
    d = i32x4.add(d, h);
    m = v128.xor(a, b);
    h = i32x4.add(h, i32x4.add(bigSigma0(a), v128.xor(b, v128.and(m, n))));
    g = roundSum(d, e, f, g, t + 4);
    if (more) nextWord(t + 4);
    c = i32x4.add(c, g);
    n = v128.xor(h, a);
    g = i32x4.add(g, i32x4.add(bigSigma0(h), v128.xor(a, v128.and(m, n))));
    f = roundSum(c, d, e, f, t + 8);
    if (more) nextWord(t + 8);
    b = i32x4.add(b, f);
    m = v128.xor(g, h);
    f = i32x4.add(f, i32x4.add(bigSigma0(g), v128.xor(h, v128.and(m, n))));
    e = roundSum(b, c, d, e, t + 12);
    if (more) nextWord(t + 12);
    a = i32x4.add(a, e);
    n = v128.xor(f, g);
    e = i32x4.add(e, i32x4.add(bigSigma0(f), v128.xor(g, v128.and(m, n))));
    d = roundSum(a, b, c, d, t + 16);
    if (more) nextWord(t + 16);
    h = i32x4.add(h, d);
    m = v128.xor(e, f);
    d = i32x4.add(d, i32x4.add(bigSigma0(e), v128.xor(f, v128.and(m, n))));
    c = roundSum(h, a, b, c, t + 20);
    if (more) nextWord(t + 20);
    g = i32x4.add(g, c);
    n = v128.xor(d, e);
    c = i32x4.add(c, i32x4.add(bigSigma0(d), v128.xor(e, v128.and(m, n))));
    b = roundSum(g, h, a, b, t + 24);
    if (more) nextWord(t + 24);
    f = i32x4.add(f, b);
    m = v128.xor(c, d);
    b = i32x4.add(b, i32x4.add(bigSigma0(c), v128.xor(d, v128.and(m, n))));
    a = roundSum(f, g, h, a, t + 28);
    if (more) nextWord(t + 28);
    e = i32x4.add(e, a);
    n = v128.xor(b, c);
    a = i32x4.add(a, i32x4.add(bigSigma0(b), v128.xor(c, v128.and(m, n))));
  }
  v128.store(WORKING, i32x4.add(v128.load(WORKING), a));
  v128.store(WORKING, i32x4.add(v128.load(WORKING, 16), b), 16);
  v128.store(WORKING, i32x4.add(v128.load(WORKING, 32), c), 32);
  v128.store(WORKING, i32x4.add(v128.load(WORKING, 48), d), 48);
  v128.store(WORKING, i32x4.add(v128.load(WORKING, 64), e), 64);
  v128.store(WORKING, i32x4.add(v128.load(WORKING, 80), f), 80);
  v128.store(WORKING, i32x4.add(v128.load(WORKING, 96), g), 96);
  v128.store(WORKING, i32x4.add(v128.load(WORKING, 112), h), 112);
}

/** A lane's block, or its last when it has no more; a lane without blocks reads the zeros at address 0. */
function blockOf(lane: i32, block: i32): usize {
  const count = blocksOf(lane);
  return count == 0 ? 0 : dataOf(lane) + (<usize>min(block, count - 1) << 6);
}

function runVectors(blocks: i32): void {
  for (let half: usize = 0; half < 32; half += 16) {
    const at = STATES + half;
    storeTransposed(WORKING + (half << 2), v128.load(at), v128.load(at, 32), v128.load(at, 64), v128.load(at, 96));
  }
  for (let block = 0; block < blocks; block++) {
    compressFour(blockOf(0, block), blockOf(1, block), blockOf(2, block), blockOf(3, block));
    for (let lane = 0; lane < LANES; lane++) {
      if (blocksOf(lane) != block + 1) continue;
      const from = WORKING + (<usize>lane << 2);
      for (let i: usize = 0; i < 32; i += 4) store<u32>(laneState(lane) + i, load<u32>(from + (i << 2)));
    }
  }
}

function runInTurn(): void {
  for (let lane = 0; lane < LANES; lane++) {
    memory.copy(STATE, laneState(lane), 32);
    for (let block = 0; block < blocksOf(lane); block++) compress(dataOf(lane) + (<usize>block << 6));
    memory.copy(laneState(lane), STATE, 32);
  }
}

/** Each lane's data into its state. The numbers of blocks are public. */
export function runLanes(): void {
  let busy = 0;
  let most = 0;
  for (let lane = 0; lane < LANES; lane++) {
    busy += i32(blocksOf(lane) > 0);
    most = max(most, blocksOf(lane));
  }
  // One block of four lanes takes as long as one and a half of one.
  if (ASC_FEATURE_SIMD && busy > 1) runVectors(most);
  else runInTurn();
}
