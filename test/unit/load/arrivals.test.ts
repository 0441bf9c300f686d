import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { arrivalsOf } from '../../../src/load/arrivals.ts';
import { LoadShape, parseStages } from '../../../src/load/load-shape.ts';
import { exponential, seededRandom } from '../../../src/load/random.ts';

describe('the seeded random numbers', () => {
  it('are the same for a seed, and others for another', () => {
    const draw = (seed: number): number[] => {
      const random = seededRandom(seed);
      return Array.from({ length: 8 }, () => random());
    };
    expect(draw(7)).toEqual(draw(7));
    expect(draw(7)).not.toEqual(draw(8));
    expect(draw(7)).not.toEqual(draw(7 + 2 ** 33));
  });

  it('are uniform, and their exponentials have mean and variance 1', () => {
    const random = seededRandom(1);
    const n = 100_000;
    const buckets = new Array<number>(10).fill(0);
    let sum = 0;
    let squares = 0;
    for (let i = 0; i < n; i += 1) {
      buckets[Math.floor(random() * 10)]! += 1;
      const e = exponential(random);
      sum += e;
      squares += e * e;
    }
    const chiSquare = buckets.reduce((total, count) => total + (count - n / 10) ** 2 / (n / 10), 0);
    // 9 degrees of freedom: 27.9 is the 0.1 % point. The seed is fixed, so this cannot flicker.
    expect(chiSquare).toBeLessThan(27.9);
    expect(sum / n).toBeCloseTo(1, 2);
    expect(squares / n - (sum / n) ** 2).toBeCloseTo(1, 1);
  });
});

describe('stages', () => {
  it('are read, with ramps and units', () => {
    expect(parseStages('100:30s, 0-500:1m,2.5:500ms')).toEqual([
      { fromRate: 100, toRate: 100, seconds: 30 },
      { fromRate: 0, toRate: 500, seconds: 60 },
      { fromRate: 2.5, toRate: 2.5, seconds: 0.5 },
    ]);
  });

  it.each(['', '100', '100:30', '100:0s', '0:10s', '0-0:10s', '-5:10s', '100:48h', '10000000:1s', '100:30s,', 'x:1s'])(
    'refuses %j by name',
    (text) => {
      expect(() => parseStages(text)).toThrow(expect.objectContaining({ code: 'BAD_ARGUMENT' }));
    },
  );

  it('cumulated starts and their inverse agree, whatever the stages', () => {
    const stage = fc
      .record({
        fromRate: fc.integer({ min: 0, max: 500 }),
        toRate: fc.integer({ min: 0, max: 500 }),
        seconds: fc.integer({ min: 1, max: 20 }),
      })
      .filter((each) => each.fromRate + each.toRate > 0);
    fc.assert(
      fc.property(
        fc.array(stage, { minLength: 1, maxLength: 5 }),
        fc.double({ min: 0, max: 0.999, noNaN: true }),
        (stages, part) => {
          const shape = new LoadShape(stages);
          const count = part * shape.starts;
          const at = shape.timeOf(count)!;
          expect(at).toBeGreaterThanOrEqual(0);
          expect(at).toBeLessThanOrEqual(shape.seconds);
          expect(shape.startsBefore(at)).toBeCloseTo(count, 4);
        },
      ),
    );
  });

  it('give nothing beyond their end', () => {
    const shape = new LoadShape(parseStages('10:1s'));
    expect(shape.timeOf(10)).toBeUndefined();
    expect(shape.rateAt(0.5)).toBe(10);
    expect(shape.rateAt(1)).toBe(0);
    expect(shape.startsBefore(9)).toBe(10);
  });
});

describe('arrivals', () => {
  it('come evenly', () => {
    const shape = new LoadShape(parseStages('4:1s'));
    expect([...arrivalsOf({ shape, process: 'even', seed: 1 })].map((arrival) => arrival.dueNs / 1e6)).toEqual([
      0, 250, 500, 750,
    ]);
  });

  it('follow a ramp: a quarter of the starts in the first half', () => {
    const shape = new LoadShape(parseStages('0-1000:10s'));
    const due = [...arrivalsOf({ shape, process: 'even', seed: 1 })].map((arrival) => arrival.dueNs / 1e9);
    expect(due).toHaveLength(5_000);
    expect(due.filter((at) => at < 5).length).toBe(1_250);
    expect(due).toEqual(due.toSorted((a, b) => a - b));
  });

  it('as a Poisson process have counts whose variance is their mean', () => {
    const shape = new LoadShape(parseStages('200:100s'));
    const perSecond = new Array<number>(100).fill(0);
    for (const arrival of arrivalsOf({ shape, process: 'poisson', seed: 42 }))
      perSecond[Math.floor(arrival.dueNs / 1e9)]! += 1;
    const mean = perSecond.reduce((sum, count) => sum + count, 0) / 100;
    const variance = perSecond.reduce((sum, count) => sum + (count - mean) ** 2, 0) / 99;
    expect(mean).toBeGreaterThan(195);
    expect(mean).toBeLessThan(205);
    // The 0.1 % to 99.9 % range of a chi square with 99 degrees of freedom, over 99.
    expect(variance / mean).toBeGreaterThan(0.61);
    expect(variance / mean).toBeLessThan(1.5);
  });

  it('are the same for a seed whatever the number of threads', () => {
    const schedule = {
      shape: new LoadShape(parseStages('50:2s,100-10:2s')),
      process: 'poisson',
      seed: 9,
      count: 120,
    } as const;
    const alone = [...arrivalsOf(schedule)];
    const shared = [0, 1, 2].flatMap((part) => [...arrivalsOf(schedule, { part, of: 3 })]);
    expect(shared.toSorted((a, b) => a.index - b.index)).toEqual(alone);
    expect(alone.length).toBeGreaterThan(100);
    expect(alone.length).toBeLessThanOrEqual(120);
  });
});
