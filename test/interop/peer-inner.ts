/** The inner messages of the independent peer, docs/PROTOCOL.md 4.3 and 8. */

import { isSigned, keyId, sha256 } from './peer-keys.ts';
import {
  encodeSignature,
  label,
  len8,
  len16,
  PeerError,
  Reader,
  type Signature,
  u8,
  u16,
  u32,
  u64,
} from './peer-wire.ts';

const CUSTOMER_ID = /^[a-z0-9][a-z0-9._-]*$/;
const TAG = /^[a-z0-9][a-z0-9_-]*$/;
const PRINTABLE = /^[\x20-\x7e]+$/;

export type Profile = Readonly<Record<string, string | Uint8Array>>;

export interface Auth {
  readonly customerId: string;
  readonly fields: ReadonlyMap<string, Buffer>;
  readonly credential: Buffer;
}

export function encodeAuth(customerId: string, profile: Profile, credential: Uint8Array): Buffer {
  // Tags are ASCII, so the order of UTF-16 units is the order of bytes.
  const tags = Object.keys(profile).sort();
  const fields = tags.flatMap((tag) => [len8(tag), len16(profile[tag]!)]);
  return Buffer.concat([len8(customerId), u8(tags.length), ...fields, credential]);
}

export function decodeAuth(content: Uint8Array): Auth {
  const r = new Reader(content, 'TOO_LARGE');
  const customerId = r.len8(1, 64).toString('latin1');
  const count = r.u8();
  if (count > 16) throw new PeerError('TOO_LARGE');
  const fields = new Map<string, Buffer>();
  let last = '';
  for (let i = 0; i < count; i += 1) {
    const tag = r.len8(1, 32).toString('latin1');
    if (!TAG.test(tag) || tag <= last) throw new PeerError('BAD_FRAME');
    fields.set(tag, r.len16(0, 256));
    last = tag;
  }
  const credential = r.take(32);
  r.end();
  if (!CUSTOMER_ID.test(customerId)) throw new PeerError('BAD_FRAME');
  return { customerId, fields, credential };
}

/** A transaction or a query: `id` is transaction_id (16 bytes) or query_id (4 bytes). */
export interface Document {
  readonly id: Buffer;
  readonly contentType: string;
  readonly body: Buffer;
}

export function encodeDocument(id: Uint8Array, contentType: string, body: Uint8Array | string): Buffer {
  return Buffer.concat([id, len8(contentType), len16(body)]);
}

export function decodeDocument(content: Uint8Array, idSize: 16 | 4): Document {
  const r = new Reader(content, 'TOO_LARGE');
  const id = r.take(idSize);
  const contentType = r.len8(1, 128).toString('latin1');
  const body = r.len16(0, idSize === 16 ? 61440 : 4096);
  r.end();
  if (!PRINTABLE.test(contentType)) throw new PeerError('BAD_FRAME');
  return { id, contentType, body };
}

export function bodyHash(contentType: string, body: Uint8Array | string): Buffer {
  return sha256(label('sallyport/1 transaction'), len8(contentType), len16(body));
}

export interface Receipt {
  readonly kind: 'receipt';
  readonly transactionId: Buffer;
  readonly outcome: number;
  readonly sequence: bigint;
  readonly committedTimeUs: bigint;
  readonly bodyHash: Buffer;
  readonly resultContentType: string;
  readonly result: Buffer;
  readonly salt: Uint8Array;
  readonly keyId: Buffer;
  readonly signature: Signature;
  /** The RECEIPT's bytes as they came. */
  readonly bytes: Buffer;
}

export function encodeReceiptUnsigned(receipt: Omit<Receipt, 'kind' | 'signature' | 'bytes'>): Buffer {
  return Buffer.concat([
    receipt.transactionId,
    u8(receipt.outcome),
    u64(receipt.sequence),
    u64(receipt.committedTimeUs),
    receipt.bodyHash,
    len8(receipt.resultContentType),
    len16(receipt.result),
    receipt.salt,
    receipt.keyId,
  ]);
}

/** What a receipt's signature covers. */
export function receiptSigned(customerId: string, unsigned: Uint8Array): Buffer {
  return Buffer.concat([label('sallyport/1 receipt'), len8(customerId), unsigned]);
}

export function decodeReceipt(content: Uint8Array): Receipt {
  const r = new Reader(content, 'TOO_LARGE');
  const receipt: Receipt = {
    kind: 'receipt',
    transactionId: r.take(16),
    outcome: r.u8(),
    sequence: r.u64(),
    committedTimeUs: r.u64(),
    bodyHash: r.take(32),
    resultContentType: r.len8(0, 128).toString('latin1'),
    result: r.len16(0, 60000),
    salt: r.take(16),
    keyId: r.take(8),
    signature: r.signature(),
    bytes: Buffer.from(content),
  };
  r.end();
  if (receipt.outcome < 1 || receipt.outcome > 3 || receipt.sequence < 1n) throw new PeerError('BAD_FRAME');
  return receipt;
}

/** Whether one of the host keys signed this receipt, for this customer and this document. */
export function receiptIsValid(
  receipt: Receipt,
  customerId: string,
  document: { readonly contentType: string; readonly body: Uint8Array | string },
  hostKeys: readonly Uint8Array[],
): boolean {
  const hostKey = hostKeys.find((key) => keyId(key).equals(receipt.keyId));
  const signatureSize = encodeSignature(receipt.signature).length;
  const signed = receiptSigned(customerId, receipt.bytes.subarray(0, -signatureSize));
  return (
    hostKey !== undefined &&
    isSigned(hostKey, signed, receipt.signature) &&
    receipt.bodyHash.equals(bodyHash(document.contentType, document.body))
  );
}

export interface Refusal {
  readonly kind: 'refusal';
  readonly transactionId: Buffer;
  readonly code: number;
  readonly retryAfterMs: number;
  readonly text: string;
}

export function encodeRefusal(transactionId: Uint8Array, code: number, retryAfterMs: number, text: string): Buffer {
  return Buffer.concat([transactionId, u8(code), u32(retryAfterMs), len16(text)]);
}

export function decodeRefusal(content: Uint8Array): Refusal {
  const r = new Reader(content, 'TOO_LARGE');
  const refusal: Refusal = {
    kind: 'refusal',
    transactionId: r.take(16),
    code: r.u8(),
    retryAfterMs: r.u32(),
    text: r.len16(0, 512).toString('utf8'),
  };
  r.end();
  return refusal;
}

export interface Answer {
  readonly kind: 'answer';
  readonly queryId: Buffer;
  readonly status: number;
  readonly contentType: string;
  readonly body: Buffer;
}

export function encodeAnswer(queryId: Uint8Array, status: number, contentType: string, body: Uint8Array): Buffer {
  return Buffer.concat([queryId, u8(status), len8(contentType), u16(body.length), body]);
}

export function decodeAnswer(content: Uint8Array): Answer {
  const r = new Reader(content, 'TOO_LARGE');
  const answer: Answer = {
    kind: 'answer',
    queryId: r.take(4),
    status: r.u8(),
    contentType: r.len8(0, 128).toString('latin1'),
    body: r.len16(0, 61440),
  };
  r.end();
  return answer;
}
