/** The phases of one session, from the steps that its state machine takes. */

import type { CustomerMethodStep } from '../session/method-steps.ts';
import type { Clock } from './clock.ts';
import type { Phase } from './phases.ts';

/** A phase lasts from the one step to the other. */
const ENDS: Partial<Record<CustomerMethodStep, readonly [phase: Phase, from: CustomerMethodStep]>> = {
  'hello-sent': ['connect', 'connecting'],
  'offer-received': ['offer', 'hello-sent'],
  'customer-value-sent': ['connect2', 'offer-received'],
  'server-finished-checked': ['exchange', 'customer-value-sent'],
  'identity-verified': ['identity', 'server-finished-checked'],
};

export class SessionTimes {
  readonly #clock: Clock;
  readonly #at = new Map<CustomerMethodStep, number>();
  readonly #phases: (readonly [phase: Phase, ns: number])[] = [];

  /** `startNs`: when the session was opened. */
  constructor(clock: Clock, startNs: number) {
    this.#clock = clock;
    this.#at.set('connecting', startNs);
  }

  take(step: CustomerMethodStep): void {
    const now = this.#clock.nowNs();
    // The first 'connecting' is the session's opening; a RETRY brings another connection, whose time is part of the offer's.
    if (this.#at.has(step)) return;
    this.#at.set(step, now);
    const end = ENDS[step];
    if (end === undefined) return;
    const from = this.#at.get(end[1]);
    if (from !== undefined) this.#phases.push([end[0], now - from]);
  }

  /** A payment that was asked for at `sentNs` has its verified receipt now. One that was sent ahead waits from its identity's verification on. */
  committed(sentNs: number): void {
    const verified = this.#at.get('identity-verified') ?? sentNs;
    this.#phases.push(['commit', this.#clock.nowNs() - Math.max(sentNs, verified)]);
  }

  phases(): readonly (readonly [phase: Phase, ns: number])[] {
    return this.#phases;
  }
}
