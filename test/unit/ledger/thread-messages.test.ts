import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SallyportError } from '../../../src/errors.ts';
import type { CustomerRecord } from '../../../src/ledger/identity.ts';
import type { SubmitResult, SubmittedTransaction } from '../../../src/ledger/service.ts';
import {
  errorOf,
  packRecords,
  packResults,
  packTransactions,
  threadErrorOf,
  unpackRecords,
  unpackResults,
  unpackTransactions,
} from '../../../src/ledger/thread-messages.ts';

/** What crosses the threads arrives as it was, by the engine's own clone. */

const bytes = (length: number): fc.Arbitrary<Uint8Array> => fc.uint8Array({ minLength: length, maxLength: length });
const record: fc.Arbitrary<CustomerRecord> = fc.record({
  id: fc.string({ minLength: 1 }),
  status: fc.constantFrom('active', 'disabled'),
  pepperVersion: fc.nat(),
  createdTimeUs: fc.bigInt(0n, 2n ** 63n - 1n),
  fields: fc.array(fc.record({ tag: fc.string({ minLength: 1 }), digest: bytes(32) }), { maxLength: 16 }),
  credentialDigest: bytes(32),
});
const transaction: fc.Arbitrary<SubmittedTransaction> = fc.record({
  customerId: fc.string(),
  transactionId: bytes(16),
  contentType: fc.string(),
  body: fc.uint8Array({ maxLength: 300 }),
});
const result: fc.Arbitrary<SubmitResult> = fc.oneof(
  fc.record({ kind: fc.constant('receipt' as const), receipt: fc.uint8Array(), replayed: fc.boolean() }),
  fc.record({
    kind: fc.constant('refusal' as const),
    code: fc.constantFrom('TRANSACTION_MALFORMED', 'IDEMPOTENCY_CONFLICT', 'INTERNAL'),
    text: fc.string(),
  }),
);

describe('what travels between the ledger and its thread', () => {
  it('records, present and absent', () => {
    fc.assert(
      fc.property(fc.array(fc.option(record, { nil: undefined })), (records) => {
        expect(unpackRecords(structuredClone(packRecords(records)))).toEqual(records);
      }),
    );
  });

  it('transactions and results', () => {
    fc.assert(
      fc.property(fc.array(transaction), fc.array(result), (transactions, results) => {
        expect(unpackTransactions(structuredClone(packTransactions(transactions)))).toEqual(transactions);
        expect(unpackResults(structuredClone(packResults(results)))).toEqual(results);
      }),
    );
  });

  it('is noticed when a byte too many came along', () => {
    const packed = packRecords([undefined]);
    expect(() => unpackRecords({ ...packed, digests: new Uint8Array(32) })).toThrow('end where their digests end');
  });

  it('errors, with the code they had', () => {
    expect(errorOf(structuredClone(threadErrorOf(new SallyportError('NOT_FOUND', 'nobody'))))).toMatchObject({
      code: 'NOT_FOUND',
      message: 'nobody',
    });
    expect(threadErrorOf(new TypeError('a bug')).code).toBe('INTERNAL');
  });
});
