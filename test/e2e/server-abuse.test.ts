import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { Customer, type CustomerIdentity } from '../../src/customer/index.ts';
import { SecurityServer } from '../../src/server/index.ts';
import type { ServerConfiguration } from '../../src/server/settings.ts';
import { runCustomer } from '../interop/peer-customer.ts';
import { FRAME, frame } from '../interop/peer-wire.ts';
import { LIGHT_POLICY, Stage } from './stage.ts';

/** Strangers and machines that give the server less than it would like: who holds on is let go of, and customers are served. */

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

describe('strangers who are at the second port first', () => {
  /** A CUSTOMER_KEY as long as that of ffdhe2048, all of it wrong. */
  const WRONG_CLAIM = frame(FRAME.CUSTOMER_KEY, Buffer.alloc(370).fill(1, 80, 81));

  it.each([
    ['say nothing', undefined],
    ['make wrong claims and stay', WRONG_CLAIM],
  ])('and %s do not keep the customer out', async (_, said) => {
    await using stage = await Stage.open({ 'linger-timeout-ms': 60_000 });
    const { credential, profile } = await stage.enroll('alice');
    const strangers: Socket[] = [];
    const { authResult } = await runCustomer({
      host: '127.0.0.1',
      port: stage.server.address.port,
      pinnedHostKey: stage.server.state.hostPublicKey,
      customerId: 'alice',
      profile,
      credential,
      policy: { groups: [0x0100] },
      beforeSecondPort: async ({ secondPort }) => {
        for (let count = 0; count < 8; count++) {
          const stranger = connect({ port: secondPort, host: '127.0.0.1', allowHalfOpen: true });
          sockets.push(stranger);
          strangers.push(stranger);
          stranger.on('error', () => stranger.destroy());
          await once(stranger, 'connect');
          if (said === undefined) continue;
          stranger.write(said);
          await once(stranger, 'data');
        }
      },
    });
    expect(authResult).toBe(0);
    await expect.poll(() => stage.server.gauges).toMatchObject({ live: 0, ports: { leased: 0 } });
    for (const stranger of strangers) stranger.destroy();
  });
});

describe('a stranger who claims its port and then does not say who it is', () => {
  it('stays counted among the half-open, and cannot hold more than its share', async () => {
    await using stage = await Stage.open({ 'half-open-per-host': 1, 'auth-timeout-ms': 60_000 });
    const { credential, profile } = await stage.enroll('alice');
    const visit = (mutate?: (name: string, bytes: Buffer) => Buffer) =>
      runCustomer({
        host: '127.0.0.1',
        port: stage.server.address.port,
        pinnedHostKey: stage.server.state.hostPublicKey,
        customerId: 'alice',
        profile,
        credential,
        policy: { groups: [0x0100] },
        timeoutMs: 1_000,
        ...(mutate === undefined ? {} : { mutate }),
      });
    const silent = visit((name, bytes) => (name.endsWith('record') ? bytes.subarray(0, 0) : bytes));
    await expect.poll(() => stage.server.gauges).toMatchObject({ live: 1, halfOpen: 1 });
    await expect(visit()).rejects.toThrow('BUSY');
    await expect(silent).rejects.toThrow('TIMEOUT');
    await expect.poll(() => stage.server.gauges).toMatchObject({ live: 0, halfOpen: 0, ports: { leased: 0 } });
    expect((await visit()).authResult).toBe(0);
  });

  it('is no stranger any more once it has', async () => {
    await using stage = await Stage.open({ 'half-open-per-host': 1 });
    const identity = await stage.enroll('alice');
    await using first = stage.customer(identity, { idleMs: 60_000 });
    await using second = stage.customer(identity, { idleMs: 60_000 });
    await first.connect();
    await expect.poll(() => stage.server.gauges).toMatchObject({ live: 1, halfOpen: 0 });
    await second.connect();
    await expect.poll(() => stage.server.gauges).toMatchObject({ live: 2, halfOpen: 0 });
  });
});

describe('a listener that throws', () => {
  it('fails its own program, and no session', async () => {
    await using stage = await Stage.open();
    const uncaught: unknown[] = [];
    const before = process.listeners('uncaughtException');
    process.removeAllListeners('uncaughtException');
    process.on('uncaughtException', (error) => uncaught.push(error.message));
    try {
      stage.server.on('step', ({ step }) => {
        throw new Error(step);
      });
      await using customer = stage.customer(await stage.enroll('alice'));
      await customer.connect();
      await expect.poll(() => uncaught).toContain('profile-compared');
    } finally {
      process.removeAllListeners('uncaughtException');
      for (const listener of before) process.on('uncaughtException', listener);
      stage.server.removeAllListeners('step');
    }
  });
});

describe('a machine with few descriptors', () => {
  const DESCRIPTORS = 160;
  const SESSIONS = 400;

  /** A server in a process of its own with more second ports than descriptors. */
  async function open(helloTimeoutMs?: number): Promise<{
    server: ChildProcess;
    identity: CustomerIdentity;
    ask(what: 'gauges' | 'descriptors'): Promise<{ gauges: SecurityServer['gauges']; descriptors: number }>;
    close(): Promise<void>;
  }> {
    const script = fileURLToPath(new URL('./few-descriptors-server.ts', import.meta.url));
    const limited = 'ulimit -n "$1" && exec "$2" "$3" $4';
    const server = spawn(
      'sh',
      ['-c', limited, 'sh', String(DESCRIPTORS), process.execPath, script, String(helloTimeoutMs ?? '')],
      { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] },
    );
    const [{ port, hostKey, credential, profile }] = await once(server, 'message');
    return {
      server,
      identity: {
        customerId: 'alice',
        profile,
        credential: Buffer.from(credential, 'hex'),
        server: { host: '127.0.0.1', port },
        hostKey: Buffer.from(hostKey, 'hex'),
        policy: LIGHT_POLICY,
      },
      ask: async (what) => {
        server.send(what);
        return (await once(server, 'message'))[0];
      },
      close: async () => {
        if (server.connected) server.disconnect();
        if (server.exitCode === null) await once(server, 'exit');
      },
    };
  }

  it('serves on when every port has had its turn', async () => {
    const { identity, ask, close } = await open();
    try {
      for (let count = 0; count < SESSIONS; count++) {
        await using customer = new Customer(identity, { retryForMs: 0 });
        await customer.connect();
      }
      await expect
        .poll(() => ask('gauges'))
        .toMatchObject({
          gauges: { live: 0, ended: { completed: SESSIONS }, ports: { leased: 0, quarantined: 0 } },
        });
      expect((await ask('descriptors')).descriptors).toBeLessThan(DESCRIPTORS);
    } finally {
      await close();
    }
  });

  it('outlives strangers who take them all: a session that runs goes on, and customers are served when they are gone', async () => {
    const { server, identity, ask, close } = await open(1_500);
    const payment = { from: 'alice.eur', to: 'bob.eur', amount: '0.01', currency: 'EUR' };
    const stays = new Customer(identity, { retryForMs: 0, idleMs: 60_000 });
    try {
      await stays.connect();
      const strangers = Array.from({ length: 2 * DESCRIPTORS }, () => {
        const stranger = connect(identity.server.port, '127.0.0.1')
          .on('error', () => undefined)
          .resume();
        sockets.push(stranger);
        return stranger;
      });
      // Those that found no descriptor are turned away by the system; the others have all there are.
      await expect
        .poll(async () => (await ask('gauges')).gauges.halfOpen, { timeout: 10_000, interval: 5 })
        .toBeGreaterThan(50);
      expect((await stays.pay(payment)).status).toBe('committed');
      const patient = new Customer(identity, { retryForMs: 30_000 });
      expect((await patient.pay(payment)).status).toBe('committed');
      await patient.close();
      await expect.poll(() => strangers.every(({ closed }) => closed), { timeout: 20_000 }).toBe(true);
      expect(server.exitCode).toBeNull();
      await stays.close();
      await expect
        .poll(() => ask('gauges'), { timeout: 20_000 })
        .toMatchObject({ gauges: { live: 0, halfOpen: 0, ports: { leased: 0 }, ledger: { available: true } } });
    } finally {
      await stays.close();
      await close();
    }
  });
});
