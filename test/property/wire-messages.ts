import fc from 'fast-check';
import { type AlertCode, ERRORS } from '../../src/errors.ts';
import { decodeAlert, encodeAlert } from '../../src/wire/alert.ts';
import { decodeAnswer, encodeAnswer } from '../../src/wire/answer.ts';
import { decodeAuth, encodeAuth } from '../../src/wire/auth.ts';
import { decodeAuthResult, encodeAuthResult } from '../../src/wire/auth-result.ts';
import { decodeCustomerKey, encodeCustomerKey } from '../../src/wire/customer-key.ts';
import type { Decoded } from '../../src/wire/decoded.ts';
import { HEADER_BYTES } from '../../src/wire/frame.ts';
import { decodeHello, encodeHello } from '../../src/wire/hello.ts';
import { decodeOffer, encodeSignedOffer, encodeUnsignedOffer } from '../../src/wire/offer.ts';
import { decodeQuery, encodeQuery } from '../../src/wire/query.ts';
import { decodeReceipt, encodeUnsignedReceipt } from '../../src/wire/receipt.ts';
import { decodeRefusal, encodeRefusal } from '../../src/wire/refusal.ts';
import { decodeRetry, encodeRetry } from '../../src/wire/retry.ts';
import { decodeTransaction, encodeTransaction } from '../../src/wire/transaction.ts';

/** Every message of the protocol: values, their bytes, and back. The bytes are a frame's body or a record's content. */
export interface MessageLaw {
  readonly name: string;
  readonly values: fc.Arbitrary<unknown>;
  /** Small values, for laws that try every bit. */
  readonly sample: unknown;
  encode(value: unknown): Uint8Array;
  decode(bytes: Uint8Array): Decoded<unknown>;
}

function law<Value>(row: {
  readonly name: string;
  readonly values: fc.Arbitrary<Value>;
  readonly sample: Value;
  encode(value: Value): Uint8Array;
  decode(bytes: Uint8Array): Decoded<unknown>;
}): MessageLaw {
  return { ...row, encode: (value) => row.encode(value as Value) };
}

const bytes = (length: number): fc.Arbitrary<Uint8Array> => fc.uint8Array({ minLength: length, maxLength: length });
const upTo = (length: number): fc.Arbitrary<Uint8Array> => fc.uint8Array({ maxLength: length });
const oneOf = (...lengths: number[]): fc.Arbitrary<Uint8Array> => fc.oneof(...lengths.map(bytes));
const filled = (length: number, byte = 0x5a): Uint8Array => new Uint8Array(length).fill(byte);
const u16 = fc.integer({ min: 0, max: 0xffff });
const u32 = fc.integer({ min: 0, max: 0xffff_ffff });
const list = (value: fc.Arbitrary<number>): fc.Arbitrary<number[]> =>
  fc.uniqueArray(value, { minLength: 1, maxLength: 8 });
const withCharacters = (first: string, more: string, max: number): fc.Arbitrary<string> =>
  fc
    .tuple(fc.constantFrom(...first), fc.array(fc.constantFrom(...more), { maxLength: max - 1 }))
    .map(([head, tail]) => head + tail.join(''));
const LOWER = 'abcdefghijklmnopqrstuvwxyz0123456789';
const PRINTABLE = Array.from({ length: 0x7f - 0x20 }, (_, index) => String.fromCharCode(0x20 + index)).join('');
const contentType = withCharacters(PRINTABLE, PRINTABLE, 128);
const alertCode = fc.constantFrom(
  ...Object.entries(ERRORS).flatMap(([code, row]) => ('alert' in row ? [code as AlertCode] : [])),
);
const body = (frame: Uint8Array): Uint8Array => frame.subarray(HEADER_BYTES);
const profile = fc
  .uniqueArray(fc.record({ tag: withCharacters(LOWER, `${LOWER}_-`, 32), value: upTo(256) }), {
    maxLength: 16,
    selector: ({ tag }) => tag,
  })
  .map((fields) => fields.toSorted((a, b) => (a.tag < b.tag ? -1 : 1)));

const hello = fc
  .record({
    customerRandom: bytes(32),
    claimCommitment: bytes(32),
    versions: list(fc.integer({ min: 0, max: 255 })),
    groups: list(u16),
    kems: list(fc.oneof(u16, fc.constant(0x0201))),
    aeads: list(u16),
    hostKeyHint: oneOf(0, 8),
    cookie: upTo(128),
    puzzleSolution: oneOf(0, 8),
  })
  .chain((value) => bytes(value.kems.includes(0x0201) ? 1184 : 0).map((kemKey) => ({ ...value, kemKey })));

const batchSignature = fc
  .integer({ min: 0, max: 16 })
  .chain((levels) => bytes(levels * 32 + 64).map((rest) => Uint8Array.of(levels, ...rest)));

const receipt = fc.record({
  transactionId: bytes(16),
  outcome: fc.constantFrom('processed' as const, 'refused' as const, 'partly' as const),
  sequence: fc.bigInt({ min: 0n, max: 0xffff_ffff_ffff_ffffn }),
  committedTimeUs: fc.bigInt({ min: 0n, max: 0xffff_ffff_ffff_ffffn }),
  bodyHash: bytes(32),
  resultContentType: contentType,
  result: upTo(300),
  salt: bytes(16),
  keyId: bytes(8),
  signature: batchSignature,
});

export const MESSAGES: readonly MessageLaw[] = [
  law({
    name: 'HELLO',
    values: hello,
    sample: {
      customerRandom: filled(32),
      claimCommitment: filled(32, 1),
      versions: [1],
      groups: [0x0100, 0x0101],
      kems: [0],
      aeads: [2, 0x1d],
      kemKey: filled(0),
      hostKeyHint: filled(8),
      cookie: filled(5),
      puzzleSolution: filled(8),
    },
    encode: (value) => body(encodeHello(value)),
    decode: (input) => {
      const decoded = decodeHello(input);
      if (!decoded.ok) return decoded;
      const { bound: _, ...value } = decoded.value;
      return { ok: true, value };
    },
  }),
  law({
    name: 'RETRY',
    values: fc.record({
      puzzleBits: fc.integer({ min: 0, max: 32 }),
      cookie: fc.uint8Array({ minLength: 1, maxLength: 128 }),
    }),
    sample: { puzzleBits: 12, cookie: filled(32) },
    encode: (value) => body(encodeRetry(value)),
    decode: decodeRetry,
  }),
  law({
    name: 'OFFER',
    values: fc.record({
      serverRandom: bytes(32),
      sessionId: bytes(16),
      version: fc.integer({ min: 0, max: 255 }),
      group: u16,
      kem: u16,
      aead: u16,
      secondPort: u16,
      secondHost: fc.oneof(fc.constant(''), withCharacters(LOWER, `${LOWER}.:-`, 64)),
      leaseMs: u32,
      leaseToken: bytes(32),
      g: bytes(1),
      p: oneOf(256, 384, 512),
      publicValue: oneOf(256, 384, 512),
      kemCiphertext: oneOf(0, 1088),
      hostKey: bytes(32),
      nextHostKey: oneOf(0, 32),
      signature: batchSignature,
    }),
    sample: {
      serverRandom: filled(32),
      sessionId: filled(16),
      version: 1,
      group: 0x0100,
      kem: 0,
      aead: 2,
      secondPort: 20_117,
      secondHost: 'second.example',
      leaseMs: 10_000,
      leaseToken: filled(32),
      g: filled(1, 2),
      p: filled(256, 0xff),
      publicValue: filled(256),
      kemCiphertext: filled(0),
      hostKey: filled(32),
      nextHostKey: filled(32),
      signature: Uint8Array.of(1, ...filled(96)),
    },
    encode: (value) => body(encodeSignedOffer(encodeUnsignedOffer(value), value.signature)),
    decode: decodeOffer,
  }),
  law({
    name: 'CUSTOMER_KEY',
    values: fc.record({
      sessionId: bytes(16),
      leaseToken: bytes(32),
      claimSecret: bytes(32),
      publicValue: oneOf(256, 384, 512),
      finished: bytes(32),
    }),
    sample: {
      sessionId: filled(16),
      leaseToken: filled(32),
      claimSecret: filled(32),
      publicValue: filled(256),
      finished: filled(32),
    },
    encode: (value) => body(encodeCustomerKey(value)),
    decode: decodeCustomerKey,
  }),
  law({
    name: 'AUTH',
    values: fc.record({ customerId: withCharacters(LOWER, `${LOWER}._-`, 64), profile, credential: bytes(32) }),
    sample: {
      customerId: 'alice',
      profile: [
        { tag: 'born', value: filled(10, 0x31) },
        { tag: 'name', value: filled(0) },
      ],
      credential: filled(32),
    },
    encode: encodeAuth,
    decode: decodeAuth,
  }),
  law({
    name: 'AUTH_RESULT',
    values: fc.boolean(),
    sample: true,
    encode: encodeAuthResult,
    decode: decodeAuthResult,
  }),
  law({
    name: 'TRANSACTION',
    values: fc.record({ transactionId: bytes(16), contentType, body: upTo(2_000) }),
    sample: { transactionId: filled(16), contentType: 'application/json', body: filled(30) },
    encode: encodeTransaction,
    decode: decodeTransaction,
  }),
  law({
    name: 'RECEIPT',
    values: receipt,
    sample: {
      transactionId: filled(16),
      outcome: 'processed' as const,
      sequence: 1n,
      committedTimeUs: 2n,
      bodyHash: filled(32),
      resultContentType: 'a/b',
      result: filled(20),
      salt: filled(16),
      keyId: filled(8),
      signature: Uint8Array.of(0, ...filled(64)),
    },
    encode: (value) => Uint8Array.from([...encodeUnsignedReceipt(value), ...value.signature]),
    decode: (input) => {
      const value = decodeReceipt(input);
      return value === undefined ? { ok: false, code: 'BAD_FRAME', what: 'no receipt' } : { ok: true, value };
    },
  }),
  law({
    name: 'REFUSAL',
    values: fc.record({
      transactionId: bytes(16),
      code: fc.constantFrom(
        'TRANSACTION_MALFORMED' as const,
        'IDEMPOTENCY_CONFLICT' as const,
        'BUSY' as const,
        'INTERNAL' as const,
      ),
      retryAfterMs: u32,
      text: fc.string({ unit: 'binary', maxLength: 128 }),
    }),
    sample: { transactionId: filled(16), code: 'BUSY' as const, retryAfterMs: 250, text: 'später: ещё' },
    encode: encodeRefusal,
    decode: decodeRefusal,
  }),
  law({
    name: 'QUERY',
    values: fc.record({ queryId: bytes(4), contentType, body: upTo(4096) }),
    sample: { queryId: filled(4), contentType: 'application/json', body: filled(2) },
    encode: encodeQuery,
    decode: decodeQuery,
  }),
  law({
    name: 'ANSWER',
    values: fc.record({
      queryId: bytes(4),
      status: fc.option(alertCode, { nil: undefined }),
      contentType,
      body: upTo(2_000),
    }),
    sample: { queryId: filled(4), status: undefined, contentType: 'application/json', body: filled(20) },
    encode: encodeAnswer,
    decode: decodeAnswer,
  }),
  law({
    name: 'ERROR',
    values: fc
      .record({ code: alertCode, retryAfterMs: u32 })
      .map((alert) => (alert.code === 'BUSY' || alert.code === 'SHUTDOWN' ? alert : { ...alert, retryAfterMs: 0 })),
    sample: { code: 'BUSY' as const, retryAfterMs: 1_000 },
    encode: encodeAlert,
    decode: decodeAlert,
  }),
];
