import { assert } from '../errors.ts';
import type { Decoded } from './decoded.ts';
import { FieldReader } from './field-reader.ts';
import { len16 } from './field-writer.ts';
import { encodeFrame } from './frame.ts';
import { COOKIE_BYTES_MAX } from './hello.ts';

/** docs/PROTOCOL.md section 3.2. */
export interface Retry {
  /** 0 to 32; 0: no puzzle. */
  readonly puzzleBits: number;
  /** 1 to 128 bytes, opaque to the customer. */
  readonly cookie: Uint8Array;
}

export const PUZZLE_BITS_MAX = 32;

export function encodeRetry(retry: Retry): Uint8Array {
  assert(retry.puzzleBits <= PUZZLE_BITS_MAX, 'a puzzle has at most 32 bits');
  assert(retry.cookie.length >= 1 && retry.cookie.length <= COOKIE_BYTES_MAX, 'a cookie has 1 to 128 bytes');
  return encodeFrame('RETRY', [[1, retry.puzzleBits], ...len16(retry.cookie)]);
}

/** The body of a RETRY frame. `cookie` is a view. */
export function decodeRetry(body: Uint8Array): Decoded<Retry> {
  const fields = new FieldReader(body);
  const puzzleBits = fields.u8('puzzle_bits');
  if (puzzleBits > PUZZLE_BITS_MAX) fields.refuse('BAD_FRAME', 'puzzle_bits is above 32');
  return fields.finish({ puzzleBits, cookie: fields.bytes16('cookie', { min: 1, max: COOKIE_BYTES_MAX }) });
}
