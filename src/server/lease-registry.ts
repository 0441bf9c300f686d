import { assert } from '../errors.ts';
import type { PortLease } from '../ports/port-lease.ts';
import type { ClaimTerms, LeasedSession } from '../session/leased-session.ts';
import { wipeLeasedSession } from '../session/leased-session.ts';
import type { QuotaPlace } from './admission/quotas.ts';
import { OpenSet } from './open-set.ts';

/** A session whose customer came to its second port: what its holder goes on with until it closes it. */
export interface Claim {
  /** How logs and events call the session. */
  readonly id: string;
  readonly registered: RegisteredLease;
}

/** A session between its OFFER and its end, by the port it has. */
interface RegisteredLease {
  readonly id: string;
  readonly portLease: PortLease;
  /** The place in the half-open quota, held until the customer's identity is verified. */
  place: QuotaPlace | undefined;
  /** Undefined once it was claimed. */
  session: LeasedSession | undefined;
  readonly cancelExpiry: () => void;
}

/** Runs something after a while, once; what it gives calls it off. */
export type StartTimer = (run: () => void, afterMs: number) => () => void;

const startTimer: StartTimer = (run, afterMs) => {
  const timer = setTimeout(run, afterMs);
  return () => clearTimeout(timer);
};

/**
 * The sessions whose customers have been sent to a second port. Each entry owns its port lease, its place and, until the claim, its
 * secrets: whatever the customer does, they are given back and wiped here, once.
 */
export class LeaseRegistry {
  readonly #leases = new Map<string, RegisteredLease>();
  readonly #open = new OpenSet<string>();
  readonly #onExpired: (sessionId: string) => void;
  readonly #startTimer: StartTimer;
  #unclaimed = 0;

  /** `timers` is for the simulation, whose clock is its own. */
  constructor(onExpired: (sessionId: string) => void, timers: StartTimer = startTimer) {
    this.#onExpired = onExpired;
    this.#startTimer = timers;
  }

  /** Sessions not claimed yet. */
  get unclaimed(): number {
    return this.#unclaimed;
  }

  /** Sessions claimed and not ended. */
  get claimed(): number {
    return this.#leases.size - this.#unclaimed;
  }

  /** Opens the lease: from now its customer has `leaseMs` to come. */
  open(session: LeasedSession, portLease: PortLease, place: QuotaPlace, leaseMs: number): void {
    const id = idOf(session.terms.sessionId);
    const cancelExpiry = this.#startTimer(() => this.#expire(id), leaseMs);
    this.#leases.set(id, { id, portLease, place, session, cancelExpiry });
    this.#open.add(id);
    this.#unclaimed += 1;
  }

  /** What a claim at this port (undefined: a shared one with this number) is compared with. */
  find(
    sessionId: Uint8Array,
    at: { readonly lease: PortLease | undefined; readonly port: number },
  ): ClaimTerms | undefined {
    return this.#at(sessionId, at)?.session?.terms;
  }

  /** Takes the session, once. Its port lease stays with this registry until the claim is closed. */
  take(
    sessionId: Uint8Array,
    at: { readonly lease: PortLease | undefined; readonly port: number },
  ): { readonly session: LeasedSession; readonly claim: Claim } | undefined {
    const registered = this.#at(sessionId, at);
    const session = registered?.session;
    if (registered === undefined || session === undefined) return undefined;
    registered.cancelExpiry();
    registered.session = undefined;
    this.#unclaimed -= 1;
    return { session, claim: { id: registered.id, registered } };
  }

  /** The customer of this claimed session is who it says it is: no stranger any more, and no longer counted as one. */
  verified({ registered }: Claim): void {
    releasePlace(registered);
  }

  /** The session is over: its port goes back. */
  close({ id, registered }: Claim): void {
    assert(this.#leases.delete(id), 'a claimed session is closed once');
    this.#open.remove(id);
    releasePlace(registered);
    registered.portLease.release();
  }

  /** Fulfilled when no session is leased or claimed. */
  idle(): Promise<void> {
    return this.#open.idle();
  }

  /** Ends every lease that nobody claimed. */
  expireAll(): void {
    for (const [id, { session }] of [...this.#leases]) if (session !== undefined) this.#expire(id);
  }

  #at(
    sessionId: Uint8Array,
    at: { readonly lease: PortLease | undefined; readonly port: number },
  ): RegisteredLease | undefined {
    const registered = this.#leases.get(idOf(sessionId));
    if (registered === undefined) return undefined;
    const here = at.lease === undefined ? registered.portLease.port === at.port : registered.portLease === at.lease;
    return here ? registered : undefined;
  }

  #expire(id: string): void {
    const registered = this.#leases.get(id);
    assert(registered?.session !== undefined, 'only an unclaimed lease expires');
    registered.cancelExpiry();
    this.#leases.delete(id);
    this.#open.remove(id);
    this.#unclaimed -= 1;
    wipeLeasedSession(registered.session);
    registered.session = undefined;
    releasePlace(registered);
    registered.portLease.release();
    this.#onExpired(id);
  }
}

function releasePlace(registered: RegisteredLease): void {
  registered.place?.release();
  registered.place = undefined;
}

/** How a session is called in logs and events. */
export function idOf(sessionId: Uint8Array): string {
  return Buffer.from(sessionId.buffer, sessionId.byteOffset, sessionId.byteLength).toString('hex');
}
