import { CoverageProbe, classOf } from './coverage.ts';
import { Dice, mutate, neighbours } from './mutations.ts';

/** Something that reads bytes from strangers. `run` throws when one of its laws is broken, and only then. */
export interface FuzzTarget {
  readonly name: string;
  readonly seeds: readonly Uint8Array[];
  /** Pieces of its language. */
  readonly words?: readonly string[];
  readonly bytesMax?: number;
  run(input: Uint8Array): void;
}

export interface FuzzOptions {
  readonly milliseconds: number;
  readonly seed: number;
  /** Inputs of earlier runs. */
  readonly corpus?: readonly Uint8Array[];
  /** Scripts whose coverage counts. */
  readonly observed: (url: string) => boolean;
  /** Inputs that run between two looks at the coverage. */
  readonly batch?: number;
  /** Without it nothing guides the mutations: for the control experiment. */
  readonly guided?: boolean;
}

export interface FuzzFinding {
  readonly input: Buffer;
  readonly error: Error;
}

export interface FuzzResult {
  readonly executions: number;
  /** Places of the observed code that ran, with classes of counts. */
  readonly places: number;
  /** Every input that reached a place no other one had reached, the seeds first. */
  readonly corpus: readonly Buffer[];
  readonly finding: FuzzFinding | undefined;
}

/** A look at the coverage costs about a millisecond, a decoder a few microseconds. */
const BATCH = 128;
/** One input in so many is looked at alone although its batch reached no new place: it may have gone round a loop more often than any. */
const ALONE = 32;
const BYTES_MAX = 4_096;

/**
 * Coverage-guided fuzzing of one target: mutates inputs that are known, keeps those that reach new places, stops at the first broken law or
 * when its time is over. A whole batch is looked at together; when something in it was new, its inputs run again one by one.
 */
export function fuzz(target: FuzzTarget, options: FuzzOptions): FuzzResult {
  const { guided = true, batch: batchSize = BATCH } = options;
  const dice = new Dice(options.seed);
  const words = (target.words ?? []).map((word) => Buffer.from(word, 'latin1'));
  const corpus: Buffer[] = [];
  /** The latest finds, whose neighbours are not all tried. */
  const walks: Generator<Buffer>[] = [];
  const places = new Set<string>();
  /** Places with the class of their count. */
  const counts = new Set<string>();
  const probe = new CoverageProbe(options.observed);
  const deadline = performance.now() + options.milliseconds;
  let executions = 0;
  let finding: FuzzFinding | undefined;

  const run = (input: Buffer): boolean => {
    executions += 1;
    try {
      target.run(Uint8Array.from(input));
      return true;
    } catch (error) {
      finding = { input, error: error instanceof Error ? error : new Error(String(error)) };
      return false;
    }
  };
  /** Keeps the input when it alone reaches a new place. */
  const examine = (input: Buffer): void => {
    probe.reset();
    if (!run(input)) return;
    let news = false;
    for (const [place, count] of probe.take()) {
      const counted = `${place}:${classOf(count)}`;
      news ||= !counts.has(counted);
      counts.add(counted);
      places.add(place);
    }
    if (!news) return;
    corpus.push(input);
    walks.push(neighbours(input));
  };
  const nextInput = (): Buffer => {
    while (guided && walks.length > 0 && dice.roll(2) === 0) {
      const neighbour = walks.at(-1)!.next();
      if (neighbour.done !== true) return neighbour.value;
      walks.pop();
    }
    return mutate(pickParent(corpus, dice), dice, corpus, words, target.bytesMax ?? BYTES_MAX);
  };

  try {
    for (const seed of [...target.seeds, ...(options.corpus ?? [])]) {
      examine(Buffer.from(seed));
      if (finding !== undefined) break;
    }
    if (corpus.length === 0) corpus.push(Buffer.alloc(0));
    while (finding === undefined && performance.now() < deadline) {
      const inputs = Array.from({ length: batchSize }, nextInput);
      probe.reset();
      if (!inputs.every(run)) break;
      if (!guided) continue;
      const reached = probe.take();
      const news = [...reached.keys()].some((place) => !places.has(place));
      for (const input of inputs) {
        if (news || dice.roll(ALONE) === 0) examine(input);
        if (finding !== undefined) break;
      }
      // A place that none of them reaches again alone depends on what ran before; it is not looked for a second time.
      for (const place of reached.keys()) places.add(place);
    }
  } finally {
    probe.close();
  }
  return { executions, places: places.size, corpus, finding };
}

/** Late finds are the deepest: every second input is a child of the last sixteen. */
function pickParent(corpus: readonly Buffer[], dice: Dice): Buffer {
  const latest = Math.min(16, corpus.length);
  return dice.roll(2) === 0 ? dice.pick(corpus) : corpus[corpus.length - 1 - dice.roll(latest)]!;
}
