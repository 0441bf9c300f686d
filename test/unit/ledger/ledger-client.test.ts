import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { LedgerClient, type LedgerEvent } from '../../../src/ledger/ledger-client.ts';
import type { SubmittedTransaction } from '../../../src/ledger/service.ts';
import { SqliteStorage } from '../../../src/ledger/storage/sqlite.ts';
import { verifyLedger } from '../../../src/ledger/verification.ts';
import { LEDGER_QUEUE_BYTES_MAX, LEDGER_QUEUE_READS_MAX, LEDGER_QUEUE_TRANSACTIONS_MAX } from '../../../src/limits.ts';
import {
  KEYS,
  newLedger,
  PRIVATE_KEY,
  payment,
  receiptOf,
  statusOf,
  temporaryDirectory,
  transactionId,
  withAliceAndBob,
} from './fixtures.ts';

const HERE = fileURLToPath(new URL('.', import.meta.url));
const TO_BOB = { from: 'alice.eur', to: 'bob.eur' };

async function ledgerFile(fundedWith = 0n): Promise<string> {
  const path = join(temporaryDirectory(), 'ledger.db');
  const storage = new SqliteStorage({ path });
  await storage.open();
  const ledger = await withAliceAndBob(newLedger(storage));
  if (fundedWith > 0n)
    await ledger.fund({ account: 'alice.eur', amount: fundedWith, transactionId: transactionId(0xffff_fffe) });
  await ledger.close();
  return path;
}

interface Started {
  readonly client: LedgerClient;
  readonly events: LedgerEvent[];
  readonly path: string;
  /** Fulfilled when an event of this kind has come. */
  happened(kind: LedgerEvent['kind']): Promise<void>;
}

async function started(path?: string): Promise<Started> {
  const file = path ?? (await ledgerFile());
  const events: LedgerEvent[] = [];
  const waiting = new Map<string, () => void>();
  const client = await LedgerClient.start({
    path: file,
    privateKey: PRIVATE_KEY,
    processors: ['./crashing-processor.ts'],
    baseDirectory: HERE,
    onEvent: (event) => {
      events.push(event);
      waiting.get(event.kind)?.();
    },
  });
  onTestFinished(() => client.close());
  const happened = (kind: LedgerEvent['kind']): Promise<void> =>
    events.some((event) => event.kind === kind)
      ? Promise.resolve()
      : new Promise((resolve) => waiting.set(kind, resolve));
  return { client, events, path: file, happened };
}

async function findings(path: string): Promise<readonly unknown[]> {
  const storage = new SqliteStorage({ path, readOnly: true });
  await storage.open();
  const report = await verifyLedger(storage, { keys: KEYS });
  await storage.close();
  return report.findings;
}

const note = (id: number, text: string): SubmittedTransaction => ({
  customerId: 'alice',
  transactionId: transactionId(id),
  contentType: 'test/crash',
  body: Buffer.from(text),
});

describe('LedgerClient', () => {
  it('does what the ledger does', async () => {
    const { client } = await started();
    const [paid, again, refused, malformed] = await client.submit([
      payment('alice', 1, { ...TO_BOB, amount: '1.00' }),
      payment('alice', 1, { ...TO_BOB, amount: '1.00' }),
      payment('alice', 2, { ...TO_BOB, amount: '100.00' }),
      { ...payment('alice', 3, { ...TO_BOB, amount: '1.00' }), body: new Uint8Array() },
    ]);
    expect([statusOf(paid), statusOf(refused), statusOf(malformed)]).toEqual([
      'committed',
      'insufficient-funds',
      'TRANSACTION_MALFORMED',
    ]);
    expect(again).toEqual({ ...paid, replayed: true });
    expect(await client.findCustomers(['alice', 'ghost'])).toMatchObject([
      { id: 'alice', status: 'active' },
      undefined,
    ]);
    expect((await client.findIdentities(['bob', 'ghost']))[0]).toMatchObject({ id: 'bob' });
    expect(await client.balances('bob')).toMatchObject([{ id: 'bob.eur', balance: 100n }]);
    expect((await client.history('bob', 'bob.eur', { limit: 5 }))?.entries).toMatchObject([{ amount: 100n }]);
    expect(await client.history('bob', 'alice.eur', { limit: 5 })).toBeUndefined();
    await client.enroll({ id: 'carol', pepperVersion: 1, fields: [], credentialDigest: new Uint8Array(32) });
    await client.openAccount({ id: 'carol.jpy', owner: 'carol', currency: 'JPY', limit: -5n });
    expect((await client.fund({ account: 'carol.jpy', amount: 7n, transactionId: transactionId(9) })).kind).toBe(
      'receipt',
    );
    expect((await client.setAccountStatus('carol.jpy', 'closed')).status).toBe('closed');
    expect((await client.setCustomerStatus('carol', 'disabled')).status).toBe('disabled');
    expect((await client.listCustomers({ limit: 10 })).map(({ id }) => id)).toEqual(['alice', 'bob', 'carol']);
    expect((await client.listAccounts({ owner: 'carol', limit: 10 })).map(({ balance }) => balance)).toEqual([7n]);
    expect(client.pending).toEqual({ transactions: 0, calls: 0 });
  });

  it('gives back typed errors, and goes on', async () => {
    const { client } = await started();
    await expect(client.openAccount({ id: 'x', owner: 'ghost', currency: 'EUR' })).rejects.toMatchObject({
      name: 'SallyportError',
      code: 'NOT_FOUND',
    });
    expect(await client.balances('alice')).toHaveLength(1);
  });

  it('reads what was receipted before', async () => {
    const { client } = await started();
    for (let id = 1; id <= 20; id++) {
      await client.submit([payment('alice', id, { ...TO_BOB, amount: '0.01' })]);
      expect((await client.balances('bob'))[0]!.balance).toBe(BigInt(id));
    }
  });

  it('commits what arrives together together', async () => {
    const { client, path } = await started();
    const results = await Promise.all(
      Array.from({ length: 200 }, (_, id) => client.submit([payment('alice', id, { ...TO_BOB, amount: '0.01' })])),
    );
    const times = new Set(results.map(([result]) => receiptOf(result).committedTimeUs));
    // One commit has one time; alone, each would have its own.
    expect(times.size).toBeLessThan(20);
    expect(results.map(([result]) => receiptOf(result).sequence)).toEqual(
      results.map((_, index) => BigInt(index) + 7n),
    );
    await client.close();
    expect(await findings(path)).toEqual([]);
  });

  it('does not start on a ledger or with a processor that is not right', async () => {
    const options = { path: await ledgerFile(), privateKey: PRIVATE_KEY };
    await expect(LedgerClient.start({ ...options, path: HERE })).rejects.toMatchObject({ code: 'LEDGER_UNAVAILABLE' });
    await expect(LedgerClient.start({ ...options, processors: ['./missing.ts'] })).rejects.toMatchObject({
      code: 'BAD_CONFIGURATION',
      message: expect.stringContaining('missing.ts'),
    });
    await expect(LedgerClient.start({ ...options, processors: ['node:path'] })).rejects.toMatchObject({
      code: 'BAD_CONFIGURATION',
      message: expect.stringContaining('must export'),
    });
  });

  it('takes no more than its queue holds: BUSY, and nothing done', async () => {
    const { client } = await started();
    const one = payment('alice', 1, { ...TO_BOB, amount: '0.01' });
    const full = client.submit(Array<SubmittedTransaction>(LEDGER_QUEUE_TRANSACTIONS_MAX).fill(one));
    await expect(client.submit([one])).rejects.toMatchObject({ code: 'BUSY', retryAfterMs: expect.any(Number) });
    expect((await full).filter((result) => result.kind === 'receipt' && !result.replayed)).toHaveLength(1);
    expect(await client.submit([one])).toMatchObject([{ replayed: true }]);
    const large = { ...one, body: new Uint8Array(61_440) };
    const tooMuch = Array<SubmittedTransaction>(Math.floor(LEDGER_QUEUE_BYTES_MAX / 61_440) + 1).fill(large);
    await expect(client.submit(tooMuch)).rejects.toMatchObject({ code: 'BUSY' });
    const reads = Array.from({ length: LEDGER_QUEUE_READS_MAX }, () => client.findCustomers([]));
    await expect(client.balances('alice')).rejects.toMatchObject({ code: 'BUSY' });
    await Promise.all(reads);
  });

  it('finishes what it accepted before it closes, and takes nothing after', async () => {
    const { client } = await started();
    const accepted = Array.from({ length: 50 }, (_, id) =>
      client.submit([payment('alice', id, { ...TO_BOB, amount: '0.01' })]),
    );
    const closed = client.close();
    await expect(client.submit([payment('alice', 99, { ...TO_BOB, amount: '0.01' })])).rejects.toMatchObject({
      code: 'LEDGER_UNAVAILABLE',
    });
    expect((await Promise.all(accepted)).map(([result]) => statusOf(result))).toEqual(Array(50).fill('committed'));
    await closed;
    await expect(client.balances('alice')).rejects.toMatchObject({ code: 'LEDGER_UNAVAILABLE' });
  });

  it('tells the operator of a processor that failed, and the customer that nothing was done', async () => {
    const { client, events } = await started();
    expect(await client.submit([note(1, 'throw'), note(2, 'fine')])).toMatchObject([
      { kind: 'refusal', code: 'INTERNAL', text: expect.not.stringContaining('as asked') },
      { kind: 'receipt' },
    ]);
    expect(events).toMatchObject([
      { kind: 'processor-failed', contentType: 'test/crash', message: expect.stringContaining('as asked') },
    ]);
  });

  it('says that the outcome is unknown when its thread dies, and starts another', async () => {
    const { client, path, happened, events } = await started();
    const lost = [
      client.submit([payment('alice', 1, { ...TO_BOB, amount: '1.00' })]),
      client.submit([note(2, 'exit')]),
      client.balances('alice'),
    ];
    for (const settled of await Promise.allSettled(lost))
      expect(settled).toMatchObject({
        status: 'rejected',
        reason: { code: 'LEDGER_UNAVAILABLE', message: expect.stringContaining('ask again with the same id') },
      });
    await expect(client.balances('alice')).rejects.toMatchObject({ code: 'LEDGER_UNAVAILABLE' });
    await happened('thread-restarted');
    expect(events).toMatchObject([
      { kind: 'thread-ended', restartInMs: expect.any(Number) },
      { kind: 'thread-restarted' },
    ]);
    expect(statusOf((await client.submit([payment('alice', 1, { ...TO_BOB, amount: '1.00' })]))[0])).toBe('committed');
    expect(await client.balances('bob')).toMatchObject([{ balance: 100n }]);
    await client.close();
    expect(await findings(path)).toEqual([]);
  });

  it('looks at the newest entries when its thread is started again, and at every page at the start', async () => {
    const path = await ledgerFile();
    const first = await started(path);
    for (let id = 0; id < 3_000; id += 500)
      await first.client.submit(
        Array.from({ length: 500 }, (_, index) => payment('alice', id + index, { ...TO_BOB, amount: '0.01' })),
      );
    await first.client.close();
    const { client, happened } = await started(path);
    // A page of old entries, which nothing that follows needs.
    const file = openSync(path, 'r+');
    writeSync(file, new Uint8Array(4096).fill(0xa5), 0, 4096, 4096 * 40);
    closeSync(file);
    await client.submit([note(9_999, 'exit')]).catch(() => undefined);
    await happened('thread-restarted');
    expect(await client.balances('bob')).toMatchObject([{ balance: 3_000n }]);
    await client.close();
    await expect(started(path)).rejects.toMatchObject({ code: 'LEDGER_CORRUPT' });
  });

  it('writes beside another process', async () => {
    const path = await ledgerFile();
    const [{ client: one }, { client: two }] = [await started(path), await started(path)];
    const pay = (client: LedgerClient, first: number): Promise<unknown> =>
      Promise.all(
        Array.from({ length: 100 }, (_, index) =>
          client.submit([payment('alice', first + index, { ...TO_BOB, amount: '0.01' })]),
        ),
      );
    await Promise.all([pay(one, 0), pay(two, 1000)]);
    expect((await one.balances('bob'))[0]!.balance).toBe(200n);
    await one.close();
    await two.close();
    expect(await findings(path)).toEqual([]);
  });
});

describe('kill -9', () => {
  it('loses nothing that was receipted, and does nothing twice', async () => {
    const path = await ledgerFile(1_000_000_00n);
    const acknowledged: number[] = [];
    for (let round = 0; round < 2; round++) {
      const child = spawn(process.execPath, [join(HERE, 'submit-forever.ts'), path, String(round * 1_000_000)], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const ended = once(child, 'exit');
      for await (const line of createInterface({ input: child.stdout })) {
        acknowledged.push(Number(line));
        if (acknowledged.length >= 200 * (round + 1) && !child.killed) child.kill('SIGKILL');
      }
      expect((await ended)[1]).toBe('SIGKILL');
    }
    const { client } = await started(path);
    const before = (await client.balances('bob'))[0]!.balance;
    expect(before).toBeGreaterThanOrEqual(BigInt(acknowledged.length));
    const results = await client.submit(acknowledged.map((id) => payment('alice', id, { ...TO_BOB, amount: '0.01' })));
    expect(results.every((result) => result.kind === 'receipt' && result.replayed)).toBe(true);
    expect((await client.balances('bob'))[0]!.balance).toBe(before);
    await client.close();
    expect(await findings(path)).toEqual([]);
  });
});
