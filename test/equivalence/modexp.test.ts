/** The core's exponentiation against the BigInt model, node:crypto, and the vectors of OpenSSL and Mbed TLS. */

import { randomBytes } from 'node:crypto';
import { setFlagsFromString } from 'node:v8';
import { describe, expect, test } from 'vitest';
import { instantiateCore } from '../../src/crypto/core.ts';
import { createExponentiation, type FixedBase } from '../../src/crypto/core-modexp.ts';
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

interface Case {
  readonly exponent: Uint8Array;
  readonly peerPublicValue: Uint8Array;
}

/** Random exponents of many lengths, each with its own base. */
function randomCases(group: Group): Case[] {
  const { exponentByteLength: usual, byteLength } = group;
  return [1, 2, 3, 5, 8, usual - 1, usual, usual, usual, usual, usual, usual + 1, byteLength].map((length) => {
    const exponent = randomBytes(length);
    exponent[length - 1]! |= 2; // not zero
    return { exponent, peerPublicValue: randomValue(group) };
  });
}

/** Bits alone at every end of a window, all ones, leading zero bytes, neighbours of multiples of the order. */
function edgeExponents(group: Group): Case[] {
  const { exponentByteLength: length, byteLength } = group;
  const p = toBigInt(group.p());
  const q = (p - 1n) / 2n;
  const bits = [0, 3, 4, 5, 8, 9, 10, 31, 32, 39, 77, 8 * length - 5, 8 * length - 1];
  const exponents: Uint8Array[] = [
    ...[1, 2, 3, 15, 16, 31, 32, 255].map((value) => Uint8Array.of(value)),
    ...bits.map((bit) => toBytes(1n << BigInt(bit), length)),
    new Uint8Array(length).fill(0xff),
    new Uint8Array(length + 7).fill(0xff),
    toBytes(0x1234567n, length),
    ...[0x1234567n, q - 1n, q + 1n, p - 2n, p, p + 1n].map((value) => toBytes(value, byteLength)),
  ];
  const peerPublicValue = randomValue(group);
  return exponents.map((exponent) => ({ exponent, peerPublicValue }));
}

/** Bases 2, 3, p-2, and such whose limbs or digits are all zeros, all ones, or on the border of the balanced range. */
function edgeBases(group: Group): Case[] {
  const p = toBigInt(group.p());
  const bits = BigInt(8 * group.byteLength);
  const exponent = Uint8Array.of(0x9d, 0x01, 0xff, 0x80, 0x7f);
  const repeated = (digit: bigint, width: bigint): bigint => {
    let value = 0n;
    for (let at = 0n; at < bits - 2n * width; at += width) value += digit << at;
    return value;
  };
  const values = [
    2n,
    3n,
    p - 2n,
    p - 3n,
    (1n << (bits - 64n)) - 1n,
    1n << (bits - 1n),
    (1n << (bits - 1n)) - 1n,
    p - (1n << 64n),
    ...[28n, 29n, 51n, 52n, 64n, 104n].flatMap((at) => [(1n << at) - 1n, 1n << at, (1n << at) + 1n]),
    ...[-1n, 0n, 1n].map((step) => repeated((1n << 51n) + step, 52n)),
    repeated((1n << 52n) - 1n, 104n),
    repeated((1n << 28n) - 1n, 56n),
  ];
  return values.map((value) => ({ exponent, peerPublicValue: toBytes(value, group.byteLength) }));
}

/** The cases of each group with what the model says, made once for all kernels. */
const MODEL = GROUP_NAMES.map((name) => {
  const group = GROUPS[name];
  const p = toBigInt(group.p());
  const cases = [...randomCases(group), ...edgeExponents(group), ...edgeBases(group)];
  const hexOf = (base: bigint, exponent: bigint): string => hex(toBytes(modPow(base, exponent, p), group.byteLength));
  return {
    cases,
    shared: cases.map(({ exponent, peerPublicValue }) => hexOf(toBigInt(peerPublicValue), toBigInt(exponent))),
    publics: cases.map(({ exponent }) => hexOf(2n, toBigInt(exponent))),
  };
});

const exponentiationOf = (name: KernelName, fixedBase: FixedBase) =>
  createExponentiation(instantiateCore(readBuild(name)), fixedBase);

// What fma-quad is built for; without it the same code runs on 128 bits.
setFlagsFromString('--experimental-wasm-revectorize');

/** Powers of g by the other tables; what does not depend on the table is tested below. */
describe.each([
  ['fma, comb', exponentiationOf('fma', 'comb')],
  ['fma, no table', exponentiationOf('fma', 'none')],
  ['fma-quad, comb', exponentiationOf('fma-quad', 'comb')],
  ['scalar, comb', exponentiationOf('scalar', 'comb')],
] as const)('%s', (_, crypto) => {
  test.each(GROUP_NAMES)('%s: public values, in a batch and one at a time, equal the model', (name) => {
    const { cases, publics } = MODEL[GROUPS[name].index]!;
    const inTable = cases.flatMap(({ exponent }, index) =>
      exponent.length <= 64 ? [{ exponent, value: publics[index]! }] : [],
    );
    const values = inTable.map(({ value }) => value);
    const exponents = inTable.map(({ exponent }) => exponent);
    expect(crypto.publicValues(name, exponents).map((value) => hex(value as Uint8Array))).toEqual(values);
    expect(exponents.map((exponent) => hex(crypto.publicValue(name, exponent)))).toEqual(values);
  });
});

/** Every kernel. */
describe.each([
  ['fma', exponentiationOf('fma', 'windows')],
  ['fma-quad', exponentiationOf('fma-quad', 'windows')],
  ['scalar', exponentiationOf('scalar', 'windows')],
] as const)('%s', (label, crypto) => {
  describe.each(GROUP_NAMES)('%s', (name) => {
    const group = GROUPS[name];
    const p = toBigInt(group.p());

    const { cases, shared, publics } = MODEL[group.index]!;

    test('a batch of random and edge exponents and bases equals the model', () => {
      expect(crypto.sharedValues(name, cases).map((value) => hex(value as Uint8Array))).toEqual(shared);
      const exponents = cases.map(({ exponent }) => exponent);
      expect(crypto.publicValues(name, exponents).map((value) => hex(value as Uint8Array))).toEqual(publics);
    });

    test('one at a time, too', () => {
      cases.forEach(({ exponent, peerPublicValue }, index) => {
        // Exponents of |p| bytes go the same way as the others and take twelve times as long.
        if (exponent.length === group.byteLength && label !== 'fma') return;
        if (label === 'scalar' && index % 5 !== 0) return; // one at a time is all that it does
        expect(hex(crypto.sharedValue(name, exponent, peerPublicValue))).toBe(shared[index]);
        expect(hex(crypto.publicValue(name, exponent))).toBe(publics[index]);
      });
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
