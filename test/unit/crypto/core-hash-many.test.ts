/** Several hashes at once, in every build, against node:crypto one after the other. */

import { createHash, createHmac, hkdfSync, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { instantiateCore } from '../../../src/crypto/core.ts';
import { createHashing, type PrefixedMessage } from '../../../src/crypto/core-hash.ts';
import { readBuild } from '../../../src/crypto/kernel.ts';

const SLOT = 0x4000 - 64;
const hex = (data: Uint8Array): string => Buffer.from(data).toString('hex');
const digest = (data: Uint8Array): string => createHash('sha256').update(data).digest('hex');
const expected = ({ data, prefixLength }: PrefixedMessage): string[] => [
  digest(data.subarray(0, prefixLength)),
  digest(data),
];

describe.each(['scalar', 'fma', 'fma-quad'] as const)('%s.wasm', (name) => {
  const { sha256Prefixes, hkdfExpandEach, hkdfExpand, hkdfExtract } = createHashing(instantiateCore(readBuild(name)));
  const digests = (messages: readonly PrefixedMessage[]): string[][] =>
    sha256Prefixes(messages).map(({ prefix, whole }) => [hex(prefix), hex(whole)]);

  test('the vectors of FIPS 180, alone and beside each other', () => {
    const text = readFileSync(join(import.meta.dirname, '../../vectors/fips180/sha256.json'), 'utf8');
    const { tests } = JSON.parse(text) as { tests: { message: string; repeat: number; digest: string }[] };
    const messages = tests.map(({ message, repeat }) => {
      const data = Buffer.from(message.repeat(repeat), 'hex');
      return { data, prefixLength: data.length };
    });
    const wanted = tests.map((vector) => [vector.digest, vector.digest]);
    expect(wanted.length).toBeGreaterThan(2);
    expect(digests(messages)).toEqual(wanted);
    expect(messages.map((message) => digests([message])[0])).toEqual(wanted);
  });

  test('every prefix of messages of every length to 200', () => {
    const data = randomBytes(200);
    for (let length = 0; length <= 200; length++) {
      const messages = Array.from({ length: length + 1 }, (_, prefixLength) => ({
        data: data.subarray(0, length),
        prefixLength,
      }));
      const whole = digest(data.subarray(0, length));
      const results = digests(messages);
      expect(results.every(([, all]) => all === whole)).toBe(true);
      if (length === 200) expect(results).toEqual(messages.map(expected));
    }
  });

  test('any number of messages of any lengths, also of such as fit no slot', () => {
    const message = fc
      .tuple(fc.oneof(fc.nat(300), fc.nat(5000), fc.integer({ min: SLOT - 2, max: SLOT + 2 })), fc.nat(1000))
      .map(([length, part]) => ({ data: randomBytes(length), prefixLength: Math.floor((length * part) / 1000) }));
    fc.assert(
      fc.property(fc.array(message, { maxLength: 9 }), (messages) => {
        expect(digests(messages)).toEqual(messages.map(expected));
      }),
      { numRuns: 60 },
    );
  });

  test('HKDF-Expand of each info is HKDF-Expand, at every length of info and every number of them', () => {
    const [salt, secret, data] = [randomBytes(32), randomBytes(288), randomBytes(200)];
    const prk = hkdfExtract(salt, secret);
    for (let length = 0; length <= 112; length++) {
      const infos = [data.subarray(0, length), data.subarray(1, 1 + length), data.subarray(0, length >> 1)];
      const wanted = infos.map((info) => hex(new Uint8Array(hkdfSync('sha256', secret, salt, info, 32))));
      expect(hkdfExpandEach(prk, infos).map(hex)).toEqual(wanted);
    }
    for (const count of [0, 1, 4, 5, 6, 63, 64, 65]) {
      const infos = Array.from({ length: count }, (_, i) => data.subarray(i, i + (i % 100)));
      expect(hkdfExpandEach(prk, infos).map(hex)).toEqual(infos.map((info) => hex(hkdfExpand(prk, info, 32))));
    }
  });

  test('keys of HKDF-Expand up to a block and beyond', () => {
    const info = randomBytes(50);
    for (const length of [32, 33, 63, 64, 65, 100]) {
      const prk = randomBytes(length);
      const wanted = createHmac('sha256', prk).update(info).update(Uint8Array.of(1)).digest('hex');
      expect(hkdfExpandEach(prk, [info, info]).map(hex)).toEqual([wanted, wanted]);
    }
  });

  test('what is no prefix, no bytes or too short a key is BAD_ARGUMENT', () => {
    const data = new Uint8Array(10);
    const refused = expect.objectContaining({ name: 'SallyportError', code: 'BAD_ARGUMENT' });
    for (const prefixLength of [11, -1, 1.5]) expect(() => sha256Prefixes([{ data, prefixLength }])).toThrow(refused);
    expect(() => sha256Prefixes([{ data: 'abc' as unknown as Uint8Array, prefixLength: 0 }])).toThrow(refused);
    expect(() => hkdfExpandEach(new Uint8Array(31), [data])).toThrow(refused);
    expect(() => hkdfExpandEach(new Uint8Array(32), ['abc' as unknown as Uint8Array])).toThrow(refused);
  });
});
