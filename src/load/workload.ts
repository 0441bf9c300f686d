/** What one operation does: the choices of `--workload`. */

import { SallyportError } from '../errors.ts';
import { seededRandom } from './random.ts';

export type Work =
  /** Handshake and identity, nothing else. */
  | { readonly kind: 'handshake' }
  /** A session with this many payments, one after another. */
  | { readonly kind: 'payments'; readonly payments: number }
  /** A session that is held open for some time after its handshake, then makes one payment and closes. */
  | { readonly kind: 'hold'; readonly seconds: number };

export interface Workload {
  /** As it was written. */
  readonly text: string;
  readonly mix: readonly { readonly work: Work; readonly weight: number }[];
}

/** The protocol allows 1,000 transactions a session. */
const PAYMENTS_MAX = 1_000;
/** A session lives 120 seconds by default and is cut after 30 seconds of silence; what configuration allows more is the tester's to know. */
const HOLD_SECONDS_MAX = 3_600;

/** Reads `handshake`, `payment`, `payments:10`, `hold:20s`, or a mix with weights: `mix:handshake=20,payment=80`. Throws BAD_ARGUMENT. */
export function parseWorkload(text: string): Workload {
  if (!text.startsWith('mix:')) return { text, mix: [{ work: parseWork(text), weight: 1 }] };
  const mix = text
    .slice('mix:'.length)
    .split(',')
    .map((part) => {
      const match = /^(.+)=(\d{1,6})$/.exec(part.trim());
      if (match === null || Number(match[2]) === 0) {
        throw new SallyportError(
          'BAD_ARGUMENT',
          `"${part}" is no part of a mix: write WORKLOAD=WEIGHT such as payment=80`,
        );
      }
      return { work: parseWork(match[1]!), weight: Number(match[2]) };
    });
  return { text, mix };
}

function parseWork(text: string): Work {
  if (text === 'handshake') return { kind: 'handshake' };
  if (text === 'payment') return { kind: 'payments', payments: 1 };
  const payments = /^payments:(\d{1,4})$/.exec(text);
  if (payments !== null && Number(payments[1]) >= 1 && Number(payments[1]) <= PAYMENTS_MAX) {
    return { kind: 'payments', payments: Number(payments[1]) };
  }
  const hold = /^hold:(\d{1,4})s$/.exec(text);
  if (hold !== null && Number(hold[1]) >= 1 && Number(hold[1]) <= HOLD_SECONDS_MAX) {
    return { kind: 'hold', seconds: Number(hold[1]) };
  }
  throw new SallyportError(
    'BAD_ARGUMENT',
    `"${text}" is no workload: handshake, payment, payments:N (1 to ${PAYMENTS_MAX}), hold:Ns, or mix:WORKLOAD=WEIGHT,...`,
  );
}

/** The work of the operation with this index: the same for the same seed, whatever thread does it. */
export function workOf(workload: Workload, seed: number, index: number): Work {
  const only = workload.mix[0]!;
  if (workload.mix.length === 1) return only.work;
  const total = workload.mix.reduce((sum, { weight }) => sum + weight, 0);
  let at = seededRandom((seed + Math.imul(index, 0x9e3779b1)) >>> 0)() * total;
  for (const { work, weight } of workload.mix) {
    at -= weight;
    if (at < 0) return work;
  }
  return only.work;
}

/** The longest time an operation means to hold a session. */
export function longestHoldSeconds(workload: Workload): number {
  return Math.max(0, ...workload.mix.map(({ work }) => (work.kind === 'hold' ? work.seconds : 0)));
}
