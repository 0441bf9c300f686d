// HKDF-Expand over SHA-256 (RFC 5869 §2.3). HKDF-Extract is HMAC with the salt as key (§2.2) and needs no code of its own.

import { hmacAdd, hmacFinish, hmacRestart, hmacStart } from './hmac';
import { HASH } from './memory';

const COUNTER: usize = HASH + 0x2a0;
const TAIL: usize = HASH + 0x2c0;

/** `length` bytes of output keying material at `to`, which has room for the next whole block; 1 <= length <= 255 * 32. */
export function expand(prk: usize, prkLength: i32, info: usize, infoLength: i32, to: usize, length: i32): void {
  hmacStart(prk, prkLength);
  const blocks = (length + 31) >> 5;
  for (let i = 1; i <= blocks; i++) {
    hmacRestart();
    if (i > 1) hmacAdd(to - 32, 32); // T(i-1)
    hmacAdd(info, infoLength);
    store<u8>(COUNTER, <u8>i);
    hmacAdd(COUNTER, 1);
    hmacFinish(TAIL);
    memory.copy(to, TAIL, 32);
    to += 32;
  }
}
