import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { addressBytes } from './address-prefix.ts';

/**
 * The stateless cookie of RETRY (docs/PROTOCOL.md §3.2): proof that the customer receives at its address, and the puzzle it must solve,
 * without a byte of state here until both came back.
 *
 *   offset  size  field
 *   0       1     key id
 *   1       1     puzzle bits
 *   2       6     time of issue, milliseconds since 1970
 *   8       8     nonce
 *   16      16    HMAC-SHA-256 over label, the above, address and HELLO digest, first 16 bytes
 */
const COOKIE_BYTES = 32;
const MAC_OFFSET = 16;
/** Long enough for a phone to solve the hardest puzzle and connect again; short enough that stored cookies are worthless. */
const COOKIE_LIFETIME_MS = 30_000;
/** Clock steps back by NTP are smaller than this. */
const CLOCK_BACKWARDS_MS = 1_000;
/** The key changes this often; the one before it stays good, so every cookie lives its full time. */
const KEY_LIFETIME_MS = 600_000;
/** Used cookies remembered, in two generations: beyond it a flood has paid for this many puzzles within one lifetime. */
const USED_MAX = 100_000;
const COOKIE_LABEL = Buffer.from('sallyport/1 retry cookie\0');
const PUZZLE_LABEL = Buffer.from('sallyport/1 puzzle\0');

interface CookieKey {
  readonly id: number;
  readonly secret: Buffer;
  readonly madeMs: number;
}

/** Issues and accepts cookies; each is accepted once. */
export class RetryCookies {
  #current: CookieKey;
  #previous: CookieKey | undefined;
  #used = new Set<string>();
  #usedBefore = new Set<string>();
  #usedSinceMs: number;

  constructor(nowMs: number) {
    this.#current = { id: randomBytes(1)[0]!, secret: randomBytes(32), madeMs: nowMs };
    this.#usedSinceMs = nowMs;
  }

  /** A cookie for this HELLO (its bytes without the last two fields) from this address. */
  issue(address: string | undefined, hello: Uint8Array, puzzleBits: number, nowMs: number): Buffer {
    this.#rotate(nowMs);
    const cookie = Buffer.alloc(COOKIE_BYTES);
    cookie[0] = this.#current.id;
    cookie[1] = puzzleBits;
    cookie.writeUIntBE(nowMs, 2, 6);
    randomBytes(8).copy(cookie, 8);
    mac(this.#current, cookie, address, hello).copy(cookie, MAC_OFFSET);
    return cookie;
  }

  /** Whether the cookie is ours, for this address and HELLO, in time, its puzzle solved, and new. Accepting it uses it up. */
  accept(
    address: string | undefined,
    hello: Uint8Array,
    cookie: Uint8Array,
    solution: Uint8Array,
    nowMs: number,
  ): boolean {
    this.#rotate(nowMs);
    if (cookie.length !== COOKIE_BYTES) return false;
    const presented = Buffer.from(cookie);
    const key = [this.#current, this.#previous].find((each) => each?.id === presented[0]);
    if (key === undefined) return false;
    if (!timingSafeEqual(mac(key, presented, address, hello), presented.subarray(MAC_OFFSET))) return false;
    const ageMs = nowMs - presented.readUIntBE(2, 6);
    if (ageMs > COOKIE_LIFETIME_MS || ageMs < -CLOCK_BACKWARDS_MS) return false;
    if (!puzzleSolved(presented, solution, presented[1]!)) return false;
    return this.#useUp(presented.toString('latin1', 8), nowMs);
  }

  #useUp(id: string, nowMs: number): boolean {
    if (nowMs - this.#usedSinceMs >= COOKIE_LIFETIME_MS + CLOCK_BACKWARDS_MS || this.#used.size >= USED_MAX) {
      this.#usedBefore = this.#used;
      this.#used = new Set();
      this.#usedSinceMs = nowMs;
    }
    if (this.#used.has(id) || this.#usedBefore.has(id)) return false;
    this.#used.add(id);
    return true;
  }

  #rotate(nowMs: number): void {
    if (nowMs - this.#current.madeMs < KEY_LIFETIME_MS) return;
    this.#previous?.secret.fill(0);
    this.#previous = this.#current;
    this.#current = { id: (this.#current.id + 1) & 0xff, secret: randomBytes(32), madeMs: nowMs };
  }
}

/** Whether SHA-256(label || len16(cookie) || solution) begins with `bits` zero bits; no bits, no solution wanted. */
export function puzzleSolved(cookie: Uint8Array, solution: Uint8Array, bits: number): boolean {
  if (bits === 0) return solution.length === 0;
  if (solution.length !== 8) return false;
  const length = Buffer.of(cookie.length >> 8, cookie.length & 0xff);
  const digest = createHash('sha256').update(PUZZLE_LABEL).update(length).update(cookie).update(solution).digest();
  return digest.readUInt32BE(0) >>> (32 - bits) === 0;
}

function mac(key: CookieKey, cookie: Buffer, address: string | undefined, hello: Uint8Array): Buffer {
  const from = addressBytes(address) ?? Buffer.alloc(0);
  return createHmac('sha256', key.secret)
    .update(COOKIE_LABEL)
    .update(cookie.subarray(0, MAC_OFFSET))
    .update(Buffer.of(from.length))
    .update(from)
    .update(createHash('sha256').update(hello).digest())
    .digest()
    .subarray(0, COOKIE_BYTES - MAC_OFFSET);
}
