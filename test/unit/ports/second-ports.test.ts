import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { CANDIDATES_MAX, type PortLease } from '../../../src/ports/port-lease.ts';
import { SecondPorts, type SecondPortsOptions, SHARED_STRANGERS_MAX } from '../../../src/ports/second-ports.ts';

const opened: SecondPorts[] = [];
const sockets: Socket[] = [];

function secondPorts(options: Partial<SecondPortsOptions> = {}): {
  ports: SecondPorts;
  accepted: { socket: Socket; lease: PortLease | undefined }[];
} {
  const accepted: { socket: Socket; lease: PortLease | undefined }[] = [];
  const ports = new SecondPorts({
    host: '127.0.0.1',
    supply: { kind: 'system', count: 4 },
    mode: 'exclusive',
    sharedLeasesMax: 100,
    idleListenersMax: 100,
    onConnection: (socket, lease) => {
      sockets.push(socket);
      accepted.push({ socket, lease });
    },
    ...options,
  });
  opened.push(ports);
  return { ports, accepted };
}

async function knock(port: number): Promise<Socket> {
  const socket = connect({ host: '127.0.0.1', port });
  socket.on('error', () => socket.destroy());
  sockets.push(socket);
  await new Promise<void>((resolve) => {
    socket.once('connect', resolve);
    socket.once('close', () => resolve());
  });
  return socket;
}

/** Every turn of the loop until `condition` holds; the test's own limit of time ends it when it never does. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await Promise.all(opened.splice(0).map((ports) => ports.close()));
});

describe('second ports', () => {
  it('gives each lease a port of its own and takes its customer there', async () => {
    const { ports, accepted } = secondPorts();
    const leases = await Promise.all([ports.lease(), ports.lease(), ports.lease()]);
    expect(new Set(leases.map((lease) => lease.port)).size).toBe(3);
    await knock(leases[1]!.port);
    await until(() => accepted.length === 1);
    expect(accepted[0]!.lease).toBe(leases[1]);
    expect(ports.gauges).toEqual({ slots: 4, free: 1, leased: 3, quarantined: 0 });
    for (const lease of leases) lease.release();
    expect(ports.gauges).toMatchObject({ free: 4, leased: 0 });
    expect(() => leases[0]!.release()).toThrow(/once/);
  });

  it('answers BUSY with a time to wait when every port is leased', async () => {
    const { ports } = secondPorts({ supply: { kind: 'system', count: 1 } });
    const lease = await ports.lease();
    await expect(ports.lease()).rejects.toMatchObject({ code: 'BUSY', retryAfterMs: expect.any(Number) });
    lease.release();
    expect((await ports.lease()).port).toBe(lease.port);
    expect(ports.listeners).toBe(1);
  });

  it('closes at once what knocks at a port that is not leased', async () => {
    const { ports, accepted } = secondPorts({ supply: { kind: 'system', count: 1 } });
    const lease = await ports.lease();
    lease.release();
    const stranger = await knock(lease.port);
    if (!stranger.closed) await once(stranger, 'close');
    expect(accepted).toEqual([]);
  });

  it('lets four candidates wait; a fifth gets the place of the one that has waited longest', async () => {
    const { ports, accepted } = secondPorts({ supply: { kind: 'system', count: 1 } });
    const lease = await ports.lease();
    for (let count = 1; count <= CANDIDATES_MAX; count++) {
      await knock(lease.port);
      await until(() => accepted.length === count);
    }
    await knock(lease.port);
    await until(() => accepted.length === CANDIDATES_MAX + 1);
    expect(lease.candidates).toBe(CANDIDATES_MAX);
    expect(accepted.map(({ socket }) => socket.destroyed)).toEqual([true, false, false, false, false]);
    accepted[2]!.socket.destroy();
    await until(() => lease.candidates === CANDIDATES_MAX - 1);
    await knock(lease.port);
    await until(() => accepted.length === CANDIDATES_MAX + 2);
    expect(accepted.filter(({ socket }) => socket.destroyed)).toHaveLength(2);
  });

  it('lets nobody take the place of the one whose claim was right', async () => {
    const { ports, accepted } = secondPorts({ supply: { kind: 'system', count: 1 } });
    const lease = await ports.lease();
    await knock(lease.port);
    await until(() => accepted.length === 1);
    lease.claimedBy(accepted[0]!.socket);
    for (let count = 2; count <= 12; count++) {
      await knock(lease.port);
      await until(() => accepted.length === count);
    }
    const open = accepted.filter(({ socket }) => !socket.destroyed);
    expect(open).toHaveLength(CANDIDATES_MAX);
    expect(open[0]).toBe(accepted[0]);
    expect(open.slice(1)).toEqual(accepted.slice(-(CANDIDATES_MAX - 1)));
  });

  it('puts a port that another process holds into quarantine, with the reason, and takes the next', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as { port: number };
    const reported: unknown[] = [];
    try {
      const { ports } = secondPorts({
        supply: { kind: 'range', first: port, last: port },
        onQuarantine: (...report) => reported.push(report),
      });
      await expect(ports.lease()).rejects.toMatchObject({ code: 'BUSY' });
      expect(ports.gauges).toEqual({ slots: 1, free: 0, leased: 0, quarantined: 1 });
      expect(ports.quarantined).toMatchObject([{ port, reason: 'EADDRINUSE' }]);
      expect(reported).toEqual([[port, 'EADDRINUSE']]);
    } finally {
      await new Promise((resolve) => other.close(resolve));
    }
  });

  it('gives the slot back when an address cannot be bound at all', async () => {
    const { ports } = secondPorts({ host: '192.0.2.1' });
    await expect(ports.lease()).rejects.toMatchObject({ code: 'INTERNAL' });
    expect(ports.gauges).toMatchObject({ free: 4, leased: 0, quarantined: 0 });
  });

  it('serves many sessions on few ports in shared mode, up to its limit', async () => {
    const { ports, accepted } = secondPorts({
      mode: 'shared',
      supply: { kind: 'system', count: 2 },
      sharedLeasesMax: 5,
    });
    await ports.open();
    const leases = await Promise.all(Array.from({ length: 5 }, () => ports.lease()));
    expect(new Set(leases.map((lease) => lease.port)).size).toBe(2);
    await expect(ports.lease()).rejects.toMatchObject({ code: 'BUSY' });
    expect(ports.gauges).toEqual({ slots: 5, free: 0, leased: 5, quarantined: 0 });
    await knock(leases[0]!.port);
    await until(() => accepted.length === 1);
    expect(accepted[0]!.lease).toBeUndefined();
    for (const lease of leases) lease.release();
    expect(ports.gauges).toMatchObject({ free: 5, leased: 0 });
  });

  it('says SHUTDOWN after it was closed', async () => {
    const { ports } = secondPorts();
    const lease = await ports.lease();
    await ports.close();
    lease.release();
    await expect(ports.lease()).rejects.toMatchObject({ code: 'SHUTDOWN' });
    expect(ports.listeners).toBe(0);
  });
});

describe('listeners of ports that nobody holds', () => {
  it('stay open up to their number, and the port released last is the one to close', async () => {
    const { ports } = secondPorts({ idleListenersMax: 2 });
    const leases = [await ports.lease(), await ports.lease(), await ports.lease(), await ports.lease()];
    expect(ports.listeners).toBe(4);
    for (const lease of leases) lease.release();
    expect(ports.listeners).toBe(2);
    expect((await ports.lease()).port).toBe(leases[0]!.port);
    const stranger = await knock(leases[3]!.port);
    expect(stranger.connecting).toBe(false);
    expect(stranger.destroyed).toBe(true);
  });

  it('open again for their next lease', async () => {
    const { ports, accepted } = secondPorts({ idleListenersMax: 0, supply: { kind: 'system', count: 1 } });
    for (let count = 1; count <= 3; count++) {
      const lease = await ports.lease();
      await knock(lease.port);
      await until(() => accepted.length === count);
      lease.release();
      expect(ports.listeners).toBe(0);
    }
    expect(ports.gauges).toEqual({ slots: 1, free: 1, leased: 0, quarantined: 0 });
  });

  it('leave the sockets accepted there alone when they close', async () => {
    const { ports, accepted } = secondPorts({ idleListenersMax: 0 });
    const lease = await ports.lease();
    const customer = await knock(lease.port);
    await until(() => accepted.length === 1);
    lease.release();
    const heard = once(customer, 'data');
    accepted[0]!.socket.write('still here');
    expect(String((await heard)[0])).toBe('still here');
  });

  it('do not outlive a close that came while one was being opened', async () => {
    const { ports } = secondPorts();
    const leasing = ports.lease();
    await ports.close();
    await expect(leasing).rejects.toMatchObject({ code: 'SHUTDOWN' });
    expect(ports.listeners).toBe(0);
    expect(ports.gauges).toMatchObject({ leased: 0, free: 4 });
    await expect.poll(() => process.getActiveResourcesInfo().filter((name) => name === 'TCPServerWrap')).toEqual([]);
  });
});

describe('shared ports', () => {
  const shared = { mode: 'shared', supply: { kind: 'system', count: 1 } } as const;

  it('close at once what knocks while no session is expected', async () => {
    const { ports, accepted } = secondPorts(shared);
    await ports.open();
    const lease = await ports.lease();
    lease.release();
    const stranger = await knock(lease.port);
    if (!stranger.closed) await once(stranger, 'close');
    expect(accepted).toEqual([]);
  });

  it('let only so many strangers wait, and another when one is gone', async () => {
    const { ports, accepted } = secondPorts(shared);
    await ports.open();
    const { port } = await ports.lease();
    const waiting = await Promise.all(Array.from({ length: SHARED_STRANGERS_MAX + 1 }, () => knock(port)));
    await until(() => accepted.length === SHARED_STRANGERS_MAX + 1);
    const further = await knock(port);
    if (!further.closed) await once(further, 'close');
    expect(waiting.filter((socket) => socket.destroyed)).toEqual([]);
    const { socket } = accepted[0]!;
    socket.destroy();
    await once(socket, 'close');
    await knock(port);
    await until(() => accepted.length === SHARED_STRANGERS_MAX + 2);
  });

  it('do not start when none of them can be had', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as { port: number };
    try {
      const { ports } = secondPorts({ mode: 'shared', supply: { kind: 'range', first: port, last: port } });
      await expect(ports.open()).rejects.toMatchObject({
        code: 'UNREACHABLE',
        message: expect.stringContaining(`${port}: EADDRINUSE`),
      });
    } finally {
      await new Promise((resolve) => other.close(resolve));
    }
  });
});
