/** A durable payment beside the disk's own flush: the ledger's commit may cost little more than one fdatasync. */

import { generateKeyPairSync } from 'node:crypto';
import { closeSync, fdatasyncSync, openSync, writeSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { encodeTransfer, TRANSFER_TYPE } from '../../../src/customer/transfer.ts';
import { assert } from '../../../src/errors.ts';
import { Ledger } from '../../../src/ledger/ledger.ts';
import { createProcessorRegistry } from '../../../src/ledger/processor-registry.ts';
import { createReceiptSigner } from '../../../src/ledger/receipts.ts';
import { SqliteStorage } from '../../../src/ledger/storage/sqlite.ts';
import type { BenchPair } from '../subject.ts';

const BATCH = 32;
/** About what one commit appends to SQLite's log. */
const FLUSHED_BYTES = 16_384;

export interface BenchLedger {
  readonly ledger: Ledger;
  readonly directory: string;
  /** Submits so many payments together, checks that every one was receipted. */
  pay(count: number): Promise<void>;
  close(): Promise<void>;
}

/** A ledger of two accounts in a directory of its own, on the disk that the checkout is on. */
export async function openBenchLedger(parent: string): Promise<BenchLedger> {
  const directory = await mkdtemp(join(parent, 'sallyport-bench-'));
  const storage = new SqliteStorage({ path: join(directory, 'ledger.sqlite') });
  await storage.open();
  const ledger = new Ledger({
    storage,
    processors: createProcessorRegistry(),
    signer: createReceiptSigner(generateKeyPairSync('ed25519').privateKey),
  });
  const state = { next: 1 };
  const digests = { pepperVersion: 1, fields: [], credentialDigest: new Uint8Array(32) };
  await ledger.enroll({ id: 'payer', ...digests });
  for (const id of ['payer.eur', 'payee.eur']) await ledger.openAccount({ id, owner: 'payer', currency: 'EUR' });
  await ledger.fund({ account: 'payer.eur', amount: 1_000_000_000n, transactionId: new Uint8Array(16) });
  const body = encodeTransfer({ from: 'payer.eur', to: 'payee.eur', amount: '0.01', currency: 'EUR' });
  return {
    ledger,
    directory,
    async pay(count) {
      const batch = Array.from({ length: count }, () => {
        const transactionId = new Uint8Array(16);
        new DataView(transactionId.buffer).setFloat64(0, state.next++);
        return { customerId: 'payer', transactionId, contentType: TRANSFER_TYPE, body };
      });
      const results = await ledger.submit(batch);
      assert(
        results.every((result) => result.kind === 'receipt'),
        'every payment was receipted',
      );
    },
    async close() {
      await ledger.close();
      await rm(directory, { recursive: true });
    },
  };
}

export async function ledgerPairs(parent: string): Promise<BenchPair[]> {
  const bench = await openBenchLedger(parent);
  const file = openSync(join(bench.directory, 'reference'), 'w');
  const bytes = new Uint8Array(FLUSHED_BYTES);
  return [
    {
      name: `ledger commit, ${BATCH} payments`,
      what: `${BATCH} payments checked, signed and made durable in one commit`,
      reference: `write and fdatasync of ${FLUSHED_BYTES / 1_024} KiB`,
      subject: async (iterations) => {
        for (let i = 0; i < iterations; i += 1) await bench.pay(BATCH);
      },
      referenceWork: (iterations) => {
        for (let i = 0; i < iterations; i += 1) {
          writeSync(file, bytes, 0, bytes.length, 0);
          fdatasyncSync(file);
        }
      },
      close: async () => {
        closeSync(file);
        await bench.close();
      },
    },
  ];
}
