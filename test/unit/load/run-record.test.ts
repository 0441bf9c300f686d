import { describe, expect, it } from 'vitest';
import {
  createHistogram,
  decodeHistogram,
  encodeHistogram,
  LATENCY_NS_MAX,
  percentileCurve,
  recordNs,
  summarize,
} from '../../../src/load/histogram.ts';
import { type RowBatch, RowWriter, readRows } from '../../../src/load/rows.ts';
import { intervalSecondsFor, RunRecord } from '../../../src/load/run-record.ts';
import type { OperationEnd } from '../../../src/load/scheduler.ts';

const MS = 1_000_000;
const S = 1_000 * MS;

function batchesOf(
  operations: readonly { at: number; lag?: number; took: number; end?: Partial<OperationEnd> }[],
): RowBatch[] {
  const batches: RowBatch[] = [];
  const writer = new RowWriter((batch) => batches.push(batch));
  operations.forEach(({ at, lag = 0, took, end }, index) => {
    writer.write({ index, intendedNs: at, startNs: at + lag }, { endNs: at + took, phases: [], payments: 0, ...end });
  });
  writer.flush();
  return batches;
}

describe('rows', () => {
  it('carry everything of an operation', () => {
    const [batch] = batchesOf([
      {
        at: 10,
        lag: 1,
        took: 100,
        end: {
          phases: [
            ['connect', 5],
            ['commit', 7],
            ['commit', 8],
          ],
          payments: 2,
        },
      },
      { at: 20, took: 50, end: { error: 'BUSY' } },
      { at: 30, took: 50, end: { error: 'TIMEOUT' } },
      { at: 40, took: 50, end: { error: 'BUSY' } },
    ]);
    const rows = [...readRows(batch!)];
    const phases: unknown[] = [];
    rows[0]!.forEachPhase((phase, ns) => phases.push([phase, ns]));
    expect(rows[0]).toMatchObject({ intendedNs: 10, startNs: 11, endNs: 110, error: undefined, payments: 2 });
    expect(phases).toEqual([
      ['connect', 5],
      ['commit', 7],
      ['commit', 8],
    ]);
    expect(rows.map((row) => row.error)).toEqual([undefined, 'BUSY', 'TIMEOUT', 'BUSY']);
  });

  it('split into batches at any size, and even a row larger than a batch arrives', () => {
    const long = Array.from({ length: 5_000 }, (_, i) => ['commit', i] as const);
    const batches = batchesOf([
      ...Array.from({ length: 3_000 }, (_, i) => ({ at: i, took: 1 })),
      { at: 3_000, took: 1, end: { phases: long } },
    ]);
    expect(batches.length).toBeGreaterThan(2);
    const rows = batches.flatMap((batch) => [...readRows(batch)]);
    expect(rows.map((row) => row.intendedNs)).toEqual(Array.from({ length: 3_001 }, (_, i) => i));
    let count = 0;
    rows.at(-1)!.forEachPhase(() => {
      count += 1;
    });
    expect(count).toBe(5_000);
  });
});

describe('a run record', () => {
  const settings = { beginNs: 0, warmupNs: S, intervalNs: S, keepIntervalHistograms: true };

  it('leaves the warm-up out of the result and in the series', () => {
    const record = new RunRecord(settings);
    for (const batch of batchesOf([
      { at: 0.5 * S, took: 900 * MS, end: { payments: 1 } },
      { at: 1.5 * S, took: 10 * MS, end: { payments: 1 } },
      { at: 2.5 * S, took: 20 * MS, end: { error: 'BUSY' } },
    ]))
      record.add(batch);
    expect(record.completed).toBe(1);
    expect(record.failed).toBe(1);
    expect(record.payments).toBe(1);
    expect(record.allPayments).toBe(2);
    expect(record.errors).toEqual({ BUSY: 1 });
    expect(record.histograms.get('whole')!.totalCount).toBe(1);
    expect(record.histograms.get('whole')!.maxValue / MS).toBeCloseTo(10, 1);
    expect(record.secondsToLastEnd).toBeCloseTo(1.52, 6);
    expect(
      record.intervals().map(({ atSeconds, due, completed, failed }) => [atSeconds, due, completed, failed]),
    ).toEqual([
      [-1, 1, 0, 0],
      [0, 1, 2, 0],
      [1, 1, 0, 1],
    ]);
  });

  it('fills gaps, closes intervals without losing anything, and keeps their histograms on demand', () => {
    const record = new RunRecord(settings);
    const [first, second] = [
      batchesOf([{ at: 1.1 * S, took: 10 * MS }])[0]!,
      batchesOf([
        { at: 1.2 * S, took: 30 * MS },
        { at: 4.2 * S, took: 5 * MS },
      ])[0]!,
    ];
    record.add(first);
    record.closeIntervals(2 * S);
    record.add(second);
    const intervals = record.intervals();
    expect(intervals.map((interval) => interval.completed)).toEqual([2, 0, 0, 1]);
    expect(intervals[0]!.phases.whole!.count).toBe(2);
    expect(intervals[0]!.phases.whole!.maxNs / MS).toBeCloseTo(30, 1);
    expect(decodeHistogram(intervals[3]!.phases.whole!.histogram!).totalCount).toBe(1);
  });

  it('counts arrivals that could not be started as failures with their code', () => {
    const record = new RunRecord(settings);
    record.addUnstarted(0.5 * S, 'NOT_STARTED');
    record.addUnstarted(1.5 * S, 'NOT_STARTED');
    expect(record.failed).toBe(1);
    expect(record.errors).toEqual({ NOT_STARTED: 1 });
  });

  it('cuts time into lengths that suit the run', () => {
    expect([5, 30, 60, 300, 3_600, 86_400].map(intervalSecondsFor)).toEqual([0.1, 0.5, 1, 5, 60, 1_800]);
  });
});

describe('histograms', () => {
  it('keep three digits from nanoseconds to an hour, and take what is beyond as an hour', () => {
    for (const ns of [1, 999, 1_000_003, 123_456_789, 59_999_999_999, LATENCY_NS_MAX]) {
      const histogram = createHistogram();
      recordNs(histogram, ns);
      expect(Math.abs(histogram.maxValue / ns - 1)).toBeLessThan(0.001);
    }
    const histogram = createHistogram();
    recordNs(histogram, 10 * LATENCY_NS_MAX);
    recordNs(histogram, -5);
    expect(histogram.totalCount).toBe(2);
    expect(histogram.maxValue / LATENCY_NS_MAX).toBeCloseTo(1, 2);
  });

  it('survive their encoding, and give the percentiles of what went in', () => {
    const histogram = createHistogram();
    for (let i = 1; i <= 100_000; i += 1) recordNs(histogram, i * 1_000);
    const back = decodeHistogram(encodeHistogram(histogram));
    const { percentiles, count } = summarize(back);
    expect(count).toBe(100_000);
    for (const [name, ns] of Object.entries(percentiles)) {
      expect(Math.abs(ns / (Number(name.slice(1)) * 1e6) - 1), name).toBeLessThan(0.002);
    }
    const curve = percentileCurve(back);
    expect(curve[0]).toMatchObject({ x: 1 });
    expect(curve.at(-1)!.x).toBeCloseTo(100_000, 0);
    expect(curve.map((point) => point.ns)).toEqual(curve.map((point) => point.ns).toSorted((a, b) => a - b));
    expect(percentileCurve(createHistogram())).toEqual([]);
  });
});
