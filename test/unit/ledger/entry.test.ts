import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import {
  accountDocument,
  chainAfter,
  customerDocument,
  EMPTY_HEAD,
  type JournalEntry,
  linkEntries,
  type TransactionEntry,
} from '../../../src/ledger/entry.ts';

const PREVIOUS = new Uint8Array(32).fill(0xab);
const TRANSFER = {
  debitAccount: 'a',
  creditAccount: 'bb',
  amount: 2n,
  currency: 'EUR',
  reference: 'ü',
  debitBalance: -3n,
  creditBalance: 4n,
};
const TRANSACTION: TransactionEntry = {
  kind: 'transaction',
  sequence: 1n,
  timeUs: 0x0102n,
  customerId: 'ann',
  transactionId: new Uint8Array(16),
  contentType: 'text/plain',
  body: new Uint8Array(),
  receipt: Uint8Array.of(7, 8, 9),
  transfers: [TRANSFER],
};
const CHANGE: JournalEntry = { kind: 'customer', sequence: 2n, timeUs: 5n, document: '{"ü":1}' };

/** SHA-256 over "sallyport/1 ledger entry", the previous hash, and bytes written out by hand from docs/LEDGER.md. */
function chained(...hex: readonly string[]): string {
  return createHash('sha256')
    .update('sallyport/1 ledger entry\0', 'latin1')
    .update(PREVIOUS)
    .update(Buffer.from(hex.join(''), 'hex'))
    .digest('hex');
}
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

describe('the chain', () => {
  it('covers a transaction as documented', () => {
    expect(hex(chainAfter(PREVIOUS, TRANSACTION))).toBe(
      chained(
        '0000000000000001',
        '01',
        '0000000000000102',
        '03616e6e',
        '0003070809',
        '0001',
        '0161',
        '026262',
        '0000000000000002',
        '03455552',
        '02c3bc',
        'fffffffffffffffd',
        '0000000000000004',
      ),
    );
  });

  it('covers a change as documented', () => {
    expect(hex(chainAfter(PREVIOUS, CHANGE))).toBe(
      chained('0000000000000002', '03', '0000000000000005', '00000008', '7b22c3bc223a317d'),
    );
    expect(hex(chainAfter(PREVIOUS, { ...CHANGE, kind: 'account' }))).toBe(
      chained('0000000000000002', '02', '0000000000000005', '00000008', '7b22c3bc223a317d'),
    );
  });

  it('differs when anything of an entry differs', () => {
    const variants: JournalEntry[] = [
      TRANSACTION,
      { ...TRANSACTION, sequence: 2n },
      { ...TRANSACTION, timeUs: 0x0103n },
      { ...TRANSACTION, customerId: 'anm' },
      { ...TRANSACTION, receipt: Uint8Array.of(7, 8) },
      { ...TRANSACTION, transfers: [] },
      { ...TRANSACTION, transfers: [TRANSFER, TRANSFER] },
      ...(['debitAccount', 'creditAccount', 'currency', 'reference'] as const).map(
        (name): JournalEntry => ({ ...TRANSACTION, transfers: [{ ...TRANSFER, [name]: 'x' }] }),
      ),
      ...(['amount', 'debitBalance', 'creditBalance'] as const).map(
        (name): JournalEntry => ({ ...TRANSACTION, transfers: [{ ...TRANSFER, [name]: 9n }] }),
      ),
    ];
    const hashes = variants.map((entry) => hex(chainAfter(PREVIOUS, entry)));
    expect(new Set(hashes).size).toBe(variants.length);
    expect(hashes).not.toContain(hex(chainAfter(EMPTY_HEAD.chain, TRANSACTION)));
  });

  it('links entries without gaps, and time that stands still or goes on', () => {
    const { head, chains } = linkEntries({ ...EMPTY_HEAD, chain: PREVIOUS }, [
      TRANSACTION,
      { ...CHANGE, timeUs: 0x0102n },
    ]);
    expect(head).toEqual({ sequence: 2n, timeUs: 0x0102n, chain: chains[1] });
    expect(chains[1]).toEqual(chainAfter(chains[0]!, { ...CHANGE, timeUs: 0x0102n }));
    expect(() => linkEntries(EMPTY_HEAD, [CHANGE])).toThrow('gaps');
    expect(() => linkEntries(EMPTY_HEAD, [TRANSACTION, CHANGE])).toThrow('backwards');
  });
});

describe('documents of changes', () => {
  it('have the members and order that docs/LEDGER.md gives', () => {
    const account = {
      owner: 'ann',
      id: 'ann.eur',
      currency: 'EUR',
      status: 'open',
      balance: 7n,
      openedTimeUs: 9n,
    } as const;
    expect(accountDocument({ ...account, limit: -5n })).toBe(
      '{"id":"ann.eur","owner":"ann","currency":"EUR","limit":"-5","status":"open","openedTimeUs":"9"}',
    );
    expect(accountDocument({ ...account, limit: undefined })).toContain('"limit":null');
    const digest = new Uint8Array(32).fill(0x0f);
    const customer = {
      id: 'ann',
      status: 'active',
      pepperVersion: 2,
      fields: [{ tag: 'name', digest }],
      credentialDigest: digest,
      createdTimeUs: 9n,
    } as const;
    const text = '0f'.repeat(32);
    expect(customerDocument(customer)).toBe(
      `{"id":"ann","status":"active","pepperVersion":2,"fields":[{"tag":"name","digest":"${text}"}],"credentialDigest":"${text}","createdTimeUs":"9"}`,
    );
  });
});
