/** The puzzle of RETRY (docs/PROTOCOL.md section 3.2): work that a customer does before the server does any. */

import type { Hashing } from '../crypto/core-hash.ts';
import { PUZZLE_SOLUTION_BYTES } from '../wire/hello.ts';

/**
 * What a customer is ready to work: 2^22 hashes on average, a few seconds. A RETRY is not signed, so anyone on the path can ask for 32 bits.
 */
export const PUZZLE_BITS_ACCEPTED_MAX = 22;

const PUZZLE_LABEL = Buffer.from('sallyport/1 puzzle\0', 'latin1');

/** Whether SHA-256("sallyport/1 puzzle" || len16(cookie) || solution) begins with `bits` zero bits. */
export function isSolution(
  hashing: Pick<Hashing, 'sha256'>,
  cookie: Uint8Array,
  bits: number,
  solution: Uint8Array,
): boolean {
  const length = Uint8Array.of(cookie.length >>> 8, cookie.length & 0xff);
  const digest = hashing.sha256(Buffer.concat([PUZZLE_LABEL, length, cookie, solution]));
  return bits === 0 || leadingWord(digest) < 2 ** (32 - bits);
}

/** Tries `count` solutions from number `from` on; undefined when none of them is one. */
export function searchSolution(
  hashing: Pick<Hashing, 'sha256'>,
  cookie: Uint8Array,
  bits: number,
  from: number,
  count: number,
): Uint8Array | undefined {
  const solution = new Uint8Array(PUZZLE_SOLUTION_BYTES);
  const view = new DataView(solution.buffer);
  for (let candidate = from; candidate < from + count; candidate++) {
    view.setBigUint64(0, BigInt(candidate));
    if (isSolution(hashing, cookie, bits, solution)) return solution;
  }
  return undefined;
}

function leadingWord(digest: Uint8Array): number {
  return new DataView(digest.buffer, digest.byteOffset).getUint32(0);
}
