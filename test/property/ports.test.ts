import { connect, type Socket } from 'node:net';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { PortLease } from '../../src/ports/port-lease.ts';
import { CANDIDATES_MAX } from '../../src/ports/port-lease.ts';
import { SecondPorts } from '../../src/ports/second-ports.ts';

/** Whatever happens, in whatever order: no lease leaks, no port is two customers' at once, no knock comes to a stranger's lease. */

const action = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('lease' as const), together: fc.integer({ min: 1, max: 4 }) }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('release' as const), pick: fc.nat() }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('knock' as const), pick: fc.nat(), leave: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('claim' as const), pick: fc.nat() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('hang up' as const), pick: fc.nat() }) },
);
type Action = typeof action extends fc.Arbitrary<infer Value> ? Value : never;

/** A socket at a port: how its server's end was received. */
interface Knock {
  readonly socket: Socket;
  readonly received: 'accepted' | 'reset';
}

class Scene {
  readonly ports: SecondPorts;
  readonly slots: number;
  readonly idleMax: number;
  readonly leases: PortLease[] = [];
  /** Every port ever leased here, leased now or not. */
  readonly known = new Set<number>();
  readonly accepted: { readonly socket: Socket; readonly lease: PortLease | undefined }[] = [];
  readonly knocks: Knock[] = [];

  constructor(slots: number, idleMax: number) {
    this.slots = slots;
    this.idleMax = idleMax;
    this.ports = new SecondPorts({
      host: '127.0.0.1',
      supply: { kind: 'system', count: slots },
      mode: 'exclusive',
      sharedLeasesMax: 1,
      idleListenersMax: idleMax,
      onConnection: (socket, lease) => {
        socket.on('error', () => socket.destroy());
        socket.resume();
        this.accepted.push({ socket, lease });
      },
    });
  }

  async perform(what: Action): Promise<void> {
    switch (what.kind) {
      case 'lease': {
        const free = this.slots - this.leases.length;
        const asked = await Promise.allSettled(Array.from({ length: what.together }, () => this.ports.lease()));
        const given = asked.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
        expect(given).toHaveLength(Math.min(free, what.together));
        this.leases.push(...given);
        for (const { port } of given) this.known.add(port);
        return;
      }
      case 'release': {
        const [lease] = this.leases.splice(what.pick % Math.max(1, this.leases.length), 1);
        lease?.release();
        return;
      }
      case 'knock':
        await this.#knock([...this.known][what.pick % Math.max(1, this.known.size)], what.leave);
        return;
      case 'claim': {
        const waiting = this.accepted.filter(({ socket, lease }) => !socket.destroyed && lease?.released === false);
        const claimant = waiting[what.pick % Math.max(1, waiting.length)];
        claimant?.lease?.claimedBy(claimant.socket);
        return;
      }
      case 'hang up':
        this.knocks[what.pick % Math.max(1, this.knocks.length)]?.socket.destroy();
        return;
    }
  }

  async #knock(port: number | undefined, leave: boolean): Promise<void> {
    if (port === undefined) return;
    // A port whose listener may have been closed may by now be another program's.
    if (this.idleMax < this.slots && !this.leases.some((lease) => lease.port === port)) return;
    const before = this.accepted.length;
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => socket.destroy());
    socket.resume();
    const closed = new Promise<'reset'>((resolve) => socket.once('close', () => resolve('reset')));
    const accepted = (async (): Promise<'accepted'> => {
      while (this.accepted.length === before && !socket.closed) await new Promise((resolve) => setImmediate(resolve));
      return this.accepted.length > before ? 'accepted' : closed.then(() => 'accepted');
    })();
    const received = this.leases.some((lease) => lease.port === port) ? await accepted : await closed;
    this.knocks.push({ socket, received });
    if (received === 'accepted')
      expect(this.accepted.at(-1)!.lease).toBe(this.leases.find((each) => each.port === port));
    if (leave) socket.destroy();
  }

  check(): void {
    const { gauges, listeners } = this.ports;
    expect(gauges).toEqual({
      slots: this.slots,
      free: this.slots - this.leases.length,
      leased: this.leases.length,
      quarantined: 0,
    });
    expect(new Set(this.leases.map(({ port }) => port)).size).toBe(this.leases.length);
    expect(listeners).toBeGreaterThanOrEqual(this.leases.length);
    expect(listeners).toBeLessThanOrEqual(this.leases.length + this.idleMax);
    for (const lease of this.leases) expect(lease.candidates).toBeLessThanOrEqual(CANDIDATES_MAX);
  }

  async end(): Promise<void> {
    for (const lease of this.leases.splice(0)) lease.release();
    this.check();
    for (const { socket } of [...this.knocks, ...this.accepted]) socket.destroy();
    await this.ports.close();
    expect(this.ports.listeners).toBe(0);
  }
}

describe('second ports under any order of events', () => {
  it('never leak a lease, share a port, or keep more listeners than they may', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 6 }),
        fc.nat(6),
        fc.array(action, { maxLength: 40 }),
        async (slots, idleMax, actions) => {
          const scene = new Scene(slots, idleMax);
          try {
            for (const each of actions) {
              await scene.perform(each);
              scene.check();
            }
          } finally {
            await scene.end();
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  it('never leak a lease to a close that comes in between', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 6 }),
        fc.integer({ min: 1, max: 8 }),
        fc.nat(4),
        async (slots, asked, turns) => {
          const scene = new Scene(slots, 0);
          const leasing = Promise.allSettled(Array.from({ length: asked }, () => scene.ports.lease()));
          for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve));
          const closing = scene.ports.close();
          for (const each of await leasing) if (each.status === 'fulfilled') each.value.release();
          await closing;
          expect(scene.ports.gauges).toEqual({ slots, free: slots, leased: 0, quarantined: 0 });
          expect(scene.ports.listeners).toBe(0);
        },
      ),
      { numRuns: 60 },
    );
    await expect.poll(() => process.getActiveResourcesInfo().filter((name) => name === 'TCPServerWrap')).toEqual([]);
  });
});
