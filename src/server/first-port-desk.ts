import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import { assert, SallyportError } from '../errors.ts';
import type { CryptoPool } from '../pool/crypto-pool.ts';
import type { PortLease } from '../ports/port-lease.ts';
import { resetSocket } from '../ports/reset-socket.ts';
import type { SecondPorts } from '../ports/second-ports.ts';
import type { FirstPortMachine } from '../session/first-port.ts';
import type {
  FirstPortDeadline,
  FirstPortEffect,
  FirstPortEvent,
  FirstPortState,
  SecondPortLease,
} from '../session/first-port-interface.ts';
import { type Alert, encodeAlertFrame } from '../wire/alert.ts';
import type { RetryDemand } from './admission/puzzle-policy.ts';
import type { QuotaPlace } from './admission/quotas.ts';
import type { RetryCookies } from './admission/retry-cookie.ts';
import { Connection } from './connection.ts';
import { idOf, type LeaseRegistry } from './lease-registry.ts';
import { OpenSet } from './open-set.ts';
import { BROKEN_END, type Report, reportEnd } from './session-report.ts';
import type { ServerConfiguration } from './settings.ts';

export interface FirstPortDeskParts {
  readonly configuration: ServerConfiguration;
  readonly machine: FirstPortMachine;
  readonly cookies: RetryCookies;
  readonly ports: SecondPorts;
  readonly pool: CryptoPool;
  readonly leases: LeaseRegistry;
  /** Whether load asks for a RETRY now. */
  readonly retryDemand: () => RetryDemand | undefined;
  readonly report: Report;
}

type FirstPortConnection = Connection<FirstPortState, FirstPortEvent, FirstPortEffect, FirstPortDeadline>;
type Performed = Parameters<
  ConstructorParameters<
    typeof Connection<FirstPortState, FirstPortEvent, FirstPortEffect, FirstPortDeadline>
  >[0]['perform']
>[0];

/** One visit at the first port: what belongs to it besides its socket. */
interface Visit {
  readonly number: number;
  readonly startedMs: number;
  readonly address: string | undefined;
  readonly connection: FirstPortConnection;
  /** Held until the visit ends without an offer; an opened lease takes it over. */
  place: QuotaPlace | undefined;
  /** The port behind the lease that the machine knows of, until it is opened or given back. */
  portLease: PortLease | undefined;
  session: string | undefined;
  /** When its HELLO was whole. */
  helloMs: number;
}

/** Customers turned away that still read why; beyond it they are reset, so that a crowd at the door holds no descriptors. */
const TURNED_AWAY_MAX = 256;

const SERVER_RANDOM_BYTES = 32;
const SESSION_ID_BYTES = 16;
const LEASE_TOKEN_BYTES = 32;

/** Serves the first port: what its state machine asks for is done here. */
export class FirstPortDesk {
  readonly #parts: FirstPortDeskParts;
  readonly #open = new OpenSet<FirstPortConnection>();
  readonly #turnedAway = new Set<Socket>();

  constructor(parts: FirstPortDeskParts) {
    this.#parts = parts;
  }

  /** `address`: the customer's, which is not the socket's when a proxy forwards it. */
  accept(socket: Socket, place: QuotaPlace, number: number, address: string | undefined): void {
    const { configuration, machine } = this.#parts;
    const connection: FirstPortConnection = new Connection({
      socket,
      machine,
      deadlinesMs: { hello: configuration['hello-timeout-ms'], linger: configuration['linger-timeout-ms'] },
      perform: (effect: Performed) => this.#perform(visit, effect),
      onBroken: (error) => this.#parts.report.failed('invariant-broken', error),
      abandon: () => {
        this.#releasePort(visit);
        this.#perform(visit, { kind: 'ended', end: BROKEN_END });
      },
    });
    const visit: Visit = {
      number,
      startedMs: performance.now(),
      address,
      connection,
      place,
      portLease: undefined,
      session: undefined,
      helloMs: 0,
    };
    this.#open.add(connection);
    connection.dispatch({ kind: 'accepted' });
  }

  /** Says one word to a customer that is not served, and closes: at the latest after the linger time, whatever it sends meanwhile. */
  turnAway(socket: Socket, alert: Alert): void {
    socket.on('error', () => socket.destroy());
    if (this.#turnedAway.size >= TURNED_AWAY_MAX) {
      socket.resetAndDestroy();
      return;
    }
    this.#turnedAway.add(socket);
    const timer = setTimeout(() => resetSocket(socket), this.#parts.configuration['linger-timeout-ms']);
    socket.once('close', () => {
      clearTimeout(timer);
      this.#turnedAway.delete(socket);
    });
    socket.end(encodeAlertFrame(alert));
    socket.resume();
  }

  /** Fulfilled when no connection is open. */
  idle(): Promise<void> {
    return this.#open.idle();
  }

  shutdown(retryAfterMs: number): void {
    for (const connection of this.#open.all()) connection.dispatch({ kind: 'shutdown', retryAfterMs });
  }

  destroy(): void {
    for (const connection of this.#open.all()) connection.socket.destroy();
    for (const socket of this.#turnedAway) socket.destroy();
  }

  #perform(visit: Visit, effect: Performed): void {
    switch (effect.kind) {
      case 'step':
        this.#parts.report.step({
          connection: visit.number,
          session: visit.session,
          step: effect.step,
          detail: effect.detail,
        });
        return;
      case 'admit':
        visit.helloMs = performance.now();
        visit.connection.dispatch({ kind: 'admission', verdict: this.#verdict(visit, effect) });
        return;
      case 'lease':
        void this.#lease(visit);
        return;
      case 'makeOffer':
        void this.#makeOffer(visit, effect);
        return;
      case 'openLease': {
        const { place, portLease } = visit;
        assert(place !== undefined && portLease !== undefined, 'an offered session has a place and a port');
        visit.place = undefined;
        visit.portLease = undefined;
        this.#parts.leases.open(effect.session, portLease, place, effect.lease.leaseMs);
        this.#parts.report.took('offer', visit.helloMs);
        return;
      }
      case 'releaseLease':
        this.#releasePort(visit);
        return;
      case 'ended':
        visit.place?.release();
        visit.place = undefined;
        this.#open.remove(visit.connection);
        // An offer is not an end: its session goes on at the second port.
        if (effect.end.kind !== 'offered')
          reportEnd(this.#parts.report, effect.end, { ...visit, connection: visit.number, port: 'first' });
        return;
    }
  }

  #verdict(
    visit: Visit,
    asked: Extract<FirstPortEffect, { kind: 'admit' }>,
  ): Extract<FirstPortEvent, { kind: 'admission' }>['verdict'] {
    const { cookies, retryDemand } = this.#parts;
    const nowMs = Date.now();
    if (asked.cookie.length > 0) {
      return cookies.accept(visit.address, asked.boundHello, asked.cookie, asked.puzzleSolution, nowMs)
        ? { kind: 'admitted' }
        : { kind: 'refused', code: 'BAD_COOKIE', retryAfterMs: 0 };
    }
    const demand = retryDemand();
    if (demand === undefined) return { kind: 'admitted' };
    return {
      kind: 'retry',
      puzzleBits: demand.puzzleBits,
      cookie: cookies.issue(visit.address, asked.boundHello, demand.puzzleBits, nowMs),
    };
  }

  #releasePort(visit: Visit): void {
    visit.portLease?.release();
    visit.portLease = undefined;
  }

  async #lease(visit: Visit): Promise<void> {
    const { ports, configuration } = this.#parts;
    try {
      const portLease = await ports.lease();
      visit.portLease = portLease;
      const random = randomBytes(SERVER_RANDOM_BYTES + SESSION_ID_BYTES + LEASE_TOKEN_BYTES);
      const lease: SecondPortLease = {
        secondPort: portLease.port,
        secondHost: configuration['advertised-host'],
        leaseMs: configuration['lease-ms'],
        serverRandom: random.subarray(0, SERVER_RANDOM_BYTES),
        sessionId: random.subarray(SERVER_RANDOM_BYTES, SERVER_RANDOM_BYTES + SESSION_ID_BYTES),
        leaseToken: random.subarray(SERVER_RANDOM_BYTES + SESSION_ID_BYTES),
      };
      visit.session = idOf(lease.sessionId);
      visit.connection.dispatch({ kind: 'leased', lease });
    } catch (error) {
      const { code, retryAfterMs } = refusalOf(error);
      if (code === 'INTERNAL') this.#parts.report.failed('lease-failed', error);
      visit.connection.dispatch({ kind: 'leaseRefused', code, retryAfterMs });
    }
  }

  async #makeOffer(visit: Visit, { job }: Extract<FirstPortEffect, { kind: 'makeOffer' }>): Promise<void> {
    try {
      const made = await this.#parts.pool.makeOffer(job);
      if (made === undefined)
        visit.connection.dispatch({ kind: 'offerRefused', code: 'KEY_EXCHANGE_FAILED', retryAfterMs: 0 });
      else visit.connection.dispatch({ kind: 'offerMade', ...made });
    } catch (error) {
      const { code, retryAfterMs } = refusalOf(error);
      if (code === 'INTERNAL') this.#parts.report.failed('offer-failed', error);
      visit.connection.dispatch({ kind: 'offerRefused', code, retryAfterMs });
    }
  }
}

/** What a failure of our own parts is to the peer. */
export function refusalOf(error: unknown): {
  readonly code: 'BUSY' | 'SHUTDOWN' | 'INTERNAL';
  readonly retryAfterMs: number;
} {
  if (error instanceof SallyportError && (error.code === 'BUSY' || error.code === 'SHUTDOWN'))
    return { code: error.code, retryAfterMs: error.retryAfterMs ?? 0 };
  return { code: 'INTERNAL', retryAfterMs: 0 };
}
