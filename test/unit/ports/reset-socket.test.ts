import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { resetSocket } from '../../../src/ports/reset-socket.ts';

/** Does `act` with an accepted socket; how its peer, which reads nothing until then, sees it end. */
async function endAfter(act: (socket: Socket) => Promise<void> | void): Promise<'fin' | 'reset'> {
  const server = createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const accepted = once(server, 'connection') as Promise<[Socket]>;
  const peer = connect({ port: (server.address() as AddressInfo).port, host: '127.0.0.1', allowHalfOpen: true });
  const seen = new Promise<'fin' | 'reset'>((resolve) => {
    peer.once('end', () => resolve('fin')).once('error', () => resolve('reset'));
  });
  const [[socket]] = await Promise.all([accepted, once(peer, 'connect')]);
  try {
    const closed = once(socket, 'close');
    await act(socket);
    await closed;
    peer.resume();
    return await seen;
  } finally {
    peer.destroy();
    server.close();
  }
}

describe('a socket that is reset', () => {
  it('is closed, and its peer told so', async () => {
    expect(await endAfter(resetSocket)).toBe('reset');
  });

  it('is closed when its FIN is under way at that very moment', async () => {
    const end = await endAfter((socket) => {
      socket.end('a last word');
      resetSocket(socket);
    });
    // The FIN has left: the peer may hear it before the reset.
    expect(['fin', 'reset']).toContain(end);
  });

  it('is closed when its FIN has left', async () => {
    const end = await endAfter(async (socket) => {
      await new Promise<void>((finished) => socket.end(finished));
      resetSocket(socket);
    });
    expect(['fin', 'reset']).toContain(end);
  });

  it('throws away what its peer has not taken', async () => {
    const end = await endAfter((socket) => {
      socket.end(new Uint8Array(64 << 20));
      resetSocket(socket);
    });
    expect(end).toBe('reset');
  });
});
