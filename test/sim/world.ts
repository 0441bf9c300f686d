import type { SeededRandom } from './random.ts';

/** Something that will happen; `cancel` calls it off. */
export interface Planned {
  readonly atMs: number;
  readonly order: number;
  run: (() => void) | undefined;
}

/** A fleet takes some ten thousand events; more means that something never comes to rest. */
const EVENTS_MAX = 2_000_000;

/** Virtual time: events in the order of their time, as far apart as the seed says, and no time at all in between. */
export class World {
  readonly random: SeededRandom;
  /** Milliseconds since the fleet began. No clock of the machine is ever looked at. */
  nowMs = 0;
  events = 0;
  /** How often each kind of thing happened. */
  readonly counts: Record<string, number> = {};
  readonly #trace: ((line: string) => void) | undefined;
  readonly #heap: Planned[] = [];
  #order = 0;
  #promises = false;
  #halted = false;

  constructor(random: SeededRandom, trace?: (line: string) => void) {
    this.random = random;
    this.#trace = trace;
  }

  count(what: string, times = 1): void {
    this.counts[what] = (this.counts[what] ?? 0) + times;
  }

  /** For a person who looks at one fleet. */
  tell(line: () => string): void {
    this.#trace?.(`${this.nowMs.toFixed(3).padStart(12)}  ${line()}`);
  }

  after(ms: number, run: () => void): Planned {
    const planned: Planned = { atMs: this.nowMs + ms, order: this.#order++, run };
    this.#push(planned);
    return planned;
  }

  /** An event that settles a promise says so: what hangs on the promise goes on before time does. */
  touchPromises(): void {
    this.#promises = true;
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.after(ms, () => {
        this.touchPromises();
        resolve();
      });
    });
  }

  /** Nothing happens any more. */
  halt(): void {
    this.#halted = true;
  }

  /** Lets everything happen; fulfilled when nothing is left. */
  async run(): Promise<void> {
    await allPromises();
    for (;;) {
      const next = this.#pop();
      if (next === undefined) {
        await allPromises();
        if (this.#heap.length === 0) return;
        continue;
      }
      if (next.run === undefined) continue;
      this.nowMs = next.atMs;
      if (++this.events > EVENTS_MAX) throw new Error(`after ${EVENTS_MAX} events the fleet does not come to rest`);
      next.run();
      if (this.#promises) {
        this.#promises = false;
        await allPromises();
      }
      if (this.#halted) return;
    }
  }

  #push(planned: Planned): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(planned);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(planned, heap[parent]!)) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = planned;
  }

  #pop(): Planned | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (first === undefined || last === undefined || heap.length === 0) return first;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++;
      if (!isBefore(heap[child]!, last)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
    return first;
  }
}

/** Everything that hangs on settled promises goes on, and may plan more. */
function allPromises(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

export function cancel(planned: Planned | undefined): void {
  if (planned !== undefined) planned.run = undefined;
}

function isBefore(a: Planned, b: Planned): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}
