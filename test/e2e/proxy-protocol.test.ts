import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { Customer } from '../../src/customer/index.ts';
import type { EndedSession } from '../../src/server/index.ts';
import { Stage } from './stage.ts';

const undo: (() => unknown)[] = [];
afterEach(async () => {
  for (const each of undo.splice(0).reverse()) await each();
});

async function openStage(trusted: readonly string[], overrides = {}): Promise<Stage> {
  const stage = await Stage.open({ 'proxy-protocol-from': trusted, 'hello-timeout-ms': 400, ...overrides });
  undo.push(() => stage[Symbol.asyncDispose]());
  return stage;
}

/** A proxy before the first port: sends `header` and then what customers send, in pieces of `pieceBytes`. */
async function openProxy(target: number, header: Buffer, pieceBytes = 1_000): Promise<number> {
  const sockets = new Set<Socket>();
  const proxy = createServer((customer) => {
    const server = connect({ port: target, host: '127.0.0.1', noDelay: true });
    for (const socket of [customer, server]) sockets.add(socket.on('error', () => socket.destroy()));
    server.pipe(customer);
    void (async () => {
      for (let at = 0; at < header.length; at += pieceBytes) {
        server.write(header.subarray(at, at + pieceBytes));
        await turn();
      }
      customer.pipe(server);
    })();
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  undo.push(() => {
    for (const socket of sockets) socket.destroy();
    return new Promise((resolve) => proxy.close(resolve));
  });
  return (proxy.address() as { port: number }).port;
}

/** PROXY, TCP over IPv4, from 192.0.2.LAST:56324. */
function headerFor(last: number): Buffer {
  return Buffer.from(
    `0d0a0d0a000d0a515549540a2111000cc00002${last.toString(16).padStart(2, '0')}c6336401dc041eef`,
    'hex',
  );
}

const payment = { from: 'alice.eur', to: 'bob.eur', amount: '1.00', currency: 'EUR' };

describe('a proxy before the first port', () => {
  it.each([1_000, 3])('that is trusted says who comes, in pieces of %d bytes', async (pieceBytes) => {
    const stage = await openStage(['127.0.0.1'], { 'half-open-per-host': 1, 'hello-timeout-ms': 10_000 });
    const identity = await stage.enroll('alice', 10_00n);
    await stage.enroll('bob');
    const pay = async (last: number): Promise<unknown> => {
      const port = await openProxy(stage.server.address.port, headerFor(last), pieceBytes);
      await using customer = new Customer({ ...identity, server: { host: '127.0.0.1', port } }, { retryForMs: 0 });
      return (await customer.pay(payment)).status;
    };
    // Somebody behind the same proxy holds the one place of host 7.
    const silent = connect(stage.server.address.port, '127.0.0.1', () => silent.write(headerFor(7)));
    undo.push(() => silent.destroy());
    await expect.poll(() => stage.server.gauges.halfOpen).toBe(1);
    await expect(pay(7)).rejects.toMatchObject({ code: 'BUSY' });
    expect(stage.server.gauges.refused).toEqual({ 'half-open-host': 1 });
    expect(await pay(8)).toBe('committed');
    silent.destroy();
    await expect.poll(() => stage.server.gauges.halfOpen).toBe(0);
    expect(await pay(7)).toBe('committed');
  });

  it('must send a header, a right one, in time', async () => {
    const stage = await openStage(['127.0.0.0/8']);
    const identity = await stage.enroll('alice');
    await expect(stage.customer(identity).connect()).rejects.toMatchObject({ code: expect.any(String) });
    const silent = connect(stage.server.address.port, '127.0.0.1');
    await once(silent, 'close');
    const cut = connect(stage.server.address.port, '127.0.0.1', () => cut.end('PROXY TCP4 1'));
    await once(cut, 'close');
    await expect.poll(() => stage.server.gauges.refused).toEqual({ 'proxy-header': 3 });
    expect(stage.server.gauges).toMatchObject({ halfOpen: 0, ports: { leased: 0 } });
  });

  it('that is not trusted is not believed', async () => {
    const stage = await openStage(['10.0.0.0/8']);
    const identity = await stage.enroll('alice');
    const ended: EndedSession[] = [];
    stage.server.on('session-end', (end) => ended.push(end));
    const port = await openProxy(stage.server.address.port, headerFor(7));
    const customer = new Customer({ ...identity, server: { host: '127.0.0.1', port } }, { retryForMs: 0 });
    // Read as a frame, the header's second byte is a version that does not exist.
    await expect(customer.connect()).rejects.toMatchObject({ code: 'UNSUPPORTED_VERSION' });
    await expect
      .poll(() => ended)
      .toMatchObject([{ port: 'first', code: 'UNSUPPORTED_VERSION', address: '127.0.0.1' }]);
    await stage.customer(identity).connect();
  });
});
