/** Resident memory of a lease in each of its states, beside what Node needs for a bare listener and a bare connection. */

import { Actor } from '../actor.ts';
import type { Served, ServeParameters } from '../served.ts';
import { tableLines } from '../table.ts';
import { fitLine, type LineFit } from './line-fit.ts';
import { loopbackSources } from './load-plan.ts';
import type { MemoryReading } from './memory-reading.ts';

const CUSTOMERS = 4;
/** Few enough that the control's ports are all open before its first reading. */
const CONTROL_PORTS = 64;
/** Nobody is refused, and nothing expires, while the bench looks. */
const ROOMY = {
  'idle-timeout-ms': 3_600_000,
  'session-timeout-ms': 3_600_000,
  'lease-ms': 600_000,
  'half-open-max': 1_000_000,
  'half-open-per-host': 1_000_000,
  'half-open-per-network': 1_000_000,
} as const;

export interface MemorySettings {
  /** Ascending. */
  readonly counts: readonly number[];
  /** Before the first reading: code is compiled, and the heap has grown as far as sessions that come and go make it. */
  readonly warmUpSessions: number;
  readonly say: (words: string) => void;
}

export interface MemoryRow {
  readonly what: string;
  readonly readings: readonly (MemoryReading & { readonly count: number })[];
  /** Bytes of resident memory for each. */
  readonly rss: LineFit;
  /** Bytes of live objects of the main thread, with what they hold outside the heap. */
  readonly heap: LineFit;
}

/** What is counted, and how there come to be so many more of it. */
interface Subject {
  readonly what: string;
  readonly process: Actor;
  readonly grow: (by: number) => Promise<unknown>;
}

export async function measureMemory(settings: MemorySettings): Promise<MemoryRow[]> {
  const rows: MemoryRow[] = [];
  const subjects = [bareListeners, bareConnections, idleListeners, unclaimedLeases, liveSessions, pastSessions];
  for (const open of subjects) {
    const actors: Actor[] = [];
    try {
      const subject = await open(settings, actors);
      settings.say(`memory: ${subject.what}`);
      rows.push(await measure(subject, settings.counts));
    } finally {
      await Promise.all(actors.map((actor) => actor.end()));
    }
  }
  return rows;
}

async function measure({ what, process, grow }: Subject, counts: readonly number[]): Promise<MemoryRow> {
  const readings: (MemoryReading & { count: number })[] = [];
  for (const count of [0, ...counts]) {
    const already = readings.at(-1)?.count ?? 0;
    if (count > already) await grow(count - already);
    readings.push({ count, ...(await process.ask<MemoryReading>('memory')) });
  }
  const line = (of: (reading: MemoryReading) => number): LineFit =>
    fitLine(readings.map((reading) => ({ x: reading.count, y: of(reading) })));
  return { what, readings, rss: line(({ rssBytes }) => rssBytes), heap: line(({ heapBytes }) => heapBytes) };
}

function process(actors: Actor[], script: string): Actor {
  const actor = new Actor(new URL(script, import.meta.url), ['--expose-gc']);
  actors.push(actor);
  return actor;
}

async function bareListeners(_: MemorySettings, actors: Actor[]): Promise<Subject> {
  const bare = process(actors, './bare-sockets.ts');
  await bare.ask('listen', { count: 100 });
  return { what: 'bare node:net listener', process: bare, grow: (count) => bare.ask('listen', { count }) };
}

async function idleListeners(_: MemorySettings, actors: Actor[]): Promise<Subject> {
  const bare = process(actors, './bare-sockets.ts');
  await bare.ask('lease', { count: 100 });
  return { what: 'idle listener, its lease given back', process: bare, grow: (count) => bare.ask('lease', { count }) };
}

async function bareConnections(_: MemorySettings, actors: Actor[]): Promise<Subject> {
  const bare = process(actors, './bare-sockets.ts');
  const holder = process(actors, './holder.ts');
  const sources = loopbackSources(8);
  const port = await bare.ask<number>('port');
  const connected = { count: 0 };
  const grow = async (count: number): Promise<void> => {
    await holder.ask('connect', { port, count, sources });
    connected.count += count;
    await bare.ask('accepted', connected);
  };
  await grow(100);
  return { what: 'bare node:net connection', process: bare, grow };
}

interface Scene {
  readonly server: Actor;
  readonly holder: Actor;
  readonly request: (count: number) => object;
}

async function openScene(settings: MemorySettings, actors: Actor[], ports: number): Promise<Scene> {
  const server = process(actors, '../served.ts');
  const holder = process(actors, './holder.ts');
  const parameters: ServeParameters = {
    configuration: { ...ROOMY, 'second-ports': { kind: 'system', count: ports } },
    customers: CUSTOMERS,
  };
  const { customers } = await server.ask<Served>('serve', parameters);
  const sources = loopbackSources(16);
  const request = (count: number): object => ({ customers, sources, count });
  await holder.ask('visit', request(settings.warmUpSessions));
  await server.ask('settle', { live: 0, halfOpen: 0 });
  return { server, holder, request };
}

/** The control: sessions that came and went, of which nothing should stay. */
async function pastSessions(settings: MemorySettings, actors: Actor[]): Promise<Subject> {
  const { server, holder, request } = await openScene(settings, actors, CONTROL_PORTS);
  const grow = async (count: number): Promise<void> => {
    await holder.ask('visit', request(count));
    await server.ask('settle', { live: 0, halfOpen: 0 });
  };
  return { what: 'control: a session that was', process: server, grow };
}

async function unclaimedLeases(settings: MemorySettings, actors: Actor[]): Promise<Subject> {
  const { server, holder, request } = await openScene(settings, actors, settings.counts.at(-1)! + CONTROL_PORTS);
  const taken = { count: 0 };
  const grow = async (count: number): Promise<void> => {
    await holder.ask('offers', request(count));
    taken.count += count;
    await server.ask('settle', { live: 0, halfOpen: taken.count });
  };
  return { what: 'unclaimed lease', process: server, grow };
}

async function liveSessions(settings: MemorySettings, actors: Actor[]): Promise<Subject> {
  const { server, holder, request } = await openScene(settings, actors, settings.counts.at(-1)! + CONTROL_PORTS);
  const held = { count: 0 };
  const grow = async (count: number): Promise<void> => {
    await holder.ask('hold', request(count));
    held.count += count;
    await server.ask('settle', { live: held.count, halfOpen: 0 });
  };
  return { what: 'live session, idle', process: server, grow };
}

export function memoryLines(rows: readonly MemoryRow[]): string[] {
  const kB = (bytes: number): string => (bytes / 1_000).toFixed(2);
  const cells = rows.map(({ what, rss, heap, readings }) => [
    what,
    kB(rss.slope),
    `${(100 * rss.deviation).toFixed(0)} %`,
    kB(heap.slope),
    `${(readings.at(-1)!.rssBytes / 1e6).toFixed(0)} MB`,
  ]);
  const counts = rows[0]!.readings.map(({ count }) => count).join(', ');
  return [
    `memory for each, kB: the slope over ${counts} of them, after collections`,
    '',
    ...tableLines(['', 'resident', 'off the line by', 'heap, main thread', 'process at the most'], cells),
  ];
}
