import { assert } from '../errors.ts';

/** Sockets that may wait at one leased port; docs/PROTOCOL.md §4.1. */
export const CANDIDATES_MAX = 4;

/** What a lease asks of the sockets at its port: a socket of node:net, or one of the simulation. */
export interface Candidate {
  once(event: 'close', listener: () => void): void;
}

/** A second port held for one session. Whoever holds it releases it, once. */
export class PortLease {
  readonly port: number;
  /** Sockets at this port, each with what evicts it, the one that came first in front. */
  readonly #candidates = new Map<Candidate, () => void>();
  #claimant: Candidate | undefined;
  #release: (() => void) | undefined;

  constructor(port: number, release: () => void) {
    this.port = port;
    this.#release = release;
  }

  /** Sockets at this port: those that wait, and the one whose claim was right. */
  get candidates(): number {
    return this.#candidates.size;
  }

  /** This socket's claim was right: from now it gives its place to nobody. */
  claimedBy(socket: Candidate): void {
    this.#claimant = socket;
  }

  /**
   * Gives a socket one of the places. When all are taken, the one that has waited longest is evicted for it: a customer says its claim as
   * soon as it is there, so that who waits is a stranger, and strangers who came first cannot keep the customer out.
   */
  admit(socket: Candidate, evict: () => void): void {
    if (this.#candidates.size >= CANDIDATES_MAX) {
      for (const [oldest, evictOldest] of this.#candidates) {
        if (oldest === this.#claimant) continue;
        this.#candidates.delete(oldest);
        evictOldest();
        break;
      }
    }
    this.#candidates.set(socket, evict);
    socket.once('close', () => this.#candidates.delete(socket));
  }

  get released(): boolean {
    return this.#release === undefined;
  }

  release(): void {
    const release = this.#release;
    assert(release !== undefined, 'a port lease is released once');
    this.#release = undefined;
    release();
  }
}
