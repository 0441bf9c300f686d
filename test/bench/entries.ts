import type { BenchEntry, BenchResult, RatioEntry } from '../../src/load/bench-result.ts';
import { seededRandom } from '../../src/load/random.ts';
import { median } from '../../src/load/statistics.ts';

/** A ratio with made-up samples around `level`, spread by `noise` to both sides. */
export function ratioEntry(
  level: number,
  seed: number,
  over: Partial<RatioEntry> & { noise?: number } = {},
): RatioEntry {
  const { noise = 0.01, ...fields } = over;
  const random = seededRandom(seed);
  const samples = Array.from({ length: 40 }, () => level * (1 - noise + 2 * noise * random()));
  return {
    kind: 'ratio',
    name: 'shared value ffdhe3072',
    what: 'one exponentiation',
    reference: 'node:crypto',
    samples,
    median: median(samples),
    low: median(samples) * 0.995,
    high: median(samples) * 1.005,
    subjectNs: 2_000_000 * level,
    referenceNs: 2_000_000,
    iterations: 3,
    noiseFloor: noise / 2,
    ...fields,
  };
}

export function resultOf(...benches: BenchEntry[]): BenchResult {
  return {
    schema: 'sallyport/bench-result',
    version: 1,
    product: '0.1.0',
    commit: '0123456789abcdef0123456789abcdef01234567',
    measuredAt: '2026-01-31T12:00:00.000Z',
    environment: { node: '26.10.0', platform: 'linux x64', cpu: 'A "CPU" & <more>', cores: 2 },
    benches,
    gates: [],
  };
}
