import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { listenError } from '../listen-error.ts';
import { type Access, isLoopbackAddress, LOOPBACK_ACCESS, tokenAccess } from './access.ts';
import { EventStreams } from './event-streams.ts';
import { type ObservedServer, ServerMetrics } from './metrics.ts';
import { renderAdminPage } from './page/page.ts';
import { StatusBoard } from './status-board.ts';

export interface AdminServerOptions {
  readonly host: string;
  /** 0 lets the system choose. */
  readonly port: number;
  /** Asked for when `host` is not loopback: the token whoever looks must show. */
  readonly token: () => string;
}

/** Connections at once: a scraper, some probes and some open pages; a flood of others costs this many sockets. */
const CONNECTIONS_MAX = 128;
/** A request is a line and some headers. */
const HEADER_BYTES_MAX = 8_192;
const REQUEST_TIMEOUT_MS = 5_000;

const SAFE_HEADERS = {
  'Cache-Control': 'no-store',
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Cross-Origin-Opener-Policy': 'same-origin',
  // Without scripts, styles or anything else; the page has a policy of its own.
  'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
} as const;

/** Answered to anybody who reaches the port: probes of an orchestrator have no token, and learn one word. */
const OPEN_PATHS: ReadonlySet<string> = new Set(['/health/live', '/health/ready']);

type Answer = (request: IncomingMessage, response: ServerResponse) => void | Promise<void>;

/**
 * Metrics, health and the admin page, over HTTP, read-only. It is started before the security server, so that it can say "starting", and
 * closed after it, so that it can say "draining".
 *
 *   /              the page              /metrics        Prometheus' text format
 *   /status.json   what the page shows   /events         the same, every second (server-sent events)
 *   /health/live   200 while it answers  /health/ready   200 while new customers are served, else 503
 */
export class AdminServer {
  readonly metrics: ServerMetrics;
  readonly #board = new StatusBoard();
  readonly #streams: EventStreams;
  readonly #access: Access;
  readonly #page = renderAdminPage();
  readonly #http: Server;
  readonly #answers: Readonly<Record<string, Answer>>;

  private constructor(options: AdminServerOptions) {
    this.metrics = new ServerMetrics(() => this.#board.state === 'serving');
    this.#streams = new EventStreams(this.#board);
    this.#access = isLoopbackAddress(options.host) ? LOOPBACK_ACCESS : tokenAccess(options.token());
    this.#answers = {
      '/': (_request, response) => {
        response.setHeader('Content-Security-Policy', this.#page.policy);
        send(response, 200, 'text/html; charset=utf-8', this.#page.markup);
      },
      '/metrics': async (_request, response) =>
        send(response, 200, this.metrics.contentType, await this.metrics.render()),
      '/status.json': (_request, response) =>
        send(response, 200, 'application/json', `${JSON.stringify(this.#board.status)}\n`),
      '/events': (request, response) => this.#streams.open(request, response),
      '/health/live': (_request, response) => sendText(response, 200, 'live'),
      '/health/ready': (_request, response) =>
        this.#board.state === 'serving' ? sendText(response, 200, 'ready') : sendText(response, 503, 'not ready'),
    };
    this.#http = createServer(
      {
        maxHeaderSize: HEADER_BYTES_MAX,
        requestTimeout: REQUEST_TIMEOUT_MS,
        headersTimeout: REQUEST_TIMEOUT_MS,
        keepAliveTimeout: REQUEST_TIMEOUT_MS,
        connectionsCheckingInterval: REQUEST_TIMEOUT_MS,
      },
      (request, response) => void this.#answer(request, response),
    );
    this.#http.maxConnections = CONNECTIONS_MAX;
  }

  /** Errors: UNREACHABLE when the address cannot be listened on; those of `token`. */
  static async start(options: AdminServerOptions): Promise<AdminServer> {
    const admin = new AdminServer(options);
    admin.#http.listen({ host: options.host, port: options.port });
    try {
      await once(admin.#http, 'listening');
    } catch (cause) {
      admin.#board.close();
      throw listenError('the admin address', options, cause, 'admin');
    }
    return admin;
  }

  /** From now on this server is what is shown. */
  attach(server: ObservedServer): void {
    this.metrics.attach(server);
    this.#board.attach(server);
  }

  get address(): { readonly host: string; readonly port: number } {
    const address = this.#http.address();
    if (address === null || typeof address === 'string') return { host: '', port: 0 };
    return { host: address.address, port: address.port };
  }

  async close(): Promise<void> {
    this.#board.close();
    const closed = new Promise((resolve) => this.#http.close(resolve));
    this.#http.closeAllConnections();
    await closed;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    for (const [name, value] of Object.entries(SAFE_HEADERS)) response.setHeader(name, value);
    response.on('error', () => response.destroy());
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.setHeader('Allow', 'GET, HEAD').setHeader('Connection', 'close');
      sendText(response, 405, 'this address can only be read');
      return;
    }
    const path = request.url?.split('?', 1)[0] ?? '';
    const denial = this.#access.denial(request);
    if (denial === 'wrong-host') {
      sendText(response, 421, 'this address answers to localhost only');
      return;
    }
    if (denial === 'unauthorized' && !OPEN_PATHS.has(path)) {
      response.setHeader('WWW-Authenticate', ['Basic realm="sallyport: the token as password"', 'Bearer']);
      sendText(response, 401, 'the token of the file admin-token in the state directory is asked for');
      return;
    }
    const answer = Object.hasOwn(this.#answers, path) ? this.#answers[path] : undefined;
    if (answer === undefined) sendText(response, 404, 'there is no such page');
    else await answer(request, response);
  }
}

function send(response: ServerResponse, status: number, contentType: string, body: string): void {
  const bytes = Buffer.from(body);
  response.writeHead(status, { 'Content-Type': contentType, 'Content-Length': bytes.length });
  // Node leaves the body of an answer to HEAD out by itself.
  response.end(bytes);
}

function sendText(response: ServerResponse, status: number, text: string): void {
  send(response, status, 'text/plain; charset=utf-8', `${text}\n`);
}
