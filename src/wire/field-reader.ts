import type { AlertCode } from '../errors.ts';
import { BATCH_LEVELS_MAX } from '../limits.ts';
import { batchSignatureBytes } from './batch-signature.ts';
import { type Decoded, type Refused, refuse } from './decoded.ts';

const NOTHING = new Uint8Array(0);

/** Reads only the exact lengths it is asked for: [least, most] of a field with a length of its own. */
export interface LengthBounds {
  readonly min: number;
  readonly max: number;
  /** What a length above `max` is: BAD_FRAME in a plain frame, TOO_LARGE in an inner message (docs/PROTOCOL.md section 9). */
  readonly beyond?: AlertCode;
}

/**
 * The fields of one message, in order. The first fault stays: what is read after it is empty, and `finish` gives the fault. So a decoder is
 * a straight list of its fields, and no path can use a value that was not there. Byte fields are views into the message.
 */
export class FieldReader {
  readonly #bytes: Uint8Array;
  #at = 0;
  #refused: Refused | undefined;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** Exactly `length` bytes. */
  bytes(length: number, what: string): Uint8Array {
    return this.#skip(length, what) ? this.#bytes.subarray(this.#at - length, this.#at) : NOTHING;
  }

  u8(what: string): number {
    return this.#skip(1, what) ? this.#bytes[this.#at - 1]! : 0;
  }

  u16(what: string): number {
    return this.#skip(2, what) ? (this.#bytes[this.#at - 2]! << 8) | this.#bytes[this.#at - 1]! : 0;
  }

  u32(what: string): number {
    return this.u16(what) * 0x1_0000 + this.u16(what);
  }

  u64(what: string): bigint {
    return BigInt(this.u32(what)) * 0x1_0000_0000n + BigInt(this.u32(what));
  }

  /** len8(x). */
  bytes8(what: string, bounds: LengthBounds): Uint8Array {
    return this.#bounded(this.u8(what), what, bounds);
  }

  /** len16(x). */
  bytes16(what: string, bounds: LengthBounds): Uint8Array {
    return this.#bounded(this.u16(what), what, bounds);
  }

  /** len8(x) of printable ASCII (0x20 to 0x7e) that `allowed` matches whole. */
  ascii8(what: string, bounds: LengthBounds, allowed: RegExp): string {
    const field = this.bytes8(what, bounds);
    if (this.#refused !== undefined) return '';
    const text = Buffer.from(field.buffer, field.byteOffset, field.length).toString('latin1');
    if (allowed.test(text)) return text;
    this.refuse('BAD_FRAME', `${what} has a character that is not allowed`);
    return '';
  }

  /** The signature of a batch (docs/PROTOCOL.md section 3.4), whole. */
  batchSignature(what: string): Uint8Array {
    const start = this.#at;
    const levels = this.u8(what);
    if (levels > BATCH_LEVELS_MAX) this.refuse('BAD_FRAME', `${what} is too long`);
    this.bytes(batchSignatureBytes(levels) - 1, what);
    return this.sound ? this.#bytes.subarray(start, this.#at) : NOTHING;
  }

  refuse(code: AlertCode, what: string): void {
    this.#refused ??= refuse(code, what);
  }

  /** Whether every field so far was there and in its bounds: for a loop, whose count came from the peer. */
  get sound(): boolean {
    return this.#refused === undefined;
  }

  /** The value, when every field was in order and the message ends here. */
  finish<Value>(value: Value): Decoded<Value> {
    if (this.#refused === undefined && this.#at !== this.#bytes.length)
      this.refuse('BAD_FRAME', 'bytes follow the last field');
    return this.#refused ?? { ok: true, value };
  }

  /** Goes past the next bytes; whether they are there. */
  #skip(length: number, what: string): boolean {
    if (this.#refused !== undefined) return false;
    if (length > this.#bytes.length - this.#at) {
      this.refuse('BAD_FRAME', `${what} is cut off`);
      return false;
    }
    this.#at += length;
    return true;
  }

  #bounded(length: number, what: string, bounds: LengthBounds): Uint8Array {
    if (this.#refused !== undefined) return NOTHING;
    if (length < bounds.min) this.refuse('BAD_FRAME', `${what} is too short`);
    else if (length > bounds.max) this.refuse(bounds.beyond ?? 'BAD_FRAME', `${what} is too long`);
    return this.bytes(length, what);
  }
}
