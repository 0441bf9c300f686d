import { type AlertCode, alertOf, assert, codeOfAlert } from '../errors.ts';
import type { Decoded } from './decoded.ts';
import { FieldReader } from './field-reader.ts';
import { joinFields } from './field-writer.ts';
import { encodeFrame } from './frame.ts';

/** ERROR, as a plain frame and inside a record: the same five bytes (docs/PROTOCOL.md section 9). */
export interface Alert {
  readonly code: AlertCode;
  /** Zero unless BUSY or SHUTDOWN. */
  readonly retryAfterMs: number;
}

const RETRY_AFTER_MS_MAX = 0xffff_ffff;

/** The body of an ERROR. */
export function encodeAlert(alert: Alert): Uint8Array {
  assert(alert.retryAfterMs === 0 || mayRetry(alert.code), 'only BUSY and SHUTDOWN say when to come again');
  return joinFields([
    [1, alertOf(alert.code)],
    [4, Math.min(alert.retryAfterMs, RETRY_AFTER_MS_MAX)],
  ]);
}

/** A plain ERROR frame. */
export function encodeAlertFrame(alert: Alert): Uint8Array {
  return encodeFrame('ERROR', [encodeAlert(alert)]);
}

export function decodeAlert(body: Uint8Array): Decoded<Alert> {
  const fields = new FieldReader(body);
  const code = codeOfAlert(fields.u8('code'));
  const retryAfterMs = fields.u32('retry_after_ms');
  if (code === undefined) {
    fields.refuse('BAD_FRAME', 'the code is unknown');
    return fields.finish({ code: 'INTERNAL', retryAfterMs });
  }
  if (retryAfterMs !== 0 && !mayRetry(code)) fields.refuse('BAD_FRAME', 'retry_after_ms goes with BUSY and SHUTDOWN');
  return fields.finish({ code, retryAfterMs });
}

function mayRetry(code: AlertCode): boolean {
  return code === 'BUSY' || code === 'SHUTDOWN';
}
