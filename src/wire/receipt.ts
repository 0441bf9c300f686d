import { assert } from '../errors.ts';
import { CONTENT_TYPE_BYTES_MAX, RECEIPT_RESULT_BYTES_MAX, TRANSACTION_ID_BYTES } from '../limits.ts';
import { BATCH_SIGNATURE_BYTES_MAX, BATCH_SIGNATURE_BYTES_MIN } from './batch-signature.ts';
import { CONTENT_TYPE } from './content-type.ts';
import { FieldReader } from './field-reader.ts';
import { ascii, ascii8, joinFields, len8, len16 } from './field-writer.ts';

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
 *         16    salt
 *         8     key_id
 *         n     signature            of a batch
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
  /** 16 bytes, random: who holds another receipt of the batch cannot guess at this one by its hash. */
  readonly salt: Uint8Array;
  /** 8 bytes. */
  readonly keyId: Uint8Array;
  /** That of a batch (section 3.4). */
  readonly signature: Uint8Array;
}

export const RECEIPT_SALT_BYTES = 16;
const KEY_ID_BYTES = 8;
const BODY_HASH_BYTES = 32;
const FIXED_BYTES = TRANSACTION_ID_BYTES + 1 + 8 + 8 + BODY_HASH_BYTES + 1 + 2 + RECEIPT_SALT_BYTES + KEY_ID_BYTES;
export const RECEIPT_BYTES_MIN = FIXED_BYTES + 1 + BATCH_SIGNATURE_BYTES_MIN;
export const RECEIPT_BYTES_MAX =
  FIXED_BYTES + CONTENT_TYPE_BYTES_MAX + RECEIPT_RESULT_BYTES_MAX + BATCH_SIGNATURE_BYTES_MAX;

const TRANSACTION_LABEL = ascii('sallyport/1 transaction\0');
const RECEIPT_LABEL = ascii('sallyport/1 receipt\0');

/** Whether a text can be a content type on the wire: 1 to 128 bytes of printable ASCII. */
export function isContentType(text: string): boolean {
  return text.length <= CONTENT_TYPE_BYTES_MAX && CONTENT_TYPE.test(text);
}

/** What SHA-256 turns into body_hash: "sallyport/1 transaction" || len8(content_type) || len16(body). */
export function transactionHashInput(contentType: string, body: Uint8Array): Uint8Array {
  assert(isContentType(contentType) && body.length <= 0xffff, 'only a transaction that fits the wire is hashed');
  return joinFields([TRANSACTION_LABEL, ...ascii8(contentType), ...len16(body)]);
}

/** All of a receipt but its signature. */
export function encodeUnsignedReceipt(receipt: Omit<Receipt, 'signature'>): Uint8Array {
  const { resultContentType, result } = receipt;
  assert(receipt.transactionId.length === TRANSACTION_ID_BYTES, 'a transaction id has 16 bytes');
  assert(receipt.bodyHash.length === BODY_HASH_BYTES, 'a body hash has 32 bytes');
  assert(receipt.salt.length === RECEIPT_SALT_BYTES, 'a salt has 16 bytes');
  assert(receipt.keyId.length === KEY_ID_BYTES, 'a key id has 8 bytes');
  assert(isContentType(resultContentType), 'a result has a content type of 1 to 128 printable bytes');
  assert(result.length <= RECEIPT_RESULT_BYTES_MAX, 'a result has at most 60,000 bytes');
  return joinFields([
    receipt.transactionId,
    [1, OUTCOMES.indexOf(receipt.outcome) + 1],
    [8, receipt.sequence],
    [8, receipt.committedTimeUs],
    receipt.bodyHash,
    ...ascii8(resultContentType),
    ...len16(result),
    receipt.salt,
    receipt.keyId,
  ]);
}

/** What is signed: "sallyport/1 receipt" || len8(customer_id) || the receipt without its signature. */
export function receiptSignatureInput(customerId: string, unsigned: Uint8Array): Uint8Array {
  return joinFields([RECEIPT_LABEL, ...len8(Buffer.from(customerId, 'utf8')), unsigned]);
}

/** The part of a receipt that is under its signature. */
export function unsignedReceipt(receiptBytes: Uint8Array, { signature }: Receipt): Uint8Array {
  return receiptBytes.subarray(0, receiptBytes.length - signature.length);
}

/** A receipt from its bytes; its fields are views into them. Undefined when the bytes are not exactly one receipt. */
export function decodeReceipt(bytes: Uint8Array): Receipt | undefined {
  const fields = new FieldReader(bytes);
  const decoded = fields.finish({
    transactionId: fields.bytes(TRANSACTION_ID_BYTES, 'transaction_id'),
    outcome: OUTCOMES[fields.u8('outcome') - 1],
    sequence: fields.u64('sequence'),
    committedTimeUs: fields.u64('committed_time_us'),
    bodyHash: fields.bytes(BODY_HASH_BYTES, 'body_hash'),
    resultContentType: fields.ascii8('result_content_type', { min: 1, max: CONTENT_TYPE_BYTES_MAX }, CONTENT_TYPE),
    result: fields.bytes16('result', { min: 0, max: RECEIPT_RESULT_BYTES_MAX }),
    salt: fields.bytes(RECEIPT_SALT_BYTES, 'salt'),
    keyId: fields.bytes(KEY_ID_BYTES, 'key_id'),
    signature: fields.batchSignature('signature'),
  });
  if (!decoded.ok) return undefined;
  const { outcome, ...receipt } = decoded.value;
  return outcome === undefined ? undefined : { ...receipt, outcome };
}
