/** The server's half of the key exchange before the second port: a, Ys, ML-KEM and the signature of an OFFER. */

import type { GroupName } from './groups.ts';

/** What a worker needs to complete one OFFER. Nothing in it is secret. */
export interface OfferJob {
  readonly group: GroupName;
  /** The customer's ML-KEM-768 encapsulation key, 1184 bytes; empty when kem = none. */
  readonly kemKey: Uint8Array;
  readonly helloFrame: Uint8Array;
  /** The whole OFFER frame with zeros where Ys, kem_ciphertext and signature (its last 64 bytes) go. */
  readonly offerFrame: Uint8Array;
  readonly publicValueOffset: number;
  readonly kemCiphertextOffset: number;
}
