import { describe, expect, it } from 'vitest';
import { type CapacityPoint, findCapacity } from '../../../src/load/capacity.ts';

const point = (rate: number, passed: boolean, rejected = false): CapacityPoint => ({
  rate,
  passed,
  rejected,
  reachedRate: rate,
  p50Ns: 1e6,
  p99Ns: 2e6,
  errorShare: 0,
  words: '',
});

function search(
  limit: number,
  over: { startRate?: number; rateMax?: number; rejected?: boolean; hiccupAt?: number } = {},
) {
  const probes: number[] = [];
  return {
    probes,
    run: () =>
      findCapacity({
        startRate: over.startRate ?? 100,
        rateMax: over.rateMax ?? 100_000,
        precision: 1.05,
        stopped: () => false,
        probe: async (rate) => {
          probes.push(rate);
          const hiccup = probes.length === over.hiccupAt;
          return point(rate, rate <= limit && !hiccup, over.rejected ?? false);
        },
      }),
  };
}

describe('the search of the capacity', () => {
  it.each([1.5, 37, 100, 733, 52_000])('finds %d to within 5 %', async (limit) => {
    const { run, probes } = search(limit);
    const found = await run();
    expect(found.end).toBe('found');
    expect(found.rate).toBeLessThanOrEqual(limit);
    expect(found.rate * 1.05).toBeGreaterThanOrEqual(limit);
    expect(probes.length).toBeLessThan(40);
    expect(found.curve.map((each) => each.rate)).toEqual(probes.toSorted((a, b) => a - b));
  });

  it('is not ended by one hiccup', async () => {
    const { run } = search(733, { hiccupAt: 2 });
    expect((await run()).rate * 1.05).toBeGreaterThanOrEqual(733);
  });

  it('ends at the given maximum, and when nothing passes', async () => {
    expect(await search(1e9, { rateMax: 1_000 }).run()).toMatchObject({ end: 'above-max', rate: 1_000 });
    expect(await search(0).run()).toMatchObject({ end: 'below-start', rate: 0 });
  });

  it('says when the generator was the limit', async () => {
    expect(await search(500, { rejected: true }).run()).toMatchObject({ end: 'generator-limit' });
  });

  it('ends when stopped, with what it has', async () => {
    const state = { stopped: false };
    const found = await findCapacity({
      startRate: 100,
      rateMax: 10_000,
      precision: 1.05,
      stopped: () => state.stopped,
      probe: async (rate) => {
        state.stopped = rate >= 400;
        return point(rate, true);
      },
    });
    expect(found).toMatchObject({ end: 'stopped', rate: 200 });
    expect(found.curve).toHaveLength(3);
  });
});
