import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { Customer } from '../../../src/customer/customer.ts';
import { type CustomerIdentity, DEFAULT_POLICY } from '../../../src/customer/customer-identity.ts';
import { alertOf, type ErrorCode, SallyportError } from '../../../src/errors.ts';
import { encodeAlertFrame } from '../../../src/wire/alert.ts';

/** Servers that do one thing wrong, over real sockets: each becomes the error that a caller can act on. */

const servers: Server[] = [];
const sockets = new Set<Socket>();

async function listen(behave: (socket: Socket) => void): Promise<number> {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.on('error', () => sockets.delete(socket));
    behave(socket);
  });
  servers.push(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as { port: number }).port;
}

afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  sockets.clear();
  await Promise.all(servers.splice(0).map((server) => new Promise((closed) => server.close(closed))));
});

function identity(port: number): CustomerIdentity {
  return {
    customerId: 'alice',
    profile: { email: 'alice@example.com' },
    credential: new Uint8Array(32).fill(1),
    server: { host: '127.0.0.1', port },
    hostKey: new Uint8Array(32).fill(2),
    policy: DEFAULT_POLICY,
  };
}

async function failureWith(port: number): Promise<SallyportError> {
  await using customer = new Customer(identity(port), { retryForMs: 0 });
  const payment = { from: 'alice.eur', to: 'bob.eur', amount: '1', currency: 'EUR' };
  const error: unknown = await customer.pay(payment).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof SallyportError)) throw new Error(`no SallyportError but ${String(error)}`);
  return error;
}

/** Answers the first bytes of every connection so, and ends. */
const answering = (bytes: Uint8Array) => (socket: Socket) => socket.once('data', () => socket.end(bytes));

describe('a session over sockets', () => {
  it('says UNREACHABLE when nobody listens, with the address', async () => {
    const port = await listen(() => {});
    await new Promise((closed) => servers.pop()!.close(closed));
    expect(await failureWith(port)).toMatchObject({
      code: 'UNREACHABLE',
      message: `cannot connect to 127.0.0.1:${port}: connection refused`,
    });
  });

  it.each<[string, (socket: Socket) => void]>([
    ['ended without an answer', (socket) => socket.end()],
    ['reset', (socket) => socket.once('data', () => socket.resetAndDestroy())],
    ['ended in the middle of an answer', answering(Uint8Array.of(3, 1, 8))],
  ])('says TRUNCATED when the connection is %s', async (_, behave) => {
    expect((await failureWith(await listen(behave))).code).toBe('TRUNCATED');
  });

  it.each<[ErrorCode, Uint8Array]>([
    ['UNSUPPORTED_VERSION', Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n')],
    ['BAD_FRAME', Uint8Array.of(5, 1, 0, 80, ...new Uint8Array(80))],
    ['UNSUPPORTED_VERSION', Uint8Array.of(3, 2, 0, 1, 0)],
    ['NO_COMMON_PARAMETERS', encodeAlertFrame({ code: 'NO_COMMON_PARAMETERS', retryAfterMs: 0 })],
    ['SHUTDOWN', encodeAlertFrame({ code: 'SHUTDOWN', retryAfterMs: 0 })],
  ])('says %s when the first answer is that', async (code, bytes) => {
    expect((await failureWith(await listen(answering(bytes)))).code).toBe(code);
  });

  it('passes on how long a busy server asks to wait', async () => {
    const port = await listen(answering(encodeAlertFrame({ code: 'BUSY', retryAfterMs: 1234 })));
    expect(await failureWith(port)).toMatchObject({ code: 'BUSY', retryAfterMs: 1234 });
    expect(alertOf('BUSY')).toBe(4);
  });

  it('comes back by itself when a busy server has room', async () => {
    let connections = 0;
    const port = await listen((socket) => {
      connections++;
      const busy = connections < 3;
      answering(encodeAlertFrame({ code: busy ? 'BUSY' : 'AUTH_FAILED', retryAfterMs: busy ? 1 : 0 }))(socket);
    });
    await using customer = new Customer(identity(port), { retryForMs: 10_000 });
    await expect(customer.connect()).rejects.toMatchObject({ code: 'AUTH_FAILED' });
    expect(connections).toBe(3);
  });

  it('leaves no connection behind when it is given up', async () => {
    const { promise: closed, resolve } = Promise.withResolvers<void>();
    const abort = new AbortController();
    const port = await listen((socket) => {
      socket.once('data', () => abort.abort());
      socket.on('close', () => resolve());
      socket.on('end', () => socket.end());
    });
    await using customer = new Customer(identity(port), { signal: abort.signal });
    await expect(customer.balance()).rejects.toMatchObject({ code: 'UNREACHABLE' });
    await closed;
  });
});
