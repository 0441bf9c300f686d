import type { IncomingMessage, ServerResponse } from 'node:http';
import type { StatusBoard } from './status-board.ts';

/** Pages open at once. */
const STREAMS_MAX = 32;
/** A page that has not read this much is gone or asleep; its browser connects again when it wakes. */
const UNREAD_BYTES_MAX = 1_048_576;
/** What a browser waits before it connects again, in milliseconds. */
const RECONNECT_MS = 2_000;

/** Server-sent events (WHATWG HTML §9.2): first `history`, the samples of the last minutes, then `status` every second. */
export class EventStreams {
  readonly #board: StatusBoard;
  #open = 0;

  constructor(board: StatusBoard) {
    this.#board = board;
  }

  open(request: IncomingMessage, response: ServerResponse): void {
    if (this.#open >= STREAMS_MAX) {
      response.writeHead(503, { 'Content-Type': 'text/plain', 'Retry-After': '10' }).end('too many pages are open\n');
      return;
    }
    response.writeHead(200, { 'Content-Type': 'text/event-stream' });
    if (request.method === 'HEAD') {
      response.end();
      return;
    }
    this.#open += 1;
    response.write(`retry: ${RECONNECT_MS}\n\n`);
    response.write(event('history', this.#board.history));
    response.write(event('status', this.#board.status));
    const unwatch = this.#board.watch((status) => {
      if (response.writableLength > UNREAD_BYTES_MAX) response.destroy();
      else response.write(event('status', status));
    });
    response.once('close', () => {
      this.#open -= 1;
      unwatch();
    });
  }
}

function event(name: string, data: unknown): string {
  return `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;
}
