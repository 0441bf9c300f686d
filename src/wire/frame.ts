/**
 * Frames (docs/PROTOCOL.md section 2):
 *
 * ```
 * offset  size  field
 * 0       1     type
 * 1       1     version = 0x01
 * 2       2     length of body, n
 * 4       n     body
 * ```
 */

import { assert } from '../errors.ts';
import { type Decoded, refuse } from './decoded.ts';
import { type Field, joinFields } from './field-writer.ts';

export const PROTOCOL_VERSION = 0x01;
export const HEADER_BYTES = 4;

interface FrameRow {
  readonly type: number;
  readonly bodyMin: number;
  readonly bodyMax: number;
}

/** Each bound is the sum of the message's fields at their shortest and longest. */
export const FRAMES = {
  HELLO: { type: 0x01, bodyMin: 81, bodyMax: 1458 },
  RETRY: { type: 0x02, bodyMin: 4, bodyMax: 131 },
  OFFER: { type: 0x03, bodyMin: 713, bodyMax: 2921 },
  CUSTOMER_KEY: { type: 0x04, bodyMin: 370, bodyMax: 626 },
  RECORD: { type: 0x05, bodyMin: 80, bodyMax: 65_488 },
  ERROR: { type: 0x06, bodyMin: 5, bodyMax: 5 },
} as const satisfies Record<string, FrameRow>;

export type FrameType = keyof typeof FRAMES;

const TYPE_OF_BYTE: ReadonlyMap<number, FrameType> = new Map(
  (Object.keys(FRAMES) as FrameType[]).map((name) => [FRAMES[name].type, name]),
);

/** A whole frame as it came. */
export interface Frame {
  readonly type: FrameType;
  /** Header and body: what transcripts and signatures are over. A view of what was received: copy what is kept for long. */
  readonly bytes: Uint8Array;
  /** A view of `bytes`. */
  readonly body: Uint8Array;
}

export interface FrameHeader {
  readonly type: FrameType;
  readonly bodyBytes: number;
}

/** Checks four header bytes against what may come here, before anything is read or allocated for the body. */
export function decodeHeader(header: Uint8Array, expected: readonly FrameType[]): Decoded<FrameHeader> {
  assert(header.length >= HEADER_BYTES, 'a header is read when its four bytes are there');
  if (header[1] !== PROTOCOL_VERSION) return refuse('UNSUPPORTED_VERSION', 'the frame is of another version');
  const type = TYPE_OF_BYTE.get(header[0]!);
  if (type === undefined) return refuse('BAD_FRAME', 'the frame type is unknown');
  if (!expected.includes(type)) return refuse('BAD_FRAME', `${type} is not expected here`);
  const bodyBytes = (header[2]! << 8) | header[3]!;
  const { bodyMin, bodyMax } = FRAMES[type];
  if (bodyBytes < bodyMin || bodyBytes > bodyMax)
    return refuse('BAD_FRAME', `the length of ${type} is out of its bounds`);
  // Padding is to 64 bytes, the tag has 16.
  if (type === 'RECORD' && bodyBytes % 64 !== 16)
    return refuse('BAD_FRAME', 'the length of RECORD is not padded to 64');
  return { ok: true, value: { type, bodyBytes } };
}

export function encodeHeader(type: FrameType, bodyBytes: number): Uint8Array {
  const row = FRAMES[type];
  assert(bodyBytes >= row.bodyMin && bodyBytes <= row.bodyMax, `a body of ${type} is within its bounds`);
  return Uint8Array.of(row.type, PROTOCOL_VERSION, bodyBytes >>> 8, bodyBytes & 0xff);
}

/** A frame of these fields, in one allocation. */
export function encodeFrame(type: FrameType, fields: readonly Field[]): Uint8Array {
  const bytes = joinFields([[4, 0], ...fields]);
  bytes.set(encodeHeader(type, bytes.length - HEADER_BYTES));
  return bytes;
}

/** A frame from its bytes, as a test or a store keeps them; what a connection receives goes through FrameReader. */
export function frameOf(bytes: Uint8Array): Frame | undefined {
  if (bytes.length < HEADER_BYTES) return undefined;
  const type = TYPE_OF_BYTE.get(bytes[0]!);
  if (type === undefined) return undefined;
  const header = decodeHeader(bytes, [type]);
  if (!header.ok || header.value.bodyBytes !== bytes.length - HEADER_BYTES) return undefined;
  return { type, bytes, body: bytes.subarray(HEADER_BYTES) };
}
