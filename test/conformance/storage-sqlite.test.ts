import {
  closeSync,
  copyFileSync,
  existsSync,
  openSync,
  readFileSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, it } from 'vitest';
import { EMPTY_HEAD } from '../../src/ledger/entry.ts';
import { APPLICATION_ID, MIGRATIONS } from '../../src/ledger/storage/migrations.ts';
import { SqliteStorage } from '../../src/ledger/storage/sqlite.ts';
import type { LedgerCheck } from '../../src/ledger/storage/sqlite-check.ts';
import { temporaryDirectory } from '../unit/ledger/fixtures.ts';
import { ACCOUNT_A, ACCOUNT_B, key, storageConformance, transaction, writesAfter } from './storage.ts';

const newPath = (): string => join(temporaryDirectory(), 'ledger.db');

storageConformance('sqlite', () => new SqliteStorage({ path: newPath() }));

async function written(path: string, transactions: number): Promise<void> {
  const storage = new SqliteStorage({ path });
  await storage.open();
  const entries = Array.from({ length: transactions }, (_, index) => {
    const entry = transaction(BigInt(index) + 1n, 'c', 0);
    const transactionId = new Uint8Array(16);
    new DataView(transactionId.buffer).setUint32(0, index);
    return { ...entry, transactionId };
  });
  await storage.commit(EMPTY_HEAD, writesAfter(EMPTY_HEAD, entries, [ACCOUNT_A, ACCOUNT_B]));
  await storage.close();
}

/** What opening a ledger says, and that it left the file as it was. */
async function refusal(path: string, check?: LedgerCheck): Promise<unknown> {
  const before = readFileSync(path);
  const storage = new SqliteStorage({ path, ...(check === undefined ? {} : { check }) });
  const error: unknown = await storage.open().catch((reason: unknown) => reason);
  await storage.close();
  expect(readFileSync(path).equals(before), 'the file is as it was').toBe(true);
  return error;
}

describe('sqlite: the file', () => {
  it('is made whole, for its owner alone, and marked as a ledger', async () => {
    const path = newPath();
    const storage = new SqliteStorage({ path });
    await storage.open();
    expect(statSync(path).mode & 0o777).toBe(0o600);
    await storage.close();
    const database = new DatabaseSync(path);
    expect(database.prepare('PRAGMA application_id').get()).toEqual({ application_id: APPLICATION_ID });
    expect(database.prepare('PRAGMA user_version').get()).toEqual({ user_version: MIGRATIONS.length });
    expect(database.prepare('PRAGMA journal_mode').get()).toEqual({ journal_mode: 'wal' });
    database.close();
  });

  it('holds after a reopening what was committed', async () => {
    const path = newPath();
    await written(path, 3);
    const storage = new SqliteStorage({ path });
    await storage.open();
    expect((await storage.load({ accounts: ['a'] })).accounts.get('a')).toEqual(ACCOUNT_A);
    expect((await storage.load({})).head.sequence).toBe(3n);
    await storage.close();
  });

  it('holds what was committed when its writer was never closed', async () => {
    const path = newPath();
    const crashed = new SqliteStorage({ path });
    await crashed.open();
    await crashed.commit(EMPTY_HEAD, writesAfter(EMPTY_HEAD, [transaction(1n, 'c', 1)], [ACCOUNT_A, ACCOUNT_B]));
    // The files as a dead process leaves them: the commit is still in the log.
    const copy = newPath();
    for (const suffix of ['', '-wal']) copyFileSync(path + suffix, copy + suffix);
    const storage = new SqliteStorage({ path: copy });
    await storage.open();
    const { head, receipts } = await storage.load({ transactions: [key('c', 1)] });
    expect([head.sequence, receipts[0]?.length]).toEqual([1n, 150]);
    await storage.close();
    await crashed.close();
  });

  it('drops a commit whose log was cut off, and keeps those before it', async () => {
    const path = newPath();
    const crashed = new SqliteStorage({ path });
    await crashed.open();
    const first = writesAfter(EMPTY_HEAD, [transaction(1n, 'c', 1)], [ACCOUNT_A, ACCOUNT_B]);
    await crashed.commit(EMPTY_HEAD, first);
    await crashed.commit(first.head, writesAfter(first.head, [transaction(2n, 'c', 2)]));
    const copy = newPath();
    for (const suffix of ['', '-wal']) copyFileSync(path + suffix, copy + suffix);
    truncateSync(`${copy}-wal`, statSync(`${copy}-wal`).size - 100);
    await crashed.close();
    const storage = new SqliteStorage({ path: copy });
    await storage.open();
    const { head, receipts } = await storage.load({ transactions: [key('c', 1), key('c', 2)] });
    expect([head.sequence, receipts[0]?.length, receipts[1]]).toEqual([1n, 150, undefined]);
    await storage.close();
  });

  it('lets two connections write, one after the other', async () => {
    const path = newPath();
    const [one, two] = [new SqliteStorage({ path }), new SqliteStorage({ path })];
    await one.open();
    await two.open();
    const first = writesAfter(EMPTY_HEAD, [transaction(1n, 'c', 1)], [ACCOUNT_A, ACCOUNT_B]);
    expect(await one.commit(EMPTY_HEAD, first)).toBe('committed');
    expect(await two.commit(EMPTY_HEAD, first)).toBe('head-moved');
    const { head } = await two.load({});
    expect(await two.commit(head, writesAfter(head, [transaction(2n, 'c', 2)]))).toBe('committed');
    expect((await one.load({})).head.sequence).toBe(2n);
    await one.close();
    await two.close();
  });
});

describe('sqlite: refusals', () => {
  it('a newer schema', async () => {
    const path = newPath();
    await written(path, 1);
    const database = new DatabaseSync(path);
    database.exec(`PRAGMA user_version = ${MIGRATIONS.length + 1}`);
    database.close();
    expect(await refusal(path)).toMatchObject({
      code: 'LEDGER_TOO_NEW',
      message: expect.stringContaining(`version ${MIGRATIONS.length + 1}`),
    });
  });

  it('a database of something else', async () => {
    const path = newPath();
    const database = new DatabaseSync(path);
    database.exec('CREATE TABLE recipes (name TEXT)');
    database.close();
    expect(await refusal(path)).toMatchObject({
      code: 'LEDGER_CORRUPT',
      message: expect.stringContaining('not a Sallyport ledger'),
    });
  });

  it('no database at all', async () => {
    const path = newPath();
    writeFileSync(path, 'dear diary '.repeat(1000));
    expect(await refusal(path)).toMatchObject({ code: 'LEDGER_CORRUPT' });
  });

  it('an empty file', async () => {
    const path = newPath();
    writeFileSync(path, '');
    expect(await refusal(path)).toMatchObject({ code: 'LEDGER_CORRUPT', message: expect.stringContaining('empty') });
  });

  it('a file that was cut off', async () => {
    const path = newPath();
    await written(path, 500);
    truncateSync(path, Math.floor(statSync(path).size / 8192) * 4096);
    expect(await refusal(path)).toMatchObject({ code: 'LEDGER_CORRUPT' });
  });

  it('a page that was overwritten', async () => {
    const path = newPath();
    await written(path, 500);
    const file = openSync(path, 'r+');
    writeSync(file, new Uint8Array(4096).fill(0xa5), 0, 4096, 4096 * 20);
    closeSync(file);
    expect(await refusal(path)).toMatchObject({ code: 'LEDGER_CORRUPT' });
  });

  it('a journal that does not end at its head', async () => {
    const path = newPath();
    await written(path, 3);
    const database = new DatabaseSync(path, { enableForeignKeyConstraints: false });
    database.exec('DELETE FROM journal WHERE sequence = 3');
    database.close();
    expect(await refusal(path)).toMatchObject({ code: 'LEDGER_CORRUPT', message: expect.stringContaining('head') });
  });

  it('a log without its file', async () => {
    const path = newPath();
    writeFileSync(`${path}-wal`, 'x');
    const storage = new SqliteStorage({ path });
    await expect(storage.open()).rejects.toMatchObject({ code: 'LEDGER_CORRUPT' });
    expect(existsSync(path)).toBe(false);
  });

  it('a directory in its place, and a directory that is not there', async () => {
    const directory = temporaryDirectory();
    for (const path of [directory, join(directory, 'missing', 'ledger.db')])
      await expect(new SqliteStorage({ path }).open()).rejects.toMatchObject({
        code: 'LEDGER_UNAVAILABLE',
        message: expect.stringContaining(path),
      });
  });

  it('writing to what was opened for reading, and reading what is not there', async () => {
    const path = newPath();
    await expect(new SqliteStorage({ path, readOnly: true }).open()).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await written(path, 1);
    const storage = new SqliteStorage({ path, readOnly: true });
    await storage.open();
    expect((await storage.read((reader) => reader.head())).sequence).toBe(1n);
    await expect(storage.commit(EMPTY_HEAD, writesAfter(EMPTY_HEAD, []))).rejects.toMatchObject({
      code: 'LEDGER_UNAVAILABLE',
    });
    await storage.close();
  });

  it('use after it was closed', async () => {
    const storage = new SqliteStorage({ path: newPath() });
    await storage.open();
    await storage.close();
    await expect(storage.load({})).rejects.toMatchObject({ code: 'LEDGER_UNAVAILABLE' });
    await expect(storage.read((reader) => reader.head())).rejects.toMatchObject({ code: 'LEDGER_UNAVAILABLE' });
  });
});

describe('sqlite: a look at the newest entries alone', () => {
  it.each([
    ['a file that was cut off', (path: string) => truncateSync(path, statSync(path).size - 4096), 'damaged'],
    ['a file without its last byte', (path: string) => truncateSync(path, statSync(path).size - 1), 'cut off'],
    [
      'a journal that does not end at its head',
      (path: string) => changed(path, 'UPDATE head SET sequence = 499'),
      'head',
    ],
    [
      'an entry whose receipt was changed',
      (path: string) => changed(path, "UPDATE transactions SET receipt = x'00' WHERE sequence = 400"),
      'Entry 400',
    ],
    [
      'an entry that is gone',
      (path: string) =>
        changed(path, 'DELETE FROM transfers WHERE sequence = 300; DELETE FROM transactions WHERE sequence = 300'),
      'Entry 300',
    ],
    [
      'a hash that was changed',
      (path: string) => changed(path, 'UPDATE journal SET chain = zeroblob(32) WHERE sequence = 499'),
      'Entry 499',
    ],
  ])('finds %s, and leaves the file as it is', async (_, damage, message) => {
    const path = newPath();
    await written(path, 500);
    damage(path);
    expect(await refusal(path, 'tail')).toMatchObject({
      code: 'LEDGER_CORRUPT',
      message: expect.stringContaining(message),
    });
  });

  it('sees no damage elsewhere, which the full one does', async () => {
    const path = newPath();
    await written(path, 5_000);
    const file = openSync(path, 'r+');
    writeSync(file, new Uint8Array(4096).fill(0xa5), 0, 4096, 4096 * 20);
    closeSync(file);
    const storage = new SqliteStorage({ path, check: 'tail' });
    await storage.open();
    await storage.close();
    expect(await refusal(path, 'full')).toMatchObject({ code: 'LEDGER_CORRUPT' });
  });

  it('finds nothing wrong with a ledger of any length, nor with one whose log is still beside it', async () => {
    for (const entries of [1, 999, 1_000, 1_001, 2_500]) {
      const path = newPath();
      await written(path, entries);
      const storage = new SqliteStorage({ path, check: 'tail' });
      await storage.open();
      const head = await storage.read((reader) => reader.head());
      await storage.commit(head, writesAfter(head, [transaction(head.sequence + 1n, 'c', 9)]));
      const beside = new SqliteStorage({ path, check: 'tail' });
      await beside.open();
      expect((await beside.read((reader) => reader.head())).sequence).toBe(head.sequence + 1n);
      await Promise.all([storage.close(), beside.close()]);
    }
  });
});

/** Changes what is stored, behind the ledger's back. */
function changed(path: string, sql: string): void {
  const database = new DatabaseSync(path, { enableForeignKeyConstraints: false });
  database.exec(sql);
  database.close();
}

describe('sqlite: failures of the machine', () => {
  it('a full disk: LEDGER_UNAVAILABLE, nothing stored, and it goes on when there is room', async () => {
    const path = newPath();
    await written(path, 1);
    const pages = statSync(path).size / 4096;
    const full = new SqliteStorage({ path, pagesMax: pages + 2 });
    await full.open();
    const { head } = await full.load({});
    const large = { ...transaction(2n, 'c', 9), body: new Uint8Array(60_000) };
    await expect(full.commit(head, writesAfter(head, [large]))).rejects.toMatchObject({
      code: 'LEDGER_UNAVAILABLE',
      message: expect.stringContaining('full'),
    });
    expect((await full.load({ transactions: [key('c', 9)] })).receipts).toEqual([undefined]);
    await full.close();
    const roomy = new SqliteStorage({ path });
    await roomy.open();
    expect(await roomy.commit(head, writesAfter(head, [large]))).toBe('committed');
    await roomy.close();
  });

  it('a lock that another process keeps: LEDGER_UNAVAILABLE', async () => {
    const path = newPath();
    await written(path, 1);
    const storage = new SqliteStorage({ path, lockWaitMs: 20 });
    await storage.open();
    const { head } = await storage.load({});
    const other = new DatabaseSync(path);
    other.exec('BEGIN IMMEDIATE');
    await expect(storage.commit(head, writesAfter(head, [transaction(2n, 'c', 2)]))).rejects.toMatchObject({
      code: 'LEDGER_UNAVAILABLE',
      message: expect.stringContaining('lock'),
    });
    other.exec('ROLLBACK');
    other.close();
    expect(await storage.commit(head, writesAfter(head, [transaction(2n, 'c', 2)]))).toBe('committed');
    await storage.close();
  });
});
