/** When and after how long a request goes out again. Pure: the clock and the dice are arguments. */

import { ERRORS, SallyportError } from '../errors.ts';

/** The first wait: long enough that a server that refused for load has moved on by some sessions. */
const BACKOFF_FIRST_MS = 100;
/** A customer that waits longer than this between tries is slower to come back than the server. */
const BACKOFF_MAX_MS = 5_000;
/** An immediate retry (a connection that broke, a session that reached its limits) still lets the other side tidy up. */
const BACKOFF_NOW_MS = 20;

export interface Attempt {
  /** Tries made so far, at least 1. */
  readonly attempts: number;
  /** Since the first try began. */
  readonly elapsedMs: number;
  /** How long the caller lets retries go on. */
  readonly retryForMs: number;
  /** In [0, 1): spreads customers that failed together (full jitter). */
  readonly random: number;
}

export type RetryDecision = { readonly kind: 'wait'; readonly delayMs: number } | { readonly kind: 'fail' };

/** Whether an error is worth another try within the caller's time, and after which wait. */
export function decideRetry(error: SallyportError, attempt: Attempt): RetryDecision {
  const { retry } = ERRORS[error.code];
  if (retry === 'never') return { kind: 'fail' };
  const ceilingMs = Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** Math.min(attempt.attempts - 1, 16));
  // The first immediate retry does not wait for a load that nobody reported; those after it back off as well.
  const jitterMs =
    retry === 'now' && attempt.attempts === 1 ? BACKOFF_NOW_MS : Math.ceil(ceilingMs * (0.5 + attempt.random / 2));
  const delayMs = Math.max(jitterMs, error.retryAfterMs ?? 0);
  if (attempt.elapsedMs + delayMs > attempt.retryForMs) return { kind: 'fail' };
  return { kind: 'wait', delayMs };
}

/**
 * What the caller of a transaction is told when no further try is made. Once its bytes may have reached the server, only a receipt or an
 * authenticated refusal settles it: everything else is unknown, whatever the last error was.
 */
export function finalError(error: SallyportError, transactionId: string, mayHaveTakenEffect: boolean): SallyportError {
  if (!mayHaveTakenEffect || error.code === 'OUTCOME_UNKNOWN' || error.code === 'BAD_RECEIPT')
    return withTransaction(error, transactionId);
  return new SallyportError(
    'OUTCOME_UNKNOWN',
    `the outcome of transaction ${transactionId} is not known: ${error.message}`,
    {
      cause: error,
      transactionId,
    },
  );
}

function withTransaction(error: SallyportError, transactionId: string): SallyportError {
  if (error.transactionId !== undefined) return error;
  return new SallyportError(error.code, error.message, {
    cause: error.cause ?? error,
    transactionId,
    ...(error.retryAfterMs === undefined ? {} : { retryAfterMs: error.retryAfterMs }),
  });
}
