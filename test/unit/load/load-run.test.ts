import { describe, expect, it } from 'vitest';
import { arrivalsOf } from '../../../src/load/arrivals.ts';
import { readLoadResult } from '../../../src/load/load-result.ts';
import { LoadShape, parseStages } from '../../../src/load/load-shape.ts';
import { StopSwitch } from '../../../src/load/scheduler.ts';
import { rehearse } from './rehearsal.ts';

/** Real generator threads and a real clock; nothing here depends on how fast the machine is. */
describe('a load run', () => {
  it('offers exactly its schedule, in several threads, and its result is a valid file', async () => {
    const result = await rehearse({ stages: '100:500ms,100-400:500ms', threads: 2, warmupSeconds: 0.25 });
    const shape = new LoadShape(parseStages('100:500ms,100-400:500ms'));
    const due = [...arrivalsOf({ shape, process: 'poisson', seed: 7 })].filter((arrival) => arrival.dueNs >= 0.25e9);
    expect(result.due).toBe(due.length);
    expect(result.started).toBe(due.length);
    expect(result.completed).toBe(due.length);
    expect(result.payments).toBe(due.length);
    expect(result.phases.whole!.count).toBe(due.length);
    expect(result.phases.commit!.count).toBe(due.length);
    expect(result.intervals.reduce((sum, interval) => sum + interval.due, 0)).toBeGreaterThan(due.length);
    expect(result.rate.offered).toBeCloseTo(due.length / 0.75, 3);
    expect(result.thresholds.map((each) => each.text)).toEqual(['p99<200ms', 'errors<1%']);
    expect(readLoadResult(JSON.parse(JSON.stringify(result)), 'x')).toEqual(result);
  });

  it('counts errors by code and fails the threshold that is broken', async () => {
    const result = await rehearse({ stages: '200:500ms', settings: { failEvery: 10 } });
    expect(Object.keys(result.errors)).toEqual(['BUSY']);
    expect(result.failed).toBe(result.errors.BUSY);
    expect(result.failed).toBeGreaterThan(5);
    expect(result.phases.whole!.count).toBe(result.completed);
    expect(result.thresholds[1]).toMatchObject({ text: 'errors<1%', passed: false });
  });

  it('shows a stall of the server to everyone who came in it', async () => {
    const result = await rehearse({ stages: '200:1s', settings: { meanMs: 0, stallMs: [300, 800] } });
    expect(result.phases.whole!.percentiles.p90! / 1e6).toBeGreaterThan(300);
    expect(result.phases.whole!.percentiles.p50! / 1e6).toBeLessThan(400);
  });

  it('rejects itself when its own thread is the limit', async () => {
    const result = await rehearse({ stages: '500:1s', settings: { burnMs: 4 } });
    const codes = result.rejections.map((rejection) => rejection.code);
    expect(codes).toContain('EVENT_LOOP_SATURATED');
    expect(codes).toContain('STARTS_LATE');
    // Twice the work that fits: the last operations start as late as the backlog is long.
    expect(result.phases.lag!.maxNs / 1e6).toBeGreaterThan(500);
  });

  it('rejects itself when source ports ran out', async () => {
    const result = await rehearse({ stages: '200:300ms', settings: { failEvery: 20, error: 'EADDRNOTAVAIL' } });
    expect(result.rejections.map((rejection) => rejection.code)).toContain('SOURCE_PORTS');
  });

  it('rejects itself when the rate was not offered', async () => {
    const result = await rehearse({ stages: '200:500ms', inFlightMax: 5, settings: { stallMs: [0, 400] } });
    expect(result.rejections.map((rejection) => rejection.code)).toContain('RATE_NOT_OFFERED');
    expect(result.errors.NOT_STARTED).toBe(result.due - result.started);
  });

  it('runs a closed loop of a count over several threads', async () => {
    const result = await rehearse({
      load: { mode: 'closed', customersAtOnce: 5, seconds: 30 },
      count: 101,
      threads: 2,
    });
    expect(result.completed).toBe(101);
    expect(result.settings).toMatchObject({ mode: 'closed', customersAtOnce: 5, arrivals: null });
    expect(result.seconds).toBeLessThan(30);
  });

  it('ends when stopped, with the result of what was done', async () => {
    const stop = new StopSwitch();
    const seen: number[] = [];
    const result = await rehearse({ stages: '200:60s' }, stop, (status) => {
      seen.push(status.started);
      if (status.record.completed > 20) stop.pull();
    });
    expect(result.interrupted).toBe(true);
    expect(result.completed).toBeGreaterThan(20);
    expect(result.completed).toBe(result.due);
    expect(result.seconds).toBeLessThan(30);
    expect(seen.at(-1)).toBeGreaterThan(0);
  });

  it('fails as a whole when a thread fails', async () => {
    await expect(rehearse({ threads: 2, settings: { breakInThread: true } })).rejects.toThrow('could not be opened');
  });
});

describe('a stored result', () => {
  it('that is newer, foreign or broken is refused with the reason', async () => {
    const result = await rehearse({ stages: '100:200ms' });
    const document = JSON.parse(JSON.stringify(result)) as Record<string, unknown>;
    expect(() => readLoadResult({ ...document, version: 2 }, 'run.json')).toThrow('version 2');
    expect(() => readLoadResult({ ...document, completed: -1 }, 'run.json')).toThrow(
      'run.json is no load result: completed',
    );
    expect(() => readLoadResult(null, 'run.json')).toThrow(expect.objectContaining({ code: 'BAD_FILE' }));
  });
});
