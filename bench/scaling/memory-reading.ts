/** What a process holds after its garbage was collected. */

import { setImmediate as turn } from 'node:timers/promises';

export interface MemoryReading {
  readonly rssBytes: number;
  /** Live objects of the main thread, and what they hold outside the heap. */
  readonly heapBytes: number;
}

/** A collection frees what finalizers of the one before let go. */
const COLLECTIONS = 4;

/** For a process with --expose-gc. */
export async function readMemory(): Promise<MemoryReading> {
  const { gc } = globalThis;
  if (gc === undefined) throw new Error('memory is read in a process with --expose-gc');
  for (let count = 0; count < COLLECTIONS; count++) {
    gc();
    await turn();
  }
  const { rss, heapUsed, external } = process.memoryUsage();
  return { rssBytes: rss, heapBytes: heapUsed + external };
}
