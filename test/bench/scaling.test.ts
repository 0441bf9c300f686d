import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BENCHMARKS, chosenBenchmarks } from '../../bench/benchmark-list.ts';
import { fitLine } from '../../bench/scaling/line-fit.ts';
import { batchesBetween, loadSteps } from '../../bench/scaling/load-steps.ts';
import { tableLines } from '../../bench/table.ts';

describe('a line through points', () => {
  it('is the one that the points lie on', () => {
    const number = fc.integer({ min: -1_000, max: 1_000 });
    fc.assert(
      fc.property(number, number, fc.uniqueArray(number, { minLength: 2, maxLength: 8 }), (slope, intercept, xs) => {
        const line = fitLine(xs.map((x) => ({ x, y: slope * x + intercept })));
        expect(line.slope).toBeCloseTo(slope, 6);
        expect(line.intercept).toBeCloseTo(intercept, 3);
      }),
    );
  });

  it('is the least squares’, worked out by hand', () => {
    // Means 2 and 2; sums of products 3 and of squares 2: 1.5 x - 1.
    const line = fitLine([
      { x: 1, y: 1 },
      { x: 2, y: 1 },
      { x: 3, y: 4 },
    ]);
    expect(line).toEqual({
      slope: expect.closeTo(1.5),
      intercept: expect.closeTo(-1),
      deviation: expect.closeTo(1 / 3),
    });
  });

  it('says how far off the points are, as a share of the rise', () => {
    expect(fitLine([0, 100, 200].map((x) => ({ x, y: 3 * x + 7 }))).deviation).toBeCloseTo(0);
    expect(
      fitLine([
        { x: 0, y: 0 },
        { x: 100, y: 200 },
        { x: 200, y: 200 },
      ]).deviation,
    ).toBeGreaterThan(0.3);
  });

  it('is none through one point', () => {
    expect(() => fitLine([{ x: 1, y: 1 }])).toThrow(/two points/);
    expect(() =>
      fitLine([
        { x: 1, y: 1 },
        { x: 1, y: 2 },
      ]),
    ).toThrow(/two points/);
  });
});

describe('the loads of a curve', () => {
  it('are shares of the capacity, ascending, each once', () => {
    expect(loadSteps(400, [1.2, 0.1, 1, 0.1])).toEqual([
      { share: 0.1, rate: 40 },
      { share: 1, rate: 400 },
      { share: 1.2, rate: 480 },
    ]);
  });

  it('are none without a capacity', () => {
    expect(() => loadSteps(0, [1])).toThrow(/capacity/);
    expect(() => loadSteps(Number.NaN, [1])).toThrow(/capacity/);
  });

  it('come with the batches that they made', () => {
    const before = {
      crypto: { batches: 10, jobs: 10, passes: 10, fullPasses: 0 },
      ledger: { commits: 5, committed: 5 },
    };
    const after = {
      crypto: { batches: 14, jobs: 30, passes: 20, fullPasses: 8 },
      ledger: { commits: 7, committed: 15 },
    };
    expect(batchesBetween(before, after)).toEqual({ jobsPerBatch: 5, fullPassShare: 0.8, transactionsPerCommit: 5 });
  });
});

describe('what npm run bench runs', () => {
  it('is everything, or what is named, in the order of the list', () => {
    expect(chosenBenchmarks('parts, kernels').map(({ name }) => name)).toEqual(['kernels', 'parts']);
    expect(chosenBenchmarks(BENCHMARKS.map(({ name }) => name).join())).toEqual(BENCHMARKS);
  });

  it('is nothing when a name is wrong', () => {
    expect(() => chosenBenchmarks('kernels,speed')).toThrow(/speed.*kernels, inside/);
  });
});

describe('a printed table', () => {
  it('has names to the left and numbers to the right', () => {
    expect(
      tableLines(
        ['name', 'µs'],
        [
          ['a', '1000'],
          ['longer', '2'],
        ],
      ),
    ).toEqual(['name      µs', 'a       1000', 'longer     2']);
  });
});
