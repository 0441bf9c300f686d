import { createPublicKey } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { rawHostPublicKey } from '../../../src/crypto/identity.ts';
import type { Account } from '../../../src/ledger/accounts.ts';
import { Ledger } from '../../../src/ledger/ledger.ts';
import type { Processor } from '../../../src/ledger/processor.ts';
import { createProcessorRegistry } from '../../../src/ledger/processor-registry.ts';
import { createReceiptSigner, receiptKeys } from '../../../src/ledger/receipts.ts';
import type { SubmitResult } from '../../../src/ledger/service.ts';
import { MemoryStorage } from '../../../src/ledger/storage/memory.ts';
import type { LedgerStorage } from '../../../src/ledger/storage/storage.ts';
import { decodeReceipt, type Receipt } from '../../../src/wire/receipt.ts';
import { PRIVATE_KEY, transactionId } from './payments.ts';

export { PRIVATE_KEY, payment, transactionId } from './payments.ts';

export const PUBLIC_KEY = rawHostPublicKey(createPublicKey(PRIVATE_KEY));
export const SIGNER = createReceiptSigner(PRIVATE_KEY);
export const KEYS = receiptKeys([PUBLIC_KEY]);

/** A clock that counts: one microsecond a look. */
export function countingClock(): () => bigint {
  const state = { now: 1_700_000_000_000_000n };
  return () => {
    state.now += 1n;
    return state.now;
  };
}

/** A directory that is gone when the test is over. */
export function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-ledger-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

export function newLedger(storage: LedgerStorage = new MemoryStorage(), processors: readonly Processor[] = []): Ledger {
  return new Ledger({
    storage,
    signer: SIGNER,
    processors: createProcessorRegistry(processors),
    clock: countingClock(),
  });
}

export async function enroll(ledger: Ledger, id: string): Promise<void> {
  await ledger.enroll({
    id,
    pepperVersion: 1,
    fields: [{ tag: 'name', digest: new Uint8Array(32).fill(1) }],
    credentialDigest: new Uint8Array(32).fill(2),
  });
}

/** alice.eur with 100.00, bob.eur with nothing. */
export async function withAliceAndBob(ledger: Ledger): Promise<Ledger> {
  for (const name of ['alice', 'bob']) {
    await enroll(ledger, name);
    await ledger.openAccount({ id: `${name}.eur`, owner: name, currency: 'EUR' });
  }
  await ledger.fund({ account: 'alice.eur', amount: 100_00n, transactionId: transactionId(0xffff_ffff) });
  return ledger;
}

export async function balancesOf(ledger: Ledger): Promise<Record<string, bigint>> {
  const accounts: Account[] = await ledger.listAccounts({ limit: 1000 });
  return Object.fromEntries(accounts.map(({ id, balance }) => [id, balance]));
}

export function receiptOf(result: SubmitResult | undefined): Receipt {
  if (result?.kind !== 'receipt') throw new Error(`no receipt but ${JSON.stringify(result)}`);
  return decodeReceipt(result.receipt)!;
}

/** The status of a built-in transfer's result, or the code of a refusal. */
export function statusOf(result: SubmitResult | undefined): string {
  if (result?.kind === 'refusal') return result.code;
  return (JSON.parse(Buffer.from(receiptOf(result).result).toString('utf8')) as { status: string }).status;
}
