/**
 * `npm run bench:dheat -- [--seconds 6] [--json FILE]`: honest customers pay at a tenth of capacity while an attacker floods at 1, 2 and 4
 * times capacity (the sessions a second whose offers and exponentiations the server can make at all), with the puzzle and without it. Told: the share of honest payments that still get their receipt within five seconds, the delay
 * of the server's event loop, and what an attack costs each side. Goals: at least 80 % of goodput, and 50 ms of delay (99th percentile).
 *
 * Server, attacker and customers share this machine's cores: an attacker of four times capacity takes CPU from the server that a real one
 * would have to bring along.
 */

import { writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { Actor } from '../actor.ts';
import type { FloodResult, Manner } from './flood.ts';
import type { HonestResult, Served } from './honest.ts';

interface ServerReading {
  readonly cpuMs: number;
  readonly loopDelayP50Ms: number;
  readonly loopDelayP99Ms: number;
  readonly loopDelayMaxMs: number;
  readonly jobs: number;
  readonly queued: number;
  readonly halfOpen: number;
}

interface Row {
  readonly puzzle: boolean;
  readonly times: number;
  readonly manner: Manner | 'no attack';
  readonly honest: HonestResult;
  readonly server: ServerReading;
  readonly flood: FloodResult | undefined;
  /** Paid of begun, over the same without an attack. */
  readonly goodputShare: number;
  /** CPU of the attacker a millisecond of CPU that its flood costs the server. */
  readonly costRatio: number | undefined;
}

const { values } = parseArgs({
  options: { seconds: { type: 'string', default: '6' }, json: { type: 'string' } },
});
const milliseconds = Number(values.seconds) * 1_000;

async function measure(puzzle: boolean, known?: number): Promise<{ capacity: number; rows: Row[] }> {
  const [server, customers, attacker] = ['served', 'honest', 'flood'].map(
    (name) => new Actor(new URL(`./${name}.ts`, import.meta.url)),
  ) as [Actor, Actor, Actor];
  try {
    const served = await server.ask<Served>('start', { puzzle });
    const capacity = known ?? (await findCapacity());
    const ratePerSecond = capacity / 10;
    await customers.ask('pay', { served, ratePerSecond, milliseconds: 1_000 }); // warms all three up
    const rows: Row[] = [];
    const quiet = await round(undefined, 0);
    rows.push({ ...quiet, goodputShare: 1, costRatio: undefined });
    for (const times of [1, 2, 4]) {
      for (const manner of puzzle
        ? (['ignores the puzzle', 'solves the puzzle'] as const)
        : (['ignores the puzzle'] as const)) {
        const row = await round(manner, times);
        const goodputShare = row.honest.paid / row.honest.begun / (quiet.honest.paid / quiet.honest.begun);
        const floodCostMs = row.server.cpuMs - (quiet.server.cpuMs * row.honest.paid) / quiet.honest.paid;
        // Below a twentieth of the whole it is the noise of two measurements.
        const costRatio = floodCostMs > row.server.cpuMs / 20 ? row.flood!.cpuMs / floodCostMs : undefined;
        rows.push({ ...row, goodputShare, costRatio });
        await calm();
      }
    }
    return { capacity, rows };

    async function round(manner: Manner | undefined, times: number): Promise<Omit<Row, 'goodputShare' | 'costRatio'>> {
      await server.ask('begin');
      const [honest, flood] = await Promise.all([
        customers.ask<HonestResult>('pay', { served, ratePerSecond, milliseconds }),
        manner === undefined
          ? undefined
          : attacker.ask<FloodResult>('flood', {
              port: served.port,
              ratePerSecond: times * capacity,
              milliseconds,
              manner,
            }),
      ]);
      const reading = await server.ask<ServerReading>('end');
      return { puzzle, times, manner: manner ?? 'no attack', honest, server: reading, flood };
    }

    /** Two jobs a session, as many as are made of more than there can be. */
    async function findCapacity(): Promise<number> {
      const flood = { port: served.port, ratePerSecond: 3_000, manner: 'ignores the puzzle' };
      await attacker.ask('flood', { ...flood, milliseconds: 1_000 });
      const before = await server.ask<ServerReading>('end');
      await attacker.ask('flood', { ...flood, milliseconds: 3_000 });
      const after = await server.ask<ServerReading>('end');
      await calm();
      return (after.jobs - before.jobs) / 2 / 3;
    }

    /** Until what the flood left has ended: leases live ten seconds. */
    async function calm(): Promise<void> {
      const deadline = performance.now() + 15_000;
      while (performance.now() < deadline) {
        const { halfOpen, live } = await server.ask<{ halfOpen: number; live: number }>('gauges');
        if (halfOpen + live === 0) return;
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    }
  } finally {
    await Promise.all([customers.end(), attacker.end()]);
    await server.end();
  }
}

function line(row: Row): string {
  const { honest, server, flood } = row;
  const cells = [
    row.puzzle ? 'yes' : 'no',
    row.times === 0 ? '-' : `${row.times}x`,
    row.manner === 'no attack' ? '-' : row.manner.split(' ')[0]!,
    flood === undefined ? '-' : String(Math.round((flood.begun * 1_000) / milliseconds)),
    flood === undefined ? '-' : String(flood.shares),
    flood === undefined ? '-' : String(flood.retries),
    `${honest.paid}/${honest.begun}`,
    `${(100 * row.goodputShare).toFixed(0)} %`,
    honest.p50Ms.toFixed(0),
    honest.p99Ms.toFixed(0),
    server.loopDelayP99Ms.toFixed(1),
    server.loopDelayMaxMs.toFixed(0),
    row.costRatio === undefined ? '-' : row.costRatio.toFixed(2),
  ];
  return cells.map((cell, index) => cell.padStart(WIDTHS[index]!)).join(' ');
}

const HEADS = [
  'puzzle',
  'flood',
  'manner',
  'HELLO/s',
  'shares',
  'retries',
  'honest paid',
  'goodput',
  'p50 ms',
  'p99 ms',
  'loop p99',
  'loop max',
  'att/srv CPU',
];
const WIDTHS = [6, 5, 8, 7, 7, 7, 12, 8, 7, 7, 9, 9, 11];

const without = await measure(false);
const results = [await measure(true, without.capacity), without];
console.log(
  `${availableParallelism()} cores shared by server, attacker and customers; capacity ${without.capacity.toFixed(0)} sessions/s of ffdhe3072 with ML-KEM-768`,
);
console.log(HEADS.map((head, index) => head.padStart(WIDTHS[index]!)).join(' '));
for (const row of results.flatMap(({ rows }) => rows)) console.log(line(row));
const attacked = results[0]!.rows.filter(({ times }) => times > 0);
const worst = Math.min(...attacked.map(({ goodputShare }) => goodputShare));
const slowest = Math.max(...attacked.map(({ server }) => server.loopDelayP99Ms));
console.log(
  `with the puzzle: goodput at least ${(100 * worst).toFixed(0)} % (goal 80), loop delay at most ${slowest.toFixed(1)} ms (goal 50)`,
);
if (values.json !== undefined)
  writeFileSync(
    values.json,
    `${JSON.stringify({ cores: availableParallelism(), milliseconds, results }, undefined, 2)}\n`,
  );
