/** One TCP connection of the independent peer, as frames: a pull reader, so that TCP's own flow control bounds memory. */
import { connect, type Socket } from 'node:net';
import { BODY_LENGTHS, PeerError, type Reason } from './peer-wire.ts';

const LINGER_MS = 2_000; // Section 5: CLOSE or ERROR sent, until the peer has read it and closed.

export class FrameSocket {
  readonly socket: Socket;
  #over: PeerError | undefined;
  #wake: (() => void) | undefined;
  constructor(socket: Socket) {
    this.socket = socket;
    socket.setNoDelay(true);
    const wake = (): void => this.#wake?.();
    const over = (): void => this.fail('TRUNCATED');
    socket.on('readable', wake).on('end', over).on('error', over).on('close', over);
  }
  static async connect(host: string, port: number): Promise<FrameSocket> {
    const socket = connect({ host, port });
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject).once('connect', () => {
        socket.off('error', reject);
        resolve();
      });
    });
    return new FrameSocket(socket);
  }
  get remoteAddress(): string {
    return this.socket.remoteAddress ?? '';
  }
  /** Whether bytes beyond what was read are already here. */
  get hasMore(): boolean {
    return this.socket.readableLength > 0;
  }
  /** Ends every read that waits, now or later, with this reason. The first reason stays. */
  fail(reason: Reason): void {
    this.#over ??= new PeerError(reason);
    this.#wake?.();
  }
  /** Runs `work`; when it takes longer, its reads fail with `reason`. */
  async within<T>(ms: number, reason: Reason, work: () => Promise<T>): Promise<T> {
    const timer = setTimeout(() => this.fail(reason), ms);
    try {
      return await work();
    } finally {
      clearTimeout(timer);
    }
  }
  /** The next frame, header and all, when it is of one of these types; its header is judged before its body is read. */
  async readFrame(...expected: readonly number[]): Promise<Buffer> {
    const header = await this.#take(4);
    const [type, version, length] = [header[0]!, header[1]!, header.readUInt16BE(2)];
    if (version !== 0x01) throw new PeerError('UNSUPPORTED_VERSION');
    const row = expected.includes(type) ? BODY_LENGTHS[type] : undefined;
    if (row === undefined || length < row[0] || length > row[1]) throw new PeerError('BAD_FRAME');
    return Buffer.concat([header, await this.#take(length)]);
  }
  write(...frames: readonly Uint8Array[]): void {
    if (this.socket.writable) this.socket.write(Buffer.concat(frames));
  }
  /** Sends what is still to be sent, then waits a little for the peer to close, so that no reset overtakes the last frame. */
  close(): void {
    const timer = setTimeout(() => this.socket.resetAndDestroy(), LINGER_MS);
    this.socket.once('close', () => clearTimeout(timer));
    this.socket.removeAllListeners('readable');
    this.socket.resume();
    if (this.socket.destroyed) clearTimeout(timer);
    else this.socket.end();
  }
  async #take(size: number): Promise<Buffer> {
    for (;;) {
      const chunk = this.socket.read(size) as Buffer | null;
      if (chunk?.length === size) return chunk;
      if (this.#over !== undefined) throw this.#over;
      if (chunk !== null) throw new PeerError('TRUNCATED'); // the stream ended inside a frame
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      this.#wake = undefined;
    }
  }
}
