/** Runs of the load generator (src/load) against a served process. */

import { randomBytes } from 'node:crypto';
import type { DriverSettings } from '../../src/load/driver.ts';
import { type LoadPlan, type LoadRun, runLoad } from '../../src/load/load-run.ts';
import { StopSwitch } from '../../src/load/scheduler.ts';
import { parseThreshold } from '../../src/load/thresholds.ts';
import { parseWorkload } from '../../src/load/workload.ts';
import type { Served } from '../served.ts';

/** Two, so that the generator is not at its end where the server is: a customer's share of a session costs as much as the server's. */
const GENERATOR_THREADS = 2;
/**
 * About a second's sessions. Where generator and server share the processors, more of them would be begun than are ever finished in time, and
 * the generator would be busy with those alone; what is due beyond it is counted as failed (NOT_STARTED).
 */
const IN_FLIGHT_MAX = 512;
const RUN_ID_BYTES = 8;
/** What an overloaded server and its customers say. Anything else that ends a session is a wrong result. */
const LOAD_CODES: ReadonlySet<string> = new Set(['BUSY', 'TIMEOUT', 'TRUNCATED', 'UNREACHABLE', 'NOT_STARTED']);

export interface LoadRequest {
  readonly load: LoadPlan['load'];
  readonly warmupSeconds: number;
  readonly sources: readonly string[];
  readonly thresholds?: readonly string[];
  readonly seed?: number;
}

/** Runs it; throws when a session ended in a way that load does not explain (a receipt that does not verify, for one). */
export async function load(served: Served, request: LoadRequest): Promise<LoadRun> {
  const seed = request.seed ?? 1;
  const workload = parseWorkload('payment');
  const settings: DriverSettings = {
    customers: served.customers,
    workload,
    seed,
    amount: '0.01',
    currency: 'EUR',
    runId: new Uint8Array(randomBytes(RUN_ID_BYTES)),
    sources: request.sources,
  };
  const run = await runLoad(
    {
      product: 'bench',
      target: `127.0.0.1:${served.port}`,
      workload: workload.text,
      load: request.load,
      count: undefined,
      warmupSeconds: request.warmupSeconds,
      seed,
      inFlightMax: IN_FLIGHT_MAX,
      customers: served.customers.length,
      sources: request.sources,
      thresholds: (request.thresholds ?? []).map(parseThreshold),
      driverUrl: new URL('../../src/load/driver.ts', import.meta.url).href,
      driverSettings: Array.from({ length: GENERATOR_THREADS }, () => settings),
      keepIntervalHistograms: false,
    },
    () => {},
    new StopSwitch(),
  );
  const wrong = Object.keys(run.result.errors).filter((code) => !LOAD_CODES.has(code));
  if (wrong.length > 0) throw new Error(`sessions went wrong: ${JSON.stringify(run.result.errors)}`);
  return run;
}

/** An even rate for a time, by independent customers. */
export function openLoop(rate: number, seconds: number): LoadPlan['load'] {
  return { mode: 'open', stages: [{ fromRate: rate, toRate: rate, seconds }], arrivals: 'poisson' };
}

/** Addresses of this machine to connect from: each has source ports of its own, and a closed connection keeps one for a minute. */
export function loopbackSources(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `127.0.0.${index + 2}`);
}
