import { describe, expect, it } from 'vitest';
import type { Processor } from '../../../src/ledger/processor.ts';
import { MemoryStorage } from '../../../src/ledger/storage/memory.ts';
import type { LedgerStorage, WriteSet } from '../../../src/ledger/storage/storage.ts';
import { verifyLedger } from '../../../src/ledger/verification.ts';
import {
  ACCOUNTS_PER_CUSTOMER_MAX,
  LEDGER_BATCH_TRANSACTIONS_MAX,
  TRANSFERS_PER_TRANSACTION_MAX,
} from '../../../src/limits.ts';
import {
  balancesOf,
  enroll,
  KEYS,
  newLedger,
  payment,
  receiptOf,
  SIGNER,
  statusOf,
  transactionId,
  withAliceAndBob,
} from './fixtures.ts';

const TO_BOB = { from: 'alice.eur', to: 'bob.eur' };

describe('transactions', () => {
  it('move money and give a receipt that says so', async () => {
    const ledger = await withAliceAndBob(newLedger());
    const [result] = await ledger.submit([payment('alice', 1, { ...TO_BOB, amount: '12.34' })]);
    const receipt = receiptOf(result);
    expect(receipt).toMatchObject({
      outcome: 'processed',
      resultContentType: 'application/vnd.sallyport.transfer-result+json',
      transactionId: transactionId(1),
      keyId: SIGNER.keyId,
    });
    expect(statusOf(result)).toBe('committed');
    expect(await balancesOf(ledger)).toEqual({ 'alice.eur': 8766n, 'bob.eur': 1234n, 'operator.eur': -10000n });
  });

  it('that are refused are stored too, with a signed receipt', async () => {
    const storage = new MemoryStorage();
    const ledger = await withAliceAndBob(newLedger(storage));
    const [result] = await ledger.submit([payment('alice', 1, { ...TO_BOB, amount: '100.01' })]);
    expect([statusOf(result), receiptOf(result).outcome]).toEqual(['insufficient-funds', 'refused']);
    // Money that comes later does not change what the receipt says.
    await ledger.fund({ account: 'alice.eur', amount: 1n, transactionId: transactionId(2) });
    const [again] = await ledger.submit([payment('alice', 1, { ...TO_BOB, amount: '100.01' })]);
    expect(again).toEqual({ ...result, replayed: true });
    expect((await verifyLedger(storage, { keys: KEYS })).findings).toEqual([]);
  });

  it('debit own accounts only, and do not say whether a foreign one exists', async () => {
    const ledger = await withAliceAndBob(newLedger());
    const results = await ledger.submit([
      payment('bob', 1, { from: 'alice.eur', to: 'bob.eur', amount: '1.00' }),
      payment('bob', 2, { from: 'ghost.eur', to: 'bob.eur', amount: '1.00' }),
      payment('bob', 3, { from: 'operator.eur', to: 'bob.eur', amount: '1.00' }),
      payment('ghost', 4, { from: 'alice.eur', to: 'bob.eur', amount: '1.00' }),
    ]);
    expect(results.map(statusOf)).toEqual(Array(4).fill('debit-account-not-found'));
    const [first, second] = results.map((result) => receiptOf(result).result);
    expect(first).toEqual(second);
  });

  it('of a disabled customer are refused at once', async () => {
    const ledger = await withAliceAndBob(newLedger());
    await ledger.setCustomerStatus('alice', 'disabled');
    expect(statusOf((await ledger.submit([payment('alice', 1, { ...TO_BOB, amount: '1.00' })]))[0])).toBe(
      'customer-disabled',
    );
    await ledger.setCustomerStatus('alice', 'active');
    expect(statusOf((await ledger.submit([payment('alice', 2, { ...TO_BOB, amount: '1.00' })]))[0])).toBe('committed');
  });

  it('of closed accounts are refused in both directions', async () => {
    const ledger = await withAliceAndBob(newLedger());
    await ledger.setAccountStatus('alice.eur', 'closed');
    const [out, into] = await ledger.submit([
      payment('alice', 1, { ...TO_BOB, amount: '1.00' }),
      payment('bob', 1, { from: 'bob.eur', to: 'alice.eur', amount: '1.00' }),
    ]);
    expect([statusOf(out), statusOf(into)]).toEqual(['debit-account-closed', 'credit-account-closed']);
  });

  it('beyond one commit are cut into several, in order', async () => {
    const ledger = await withAliceAndBob(newLedger());
    const count = LEDGER_BATCH_TRANSACTIONS_MAX + 1;
    const results = await ledger.submit(
      Array.from({ length: count }, (_, index) => payment('alice', index, { ...TO_BOB, amount: '0.01' })),
    );
    const sequences = results.map((result) => receiptOf(result).sequence);
    expect(sequences).toEqual(sequences.map((_, index) => sequences[0]! + BigInt(index)));
    expect((await balancesOf(ledger))['bob.eur']).toBe(BigInt(count));
  });

  it.each([
    ['customer id', { customerId: 'No' }],
    ['transaction id', { transactionId: new Uint8Array(15) }],
    ['content type', { contentType: '' }],
    ['body', { body: new Uint8Array(61_441) }],
  ])('outside the limits of the wire are the caller’s mistake: %s', async (part, change) => {
    const ledger = newLedger();
    const submitted = { ...payment('alice', 1, { ...TO_BOB, amount: '1' }), ...change };
    await expect(ledger.submit([submitted])).rejects.toMatchObject({
      code: 'BAD_ARGUMENT',
      message: expect.stringContaining(part),
    });
  });
});

describe('idempotency', () => {
  it('gives the same receipt, byte for byte, and moves money once', async () => {
    const ledger = await withAliceAndBob(newLedger());
    const transaction = payment('alice', 1, { ...TO_BOB, amount: '10.00' });
    const [first] = await ledger.submit([transaction]);
    const [second] = await ledger.submit([transaction]);
    expect(second).toEqual({ ...first, replayed: true });
    expect((await balancesOf(ledger))['bob.eur']).toBe(1000n);
  });

  it('holds within one batch', async () => {
    const ledger = await withAliceAndBob(newLedger());
    const transaction = payment('alice', 1, { ...TO_BOB, amount: '10.00' });
    const [first, second, third] = await ledger.submit([
      transaction,
      transaction,
      payment('alice', 1, { ...TO_BOB, amount: '10.01' }),
    ]);
    expect(first).toMatchObject({ kind: 'receipt', replayed: false });
    expect(second).toEqual({ ...first, replayed: true });
    expect(third).toMatchObject({ kind: 'refusal', code: 'IDEMPOTENCY_CONFLICT' });
    expect((await balancesOf(ledger))['bob.eur']).toBe(1000n);
  });

  it('is of the customer and the id together', async () => {
    const ledger = await withAliceAndBob(newLedger());
    const [one, two] = await ledger.submit([
      payment('alice', 1, { ...TO_BOB, amount: '10.00' }),
      payment('bob', 1, { from: 'bob.eur', to: 'alice.eur', amount: '1.00' }),
    ]);
    expect([statusOf(one), statusOf(two)]).toEqual(['committed', 'committed']);
  });

  it('conflicts on another body, another content type, and a body that is no document', async () => {
    const ledger = await withAliceAndBob(newLedger());
    const transaction = payment('alice', 1, { ...TO_BOB, amount: '10.00' });
    await ledger.submit([transaction]);
    const results = await ledger.submit([
      { ...transaction, body: Buffer.concat([transaction.body, Buffer.from(' ')]) },
      { ...transaction, contentType: 'text/plain' },
      { ...transaction, body: new Uint8Array() },
    ]);
    expect(results.map(statusOf)).toEqual(Array(3).fill('IDEMPOTENCY_CONFLICT'));
  });

  it('outlives its processor', async () => {
    const storage = new MemoryStorage();
    const note: Processor = {
      contentType: 'text/note',
      plan: () => ({ kind: 'transfers', transfers: [], atomic: true }),
      answer: () => ({ contentType: 'text/plain', body: Buffer.from('noted') }),
    };
    const transaction = { ...payment('alice', 1, { ...TO_BOB, amount: '1' }), contentType: 'text/note' };
    const [first] = await (await withAliceAndBob(newLedger(storage, [note]))).submit([transaction]);
    expect(receiptOf(first).outcome).toBe('processed');
    const [second, other] = await newLedger(storage).submit([
      transaction,
      { ...transaction, transactionId: transactionId(2) },
    ]);
    expect(second).toEqual({ ...first, replayed: true });
    expect(other).toMatchObject({ code: 'TRANSACTION_MALFORMED', text: expect.stringContaining('text/note') });
  });

  it('does not store what was malformed: the id stays free', async () => {
    const ledger = await withAliceAndBob(newLedger());
    const broken = { ...payment('alice', 1, { ...TO_BOB, amount: '1' }), body: Buffer.from('{') };
    expect(statusOf((await ledger.submit([broken]))[0])).toBe('TRANSACTION_MALFORMED');
    expect(statusOf((await ledger.submit([payment('alice', 1, { ...TO_BOB, amount: '1' })]))[0])).toBe('committed');
  });
});

describe('processors', () => {
  const spend = (changes: Partial<Processor>): Processor => ({
    contentType: 'test/spend',
    plan: () => ({
      kind: 'transfers',
      atomic: false,
      transfers: [
        { debitAccount: 'alice.eur', creditAccount: 'bob.eur', amount: 6000n, currency: 'EUR', reference: '1' },
        { debitAccount: 'alice.eur', creditAccount: 'bob.eur', amount: 6000n, currency: 'EUR', reference: '2' },
      ],
    }),
    answer: (_plan, outcomes) => ({ contentType: 'text/plain', body: Buffer.from(outcomes.join()) }),
    ...changes,
  });
  const submitted = { ...payment('alice', 1, { ...TO_BOB, amount: '1' }), contentType: 'test/spend' };

  it('may do a part of what was asked, and the receipt says so', async () => {
    const ledger = await withAliceAndBob(newLedger(new MemoryStorage(), [spend({})]));
    const [result] = await ledger.submit([submitted]);
    expect(receiptOf(result).outcome).toBe('partly');
    expect(Buffer.from(receiptOf(result).result).toString()).toBe('committed,insufficient-funds');
    expect((await balancesOf(ledger))['bob.eur']).toBe(6000n);
  });

  it('may ask for all or nothing', async () => {
    const plan = {
      ...spend({}).plan(new Uint8Array(), { customerId: '', transactionId: new Uint8Array() }),
      atomic: true,
    };
    const ledger = await withAliceAndBob(newLedger(new MemoryStorage(), [spend({ plan: () => plan as never })]));
    const [result] = await ledger.submit([submitted]);
    expect(receiptOf(result).outcome).toBe('refused');
    expect(Buffer.from(receiptOf(result).result).toString()).toBe('linked-transfer-refused,insufficient-funds');
    expect((await balancesOf(ledger))['bob.eur']).toBe(0n);
  });

  const oops = (): never => {
    throw new Error('oops');
  };
  const tooLong = { contentType: 'text/plain', body: new Uint8Array(60_001) };
  const badTransfer = (change: object) => () => ({
    kind: 'transfers' as const,
    atomic: true,
    transfers: [
      { debitAccount: 'alice.eur', creditAccount: 'bob.eur', amount: 1n, currency: 'EUR', reference: '', ...change },
    ],
  });

  it.each<[string, Partial<Processor>]>([
    ['throws while planning', { plan: oops }],
    ['throws while answering', { answer: oops }],
    ['answers too much', { answer: () => tooLong }],
    ['answers without a content type', { answer: () => ({ contentType: '', body: new Uint8Array() }) }],
    ['answers no bytes', { answer: () => ({ contentType: 'text/plain', body: 'text' as never }) }],
    ['plans nothing known', { plan: () => ({ kind: 'other' }) as never }],
    ['plans an amount that is no integer', { plan: badTransfer({ amount: 1 as never }) }],
    ['plans a reference that is too long', { plan: badTransfer({ reference: 'x'.repeat(141) }) }],
    ['plans an account that cannot be', { plan: badTransfer({ creditAccount: 'x'.repeat(65) }) }],
  ])('one that %s does nothing, is reported, and stops nobody else', async (_what, changes) => {
    const storage = new MemoryStorage();
    const ledger = await withAliceAndBob(newLedger(storage, [spend(changes)]));
    const [failed, fine] = await ledger.submit([submitted, payment('alice', 2, { ...TO_BOB, amount: '100.00' })]);
    expect(statusOf(failed)).toBe('INTERNAL');
    expect(statusOf(fine)).toBe('committed');
    expect((await verifyLedger(storage, { keys: KEYS })).findings).toEqual([]);
    // Repaired, the same transaction goes through.
    await ledger.fund({ account: 'alice.eur', amount: 60_00n, transactionId: transactionId(3) });
    expect(receiptOf((await newLedger(storage, [spend({})]).submit([submitted]))[0]).outcome).toBe('partly');
  });

  it.each([
    [TRANSFERS_PER_TRANSACTION_MAX, 'receipt'],
    [TRANSFERS_PER_TRANSACTION_MAX + 1, 'refusal'],
  ])('%i transfers in one document: %s', async (count, kind) => {
    const transfer = {
      debitAccount: 'alice.eur',
      creditAccount: 'bob.eur',
      amount: 1n,
      currency: 'EUR',
      reference: '',
    };
    const many = spend({
      plan: () => ({ kind: 'transfers', atomic: false, transfers: Array(count).fill(transfer) as (typeof transfer)[] }),
      answer: () => ({ contentType: 'text/plain', body: new Uint8Array() }),
    });
    const ledger = await withAliceAndBob(newLedger(new MemoryStorage(), [many]));
    expect((await ledger.submit([submitted]))[0]!.kind).toBe(kind);
  });

  it('cut a long reason between characters', async () => {
    const ledger = newLedger(new MemoryStorage(), [
      spend({ plan: () => ({ kind: 'malformed', reason: '🙂'.repeat(500) }) }),
    ]);
    const [result] = await ledger.submit([submitted]);
    const text = result?.kind === 'refusal' ? result.text : '';
    expect(Buffer.byteLength(text)).toBeLessThanOrEqual(512);
    expect(text).toMatch(/^(🙂){100,}…$/u);
  });
});

describe('the operator', () => {
  it('opens the equity account of a currency with the first account in it', async () => {
    const ledger = newLedger();
    await enroll(ledger, 'alice');
    await ledger.openAccount({ id: 'alice.jpy', owner: 'alice', currency: 'JPY', limit: -500n });
    await ledger.openAccount({ id: 'fees.jpy', owner: 'operator', currency: 'JPY' });
    expect((await ledger.listAccounts({ limit: 10 })).map(({ id, owner, limit }) => [id, owner, limit])).toEqual([
      ['alice.jpy', 'alice', -500n],
      ['fees.jpy', 'operator', 0n],
      ['operator.jpy', 'operator', undefined],
    ]);
  });

  it('funds once for an id', async () => {
    const ledger = await withAliceAndBob(newLedger());
    const funding = { account: 'bob.eur', amount: 5n, transactionId: transactionId(1), reference: 'start' };
    const first = await ledger.fund(funding);
    expect(await ledger.fund(funding)).toEqual({ ...first, replayed: true });
    expect(await ledger.fund({ ...funding, amount: 6n })).toMatchObject({ code: 'IDEMPOTENCY_CONFLICT' });
    expect(await balancesOf(ledger)).toMatchObject({ 'bob.eur': 5n, 'operator.eur': -10005n });
  });

  it.each<[string, (ledger: ReturnType<typeof newLedger>) => Promise<unknown>, string]>([
    ['enrolling an id twice', (ledger) => enroll(ledger, 'alice'), 'ALREADY_EXISTS'],
    ['enrolling the operator', (ledger) => enroll(ledger, 'operator'), 'BAD_ARGUMENT'],
    ['enrolling a bad id', (ledger) => enroll(ledger, 'Alice'), 'BAD_ARGUMENT'],
    [
      'enrolling nobody anew',
      (ledger) => ledger.reenroll({ id: 'ghost', pepperVersion: 1, fields: [], credentialDigest: new Uint8Array(32) }),
      'NOT_FOUND',
    ],
    ['disabling nobody', (ledger) => ledger.setCustomerStatus('ghost', 'disabled'), 'NOT_FOUND'],
    [
      'an account twice',
      (ledger) => ledger.openAccount({ id: 'alice.eur', owner: 'alice', currency: 'EUR' }),
      'ALREADY_EXISTS',
    ],
    [
      'an account for nobody',
      (ledger) => ledger.openAccount({ id: 'g', owner: 'ghost', currency: 'EUR' }),
      'NOT_FOUND',
    ],
    [
      'an account in no currency',
      (ledger) => ledger.openAccount({ id: 'g', owner: 'alice', currency: 'EURO' }),
      'BAD_ARGUMENT',
    ],
    [
      'a reserved account id',
      (ledger) => ledger.openAccount({ id: 'operator.usd', owner: 'alice', currency: 'USD' }),
      'BAD_ARGUMENT',
    ],
    [
      'a limit above zero',
      (ledger) => ledger.openAccount({ id: 'g', owner: 'alice', currency: 'EUR', limit: 1n }),
      'BAD_ARGUMENT',
    ],
    ['closing nothing', (ledger) => ledger.setAccountStatus('ghost', 'closed'), 'NOT_FOUND'],
    ['closing the equity account', (ledger) => ledger.setAccountStatus('operator.eur', 'closed'), 'BAD_ARGUMENT'],
    [
      'funding nothing',
      (ledger) => ledger.fund({ account: 'ghost', amount: 1n, transactionId: transactionId(1) }),
      'NOT_FOUND',
    ],
    [
      'funding with zero',
      (ledger) => ledger.fund({ account: 'bob.eur', amount: 0n, transactionId: transactionId(1) }),
      'BAD_ARGUMENT',
    ],
  ])('is told of %s', async (_what, act, code) => {
    const ledger = await withAliceAndBob(newLedger());
    const before = await balancesOf(ledger);
    await expect(act(ledger)).rejects.toMatchObject({ code });
    expect(await balancesOf(ledger)).toEqual(before);
  });

  it('gives a customer so many accounts and no more', async () => {
    const ledger = newLedger();
    await enroll(ledger, 'alice');
    const open = (number: number): Promise<unknown> =>
      ledger.openAccount({ id: `a${number}`, owner: 'alice', currency: 'EUR' });
    for (let number = 0; number < ACCOUNTS_PER_CUSTOMER_MAX; number++) await open(number);
    await expect(open(ACCOUNTS_PER_CUSTOMER_MAX)).rejects.toMatchObject({ code: 'BAD_ARGUMENT' });
    expect(await ledger.balances('alice')).toHaveLength(ACCOUNTS_PER_CUSTOMER_MAX);
  });

  it('enrolls a customer anew, who keeps accounts, status and day of enrolment', async () => {
    const storage = new MemoryStorage();
    const ledger = await withAliceAndBob(newLedger(storage));
    await ledger.setCustomerStatus('alice', 'disabled');
    const [before] = await ledger.listCustomers({ limit: 1 });
    const digests = { pepperVersion: 2, fields: [], credentialDigest: new Uint8Array(32).fill(9) };
    const after = await ledger.reenroll({ id: 'alice', ...digests });
    expect(after).toEqual({ ...before, ...digests });
    expect(await ledger.listCustomers({ limit: 1 })).toEqual([after]);
    expect(await balancesOf(ledger)).toMatchObject({ 'alice.eur': 100_00n });
    expect((await verifyLedger(storage, { keys: KEYS })).findings).toEqual([]);
  });

  it('changes nothing by setting what is set', async () => {
    const storage = new MemoryStorage();
    const ledger = await withAliceAndBob(newLedger(storage));
    const { head } = await storage.load({});
    await ledger.setCustomerStatus('alice', 'active');
    await ledger.setAccountStatus('alice.eur', 'open');
    expect((await storage.load({})).head).toEqual(head);
  });
});

describe('time and rivals', () => {
  it('keeps the journal’s time from running backwards', async () => {
    const storage = new MemoryStorage();
    await withAliceAndBob(newLedger(storage));
    const { head } = await storage.load({});
    const { Ledger } = await import('../../../src/ledger/ledger.ts');
    const { createProcessorRegistry } = await import('../../../src/ledger/processor-registry.ts');
    const slow = new Ledger({ storage, signer: SIGNER, processors: createProcessorRegistry(), clock: () => 5n });
    const [result] = await slow.submit([payment('alice', 1, { ...TO_BOB, amount: '1.00' })]);
    expect(receiptOf(result).committedTimeUs).toBe(head.timeUs);
    expect((await verifyLedger(storage, { keys: KEYS })).findings).toEqual([]);
  });

  /** A storage whose first commits meet another writer. */
  const contested = (storage: LedgerStorage, rivals: (() => Promise<unknown>)[]): LedgerStorage => ({
    open: () => storage.open(),
    load: (keys) => storage.load(keys),
    read: (work) => storage.read(work),
    close: () => storage.close(),
    commit: async (expected, writes: WriteSet) => {
      await rivals.shift()?.();
      return storage.commit(expected, writes);
    },
  });

  it('computes anew when another writer was faster', async () => {
    const storage = new MemoryStorage();
    const rival = await withAliceAndBob(newLedger(storage));
    const ledger = newLedger(
      contested(storage, [
        () => rival.submit([payment('alice', 1, { ...TO_BOB, amount: '60.00' })]),
        () => rival.submit([payment('alice', 2, { ...TO_BOB, amount: '1.00' })]),
      ]),
    );
    const results = await ledger.submit([
      payment('alice', 3, { ...TO_BOB, amount: '60.00' }),
      payment('alice', 1, { ...TO_BOB, amount: '60.00' }),
    ]);
    // The rival's 60.00 came first, and its own transaction is a replay here.
    expect(results.map(statusOf)).toEqual(['insufficient-funds', 'committed']);
    expect(results[1]).toMatchObject({ replayed: true });
    expect((await verifyLedger(storage, { keys: KEYS })).findings).toEqual([]);
  });

  it('gives up when others are always faster, having done nothing', async () => {
    const storage = new MemoryStorage();
    await withAliceAndBob(newLedger(storage));
    const never: LedgerStorage = { ...contested(storage, []), commit: async () => 'head-moved' };
    await expect(newLedger(never).submit([payment('alice', 1, { ...TO_BOB, amount: '1.00' })])).rejects.toMatchObject({
      code: 'LEDGER_UNAVAILABLE',
    });
  });

  it('tries each transaction alone when a bug stops the batch', async () => {
    const storage = new MemoryStorage();
    await withAliceAndBob(newLedger(storage));
    const poisoned: LedgerStorage = {
      ...contested(storage, []),
      commit: async (expected, writes) => {
        const bad = writes.entries.some(({ entry }) => entry.kind === 'transaction' && entry.transactionId[15] === 2);
        if (bad) throw new Error('a bug');
        return storage.commit(expected, writes);
      },
    };
    const results = await newLedger(poisoned).submit(
      [1, 2, 3].map((id) => payment('alice', id, { ...TO_BOB, amount: '1.00' })),
    );
    expect(results.map(statusOf)).toEqual(['committed', 'INTERNAL', 'committed']);
  });

  it('runs submissions that arrive together one after another', async () => {
    const ledger = await withAliceAndBob(newLedger());
    const results = await Promise.all(
      Array.from({ length: 20 }, (_, id) => ledger.submit([payment('alice', id, { ...TO_BOB, amount: '10.00' })])),
    );
    expect(results.map(([result]) => statusOf(result)).filter((status) => status === 'committed')).toHaveLength(10);
    expect((await balancesOf(ledger))['alice.eur']).toBe(0n);
  });
});

describe('looking up identities', () => {
  /** Counts what each look-up of the storage found. */
  class Counting extends MemoryStorage {
    readonly found: number[] = [];

    override async load(...keys: Parameters<MemoryStorage['load']>): ReturnType<MemoryStorage['load']> {
      const loaded = await super.load(...keys);
      this.found.push(loaded.customers.size);
      return loaded;
    }
  }

  it('costs one find and one miss for whoever is asked for, and gives a record', async () => {
    const storage = new Counting();
    const ledger = await withAliceAndBob(newLedger(storage));
    await ledger.findIdentities(['bob']);
    for (const id of ['alice', 'bob', 'ghost', '__proto__']) {
      storage.found.length = 0;
      const [record] = await ledger.findIdentities([id]);
      expect(storage.found.toSorted(), id).toEqual([0, 1]);
      expect(record?.id === id, id).toBe(id === 'alice' || id === 'bob');
      expect(record, id).toMatchObject({ status: 'active' });
    }
  });

  it('finds nobody where nobody is', async () => {
    expect(await newLedger().findIdentities(['alice'])).toEqual([undefined]);
  });
});
