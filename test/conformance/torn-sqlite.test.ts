import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ChainHead } from '../../src/ledger/entry.ts';
import { Ledger } from '../../src/ledger/ledger.ts';
import { createProcessorRegistry } from '../../src/ledger/processor-registry.ts';
import type { SubmittedTransaction } from '../../src/ledger/service.ts';
import { SqliteStorage } from '../../src/ledger/storage/sqlite.ts';
import { verifyLedger } from '../../src/ledger/verification.ts';
import { SeededRandom } from '../sim/random.ts';
import { KEYS, payment, SIGNER, withAliceAndBob } from '../unit/ledger/fixtures.ts';

/**
 * The real adapter on torn disks: copies of database and log as a crash leaves them, then cut and damaged. What opens must be what had been
 * committed up to some moment, with everything acknowledged whose bytes are there; what does not open must say so and stay as it is.
 */

const PAGE = 4096;
const FRAME = 24 + PAGE;
const HEADER = 32;

/** Database and log as they were at one moment, and what had been acknowledged by then. */
interface Copy {
  readonly name: string;
  readonly database: Buffer;
  readonly log: Buffer;
  /** The head after each commit, the first one that of the empty ledger. */
  readonly heads: readonly ChainHead[];
  /** Where each commit of this log ends, read from the log itself. */
  readonly ends: readonly number[];
}

type Opened = { readonly head: ChainHead } | { readonly refused: string };

const copies: Copy[] = [];
const directory = mkdtempSync(join(tmpdir(), 'sallyport-torn-'));
const state = { opened: 0 };
afterAll(() => rmSync(directory, { recursive: true, force: true }));

function newPath(): string {
  const inside = join(directory, String(state.opened++));
  mkdirSync(inside);
  return join(inside, 'ledger.db');
}

beforeAll(async () => {
  copies.push(...(await history()));
});

/** Ends of the commits that the log holds: frames of its salts, in order, whose header has a size. */
function endsOf(log: Buffer): number[] {
  const salts = log.subarray(16, 24);
  const ends: number[] = [];
  for (let at = HEADER; at + FRAME <= log.length; at += FRAME) {
    if (!salts.equals(log.subarray(at + 8, at + 16))) break;
    if (log.readUInt32BE(at + 4) !== 0) ends.push(at + FRAME);
  }
  return ends;
}

function batch(random: SeededRandom, first: number): SubmittedTransaction[] {
  return Array.from({ length: 1 + random.below(6) }, (_, index) =>
    payment('alice', first + index, {
      from: 'alice.eur',
      to: 'bob.eur',
      amount: `0.0${1 + random.below(9)}`,
      reference: 'r'.repeat(random.below(141)),
    }),
  );
}

async function history(): Promise<Copy[]> {
  const random = new SeededRandom(20);
  const path = newPath();
  const storage = new SqliteStorage({ path });
  await storage.open();
  const heads: ChainHead[] = [(await storage.load({})).head];
  const ledger = new Ledger({
    storage: {
      open: () => storage.open(),
      close: () => storage.close(),
      load: (keys) => storage.load(keys),
      read: (work) => storage.read(work),
      commit: async (expected, writes) => {
        const outcome = await storage.commit(expected, writes);
        heads.push(writes.head);
        return outcome;
      },
    },
    signer: SIGNER,
    processors: createProcessorRegistry([]),
  });
  const taken: Copy[] = [];
  const take = (name: string): void => {
    const log = readFileSync(`${path}-wal`);
    taken.push({ name, database: readFileSync(path), log, heads: [...heads], ends: endsOf(log) });
  };
  await withAliceAndBob(ledger);
  take('customers and accounts');
  for (let count = 0; count < 6; count++) await ledger.submit(batch(random, 100 + 10 * count));
  take('a dozen commits');
  const other = new DatabaseSync(path);
  other.exec('PRAGMA wal_checkpoint(PASSIVE)');
  other.close();
  for (let count = 0; count < 3; count++) await ledger.submit(batch(random, 200 + 10 * count));
  take('a log begun again, with old frames behind its end');
  for (let count = 0; count < 4; count++) await ledger.submit(batch(random, 300 + 10 * count));
  take('the same, grown');
  await ledger.close();
  return taken;
}

/** Opens database and log by the product; whatever is refused must be there as it was. */
async function open(database: Buffer, log: Buffer): Promise<Opened> {
  const path = newPath();
  writeFileSync(path, database, { mode: 0o600 });
  writeFileSync(`${path}-wal`, log, { mode: 0o600 });
  const storage = new SqliteStorage({ path });
  try {
    await storage.open();
  } catch (error) {
    expect(readFileSync(path).equals(database), 'the ledger is as it was').toBe(true);
    expect(readFileSync(`${path}-wal`).equals(log), 'its log is as it was').toBe(true);
    return { refused: (error as { code?: string }).code ?? String(error) };
  }
  const { findings } = await verifyLedger(storage, { keys: KEYS });
  expect(findings).toEqual([]);
  const { head } = await storage.load({});
  await storage.close();
  return { head };
}

/** The head when so many of the log's commits are reached. */
function headAfter({ heads, ends }: Copy, commits: number): ChainHead {
  return heads[heads.length - 1 - ends.length + commits]!;
}

describe('sqlite: a log as a crash leaves it', () => {
  it('was copied at moments that differ', () => {
    expect(copies.map(({ ends }) => ends.length >= 3)).toEqual([true, true, true, true]);
    const renewed = copies[2]!;
    expect(renewed.log.length).toBeGreaterThan(renewed.ends.at(-1)!);
    expect(renewed.heads.length - 1).toBeGreaterThan(renewed.ends.length);
  });

  it('whole: everything acknowledged is there', async () => {
    for (const copy of copies) expect(await open(copy.database, copy.log)).toEqual({ head: copy.heads.at(-1) });
  });

  it('cut anywhere: everything whose bytes are there', async () => {
    const random = new SeededRandom(1);
    for (const [index, copy] of copies.entries()) {
      const frames = Math.floor((copy.ends.at(-1)! - HEADER) / FRAME);
      const cuts = [0, 1, 31, HEADER];
      // The last log begins as the one before it does.
      const first = index === 3 ? Math.floor((copies[2]!.ends.at(-1)! - HEADER) / FRAME) : 0;
      for (let frame = first; frame < frames; frame++) {
        const begin = HEADER + frame * FRAME;
        cuts.push(begin + FRAME, begin + 1 + random.below(FRAME - 1));
      }
      for (const cut of cuts) {
        const reached = copy.ends.filter((end) => end <= cut).length;
        expect(await open(copy.database, copy.log.subarray(0, cut)), `${copy.name}, cut at ${cut}`).toEqual({
          head: headAfter(copy, reached),
        });
      }
    }
  });

  it('with its last commit torn, sector by sector: all before it, and never a refusal', async () => {
    const random = new SeededRandom(2);
    for (const copy of copies) {
      const [from, to] = [copy.ends.at(-2)!, copy.ends.at(-1)!];
      for (let round = 0; round < 12; round++) {
        const log = Buffer.from(copy.log);
        const spoiled = random.below(to - from) + from;
        for (let at = from; at < to; at += 512) {
          const end = Math.min(at + 512, to);
          if (random.oneIn(3) || (spoiled >= at && spoiled < end))
            log.set(random.oneIn(2) ? new Uint8Array(end - at) : random.bytes(end - at), at);
        }
        expect(await open(copy.database, log), copy.name).toEqual({ head: headAfter(copy, copy.ends.length - 1) });
      }
    }
  });

  it('with a flipped bit in the last commit: all before it', async () => {
    const random = new SeededRandom(3);
    for (const copy of copies) {
      const [from, to] = [copy.ends.at(-2)!, copy.ends.at(-1)!];
      for (let round = 0; round < 12; round++) {
        const log = flipped(random, copy.log, from, to);
        expect(await open(copy.database, log), copy.name).toEqual({ head: headAfter(copy, copy.ends.length - 1) });
      }
    }
  });

  it('with a flipped bit in what was synced before: refused, and nothing is touched', async () => {
    const random = new SeededRandom(4);
    for (const copy of copies) {
      // The last commit but one is its own test.
      const to = copy.ends.at(-3)!;
      for (let round = 0; round < 24; round++) {
        const log = flipped(random, copy.log, round < 6 ? 0 : HEADER, round < 6 ? HEADER : to);
        expect(await open(copy.database, log), copy.name).toEqual({ refused: 'LEDGER_CORRUPT' });
      }
    }
  });

  it('with a flipped bit in the last commit but one: refused, unless it hits the header of its last frame', async () => {
    const random = new SeededRandom(5);
    const seen = new Set<string>();
    for (const copy of copies) {
      const [from, to] = [copy.ends.at(-3)!, copy.ends.at(-2)!];
      const header = to - FRAME;
      for (let round = 0; round < 24; round++) {
        const inHeader = round < 8;
        const log = inHeader
          ? flipped(random, copy.log, header + 4, header + 24)
          : flipped(random, copy.log, from, to, (at) => at < header || at >= header + 24);
        const opened = await open(copy.database, log);
        seen.add('refused' in opened ? 'refused' : 'opened');
        if (inHeader && 'head' in opened) expect(opened.head).toEqual(headAfter(copy, copy.ends.length - 2));
        else expect(opened).toEqual({ refused: 'LEDGER_CORRUPT' });
      }
    }
    expect([...seen].sort()).toEqual(['opened', 'refused']);
  });

  it('which `ledger verify` says too, without writing', async () => {
    const copy = copies[1]!;
    const path = newPath();
    const log = flipped(new SeededRandom(6), copy.log, HEADER, copy.ends.at(-3)!);
    writeFileSync(path, copy.database, { mode: 0o600 });
    writeFileSync(`${path}-wal`, log, { mode: 0o600 });
    const storage = new SqliteStorage({ path, readOnly: true });
    await storage.open();
    const { findings } = await verifyLedger(storage, { keys: KEYS });
    await storage.close();
    expect(findings.map(({ name }) => name)).toEqual(['database-damaged']);
    expect(findings[0]!.detail).toContain('would be lost');
    expect(readFileSync(`${path}-wal`).equals(log)).toBe(true);
  });

  it('with the rest of a longer commit that failed behind its end: what is there', async () => {
    const copy = copies[1]!;
    const [short, long] = await Promise.all([1, 40].map((transfers) => logAfterAnother(copy, transfers)));
    expect(long!.log.length).toBeGreaterThan(short!.log.length);
    const log = Buffer.concat([short!.log, long!.log.subarray(short!.log.length)]);
    expect(await open(copy.database, log)).toEqual({ head: short!.head });
  });
});

function flipped(
  random: SeededRandom,
  log: Buffer,
  from: number,
  to: number,
  allowed: (at: number) => boolean = () => true,
): Buffer {
  const changed = Buffer.from(log);
  let at = from + random.below(to - from);
  while (!allowed(at)) at = from + random.below(to - from);
  changed[at]! ^= 1 << random.below(8);
  return changed;
}

/** The log when one more commit was written behind it. */
async function logAfterAnother(copy: Copy, transfers: number): Promise<{ log: Buffer; head: ChainHead }> {
  const path = newPath();
  writeFileSync(path, copy.database, { mode: 0o600 });
  writeFileSync(`${path}-wal`, copy.log, { mode: 0o600 });
  const storage = new SqliteStorage({ path });
  await storage.open();
  const ledger = new Ledger({ storage, signer: SIGNER, processors: createProcessorRegistry([]), clock: () => 1n });
  const payments = Array.from({ length: transfers }, (_, index) =>
    payment('alice', 900 + index, { from: 'alice.eur', to: 'bob.eur', amount: '0.01', reference: 'r'.repeat(140) }),
  );
  await ledger.submit(payments);
  const { head } = await storage.load({});
  const log = readFileSync(`${path}-wal`);
  await ledger.close();
  return { log, head };
}
