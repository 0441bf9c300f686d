/**
 * Records (docs/PROTOCOL.md section 4.2): one AEAD message each, padded, numbered by its place in its direction.
 *
 * ```
 * header (4) | AEAD(key, nonce, associated data = header, content | inner type (1) | zeros to a multiple of 64) | tag (16)
 * nonce = iv XOR (0x00000000 | sequence number, 8 bytes)
 * ```
 */

import { createCipheriv, createDecipheriv } from 'node:crypto';
import { assert } from '../errors.ts';
import type { TrafficKeys } from './key-schedule.ts';
import type { AeadName } from './suite.ts';

/** Of one direction of one session: a thousandth of what either AEAD's limits allow (RFC 8446 §5.5: 2^24.5 full records of AES-GCM). */
export const RECORDS_MAX = 65_536;
/** RECORD frames of one direction, headers included. */
export const RECORD_BYTES_TOTAL_MAX = 64 * 1024 * 1024;
/** Hides the exact length of small messages; 64 costs an average of 32 bytes a record. */
export const PADDING_BYTES = 64;
export const TAG_BYTES = 16;
export const RECORD_HEADER_BYTES = 4;
/** The largest multiple of 64 whose record fits the length field with its tag: 65,488 of 65,535. */
export const PLAINTEXT_BYTES_MAX = 65_472;
export const RECORD_CONTENT_BYTES_MAX = PLAINTEXT_BYTES_MAX - 1;

/** As node:crypto names them. */
const OPENSSL_NAMES = {
  'AES-256-GCM': 'aes-256-gcm',
  'ChaCha20-Poly1305': 'chacha20-poly1305',
} as const satisfies Record<AeadName, string>;

export type OpenedRecord =
  | { readonly kind: 'opened'; readonly type: number; readonly content: Uint8Array }
  /** The tag is wrong: altered, out of order, or of other keys. Ends the connection without a word. */
  | { readonly kind: 'decryptFailed' }
  /** It decrypts, and is not what section 4.2 allows inside. */
  | { readonly kind: 'malformed'; readonly what: string };

/** Length of a RECORD frame's body for this much content. */
export function sealedBytes(contentBytes: number): number {
  assert(contentBytes >= 0 && contentBytes <= RECORD_CONTENT_BYTES_MAX, 'content fits one record');
  return Math.ceil((contentBytes + 1) / PADDING_BYTES) * PADDING_BYTES + TAG_BYTES;
}

/**
 * Seals one record: the whole frame. `header` is the frame's, whose length field says `sealedBytes(content.length)`. The sequence number
 * must never have been used with these keys before.
 */
export function sealRecord(
  aead: AeadName,
  keys: TrafficKeys,
  sequence: number,
  header: Uint8Array,
  type: number,
  content: Uint8Array,
): Uint8Array {
  assert(type >= 1 && type <= 0xff, 'an inner type is a byte that is not zero');
  assert(header.length === RECORD_HEADER_BYTES, 'a header has 4 bytes');
  const record = Buffer.allocUnsafe(RECORD_HEADER_BYTES + sealedBytes(content.length));
  record.set(header);
  // The plaintext stands where the ciphertext will, so that no copy of it is left behind.
  const plaintext = record.subarray(RECORD_HEADER_BYTES, record.length - TAG_BYTES);
  plaintext.set(content);
  plaintext[content.length] = type;
  plaintext.fill(0, content.length + 1);
  const nonce = nonceOf(keys.iv, sequence);
  const cipher = createCipheriv(OPENSSL_NAMES[aead] as 'aes-256-gcm', keys.key, nonce, { authTagLength: TAG_BYTES });
  cipher.setAAD(header, { plaintextLength: plaintext.length });
  plaintext.set(cipher.update(plaintext));
  cipher.final();
  record.set(cipher.getAuthTag(), record.length - TAG_BYTES);
  return record;
}

/** Opens a whole RECORD frame whose header has been checked. `content` is a fresh buffer, the opener's own. */
export function openRecord(aead: AeadName, keys: TrafficKeys, sequence: number, record: Uint8Array): OpenedRecord {
  const ciphertext = record.subarray(RECORD_HEADER_BYTES, record.length - TAG_BYTES);
  const nonce = nonceOf(keys.iv, sequence);
  const decipher = createDecipheriv(OPENSSL_NAMES[aead] as 'aes-256-gcm', keys.key, nonce, {
    authTagLength: TAG_BYTES,
  });
  decipher.setAAD(record.subarray(0, RECORD_HEADER_BYTES), { plaintextLength: ciphertext.length });
  decipher.setAuthTag(record.subarray(record.length - TAG_BYTES));
  const plaintext = decipher.update(ciphertext);
  try {
    decipher.final();
  } catch {
    // The only thing final() throws for here is a tag that is not right; nothing of the plaintext may be used then.
    plaintext.fill(0);
    return { kind: 'decryptFailed' };
  }
  return unpad(plaintext);
}

function unpad(plaintext: Uint8Array): OpenedRecord {
  // The padding is shorter than 64 bytes, so the search is too.
  const lowest = Math.max(0, plaintext.length - PADDING_BYTES);
  for (let at = plaintext.length - 1; at >= lowest; at--) {
    const type = plaintext[at]!;
    if (type !== 0) return { kind: 'opened', type, content: plaintext.subarray(0, at) };
  }
  return { kind: 'malformed', what: 'the padding is longer than needed' };
}

/** RFC 8446 §5.3, with 8 bytes of sequence number. */
function nonceOf(iv: Uint8Array, sequence: number): Uint8Array {
  assert(Number.isInteger(sequence) && sequence >= 0 && sequence < RECORDS_MAX, 'a session has at most 65,536 records');
  const nonce = new Uint8Array(iv);
  // Sequence numbers stay below 2^16, so only the last two of the eight bytes can differ from the iv's.
  nonce[10]! ^= sequence >>> 8;
  nonce[11]! ^= sequence & 0xff;
  return nonce;
}
