/** The server's half of the key exchange at the second port: checks of Yc, Z, keys and customer_finished, many at a time. */

import { timingSafeEqual } from 'node:crypto';
import { assert, SallyportError } from '../errors.ts';
import { byGroup } from './batch-by-group.ts';
import type { PrefixDigests, PrefixedMessage } from './core-hash.ts';
import type { Exponentiation } from './core-modexp.ts';
import type { GroupName } from './groups.ts';
import {
  beginKeySchedule,
  customerFinished,
  FINISHED_MAC_BYTES,
  type KeyScheduleHashing,
  type SessionKeys,
  sessionKeys,
  wipeKeySchedule,
} from './key-schedule.ts';
import { isPublicValue } from './public-value.ts';

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

/** Bad value and bad MAC are one answer (docs/PROTOCOL.md section 9). */
export type ArrivalKeys =
  | { readonly ok: true; readonly keys: SessionKeys }
  | { readonly ok: false; readonly code: 'KEY_EXCHANGE_FAILED' };

const FAILED: ArrivalKeys = { ok: false, code: 'KEY_EXCHANGE_FAILED' };

/** Completes arrivals, in the order of the jobs; jobs of one group share passes of the kernel. Wipes each job's exponent and K, and Z. */
export function makeArrivals(
  crypto: Pick<Exponentiation, 'sharedValues'> & KeyScheduleHashing,
  jobs: readonly ArrivalJob[],
): ArrivalKeys[] {
  const results: ArrivalKeys[] = jobs.map(() => FAILED);
  const sound = jobs.map((job, index) => ({ ...job, index })).filter(hasSoundValue);
  const sharedValues = byGroup(sound, (group, indices) =>
    crypto.sharedValues(
      group,
      indices.map((index) => sound[index]!),
    ),
  );
  const hashes = crypto.sha256Prefixes(sound.map(upToFinished));
  sound.forEach((job, at) => {
    const sharedValue = sharedValues[at]!;
    // 1 < Z < p-1 (SP 800-56A r3 §5.7.1.1) is the core's check.
    if (sharedValue instanceof SallyportError) return;
    results[job.index] = completeArrival(crypto, job, sharedValue, hashes[at]!);
    sharedValue.fill(0);
  });
  for (const job of jobs) {
    job.exponent.fill(0);
    job.kemSecret.fill(0);
  }
  return results;
}

/** SP 800-56A r3 §5.6.2.3.2, and no echo of our own value. */
function hasSoundValue(job: ArrivalJob): boolean {
  return isPublicValue(job.group, job.peerPublicValue) && Buffer.compare(job.peerPublicValue, job.publicValue) !== 0;
}

/** TH1 is the hash of a transcript up to customer_finished, TH2 that of all of it. */
function upToFinished({ transcript }: ArrivalJob): PrefixedMessage {
  assert(transcript.length > FINISHED_MAC_BYTES, 'a transcript ends with customer_finished');
  return { data: transcript, prefixLength: transcript.length - FINISHED_MAC_BYTES };
}

function completeArrival(
  hashing: KeyScheduleHashing,
  job: ArrivalJob,
  sharedValue: Uint8Array,
  { prefix: th1, whole: th2 }: PrefixDigests,
): ArrivalKeys {
  const schedule = beginKeySchedule(hashing, th1, sharedValue, job.kemSecret);
  const expected = customerFinished(hashing, schedule);
  const agreed = timingSafeEqual(expected, job.transcript.subarray(-FINISHED_MAC_BYTES));
  const result: ArrivalKeys = agreed ? { ok: true, keys: sessionKeys(hashing, schedule, th2) } : FAILED;
  expected.fill(0);
  wipeKeySchedule(schedule);
  return result;
}
