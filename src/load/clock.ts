/** Time as the generator sees it: monotonic nanoseconds since an epoch of the run, shared by all its threads. */

export interface Clock {
  nowNs(): number;
  /** Calls `run` once, at `dueNs` or as soon after it as the clock can; the answer cancels it. */
  at(dueNs: number, run: () => void): () => void;
}

/** Now, on the machine's monotonic clock: what an epoch is made from. */
export function monotonicNs(): bigint {
  return process.hrtime.bigint();
}

/**
 * The machine's monotonic clock. Timers of Node fire on whole milliseconds, so a start comes up to about one millisecond
 * late, and never early; that delay is part of the latency (measured from the intended start) and shown as the phase `lag`.
 */
export function systemClock(epochNs: bigint): Clock {
  const nowNs = (): number => Number(process.hrtime.bigint() - epochNs);
  return {
    nowNs,
    at(dueNs, run) {
      const wait = (): NodeJS.Timeout => setTimeout(ring, Math.max(0, (dueNs - nowNs()) / 1e6));
      // Node's timers count in milliseconds of their own and can ring a fraction of one too soon.
      const ring = (): void => {
        if (nowNs() < dueNs) timer = wait();
        else run();
      };
      let timer = wait();
      return () => clearTimeout(timer);
    },
  };
}
