import { Worker } from 'node:worker_threads';
import type { FleetResult } from './fleet.ts';
import type { WorkerSettings } from './fleet-worker.ts';
import { SeededRandom } from './random.ts';

export interface RunOptions {
  readonly seed: number;
  readonly sessions: number;
  readonly workers: number;
  readonly bug: string | undefined;
  readonly onProgress: (totals: RunTotals) => void;
}

export interface RunTotals {
  fleets: number;
  sessions: number;
  events: number;
  virtualMs: number;
  readonly counts: Record<string, number>;
}

export interface RunResult {
  readonly totals: RunTotals;
  /** The first fleet, in the order of the run, that broke a promise. */
  readonly failure: FleetResult | undefined;
}

/** Fleets that a worker gets at a time: some tens of milliseconds of work each. */
const CHUNK = 2;

/** The seed of a run's n-th fleet. */
export function fleetSeed(seed: number, index: number): number {
  return new SeededRandom(Math.imul(seed, 0x9e3779b1) + index).u32();
}

/**
 * Runs fleets until they have begun so many sessions, or one breaks a promise. Results count in the order of the fleets, and those beyond the
 * last do not, so that the same seed gives the same totals with any number of workers.
 */
export async function runSimulation(options: RunOptions): Promise<RunResult> {
  const totals: RunTotals = { fleets: 0, sessions: 0, events: 0, virtualMs: 0, counts: {} };
  const early = new Map<number, readonly FleetResult[]>();
  const state = { nextChunk: 0, counted: 0, failure: undefined as FleetResult | undefined };
  const enough = (): boolean => state.failure !== undefined || totals.sessions >= options.sessions;

  const count = (chunk: number, results: readonly FleetResult[]): void => {
    early.set(chunk, results);
    for (let next = early.get(state.counted); next !== undefined; next = early.get(state.counted)) {
      early.delete(state.counted++);
      for (const result of next) {
        if (enough()) return;
        add(totals, result);
        if (result.violations.length > 0) state.failure = result;
      }
    }
    options.onProgress(totals);
  };

  const work = async (): Promise<void> => {
    const worker = new Worker(new URL('./fleet-worker.ts', import.meta.url), {
      workerData: { bug: options.bug } satisfies WorkerSettings,
    });
    try {
      while (!enough()) {
        const chunk = state.nextChunk++;
        const seeds = Array.from({ length: CHUNK }, (_, at) => fleetSeed(options.seed, chunk * CHUNK + at));
        count(chunk, await answerOf(worker, seeds));
      }
    } finally {
      await worker.terminate();
    }
  };
  await Promise.all(Array.from({ length: options.workers }, work));
  return { totals, failure: state.failure };
}

function answerOf(worker: Worker, seeds: readonly number[]): Promise<readonly FleetResult[]> {
  return new Promise((resolve, reject) => {
    worker.once('message', (results: readonly FleetResult[]) => {
      worker.off('error', reject);
      resolve(results);
    });
    worker.once('error', reject);
    worker.postMessage(seeds);
  });
}

function add(totals: RunTotals, { counts, events, virtualMs }: FleetResult): void {
  totals.fleets += 1;
  totals.sessions += counts.sessions ?? 0;
  totals.events += events;
  totals.virtualMs += virtualMs;
  for (const [what, times] of Object.entries(counts)) totals.counts[what] = (totals.counts[what] ?? 0) + times;
}
