/** The core's exponentiation against the BigInt model, node:crypto, and the vectors of OpenSSL and Mbed TLS. */

import { randomBytes } from 'node:crypto';
import { setFlagsFromString } from 'node:v8';
import { describe, expect, test } from 'vitest';
import { instantiateCore } from '../../src/crypto/core.ts';
import { createExponentiation, type Exponentiation, type FixedBase } from '../../src/crypto/core-modexp.ts';
import { GROUP_NAMES, GROUPS, type Group, isGroupName } from '../../src/crypto/groups.ts';
import { type KernelName, readBuild } from '../../src/crypto/kernel.ts';
import { modPow, toBigInt, toBytes } from './bigint-reference.ts';
import { opensslSharedValue } from './openssl-reference.ts';
import { sharedVectors } from './shared-vectors.ts';

const hex = (data: Uint8Array): string => Buffer.from(data).toString('hex');

/** A random value of the group, in 2 to p-2 but for a chance of 2^-60. */
function randomValue(group: Group): Uint8Array {
  const value = randomBytes(group.byteLength);
  value[0]! &= 0x7f;
  return value;
}

function expectShared(crypto: Exponentiation, group: Group, exponent: Uint8Array, peer: Uint8Array): void {
  const expected = modPow(toBigInt(peer), toBigInt(exponent), toBigInt(group.p()));
  expect(hex(crypto.sharedValue(group.name, exponent, peer))).toBe(hex(toBytes(expected, group.byteLength)));
}

function expectPublic(crypto: Exponentiation, group: Group, exponent: Uint8Array): void {
  const expected = modPow(2n, toBigInt(exponent), toBigInt(group.p()));
  expect(hex(crypto.publicValue(group.name, exponent))).toBe(hex(toBytes(expected, group.byteLength)));
}

const exponentiationOf = (name: KernelName, fixedBase: FixedBase) =>
  createExponentiation(instantiateCore(readBuild(name)), fixedBase);

// What fma-quad is built for; without it the same code runs on 128 bits.
setFlagsFromString('--experimental-wasm-revectorize');

/** Every kernel, and every way to make powers of g. */
describe.each([
  ['fma, windows', exponentiationOf('fma', 'windows')],
  ['fma, comb', exponentiationOf('fma', 'comb')],
  ['fma, no table', exponentiationOf('fma', 'none')],
  ['fma-quad, windows', exponentiationOf('fma-quad', 'windows')],
  ['fma-quad, comb', exponentiationOf('fma-quad', 'comb')],
  ['scalar, windows', exponentiationOf('scalar', 'windows')],
  ['scalar, comb', exponentiationOf('scalar', 'comb')],
] as const)('%s', (_, crypto) => {
  describe.each(GROUP_NAMES)('%s', (name) => {
    const group = GROUPS[name];
    const p = toBigInt(group.p());

    test('random exponents of many lengths equal the model', () => {
      const { exponentByteLength, byteLength } = group;
      for (const length of [
        1,
        2,
        3,
        5,
        8,
        exponentByteLength - 1,
        exponentByteLength,
        exponentByteLength + 1,
        byteLength,
      ]) {
        const exponent = randomBytes(length);
        exponent[length - 1]! |= 2; // not zero
        expectPublic(crypto, group, exponent);
        expectShared(crypto, group, exponent, randomValue(group));
      }
    });

    test('edge exponents: bits alone at every end of a window, all ones, leading zero bytes, and multiples of the order', () => {
      const length = group.exponentByteLength;
      const exponents: Uint8Array[] = [
        ...[1, 2, 3, 15, 16, 31, 32, 255].map((value) => Uint8Array.of(value)),
        ...[0, 3, 4, 5, 8, 9, 10, 31, 32, 8 * length - 5, 8 * length - 1].map((bit) =>
          toBytes(1n << BigInt(bit), length),
        ),
        new Uint8Array(length).fill(0xff),
        new Uint8Array(length + 7).fill(0xff),
        toBytes(0x1234567n, length),
        toBytes(0x1234567n, group.byteLength),
      ];
      const peer = randomValue(group);
      for (const exponent of exponents) {
        expectPublic(crypto, group, exponent);
        expectShared(crypto, group, exponent, peer);
      }
      const q = (p - 1n) / 2n;
      for (const exponent of [q - 1n, q + 1n, p - 2n, p, p + 1n]) {
        expectPublic(crypto, group, toBytes(exponent, group.byteLength));
        expectShared(crypto, group, toBytes(exponent, group.byteLength), peer);
      }
      for (const exponent of [q, p - 1n]) expectPublic(crypto, group, toBytes(exponent, group.byteLength));
    });

    test('edge bases: 2, p-2, and values whose limbs and digits are all zeros or all ones', () => {
      const exponent = randomBytes(9);
      exponent[8]! |= 1;
      const bits = BigInt(8 * group.byteLength);
      const values = [
        2n,
        3n,
        p - 2n,
        (1n << (bits - 64n)) - 1n,
        1n << (bits - 1n),
        (1n << (bits - 1n)) - 1n,
        p - (1n << 64n),
        ...[28n, 29n, 51n, 52n, 64n, 104n].flatMap((at) => [(1n << at) - 1n, 1n << at, (1n << at) + 1n]),
        // Digits of 52 bits that sit on the border of the balanced range: 2^51 - 1, 2^51, 2^51 + 1 in every place.
        ...[-1n, 0n, 1n].map((step) => {
          let value = 0n;
          for (let at = 0n; at < bits - 104n; at += 52n) value += ((1n << 51n) + step) << at;
          return value;
        }),
      ];
      for (const value of values) expectShared(crypto, group, exponent, toBytes(value, group.byteLength));
    });

    test('equals node:crypto', () => {
      for (let round = 0; round < 4; round++) {
        const exponent = randomBytes(group.exponentByteLength);
        const peer = randomValue(group);
        expect(hex(crypto.sharedValue(name, exponent, peer))).toBe(hex(opensslSharedValue(group, exponent, peer)));
      }
    });

    test('two sides agree', () => {
      const [a, b] = [randomBytes(group.exponentByteLength), randomBytes(group.exponentByteLength)];
      const [ya, yb] = [crypto.publicValue(name, a), crypto.publicValue(name, b)];
      expect(hex(crypto.sharedValue(name, a, yb))).toBe(hex(crypto.sharedValue(name, b, ya)));
    });

    test('batches of every size, of mixed lengths, and more than one pass holds', () => {
      for (const count of [0, 1, 2, 3, 4, 5, 33]) {
        const pairs = Array.from({ length: count }, (_, i) => ({
          exponent: randomBytes(1 + (i % 3)).fill(i + 1, 0, 1),
          peerPublicValue: randomValue(group),
        }));
        const expected = pairs.map(({ exponent, peerPublicValue }) =>
          hex(toBytes(modPow(toBigInt(peerPublicValue), toBigInt(exponent), p), group.byteLength)),
        );
        expect(crypto.sharedValues(name, pairs).map((value) => hex(value as Uint8Array))).toEqual(expected);
        const values = crypto.publicValues(
          name,
          pairs.map(({ exponent }) => exponent),
        );
        const expectedPublic = pairs.map(({ exponent }) =>
          hex(toBytes(modPow(2n, toBigInt(exponent), p), group.byteLength)),
        );
        expect(values.map((value) => hex(value as Uint8Array))).toEqual(expectedPublic);
      }
    });
  });

  describe("other projects' vectors", () => {
    type Vector = { group: string; x: string; y_own?: string; y_peer?: string; y?: string; z?: string };
    const bytesOf = (text: string): Uint8Array =>
      new Uint8Array(Buffer.from(text.padStart(text.length + (text.length & 1), '0'), 'hex'));

    for (const [file, count] of [
      ['openssl-ffdhe.json', 7],
      ['mbedtls-ffdh.json', 6],
      ['mbedtls-ffdh-public.json', 3],
    ] as const) {
      const text = sharedVectors(file);
      test.skipIf(text === undefined)(file, () => {
        const { tests } = JSON.parse(text!) as { tests: Vector[] };
        const ours = tests.filter((vector) => isGroupName(vector.group));
        expect(ours.length).toBe(count);
        for (const vector of ours) {
          if (!isGroupName(vector.group)) continue;
          const x = bytesOf(vector.x);
          const own = vector.y_own ?? vector.y;
          if (own !== undefined) expect(hex(crypto.publicValue(vector.group, x))).toBe(own.toLowerCase());
          if (vector.y_peer !== undefined) {
            expect(hex(crypto.sharedValue(vector.group, x, bytesOf(vector.y_peer)))).toBe(vector.z?.toLowerCase());
          }
        }
      });
    }
  });
});
