/**
 * Byte fields of many jobs in one ArrayBuffer, so that a batch crosses threads by moving one block of memory: no copy by the engine (a
 * view's whole backing store would be cloned otherwise), and no secret left behind in this thread.
 */
export interface ByteBundle {
  readonly buffer: ArrayBuffer;
  /** Length of each field, in order. */
  readonly lengths: readonly number[];
}

export function bundle(fields: readonly Uint8Array[]): ByteBundle {
  const lengths = fields.map((field) => field.length);
  const bytes = new Uint8Array(lengths.reduce((sum, length) => sum + length, 0));
  let offset = 0;
  for (const field of fields) {
    bytes.set(field, offset);
    offset += field.length;
  }
  return { buffer: bytes.buffer, lengths };
}

/** Reads the fields back in order. */
export class BundleReader {
  readonly #bytes: Uint8Array<ArrayBuffer>;
  readonly #lengths: readonly number[];
  #field = 0;
  #offset = 0;

  constructor({ buffer, lengths }: ByteBundle) {
    this.#bytes = new Uint8Array(buffer);
    this.#lengths = lengths;
  }

  /** The next field, a view of the bundle. */
  view(): Uint8Array<ArrayBuffer> {
    const length = this.#lengths[this.#field]!;
    const field = this.#bytes.subarray(this.#offset, this.#offset + length);
    this.#field += 1;
    this.#offset += length;
    return field;
  }

  /** The next field, a copy of its own. */
  copy(): Uint8Array<ArrayBuffer> {
    return this.view().slice();
  }

  /** Zeros the whole bundle. */
  wipe(): void {
    this.#bytes.fill(0);
  }
}
