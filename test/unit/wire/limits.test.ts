import { describe, expect, it } from 'vitest';
import { decodeAnswer } from '../../../src/wire/answer.ts';
import { decodeAuth, encodeAuth } from '../../../src/wire/auth.ts';
import { decodeCustomerKey } from '../../../src/wire/customer-key.ts';
import type { Decoded } from '../../../src/wire/decoded.ts';
import { joinFields, len8, len16 } from '../../../src/wire/field-writer.ts';
import { decodeHello } from '../../../src/wire/hello.ts';
import { decodeQuery } from '../../../src/wire/query.ts';
import { decodeRefusal } from '../../../src/wire/refusal.ts';
import { decodeRetry } from '../../../src/wire/retry.ts';
import { decodeTransaction } from '../../../src/wire/transaction.ts';

/** Every limit at -1, 0, +1: what a decoder says to a field of `length` bytes. */
const filled = (length: number, byte = 0x61): Uint8Array => new Uint8Array(length).fill(byte);
const verdict = (decoded: Decoded<unknown>): string => (decoded.ok ? 'ok' : decoded.code);

const HELLO_PARTS = {
  versions: [1, 1],
  groups: [1, 1, 0],
  kems: [1, 0, 0],
  aeads: [1, 0, 2],
  kemKey: [0, 0],
  hint: [0],
  cookie: [0, 0],
  puzzle: [0],
};
function helloWith(parts: Partial<Record<keyof typeof HELLO_PARTS, readonly number[]>>): Uint8Array {
  return Uint8Array.from([...filled(64), ...Object.values({ ...HELLO_PARTS, ...parts }).flat()]);
}
const sized = (width: 1 | 2, length: number): number[] => [
  ...(width === 1 ? [length] : [length >>> 8, length & 0xff]),
  ...filled(length),
];

describe('HELLO', () => {
  it('has the least body of its row when all that may be empty is', () => {
    expect(helloWith({}).length).toBe(81);
    expect(verdict(decodeHello(helloWith({})))).toBe('ok');
  });

  it.each([
    ['no version', { versions: [0] }, 'BAD_FRAME'],
    ['8 versions', { versions: [8, 1, 2, 3, 4, 5, 6, 7, 8] }, 'ok'],
    ['9 versions', { versions: [9, 1, 2, 3, 4, 5, 6, 7, 8, 9] }, 'BAD_FRAME'],
    ['a version twice', { versions: [2, 1, 1] }, 'BAD_FRAME'],
    ['no group', { groups: [0] }, 'BAD_FRAME'],
    ['8 groups', { groups: [8, 1, 0, 1, 1, 1, 2, 1, 3, 1, 4, 1, 5, 1, 6, 1, 7] }, 'ok'],
    ['a group twice', { groups: [2, 1, 0, 1, 0] }, 'BAD_FRAME'],
    ['a kem twice', { kems: [2, 0, 0, 0, 0] }, 'BAD_FRAME'],
    ['an aead twice', { aeads: [3, 0, 2, 0, 1, 0, 2] }, 'BAD_FRAME'],
    ['a key without ML-KEM-768', { kemKey: sized(2, 1184) }, 'BAD_FRAME'],
    ['ML-KEM-768 without a key', { kems: [1, 2, 1] }, 'BAD_FRAME'],
    ['a key of 1183', { kems: [1, 2, 1], kemKey: sized(2, 1183) }, 'BAD_FRAME'],
    ['a key of 1184', { kems: [1, 2, 1], kemKey: sized(2, 1184) }, 'ok'],
    ['a key of 1185', { kems: [1, 2, 1], kemKey: sized(2, 1185) }, 'BAD_FRAME'],
    ['a hint of 7', { hint: sized(1, 7) }, 'BAD_FRAME'],
    ['a hint of 8', { hint: sized(1, 8) }, 'ok'],
    ['a hint of 9', { hint: sized(1, 9) }, 'BAD_FRAME'],
    ['a cookie of 127', { cookie: sized(2, 127) }, 'ok'],
    ['a cookie of 128', { cookie: sized(2, 128) }, 'ok'],
    ['a cookie of 129', { cookie: sized(2, 129) }, 'BAD_FRAME'],
    ['a solution of 7', { puzzle: sized(1, 7) }, 'BAD_FRAME'],
    ['a solution of 8', { puzzle: sized(1, 8) }, 'ok'],
    ['a solution of 9', { puzzle: sized(1, 9) }, 'BAD_FRAME'],
  ])('%s', (_, parts, expected) => {
    expect(verdict(decodeHello(helloWith(parts)))).toBe(expected);
  });

  it('gives what a cookie binds: the body without its last two fields', () => {
    const plain = decodeHello(helloWith({}));
    const again = decodeHello(helloWith({ cookie: sized(2, 40), puzzle: sized(1, 8) }));
    if (!plain.ok || !again.ok) throw new Error('both are good');
    expect(again.value.bound).toEqual(plain.value.bound);
    expect(plain.value.bound.length).toBe(81 - 3);
  });
});

describe('RETRY', () => {
  it.each([
    [0, 1, 'ok'],
    [32, 128, 'ok'],
    [33, 128, 'BAD_FRAME'],
    [1, 0, 'BAD_FRAME'],
    [1, 129, 'BAD_FRAME'],
  ])('%i bits and a cookie of %i: %s', (bits, length, expected) => {
    expect(verdict(decodeRetry(joinFields([[1, bits], ...len16(filled(length))])))).toBe(expected);
  });
});

describe('CUSTOMER_KEY', () => {
  it.each([
    [255, 'BAD_FRAME'],
    [256, 'ok'],
    [512, 'ok'],
    [513, 'BAD_FRAME'],
  ])('Yc of %i bytes: %s', (length, expected) => {
    const body = joinFields([filled(80), ...len16(filled(length)), filled(32)]);
    expect(verdict(decodeCustomerKey(body))).toBe(expected);
  });
});

describe('AUTH', () => {
  const auth = (id: Uint8Array, fields: readonly (readonly [Uint8Array, Uint8Array])[], count = fields.length) =>
    joinFields([
      ...len8(id),
      [1, count],
      ...fields.flatMap(([tag, value]) => [...len8(tag), ...len16(value)]),
      filled(32),
    ]);
  const text = (value: string): Uint8Array => Uint8Array.from(Buffer.from(value, 'latin1'));
  const tags = (count: number) =>
    Array.from({ length: count }, (_, index) => [text(`t${String(index).padStart(2, '0')}`), filled(1)] as const);

  it.each([
    [0, 'BAD_FRAME'],
    [1, 'ok'],
    [63, 'ok'],
    [64, 'ok'],
    [65, 'TOO_LARGE'],
  ])('a customer id of %i bytes: %s', (length, expected) => {
    expect(verdict(decodeAuth(auth(filled(length), [])))).toBe(expected);
  });

  it.each(['Alice', '-a', '.a', '_a', 'a b', 'a\0', 'a/b', 'é', 'a\n'])('the customer id %j is none', (id) => {
    expect(verdict(decodeAuth(auth(text(id), [])))).toBe('BAD_FRAME');
  });

  it.each([
    [15, 'ok'],
    [16, 'ok'],
    [17, 'TOO_LARGE'],
  ])('%i fields: %s', (count, expected) => {
    expect(verdict(decodeAuth(auth(text('a'), tags(count))))).toBe(expected);
  });

  it.each([
    [0, 'BAD_FRAME'],
    [32, 'ok'],
    [33, 'TOO_LARGE'],
  ])('a tag of %i bytes: %s', (length, expected) => {
    expect(verdict(decodeAuth(auth(text('a'), [[filled(length), filled(1)]])))).toBe(expected);
  });

  it.each([
    [255, 'ok'],
    [256, 'ok'],
    [257, 'TOO_LARGE'],
  ])('a value of %i bytes: %s', (length, expected) => {
    expect(verdict(decodeAuth(auth(text('a'), [[text('t'), filled(length)]])))).toBe(expected);
  });

  it.each([
    ['twice the same tag', ['name', 'name']],
    ['descending tags', ['name', 'born']],
    ['a longer tag before its prefix', ['name1', 'name']],
    ['an upper-case tag', ['Name']],
    ['a tag with a dot', ['na.me']],
  ])('%s', (_, names) => {
    expect(
      verdict(
        decodeAuth(
          auth(
            text('a'),
            names.map((name) => [text(name), filled(1)] as const),
          ),
        ),
      ),
    ).toBe('BAD_FRAME');
  });

  it('counts what is there', () => {
    expect(verdict(decodeAuth(auth(text('a'), tags(2), 1)))).toBe('BAD_FRAME');
    // The credential's bytes are then read as a tag, whose length is out of bounds.
    expect(verdict(decodeAuth(auth(text('a'), tags(2), 3)))).toBe('TOO_LARGE');
  });

  it('is never made of a profile that is not canonical', () => {
    const profile = [
      { tag: 'name', value: filled(1) },
      { tag: 'born', value: filled(1) },
    ];
    expect(() => encodeAuth({ customerId: 'a', profile, credential: filled(32) })).toThrow(/tags ascend/);
  });
});

describe('documents', () => {
  const type = len8(filled(10));
  it.each([
    ['TRANSACTION', (body: Uint8Array) => decodeTransaction(joinFields([filled(16), ...type, ...len16(body)])), 61_440],
    ['QUERY', (body: Uint8Array) => decodeQuery(joinFields([filled(4), ...type, ...len16(body)])), 4096],
    ['ANSWER', (body: Uint8Array) => decodeAnswer(joinFields([filled(4), [1, 0], ...type, ...len16(body)])), 61_440],
  ])('%s: its body at the limit and beyond', (_, decode, max) => {
    for (const length of [0, 1, max - 1, max]) expect(verdict(decode(filled(length)))).toBe('ok');
    expect(verdict(decode(filled(max + 1)))).toBe('TOO_LARGE');
  });

  it.each([
    [0, 'BAD_FRAME'],
    [1, 'ok'],
    [127, 'ok'],
    [128, 'ok'],
    [129, 'TOO_LARGE'],
  ])('a content type of %i bytes: %s', (length, expected) => {
    const transaction = joinFields([filled(16), ...len8(filled(length)), ...len16(filled(1))]);
    expect(verdict(decodeTransaction(transaction))).toBe(expected);
  });

  it.each([0x00, 0x0a, 0x1f, 0x7f, 0x80, 0xff])('a content type with the byte %i is none', (byte) => {
    const transaction = joinFields([filled(16), ...len8(Uint8Array.of(0x61, byte)), ...len16(filled(1))]);
    expect(verdict(decodeTransaction(transaction))).toBe('BAD_FRAME');
  });

  it.each([
    [511, 'ok'],
    [512, 'ok'],
    [513, 'TOO_LARGE'],
  ])("a refusal's text of %i bytes: %s", (length, expected) => {
    expect(verdict(decodeRefusal(joinFields([filled(16), [1, 4], [4, 0], ...len16(filled(length))])))).toBe(expected);
  });

  it('a refusal that is no UTF-8, or of a code that refuses nothing', () => {
    const refusal = (code: number, text: Uint8Array) => joinFields([filled(16), [1, code], [4, 0], ...len16(text)]);
    expect(verdict(decodeRefusal(refusal(4, Uint8Array.of(0xc3))))).toBe('BAD_FRAME');
    expect(verdict(decodeRefusal(refusal(6, filled(1))))).toBe('BAD_FRAME');
    expect(verdict(decodeRefusal(refusal(0x42, filled(1))))).toBe('BAD_FRAME');
  });
});
