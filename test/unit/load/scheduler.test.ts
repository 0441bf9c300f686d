import { describe, expect, it } from 'vitest';
import { type Arrival, arrivalsOf } from '../../../src/load/arrivals.ts';
import { createHistogram, type Histogram, recordNs } from '../../../src/load/histogram.ts';
import { LoadShape, parseStages } from '../../../src/load/load-shape.ts';
import { type Observer, type Operate, runClosedLoop, runOpenLoop, StopSwitch } from '../../../src/load/scheduler.ts';
import { SimulatedClock } from './simulated-clock.ts';

const MS = 1_000_000;

class Watcher implements Observer {
  readonly fromIntended: Histogram = createHistogram();
  readonly fromStart: Histogram = createHistogram();
  readonly unstartedArrivals: Arrival[] = [];
  started(): void {
    this.startCount += 1;
  }
  ended(start: { readonly intendedNs: number; readonly startNs: number }, end: { readonly endNs: number }): void {
    recordNs(this.fromIntended, end.endNs - start.intendedNs);
    recordNs(this.fromStart, end.endNs - start.startNs);
  }
  unstarted(arrival: Arrival): void {
    this.unstartedArrivals.push(arrival);
  }
  startCount = 0;
}

/** A server that answers in 1 ms, but not at all between two moments: then everyone waits for the end of the stall. */
function stallingServer(clock: SimulatedClock, stallFromNs: number, stallToNs: number): Operate {
  return async () => {
    const now = clock.nowNs();
    const stalled = now >= stallFromNs && now < stallToNs;
    await clock.sleep((stalled ? stallToNs - now : 0) + MS);
    return { endNs: clock.nowNs(), phases: [], payments: 0 };
  };
}

describe('the open loop', () => {
  it('starts each arrival when it is due and measures from there', async () => {
    const clock = new SimulatedClock();
    const watcher = new Watcher();
    const shape = new LoadShape(parseStages('100:1s'));
    await clock.runUntil(
      runOpenLoop({
        clock,
        arrivals: arrivalsOf({ shape, process: 'even', seed: 1 }),
        beginNs: 5 * MS,
        inFlightMax: 10,
        operate: stallingServer(clock, -1, -1),
        observer: watcher,
        stop: new StopSwitch(),
      }),
    );
    expect(watcher.startCount).toBe(100);
    expect(clock.nowNs()).toBe(5 * MS + 990 * MS + MS);
    expect(watcher.fromIntended.maxValue / MS).toBeCloseTo(1, 2);
  });

  it('does not omit what a stall would have hit, as a closed loop does', async () => {
    const shape = new LoadShape(parseStages('1000:10s'));
    const openClock = new SimulatedClock();
    const open = new Watcher();
    await openClock.runUntil(
      runOpenLoop({
        clock: openClock,
        arrivals: arrivalsOf({ shape, process: 'even', seed: 1 }),
        beginNs: 0,
        inFlightMax: 10_000,
        operate: stallingServer(openClock, 5_000 * MS, 6_000 * MS),
        observer: open,
        stop: new StopSwitch(),
      }),
    );
    const closedClock = new SimulatedClock();
    const closed = new Watcher();
    const budget = { left: 20_000 };
    await closedClock.runUntil(
      runClosedLoop({
        clock: closedClock,
        customers: 1,
        beginNs: 0,
        endNs: 10_000 * MS,
        nextIndex: () => (budget.left-- > 0 ? budget.left : undefined),
        operate: stallingServer(closedClock, 5_000 * MS, 6_000 * MS),
        observer: closed,
        stop: new StopSwitch(),
      }),
    );
    // A tenth of all customers came during the stall and waited half a second in the middle: the open loop says so at p95 and p99.
    expect(open.fromIntended.totalCount).toBe(10_000);
    expect(open.fromIntended.getValueAtPercentile(95) / MS).toBeGreaterThan(450);
    expect(open.fromIntended.getValueAtPercentile(99) / MS).toBeGreaterThan(850);
    // The closed loop had one operation in the stall: its p99 knows nothing of it.
    expect(closed.fromIntended.getValueAtPercentile(99) / MS).toBeLessThan(1.1);
    expect(closed.fromIntended.maxValue / MS).toBeGreaterThan(1_000);
  });

  it('counts its own delay into the latency: a busy generator cannot flatter the server', async () => {
    const clock = new SimulatedClock();
    const watcher = new Watcher();
    const shape = new LoadShape(parseStages('100:1s'));
    const operate: Operate = async ({ index }) => {
      if (index === 50) clock.stall(300 * MS);
      await clock.sleep(MS);
      return { endNs: clock.nowNs(), phases: [], payments: 0 };
    };
    await clock.runUntil(
      runOpenLoop({
        clock,
        arrivals: arrivalsOf({ shape, process: 'even', seed: 1 }),
        beginNs: 0,
        inFlightMax: 100,
        operate,
        observer: watcher,
        stop: new StopSwitch(),
      }),
    );
    expect(watcher.startCount).toBe(100);
    expect(watcher.fromIntended.getValueAtPercentile(90) / MS).toBeGreaterThan(190);
    // Measured from the real start, thirty late operations would look like one.
    expect(watcher.fromStart.getValueAtPercentile(90) / MS).toBeLessThan(2);
  });

  it('gives up arrivals beyond the limit of operations at once, and says which', async () => {
    const clock = new SimulatedClock();
    const watcher = new Watcher();
    const shape = new LoadShape(parseStages('1000:100ms'));
    await clock.runUntil(
      runOpenLoop({
        clock,
        arrivals: arrivalsOf({ shape, process: 'even', seed: 1 }),
        beginNs: 0,
        inFlightMax: 10,
        operate: stallingServer(clock, 0, 50 * MS),
        observer: watcher,
        stop: new StopSwitch(),
      }),
    );
    expect(watcher.startCount + watcher.unstartedArrivals.length).toBe(100);
    expect(watcher.unstartedArrivals.map((arrival) => arrival.index)).toEqual(
      Array.from({ length: 41 }, (_, i) => i + 10),
    );
  });

  it('ends early when stopped, after what is under way', async () => {
    const clock = new SimulatedClock();
    const watcher = new Watcher();
    const stop = new StopSwitch();
    clock.at(500 * MS, () => stop.pull());
    await clock.runUntil(
      runOpenLoop({
        clock,
        arrivals: arrivalsOf({ shape: new LoadShape(parseStages('100:10s')), process: 'even', seed: 1 }),
        beginNs: 0,
        inFlightMax: 100,
        operate: stallingServer(clock, 400 * MS, 700 * MS),
        observer: watcher,
        stop,
      }),
    );
    expect(watcher.startCount).toBeGreaterThanOrEqual(50);
    expect(watcher.startCount).toBeLessThanOrEqual(51);
    expect(watcher.fromIntended.totalCount).toBe(watcher.startCount);
    expect(clock.nowNs()).toBe(701 * MS);
  });
});

describe('the closed loop', () => {
  it('keeps the number of operations at once, and the count', async () => {
    const clock = new SimulatedClock();
    const watcher = new Watcher();
    const state = { now: 0, most: 0, next: 0 };
    await clock.runUntil(
      runClosedLoop({
        clock,
        customers: 7,
        beginNs: 10 * MS,
        endNs: Number.POSITIVE_INFINITY,
        nextIndex: () => (state.next < 100 ? state.next++ : undefined),
        operate: async () => {
          state.now += 1;
          state.most = Math.max(state.most, state.now);
          await clock.sleep(MS);
          state.now -= 1;
          return { endNs: clock.nowNs(), phases: [], payments: 0 };
        },
        observer: watcher,
        stop: new StopSwitch(),
      }),
    );
    expect(state.most).toBe(7);
    expect(watcher.startCount).toBe(100);
    // 15 rounds of 7, the first at 10 ms.
    expect(clock.nowNs()).toBe(25 * MS);
  });

  it('starts nothing after the end', async () => {
    const clock = new SimulatedClock();
    const watcher = new Watcher();
    await clock.runUntil(
      runClosedLoop({
        clock,
        customers: 2,
        beginNs: 0,
        endNs: 10 * MS,
        nextIndex: () => 0,
        operate: stallingServer(clock, -1, -1),
        observer: watcher,
        stop: new StopSwitch(),
      }),
    );
    expect(watcher.startCount).toBe(20);
  });
});
