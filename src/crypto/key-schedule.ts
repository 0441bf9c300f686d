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

/** PRK, TH1, and what is expanded from them. Secret; one owner, who calls `wipeKeySchedule`. */
export interface KeySchedule {
  /** 32 bytes. */
  readonly prk: Uint8Array;
  /** Of each label the 32 bytes that its key begins with. */
  readonly expanded: Readonly<Record<Label, Uint8Array>>;
  /** 32 bytes, public. */
  readonly th1: Uint8Array;
}

export type KeyScheduleHashing = Pick<Hashing, 'sha256Prefixes' | 'hmacSha256' | 'hkdfExtract' | 'hkdfExpandEach'>;

export const FINISHED_MAC_BYTES = 32;
const IV_BYTES = 12;
const HASH_BYTES = 32;

const LABELS = [
  'customer finished',
  'server finished',
  'customer key',
  'customer iv',
  'server key',
  'server iv',
] as const;
type Label = (typeof LABELS)[number];
const LABEL_BYTES = LABELS.map((label) => Buffer.from(`sallyport/1 ${label}\0`, 'latin1'));

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
  // key(label, n) = HKDF-Expand(PRK, "sallyport/1 " label 0x00 || TH1, n), of which n <= 32 is a prefix: all labels at once.
  const infos = LABEL_BYTES.map((label) => Buffer.concat([label, th1]));
  const blocks = hashing.hkdfExpandEach(prk, infos);
  const expanded = Object.fromEntries(LABELS.map((label, index) => [label, blocks[index]!]));
  return { prk, th1, expanded: expanded as Record<Label, Uint8Array> };
}

/** customer_finished = HMAC(key("customer finished", 32), TH1). 32 bytes. */
export function customerFinished(hashing: KeyScheduleHashing, schedule: KeySchedule): Uint8Array {
  return hashing.hmacSha256(schedule.expanded['customer finished'], schedule.th1);
}

/** The keys of both directions, and server_finished over TH2. */
export function sessionKeys(hashing: KeyScheduleHashing, schedule: KeySchedule, th2: Uint8Array): SessionKeys {
  assert(th2.length === HASH_BYTES, 'TH2 has 32 bytes');
  const { expanded } = schedule;
  return {
    customer: { key: expanded['customer key'].slice(), iv: expanded['customer iv'].slice(0, IV_BYTES) },
    server: { key: expanded['server key'].slice(), iv: expanded['server iv'].slice(0, IV_BYTES) },
    serverFinished: hashing.hmacSha256(expanded['server finished'], th2),
  };
}

export function wipeKeySchedule(schedule: KeySchedule): void {
  schedule.prk.fill(0);
  for (const label of LABELS) schedule.expanded[label].fill(0);
}

export function wipeSessionKeys(keys: SessionKeys): void {
  for (const traffic of [keys.customer, keys.server]) {
    traffic.key.fill(0);
    traffic.iv.fill(0);
  }
  keys.serverFinished.fill(0);
}
