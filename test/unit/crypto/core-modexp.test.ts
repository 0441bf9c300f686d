import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { GROUP_NAMES, GROUPS, type GroupName } from '../../../src/crypto/groups.ts';
import { loadCrypto } from '../../../src/crypto/index.ts';
import { SallyportError } from '../../../src/errors.ts';
import { toBigInt, toBytes } from '../../equivalence/bigint-reference.ts';

const crypto = await loadCrypto();
const withCode = (code: string) => expect.objectContaining({ name: 'SallyportError', code });

describe.each(GROUP_NAMES)('%s', (name) => {
  const { byteLength, p: prime } = GROUPS[name];
  const p = toBigInt(prime());
  const exponent = randomBytes(GROUPS[name].exponentByteLength);
  exponent[0] = 1;
  const peer = toBytes(p - 3n, byteLength);

  test.each([
    ['0', 0n],
    ['1', 1n],
    ['p-1', p - 1n],
    ['p', p],
    ['p+1', p + 1n],
    ['all ones', (1n << BigInt(8 * byteLength)) - 1n],
  ])('the peer value %s is BAD_PUBLIC_VALUE', (_, value) => {
    expect(() => crypto.sharedValue(name, exponent, toBytes(value, byteLength))).toThrow(withCode('BAD_PUBLIC_VALUE'));
  });

  test.each([
    ['2', 2n],
    ['p-2', p - 2n],
  ])('the peer value %s is taken', (_, value) => {
    expect(crypto.sharedValue(name, exponent, toBytes(value, byteLength)).length).toBe(byteLength);
  });

  test.each([-1, 1, -byteLength])('a peer value with %d bytes more than |p| is BAD_PUBLIC_VALUE', (more) => {
    expect(() => crypto.sharedValue(name, exponent, new Uint8Array(byteLength + more).fill(1))).toThrow(
      withCode('BAD_PUBLIC_VALUE'),
    );
  });

  test('an exponent of 0 or more than |p| bytes is BAD_ARGUMENT; 1 and |p| bytes are taken', () => {
    for (const length of [0, byteLength + 1]) {
      expect(() => crypto.publicValue(name, new Uint8Array(length))).toThrow(withCode('BAD_ARGUMENT'));
      expect(() => crypto.sharedValue(name, new Uint8Array(length), peer)).toThrow(withCode('BAD_ARGUMENT'));
    }
    for (const length of [1, byteLength]) {
      expect(crypto.publicValue(name, new Uint8Array(length).fill(3)).length).toBe(byteLength);
      expect(crypto.sharedValue(name, new Uint8Array(length).fill(3), peer).length).toBe(byteLength);
    }
  });

  test('the zero exponent: g^0 = 1 is returned as it is, Y^0 = 1 is BAD_PUBLIC_VALUE', () => {
    for (const length of [1, GROUPS[name].exponentByteLength, byteLength]) {
      expect(toBigInt(crypto.publicValue(name, new Uint8Array(length)))).toBe(1n);
      expect(() => crypto.sharedValue(name, new Uint8Array(length), peer)).toThrow(withCode('BAD_PUBLIC_VALUE'));
    }
  });

  test('a shared value of 1 or p-1 by a multiple of the order is BAD_PUBLIC_VALUE', () => {
    const q = (p - 1n) / 2n;
    // 2 has order q; p-2 = -2 is no square, so (p-2)^q = p-1.
    expect(() => crypto.sharedValue(name, toBytes(q, byteLength), toBytes(2n, byteLength))).toThrow(
      withCode('BAD_PUBLIC_VALUE'),
    );
    expect(() => crypto.sharedValue(name, toBytes(q, byteLength), toBytes(p - 2n, byteLength))).toThrow(
      withCode('BAD_PUBLIC_VALUE'),
    );
  });

  test('in a batch each item has its own result or error, in order, and nothing is thrown', () => {
    const good = { exponent, peerPublicValue: peer };
    const results = crypto.sharedValues(name, [
      good,
      { exponent, peerPublicValue: toBytes(1n, byteLength) },
      { exponent: new Uint8Array(0), peerPublicValue: peer },
      { exponent, peerPublicValue: new Uint8Array(3) },
      { exponent: undefined as unknown as Uint8Array, peerPublicValue: peer },
      { exponent, peerPublicValue: 'x' as unknown as Uint8Array },
      { exponent: new Uint8Array(1), peerPublicValue: peer },
      good,
    ]);
    const codes = results.map((result) => (result instanceof SallyportError ? result.code : 'ok'));
    expect(codes).toEqual([
      'ok',
      'BAD_PUBLIC_VALUE',
      'BAD_ARGUMENT',
      'BAD_PUBLIC_VALUE',
      'BAD_ARGUMENT',
      'BAD_ARGUMENT',
      'BAD_PUBLIC_VALUE',
      'ok',
    ]);
    expect(results[0]).toEqual(crypto.sharedValue(name, exponent, peer));
    expect(results[7]).toEqual(results[0]);
    const publics = crypto.publicValues(name, [exponent, new Uint8Array(byteLength + 1), exponent]);
    expect(publics[0]).toEqual(crypto.publicValue(name, exponent));
    expect(publics[1]).toEqual(withCode('BAD_ARGUMENT'));
    expect(publics[2]).toEqual(publics[0]);
  });

  test('arguments are left as they are and results are fresh', () => {
    const [x, y] = [Uint8Array.from(exponent), Uint8Array.from(peer)];
    const first = crypto.sharedValue(name, x, y);
    expect(x).toEqual(Uint8Array.from(exponent));
    expect(y).toEqual(Uint8Array.from(peer));
    const copy = first.slice();
    const second = crypto.sharedValue(name, x, y);
    second.fill(0);
    expect(first).toEqual(copy);
    expect(first.byteLength).toBe(first.buffer.byteLength);
  });
});

test.each(['ffdhe6144', 'FFDHE2048', '', 'constructor', undefined, 0])('the group %s is BAD_ARGUMENT', (name) => {
  const group = name as GroupName;
  expect(() => crypto.publicValue(group, Uint8Array.of(1))).toThrow(withCode('BAD_ARGUMENT'));
  expect(() => crypto.sharedValue(group, Uint8Array.of(1), new Uint8Array(256))).toThrow(withCode('BAD_ARGUMENT'));
  expect(crypto.publicValues(group, [Uint8Array.of(1)])).toEqual([withCode('BAD_ARGUMENT')]);
  expect(crypto.sharedValues(group, [{ exponent: Uint8Array.of(1), peerPublicValue: new Uint8Array(256) }])).toEqual([
    withCode('BAD_ARGUMENT'),
  ]);
});

test('no error message holds a byte of an argument', () => {
  const exponent = randomBytes(300);
  const error = crypto.publicValues('ffdhe2048', [exponent])[0] as SallyportError;
  expect(error.message).toBe('an exponent of ffdhe2048 has 1 to 256 bytes; got 300');
});

test('loadCrypto may be called many times and gives the same core', async () => {
  const all = await Promise.all(Array.from({ length: 20 }, () => loadCrypto()));
  for (const other of all) expect(other).toBe(crypto);
});
