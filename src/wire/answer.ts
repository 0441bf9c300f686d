import { type AlertCode, alertOf, assert, codeOfAlert } from '../errors.ts';
import { CONTENT_TYPE, CONTENT_TYPE_BOUNDS } from './content-type.ts';
import type { Decoded } from './decoded.ts';
import { FieldReader } from './field-reader.ts';
import { ascii8, joinFields, len16 } from './field-writer.ts';
import { QUERY_ID_BYTES } from './query.ts';
import { isContentType } from './receipt.ts';

/** ANSWER (docs/PROTOCOL.md section 4.3). */
export interface Answer {
  /** 4 bytes: the QUERY's. */
  readonly queryId: Uint8Array;
  /** Undefined: answered (0x00); else why not. */
  readonly status: AlertCode | undefined;
  readonly contentType: string;
  /** At most 61,440 bytes. */
  readonly body: Uint8Array;
}

/** As large as a document. */
export const ANSWER_BODY_BYTES_MAX = 61_440;
const ANSWERED = 0x00;

export function encodeAnswer(answer: Answer): Uint8Array {
  assert(answer.queryId.length === QUERY_ID_BYTES, 'a query id has 4 bytes');
  assert(isContentType(answer.contentType), 'a content type has 1 to 128 printable bytes');
  assert(answer.body.length <= ANSWER_BODY_BYTES_MAX, 'an answer has at most 61,440 bytes');
  const status = answer.status === undefined ? ANSWERED : alertOf(answer.status);
  return joinFields([answer.queryId, [1, status], ...ascii8(answer.contentType), ...len16(answer.body)]);
}

/** Byte fields are views. */
export function decodeAnswer(content: Uint8Array): Decoded<Answer> {
  const fields = new FieldReader(content);
  const queryId = fields.bytes(QUERY_ID_BYTES, 'query_id');
  const statusByte = fields.u8('status');
  const status = statusByte === ANSWERED ? undefined : codeOfAlert(statusByte);
  if (statusByte !== ANSWERED && status === undefined) fields.refuse('BAD_FRAME', 'the status is unknown');
  return fields.finish({
    queryId,
    status,
    contentType: fields.ascii8('content_type', CONTENT_TYPE_BOUNDS, CONTENT_TYPE),
    body: fields.bytes16('body', { min: 0, max: ANSWER_BODY_BYTES_MAX, beyond: 'TOO_LARGE' }),
  });
}
