import { assert } from '../errors.ts';
import { CONTENT_TYPE_BYTES_MAX, RECEIPT_RESULT_BYTES_MAX, TRANSACTION_ID_BYTES } from '../limits.ts';
import { CONTENT_TYPE } from './content-type.ts';

/**
 * The receipt of docs/PROTOCOL.md section 8:
 *
 * ```
 * offset  size  field
 * 0       16    transaction_id
 * 16      1     outcome              0x01 processed, 0x02 refused, 0x03 partly
 * 17      8     sequence             of the transaction in the ledger
 * 25      8     committed_time_us
 * 33      32    body_hash
 * 65      1+n   result_content_type
 *         2+n   result
 *         8     key_id
 *         64    signature
 * ```
 */
const OUTCOMES = ['processed', 'refused', 'partly'] as const;
export type ReceiptOutcome = (typeof OUTCOMES)[number];

export interface Receipt {
  /** 16 bytes. */
  readonly transactionId: Uint8Array;
  readonly outcome: ReceiptOutcome;
  readonly sequence: bigint;
  readonly committedTimeUs: bigint;
  /** 32 bytes: SHA-256 over `transactionHashInput`. */
  readonly bodyHash: Uint8Array;
  readonly resultContentType: string;
  readonly result: Uint8Array;
  /** 8 bytes. */
  readonly keyId: Uint8Array;
  /** 64 bytes. */
  readonly signature: Uint8Array;
}

const RECEIPT_KEY_ID_BYTES = 8;
export const RECEIPT_SIGNATURE_BYTES = 64;
const BODY_HASH_OFFSET = 33;
const BODY_HASH_BYTES = 32;
const RESULT_TYPE_OFFSET = BODY_HASH_OFFSET + BODY_HASH_BYTES;
const TRAILER_BYTES = RECEIPT_KEY_ID_BYTES + RECEIPT_SIGNATURE_BYTES;
export const RECEIPT_BYTES_MIN = RESULT_TYPE_OFFSET + 1 + 1 + 2 + TRAILER_BYTES;
export const RECEIPT_BYTES_MAX =
  RESULT_TYPE_OFFSET + 1 + CONTENT_TYPE_BYTES_MAX + 2 + RECEIPT_RESULT_BYTES_MAX + TRAILER_BYTES;

const TRANSACTION_LABEL = ascii('sallyport/1 transaction\0');
const RECEIPT_LABEL = ascii('sallyport/1 receipt\0');

function ascii(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text, 'latin1'));
}

/** Whether a text can be a content type on the wire: 1 to 128 bytes of printable ASCII. */
export function isContentType(text: string): boolean {
  return text.length <= CONTENT_TYPE_BYTES_MAX && CONTENT_TYPE.test(text);
}

/** What SHA-256 turns into body_hash: "sallyport/1 transaction" || len8(content_type) || len16(body). */
export function transactionHashInput(contentType: string, body: Uint8Array): Uint8Array {
  assert(isContentType(contentType) && body.length <= 0xffff, 'only a transaction that fits the wire is hashed');
  const type = ascii(contentType);
  const input = new Uint8Array(TRANSACTION_LABEL.length + 1 + type.length + 2 + body.length);
  let at = TRANSACTION_LABEL.length;
  input.set(TRANSACTION_LABEL);
  input[at++] = type.length;
  input.set(type, at);
  at += type.length;
  input[at++] = body.length >>> 8;
  input[at++] = body.length & 0xff;
  input.set(body, at);
  return input;
}

/** All of a receipt but its signature. */
export function encodeUnsignedReceipt(receipt: Omit<Receipt, 'signature'>): Uint8Array {
  const { resultContentType, result } = receipt;
  assert(receipt.transactionId.length === TRANSACTION_ID_BYTES, 'a transaction id has 16 bytes');
  assert(receipt.bodyHash.length === BODY_HASH_BYTES, 'a body hash has 32 bytes');
  assert(receipt.keyId.length === RECEIPT_KEY_ID_BYTES, 'a key id has 8 bytes');
  assert(isContentType(resultContentType), 'a result has a content type of 1 to 128 printable bytes');
  assert(result.length <= RECEIPT_RESULT_BYTES_MAX, 'a result has at most 60,000 bytes');
  const type = ascii(resultContentType);
  const bytes = new Uint8Array(RESULT_TYPE_OFFSET + 1 + type.length + 2 + result.length + RECEIPT_KEY_ID_BYTES);
  const view = new DataView(bytes.buffer);
  bytes.set(receipt.transactionId);
  bytes[16] = OUTCOMES.indexOf(receipt.outcome) + 1;
  view.setBigUint64(17, receipt.sequence);
  view.setBigUint64(25, receipt.committedTimeUs);
  bytes.set(receipt.bodyHash, BODY_HASH_OFFSET);
  let at = RESULT_TYPE_OFFSET;
  bytes[at++] = type.length;
  bytes.set(type, at);
  at += type.length;
  view.setUint16(at, result.length);
  bytes.set(result, at + 2);
  bytes.set(receipt.keyId, at + 2 + result.length);
  return bytes;
}

/** What is signed: "sallyport/1 receipt" || len8(customer_id) || the receipt without its signature. */
export function receiptSignatureInput(customerId: string, unsigned: Uint8Array): Uint8Array {
  const customer = Buffer.from(customerId, 'utf8');
  assert(customer.length <= 0xff, 'a customer id fits one length byte');
  const input = new Uint8Array(RECEIPT_LABEL.length + 1 + customer.length + unsigned.length);
  input.set(RECEIPT_LABEL);
  input[RECEIPT_LABEL.length] = customer.length;
  input.set(customer, RECEIPT_LABEL.length + 1);
  input.set(unsigned, RECEIPT_LABEL.length + 1 + customer.length);
  return input;
}

/** The part of a receipt that is under its signature. */
export function unsignedPart(receiptBytes: Uint8Array): Uint8Array {
  return receiptBytes.subarray(0, receiptBytes.length - RECEIPT_SIGNATURE_BYTES);
}

/** A receipt from its bytes; its fields are views into them. Undefined when the bytes are not exactly one receipt. */
export function decodeReceipt(bytes: Uint8Array): Receipt | undefined {
  if (bytes.length < RECEIPT_BYTES_MIN || bytes.length > RECEIPT_BYTES_MAX) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const outcome = OUTCOMES[bytes[16]! - 1];
  if (outcome === undefined) return undefined;
  const typeLength = bytes[RESULT_TYPE_OFFSET]!;
  const typeStart = RESULT_TYPE_OFFSET + 1;
  const resultLengthAt = typeStart + typeLength;
  // The minimum size leaves at least the two length bytes and the trailer behind any one-byte type; longer ones are checked here.
  if (resultLengthAt + 2 + TRAILER_BYTES > bytes.length) return undefined;
  const resultStart = resultLengthAt + 2;
  const resultEnd = resultStart + view.getUint16(resultLengthAt);
  if (resultEnd - resultStart > RECEIPT_RESULT_BYTES_MAX || resultEnd + TRAILER_BYTES !== bytes.length)
    return undefined;
  const resultContentType = Buffer.from(bytes.subarray(typeStart, resultLengthAt)).toString('latin1');
  if (!isContentType(resultContentType)) return undefined;
  return {
    transactionId: bytes.subarray(0, TRANSACTION_ID_BYTES),
    outcome,
    sequence: view.getBigUint64(17),
    committedTimeUs: view.getBigUint64(25),
    bodyHash: bytes.subarray(BODY_HASH_OFFSET, RESULT_TYPE_OFFSET),
    resultContentType,
    result: bytes.subarray(resultStart, resultEnd),
    keyId: bytes.subarray(resultEnd, resultEnd + RECEIPT_KEY_ID_BYTES),
    signature: bytes.subarray(resultEnd + RECEIPT_KEY_ID_BYTES),
  };
}
