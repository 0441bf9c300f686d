/** The one-way function: from Z and K to the keys of one session (docs/PROTOCOL.md section 6; SP 800-56C r2 §2, RFC 5869). */

import { assert } from '../errors.ts';
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

/** PRK and TH1: what every key of the session is expanded from. Secret; one owner, who calls `wipeKeySchedule`. */
export interface KeySchedule {
  /** 32 bytes. */
  readonly prk: Uint8Array;
  /** 32 bytes, public. */
  readonly th1: Uint8Array;
}

export type KeyScheduleHashing = Pick<Hashing, 'sha256' | 'hmacSha256' | 'hkdfExtract' | 'hkdfExpand'>;

export const FINISHED_MAC_BYTES = 32;
const KEY_BYTES = 32;
const IV_BYTES = 12;
const HASH_BYTES = 32;

/**
 * PRK = HKDF-Extract(TH1, Z || K). `sharedValue` has |p| bytes, leading zeros included (RFC 8446 §7.4.1: without them its length would
 * leak, the Raccoon attack); `kemSecret` has 32 bytes or none. Both stay the caller's to wipe.
 */
export function beginKeySchedule(
  hashing: KeyScheduleHashing,
  th1: Uint8Array,
  sharedValue: Uint8Array,
  kemSecret: Uint8Array,
): KeySchedule {
  assert(th1.length === HASH_BYTES, 'TH1 has 32 bytes');
  const inputKeyMaterial = new Uint8Array(sharedValue.length + kemSecret.length);
  inputKeyMaterial.set(sharedValue);
  inputKeyMaterial.set(kemSecret, sharedValue.length);
  const prk = hashing.hkdfExtract(th1, inputKeyMaterial);
  inputKeyMaterial.fill(0);
  return { prk, th1 };
}

/** customer_finished = HMAC(key("customer finished", 32), TH1). 32 bytes. */
export function customerFinished(hashing: KeyScheduleHashing, schedule: KeySchedule): Uint8Array {
  return finishedMac(hashing, schedule, 'customer finished', schedule.th1);
}

/** The keys of both directions, and server_finished over TH2. */
export function sessionKeys(hashing: KeyScheduleHashing, schedule: KeySchedule, th2: Uint8Array): SessionKeys {
  assert(th2.length === HASH_BYTES, 'TH2 has 32 bytes');
  return {
    customer: {
      key: expand(hashing, schedule, 'customer key', KEY_BYTES),
      iv: expand(hashing, schedule, 'customer iv', IV_BYTES),
    },
    server: {
      key: expand(hashing, schedule, 'server key', KEY_BYTES),
      iv: expand(hashing, schedule, 'server iv', IV_BYTES),
    },
    serverFinished: finishedMac(hashing, schedule, 'server finished', th2),
  };
}

export function wipeKeySchedule(schedule: KeySchedule): void {
  schedule.prk.fill(0);
}

export function wipeSessionKeys(keys: SessionKeys): void {
  for (const traffic of [keys.customer, keys.server]) {
    traffic.key.fill(0);
    traffic.iv.fill(0);
  }
  keys.serverFinished.fill(0);
}

function finishedMac(
  hashing: KeyScheduleHashing,
  schedule: KeySchedule,
  label: string,
  transcriptHash: Uint8Array,
): Uint8Array {
  const key = expand(hashing, schedule, label, KEY_BYTES);
  const mac = hashing.hmacSha256(key, transcriptHash);
  key.fill(0);
  return mac;
}

/** key(label, n) = HKDF-Expand(PRK, "sallyport/1 " label 0x00 || TH1, n). */
function expand(hashing: KeyScheduleHashing, schedule: KeySchedule, label: string, length: number): Uint8Array {
  const info = Buffer.concat([Buffer.from(`sallyport/1 ${label}\0`, 'latin1'), schedule.th1]);
  return hashing.hkdfExpand(schedule.prk, info, length);
}
