/** The one-way function: from Z and K to the keys of one session (docs/PROTOCOL.md section 6). */

import type { Hashing } from './core-hash.ts';

/** What a session goes on with once the keys are made. Secret; one owner, who calls `wipeSessionKeys`. */
export interface SessionKeys {
  readonly customer: TrafficKeys;
  readonly server: TrafficKeys;
  /** 32 bytes: what the server's first record holds. */
  readonly serverFinished: Uint8Array;
}

/** One direction's AEAD key (32 bytes) and iv (12 bytes). */
export interface TrafficKeys {
  readonly key: Uint8Array;
  readonly iv: Uint8Array;
}

export type KeyScheduleHashing = Pick<Hashing, 'sha256' | 'hmacSha256' | 'hkdfExtract' | 'hkdfExpand'>;
