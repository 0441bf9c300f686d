/** Throughput, latency, cost and batches of complete sessions against offered load, as shares of the capacity measured before. */

import { verifyLoad } from '../../src/cli/load/load-verification.ts';
import { type CapacityPoint, type CapacityResult, capacityPointOf, findCapacity } from '../../src/load/capacity.ts';
import type { LoadResult } from '../../src/load/load-result.ts';
import { Actor } from '../actor.ts';
import type { Served, ServeParameters, ServerReading } from '../served.ts';
import { tableLines } from '../table.ts';
import { load, loopbackSources, openLoop } from './load-plan.ts';
import { type BatchesReached, batchesBetween, loadSteps } from './load-steps.ts';

/** The capacity is the highest rate that keeps these. */
const THRESHOLDS = ['p99<250ms', 'errors<0.1%'];
const CUSTOMERS = 64;
/** Sessions at once while the server warms up, and while it is asked for as much as it gives. */
const CLOSED_LOOP = 64;
/** The search begins here, of what the closed loop reached. */
const SEARCH_BEGIN_SHARE = 0.7;
/** What is tried once more after a search, times its answer, and how many searches that may bring. */
const ABOVE = 1.25;
const SEARCHES_MAX = 2;
const SECOND_PORTS = 4_096;

export interface OfferedLoadSettings {
  readonly warmUpSeconds: number;
  readonly probeSeconds: number;
  readonly stepSeconds: number;
  /** Of the capacity. */
  readonly shares: readonly number[];
  /** The capacity is known to within this factor. */
  readonly precision: number;
  readonly say: (words: string) => void;
}

export interface LoadRow extends BatchesReached {
  readonly share: number;
  readonly offered: number;
  readonly reached: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly failed: number;
  readonly cpuUsPerSession: number;
  /** Why the generator doubts this row itself; empty when it does not. */
  readonly doubts: readonly string[];
}

export interface OfferedLoadResult {
  readonly closedLoopRate: number;
  readonly capacity: number;
  readonly capacityEnd: string;
  readonly rows: readonly LoadRow[];
  readonly verification: NonNullable<LoadResult['verification']>;
}

export async function measureOfferedLoad(settings: OfferedLoadSettings): Promise<OfferedLoadResult> {
  const server = new Actor(new URL('../served.ts', import.meta.url));
  const acknowledged: Uint8Array[] = [];
  try {
    const parameters: ServeParameters = {
      configuration: { 'second-ports': { kind: 'system', count: SECOND_PORTS } },
      customers: CUSTOMERS,
    };
    const served = await server.ask<Served>('serve', parameters);
    const sources = loopbackSources(8);
    const run = async (request: Omit<Parameters<typeof load>[1], 'sources'>) => {
      const before = await server.ask<ServerReading>('settle', { live: 0, halfOpen: 0 });
      const done = await load(served, { ...request, sources });
      acknowledged.push(...done.acknowledged);
      const after = await server.ask<ServerReading>('settle', { live: 0, halfOpen: 0 });
      return { result: done.result, before, after };
    };
    settings.say('warming up');
    const closed = await run({
      load: { mode: 'closed', customersAtOnce: CLOSED_LOOP, seconds: settings.warmUpSeconds },
      warmupSeconds: settings.warmUpSeconds / 2,
    });
    const closedLoopRate = closed.result.rate.reached;
    const probe = async (rate: number): Promise<CapacityPoint> => {
      const seconds = settings.probeSeconds;
      const { result } = await run({ load: openLoop(rate, seconds + 1), warmupSeconds: 1, thresholds: THRESHOLDS });
      // Latency counts from the intended start, so a generator that is late makes the capacity smaller, never larger.
      const point = { ...capacityPointOf(rate, result), passed: result.thresholds.every(({ passed }) => passed) };
      settings.say(`${rate.toFixed(0)} a second: ${point.passed ? 'kept' : point.words}`);
      return point;
    };
    const search = (startRate: number): Promise<CapacityResult> =>
      findCapacity({
        startRate,
        rateMax: closedLoopRate * 4,
        precision: settings.precision,
        stopped: () => false,
        probe,
      });
    let capacity = await search(closedLoopRate * SEARCH_BEGIN_SHARE);
    // A spell of the machine can end a search too low: then a rate well above is kept when it has passed, and the search begins there.
    for (let again = 0; again < SEARCHES_MAX; again++) {
      const above = capacity.rate * ABOVE;
      if (!(await probe(above)).passed) break;
      capacity = await search(above);
    }
    const rows: LoadRow[] = [];
    for (const { share, rate } of loadSteps(capacity.rate, settings.shares)) {
      settings.say(`${(share * 100).toFixed(0)} % of ${capacity.rate.toFixed(0)} a second`);
      rows.push(rowOf(share, await run({ load: openLoop(rate, settings.stepSeconds + 1), warmupSeconds: 1, seed: 2 })));
    }
    await server.ask('stop');
    const verification = await verifyLoad({ state: served.state }, served.customers, acknowledged);
    if (!verification.ledgerVerified || verification.found !== verification.acknowledged)
      throw new Error(verification.words);
    return { closedLoopRate, capacity: capacity.rate, capacityEnd: capacity.end, rows, verification };
  } finally {
    await server.end();
  }
}

function rowOf(
  share: number,
  {
    result,
    before,
    after,
  }: { readonly result: LoadResult; readonly before: ServerReading; readonly after: ServerReading },
): LoadRow {
  const { whole } = result.phases;
  if (whole === undefined) throw new Error('no session ended well');
  return {
    share,
    offered: result.rate.offered,
    reached: result.rate.reached,
    p50Ms: whole.percentiles.p50! / 1e6,
    p99Ms: whole.percentiles.p99! / 1e6,
    failed: result.failed,
    cpuUsPerSession: (after.cpuUs - before.cpuUs) / (after.sessions - before.sessions),
    ...batchesBetween(before, after),
    doubts: result.rejections.map(({ code }) => code),
  };
}

export function offeredLoadLines(result: OfferedLoadResult): string[] {
  const head = ['of capacity', 'offered/s', 'reached/s', 'p50 ms', 'p99 ms', 'failed', 'CPU µs/session'];
  const batches = ['jobs/batch', 'full passes', 'commit of', 'doubts'];
  const rows = result.rows.map((row) => [
    `${(row.share * 100).toFixed(0)} %`,
    row.offered.toFixed(0),
    row.reached.toFixed(0),
    row.p50Ms.toFixed(1),
    row.p99Ms.toFixed(1),
    row.failed.toFixed(0),
    row.cpuUsPerSession.toFixed(0),
    row.jobsPerBatch.toFixed(1),
    `${(row.fullPassShare * 100).toFixed(0)} %`,
    row.transactionsPerCommit.toFixed(1),
    row.doubts.join(' '),
  ]);
  return [
    `offered load: capacity ${result.capacity.toFixed(0)} sessions a second (${THRESHOLDS.join(', ')}; search: ${result.capacityEnd}),` +
      ` ${result.closedLoopRate.toFixed(0)} with ${CLOSED_LOOP} customers at once`,
    '',
    ...tableLines([...head, ...batches], rows),
    '',
    result.verification.words,
  ];
}
