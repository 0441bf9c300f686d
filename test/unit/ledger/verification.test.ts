import { generateKeyPairSync } from 'node:crypto';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, it } from 'vitest';
import { exportLedger } from '../../../src/ledger/export.ts';
import { Ledger } from '../../../src/ledger/ledger.ts';
import { createProcessorRegistry } from '../../../src/ledger/processor-registry.ts';
import { createReceiptSigner, receiptKeys } from '../../../src/ledger/receipts.ts';
import { SqliteStorage } from '../../../src/ledger/storage/sqlite.ts';
import type { LedgerReader, LedgerStorage } from '../../../src/ledger/storage/storage.ts';
import { FINDINGS, type VerificationReport, verifyLedger } from '../../../src/ledger/verification.ts';
import {
  balancesOf,
  KEYS,
  newLedger,
  payment,
  temporaryDirectory,
  transactionId,
  withAliceAndBob,
} from './fixtures.ts';

/** A ledger file with some payments in it, closed. Sequences: 1 alice, 2 operator.eur, 3 alice.eur, 4 bob, 5 bob.eur, 6 funding, 7 to 16 payments. */
async function ledgerFile(): Promise<string> {
  const path = join(temporaryDirectory(), 'ledger.db');
  const storage = new SqliteStorage({ path });
  await storage.open();
  const ledger = await withAliceAndBob(newLedger(storage));
  await ledger.submit(
    Array.from({ length: 10 }, (_, id) =>
      payment('alice', id, { from: 'alice.eur', to: 'bob.eur', amount: id === 9 ? '500.00' : '1.00' }),
    ),
  );
  await ledger.close();
  return path;
}

async function verify(path: string, keys = KEYS): Promise<VerificationReport> {
  const storage = new SqliteStorage({ path, readOnly: true });
  await storage.open();
  const report = await verifyLedger(storage, { keys });
  await storage.close();
  return report;
}

function tamper(path: string, sql: string): void {
  const database = new DatabaseSync(path, { enableForeignKeyConstraints: false });
  database.exec(`PRAGMA ignore_check_constraints = ON; ${sql}`);
  database.close();
}

function methodsOf(reader: LedgerReader): LedgerReader {
  return {
    head: () => reader.head(),
    entries: (after, limit) => reader.entries(after, limit),
    accounts: (page) => reader.accounts(page),
    customers: (page) => reader.customers(page),
    receipts: (keys) => reader.receipts(keys),
    history: (account, page) => reader.history(account, page),
    structure: () => reader.structure(),
  };
}

const namesOf = (report: VerificationReport): string[] => [...new Set(report.findings.map(({ name }) => name))].sort();

describe('verifyLedger', () => {
  it('finds nothing in a ledger that was left alone, and counts it', async () => {
    const path = await ledgerFile();
    expect(await verify(path)).toMatchObject({
      entries: 16,
      transactions: 11,
      transfers: 10,
      accounts: 3,
      customers: 2,
      findings: [],
    });
  });

  it('reports its progress to the end', async () => {
    const storage = new SqliteStorage({ path: await ledgerFile(), readOnly: true });
    await storage.open();
    const seen: [number, number][] = [];
    await verifyLedger(storage, { keys: KEYS, onProgress: (done, total) => seen.push([done, total]) });
    expect(seen.at(-1)).toEqual([16, 16]);
    await storage.close();
  });

  it.each<[string, string, readonly (keyof typeof FINDINGS)[]]>([
    [
      'an amount',
      'UPDATE transfers SET amount = 200 WHERE sequence = 8',
      ['account-mismatch', 'balance-mismatch', 'chain-broken'],
    ],
    [
      'who was paid',
      "UPDATE transfers SET credit_account = 'operator.eur' WHERE sequence = 8",
      ['account-mismatch', 'balance-mismatch', 'chain-broken'],
    ],
    ['a reference', "UPDATE transfers SET reference = 'x' WHERE sequence = 8", ['chain-broken']],
    [
      'a stored balance of a transfer',
      'UPDATE transfers SET debit_balance = 1 WHERE sequence = 8',
      ['balance-mismatch', 'chain-broken'],
    ],
    [
      'a removed transfer',
      'DELETE FROM transfers WHERE sequence = 8',
      ['account-mismatch', 'balance-mismatch', 'chain-broken'],
    ],
    [
      'a removed entry',
      'DELETE FROM transfers WHERE sequence = 8; DELETE FROM transactions WHERE sequence = 8; DELETE FROM journal WHERE sequence = 8',
      ['account-mismatch', 'balance-mismatch', 'chain-broken', 'sequence-gap'],
    ],
    [
      'the last entry removed',
      'DELETE FROM transactions WHERE sequence = 16; DELETE FROM journal WHERE sequence = 16',
      ['head-mismatch'],
    ],
    [
      'the last entry removed, and the head set back',
      'DELETE FROM transfers WHERE sequence = 15; DELETE FROM transactions WHERE sequence >= 15; DELETE FROM journal WHERE sequence >= 15; UPDATE head SET sequence = 14, chain = (SELECT chain FROM journal WHERE sequence = 14)',
      ['account-mismatch'],
    ],
    ['the content of an entry', 'DELETE FROM transactions WHERE sequence = 16', ['entry-missing']],
    [
      'a time',
      'UPDATE journal SET time_us = 1 WHERE sequence = 8',
      ['chain-broken', 'receipt-mismatch', 'time-backwards'],
    ],
    ['a chain hash', 'UPDATE journal SET chain = zeroblob(32) WHERE sequence = 8', ['chain-broken']],
    ['a balance', "UPDATE accounts SET balance = 1 WHERE id = 'bob.eur'", ['account-mismatch', 'not-zero-sum']],
    [
      'two balances that cancel out',
      "UPDATE accounts SET balance = balance + 1 WHERE id = 'bob.eur'; UPDATE accounts SET balance = balance - 1 WHERE id = 'alice.eur'",
      ['account-mismatch'],
    ],
    ['an owner', "UPDATE accounts SET owner = 'bob' WHERE id = 'alice.eur'", ['account-mismatch']],
    ['a limit', "UPDATE accounts SET balance_limit = -1000 WHERE id = 'alice.eur'", ['account-mismatch']],
    [
      'an account from nowhere',
      "INSERT INTO accounts VALUES ('mallory', 'mallory', 'EUR', 0, 'open', 0, 1)",
      ['account-mismatch'],
    ],
    [
      'an account removed',
      "DELETE FROM accounts WHERE id = 'bob.eur'",
      ['account-mismatch', 'not-zero-sum', 'orphaned-row'],
    ],
    [
      'a customer’s credential',
      "UPDATE customers SET credential_digest = zeroblob(32) WHERE id = 'bob'",
      ['customer-mismatch'],
    ],
    ['a customer enabled', "UPDATE customers SET status = 'disabled' WHERE id = 'bob'", ['customer-mismatch']],
    [
      'a customer from nowhere',
      "INSERT INTO customers SELECT 'mallory', status, pepper_version, fields, credential_digest, created_us FROM customers WHERE id = 'bob'",
      ['customer-mismatch'],
    ],
    [
      'an account’s document',
      `UPDATE changes SET document = replace(document, '"owner":"bob"', '"owner":"eve"') WHERE sequence = 5`,
      ['account-mismatch', 'chain-broken'],
    ],
    [
      'a document that is none',
      "UPDATE changes SET document = 'x' WHERE sequence = 4",
      ['chain-broken', 'customer-mismatch'],
    ],
    [
      'a receipt',
      'UPDATE transactions SET receipt = CAST(substr(receipt, 1, length(receipt) - 32) || zeroblob(32) AS BLOB) WHERE sequence = 8',
      ['chain-broken', 'receipt-signature'],
    ],
    [
      'a receipt that is none',
      "UPDATE transactions SET receipt = x'00' WHERE sequence = 8",
      ['chain-broken', 'receipt-malformed'],
    ],
    [
      'a receipt of another transaction',
      'UPDATE transactions SET receipt = (SELECT receipt FROM transactions WHERE sequence = 9) WHERE sequence = 8',
      ['chain-broken', 'receipt-mismatch'],
    ],
    ['a document', "UPDATE transactions SET body = x'7b7d' WHERE sequence = 8", ['body-mismatch']],
    [
      'whose transaction it was',
      "UPDATE transactions SET customer = 'bob' WHERE sequence = 8",
      ['chain-broken', 'receipt-signature', 'transfer-invalid'],
    ],
  ])('finds a change: %s', async (_what, sql, names) => {
    const path = await ledgerFile();
    tamper(path, sql);
    const report = await verify(path);
    expect(namesOf(report)).toEqual([...names]);
    for (const { detail } of report.findings) expect(detail.length).toBeGreaterThan(5);
  });

  it('finds a transaction stored under another id', async () => {
    const path = await ledgerFile();
    const database = new DatabaseSync(path);
    database.exec(
      "UPDATE transactions SET transaction_id = CAST(x'ff' || substr(transaction_id, 2) AS BLOB) WHERE sequence = 8",
    );
    database.close();
    expect(namesOf(await verify(path))).toEqual(['receipt-mismatch']);
  });

  it('finds an idempotency lookup that lost a transaction', async () => {
    const storage = new SqliteStorage({ path: await ledgerFile(), readOnly: true });
    await storage.open();
    const forgetful: LedgerStorage = {
      open: () => storage.open(),
      load: (keys) => storage.load(keys),
      commit: (expected, writes) => storage.commit(expected, writes),
      close: () => storage.close(),
      read: (work) =>
        storage.read((reader) => {
          const receipts: LedgerReader['receipts'] = async (keys) => (await reader.receipts(keys)).with(3, undefined);
          const lookup = { ...methodsOf(reader), receipts };
          return work(lookup);
        }),
    };
    expect((await verifyLedger(forgetful, { keys: KEYS })).findings).toEqual([
      { name: 'transaction-not-found', detail: 'entry 9' },
    ]);
    await storage.close();
  });

  it('finds an overwritten page', async () => {
    const path = await ledgerFile();
    const { openSync, writeSync, closeSync, statSync } = await import('node:fs');
    const pages = statSync(path).size / 4096;
    const file = openSync(path, 'r+');
    for (let page = 3; page < pages; page++) writeSync(file, new Uint8Array(4096).fill(0xa5), 0, 4096, page * 4096);
    closeSync(file);
    expect(namesOf(await verify(path))).toContain('database-damaged');
  });

  it('says which receipts it has no key for', async () => {
    const path = await ledgerFile();
    expect(namesOf(await verify(path, receiptKeys([])))).toEqual(['receipt-unknown-key']);
  });

  it('accepts the receipts of an earlier key that it was given', async () => {
    const path = await ledgerFile();
    const storage = new SqliteStorage({ path });
    await storage.open();
    const { privateKey } = generateKeyPairSync('ed25519');
    const rotated = new Ledger({
      storage,
      signer: createReceiptSigner(privateKey),
      processors: createProcessorRegistry(),
    });
    await rotated.submit([payment('alice', 100, { from: 'alice.eur', to: 'bob.eur', amount: '1.00' })]);
    await rotated.close();
    expect(namesOf(await verify(path))).toEqual(['receipt-unknown-key']);
    const raw = Buffer.from(String(privateKey.export({ format: 'jwk' }).x), 'base64url');
    expect((await verify(path, new Map([...KEYS, ...receiptKeys([raw])]))).findings).toEqual([]);
  });

  it('has a meaning for every finding it can make', () => {
    for (const meaning of Object.values(FINDINGS)) expect(meaning.length).toBeGreaterThan(10);
  });
});

describe('exportLedger', () => {
  it('writes every entry as a line, and the head last', async () => {
    const path = await ledgerFile();
    const storage = new SqliteStorage({ path, readOnly: true });
    await storage.open();
    const lines: Record<string, unknown>[] = [];
    const progress: [number, number][] = [];
    const count = await exportLedger(storage, {
      write: async (texts) => {
        for (const text of texts) {
          expect(text).not.toContain('\n');
          lines.push(JSON.parse(text) as Record<string, unknown>);
        }
      },
      onProgress: (done, total) => progress.push([done, total]),
    });
    expect([count, lines.length, progress]).toEqual([16, 17, [[16, 16]]]);
    expect(lines.map(({ kind }) => kind)).toEqual([
      'customer',
      'account',
      'account',
      'customer',
      'account',
      ...Array<string>(11).fill('transaction'),
      'head',
    ]);
    expect(lines[6]).toMatchObject({
      sequence: '7',
      customer: 'alice',
      transactionId: Buffer.from(transactionId(0)).toString('hex'),
      outcome: 'processed',
      transfers: [
        { from: 'alice.eur', to: 'bob.eur', amount: '1.00', currency: 'EUR', fromBalance: '99.00', toBalance: '1.00' },
      ],
    });
    expect(lines[15]).toMatchObject({ outcome: 'refused', transfers: [] });
    expect(lines[16]).toMatchObject({ sequence: '16', chain: lines[15]!.chain });
    await storage.close();
  });

  it('begins behind a sequence when asked', async () => {
    const storage = new SqliteStorage({ path: await ledgerFile(), readOnly: true });
    await storage.open();
    const lines: string[] = [];
    expect(await exportLedger(storage, { after: 14n, write: async (texts) => void lines.push(...texts) })).toBe(2);
    expect(lines).toHaveLength(3);
    await storage.close();
  });
});

it('the balances of a reopened ledger are what they were', async () => {
  const storage = new SqliteStorage({ path: await ledgerFile() });
  await storage.open();
  const ledger = newLedger(storage);
  expect(await balancesOf(ledger)).toEqual({ 'alice.eur': 9100n, 'bob.eur': 900n, 'operator.eur': -10000n });
  await ledger.close();
});
