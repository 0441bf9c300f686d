import { connect, type Socket } from 'node:net';
import type { RecordDirection } from '../interop/peer-keys.ts';
import { decodeError, FRAME, INNER, PeerError } from '../interop/peer-wire.ts';

/** How the server's direction of a connection came to its end. */
export type End = 'fin' | 'reset';

/** Longer than any deadline a test configures: what takes longer hangs. */
const PATIENCE_MS = 8_000;

/**
 * One TCP connection of an attacker: writes any bytes, in any pieces, and tells exactly what came back. It ends its own direction only
 * when told to, or when the server has ended.
 */
export class RawLink {
  readonly socket: Socket;
  readonly #connected: Promise<boolean>;
  #received = Buffer.alloc(0);
  #end: End | undefined;
  #wake: () => void = () => undefined;

  constructor(port: number, options: { readonly reading?: boolean; readonly from?: string } = {}) {
    this.socket = connect({
      host: '127.0.0.1',
      port,
      allowHalfOpen: true,
      noDelay: true,
      ...(options.from === undefined ? {} : { localAddress: options.from }),
    });
    this.#connected = new Promise((resolve) => {
      this.socket.once('connect', () => resolve(true)).once('close', () => resolve(false));
    });
    this.socket.on('error', () => this.#ended('reset'));
    this.socket.on('end', () => {
      this.#ended('fin');
      this.socket.end();
    });
    this.socket.on('close', () => this.#ended('reset'));
    if (options.reading !== false) {
      this.socket.on('data', (bytes: Buffer) => {
        this.#received = Buffer.concat([this.#received, bytes]);
        this.#wake();
      });
    }
  }

  static async to(port: number, options?: ConstructorParameters<typeof RawLink>[1]): Promise<RawLink> {
    const link = new RawLink(port, options);
    await link.#connected;
    return link;
  }

  get ended(): boolean {
    return this.#end !== undefined;
  }

  write(...parts: readonly Uint8Array[]): this {
    if (this.socket.writable) this.socket.write(Buffer.concat(parts));
    return this;
  }

  /** FIN: this side says no more. */
  finish(): this {
    this.socket.end();
    return this;
  }

  /** RST. */
  reset(): void {
    this.socket.resetAndDestroy();
  }

  /** The next whole frame; undefined when the server ended before it. */
  async frame(): Promise<Buffer | undefined> {
    const whole = (): Buffer | undefined => {
      if (this.#received.length < 4) return undefined;
      const length = 4 + this.#received.readUInt16BE(2);
      return this.#received.length < length ? undefined : this.#received.subarray(0, length);
    };
    await this.#until(() => whole() !== undefined || this.ended);
    const frame = whole();
    if (frame !== undefined) this.#received = this.#received.subarray(frame.length);
    return frame;
  }

  /**
   * Everything from here to the end, one line a frame, records opened with `records`; the last line says how it ended. Bytes that are no
   * whole frame are a line too.
   */
  async reaction(records?: RecordDirection): Promise<string[]> {
    const lines: string[] = [];
    for (let frame = await this.frame(); frame !== undefined; frame = await this.frame())
      lines.push(describeFrame(frame, records));
    if (this.#received.length > 0) lines.push(`${this.#received.length} bytes of no frame`);
    await this.#until(() => this.ended);
    lines.push(this.#end!);
    return lines;
  }

  #ended(how: End): void {
    this.#end ??= how;
    this.#wake();
  }

  async #until(condition: () => boolean): Promise<void> {
    const timer = setTimeout(() => this.#wake(), PATIENCE_MS);
    const deadline = performance.now() + PATIENCE_MS - 1;
    try {
      while (!condition()) {
        if (performance.now() > deadline) throw new Error('the server neither answered nor ended');
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    } finally {
      clearTimeout(timer);
    }
  }
}

export function describeFrame(frame: Buffer, records?: RecordDirection): string {
  switch (frame[0]) {
    case FRAME.RETRY:
      return 'RETRY';
    case FRAME.OFFER:
      return 'OFFER';
    case FRAME.ERROR:
      return describeError(frame.subarray(4), 'plain');
    case FRAME.RECORD:
      return records === undefined ? 'RECORD' : describeRecord(frame, records);
    default:
      return `frame ${frame[0]}`;
  }
}

function describeRecord(frame: Buffer, records: RecordDirection): string {
  const inner = records.open(frame);
  if (inner === undefined) return 'RECORD that does not decrypt';
  const { type, content } = inner;
  switch (type) {
    case INNER.ERROR:
      return describeError(content, 'record');
    case INNER.AUTH_RESULT:
      return `AUTH_RESULT ${content[0]}`;
    case INNER.RECEIPT:
      return `RECEIPT ${content[16]}`;
    case INNER.REFUSAL:
      return `REFUSAL ${decodeError(Buffer.concat([content.subarray(16, 17), Buffer.alloc(4)]), 'record').reason}`;
    case INNER.ANSWER:
      return `ANSWER ${content[4]}`;
    default:
      return Object.entries(INNER).find(([, value]) => value === type)?.[0] ?? `inner ${type}`;
  }
}

function describeError(body: Buffer, origin: 'plain' | 'record'): string {
  try {
    return `${origin} ERROR ${decodeError(body, origin).reason}`;
  } catch (error) {
    if (error instanceof PeerError) return `${origin} ERROR that is malformed`;
    throw error;
  }
}
