import { assert } from '../errors.ts';
import { TRANSACTION_BODY_BYTES_MAX, TRANSACTION_ID_BYTES } from '../limits.ts';
import { CONTENT_TYPE, CONTENT_TYPE_BOUNDS } from './content-type.ts';
import type { Decoded } from './decoded.ts';
import { FieldReader } from './field-reader.ts';
import { ascii8, joinFields, len16 } from './field-writer.ts';
import { isContentType } from './receipt.ts';

/** TRANSACTION (docs/PROTOCOL.md section 4.3). */
export interface Transaction {
  /** 16 bytes. */
  readonly transactionId: Uint8Array;
  readonly contentType: string;
  /** At most 61,440 bytes. */
  readonly body: Uint8Array;
}

export function encodeTransaction(transaction: Transaction): Uint8Array {
  assert(transaction.transactionId.length === TRANSACTION_ID_BYTES, 'a transaction id has 16 bytes');
  assert(isContentType(transaction.contentType), 'a content type has 1 to 128 printable bytes');
  assert(transaction.body.length <= TRANSACTION_BODY_BYTES_MAX, 'a document has at most 61,440 bytes');
  return joinFields([transaction.transactionId, ...ascii8(transaction.contentType), ...len16(transaction.body)]);
}

/** Byte fields are views. */
export function decodeTransaction(content: Uint8Array): Decoded<Transaction> {
  const fields = new FieldReader(content);
  return fields.finish({
    transactionId: fields.bytes(TRANSACTION_ID_BYTES, 'transaction_id'),
    contentType: fields.ascii8('content_type', CONTENT_TYPE_BOUNDS, CONTENT_TYPE),
    body: fields.bytes16('body', { min: 0, max: TRANSACTION_BODY_BYTES_MAX, beyond: 'TOO_LARGE' }),
  });
}
