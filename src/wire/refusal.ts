import { alertOf, assert, codeOfAlert } from '../errors.ts';
import { REFUSAL_TEXT_BYTES_MAX, TRANSACTION_ID_BYTES } from '../limits.ts';
import type { Decoded } from './decoded.ts';
import { FieldReader } from './field-reader.ts';
import { joinFields, len16 } from './field-writer.ts';

/** Why nothing was stored of a transaction. */
export type RefusalCode = 'TRANSACTION_MALFORMED' | 'IDEMPOTENCY_CONFLICT' | 'BUSY' | 'INTERNAL';

const REFUSAL_CODES: readonly string[] = [
  'TRANSACTION_MALFORMED',
  'IDEMPOTENCY_CONFLICT',
  'BUSY',
  'INTERNAL',
] satisfies RefusalCode[];

/** REFUSAL (docs/PROTOCOL.md section 4.3). */
export interface Refusal {
  /** 16 bytes. */
  readonly transactionId: Uint8Array;
  readonly code: RefusalCode;
  readonly retryAfterMs: number;
  /** A sentence for a person, at most 512 bytes of UTF-8. */
  readonly text: string;
}

export function encodeRefusal(refusal: Refusal): Uint8Array {
  assert(refusal.transactionId.length === TRANSACTION_ID_BYTES, 'a transaction id has 16 bytes');
  const text = Buffer.from(refusal.text, 'utf8');
  assert(text.length <= REFUSAL_TEXT_BYTES_MAX, 'the sentence of a refusal has at most 512 bytes');
  return joinFields([refusal.transactionId, [1, alertOf(refusal.code)], [4, refusal.retryAfterMs], ...len16(text)]);
}

export function decodeRefusal(content: Uint8Array): Decoded<Refusal> {
  const fields = new FieldReader(content);
  const transactionId = fields.bytes(TRANSACTION_ID_BYTES, 'transaction_id');
  const code = codeOfAlert(fields.u8('code'));
  const retryAfterMs = fields.u32('retry_after_ms');
  const text = readText(fields);
  if (code === undefined || !isRefusalCode(code)) {
    fields.refuse('BAD_FRAME', 'the code is none of a refusal');
    return fields.finish({ transactionId, code: 'INTERNAL', retryAfterMs, text });
  }
  return fields.finish({ transactionId, code, retryAfterMs, text });
}

function isRefusalCode(code: string): code is RefusalCode {
  return REFUSAL_CODES.includes(code);
}

function readText(fields: FieldReader): string {
  const bytes = fields.bytes16('text', { min: 0, max: REFUSAL_TEXT_BYTES_MAX, beyond: 'TOO_LARGE' });
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    fields.refuse('BAD_FRAME', 'text is not UTF-8');
    return '';
  }
}
