/** Who a customer is and what it accepts: the content of a customer file, in memory. */

import { GROUP_NAMES, type GroupName } from '../crypto/groups.ts';

export { GROUP_NAMES, type GroupName };

export const KEM_NAMES = ['ML-KEM-768', 'none'] as const;
export type KemName = (typeof KEM_NAMES)[number];

export const AEAD_NAMES = ['AES-256-GCM', 'ChaCha20-Poly1305'] as const;
export type AeadName = (typeof AEAD_NAMES)[number];

/** What the customer accepts: kept with the pin, so that no server can talk it into less. */
export interface CustomerPolicy {
  /** `pinned`: the host key must be known beforehand. `tofu`: a person decides on first use, then it is pinned. */
  readonly trust: 'pinned' | 'tofu';
  readonly groups: readonly GroupName[];
  readonly kems: readonly KemName[];
  readonly aeads: readonly AeadName[];
  /** Hosts other than the first port's that an offer may name for the second port. */
  readonly secondHosts: readonly string[];
}

/** Everything at or above the protocol's defaults. */
export const DEFAULT_POLICY: CustomerPolicy = {
  trust: 'pinned',
  groups: ['ffdhe3072', 'ffdhe4096'],
  kems: ['ML-KEM-768'],
  aeads: ['AES-256-GCM', 'ChaCha20-Poly1305'],
  secondHosts: [],
};

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
  readonly policy: CustomerPolicy;
}
