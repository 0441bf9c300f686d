/** Puts together what Linux says a thread cost and what V8 says it did: microseconds of a session, by part and thread. */

import type { ServerReading } from '../served.ts';
import { KIND_CRYPTO, KIND_ENGINE, KIND_LEDGER, KIND_MAIN } from '../session-cost/thread-times.ts';
import type { PrintedPart } from './parts.ts';
import { countSamples, type SampleCounts, sharesOf } from './self-times.ts';
import type { ThreadName, ThreadProfile } from './thread-profiles.ts';

export const COLUMNS = ['main', 'crypto', 'ledger', 'engine', 'other'] as const;
export type Column = (typeof COLUMNS)[number];

const COLUMN_OF_KIND: Readonly<Record<string, Column>> = {
  [KIND_MAIN]: 'main',
  [KIND_CRYPTO]: 'crypto',
  [KIND_LEDGER]: 'ledger',
  [KIND_ENGINE]: 'engine',
};

type ByColumn = Partial<Record<Column, number>>;

export interface CostTable {
  readonly sessions: number;
  /** CPU of a session by thread, without the profiler. */
  readonly threadsUs: Readonly<Record<Column, number>>;
  readonly parts: Readonly<Partial<Record<PrintedPart, ByColumn>>>;
  /** Of "the rest", by function. */
  readonly unknownUs: Readonly<Record<string, number>>;
  readonly samples: Readonly<Record<string, number>>;
}

type Reading = Pick<ServerReading, 'sessions' | 'threadsUs'>;

/** What the samples of a thread, or of all crypto threads together, fell into. */
export interface CountedThread {
  readonly thread: ThreadName;
  readonly counts: SampleCounts;
  /** Samples of which nobody can say. */
  readonly lost?: number;
  /** CPU of the thread meanwhile, and how much of it a sample stands for: where samples do not see all of it, or more than it. */
  readonly explains?: { readonly cpuUs: number; readonly sampleUs: number };
}

/** Of V8's profiles. */
export function countedProfiles(profiles: readonly ThreadProfile[]): CountedThread[] {
  const counted = profiles.map(({ thread, profile, cpuUs }) => ({ thread, cpuUs, counts: countSamples(profile) }));
  // A crypto thread only computes: no event loop beside its tasks, no disk. What a sample stands for is told by it.
  const crypto = counted.filter(({ thread }) => thread === 'crypto');
  const sum = (of: (each: (typeof counted)[number]) => number): number =>
    crypto.reduce((all, each) => all + of(each), 0);
  const sampleUs = sum(({ cpuUs }) => cpuUs) / sum(({ counts }) => counts.busy);
  return counted.map(({ thread, cpuUs, counts }) =>
    thread === 'crypto' ? { thread, counts } : { thread, counts, explains: { cpuUs, sampleUs } },
  );
}

/** Several crypto threads count as one, each with the same weight: the pool gives them even shares. */
export function costTable(before: Reading, after: Reading, counted: readonly CountedThread[]): CostTable {
  const sessions = after.sessions - before.sessions;
  const threadsUs: Record<Column, number> = { main: 0, crypto: 0, ledger: 0, engine: 0, other: 0 };
  for (const [kind, us] of Object.entries(after.threadsUs))
    threadsUs[COLUMN_OF_KIND[kind] ?? 'other'] += (us - (before.threadsUs[kind] ?? 0)) / sessions;
  const parts: Partial<Record<PrintedPart, ByColumn>> = {
    'compiling and collecting beside': { engine: threadsUs.engine },
    'the rest': { other: threadsUs.other },
  };
  const unknownUs: Record<string, number> = {};
  const samples: Record<string, number> = {};
  for (const { thread, counts, lost, explains } of counted) {
    const { shares, unknown } = sharesOf(counts, explains);
    const weight = threadsUs[thread] / counted.filter((each) => each.thread === thread).length;
    for (const [part, share] of shares) {
      if (part === 'idle') continue;
      parts[part] ??= {};
      parts[part][thread] = (parts[part][thread] ?? 0) + share * weight;
    }
    for (const [name, share] of unknown) unknownUs[name] = (unknownUs[name] ?? 0) + share * weight;
    samples[thread] = (samples[thread] ?? 0) + counts.busy;
    if (lost !== undefined) samples.lost = (samples.lost ?? 0) + lost;
  }
  return { sessions, threadsUs, parts, unknownUs, samples };
}

/** The mean of rounds, each weighing the same. */
export function addRounds(tables: readonly CostTable[]): CostTable {
  const mean = <Key extends string>(of: (table: CostTable) => Readonly<Partial<Record<Key, number>>>) => {
    const sums: Partial<Record<Key, number>> = {};
    for (const table of tables)
      for (const [key, value] of Object.entries(of(table)) as [Key, number][])
        sums[key] = (sums[key] ?? 0) + value / tables.length;
    return sums;
  };
  const names = [...new Set(tables.flatMap(({ parts }) => Object.keys(parts) as PrintedPart[]))];
  const samples = mean((table) => table.samples) as Record<string, number>;
  return {
    sessions: tables.reduce((sum, table) => sum + table.sessions, 0),
    threadsUs: mean((table) => table.threadsUs) as Record<Column, number>,
    parts: Object.fromEntries(names.map((name) => [name, mean((table) => table.parts[name] ?? {})])),
    unknownUs: mean((table) => table.unknownUs) as Record<string, number>,
    samples: Object.fromEntries(
      Object.entries(samples).map(([key, value]) => [key, Math.round(value * tables.length)]),
    ),
  };
}
