/**
 * What a generator thread tells about ended operations: numbers in one flat array, transferred without a copy.
 *
 * ```
 * one row: intendedNs | startNs | endNs | error (index into the thread's error names, -1 = none) | payments | n | n x (phase, ns)
 * ```
 */

import { PHASE_NAMES, type Phase } from './phases.ts';
import type { OperationEnd, OperationStart } from './scheduler.ts';

const ROW_FIXED = 6;
/** 64 KiB of doubles: a few hundred operations between two messages. */
const BATCH_DOUBLES = 8_192;
const NO_ERROR = -1;

const INDEX_OF_PHASE: ReadonlyMap<Phase, number> = new Map(PHASE_NAMES.map((phase, index) => [phase, index]));

export interface RowBatch {
  readonly doubles: Float64Array<ArrayBuffer>;
  /** All error codes this thread has met so far, in the order of their indices. */
  readonly errorNames: readonly string[];
}

export interface EndedOperation {
  readonly intendedNs: number;
  readonly startNs: number;
  readonly endNs: number;
  readonly error: string | undefined;
  readonly payments: number;
  /** Called for every phase in the order of recording. */
  forEachPhase(visit: (phase: Phase, ns: number) => void): void;
}

export class RowWriter {
  readonly #send: (batch: RowBatch) => void;
  readonly #errorNames: string[] = [];
  #doubles = new Float64Array(BATCH_DOUBLES);
  #length = 0;

  /** `send` gets full batches, and what is there when `flush` is called. */
  constructor(send: (batch: RowBatch) => void) {
    this.#send = send;
  }

  write(start: OperationStart, end: OperationEnd): void {
    const length = ROW_FIXED + 2 * end.phases.length;
    if (this.#length + length > this.#doubles.length) this.flush();
    if (length > this.#doubles.length) this.#doubles = new Float64Array(length);
    const at = this.#doubles;
    let offset = this.#length;
    at[offset] = start.intendedNs;
    at[offset + 1] = start.startNs;
    at[offset + 2] = end.endNs;
    at[offset + 3] = end.error === undefined ? NO_ERROR : this.#indexOfError(end.error);
    at[offset + 4] = end.payments;
    at[offset + 5] = end.phases.length;
    offset += ROW_FIXED;
    for (const [phase, ns] of end.phases) {
      at[offset] = INDEX_OF_PHASE.get(phase)!;
      at[offset + 1] = ns;
      offset += 2;
    }
    this.#length = offset;
  }

  flush(): void {
    if (this.#length === 0) return;
    const doubles = this.#doubles.slice(0, this.#length);
    this.#length = 0;
    this.#send({ doubles, errorNames: [...this.#errorNames] });
  }

  #indexOfError(name: string): number {
    const known = this.#errorNames.indexOf(name);
    return known === -1 ? this.#errorNames.push(name) - 1 : known;
  }
}

export function* readRows(batch: RowBatch): Generator<EndedOperation> {
  const { doubles, errorNames } = batch;
  for (let offset = 0; offset < doubles.length; ) {
    const row = offset;
    const phases = doubles[row + 5]!;
    const error = doubles[row + 3]!;
    yield {
      intendedNs: doubles[row]!,
      startNs: doubles[row + 1]!,
      endNs: doubles[row + 2]!,
      error: error === NO_ERROR ? undefined : errorNames[error]!,
      payments: doubles[row + 4]!,
      forEachPhase(visit) {
        for (let index = 0; index < phases; index += 1) {
          const at = row + ROW_FIXED + 2 * index;
          visit(PHASE_NAMES[doubles[at]!]!, doubles[at + 1]!);
        }
      },
    };
    offset = row + ROW_FIXED + 2 * phases;
  }
}
