import { createHash } from 'node:crypto';
import { beforeAll, expect, it } from 'vitest';
import { type Crypto, loadCrypto } from '../../../src/crypto/index.ts';
import { puzzleSolved } from '../../../src/server/admission/retry-cookie.ts';
import { isSolution, searchSolution } from '../../../src/session/puzzle.ts';

let crypto: Crypto;
beforeAll(async () => {
  crypto = await loadCrypto();
});

it('a solution of the customer is one for the server', () => {
  const cookie = new Uint8Array(32).fill(7);
  for (const bits of [1, 4, 10]) {
    const solution = searchSolution(crypto, cookie, bits, 0, 200_000)!;
    expect(puzzleSolved(cookie, solution, bits)).toBe(true);
    expect(isSolution(crypto, cookie, bits, solution)).toBe(true);
    const input = Buffer.concat([Buffer.from('sallyport/1 puzzle\0'), Buffer.of(0, 32), cookie, solution]);
    expect(createHash('sha256').update(input).digest().readUInt32BE() >>> (32 - bits)).toBe(0);
    expect(isSolution(crypto, new Uint8Array(32).fill(8), 20, solution)).toBe(false);
  }
});

it('the search goes on where it stopped', () => {
  const cookie = new Uint8Array(5).fill(1);
  const whole = searchSolution(crypto, cookie, 9, 0, 100_000)!;
  const at = Number(new DataView(whole.buffer).getBigUint64(0));
  expect(searchSolution(crypto, cookie, 9, 0, at)).toBeUndefined();
  expect(searchSolution(crypto, cookie, 9, at, 1)).toEqual(whole);
});
