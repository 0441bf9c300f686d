import type { Clock } from '../../../src/load/clock.ts';

interface Alarm {
  readonly dueNs: number;
  readonly run: () => void;
}

/** A clock that a test moves: nothing waits, and time passes only between events. */
export class SimulatedClock implements Clock {
  readonly #alarms = new Set<Alarm>();
  #nowNs = 0;

  nowNs(): number {
    return this.#nowNs;
  }

  at(dueNs: number, run: () => void): () => void {
    const alarm = { dueNs, run };
    this.#alarms.add(alarm);
    return () => this.#alarms.delete(alarm);
  }

  /** Resolves when so much time has passed. */
  sleep(ns: number): Promise<void> {
    return new Promise((resolve) => this.at(this.#nowNs + ns, resolve));
  }

  /** The thread is busy: time passes, and nothing runs. */
  stall(ns: number): void {
    this.#nowNs += ns;
  }

  /** Runs alarm after alarm until `done` has resolved or nothing is left to wait for. */
  async runUntil(done: Promise<void>): Promise<void> {
    const state = { done: false };
    void done.then(() => {
      state.done = true;
    });
    for (;;) {
      // Everything that follows from the last alarm happens at its moment; a few turns of the microtask queue are enough for it.
      await new Promise((resolve) => setImmediate(resolve));
      if (state.done) return;
      const next = [...this.#alarms].sort((a, b) => a.dueNs - b.dueNs)[0];
      if (next === undefined) throw new Error('nothing is left to wait for, and the work has not ended');
      this.#alarms.delete(next);
      this.#nowNs = Math.max(this.#nowNs, next.dueNs);
      next.run();
    }
  }
}
