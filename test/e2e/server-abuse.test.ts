import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { SecurityServer } from '../../src/server/index.ts';
import type { ServerConfiguration } from '../../src/server/settings.ts';

/** Strangers over real sockets who hold on to what they were given: each is let go of at its time, and never holds the server up. */

const folders: string[] = [];
const servers: SecurityServer[] = [];
const sockets: Socket[] = [];
const timers: NodeJS.Timeout[] = [];

async function serve(overrides: Partial<ServerConfiguration>): Promise<SecurityServer> {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-abuse-'));
  folders.push(folder);
  const server = await SecurityServer.start({
    configuration: {
      state: join(folder, 'state'),
      'first-port': 0,
      'second-ports': { kind: 'system', count: 2 },
      groups: ['ffdhe2048'],
      threads: 1,
      'linger-timeout-ms': 200,
      ...overrides,
    },
  });
  servers.push(server);
  return server;
}

/** Connects, reads what comes, never ends its own side, and sends a byte every few milliseconds for as long as it can. */
async function drip(port: number): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  sockets.push(socket);
  socket.on('error', () => socket.destroy());
  socket.resume();
  await new Promise<void>((resolve) => {
    socket.once('connect', resolve);
    socket.once('close', () => resolve());
  });
  timers.push(setInterval(() => socket.writable && socket.write('x'), 20));
  return socket;
}

const stillOpen = (dripping: readonly Socket[]): number => dripping.filter((socket) => !socket.closed).length;

afterEach(async () => {
  for (const timer of timers.splice(0)) clearInterval(timer);
  for (const socket of sockets.splice(0)) socket.destroy();
  await Promise.all(servers.splice(0).map((server) => server.stop({ drainMs: 0 })));
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

describe('a customer turned away at the door', () => {
  it('is let go of at the linger time, however it drips', async () => {
    const server = await serve({ 'half-open-per-host': 1, 'hello-timeout-ms': 60_000 });
    const { port } = server.address;
    const first = connect(port, '127.0.0.1');
    sockets.push(first);
    await expect.poll(() => server.gauges.halfOpen).toBe(1);
    const dripping = await Promise.all(Array.from({ length: 20 }, () => drip(port)));
    await expect.poll(() => server.gauges.refused).toEqual({ 'half-open-host': 20 });
    await expect.poll(() => stillOpen(dripping), { timeout: 10_000 }).toBe(0);
  });

  it('does not hold up a stop', async () => {
    const server = await serve({ 'half-open-per-host': 1, 'hello-timeout-ms': 60_000 });
    const { port } = server.address;
    const dripping = await Promise.all(Array.from({ length: 4 }, () => drip(port)));
    await server.stop({ drainMs: 0 });
    await expect.poll(() => stillOpen(dripping)).toBe(0);
  });

  it('is reset when a crowd stands there already', async () => {
    const server = await serve({ 'half-open-per-host': 1, 'linger-timeout-ms': 60_000, 'hello-timeout-ms': 60_000 });
    const { port } = server.address;
    const crowd = await Promise.all(Array.from({ length: 300 }, () => drip(port)));
    await expect.poll(() => server.gauges.refused['half-open-host'], { timeout: 10_000 }).toBe(299);
    // One is served, 256 read why they are not.
    await expect.poll(() => stillOpen(crowd), { timeout: 10_000 }).toBe(257);
  });
});
