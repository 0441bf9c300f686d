// Several hashes at once, in the lanes of sha256-four.ts: transcripts of several sessions, and all that is expanded from one key.
//
//   HASH_FOUR + 0x600   512   each lane's last one or two blocks, padded, 128 bytes
//   HASH_FOUR + 0x800   128   states where messages part from their prefixes
//   HASH_FOUR + 0x880    64   HMAC: states after the inner and the outer key block
//   HASH_FOUR + 0x8c0   128   HMAC: the two key blocks
//   HASH_FOUR + 0x940     -   end

import { HASH_FOUR } from './memory';
import { INITIAL } from './sha256';
import { LANES, laneData, laneState, runLanes } from './sha256-four';

const TAILS: usize = HASH_FOUR + 0x600;
const PARTED: usize = HASH_FOUR + 0x800;
const INNER: usize = HASH_FOUR + 0x880;
const OUTER: usize = HASH_FOUR + 0x8a0;
const KEY_BLOCKS: usize = HASH_FOUR + 0x8c0;

function begin(lane: i32, state: usize): void {
  memory.copy(laneState(lane), state, 32);
}

/** The next run ends the lane's message: its last `length` < 128 - 9 bytes, at `data`, and padding (FIPS 180-4 §5.1.1). */
function end(lane: i32, data: usize, length: i32, total: i32): void {
  const tail = TAILS + (<usize>lane << 7);
  const blocks = (length + 9 + 63) >> 6;
  memory.fill(tail, 0, 128);
  memory.copy(tail, data, length);
  store<u8>(tail + length, 0x80);
  store<u32>(tail + (<usize>blocks << 6) - 4, bswap<u32>(<u32>total << 3));
  laneData(lane, tail, blocks);
}

function storeDigest(to: usize, lane: i32): void {
  for (let i: usize = 0; i < 32; i += 4) store<u32>(to + i, bswap(load<u32>(laneState(lane) + i)));
}

/**
 * For each of `count` <= 4 messages the SHA-256 of its prefix and then of all of it, 64 bytes, at `to`. A message's slot, `stride` bytes
 * from `from` on, begins with the lengths of prefix and message, two u32; the message begins at 64.
 */
export function prefixDigests(count: i32, from: usize, stride: usize, to: usize): void {
  for (let lane = 0; lane < LANES; lane++) {
    begin(lane, INITIAL);
    const slot = from + <usize>lane * stride;
    laneData(lane, slot + 64, lane < count ? load<i32>(slot) >> 6 : 0);
  }
  runLanes();
  memory.copy(PARTED, laneState(0), 32 * LANES);
  for (let lane = 0; lane < count; lane++) {
    const slot = from + <usize>lane * stride;
    const prefix = load<i32>(slot);
    end(lane, slot + 64 + (prefix & ~63), prefix & 63, prefix);
  }
  runLanes();
  for (let lane = 0; lane < count; lane++) storeDigest(to + (<usize>lane << 6), lane);

  memory.copy(laneState(0), PARTED, 32 * LANES);
  for (let lane = 0; lane < count; lane++) {
    const slot = from + <usize>lane * stride;
    const common = load<i32>(slot) & ~63;
    laneData(lane, slot + 64 + common, (load<i32>(slot, 4) - common) >> 6);
  }
  runLanes();
  for (let lane = 0; lane < count; lane++) {
    const slot = from + <usize>lane * stride;
    const length = load<i32>(slot, 4);
    end(lane, slot + 64 + (length & ~63), length & 63, length);
  }
  runLanes();
  for (let lane = 0; lane < count; lane++) storeDigest(to + (<usize>lane << 6) + 32, lane);
}

/**
 * T(1) of HKDF-Expand (RFC 5869 §2.3), HMAC(prk, info || 0x01), for each of `count` infos, 32 bytes, at `to`; prkLength <= 64. An info's
 * slot, 128 bytes from `from` on, begins with its length, a u32; the info begins at 4 and has 110 bytes at most.
 */
export function expandEach(prk: usize, prkLength: i32, count: i32, from: usize, to: usize): void {
  // RFC 2104 §2: the key's two blocks.
  memory.fill(KEY_BLOCKS, 0, 128);
  memory.copy(KEY_BLOCKS, prk, prkLength);
  memory.copy(KEY_BLOCKS + 64, prk, prkLength);
  for (let i: usize = 0; i < 64; i += 8) {
    store<u64>(KEY_BLOCKS + i, load<u64>(KEY_BLOCKS + i) ^ 0x3636363636363636);
    store<u64>(KEY_BLOCKS + i, load<u64>(KEY_BLOCKS + i, 64) ^ 0x5c5c5c5c5c5c5c5c, 64);
  }
  for (let lane = 0; lane < LANES; lane++) {
    begin(lane, INITIAL);
    laneData(lane, KEY_BLOCKS + (<usize>lane << 6), i32(lane < 2));
  }
  runLanes();
  memory.copy(INNER, laneState(0), 64); // and OUTER

  for (let done = 0; done < count; done += LANES) {
    const lanes = min(count - done, LANES);
    for (let lane = 0; lane < lanes; lane++) {
      const info = from + (<usize>(done + lane) << 7) + 4;
      const length = load<i32>(info - 4);
      begin(lane, INNER);
      store<u8>(info + length, 1); // the counter
      end(lane, info, length + 1, 64 + length + 1);
    }
    for (let lane = lanes; lane < LANES; lane++) laneData(lane, 0, 0);
    runLanes();
    for (let lane = 0; lane < lanes; lane++) {
      const digest = to + (<usize>(done + lane) << 5);
      storeDigest(digest, lane);
      begin(lane, OUTER);
      end(lane, digest, 32, 64 + 32);
    }
    runLanes();
    for (let lane = 0; lane < lanes; lane++) storeDigest(to + (<usize>(done + lane) << 5), lane);
  }
}
