/** Reads V8's CPU profiles: which part of a session the samples of a thread fell into. */

import { IDLE, OUTSIDE_JAVASCRIPT, type Part, partOf } from './parts.ts';

/** What is read of a .cpuprofile. */
export interface CpuProfile {
  readonly nodes: readonly ProfileNode[];
  /** Ids of nodes, in the order of time. */
  readonly samples: readonly number[];
}

export interface ProfileNode {
  readonly id: number;
  readonly callFrame: { readonly functionName: string; readonly url: string };
  readonly children?: readonly number[];
}

export interface ThreadShares {
  /** Of the thread's CPU; they add up to 1. */
  readonly shares: ReadonlyMap<Part, number>;
  /** Functions in "the rest", by their share of it all. */
  readonly unknown: ReadonlyMap<string, number>;
}

/** What fell where, by samples. A thread that waits for a processor is not sampled: each counts one, however long after the one before. */
export interface SampleCounts {
  readonly parts: ReadonlyMap<Part, number>;
  readonly unknown: ReadonlyMap<string, number>;
  /** Not idle. */
  readonly busy: number;
}

export function countSamples(profile: CpuProfile): SampleCounts {
  const nodes = partsOfNodes(profile.nodes);
  const parts = new Map<Part, number>();
  const unknown = new Map<string, number>();
  let busy = 0;
  for (const id of profile.samples) {
    const { part, name } = nodes.get(id)!;
    if (part === IDLE) continue;
    busy += 1;
    parts.set(part, (parts.get(part) ?? 0) + 1);
    if (part === 'the rest') unknown.set(name, (unknown.get(name) ?? 0) + 1);
  }
  return { parts, unknown, busy };
}

/**
 * Shares of a thread's CPU by self time. Where it is known how much CPU a sample stands for, the samples explain some of it:
 *
 * - less than all: V8 calls a thread idle from the moment its event loop turns to the system, so what the loop itself does (epoll, accept,
 *   read, waking other threads) is in no sample. The difference is that.
 * - more: the thread was sampled while it waited for the disk, which is SQLite's doing and no CPU. The difference is taken off SQLite.
 */
export function sharesOf(
  { parts, unknown, busy }: SampleCounts,
  explains?: { readonly cpuUs: number; readonly sampleUs: number },
): ThreadShares {
  if (busy === 0) return { shares: new Map(), unknown };
  const explained = explains === undefined ? 1 : (busy * explains.sampleUs) / explains.cpuUs;
  const counts = new Map(parts);
  const surplus = Math.max(0, busy * (1 - 1 / explained));
  const waited = Math.min(surplus, counts.get('SQLite') ?? 0);
  if (waited > 0) counts.set('SQLite', counts.get('SQLite')! - waited);
  const outside = Math.max(0, 1 - explained);
  const scale = (1 - outside) / (busy - waited);
  const scaled = <Key>(from: ReadonlyMap<Key, number>): Map<Key, number> =>
    new Map([...from].map(([key, count]) => [key, count * scale]));
  const shares = scaled(counts);
  if (outside > 0) shares.set(OUTSIDE_JAVASCRIPT, (shares.get(OUTSIDE_JAVASCRIPT) ?? 0) + outside);
  return { shares, unknown: scaled(unknown) };
}

/** Every node's part: its own, or its caller's where the table says so. */
function partsOfNodes(nodes: readonly ProfileNode[]): Map<number, { readonly part: Part; readonly name: string }> {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const callers = new Map(nodes.flatMap((node) => (node.children ?? []).map((child) => [child, node.id])));
  const parts = new Map<number, { readonly part: Part; readonly name: string }>();
  const of = (node: ProfileNode): { readonly part: Part; readonly name: string } => {
    const known = parts.get(node.id);
    if (known !== undefined) return known;
    const caller = byId.get(callers.get(node.id) ?? -1);
    const { functionName, url } = node.callFrame;
    const found = {
      part: partOf(functionName, url, () => (caller === undefined ? undefined : of(caller).part)),
      name: `${functionName === '' ? '(anonymous)' : functionName} ${url}`,
    };
    parts.set(node.id, found);
    return found;
  };
  for (const node of nodes) of(node);
  return parts;
}
