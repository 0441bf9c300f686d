/** What is measured: one piece of the product's work beside a piece of known work, in the same process. */

/** Does the work so many times. What it computes is checked once, when the pair is made. */
export type Work = (iterations: number) => void | Promise<void>;

export interface BenchPair {
  /** Unique; part of results, gates and history. */
  readonly name: string;
  /** What one iteration of the subject does. */
  readonly what: string;
  /** What the reference is: "node:crypto", "fdatasync", ... */
  readonly reference: string;
  readonly subject: Work;
  readonly referenceWork: Work;
  /** Ends what the pair holds open. */
  readonly close?: () => Promise<void> | void;
}

/** A count that is the same in every run of the same program. */
export interface BenchCount {
  readonly name: string;
  readonly what: string;
  readonly unit: string;
  readonly count: () => number | Promise<number>;
}
