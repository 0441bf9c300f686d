import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { Customer, type CustomerIdentity, type PaymentSettlement, verifyReceipt } from '../../src/customer/index.ts';
import { digestIdentity } from '../../src/ledger/identity.ts';
import { Ledger } from '../../src/ledger/ledger.ts';
import { createProcessorRegistry } from '../../src/ledger/processor-registry.ts';
import { createReceiptSigner, receiptKeys } from '../../src/ledger/receipts.ts';
import { SqliteStorage } from '../../src/ledger/storage/sqlite.ts';
import { verifyLedger } from '../../src/ledger/verification.ts';
import { openStateDirectory } from '../../src/server/state-directory.ts';
import { LIGHT_POLICY } from './stage.ts';

const COMMAND = join(dirname(fileURLToPath(import.meta.url)), '../../bin/sallyport.js');
const CUSTOMERS = ['alice', 'bob', 'carol', 'dave'];
const PAYMENTS_EACH = 250;
const KILLS = 5;
const FUNDED = 1_000_00n;

const folder = mkdtempSync(join(tmpdir(), 'sallyport-crash-'));
const state = join(folder, 'state');
const running: ChildProcess[] = [];

afterEach(() => {
  for (const child of running.splice(0)) child.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

/** `sallyport serve` as a process of its own; fulfilled when it serves. */
async function serve(firstPort: number): Promise<{ child: ChildProcess; port: number }> {
  const flags = [
    '--state',
    state,
    '--first-port',
    String(firstPort),
    '--second-ports',
    'any:64',
    '--groups',
    'ffdhe2048',
    '--log-level',
    'silent',
    '--json',
  ];
  const child = spawn(process.execPath, [COMMAND, 'serve', ...flags], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  running.push(child);
  const [line] = (await once(createInterface({ input: child.stdout! }), 'line')) as [string];
  return { child, port: (JSON.parse(line) as { firstPort: { port: number } }).firstPort.port };
}

/** What the operator does before the first customer comes, on the files alone. */
async function withLedger<Result>(work: (ledger: Ledger, storage: SqliteStorage) => Promise<Result>): Promise<Result> {
  const { ledgerPath, hostKey } = openStateDirectory(state);
  const storage = new SqliteStorage({ path: ledgerPath });
  await storage.open();
  const ledger = new Ledger({ storage, processors: createProcessorRegistry(), signer: createReceiptSigner(hostKey) });
  try {
    return await work(ledger, storage);
  } finally {
    await ledger.close();
  }
}

function identityOf(customerId: string, port: number, hostKey: Uint8Array): CustomerIdentity {
  return {
    customerId,
    profile: {},
    credential: new Uint8Array(randomBytes(32)),
    server: { host: '127.0.0.1', port },
    hostKey,
    policy: LIGHT_POLICY,
  };
}

describe('a server killed again and again in the middle of a thousand payments', () => {
  it('has done each exactly once when its customers are through', { timeout: 120_000 }, async () => {
    const first = await serve(0);
    const { hostPublicKey, peppers, pepperVersion } = openStateDirectory(state);
    const identities = CUSTOMERS.map((id) => identityOf(id, first.port, hostPublicKey));
    await withLedger(async (ledger) => {
      for (const { customerId, credential } of identities) {
        const digests = digestIdentity(
          { current: pepperVersion, byVersion: peppers },
          { customerId, profile: [], credential },
        );
        await ledger.enroll({ id: customerId, ...digests });
        await ledger.openAccount({ id: `${customerId}.eur`, owner: customerId, currency: 'EUR' });
        await ledger.fund({ account: `${customerId}.eur`, amount: FUNDED, transactionId: randomBytes(16) });
      }
    });

    const settled: { from: string; to: string; payment: PaymentSettlement }[] = [];
    const retries: string[] = [];
    const total = CUSTOMERS.length * PAYMENTS_EACH;
    const reached = Array.from({ length: KILLS }, () => Promise.withResolvers<void>());
    const marks = reached.map((_, index) => Math.floor(((index + 1) * total) / (KILLS + 1)));
    const paying = identities.map(async (identity, index) => {
      const to = CUSTOMERS[(index + 1) % CUSTOMERS.length]!;
      await using customer = new Customer(identity, { retryForMs: 60_000 });
      customer.on('retry', ({ error }) => retries.push(error.code));
      const lanes = Array.from({ length: 5 }, async (_, lane) => {
        for (let count = lane; count < PAYMENTS_EACH; count += 5) {
          const payment = await customer.pay({
            from: `${identity.customerId}.eur`,
            to: `${to}.eur`,
            amount: `0.${String(index + 1).padStart(2, '0')}`,
            currency: 'EUR',
          });
          settled.push({ from: identity.customerId, to, payment });
          reached[marks.indexOf(settled.length)]?.resolve();
        }
      });
      await Promise.all(lanes);
    });

    let server = first;
    for (const mark of reached) {
      await mark.promise;
      server.child.kill('SIGKILL');
      await once(server.child, 'exit');
      expect(settled.length).toBeLessThan(total);
      server = await serve(first.port);
    }
    await Promise.all(paying);
    server.child.kill('SIGTERM');
    await once(server.child, 'exit');

    expect(retries.length).toBeGreaterThanOrEqual(KILLS);
    expect(settled).toHaveLength(total);
    expect(
      settled.every(({ payment }) => payment.status === 'committed' && verifyReceipt(payment.evidence).valid),
    ).toBe(true);
    expect(new Set(settled.map(({ payment }) => payment.sequence)).size).toBe(settled.length);
    await withLedger(async (ledger, storage) => {
      const report = await verifyLedger(storage, { keys: receiptKeys([hostPublicKey]) });
      expect(report.findings).toEqual([]);
      for (const [index, id] of CUSTOMERS.entries()) {
        // Pays index + 1 cents, and is paid by the one before it.
        const before = (index + CUSTOMERS.length - 1) % CUSTOMERS.length;
        const expected = FUNDED + BigInt(PAYMENTS_EACH) * BigInt(before - index);
        expect((await ledger.balances(id))[0]!.balance, id).toBe(expected);
      }
      const accounts = await ledger.listAccounts({ limit: 100 });
      expect(accounts.reduce((sum, { balance }) => sum + balance, 0n)).toBe(0n);
    });
  });
});
