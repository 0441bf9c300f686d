/** Who a customer is and what it accepts: the content of a customer file, in memory. */

import { GROUP_NAMES } from '../crypto/groups.ts';
import { AEAD_IDS, DEFAULT_SUITE_POLICY, KEM_IDS, type SuitePolicy } from '../crypto/suite.ts';
import type { Auth } from '../wire/auth.ts';

export { GROUP_NAMES };
export const KEM_NAMES = namesOf(KEM_IDS);
export const AEAD_NAMES = namesOf(AEAD_IDS);

function namesOf<Name extends string>(ids: Readonly<Record<Name, number>>): Name[] {
  return Object.keys(ids) as Name[];
}

/** What the customer accepts: kept with the pin, so that no server can talk it into less. */
export interface CustomerPolicy extends SuitePolicy {
  /** `pinned`: the host key must be known beforehand. `tofu`: a person decides on first use, then it is pinned. */
  readonly trust: 'pinned' | 'tofu';
  /** Hosts other than the first port's that an offer may name for the second port. */
  readonly secondHosts: readonly string[];
}

/** Everything at or above the protocol's defaults. */
export const DEFAULT_POLICY: CustomerPolicy = { trust: 'pinned', ...DEFAULT_SUITE_POLICY, secondHosts: [] };

export interface CustomerIdentity {
  readonly customerId: string;
  /** Facts by tag, as they were enrolled. */
  readonly profile: Readonly<Record<string, string>>;
  /** 32 bytes. */
  readonly credential: Uint8Array;
  /** The first port. */
  readonly server: { readonly host: string; readonly port: number };
  /** Ed25519 public key of the server, 32 bytes; undefined before the first use of a `tofu` customer. */
  readonly hostKey?: Uint8Array | undefined;
  /** The key that the current one announced as its successor. */
  readonly nextHostKey?: Uint8Array | undefined;
  /** Keys that were pinned before, newest first: receipts of earlier transactions are signed by them. */
  readonly pastHostKeys?: readonly Uint8Array[];
  readonly policy: CustomerPolicy;
}

/** What AUTH carries: tags ascending, values in UTF-8, and a copy of the credential, which whoever gets it wipes. */
export function authOf(identity: Pick<CustomerIdentity, 'customerId' | 'profile' | 'credential'>): Auth {
  const profile = Object.keys(identity.profile)
    .sort()
    .map((tag) => ({ tag, value: new Uint8Array(Buffer.from(identity.profile[tag]!, 'utf8')) }));
  return { customerId: identity.customerId, profile, credential: new Uint8Array(identity.credential) };
}
