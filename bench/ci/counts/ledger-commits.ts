/** How often the ledger makes the disk flush: commits in SQLite's write-ahead log, each of which is one fdatasync (synchronous FULL). */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { BenchCount } from '../subject.ts';
import { openBenchLedger } from '../subjects/ledger.ts';

const PAYMENTS = 64;

export function ledgerCommitCounts(parent: string): BenchCount[] {
  return [
    {
      name: `flushes, ${PAYMENTS} payments at once`,
      what: `commits to the log for ${PAYMENTS} payments submitted together`,
      unit: 'flushes',
      count: () => commitsDuring(parent, (pay) => pay(PAYMENTS)),
    },
    {
      name: 'flushes, one payment',
      what: 'commits to the log for one payment alone',
      unit: 'flushes',
      count: () => commitsDuring(parent, (pay) => pay(1)),
    },
  ];
}

async function commitsDuring(
  parent: string,
  work: (pay: (count: number) => Promise<void>) => Promise<void>,
): Promise<number> {
  const bench = await openBenchLedger(parent);
  try {
    const log = join(bench.directory, 'ledger.sqlite-wal');
    const before = commitsIn(readFileSync(log));
    await work(bench.pay);
    return commitsIn(readFileSync(log)) - before;
  } finally {
    await bench.close();
  }
}

const HEADER_BYTES = 32;
const FRAME_HEADER_BYTES = 24;

/** sqlite.org/fileformat2.html section 4.1: a frame whose header's second word is not zero ends a transaction. */
export function commitsIn(log: Buffer): number {
  if (log.length < HEADER_BYTES) return 0;
  const pageBytes = log.readUInt32BE(8);
  const salt = log.subarray(16, 24);
  let commits = 0;
  for (let at = HEADER_BYTES; at + FRAME_HEADER_BYTES + pageBytes <= log.length; at += FRAME_HEADER_BYTES + pageBytes) {
    // Frames of an earlier life of the file have other salts.
    if (!log.subarray(at + 8, at + 16).equals(salt)) break;
    if (log.readUInt32BE(at + 4) !== 0) commits += 1;
  }
  return commits;
}
