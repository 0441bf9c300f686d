/** What the server keeps of a session between OFFER and CUSTOMER_KEY. Whoever keeps it wipes it when the lease ends unclaimed. */

import type { Suite } from '../crypto/suite.ts';

/** What a claim is compared with: no secret of the key exchange. */
export interface ClaimTerms {
  /** 16 bytes. */
  readonly sessionId: Uint8Array;
  /** 32 bytes. */
  readonly leaseToken: Uint8Array;
  /** 32 bytes: SHA-256("sallyport/1 claim" || claim_secret). */
  readonly claimCommitment: Uint8Array;
}

export interface LeasedSession {
  readonly terms: ClaimTerms;
  readonly suite: Suite;
  /** HELLO frame || OFFER frame: the beginning of the transcript. */
  readonly transcript: Uint8Array;
  /** Ys, |p| bytes. */
  readonly publicValue: Uint8Array;
  /** a. Secret. */
  readonly exponent: Uint8Array;
  /** K, 32 bytes, or empty without a KEM. Secret. */
  readonly kemSecret: Uint8Array;
}

export function wipeLeasedSession(lease: LeasedSession): void {
  lease.exponent.fill(0);
  lease.kemSecret.fill(0);
  lease.terms.leaseToken.fill(0);
}
