import { alertOf } from '../errors.ts';
import { type Decoded, refuse } from './decoded.ts';

const VERIFIED = 0x00;

/** AUTH_RESULT: one byte, 0x00 or the code of AUTH_FAILED. */
export function encodeAuthResult(verified: boolean): Uint8Array {
  return Uint8Array.of(verified ? VERIFIED : alertOf('AUTH_FAILED'));
}

/** Whether the identity was verified. */
export function decodeAuthResult(content: Uint8Array): Decoded<boolean> {
  if (content.length !== 1) return refuse('BAD_FRAME', 'AUTH_RESULT has not one byte');
  if (content[0] === VERIFIED) return { ok: true, value: true };
  if (content[0] === alertOf('AUTH_FAILED')) return { ok: true, value: false };
  return refuse('BAD_FRAME', 'AUTH_RESULT is neither verified nor AUTH_FAILED');
}
