/** The customer's half of the key exchange: Yc, Z, K, customer_finished and the keys, from an OFFER that passed every check. */

import type { KeyObject } from 'node:crypto';
import { SallyportError } from '../errors.ts';
import type { Hashing } from './core-hash.ts';
import type { Exponentiation } from './core-modexp.ts';
import type { GroupName } from './groups.ts';
import { decapsulateWith } from './kem.ts';
import {
  beginKeySchedule,
  customerFinished,
  FINISHED_MAC_BYTES,
  type KeyScheduleHashing,
  type SessionKeys,
  sessionKeys,
  wipeKeySchedule,
} from './key-schedule.ts';

/** `exponent` is secret; `makeCustomerKeys` wipes it. */
export interface CustomerKeyJob {
  readonly group: GroupName;
  /** b. */
  readonly exponent: Uint8Array;
  /** Ys, checked: |p| bytes, 1 < Ys < p-1. */
  readonly peerPublicValue: Uint8Array;
  /** The decapsulation key of this session; undefined when kem = none. */
  readonly kemPrivateKey: KeyObject | undefined;
  /** 1088 bytes, or empty when kem = none. */
  readonly kemCiphertext: Uint8Array;
  /** HELLO frame || OFFER frame || CUSTOMER_KEY frame with zeros where Yc and customer_finished (its last 32 bytes) go. */
  readonly transcript: Uint8Array;
  /** Where Yc goes in the transcript. */
  readonly publicValueOffset: number;
}

export type CustomerKeys =
  | {
      readonly ok: true;
      /** Yc. */
      readonly publicValue: Uint8Array;
      /** The transcript, complete. */
      readonly transcript: Uint8Array;
      readonly keys: SessionKeys;
    }
  /** Z came to 0, 1 or p-1. */
  | { readonly ok: false; readonly code: 'KEY_EXCHANGE_FAILED' };

/** Computes Yc = g^b and Z = Ys^b, and the keys. Wipes b, Z, K and PRK. */
export function makeCustomerKeys(
  crypto: Pick<Exponentiation, 'publicValue' | 'sharedValues'> & Pick<Hashing, 'sha256'> & KeyScheduleHashing,
  job: CustomerKeyJob,
): CustomerKeys {
  const publicValue = crypto.publicValue(job.group, job.exponent);
  const sharedValue = crypto.sharedValues(job.group, [job])[0]!;
  job.exponent.fill(0);
  if (sharedValue instanceof SallyportError) return { ok: false, code: 'KEY_EXCHANGE_FAILED' };
  const kemSecret =
    job.kemPrivateKey === undefined ? new Uint8Array(0) : decapsulateWith(job.kemPrivateKey, job.kemCiphertext);

  const transcript = new Uint8Array(job.transcript);
  transcript.set(publicValue, job.publicValueOffset);
  const finishedOffset = transcript.length - FINISHED_MAC_BYTES;
  const th1 = crypto.sha256(transcript.subarray(0, finishedOffset));
  const schedule = beginKeySchedule(crypto, th1, sharedValue, kemSecret);
  transcript.set(customerFinished(crypto, schedule), finishedOffset);
  const keys = sessionKeys(crypto, schedule, crypto.sha256(transcript));

  sharedValue.fill(0);
  kemSecret.fill(0);
  wipeKeySchedule(schedule);
  return { ok: true, publicValue, transcript, keys };
}
