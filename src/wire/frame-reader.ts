import type { AlertCode } from '../errors.ts';
import { decodeHeader, type Frame, type FrameHeader, type FrameType, HEADER_BYTES } from './frame.ts';

export type FrameReading =
  | { readonly kind: 'frame'; readonly frame: Frame }
  /** More bytes must come first. */
  | { readonly kind: 'incomplete' }
  /** The header cannot be let through; the reader gives nothing more. */
  | { readonly kind: 'refused'; readonly code: AlertCode; readonly what: string };

/** What a body's buffer starts with: a peer that only announces a long frame gets no more memory than this. */
const FIRST_BUFFER_BYTES = 1024;
/**
 * Unread bytes a paused connection may hold: two of the largest frames, or two of a socket's reads: what came with the last frame that was
 * wanted, and the one that leads to the pause. A socket that is paused then delivers no more; beyond it, something does not pause.
 */
export const UNREAD_BYTES_MAX = 131_072;

const INCOMPLETE: FrameReading = { kind: 'incomplete' };

/**
 * Frames out of a stream, however it is split. A frame that lies whole in what came is given as a view, without a copy; one that does not is
 * gathered in one buffer that doubles up to the announced length, so every byte is copied a bounded number of times and a slow peer that
 * sends single bytes costs no more than the bytes.
 */
export class FrameReader {
  /** What came and was not taken yet, oldest first. */
  readonly #chunks: Uint8Array[] = [];
  #unreadBytes = 0;
  /** The frame being gathered, header included: the first `#gathered` bytes of the buffer. */
  #buffer = new Uint8Array(0);
  #gathered = 0;
  #header: FrameHeader | undefined;
  #refused: FrameReading | undefined;

  /** Takes what a socket delivered. The reader keeps views: the bytes must not be changed afterwards. */
  push(bytes: Uint8Array): void {
    if (this.#refused !== undefined || bytes.length === 0) return;
    this.#chunks.push(bytes);
    this.#unreadBytes += bytes.length;
  }

  /** Bytes that came and have not left as part of a frame. */
  get pendingBytes(): number {
    return this.#unreadBytes + this.#gathered;
  }

  /** Whether more is held than a connection that pauses in time can have delivered. */
  get overflown(): boolean {
    return this.#unreadBytes > UNREAD_BYTES_MAX;
  }

  /** The next frame, if it is one of these types. */
  next(expected: readonly FrameType[]): FrameReading {
    if (this.#refused !== undefined) return this.#refused;
    return (this.#gathered === 0 ? this.#viewWhole(expected) : undefined) ?? this.#gather(expected);
  }

  /** The quick way: the whole frame lies in the oldest chunk. */
  #viewWhole(expected: readonly FrameType[]): FrameReading | undefined {
    const chunk = this.#chunks[0];
    if (chunk === undefined || chunk.length < HEADER_BYTES) return undefined;
    const header = decodeHeader(chunk, expected);
    if (!header.ok) return this.#refuse(header.code, header.what);
    const length = HEADER_BYTES + header.value.bodyBytes;
    if (chunk.length < length) return undefined;
    const bytes = this.#take(chunk, length);
    return { kind: 'frame', frame: { type: header.value.type, bytes, body: bytes.subarray(HEADER_BYTES) } };
  }

  #gather(expected: readonly FrameType[]): FrameReading {
    if (this.#header === undefined) {
      if (!this.#fill(HEADER_BYTES)) return INCOMPLETE;
      const header = decodeHeader(this.#buffer, expected);
      if (!header.ok) return this.#refuse(header.code, header.what);
      this.#header = header.value;
    }
    const { type, bodyBytes } = this.#header;
    if (!this.#fill(HEADER_BYTES + bodyBytes)) return INCOMPLETE;
    const bytes = this.#buffer.subarray(0, this.#gathered);
    this.#buffer = new Uint8Array(0);
    this.#gathered = 0;
    this.#header = undefined;
    return { kind: 'frame', frame: { type, bytes, body: bytes.subarray(HEADER_BYTES) } };
  }

  /** Moves what is there into the buffer, up to `length` bytes of it in all; whether they are all there now. */
  #fill(length: number): boolean {
    while (this.#gathered < length) {
      const chunk = this.#chunks[0];
      if (chunk === undefined) return false;
      const part = this.#take(chunk, Math.min(chunk.length, length - this.#gathered));
      this.#reserve(this.#gathered + part.length, length);
      this.#buffer.set(part, this.#gathered);
      this.#gathered += part.length;
    }
    return true;
  }

  #reserve(needed: number, length: number): void {
    if (this.#buffer.length >= needed) return;
    const size = Math.max(needed, Math.min(length, Math.max(2 * this.#buffer.length, FIRST_BUFFER_BYTES)));
    const larger = new Uint8Array(size);
    larger.set(this.#buffer.subarray(0, this.#gathered));
    this.#buffer = larger;
  }

  #take(chunk: Uint8Array, length: number): Uint8Array {
    if (length === chunk.length) this.#chunks.shift();
    else this.#chunks[0] = chunk.subarray(length);
    this.#unreadBytes -= length;
    return chunk.subarray(0, length);
  }

  #refuse(code: AlertCode, what: string): FrameReading {
    this.#refused = { kind: 'refused', code, what };
    this.#chunks.length = 0;
    this.#unreadBytes = 0;
    return this.#refused;
  }
}
