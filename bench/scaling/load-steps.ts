/** The loads at which a curve is measured, and what batching reached between two readings of a server. */

export interface LoadStep {
  /** Of the capacity: 0.1 is a tenth. */
  readonly share: number;
  /** Sessions a second. */
  readonly rate: number;
}

/** These shares of a capacity as rates, ascending. */
export function loadSteps(capacity: number, shares: readonly number[]): LoadStep[] {
  if (!(capacity > 0)) throw new Error('there is no load without a capacity');
  return [...new Set(shares)].sort((a, b) => a - b).map((share) => ({ share, rate: share * capacity }));
}

/** What a server counted until now. */
export interface BatchCounts {
  readonly crypto: {
    readonly batches: number;
    readonly jobs: number;
    readonly passes: number;
    readonly fullPasses: number;
  };
  readonly ledger: { readonly commits: number; readonly committed: number };
}

export interface BatchesReached {
  /** Offers and arrivals that travelled to a worker together, on average. */
  readonly jobsPerBatch: number;
  /** Passes of the kernel with no lane empty, of all. */
  readonly fullPassShare: number;
  readonly transactionsPerCommit: number;
}

/** Between two readings; NaN where nothing was done. */
export function batchesBetween(before: BatchCounts, after: BatchCounts): BatchesReached {
  const grown = <Part extends keyof BatchCounts>(part: Part, count: keyof BatchCounts[Part]): number =>
    (after[part][count] as number) - (before[part][count] as number);
  return {
    jobsPerBatch: grown('crypto', 'jobs') / grown('crypto', 'batches'),
    fullPassShare: grown('crypto', 'fullPasses') / grown('crypto', 'passes'),
    transactionsPerCommit: grown('ledger', 'committed') / grown('ledger', 'commits'),
  };
}
