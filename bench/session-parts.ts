/**
 * Where the server's CPU goes in a complete session, by thread and part.
 *
 *   npm run bench:parts [-- --quick] [--rounds 3] [--seconds 6] [--concurrency 64] [--group ffdhe3072] [--sampler perf|v8] [--json FILE]
 *
 * Each round is one closed loop of the load generator. Half of its time the threads' CPU is read from Linux' accounting, and nothing else
 * done; the other half the stacks of the threads are sampled: by perf where it is there, which sees what is on a processor, kernel and native
 * code included; else by V8's own profiler, which sees less (docs/PERFORMANCE.md). A thread's CPU is shared out by its samples' own time, so
 * the table adds up to the CPU of a session without the sampler's. Every receipt is verified, and every round's batches are printed.
 */
import { writeFileSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import type { GroupName } from '../src/crypto/index.ts';
import { assert } from '../src/errors.ts';
import { Actor } from './actor.ts';
import { load, loopbackSources } from './scaling/load-plan.ts';
import { batchesBetween } from './scaling/load-steps.ts';
import type { Served, ServeParameters, ServerReading } from './served.ts';
import {
  addRounds,
  COLUMNS,
  type CostTable,
  type CountedThread,
  costTable,
  countedProfiles,
} from './session-parts/cost-table.ts';
import { PARTS } from './session-parts/parts.ts';
import { PERF_FLAGS, perfWorks, recordThreads, removeMap } from './session-parts/perf-record.ts';
import type { ThreadProfile } from './session-parts/thread-profiles.ts';
import { tableLines } from './table.ts';

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    rounds: { type: 'string' },
    seconds: { type: 'string' },
    concurrency: { type: 'string', default: '64' },
    group: { type: 'string', default: 'ffdhe3072' },
    sampler: { type: 'string' },
    json: { type: 'string' },
  },
});
const sampler = values.sampler ?? (perfWorks() ? 'perf' : 'v8');
assert(sampler === 'perf' || sampler === 'v8', '--sampler is perf or v8');
const rounds = Number(values.rounds ?? (values.quick ? 1 : 3));
const seconds = Number(values.seconds ?? (values.quick ? 4 : 8));
const concurrency = Number(values.concurrency);
/** A round's load begins and ends with time that is not measured. */
const MARGIN_SECONDS = 1.5;
const WARM_UP_SECONDS = values.quick ? 5 : 15;
const CUSTOMERS = 64;
const SECOND_PORTS = 1_024;
/** Functions of "the rest" that are named. */
const UNKNOWN_SHOWN = 12;

async function round(server: Actor, served: Served): Promise<CostTable> {
  const plan = {
    load: { mode: 'closed', customersAtOnce: concurrency, seconds: 2 * seconds + 3 * MARGIN_SECONDS },
    warmupSeconds: 0,
    sources: loopbackSources(8),
  } as const;
  const running = load(served, plan);
  // Awaited below; until then its failure must not count as unhandled.
  running.catch(() => undefined);
  await wait(MARGIN_SECONDS * 1_000);
  const before = await server.ask<ServerReading>('read');
  await wait(seconds * 1_000);
  const after = await server.ask<ServerReading>('read');
  const counted = await (sampler === 'perf' ? recordThreads(served.pid, seconds) : profile());
  const { result } = await running;
  assert(result.failed === 0, `every session ends well, and not with ${JSON.stringify(result.errors)}`);
  assert(after.sessions > before.sessions, 'sessions were served while the CPU was read');
  return costTable(before, after, counted);
}

async function profile(): Promise<CountedThread[]> {
  await server.ask('profile');
  await wait(seconds * 1_000);
  return countedProfiles(await server.ask<ThreadProfile[]>('profiled'));
}

const server = new Actor(new URL('./served.ts', import.meta.url), sampler === 'perf' ? PERF_FLAGS : []);
const served = await server.ask<Served>('serve', {
  configuration: { groups: [values.group as GroupName], 'second-ports': { kind: 'system', count: SECOND_PORTS } },
  customers: CUSTOMERS,
} satisfies ServeParameters);
try {
  console.error('warming up');
  const warmUp = { mode: 'closed', customersAtOnce: concurrency, seconds: WARM_UP_SECONDS } as const;
  await load(served, { load: warmUp, warmupSeconds: 0, sources: loopbackSources(8) });
  const tables: CostTable[] = [];
  const begun = await server.ask<ServerReading>('settle', { live: 0, halfOpen: 0 });
  for (let count = 1; count <= rounds; count++) {
    console.error(`round ${count} of ${rounds}`);
    tables.push(await round(server, served));
  }
  const ended = await server.ask<ServerReading>('settle', { live: 0, halfOpen: 0 });
  report(addRounds(tables), batchesBetween(begun, ended));
} finally {
  await server.end();
  if (sampler === 'perf') removeMap(served.pid);
}

function report(table: CostTable, batches: ReturnType<typeof batchesBetween>): void {
  const us = (value: number | undefined): string => (value === undefined || value < 0.5 ? '' : value.toFixed(0));
  const total = Object.values(table.threadsUs).reduce((sum, value) => sum + value, 0);
  const rows = PARTS.map((part) => {
    const byThread = table.parts[part] ?? {};
    const all = COLUMNS.reduce((sum, column) => sum + (byThread[column] ?? 0), 0);
    return { part, byThread, all };
  }).sort((a, b) => b.all - a.all);
  const cells = rows.map(({ part, byThread, all }) => [
    part,
    ...COLUMNS.map((column) => us(byThread[column])),
    all.toFixed(0),
    `${((100 * all) / total).toFixed(0)} %`,
  ]);
  const sums = ['sum', ...COLUMNS.map((column) => us(table.threadsUs[column])), total.toFixed(0), '100 %'];
  console.log(
    `CPU of the server per session by part, µs: ${values.group}, ${concurrency} customers at once, ${rounds} rounds, sampled by ${sampler}, ${table.sessions} sessions, ` +
      `${Object.entries(table.samples)
        .map(([thread, count]) => (thread === 'lost' ? `${count} not unwound` : `${count} samples of ${thread}`))
        .join(', ')}\n`,
  );
  console.log(tableLines(['', ...COLUMNS, 'all', ''], [...cells, sums]).join('\n'));
  console.log(
    `\nbatches: ${batches.jobsPerBatch.toFixed(1)} jobs to a worker, ${(100 * batches.fullPassShare).toFixed(0)} % of the kernel's passes full, commits of ${batches.transactionsPerCommit.toFixed(1)}`,
  );
  const unknown = Object.entries(table.unknownUs).sort(([, a], [, b]) => b - a);
  console.log(`\nin "the rest", µs: ${unknown.length === 0 ? 'nothing' : ''}`);
  for (const [name, value] of unknown.slice(0, UNKNOWN_SHOWN)) console.log(`  ${value.toFixed(1).padStart(6)} ${name}`);
  if (values.json !== undefined) {
    const written = {
      benchmark: 'session-parts',
      node: process.version,
      group: values.group,
      concurrency,
      rounds,
      sampler,
    };
    writeFileSync(values.json, `${JSON.stringify({ ...written, totalUs: total, ...table, batches }, null, 2)}\n`);
  }
}
