import type { ServerMethodStep, StepFacts } from '../session/method-steps.ts';
import type { SessionEnd } from '../session/session-end.ts';
import type { EndedSession } from './security-server-interface.ts';

/**
 * Parts of a session whose time is measured at the server. offer: from the whole HELLO to the signed OFFER; key-exchange: from the claim
 * to the keys; identity: comparing the profile; commit: a transaction from its decryption to its durable receipt; session: from the
 * connection at the second port to its end, of sessions that were claimed.
 */
export const PHASES = ['offer', 'key-exchange', 'identity', 'commit', 'session'] as const;
export type Phase = (typeof PHASES)[number];

/** A step as a machine states it; made fit for a person only when somebody looks. */
export interface StatedStep {
  readonly connection: number;
  readonly session: string | undefined;
  readonly step: ServerMethodStep;
  readonly detail: StepFacts;
}

/** Where the desks tell what happens: events, counters and the log hang on it. */
export interface Report {
  step(step: StatedStep): void;
  ended(ended: EndedSession): void;
  /** A phase that came to its end, well or badly; `sinceMs` by performance.now(). */
  took(phase: Phase, sinceMs: number): void;
  /** One of our own parts could not do what a session asked for, or an invariant broke: for the operator. What load explains is not told. */
  failed(failure: Failure, error: unknown): void;
}

export type Failure =
  | 'lease-failed'
  | 'offer-failed'
  | 'keys-failed'
  | 'identity-failed'
  | 'submit-failed'
  | 'query-failed'
  | 'invariant-broken';

/** How a connection ends whose machine cannot say so itself. */
export const BROKEN_END = {
  kind: 'refused',
  code: 'INTERNAL',
  phase: 'closed',
  what: 'an invariant broke; see invariant-broken in the log',
} as const satisfies SessionEnd;

/** Turns the end that a state machine names into the log's one line. */
export function reportEnd(
  report: Report,
  end: SessionEnd,
  about: {
    readonly connection: number;
    readonly port: 'first' | 'second';
    readonly address: string | undefined;
    readonly session: string | undefined;
    readonly startedMs: number;
    readonly customer?: string | undefined;
    readonly transactions?: number;
    readonly queries?: number;
  },
): void {
  report.ended({
    connection: about.connection,
    port: about.port,
    address: about.address,
    session: about.session,
    customer: about.customer,
    reason: end.kind,
    code: 'code' in end ? end.code : undefined,
    phase: 'phase' in end ? end.phase : undefined,
    detail: 'what' in end ? end.what : 'deadline' in end ? end.deadline : undefined,
    transactions: about.transactions ?? 0,
    queries: about.queries ?? 0,
    durationMs: Math.round(performance.now() - about.startedMs),
  });
}
