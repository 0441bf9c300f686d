/** Starts operations: open loop (at their due times, whatever became of the earlier ones) or closed loop (a fixed number at once). */

import type { Arrival } from './arrivals.ts';
import type { Clock } from './clock.ts';
import type { Phase } from './phases.ts';

export interface OperationStart {
  /** Position among all operations of the run. */
  readonly index: number;
  /** When it was due, on the run's clock. Latency is counted from here. */
  readonly intendedNs: number;
  /** When it did start. */
  readonly startNs: number;
}

export interface OperationEnd {
  /** When the customer had its last answer, on the run's clock; holding a session open afterwards does not count. */
  readonly endNs: number;
  /** The code of what went wrong; absent when all went well. */
  readonly error?: string | undefined;
  /** Durations of the phases that were completed, without `whole` and `lag`; a phase may happen several times (`commit`). */
  readonly phases: readonly (readonly [phase: Phase, ns: number])[];
  /** Payments acknowledged by a verified receipt. */
  readonly payments: number;
}

/** One operation. It never rejects: what goes wrong is its `error`. */
export type Operate = (start: OperationStart) => Promise<OperationEnd>;

/** Receives what happens, in order of time. */
export interface Observer {
  started(start: OperationStart): void;
  ended(start: OperationStart, end: OperationEnd): void;
  /** An arrival that could not be started because `inFlightMax` operations were still under way. */
  unstarted(arrival: Arrival): void;
}

/** Ends the starting of operations; those under way go on. */
export interface Stop {
  readonly stopped: boolean;
  onStop(run: () => void): void;
}

export interface OpenLoop {
  readonly clock: Clock;
  readonly arrivals: Iterable<Arrival>;
  /** On the clock: when the schedule's time 0 is. */
  readonly beginNs: number;
  /** More than this many at once and an arrival is given up and counted: memory and descriptors are finite. */
  readonly inFlightMax: number;
  readonly operate: Operate;
  readonly observer: Observer;
  readonly stop: Stop;
}

/**
 * Starts every arrival at its due time or, when the thread was busy then, as soon as possible after it; each is measured from its
 * due time, so that a stall is seen by every operation that should have started during it (no coordinated omission; Gil Tene, "How
 * NOT to Measure Latency"). Resolves when all have ended.
 */
export function runOpenLoop(loop: OpenLoop): Promise<void> {
  const { clock, beginNs, observer, stop } = loop;
  const iterator = loop.arrivals[Symbol.iterator]();
  return new Promise((resolve) => {
    let inFlight = 0;
    let next = iterator.next();
    let cancel = (): void => {};
    const settle = (): void => {
      if (inFlight === 0 && (next.done === true || stop.stopped)) resolve();
    };
    const tick = (): void => {
      while (!stop.stopped && next.done !== true && beginNs + next.value.dueNs <= clock.nowNs()) {
        launch(next.value);
        next = iterator.next();
      }
      if (next.done !== true && !stop.stopped) cancel = clock.at(beginNs + next.value.dueNs, tick);
      settle();
    };
    const launch = (arrival: Arrival): void => {
      if (inFlight >= loop.inFlightMax) {
        observer.unstarted(arrival);
        return;
      }
      inFlight += 1;
      void perform(loop, arrival.index, beginNs + arrival.dueNs).then(() => {
        inFlight -= 1;
        settle();
      });
    };
    stop.onStop(() => {
      cancel();
      settle();
    });
    tick();
  });
}

export interface ClosedLoop {
  readonly clock: Clock;
  /** Operations under way at once. */
  readonly customers: number;
  /** On the clock: nothing starts before the first or at or after the second. */
  readonly beginNs: number;
  readonly endNs: number;
  /** Takes the next operation's index, or undefined when there are enough. */
  readonly nextIndex: () => number | undefined;
  readonly operate: Operate;
  readonly observer: Observer;
  readonly stop: Stop;
}

/**
 * Every customer starts its next operation when its last one has ended: the rate is what the server gives. A server that stalls is
 * then asked less, so these latencies say what a queue of this length feels like, not what a stream of independent customers does.
 */
export async function runClosedLoop(loop: ClosedLoop): Promise<void> {
  const { clock, stop } = loop;
  await new Promise<void>((resolve) => {
    const cancel = clock.at(loop.beginNs, resolve);
    stop.onStop(() => {
      cancel();
      resolve();
    });
  });
  const customer = async (): Promise<void> => {
    while (!stop.stopped && clock.nowNs() < loop.endNs) {
      const index = loop.nextIndex();
      if (index === undefined) return;
      await perform(loop, index, clock.nowNs());
    }
  };
  await Promise.all(Array.from({ length: loop.customers }, customer));
}

async function perform(
  loop: Pick<OpenLoop, 'clock' | 'operate' | 'observer'>,
  index: number,
  intendedNs: number,
): Promise<void> {
  const start: OperationStart = { index, intendedNs, startNs: loop.clock.nowNs() };
  loop.observer.started(start);
  loop.observer.ended(start, await loop.operate(start));
}

/** A stop that code can pull. */
export class StopSwitch implements Stop {
  readonly #listeners: (() => void)[] = [];
  #stopped = false;

  get stopped(): boolean {
    return this.#stopped;
  }

  onStop(run: () => void): void {
    if (this.#stopped) run();
    else this.#listeners.push(run);
  }

  pull(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    for (const run of this.#listeners.splice(0)) run();
  }
}
