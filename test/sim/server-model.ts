import { GROUPS } from '../../src/crypto/groups.ts';
import type { Crypto } from '../../src/crypto/index.ts';
import type { SuitePolicy } from '../../src/crypto/suite.ts';
import type { PepperRing } from '../../src/ledger/identity.ts';
import { PortLease } from '../../src/ports/port-lease.ts';
import { PortTable } from '../../src/ports/port-table.ts';
import { type QuotaPlace, Quotas } from '../../src/server/admission/quotas.ts';
import { IdentityDesk } from '../../src/server/identity-desk.ts';
import { LeaseRegistry } from '../../src/server/lease-registry.ts';
import { createFirstPort } from '../../src/session/first-port.ts';
import type {
  FirstPortEffect,
  FirstPortEvent,
  FirstPortState,
  SecondPortLease,
} from '../../src/session/first-port-interface.ts';
import { createSecondPort, type SecondPortMachine } from '../../src/session/second-port.ts';
import { type Auditor, textOf } from './auditor.ts';
import type { LedgerHost } from './ledger-host.ts';
import type { End } from './link.ts';
import { SecondPortModel } from './second-port-model.ts';
import type { Signatures } from './signatures.ts';
import { Visit } from './visit.ts';
import type { Sky } from './weather.ts';
import { cancel, type Planned, type World } from './world.ts';

/** Exponents to draw from: few, so that the cache of exponentiations answers. */
export function exponentOf(group: keyof typeof GROUPS, number: number): Uint8Array {
  return new Uint8Array(GROUPS[group].exponentByteLength).fill(0x31 + number);
}

/** Bugs to plant into the server. */
export interface ServerBugs {
  readonly secondPort?: (machine: SecondPortMachine) => SecondPortMachine;
  /** A session that is lost keeps its port. */
  readonly forgetsLeases?: boolean;
  /** Two slots of the table have one number. */
  readonly sharesANumber?: boolean;
  /** The fifth socket may take the place of the one whose claim was right. */
  readonly evictsTheClaimed?: boolean;
  /** The server's keys differ from the customer's in one bit. */
  readonly spoilsKeys?: boolean;
}

export interface ServerParts {
  readonly world: World;
  readonly sky: Sky;
  readonly crypto: Crypto;
  readonly signatures: Signatures;
  readonly policy: SuitePolicy;
  readonly peppers: PepperRing;
  readonly ledger: LedgerHost;
  readonly auditor: Auditor;
  readonly bugs: ServerBugs;
}

/** docs/OPERATIONS.md's defaults. */
const FIRST_PORT_DEADLINES_MS = { hello: 3_000, linger: 2_000 };
const LEASE_MS = 10_000;
const PORT_BEGINS = 20_000;
const QUARANTINE_MS = 60_000;
const QUOTAS = {
  halfOpenMax: 200,
  halfOpenPerHostMax: 100,
  halfOpenPerNetworkMax: 200,
  ratePerHost: 0,
  burstPerHost: 0,
};

interface FirstVisit {
  readonly visit: Visit<FirstPortState, FirstPortEvent, FirstPortEffect>;
  place: QuotaPlace | undefined;
  portLease: PortLease | undefined;
}

/**
 * One life of the security server, from its start to its stop or death, without sockets and threads: it carries the machines' effects out as
 * first-port-desk.ts does. The port table, the leases, the registry, the quotas and the identity desk are the product's own.
 */
export class ServerModel {
  readonly table: PortTable;
  readonly leases: LeaseRegistry;
  readonly quotas = new Quotas(QUOTAS);
  readonly parts: ServerParts;
  readonly secondPorts: SecondPortModel;
  readonly #held = new Map<number, PortLease>();
  readonly #visits = new Set<FirstVisit>();
  readonly #cookies = new Set<string>();
  readonly #machine;
  readonly #secrets: Uint8Array[] = [];
  #stopping = false;
  gone = false;

  constructor(parts: ServerParts) {
    const { world, policy, signatures, ledger, peppers, bugs, crypto } = parts;
    this.parts = parts;
    this.table = new PortTable(parts.sky.weather.ports, (bound) => world.random.below(bound));
    this.leases = new LeaseRegistry(
      () => world.count('leases expired'),
      (run, afterMs) => {
        const timer = this.later(afterMs, run);
        return () => cancel(timer);
      },
    );
    this.#machine = createFirstPort({ policy, hostKey: signatures.hostKey });
    const machine = createSecondPort({ hashing: crypto });
    const identities = new IdentityDesk(ledger, peppers, crypto.hmacSha256);
    this.secondPorts = new SecondPortModel(this, bugs.secondPort?.(machine) ?? machine, identities);
  }

  /** Whether somebody listens at the first port. */
  acceptFirst(end: End, address: string): boolean {
    if (this.gone || this.#stopping) return false;
    const { world } = this.parts;
    const decision = this.quotas.admit(address, world.nowMs);
    if (!decision.ok) {
      world.count('refused by a quota');
      end.destroy();
      return true;
    }
    const visit = new Visit<FirstPortState, FirstPortEvent, FirstPortEffect>({
      world,
      end,
      machine: this.#machine,
      deadlinesMs: FIRST_PORT_DEADLINES_MS,
      perform: (effect) => this.#perform(first, effect),
    });
    const first: FirstVisit = { visit, place: decision.place, portLease: undefined };
    this.#visits.add(first);
    visit.dispatch({ kind: 'accepted' });
    return true;
  }

  /** Whether somebody listens at this second port: listeners stay open, and who comes to a port that is not leased is reset. */
  acceptSecond(port: number, end: End): boolean {
    if (this.gone) return false;
    const lease = this.#held.get(port);
    if (lease === undefined) {
      end.resetAndDestroy();
      return true;
    }
    this.secondPorts.accept(end, lease);
    return true;
  }

  /** Ports that a stranger could knock at. */
  get portsHeld(): readonly number[] {
    return [...this.#held.keys()];
  }

  /** Stops as SIGTERM does: what is owed is answered. */
  shutdown(): void {
    this.#stopping = true;
    for (const { visit } of [...this.#visits]) visit.dispatch({ kind: 'shutdown', retryAfterMs: 200 });
    this.leases.expireAll();
    this.secondPorts.shutdown(200);
  }

  /** Everything given back, everybody gone. */
  get idle(): boolean {
    return (
      this.#visits.size === 0 && this.secondPorts.open === 0 && this.table.gauges.leased === 0 && this.quotas.held === 0
    );
  }

  /** Said when a server that stopped should have nothing left. */
  describe(): string {
    const { leased } = this.table.gauges;
    return `${this.#visits.size} visits at the first port, ${this.secondPorts.open} at second ports, ${leased} ports leased, ${this.quotas.held} places held`;
  }

  /** The process is gone, with or without the machine it ran on. */
  vanish(withoutWord: boolean): void {
    this.gone = true;
    for (const { visit } of this.#visits) visit.vanish(withoutWord);
    this.secondPorts.vanish(withoutWord);
    // The memory of a dead process is nobody's.
    for (const secret of this.#secrets) secret.fill(0);
    this.parts.auditor.serverVanished();
  }

  secret(...buffers: readonly Uint8Array[]): void {
    this.#secrets.push(...buffers);
    this.parts.auditor.secret(...buffers);
  }

  /** As after a worker's work. What comes when the server is dead comes to nobody. */
  later(ms: number, run: () => void): Planned {
    return this.parts.world.after(ms, () => {
      if (!this.gone) run();
    });
  }

  poolMs(): number {
    const { world, sky } = this.parts;
    return sky.weather.poolMs * world.random.between(0.5, 1.5);
  }

  poolFails(): boolean {
    const { world, sky } = this.parts;
    const failed = world.random.oneIn(sky.weather.poolFailsOneIn);
    if (failed) world.count('fault: pool job failed');
    return failed;
  }

  #perform(first: FirstVisit, effect: FirstPortEffect): void {
    const answer = (event: FirstPortEvent): void => first.visit.dispatch(event);
    switch (effect.kind) {
      case 'admit':
        answer({ kind: 'admission', verdict: this.#verdict(effect) });
        return;
      case 'lease':
        this.later(0, () => this.#lease(first));
        return;
      case 'makeOffer': {
        const { crypto, signatures, world } = this.parts;
        const exponent = exponentOf(effect.job.group, world.random.below(3));
        this.later(this.poolMs(), () => {
          const made = signatures.makeOffer(crypto, effect.job, exponent);
          if (!made.ok || this.poolFails()) {
            exponent.fill(0);
            if (made.ok) made.kemSecret.fill(0);
            answer({ kind: 'offerRefused', code: made.ok ? 'BUSY' : made.code, retryAfterMs: 100 });
            return;
          }
          this.secret(exponent, made.kemSecret);
          answer({ kind: 'offerMade', ...made, exponent });
        });
        return;
      }
      case 'openLease': {
        const { place, portLease } = first;
        if (place === undefined || portLease === undefined)
          throw new Error('an offered session has a place and a port');
        first.place = undefined;
        first.portLease = undefined;
        this.parts.auditor.offered(textOf(effect.lease.sessionId), portLease.port);
        this.leases.open(effect.session, portLease, place, effect.lease.leaseMs);
        return;
      }
      case 'releaseLease':
        this.#releasePort(first);
        return;
      case 'ended':
        first.place?.release();
        first.place = undefined;
        this.#visits.delete(first);
        this.parts.auditor.expect(
          first.visit.ends === 1,
          () => `a visit at the first port ended ${first.visit.ends} times`,
        );
        this.parts.world.count(`first port: ${effect.end.kind}`);
        return;
      default:
        return;
    }
  }

  #verdict(
    asked: Extract<FirstPortEffect, { kind: 'admit' }>,
  ): Extract<FirstPortEvent, { kind: 'admission' }>['verdict'] {
    const { random } = this.parts.world;
    if (asked.cookie.length > 0) {
      return this.#cookies.delete(textOf(asked.cookie))
        ? { kind: 'admitted' }
        : { kind: 'refused', code: 'BAD_COOKIE', retryAfterMs: 0 };
    }
    if (!random.oneIn(this.parts.sky.weather.retryOneIn)) return { kind: 'admitted' };
    this.parts.world.count('retries asked');
    const cookie = random.bytes(16);
    this.#cookies.add(textOf(cookie));
    return { kind: 'retry', puzzleBits: random.below(5), cookie };
  }

  #lease(first: FirstVisit): void {
    const { world, sky } = this.parts;
    const slot = this.table.lease(world.nowMs);
    if (slot === undefined) {
      world.count('no port free');
      first.visit.dispatch({ kind: 'leaseRefused', code: 'BUSY', retryAfterMs: 1_000 });
      return;
    }
    if (world.random.oneIn(sky.weather.quarantineOneIn)) {
      world.count('fault: port in use by others');
      this.table.quarantine(slot, 'EADDRINUSE', world.nowMs + QUARANTINE_MS);
      this.#lease(first);
      return;
    }
    const port = PORT_BEGINS + (this.parts.bugs.sharesANumber === true ? slot >> 1 : slot);
    const portLease = new PortLease(port, () => {
      this.#held.delete(port);
      this.table.release(slot);
      this.parts.auditor.released(port);
    });
    this.#held.set(port, portLease);
    first.portLease = portLease;
    const lease: SecondPortLease = {
      secondPort: port,
      secondHost: '',
      leaseMs: LEASE_MS,
      serverRandom: world.random.bytes(32),
      sessionId: world.random.bytes(16),
      leaseToken: world.random.bytes(32),
    };
    first.visit.dispatch({ kind: 'leased', lease });
  }

  #releasePort(first: FirstVisit): void {
    first.portLease?.release();
    first.portLease = undefined;
  }
}
