import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { Customer, type CustomerIdentity, type PaymentSettlement } from '../../src/customer/index.ts';
import { receiptKeys } from '../../src/ledger/receipts.ts';
import { SqliteStorage } from '../../src/ledger/storage/sqlite.ts';
import { verifyLedger } from '../../src/ledger/verification.ts';
import { LIGHT_POLICY } from '../e2e/stage.ts';

/** A ledger that cannot grow any more: the limit of a file's size stands for the full disk, since it can be set and lifted from outside. */

const folder = mkdtempSync(join(tmpdir(), 'sallyport-full-'));
const running: ChildProcess[] = [];

afterEach(() => {
  for (const child of running.splice(0)) child.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

const PRLIMIT = '/usr/bin/prlimit';
const usable = process.platform === 'linux' && existsSync(PRLIMIT);

interface Served {
  readonly child: ChildProcess;
  readonly port: number;
  readonly ledgerPath: string;
  readonly identity: CustomerIdentity;
}

/** A server in a process of its own, which ignores SIGXFSZ: a write beyond the limit then fails by EFBIG, as it does by ENOSPC on a full disk. */
async function serve(): Promise<Served> {
  const script = join(import.meta.dirname, 'small-disk-server.ts');
  const child = spawn('/bin/sh', ['-c', 'trap \'\' XFSZ; exec "$0" "$@"', process.execPath, script, folder], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  running.push(child);
  const told = await new Promise<{
    port: number;
    ledgerPath: string;
    hostKey: string;
    credential: string;
    profile: Record<string, string>;
  }>((resolve, reject) => {
    child.once('message', (message) => resolve(message as never));
    child.once('exit', (code) => reject(new Error(`the server ended with code ${code}`)));
  });
  const identity = {
    customerId: 'alice',
    profile: told.profile,
    credential: new Uint8Array(Buffer.from(told.credential, 'hex')),
    hostKey: new Uint8Array(Buffer.from(told.hostKey, 'hex')),
    server: { host: '127.0.0.1', port: told.port },
    policy: LIGHT_POLICY,
  };
  return { child, port: told.port, ledgerPath: told.ledgerPath, identity };
}

function limitFiles({ child }: Served, bytes: number | 'unlimited'): void {
  execFileSync(PRLIMIT, ['--pid', String(child.pid), `--fsize=${bytes}:unlimited`]);
}

describe.skipIf(!usable)('a disk that is full', () => {
  it('refuses what it cannot store, keeps what it acknowledged, and goes on by itself when there is room', async () => {
    const served = await serve();
    const customer = new Customer(served.identity, { retryForMs: 0, idleMs: 60_000 });
    const settled: PaymentSettlement[] = [];
    const ids = Array.from({ length: 400 }, (_, index) => new Uint8Array(16).fill(index & 0xff).fill(index >> 8, 0, 1));
    const pay = (transactionId: Uint8Array, by = customer): Promise<PaymentSettlement> =>
      by.pay({ from: 'alice.eur', to: 'bob.eur', amount: '0.01', currency: 'EUR', transactionId });
    settled.push(await pay(ids.shift()!));

    const wal = `${served.ledgerPath}-wal`;
    limitFiles(served, Math.max(statSync(served.ledgerPath).size, statSync(wal).size) + 64 * 1024);
    let refusal: unknown;
    while (refusal === undefined && ids.length > 0) {
      await pay(ids[0]!).then(
        (settlement) => {
          settled.push(settlement);
          ids.shift();
        },
        (error: unknown) => {
          refusal = error;
        },
      );
    }
    expect(refusal).toMatchObject({ code: expect.stringMatching(/OUTCOME_UNKNOWN|INTERNAL|BUSY/) });
    await customer.close();

    // Full is full: another session learns the same, and the server still answers.
    const next = new Customer(served.identity, { retryForMs: 0 });
    await expect(pay(ids[0]!, next)).rejects.toMatchObject({
      code: expect.stringMatching(/OUTCOME_UNKNOWN|INTERNAL|BUSY/),
    });
    await next.close();
    expect(served.child.exitCode).toBeNull();

    limitFiles(served, 'unlimited');
    const patient = new Customer(served.identity, { retryForMs: 30_000 });
    for (const id of ids.slice(0, 5)) settled.push(await pay(id, patient));
    await patient.close();
    expect(new Set(settled.map(({ sequence }) => sequence)).size).toBe(settled.length);

    served.child.disconnect();
    await new Promise((resolve) => served.child.once('exit', resolve));
    const storage = new SqliteStorage({ path: served.ledgerPath, readOnly: true });
    await storage.open();
    const [bob] = await storage.read((reader) => reader.accounts({ owner: 'bob', limit: 1 }));
    expect(bob?.balance).toBe(BigInt(settled.length));
    expect((await verifyLedger(storage, { keys: receiptKeys([served.identity.hostKey!]) })).findings).toEqual([]);
    await storage.close();
  });
});
