import type { SessionEnd } from '../session/session-end.ts';
import type { EndedSession, ServerStep } from './security-server.ts';

/** Where the desks tell what happens: events, counters and the log hang on it. */
export interface Report {
  step(step: Omit<ServerStep, 'timeMs'>): void;
  ended(ended: EndedSession): void;
}

/** Turns the end that a state machine names into the log's one line. */
export function reportEnd(
  report: Report,
  end: SessionEnd,
  about: {
    readonly connection: number;
    readonly port: 'first' | 'second';
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
    session: about.session,
    customer: about.customer,
    reason: end.kind,
    code: 'code' in end ? end.code : undefined,
    phase: 'phase' in end ? end.phase : undefined,
    transactions: about.transactions ?? 0,
    queries: about.queries ?? 0,
    durationMs: Math.round(performance.now() - about.startedMs),
  });
}
