import { type Profiler, Session } from 'node:inspector';

/**
 * What code ran, as V8 itself counts it: no instrumented copy of the program, so what is fuzzed is what is shipped.
 *
 * V8 tells blocks whose count differs from that of the block around them, so one block is told in one report and not in the next. A place
 * is therefore a boundary of a block that any report told, and its count that of the innermost block around it.
 */
export class CoverageProbe {
  readonly #session = new Session();
  readonly #observed: (url: string) => boolean;
  /** Boundaries known so far, by script and function. */
  readonly #boundaries = new Map<string, Set<number>>();

  /** `observed`: the scripts that count. */
  constructor(observed: (url: string) => boolean) {
    this.#observed = observed;
    this.#session.connect();
    this.#call('Profiler.enable');
    this.#call('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
  }

  /** Forgets what ran until now. */
  reset(): void {
    this.#call('Profiler.takePreciseCoverage');
  }

  /** The places that ran since the last call, with how often. */
  take(): Map<string, number> {
    const { result } = this.#call('Profiler.takePreciseCoverage') as Profiler.TakePreciseCoverageReturnType;
    const places = new Map<string, number>();
    for (const script of result) {
      if (!this.#observed(script.url)) continue;
      for (const { ranges, functionName } of script.functions) {
        const name = `${script.scriptId}:${functionName}:${ranges[0]!.startOffset}`;
        for (const boundary of this.#known(name, ranges)) {
          const count = countAt(boundary, ranges);
          if (count > 0) places.set(`${name}:${boundary}`, count);
        }
      }
    }
    return places;
  }

  close(): void {
    this.#session.disconnect();
  }

  #known(name: string, ranges: readonly Profiler.CoverageRange[]): Set<number> {
    let boundaries = this.#boundaries.get(name);
    if (boundaries === undefined) {
      boundaries = new Set();
      this.#boundaries.set(name, boundaries);
    }
    for (const { startOffset, endOffset } of ranges) boundaries.add(startOffset).add(endOffset);
    return boundaries;
  }

  /** The session lives in this thread, so its answers come at once. */
  #call(method: string, parameters: object = {}): unknown {
    let answer: unknown;
    let failure: Error | null = null;
    this.#session.post(method, parameters, (error, result) => {
      failure = error;
      answer = result;
    });
    if (failure !== null) throw failure;
    return answer;
  }
}

/** Blocks come from the outside to the inside: the last one around the boundary is the innermost. */
function countAt(boundary: number, ranges: readonly Profiler.CoverageRange[]): number {
  return ranges.findLast(({ startOffset, endOffset }) => startOffset <= boundary && boundary < endOffset)?.count ?? 0;
}

/** Counts in the usual classes (1, 2, 3, 4-7, 8-15, ...), so that one more turn of a loop is news, and its hundredth is not. */
export function classOf(count: number): number {
  return count < 4 ? count : 32 - Math.clz32(count) + 1;
}
