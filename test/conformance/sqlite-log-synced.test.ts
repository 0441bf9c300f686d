import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it, vi } from 'vitest';
import { EMPTY_HEAD } from '../../src/ledger/entry.ts';
import { SqliteStorage } from '../../src/ledger/storage/sqlite.ts';
import { transaction, writesAfter } from './storage.ts';

/** Files that were synced, by inode, in order. SQLite's own syncs are not seen here. */
const synced: number[] = [];

vi.mock('node:fs', async (original) => {
  const fs = await original<typeof import('node:fs')>();
  return {
    ...fs,
    fsyncSync: (descriptor: number): void => {
      synced.push(fs.fstatSync(descriptor).ino);
      fs.fsyncSync(descriptor);
    },
  };
});

const directory = mkdtempSync(join(tmpdir(), 'sallyport-synced-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

it('what a dead process wrote and may not have synced is synced before anybody can read it', async () => {
  const path = join(directory, 'ledger.db');
  // Never closed, as by a process that died: its last commit is in the log alone.
  const dead = new SqliteStorage({ path });
  await dead.open();
  await dead.commit(EMPTY_HEAD, writesAfter(EMPTY_HEAD, [transaction(1n, 'c', 1)]));
  synced.length = 0;
  const next = new SqliteStorage({ path });
  await next.open();
  expect(synced).toEqual([statSync(`${path}-wal`).ino]);
  expect((await next.load({})).head.sequence).toBe(1n);
  await next.close();
  await dead.close();
});
