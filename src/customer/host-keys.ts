/** What a customer keeps about its server's host keys. */

import type { CustomerEffect } from '../session/customer-interface.ts';
import type { CustomerIdentity } from './customer-identity.ts';

/** Receipts are asked for again within days; a key lasts for months or years. */
export const PAST_HOST_KEYS_MAX = 8;

export interface HostKeys {
  readonly hostKey: Uint8Array;
  readonly nextHostKey: Uint8Array | undefined;
  /** Newest first. */
  readonly pastHostKeys: readonly Uint8Array[];
}

/** The keys to keep after a valid offer; one that was followed by its successor stays known for its receipts. */
export function hostKeysAfter(
  identity: CustomerIdentity,
  { hostKey, nextHostKey, by }: Extract<CustomerEffect, { kind: 'learnedHostKeys' }>,
): HostKeys {
  const { hostKey: before, pastHostKeys = [] } = identity;
  const followed = by === 'succession' && before !== undefined;
  return {
    hostKey,
    nextHostKey,
    pastHostKeys: followed ? [before, ...pastHostKeys].slice(0, PAST_HOST_KEYS_MAX) : pastHostKeys,
  };
}
