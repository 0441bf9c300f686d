/** What a session costs the server while others are open and idle beside it. */

import { randomBytes } from 'node:crypto';
import { assert } from '../../src/errors.ts';
import { monotonicNs, systemClock } from '../../src/load/clock.ts';
import { openDriver } from '../../src/load/driver.ts';
import { median } from '../../src/load/statistics.ts';
import { parseWorkload } from '../../src/load/workload.ts';
import { Actor } from '../actor.ts';
import type { Served, ServeParameters, ServerReading } from '../served.ts';
import { runSessions } from '../session-cost/served-process.ts';
import { tableLines } from '../table.ts';
import { loopbackSources } from './load-plan.ts';

/** Idle for as long as the bench lasts, and then some. */
const PATIENT = { 'idle-timeout-ms': 3_600_000, 'session-timeout-ms': 3_600_000 } as const;
/** Second ports beside those of the held leases. */
const PORTS_TO_SPARE = 256;
const CUSTOMERS = 16;
const AT_ONCE = 32;

export interface HeldLeasesSettings {
  readonly held: readonly number[];
  readonly warmUpSessions: number;
  readonly rounds: number;
  readonly sessions: number;
  readonly say: (words: string) => void;
}

export interface HeldLeasesRow {
  readonly held: number;
  /** The median of the rounds. */
  readonly cpuUsPerSession: number;
  readonly rounds: readonly number[];
  /** To the row with the fewest leases: the median of the ratios within each round. */
  readonly ratio: number;
}

interface Crowd {
  readonly held: number;
  readonly server: Actor;
  readonly session: () => Promise<void>;
  readonly costsUs: number[];
}

/** A server for each number of leases; all are measured in turn, the order turned from round to round. */
export async function measureHeldLeases(settings: HeldLeasesSettings): Promise<HeldLeasesRow[]> {
  const actors: Actor[] = [];
  try {
    const crowds: Crowd[] = [];
    for (const held of settings.held) {
      settings.say(`opening ${held} sessions that stay`);
      crowds.push(await openCrowd(held, settings, actors));
    }
    for (let round = 0; round < settings.rounds; round++) {
      settings.say(`round ${round + 1} of ${settings.rounds}`);
      for (const place of crowds.keys()) {
        const crowd = crowds[(place + round) % crowds.length]!;
        crowd.costsUs.push(await measure(crowd, settings.sessions));
      }
    }
    const least = crowds[0]!;
    return crowds.map(({ held, costsUs }) => ({
      held,
      cpuUsPerSession: median(costsUs),
      rounds: costsUs,
      ratio: median(costsUs.map((cost, round) => cost / least.costsUs[round]!)),
    }));
  } finally {
    await Promise.all(actors.map((actor) => actor.end()));
  }
}

async function openCrowd(held: number, settings: HeldLeasesSettings, actors: Actor[]): Promise<Crowd> {
  const server = new Actor(new URL('../served.ts', import.meta.url));
  actors.push(server);
  const parameters: ServeParameters = {
    configuration: { ...PATIENT, 'second-ports': { kind: 'system', count: held + PORTS_TO_SPARE } },
    customers: CUSTOMERS,
  };
  const served = await server.ask<Served>('serve', parameters);
  const holder = new Actor(new URL('./holder.ts', import.meta.url));
  actors.push(holder);
  const sources = loopbackSources(16);
  await holder.ask('hold', { customers: served.customers, sources, count: held });
  const crowd: Crowd = { held, server, session: await payments(served, sources), costsUs: [] };
  await measure(crowd, settings.warmUpSessions);
  return crowd;
}

/** Sessions with a payment each, by the load generator's own customers; every receipt is verified. */
async function payments({ customers }: Served, sources: readonly string[]): Promise<() => Promise<void>> {
  const clock = systemClock(monotonicNs());
  const driver = await openDriver(
    {
      customers,
      workload: parseWorkload('payment'),
      seed: 1,
      amount: '0.01',
      currency: 'EUR',
      runId: new Uint8Array(randomBytes(8)),
      sources,
    },
    clock,
  );
  const count = { sessions: 0 };
  return async () => {
    count.sessions += 1;
    const startNs = clock.nowNs();
    const end = await driver.operate({ index: count.sessions, intendedNs: startNs, startNs });
    assert(end.error === undefined && end.payments === 1, `a session ends with its payment, and not with ${end.error}`);
  };
}

/** CPU of the server a session, in microseconds, with all held leases still there before and after. */
async function measure({ server, held, session }: Crowd, sessions: number): Promise<number> {
  const before = await server.ask<ServerReading>('settle', { live: held, halfOpen: 0 });
  await runSessions(sessions, AT_ONCE, session);
  const wanted = { live: held, halfOpen: 0, sessions: before.sessions + sessions };
  const after = await server.ask<ServerReading>('settle', wanted);
  assert(after.sessions - before.sessions === sessions, 'the server saw every session, and no other');
  return (after.cpuUs - before.cpuUs) / sessions;
}

export function heldLeasesLines(rows: readonly HeldLeasesRow[], sessions: number): string[] {
  const cells = rows.map(({ held, cpuUsPerSession, rounds, ratio }) => [
    String(held),
    cpuUsPerSession.toFixed(0),
    Math.min(...rounds).toFixed(0),
    Math.max(...rounds).toFixed(0),
    ratio.toFixed(3),
  ]);
  return [
    `CPU of the server per session beside leases that are open and idle: ${rows[0]!.rounds.length} rounds of ${sessions} sessions, ${AT_ONCE} at a time`,
    '',
    ...tableLines(['leases held', 'µs, median', 'least', 'most', `of that at ${rows[0]!.held}`], cells, 0),
  ];
}
