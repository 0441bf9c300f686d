import { describe, expect, it } from 'vitest';
import { type ChainHead, EMPTY_HEAD } from '../../src/ledger/entry.ts';
import type { LedgerStorage } from '../../src/ledger/storage/storage.ts';
import { type DiskTroubles, SimulatedDisk, soundDisk } from '../sim/disk.ts';
import { SeededRandom } from '../sim/random.ts';
import { SimulatedStorage } from '../sim/simulated-storage.ts';
import { storageConformance, transaction, writesAfter } from './storage.ts';

/** The storage that the simulation stands on keeps the rules of the real ones: else it would prove nothing about what is above it. */
storageConformance('simulated', () => new SimulatedStorage(soundDisk(new SeededRandom(1))));

const SEEDS = 300;

/** A disk whose operations fail as the test says. */
class Disk implements DiskTroubles {
  writes = true;
  syncs = true;
  room = Number.MAX_SAFE_INTEGER;
  wait(): Promise<void> {
    return Promise.resolve();
  }
  writeFails(): boolean {
    return !this.writes;
  }
  syncFails(): boolean {
    return !this.syncs;
  }
  capacity(): number {
    return this.room;
  }
}

async function opened(disk: SimulatedDisk): Promise<SimulatedStorage> {
  const storage = new SimulatedStorage(disk);
  await storage.open();
  return storage;
}

async function commitOne(storage: LedgerStorage, head: ChainHead): Promise<ChainHead> {
  const number = Number(head.sequence) + 1;
  const writes = writesAfter(head, [transaction(BigInt(number), 'c', number)]);
  expect(await storage.commit(head, writes)).toBe('committed');
  return writes.head;
}

describe('simulated: what its disk may do', () => {
  it('holds everything acknowledged when the power fails, whatever was under way', async () => {
    const found = new Set<string>();
    for (let seed = 1; seed <= SEEDS; seed++) {
      const troubles = new Disk();
      const disk = new SimulatedDisk(new SeededRandom(seed), troubles);
      const storage = await opened(disk);
      const acknowledged = await commitOne(storage, await commitOne(storage, EMPTY_HEAD));
      troubles.syncs = false;
      const large = { ...transaction(3n, 'c', 3), body: new Uint8Array(4_000).fill(seed) };
      await expect(storage.commit(acknowledged, writesAfter(acknowledged, [large]))).rejects.toMatchObject({
        code: 'LEDGER_UNAVAILABLE',
      });
      troubles.syncs = true;
      disk.powerFailed();
      const after = await opened(disk);
      const { head } = await after.load({});
      // The failed commit may be there whole, or not at all.
      expect([2n, 3n]).toContain(head.sequence);
      if (head.sequence === 2n) expect(head).toEqual(acknowledged);
      found.add(`${head.sequence}${after.found.torn ? ' torn' : ''}`);
      await commitOne(after, head);
    }
    expect([...found].sort()).toEqual(['2 torn', '3']);
  });

  it('goes on after writes that failed and a disk that was full, and writes over what they left', async () => {
    for (let seed = 1; seed <= SEEDS; seed++) {
      const troubles = new Disk();
      const disk = new SimulatedDisk(new SeededRandom(seed), troubles);
      const storage = await opened(disk);
      const head = await commitOne(storage, EMPTY_HEAD);
      const large = { ...transaction(2n, 'c', 2), body: new Uint8Array(3_000) };
      if (seed % 2 === 0) troubles.writes = false;
      else troubles.room = disk.open().read().length + (seed % 1_000);
      await expect(storage.commit(head, writesAfter(head, [large]))).rejects.toMatchObject({
        code: 'LEDGER_UNAVAILABLE',
      });
      expect((await storage.load({})).head).toEqual(head);
      troubles.writes = true;
      troubles.room = Number.MAX_SAFE_INTEGER;
      const next = await commitOne(storage, head);
      disk.powerFailed();
      expect((await (await opened(disk)).load({})).head).toEqual(next);
    }
  });

  it('ends its log before a header of which only the first bytes are there', async () => {
    for (let kept = 0; kept < 12; kept++) {
      const disk = soundDisk(new SeededRandom(1));
      const head = await commitOne(await opened(disk), EMPTY_HEAD);
      const file = disk.open();
      const header = Uint8Array.from(file.read().subarray(0, 12)).fill(0, kept);
      await file.write(file.read().length, Buffer.concat([header, Buffer.alloc(100)]));
      const storage = await opened(disk);
      expect((await storage.load({})).head).toEqual(head);
      expect(storage.found.torn).toBe(kept > 0);
    }
  });

  it('does nothing for a process that is dead', async () => {
    const disk = soundDisk(new SeededRandom(1));
    const dead = await opened(disk);
    const head = await commitOne(dead, EMPTY_HEAD);
    const before = Buffer.from(disk.open().read());
    const commit = dead.commit(head, writesAfter(head, [transaction(2n, 'c', 2)]));
    disk.writerDied();
    const state = await Promise.race([commit, new Promise((resolve) => setImmediate(resolve, 'no answer'))]);
    expect(state).toBe('no answer');
    expect(Buffer.from(disk.open().read()).subarray(0, before.length)).toEqual(before);
  });
});
