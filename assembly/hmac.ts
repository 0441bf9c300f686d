// HMAC-SHA-256 (RFC 2104, FIPS 198-1), streaming: the states after the two key blocks are kept, so a key is hashed once.

import { HASH } from './memory';
import { STATE, sha256Add, sha256Finish, sha256Resume, sha256Start } from './sha256';

const KEY_BLOCK: usize = HASH + 0x200;
const OUTER: usize = HASH + 0x240;
const INNER: usize = HASH + 0x280;
const DIGEST: usize = HASH + 0x260;

/** Turns the key into the inner and outer states; data may follow at once with hmacAdd. */
export function hmacStart(key: usize, length: i32): void {
  memory.fill(KEY_BLOCK, 0, 64);
  // RFC 2104 §2: a key longer than the block is hashed first. The key's length is not secret.
  if (length > 64) {
    sha256Start();
    sha256Add(key, length);
    sha256Finish(KEY_BLOCK);
  } else memory.copy(KEY_BLOCK, key, length);
  for (let i: usize = 0; i < 64; i += 8) store<u64>(KEY_BLOCK + i, load<u64>(KEY_BLOCK + i) ^ 0x5c5c5c5c5c5c5c5c);
  sha256Start();
  sha256Add(KEY_BLOCK, 64);
  memory.copy(OUTER, STATE, 32);
  for (let i: usize = 0; i < 64; i += 8) store<u64>(KEY_BLOCK + i, load<u64>(KEY_BLOCK + i) ^ 0x6a6a6a6a6a6a6a6a);
  sha256Start();
  sha256Add(KEY_BLOCK, 64);
  memory.copy(INNER, STATE, 32);
}

/** Begins another message under the same key. */
export function hmacRestart(): void {
  sha256Resume(INNER, 1);
}

export function hmacAdd(data: usize, length: i32): void {
  sha256Add(data, length);
}

/** Writes the 32 bytes of the code; the key stays for hmacRestart. */
export function hmacFinish(to: usize): void {
  sha256Finish(DIGEST);
  sha256Resume(OUTER, 1);
  sha256Add(DIGEST, 32);
  sha256Finish(to);
}
