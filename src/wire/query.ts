import { assert } from '../errors.ts';
import { CONTENT_TYPE, CONTENT_TYPE_BOUNDS } from './content-type.ts';
import type { Decoded } from './decoded.ts';
import { FieldReader } from './field-reader.ts';
import { ascii8, joinFields, len16 } from './field-writer.ts';
import { isContentType } from './receipt.ts';

/** QUERY (docs/PROTOCOL.md section 4.3): read-only, not receipted. */
export interface Query {
  /** 4 bytes, chosen by the customer. */
  readonly queryId: Uint8Array;
  readonly contentType: string;
  readonly body: Uint8Array;
}

export const QUERY_ID_BYTES = 4;
/** A question is small: the answer is what may be large. */
export const QUERY_BODY_BYTES_MAX = 4096;

export function encodeQuery(query: Query): Uint8Array {
  assert(query.queryId.length === QUERY_ID_BYTES, 'a query id has 4 bytes');
  assert(isContentType(query.contentType), 'a content type has 1 to 128 printable bytes');
  assert(query.body.length <= QUERY_BODY_BYTES_MAX, 'a query has at most 4096 bytes');
  return joinFields([query.queryId, ...ascii8(query.contentType), ...len16(query.body)]);
}

/** Byte fields are views. */
export function decodeQuery(content: Uint8Array): Decoded<Query> {
  const fields = new FieldReader(content);
  return fields.finish({
    queryId: fields.bytes(QUERY_ID_BYTES, 'query_id'),
    contentType: fields.ascii8('content_type', CONTENT_TYPE_BOUNDS, CONTENT_TYPE),
    body: fields.bytes16('body', { min: 0, max: QUERY_BODY_BYTES_MAX, beyond: 'TOO_LARGE' }),
  });
}
