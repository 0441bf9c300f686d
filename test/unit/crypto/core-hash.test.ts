import { createHash, createHmac, hkdfSync, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { loadCrypto } from '../../../src/crypto/index.ts';
import { sharedVectors } from '../../equivalence/shared-vectors.ts';

const crypto = await loadCrypto();
const STAGING = 65_536;

const bytes = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex, 'hex'));
const hex = (data: Uint8Array): string => Buffer.from(data).toString('hex');
const digest = (data: Uint8Array): string => createHash('sha256').update(data).digest('hex');
const code = (key: Uint8Array, data: Uint8Array): string => createHmac('sha256', key).update(data).digest('hex');

function rfcVectors<T>(path: string): T[] {
  return (JSON.parse(readFileSync(join(import.meta.dirname, '../../vectors', path), 'utf8')) as { tests: T[] }).tests;
}

describe('vectors of the standards', () => {
  const hashes = rfcVectors<{ name: string; message: string; repeat: number; digest: string }>('fips180/sha256.json');
  test.each(hashes)('SHA-256 of $name', (vector) => {
    expect(hex(crypto.sha256(bytes(vector.message.repeat(vector.repeat))))).toBe(vector.digest);
  });

  const codes = rfcVectors<{ name: string; key: string; data: string; code: string }>('rfc4231/hmac-sha256.json');
  test.each(codes)('HMAC $name', (vector) => {
    expect(hex(crypto.hmacSha256(bytes(vector.key), bytes(vector.data))).slice(0, vector.code.length)).toBe(
      vector.code,
    );
  });

  type Hkdf = { name: string; ikm: string; salt: string; info: string; length: number; prk: string; okm: string };
  test.each(rfcVectors<Hkdf>('rfc5869/hkdf-sha256.json'))('HKDF $name', (vector) => {
    const prk = crypto.hkdfExtract(bytes(vector.salt), bytes(vector.ikm));
    expect(hex(prk)).toBe(vector.prk);
    expect(hex(crypto.hkdfExpand(prk, bytes(vector.info), vector.length))).toBe(vector.okm);
  });
});

describe("other projects' vectors", () => {
  const hmac = sharedVectors('wycheproof-hmac_sha256_test.json');
  test.skipIf(hmac === undefined)('Wycheproof HMAC-SHA-256', () => {
    type Case = { key: string; msg: string; tag: string; result: string };
    const { testGroups } = JSON.parse(hmac!) as { testGroups: { tests: Case[] }[] };
    const cases = testGroups.flatMap((group) => group.tests);
    expect(cases.length).toBe(174);
    for (const { key, msg, tag, result } of cases) {
      const equal = hex(crypto.hmacSha256(bytes(key), bytes(msg))).slice(0, tag.length) === tag;
      expect(equal).toBe(result === 'valid');
    }
  });

  const hkdf = sharedVectors('wycheproof-hkdf_sha256_test.json');
  test.skipIf(hkdf === undefined)('Wycheproof HKDF-SHA-256', () => {
    type Case = { ikm: string; salt: string; info: string; size: number; okm: string; result: string };
    const { testGroups } = JSON.parse(hkdf!) as { testGroups: { tests: Case[] }[] };
    const cases = testGroups.flatMap((group) => group.tests);
    expect(cases.length).toBe(86);
    for (const { ikm, salt, info, size, okm, result } of cases) {
      const prk = crypto.hkdfExtract(bytes(salt), bytes(ikm));
      if (result === 'valid') expect(hex(crypto.hkdfExpand(prk, bytes(info), size))).toBe(okm);
      else
        expect(() => crypto.hkdfExpand(prk, bytes(info), size)).toThrow(
          expect.objectContaining({ code: 'BAD_ARGUMENT' }),
        );
    }
  });

  const openssl = sharedVectors('openssl-evpkdf_hkdf.txt');
  test.skipIf(openssl === undefined)('OpenSSL HKDF over SHA-256', () => {
    let checked = 0;
    for (const block of openssl!.split(/\n\s*\n/)) {
      const output = /^Output = ([0-9a-f]+)$/im.exec(block)?.[1];
      if (output === undefined || /^Result/im.test(block) || !/^Ctrl\.digest = digest:SHA256$/im.test(block)) continue;
      const field = (name: string): Uint8Array => {
        const text = new RegExp(`^Ctrl\\.\\w+ = hex${name}:([0-9a-f]*)$`, 'im').exec(block)?.[1];
        const plain = new RegExp(`^Ctrl\\.\\w+ = ${name}:(.*)$`, 'im').exec(block)?.[1];
        return text === undefined ? new Uint8Array(Buffer.from(plain ?? '', 'latin1')) : bytes(text);
      };
      const mode = /mode:(\w+)/i.exec(block)?.[1];
      const length = output.length / 2;
      const prk = mode === 'EXPAND_ONLY' ? field('key') : crypto.hkdfExtract(field('salt'), field('key'));
      const result = mode === 'EXTRACT_ONLY' ? prk : crypto.hkdfExpand(prk, field('info'), length);
      expect(hex(result)).toBe(output.toLowerCase());
      checked++;
    }
    expect(checked).toBe(9);
  });
});

describe('lengths', () => {
  test('SHA-256 and HMAC of every length to 260 and around the staging zone equal node:crypto', () => {
    const data = randomBytes(3 * STAGING);
    const around = (n: number): number[] => [
      n - 65,
      n - 64,
      n - 63,
      n - 56,
      n - 55,
      n - 1,
      n,
      n + 1,
      n + 63,
      n + 64,
      n + 65,
    ];
    const lengths = [...Array(260).keys(), ...around(STAGING), ...around(2 * STAGING), 3 * STAGING];
    for (const length of lengths) {
      const part = data.subarray(0, length);
      expect(hex(crypto.sha256(part))).toBe(digest(part));
      expect(hex(crypto.hmacSha256(data.subarray(7, 39), part))).toBe(code(data.subarray(7, 39), part));
    }
  });

  test('HMAC keys of every length around the block, and longer than the staging zone', () => {
    const data = randomBytes(2 * STAGING);
    for (const length of [0, 1, 31, 32, 63, 64, 65, 127, 128, 129, STAGING - 1, STAGING, STAGING + 1, 2 * STAGING]) {
      const key = data.subarray(0, length);
      for (const part of [data.subarray(0, 0), data.subarray(0, 100)]) {
        expect(hex(crypto.hmacSha256(key, part))).toBe(code(key, part));
      }
    }
  });

  test('HKDF: every output length to 260, the longest, and info longer than the staging zone', () => {
    const [salt, ikm, long] = [randomBytes(32), randomBytes(288), randomBytes(STAGING + 77)];
    const prk = crypto.hkdfExtract(salt, ikm);
    expect(crypto.hkdfExpand(prk, Buffer.from('info'), 0).length).toBe(0);
    for (const length of [...Array.from({ length: 260 }, (_, i) => i + 1), 8159, 8160]) {
      const expected = Buffer.from(hkdfSync('sha256', ikm, salt, 'info', length));
      expect(hex(crypto.hkdfExpand(prk, Buffer.from('info'), length))).toBe(expected.toString('hex'));
    }
    // node:crypto caps info at 1024 bytes, so long info is checked against RFC 5869 §2.3 written out.
    for (const info of [long.subarray(0, STAGING - 32), long.subarray(0, STAGING - 31), long]) {
      let [t, okm] = [Buffer.alloc(0), ''];
      for (let i = 1; i <= 3; i++) {
        t = createHmac('sha256', prk).update(t).update(info).update(Uint8Array.of(i)).digest();
        okm += t.toString('hex');
      }
      expect(hex(crypto.hkdfExpand(prk, info, 90))).toBe(okm.slice(0, 180));
    }
  });

  test('arguments are left as they are, also when they are views into a larger buffer', () => {
    const data = randomBytes(200);
    const copy = Buffer.from(data);
    crypto.hmacSha256(data.subarray(3, 50), data.subarray(50, 199));
    crypto.hkdfExpand(data.subarray(0, 32), data.subarray(32), 100);
    expect(data.equals(copy)).toBe(true);
  });
});

describe('errors', () => {
  test.each([
    ['a prk of 31 bytes', () => crypto.hkdfExpand(new Uint8Array(31), new Uint8Array(), 32)],
    ['a length of 8161', () => crypto.hkdfExpand(new Uint8Array(32), new Uint8Array(), 8161)],
    ['a negative length', () => crypto.hkdfExpand(new Uint8Array(32), new Uint8Array(), -1)],
    ['a length of 1.5', () => crypto.hkdfExpand(new Uint8Array(32), new Uint8Array(), 1.5)],
    ['a string to hash', () => crypto.sha256('abc' as unknown as Uint8Array)],
    ['a string as key', () => crypto.hmacSha256('abc' as unknown as Uint8Array, new Uint8Array())],
    ['an array to hash', () => crypto.sha256([1, 2] as unknown as Uint8Array)],
  ])('%s is BAD_ARGUMENT', (_, call) => {
    expect(call).toThrow(expect.objectContaining({ name: 'SallyportError', code: 'BAD_ARGUMENT' }));
  });
});
