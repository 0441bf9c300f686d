import { readdirSync, readFileSync } from 'node:fs';

/** CPU time of this process by kind of thread, in microseconds, from Linux' accounting (ticks of 10 ms); empty elsewhere. */
export type ThreadTimes = Readonly<Record<string, number>>;

const TICK_US = 10_000;
export const KIND_MAIN = 'main thread: sockets, state machines, records, messages';
export const KIND_LEDGER = 'ledger thread: SQLite, receipts';
export const KIND_CRYPTO = 'crypto threads: exponentiation, ML-KEM, offers signed, key schedule';
export const KIND_ENGINE = 'engine: compiling and collecting beside';
/** Kinds by the name that the thread has in /proc. */
const KINDS: readonly (readonly [pattern: RegExp, kind: string])[] = [
  [/^ledger/, KIND_LEDGER],
  [/^WorkerThread/, KIND_CRYPTO],
  [/^(node-)?V8Worker/, KIND_ENGINE],
];
const OTHER = 'other threads of the runtime';

export function threadTimes(): ThreadTimes {
  const times: Record<string, number> = {};
  for (const thread of threadsOf('/proc/self/task')) {
    const name = readFileSync(`/proc/self/task/${thread}/comm`, 'utf8').trim();
    const stat = readFileSync(`/proc/self/task/${thread}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const kind =
      thread === String(process.pid) ? KIND_MAIN : (KINDS.find(([pattern]) => pattern.test(name))?.[1] ?? OTHER);
    times[kind] = (times[kind] ?? 0) + (Number(fields[11]) + Number(fields[12])) * TICK_US;
  }
  return times;
}

function threadsOf(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return []; // not Linux
  }
}
