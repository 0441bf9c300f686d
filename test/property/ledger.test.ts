import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { Ledger } from '../../src/ledger/ledger.ts';
import type { Processor } from '../../src/ledger/processor.ts';
import { createProcessorRegistry } from '../../src/ledger/processor-registry.ts';
import type { SubmitResult, SubmittedTransaction } from '../../src/ledger/service.ts';
import { MemoryStorage } from '../../src/ledger/storage/memory.ts';
import { SqliteStorage } from '../../src/ledger/storage/sqlite.ts';
import type { LedgerStorage } from '../../src/ledger/storage/storage.ts';
import { verifyLedger } from '../../src/ledger/verification.ts';
import { decodeReceipt, RECEIPT_SALT_BYTES, unsignedReceipt } from '../../src/wire/receipt.ts';
import { enroll, KEYS, SIGNER, transactionId } from '../unit/ledger/fixtures.ts';

/** Several transfers in one document, as lines: `from to amount`, after `atomic` or `each`. */
const listProcessor: Processor = {
  contentType: 'test/list',
  plan: (body) => {
    const [mode, ...lines] = Buffer.from(body).toString('utf8').split('\n');
    if (mode !== 'atomic' && mode !== 'each') return { kind: 'malformed', reason: 'The first line is atomic or each.' };
    const transfers = lines.map((line) => {
      const [debitAccount, creditAccount, amount, currency] = line.split(' ') as [string, string, string, string];
      return { debitAccount, creditAccount, amount: BigInt(amount), currency, reference: '' };
    });
    return { kind: 'transfers', transfers, atomic: mode === 'atomic' };
  },
  answer: (_plan, outcomes) => ({ contentType: 'text/plain', body: Buffer.from(outcomes.join()) }),
};

const CUSTOMERS = ['ann', 'ben', 'cleo'];
const ACCOUNTS = ['ann.eur', 'ann.eur2', 'ben.eur', 'cleo.eur', 'cleo.jpy', 'operator.eur', 'nobody.eur'];
const LIMITS: Readonly<Record<string, bigint>> = { 'ann.eur2': -50n, 'cleo.eur': -1n };

const transferLine = fc
  .tuple(
    fc.constantFrom(...ACCOUNTS),
    fc.constantFrom(...ACCOUNTS),
    fc.integer({ min: -1, max: 60 }),
    fc.constantFrom('EUR', 'EUR', 'EUR', 'JPY'),
  )
  .map((parts) => parts.join(' '));
const body = fc.oneof(
  {
    weight: 9,
    arbitrary: fc
      .tuple(fc.constantFrom('atomic', 'each'), fc.array(transferLine, { maxLength: 4 }))
      .map(([mode, lines]) => [mode, ...lines].join('\n')),
  },
  { weight: 1, arbitrary: fc.constant('gibberish') },
);
/** Few ids, so that replays and conflicts happen, within batches and across them. */
const transaction: fc.Arbitrary<SubmittedTransaction> = fc.record({
  customerId: fc.constantFrom(...CUSTOMERS),
  transactionId: fc.integer({ min: 0, max: 12 }).map(transactionId),
  contentType: fc.constant('test/list'),
  body: body.map((text) => Buffer.from(text)),
});
const stream = fc
  .tuple(fc.array(transaction, { maxLength: 30 }), fc.array(fc.nat(1000), { maxLength: 6 }))
  // Some are sent again, as a customer does that saw no receipt.
  .map(([transactions, again]) => [
    ...transactions,
    ...again.flatMap((pick) => transactions.slice(pick % 30, (pick % 30) + 1)),
  ]);

async function newLedger(storage: LedgerStorage): Promise<Ledger> {
  await storage.open();
  // One time and one salt for all, so that receipts do not differ by them.
  const clock = (): bigint => 1_000_000n;
  const signer = { ...SIGNER, salts: (receipts: number) => new Uint8Array(receipts * RECEIPT_SALT_BYTES) };
  const ledger = new Ledger({ storage, signer, processors: createProcessorRegistry([listProcessor]), clock });
  for (const id of CUSTOMERS) await enroll(ledger, id);
  for (const id of ACCOUNTS) {
    const [owner, kind] = id.split('.') as [string, string];
    if (!CUSTOMERS.includes(owner)) continue;
    await ledger.openAccount({ id, owner, currency: kind.startsWith('eur') ? 'EUR' : 'JPY', limit: LIMITS[id] ?? 0n });
  }
  for (const [index, account] of ['ann.eur', 'ben.eur', 'cleo.jpy'].entries())
    await ledger.fund({ account, amount: 100n, transactionId: transactionId(1000 + index) });
  return ledger;
}

/** Submits in batches of the given sizes, over and over. */
async function submitInBatches(
  ledger: Ledger,
  transactions: readonly SubmittedTransaction[],
  sizes: readonly number[],
): Promise<SubmitResult[]> {
  const results: SubmitResult[] = [];
  for (let at = 0, turn = 0; at < transactions.length; turn++) {
    const size = sizes[turn % sizes.length]!;
    results.push(...(await ledger.submit(transactions.slice(at, at + size))));
    at += size;
  }
  return results;
}

function withoutSignature(result: SubmitResult): SubmitResult {
  if (result.kind !== 'receipt') return result;
  return { ...result, receipt: unsignedReceipt(result.receipt, decodeReceipt(result.receipt)!) };
}

const directory = mkdtempSync(join(tmpdir(), 'sallyport-property-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

describe('whatever customers send', () => {
  it('the books balance, no limit is crossed, everything verifies', async () => {
    await fc.assert(
      fc.asyncProperty(
        stream,
        fc.array(fc.integer({ min: 1, max: 8 }), { minLength: 1, maxLength: 4 }),
        async (transactions, sizes) => {
          const storage = new MemoryStorage();
          const ledger = await newLedger(storage);
          await submitInBatches(ledger, transactions, sizes);
          const sums = new Map<string, bigint>();
          for (const { currency, balance, limit } of await ledger.listAccounts({ limit: 100 })) {
            sums.set(currency, (sums.get(currency) ?? 0n) + balance);
            expect(limit === undefined || balance >= limit).toBe(true);
          }
          expect([...sums.values()].every((sum) => sum === 0n)).toBe(true);
          expect((await verifyLedger(storage, { keys: KEYS })).findings).toEqual([]);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('the cut into batches changes nothing but which receipts share a signature', async () => {
    await fc.assert(
      fc.asyncProperty(
        stream,
        fc.array(fc.integer({ min: 1, max: 8 }), { minLength: 1, maxLength: 4 }),
        async (transactions, sizes) => {
          const [one, many] = [new MemoryStorage(), new MemoryStorage()];
          const atOnce = await (await newLedger(one)).submit(transactions);
          const inParts = await submitInBatches(await newLedger(many), transactions, sizes);
          expect(inParts.map(withoutSignature)).toEqual(atOnce.map(withoutSignature));
          expect((await many.load({})).head.sequence).toEqual((await one.load({})).head.sequence);
          for (const storage of [one, many]) expect((await verifyLedger(storage, { keys: KEYS })).findings).toEqual([]);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('SQLite and memory agree to the byte', async () => {
    let file = 0;
    await fc.assert(
      fc.asyncProperty(stream, async (transactions) => {
        const [memory, sqlite] = [new MemoryStorage(), new SqliteStorage({ path: join(directory, `${file++}.db`) })];
        const [one, two] = [await newLedger(memory), await newLedger(sqlite)];
        expect(await submitInBatches(two, transactions, [4])).toEqual(await submitInBatches(one, transactions, [4]));
        expect((await sqlite.load({})).head).toEqual((await memory.load({})).head);
        expect(await two.listAccounts({ limit: 100 })).toEqual(await one.listAccounts({ limit: 100 }));
        for (const { id, owner } of await one.listAccounts({ limit: 100 }))
          expect(await two.history(owner, id, { limit: 100 })).toEqual(await one.history(owner, id, { limit: 100 }));
        await two.close();
      }),
      { numRuns: 15 },
    );
  });

  it('a transaction takes effect once, and is receipted the same for ever', async () => {
    await fc.assert(
      fc.asyncProperty(stream, async (transactions) => {
        const storage = new MemoryStorage();
        const ledger = await newLedger(storage);
        const first = await submitInBatches(ledger, transactions, [5]);
        const before = await storage.load({});
        const second = await submitInBatches(ledger, transactions, [3]);
        // Nothing new was stored: what was receipted is receipted again, and what was refused is refused again.
        expect((await storage.load({})).head).toEqual(before.head);
        for (const [index, result] of first.entries())
          if (result.kind === 'receipt') expect(second[index]).toEqual({ ...result, replayed: true });
          else expect(second[index]?.kind).toBe('refusal');
        const sequences = first.flatMap((result) =>
          result.kind === 'receipt' && !result.replayed ? [decodeReceipt(result.receipt)!.sequence] : [],
        );
        expect(new Set(sequences).size).toBe(sequences.length);
      }),
      { numRuns: 60 },
    );
  });

  it('the property tests reach what they are about', async () => {
    const seen = new Set<string>();
    for (const transactions of fc.sample(stream, { numRuns: 60, seed: 1 })) {
      const ledger = await newLedger(new MemoryStorage());
      for (const result of await ledger.submit(transactions)) {
        if (result.kind === 'refusal') seen.add(result.code);
        else {
          const receipt = decodeReceipt(result.receipt)!;
          for (const outcome of [receipt.outcome, ...Buffer.from(receipt.result).toString().split(',')])
            seen.add(outcome);
          if (result.replayed) seen.add('replayed');
        }
      }
    }
    expect([...seen]).toEqual(
      expect.arrayContaining([
        'processed',
        'refused',
        'partly',
        'replayed',
        'IDEMPOTENCY_CONFLICT',
        'TRANSACTION_MALFORMED',
        'committed',
        'insufficient-funds',
        'debit-account-not-found',
        'credit-account-not-found',
        'same-account',
        'currency-mismatch',
        'amount-zero',
        'amount-out-of-range',
        'linked-transfer-refused',
      ]),
    );
  });
});
