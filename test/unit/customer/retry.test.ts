import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decideRetry, finalError } from '../../../src/customer/retry.ts';
import { ERRORS, type ErrorCode, SallyportError } from '../../../src/errors.ts';

const CODES = Object.keys(ERRORS) as ErrorCode[];
const attempt = { attempts: 1, elapsedMs: 0, retryForMs: 60_000, random: 0.5 };

describe('whether to try again', () => {
  it.each(CODES)('%s: as the table of errors says', (code) => {
    const decision = decideRetry(new SallyportError(code, ''), attempt);
    expect(decision.kind).toBe(ERRORS[code].retry === 'never' ? 'fail' : 'wait');
  });

  it('waits at least as long as the peer asked, at most 5 s otherwise, and never beyond the caller’s time', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...CODES),
        fc.option(fc.integer({ min: 1, max: 100_000 }), { nil: undefined }),
        fc.record({
          attempts: fc.integer({ min: 1, max: 1_000 }),
          elapsedMs: fc.nat(120_000),
          retryForMs: fc.nat(120_000),
          random: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        }),
        (code, retryAfterMs, state) => {
          const error = new SallyportError(code, '', retryAfterMs === undefined ? {} : { retryAfterMs });
          const decision = decideRetry(error, state);
          if (decision.kind === 'fail') return;
          expect(decision.delayMs).toBeGreaterThanOrEqual(retryAfterMs ?? 1);
          expect(decision.delayMs).toBeLessThanOrEqual(Math.max(5_000, retryAfterMs ?? 0));
          expect(state.elapsedMs + decision.delayMs).toBeLessThanOrEqual(state.retryForMs);
        },
      ),
    );
  });

  it('spreads customers that failed together', () => {
    const delays = [0, 0.25, 0.5, 0.75].map((random) => {
      const decision = decideRetry(new SallyportError('BUSY', ''), { ...attempt, attempts: 6, random });
      return decision.kind === 'wait' ? decision.delayMs : 0;
    });
    expect(new Set(delays).size).toBe(4);
    expect(delays).toEqual(delays.toSorted((a, b) => a - b));
  });
});

describe('what the caller is told in the end', () => {
  it.each(CODES)('%s after the transaction left is unknown, unless the error says so better', (code) => {
    const told = finalError(new SallyportError(code, 'why', { retryAfterMs: 5 }), 'ab', true);
    expect(told.code).toBe(code === 'BAD_RECEIPT' ? code : 'OUTCOME_UNKNOWN');
    expect(told.transactionId).toBe('ab');
  });

  it.each(CODES)('%s before it left is itself, with the id', (code) => {
    const error = new SallyportError(code, 'why', { retryAfterMs: 5 });
    expect(finalError(error, 'ab', false)).toMatchObject({
      code,
      message: 'why',
      retryAfterMs: 5,
      transactionId: 'ab',
      cause: error,
    });
  });
});
