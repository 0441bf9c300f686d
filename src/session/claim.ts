/** Who may have a leased second port: the one who holds the server's token and the preimage of its own commitment. */

import { timingSafeEqual } from 'node:crypto';
import type { Hashing } from '../crypto/core-hash.ts';
import type { CustomerKey } from '../wire/customer-key.ts';
import type { ClaimTerms } from './leased-session.ts';

const CLAIM_LABEL = Buffer.from('sallyport/1 claim\0', 'latin1');

/** Stands where there is no lease, so that an unknown session costs the same comparisons. */
const NO_TERMS: ClaimTerms = {
  sessionId: new Uint8Array(16),
  leaseToken: new Uint8Array(32),
  claimCommitment: new Uint8Array(32),
};

/** claim_commitment = SHA-256("sallyport/1 claim" || claim_secret). 32 bytes. */
export function commitClaim(hashing: Pick<Hashing, 'sha256'>, claimSecret: Uint8Array): Uint8Array {
  return hashing.sha256(Buffer.concat([CLAIM_LABEL, claimSecret]));
}

/** Whether a claim is right. All three values are compared, in constant time, whatever the first one says. */
export function isRightClaim(
  hashing: Pick<Hashing, 'sha256'>,
  terms: ClaimTerms | undefined,
  presented: Pick<CustomerKey, 'sessionId' | 'leaseToken' | 'claimSecret'>,
): boolean {
  const { sessionId, leaseToken, claimCommitment } = terms ?? NO_TERMS;
  const session = timingSafeEqual(presented.sessionId, sessionId);
  const token = timingSafeEqual(presented.leaseToken, leaseToken);
  const commitment = timingSafeEqual(commitClaim(hashing, presented.claimSecret), claimCommitment);
  return terms !== undefined && session && token && commitment;
}
