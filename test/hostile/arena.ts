import { pino } from 'pino';
import { expect } from 'vitest';
import type { CustomerIdentity } from '../../src/customer/index.ts';
import type { EndedSession } from '../../src/server/index.ts';
import type { ServerConfiguration } from '../../src/server/settings.ts';
import { Stage } from '../e2e/stage.ts';
import type { Credentials } from './attacker.ts';

const PORTS = 16;

/** A server under attack, with a good customer who pays after every attack, and a look at what the server says of itself. */
export class Arena {
  readonly stage: Stage;
  readonly alice: CustomerIdentity;
  /** Log lines of level error: a hostile peer must never be able to write one. */
  readonly complaints: string[];
  #paidCents = 0n;

  private constructor(stage: Stage, alice: CustomerIdentity, complaints: string[]) {
    this.stage = stage;
    this.alice = alice;
    this.complaints = complaints;
  }

  static async open(overrides: Partial<ServerConfiguration> = {}): Promise<Arena> {
    const complaints: string[] = [];
    const logger = pino({ level: 'error' }, { write: (line: string) => void complaints.push(line) });
    const stage = await Stage.open(
      {
        'second-ports': { kind: 'system', count: PORTS },
        groups: ['ffdhe2048'],
        threads: 1,
        'lease-ms': 3_000,
        ...overrides,
      },
      logger,
    );
    const alice = await stage.enroll('alice', 1_000_000_00n);
    await stage.enroll('bob');
    return new Arena(stage, alice, complaints);
  }

  get port(): number {
    return this.stage.server.address.port;
  }

  get credentials(): Credentials {
    const { customerId, profile, credential } = this.alice;
    return { customerId, profile, credential };
  }

  /** A payment by a good customer, which must be committed. */
  async goodPayment(): Promise<void> {
    const customer = this.stage.customer(this.alice, { retryForMs: 20_000 });
    try {
      const payment = { from: 'alice.eur', to: 'bob.eur', amount: '0.01', currency: 'EUR' };
      expect(await customer.pay(payment)).toMatchObject({ status: 'committed' });
      this.#paidCents += 1n;
    } finally {
      await customer.close();
    }
  }

  /** Fulfilled when every port, place and session is back. */
  async quiet(): Promise<void> {
    const { server } = this.stage;
    const busy = (): boolean => {
      const { halfOpen, live, ports } = server.gauges;
      return halfOpen + live + ports.leased + ports.quarantined > 0 || ports.free !== ports.slots;
    };
    const deadline = performance.now() + 10_000;
    while (busy()) {
      expect(performance.now(), `not given back: ${JSON.stringify(server.gauges)}`).toBeLessThan(deadline);
      await new Promise<void>((resolve) => {
        const looked = setTimeout(done, 100);
        function done(): void {
          clearTimeout(looked);
          server.off('session-end', done);
          resolve();
        }
        server.on('session-end', done);
      });
    }
  }

  /** Fulfilled at this step of the server; `act` is called within it, before the server goes on. */
  atStep(wanted: string, act: () => void = () => undefined): Promise<void> {
    const { server } = this.stage;
    return new Promise((resolve) => {
      const onStep = ({ step }: { step: string }): void => {
        if (step !== wanted) return;
        server.off('step', onStep);
        act();
        resolve();
      };
      server.on('step', onStep);
    });
  }

  /** How the next session that was claimed ends. */
  sessionEnd(): Promise<EndedSession> {
    const { server } = this.stage;
    return new Promise((resolve) => {
      const onEnd = (end: EndedSession): void => {
        if (end.port !== 'second' || end.session === undefined) return;
        server.off('session-end', onEnd);
        resolve(end);
      };
      server.on('session-end', onEnd);
    });
  }

  /** What must hold after every attack. `takenCents`: what the attack itself was allowed to pay, as a customer in good standing. */
  async unharmed(takenCents = 0n): Promise<void> {
    this.#paidCents += takenCents;
    await this.goodPayment();
    await this.quiet();
    expect(this.complaints).toEqual([]);
    expect(await this.stage.balances('bob')).toEqual([this.#paidCents]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stage[Symbol.asyncDispose]();
  }
}

/** A silent end may be a FIN or, with bytes unread, a reset: `closed` stands for either. */
export function expectReaction(lines: readonly string[], expected: readonly string[]): void {
  const told = expected.at(-1) === 'closed' ? [...lines.slice(0, -1), 'closed'] : lines;
  expect(told).toEqual(expected);
}
