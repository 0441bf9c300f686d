import { describe, expect, it } from 'vitest';
import { compareMeasures } from '../../../src/load/comparison.ts';
import type { Measure } from '../../../src/load/measure.ts';
import { exponential, seededRandom } from '../../../src/load/random.ts';
import { holm, mannWhitney, median, quantile } from '../../../src/load/statistics.ts';

describe('the rank test', () => {
  it('gives the exact probabilities of the published tables', () => {
    // All of one below all of the other: 2 / C(n + m, n).
    expect(mannWhitney([1, 2, 3, 4, 5], [6, 7, 8, 9, 10])).toMatchObject({ u: 25, superiority: 1 });
    expect(mannWhitney([1, 2, 3, 4, 5], [6, 7, 8, 9, 10]).p).toBeCloseTo(2 / 252, 12);
    expect(mannWhitney([1, 2, 3], [4, 5, 6]).p).toBeCloseTo(2 / 20, 12);
    // Of the 70 arrangements of 4 and 4, one has U = 0 and one has U = 1; as many lie at the other end.
    expect(mannWhitney([1, 2, 3, 5], [4, 6, 7, 8]).p).toBeCloseTo(4 / 70, 12);
  });

  it('agrees with a worked example with ties', () => {
    // Counted by hand: 6 + 5.5 + 5.5 + 5 + 4.5 + 4.5 pairs. Ties of 3, 3 and 2 of 12: variance 3 (13 - 54 / 132) = 37.77; the
    // distance 31 - 18 - 0.5 is 2.034 standard deviations, two-sided 0.0420.
    const { u, p } = mannWhitney([1, 2, 2, 3, 4, 4], [2, 4, 5, 5, 6, 7]);
    expect(u).toBe(31);
    expect(p).toBeCloseTo(0.042, 3);
  });

  it('the approximation meets the exact counts where they hand over', () => {
    const random = seededRandom(3);
    const a = Array.from({ length: 20 }, () => random());
    const b = Array.from({ length: 20 }, () => random() + 0.2);
    const exact = mannWhitney(a, b).p;
    // The same data with one tie that changes nothing else takes the other way.
    const approximate = mannWhitney([...a, 9], [...b, 9]).p;
    expect(Math.abs(exact - approximate)).toBeLessThan(0.02);
  });

  it('calls nothing different that is the same: p is uniform', () => {
    const random = seededRandom(11);
    const ps = Array.from({ length: 1_000 }, () => {
      const draw = (): number[] => Array.from({ length: 15 }, () => exponential(random));
      return mannWhitney(draw(), draw()).p;
    });
    const share = (below: number): number => ps.filter((p) => p < below).length / ps.length;
    expect(share(0.05)).toBeLessThan(0.07);
    expect(share(0.05)).toBeGreaterThan(0.03);
    expect(share(0.5)).toBeGreaterThan(0.44);
  });

  it('does not fall over nothing', () => {
    expect(mannWhitney([], [1]).p).toBe(1);
    expect(mannWhitney([5, 5], [5, 5, 5]).p).toBe(1);
  });
});

describe('small statistics', () => {
  it('medians and quantiles', () => {
    expect(median([3, 1, 2])).toBe(2);
    expect(median([4, 1, 2, 3])).toBe(2.5);
    expect(quantile([1, 2, 3, 4, 5], 0.25)).toBe(2);
    expect(median([])).toBeNaN();
  });

  it("Holm's correction", () => {
    const corrected = holm([0.01, 0.04, 0.03, 0.005]);
    [0.03, 0.06, 0.06, 0.02].forEach((p, index) => {
      expect(corrected[index]).toBeCloseTo(p, 12);
    });
  });
});

function measure(samples: readonly number[], over: Partial<Measure> = {}): Measure {
  return {
    name: 'm',
    unit: 'ms',
    better: 'lower',
    statistic: 'median',
    value: median(samples),
    samples,
    exact: false,
    inSeries: false,
    ...over,
  };
}

function noisy(seed: number, level: number, n = 30): number[] {
  const random = seededRandom(seed);
  return Array.from({ length: n }, () => level * (0.97 + 0.06 * random()));
}

describe('a comparison', () => {
  const verdict = (a: readonly number[], b: readonly number[], over: Partial<Measure> = {}) =>
    compareMeasures([measure(a, over)], [measure(b, over)]).measures[0]!;

  it('knows worse, better and same', () => {
    expect(verdict(noisy(1, 100), noisy(2, 115))).toMatchObject({ verdict: 'worse' });
    expect(verdict(noisy(1, 100), noisy(2, 85))).toMatchObject({ verdict: 'better' });
    expect(verdict(noisy(1, 100), noisy(2, 100))).toMatchObject({ verdict: 'same' });
    expect(verdict(noisy(1, 100), noisy(2, 115), { better: 'higher' })).toMatchObject({ verdict: 'better' });
  });

  it('does not call a certain but small change a change', () => {
    const found = verdict(noisy(1, 100, 200), noisy(2, 102, 200));
    expect(found.p).toBeLessThan(0.001);
    expect(found.verdict).toBe('same');
  });

  it('says when the samples do not decide', () => {
    const wide = (seed: number): number[] => {
      const random = seededRandom(seed);
      return Array.from({ length: 8 }, () => 100 * exponential(random));
    };
    expect(verdict(wide(1), wide(2)).verdict).toBe('unclear');
    expect(verdict([1, 2, 3], [4, 5, 6])).toMatchObject({ verdict: 'unclear' });
    expect(verdict([1, 2, 3], [4, 5, 6]).words).toContain('too few');
  });

  it('is right about intervals: 95 of 100 hold the true ratio', () => {
    const hits = Array.from({ length: 60 }, (_, i) => {
      const { interval } = verdict(noisy(2 * i + 1, 100, 20), noisy(2 * i + 2, 110, 20));
      return interval.low <= 1.1 && interval.high >= 1.1;
    }).filter(Boolean).length;
    expect(hits).toBeGreaterThanOrEqual(52);
  });

  it('finds any change of an exact count', () => {
    const exact = { exact: true };
    const pair = (a: number, b: number) =>
      compareMeasures([measure([], { ...exact, value: a })], [measure([], { ...exact, value: b })]).measures[0]!
        .verdict;
    expect([pair(7, 7), pair(7, 8), pair(8, 7), pair(0, 1)]).toEqual(['same', 'worse', 'better', 'worse']);
  });

  it('counts rare events by their mean, and sees them come where there were none', () => {
    const rare = (every: number): number[] =>
      Array.from({ length: 60 }, (_, i) => (every > 0 && i % every === 0 ? 10 : 0));
    const errors = { statistic: 'mean', name: 'errors', unit: '%' } as const;
    expect(verdict(rare(0), rare(0), errors)).toMatchObject({ verdict: 'same', before: 0, after: 0 });
    expect(verdict(rare(0), rare(3), errors)).toMatchObject({ verdict: 'worse', before: 0 });
    expect(verdict(rare(30), rare(2), errors)).toMatchObject({ verdict: 'worse' });
    expect(verdict(rare(0), rare(60), errors)).toMatchObject({ verdict: 'unclear' });
  });

  it('names what only one side has, and gives the same words every time', () => {
    const a = [measure(noisy(1, 100)), measure([1], { name: 'old' })];
    const b = [measure(noisy(2, 120)), measure([1], { name: 'new' }), measure([1], { name: 'm2' })];
    const first = compareMeasures(a, b);
    expect(first.onlyBefore).toEqual(['old']);
    expect(first.onlyAfter).toEqual(['new', 'm2']);
    expect(compareMeasures(a, b)).toEqual(first);
    expect(first.measures[0]!.words).toMatch(/^\d+\.\d % more, which is worse \(lower is better\)/);
  });
});
