/** The server's half of the key exchange at the second port: checks of Yc, Z, keys and customer_finished. */

import type { GroupName } from './groups.ts';

/** What a worker needs to complete one arrival. `exponent` and `kemSecret` are secret and owned by whoever receives the job, who wipes them. */
export interface ArrivalJob {
  readonly group: GroupName;
  /** a. */
  readonly exponent: Uint8Array;
  /** Ys, |p| bytes. */
  readonly publicValue: Uint8Array;
  /** Yc, as it came. */
  readonly peerPublicValue: Uint8Array;
  /** K, or empty. */
  readonly kemSecret: Uint8Array;
  /** HELLO frame || OFFER frame || CUSTOMER_KEY frame; its last 32 bytes are customer_finished. */
  readonly transcript: Uint8Array;
}
