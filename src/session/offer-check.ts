/** What a customer checks of an OFFER before it touches the second port, in the order of docs/PROTOCOL.md section 3.3. */

import { GROUPS } from '../crypto/groups.ts';
import { KEM_CIPHERTEXT_BYTES } from '../crypto/kem.ts';
import { isPublicValue } from '../crypto/public-value.ts';
import type { Suite, SuitePolicy } from '../crypto/suite.ts';
import type { Offer } from '../wire/offer.ts';
import { acceptedSuite } from './negotiate.ts';

/** Below it ports belong to the system's services: no second port is there. */
export const SECOND_PORT_MIN = 1024;

export interface HostKeyPins {
  /** 32 bytes; undefined before the first use. */
  readonly hostKey: Uint8Array | undefined;
  /** What the pinned key announced as its successor. */
  readonly nextHostKey: Uint8Array | undefined;
}

/** Check 1: `unknown` when nothing is pinned yet, so that a person must decide. */
export function checkHostKey(pins: HostKeyPins, offered: Uint8Array): 'pin' | 'succession' | 'unknown' | 'mismatch' {
  if (pins.hostKey === undefined) return 'unknown';
  if (isSame(pins.hostKey, offered)) return 'pin';
  return pins.nextHostKey !== undefined && isSame(pins.nextHostKey, offered) ? 'succession' : 'mismatch';
}

export type OfferCheck =
  | { readonly ok: true; readonly suite: Suite }
  | {
      readonly ok: false;
      readonly code: 'DOWNGRADE' | 'PARAMETER_MISMATCH' | 'KEY_EXCHANGE_FAILED';
      readonly what: string;
    };

/** Checks 3 to 5; 2 is the signature. */
export function checkOffer(policy: SuitePolicy, secondHosts: readonly string[], offer: Offer): OfferCheck {
  const suite = acceptedSuite(policy, offer);
  if (suite === undefined) return { ok: false, code: 'DOWNGRADE', what: 'the server chose what was not offered' };
  const mismatch = findMismatch(suite, secondHosts, offer);
  if (mismatch !== undefined) return { ok: false, code: 'PARAMETER_MISMATCH', what: mismatch };
  if (!isPublicValue(suite.group, offer.publicValue))
    return { ok: false, code: 'KEY_EXCHANGE_FAILED', what: 'Ys is not in 2 to p-2' };
  return { ok: true, suite };
}

function findMismatch(suite: Suite, secondHosts: readonly string[], offer: Offer): string | undefined {
  const group = GROUPS[suite.group];
  if (!isSame(offer.g, Uint8Array.of(group.g))) return `g is not that of ${suite.group}`;
  if (!isSame(offer.p, group.p())) return `p is not that of ${suite.group}`;
  if (offer.kemCiphertext.length !== (suite.kem === 'none' ? 0 : KEM_CIPHERTEXT_BYTES))
    return `kem_ciphertext has not the length that ${suite.kem} gives`;
  if (offer.secondPort < SECOND_PORT_MIN) return 'the second port is below 1024';
  if (offer.secondHost !== '' && !secondHosts.includes(offer.secondHost))
    return `the second port is on ${offer.secondHost}, a host that this customer does not allow (secondHosts)`;
  return undefined;
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}
