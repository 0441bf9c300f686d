/**
 * What opening a large ledger costs, by how much of it is looked at (setting ledger-check), with the file in the system's memory and on
 * its disk: `node bench/ledger-open.ts [transactions]`. Makes the ledger in the temporary directory (0.9 GB for each million) and removes it.
 */

import { execFileSync } from 'node:child_process';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Ledger } from '../src/ledger/ledger.ts';
import { createProcessorRegistry } from '../src/ledger/processor-registry.ts';
import { createReceiptSigner } from '../src/ledger/receipts.ts';
import { SqliteStorage } from '../src/ledger/storage/sqlite.ts';
import { inspectLedger, type LedgerCheck } from '../src/ledger/storage/sqlite-check.ts';
import { TRANSFER_CONTENT_TYPE } from '../src/ledger/transfer-processor.ts';

const BATCH = 512;
const wanted = Number(process.argv[2] ?? 1_000_000);

async function makeLedger(path: string): Promise<void> {
  const storage = new SqliteStorage({ path });
  await storage.open();
  const signer = createReceiptSigner(generateKeyPairSync('ed25519').privateKey);
  const ledger = new Ledger({ storage, processors: createProcessorRegistry(), signer });
  for (const id of ['alice', 'bob']) {
    await ledger.enroll({ id, pepperVersion: 1, fields: [], credentialDigest: randomBytes(32) });
    await ledger.openAccount({ id: `${id}.eur`, owner: id, currency: 'EUR' });
  }
  await ledger.fund({ account: 'alice.eur', amount: BigInt(wanted) + BigInt(BATCH), transactionId: randomBytes(16) });
  const transfer = {
    from: 'alice.eur',
    to: 'bob.eur',
    amount: '0.01',
    currency: 'EUR',
    reference: 'invoice'.padEnd(100),
  };
  const body = Buffer.from(JSON.stringify(transfer));
  for (let made = 0; made < wanted; made += BATCH)
    await ledger.submit(
      Array.from({ length: BATCH }, () => ({
        customerId: 'alice',
        transactionId: randomBytes(16),
        contentType: TRANSFER_CONTENT_TYPE,
        body,
      })),
    );
  await ledger.close();
}

/** Tells the system to forget its copy of the file. */
function forget(path: string): void {
  execFileSync('dd', [`if=${path}`, 'iflag=nocache', 'count=0'], { stdio: 'ignore' });
}

async function secondsOf(path: string, check: LedgerCheck): Promise<number> {
  const began = performance.now();
  await inspectLedger(path, check);
  return (performance.now() - began) / 1_000;
}

const folder = mkdtempSync(join(tmpdir(), 'sallyport-ledger-open-'));
try {
  const path = join(folder, 'ledger.sqlite');
  await makeLedger(path);
  const gigabytes = statSync(path).size / 1e9;
  console.log(`${wanted} transactions, ${gigabytes.toFixed(2)} GB`);
  for (const check of ['full', 'tail'] as const) {
    forget(path);
    const cold = await secondsOf(path, check);
    await secondsOf(path, 'full');
    const warm = [await secondsOf(path, check), await secondsOf(path, check), await secondsOf(path, check)].sort();
    const perGigabyte = (seconds: number): string =>
      `${seconds.toFixed(3)} s (${(seconds / gigabytes).toFixed(3)} s a GB)`;
    console.log(`${check}: from the disk ${perGigabyte(cold)}, from memory ${perGigabyte(warm[1]!)}`);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
