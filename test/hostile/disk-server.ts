import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import type { CustomerIdentity, PaymentSettlement } from '../../src/customer/index.ts';
import { Customer } from '../../src/customer/index.ts';
import { receiptKeys } from '../../src/ledger/receipts.ts';
import { SqliteStorage } from '../../src/ledger/storage/sqlite.ts';
import { verifyLedger } from '../../src/ledger/verification.ts';
import { LIGHT_POLICY } from '../e2e/stage.ts';

/** A server in a process of its own, whose disk a test takes away. */
export interface Served {
  readonly child: ChildProcess;
  readonly ledgerPath: string;
  readonly identity: CustomerIdentity;
}

interface Told {
  readonly port: number;
  readonly ledgerPath: string;
  readonly hostKey: string;
  readonly credential: string;
  readonly profile: Record<string, string>;
}

/**
 * Starts it with its state in `folder`. `wrapper`: lines of a shell that end in `exec "$0" "$@"`. Afterwards `note` has the process, so that a test
 * ends it whatever happens.
 */
export async function serveOnDisk(
  folder: string,
  wrapper: string,
  note: (child: ChildProcess) => void,
): Promise<Served> {
  const script = join(import.meta.dirname, 'small-disk-server.ts');
  const child = spawn('/bin/sh', ['-c', wrapper, process.execPath, script, folder], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  note(child);
  const told = await new Promise<Told>((resolve, reject) => {
    child.once('message', (message) => resolve(message as Told));
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
  return { child, ledgerPath: told.ledgerPath, identity };
}

/** One cent, under this id. */
export function pay(by: Customer, transactionId: Uint8Array): Promise<PaymentSettlement> {
  return by.pay({ from: 'alice.eur', to: 'bob.eur', amount: '0.01', currency: 'EUR', transactionId });
}

/** Pays in a session of its own. */
export async function payOnce(
  { identity }: Served,
  transactionId: Uint8Array,
  retryForMs: number,
): Promise<PaymentSettlement> {
  await using customer = new Customer(identity, { retryForMs });
  return await pay(customer, transactionId);
}

/** Everything wrong with the ledger: what verification finds, and a balance that is not what was settled. */
export async function wrongWith(
  { ledgerPath, identity }: Served,
  settled: readonly PaymentSettlement[],
): Promise<unknown[]> {
  const storage = new SqliteStorage({ path: ledgerPath, readOnly: true });
  await storage.open();
  try {
    const [bob] = await storage.read((reader) => reader.accounts({ owner: 'bob', limit: 1 }));
    const { findings } = await verifyLedger(storage, { keys: receiptKeys([identity.hostKey!]) });
    const sequences = new Set(settled.map(({ sequence }) => sequence));
    return [
      ...findings,
      ...(bob?.balance === BigInt(settled.length) ? [] : [`${bob?.balance} cents, and ${settled.length} receipts`]),
      ...(sequences.size === settled.length ? [] : ['one sequence twice']),
    ];
  } finally {
    await storage.close();
  }
}
