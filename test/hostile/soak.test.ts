import { expect, it } from 'vitest';
import { Arena } from './arena.ts';
import { soak } from './soak.ts';

/**
 * A session that is kept holds its transcript alone in more than this. What the compiler still learns in these seconds stays below it;
 * over a minute (bench/dheat/soak.ts) the heap grows by ten bytes a session.
 */
const HEAP_BYTES_A_SESSION_MAX = 3_000;

it('good and bad customers together leave nothing behind: not memory, not descriptors, not leases', async () => {
  await using arena = await Arena.open();
  await soak(arena, 2, 1); // every path is compiled, every listener open
  const samples = await soak(arena, 5, 5);
  const [first, last] = [samples[0]!, samples.at(-1)!];
  const sessions = samples.slice(1).reduce((sum, sample) => sum + sample.sessions, 0);
  expect(sessions).toBeGreaterThan(100);
  expect((last.heapBytes - first.heapBytes) / sessions).toBeLessThan(HEAP_BYTES_A_SESSION_MAX);
  expect(last.descriptors).toBeLessThanOrEqual(first.descriptors + 2);
  expect(samples.map(({ leased }) => leased)).toEqual([0, 0, 0, 0, 0]);
  expect(arena.complaints).toEqual([]);
});
