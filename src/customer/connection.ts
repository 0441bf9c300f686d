/** The one socket a session has at a time: first to the first port, then to the second. What an earlier one still says is not heard. */

import { connect, type Socket } from 'node:net';

export interface ConnectionListener {
  connected(): void;
  received(bytes: Uint8Array): void;
  /** The peer sends no more. */
  ended(): void;
  /** Closed, reset, or never made. */
  lost(): void;
}

export class Connection {
  readonly #listener: ConnectionListener;
  readonly #localAddress: string | undefined;
  #socket: Socket | undefined;
  #corked: Socket | undefined;
  /** Of the connection that was tried or used last. */
  address = '';
  made = false;
  error: Error | undefined;

  /** `localAddress`: of this machine, to connect from; undefined: as the system chooses. */
  constructor(listener: ConnectionListener, localAddress: string | undefined) {
    this.#listener = listener;
    this.#localAddress = localAddress;
  }

  open(host: string, port: number): void {
    this.destroy();
    this.address = addressOf(host, port);
    this.made = false;
    this.error = undefined;
    const from = this.#localAddress === undefined ? {} : { localAddress: this.#localAddress };
    const socket = connect({ host, port, allowHalfOpen: true, noDelay: true, ...from });
    this.#socket = socket;
    const current = (): boolean => this.#socket === socket;
    socket.on('connect', () => {
      if (!current()) return;
      this.made = true;
      this.#listener.connected();
    });
    socket.on('data', (bytes: Buffer) => current() && this.#listener.received(bytes));
    socket.on('end', () => current() && this.#listener.ended());
    socket.on('error', (error) => {
      if (current()) this.error = error;
    });
    socket.on('close', () => current() && this.#listener.lost());
  }

  /** What is sent in one turn travels together: the share, the profile and the first transactions are one flight. */
  send(bytes: Uint8Array): void {
    const socket = this.#socket;
    if (socket === undefined) return;
    if (this.#corked !== socket) {
      this.#corked = socket;
      socket.cork();
      process.nextTick(() => {
        this.#corked = undefined;
        socket.uncork();
      });
    }
    socket.write(bytes);
  }

  end(): void {
    this.#socket?.end();
  }

  pause(): void {
    this.#socket?.pause();
  }

  resume(): void {
    this.#socket?.resume();
  }

  destroy(): void {
    const socket = this.#socket;
    this.#socket = undefined;
    socket?.destroy();
  }
}

export function addressOf(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
