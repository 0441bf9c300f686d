import type { KeyObject } from 'node:crypto';
import { makeArrivals } from '../../src/crypto/arrival-keys.ts';
import { GROUPS } from '../../src/crypto/groups.ts';
import { hostKeyId, hostKeyOfSeed, rawHostPublicKey } from '../../src/crypto/identity.ts';
import type { Crypto } from '../../src/crypto/index.ts';
import { makeOffers } from '../../src/crypto/offer-keys.ts';
import type { SuitePolicy } from '../../src/crypto/suite.ts';
import { Driver } from '../../src/session/driver.ts';
import { createFirstPort } from '../../src/session/first-port.ts';
import type {
  FirstPortEffect,
  FirstPortEvent,
  FirstPortState,
  SecondPortLease,
} from '../../src/session/first-port-interface.ts';
import { type LeasedSession, wipeLeasedSession } from '../../src/session/leased-session.ts';
import { createSecondPort, type SecondPortMachine } from '../../src/session/second-port.ts';
import type {
  SecondPortEffect,
  SecondPortEvent,
  SecondPortState,
  TransactionResult,
} from '../../src/session/second-port-interface.ts';
import type { SessionEnd } from '../../src/session/session-end.ts';
import type { Auth } from '../../src/wire/auth.ts';
import { encodeUnsignedReceipt } from '../../src/wire/receipt.ts';
import { Deadlines } from './deadlines.ts';
import type { End, Network } from './network.ts';

export const HOST_KEY: KeyObject = hostKeyOfSeed(new Uint8Array(32).fill(7));
export const HOST_PUBLIC_KEY = rawHostPublicKey(HOST_KEY);

/** Exponents to draw from: few, so that the cache answers. */
export function exponentOf(group: keyof typeof GROUPS, number: number): Uint8Array {
  return new Uint8Array(GROUPS[group].exponentByteLength).fill(0x31 + number);
}

export interface Served {
  readonly port: 'first' | 'second';
  end: SessionEnd | undefined;
  readonly steps: string[];
  ends: number;
}

export interface ServerBehaviour {
  readonly policy: SuitePolicy;
  /** One HELLO in so many is asked to come back; 0: none. */
  readonly retryOneIn: number;
  readonly refuseOneIn: number;
  /** One pool job, lookup or submission in so many fails. */
  readonly failOneIn: number;
}

interface Lease {
  readonly lease: SecondPortLease;
  session: LeasedSession | undefined;
  state: 'leased' | 'open' | 'taken' | 'released';
  readonly candidates: Driver<SecondPortState, SecondPortEvent, SecondPortEffect>[];
}

/** The security server without sockets: it interprets effects as the real one does, at times chosen by the seed. */
export class ServerModel {
  readonly served: Served[] = [];
  readonly leases = new Map<number, Lease>();
  /** Every buffer that held a secret: all zero once everything is over. */
  readonly secrets: Uint8Array[] = [];
  /** By transaction id: what the ledger holds, and how often it took effect. */
  readonly ledger = new Map<string, { contentType: string; body: string; receipt: Uint8Array; effects: number }>();
  readonly presented: string[] = [];
  readonly queries: string[] = [];
  readonly deadlines: Deadlines[] = [];
  readonly #network: Network;
  readonly #crypto: Crypto;
  readonly #behaviour: ServerBehaviour;
  readonly #isEnrolled: (presented: Auth) => boolean;
  readonly #secondPort: SecondPortMachine;
  readonly #cookies = new Set<string>();
  #nextPort = 20_000;

  constructor(
    network: Network,
    crypto: Crypto,
    behaviour: ServerBehaviour,
    isEnrolled: (presented: Auth) => boolean,
    plantBug: (machine: SecondPortMachine) => SecondPortMachine = (machine) => machine,
  ) {
    this.#network = network;
    this.#crypto = crypto;
    this.#behaviour = behaviour;
    this.#isEnrolled = isEnrolled;
    this.#secondPort = plantBug(createSecondPort({ hashing: crypto }));
  }

  /** Somebody always listens there. */
  acceptFirst(end: End): boolean {
    const served = this.#served('first');
    const deadlines = new Deadlines((name) => driver.dispatch({ kind: 'deadline', name: name as 'hello' }));
    this.deadlines.push(deadlines);
    const driver: Driver<FirstPortState, FirstPortEvent, FirstPortEffect> = new Driver(
      createFirstPort({ policy: this.#behaviour.policy, hostKey: HOST_PUBLIC_KEY }),
      (effect) => {
        if (this.#performCommon(effect, end, served, deadlines)) return;
        this.#performFirst(effect, driver);
      },
    );
    end.ears = {
      receive: (bytes) => driver.receive(bytes),
      peerEnded: () => driver.peerEnded(),
      lost: () => driver.dispatch({ kind: 'lost' }),
    };
    driver.dispatch({ kind: 'accepted' });
    return true;
  }

  /** False: nobody listens there. */
  acceptSecond(port: number, end: End): boolean {
    const lease = this.leases.get(port);
    if (lease === undefined || lease.state !== 'open' || lease.candidates.length === 4) return false;
    const served = this.#served('second');
    const deadlines = new Deadlines((name) => driver.dispatch({ kind: 'deadline', name: name as 'auth' }));
    this.deadlines.push(deadlines);
    const driver: Driver<SecondPortState, SecondPortEvent, SecondPortEffect> = new Driver(
      this.#secondPort,
      (effect) => {
        if (this.#performCommon(effect, end, served, deadlines)) return;
        this.#performSecond(effect, lease, driver);
      },
    );
    lease.candidates.push(driver);
    end.ears = {
      receive: (bytes) => driver.receive(bytes),
      peerEnded: () => driver.peerEnded(),
      lost: () => driver.dispatch({ kind: 'lost' }),
    };
    driver.dispatch({ kind: 'accepted' });
    return true;
  }

  /** The lease's own deadline. */
  expireLeases(): void {
    for (const lease of this.leases.values()) if (lease.state === 'open') this.#release(lease);
  }

  #served(port: Served['port']): Served {
    const served: Served = { port, end: undefined, steps: [], ends: 0 };
    this.served.push(served);
    return served;
  }

  /** Effects that both machines have; true when it was one. */
  #performCommon(
    effect: FirstPortEffect | SecondPortEffect | { kind: 'pauseReading' | 'resumeReading' },
    end: End,
    served: Served,
    deadlines: Deadlines,
  ): boolean {
    switch (effect.kind) {
      case 'send':
        end.send(effect.bytes);
        return true;
      case 'end':
        deadlines.voidAll();
        end.end();
        return true;
      case 'close':
        deadlines.voidAll();
        end.close();
        return true;
      case 'destroy':
        deadlines.voidAll();
        end.destroy();
        return true;
      case 'setDeadline':
        deadlines.set(effect.name);
        return true;
      case 'clearDeadline':
        deadlines.clear(effect.name);
        return true;
      case 'step':
        served.steps.push(effect.step);
        return true;
      case 'ended':
        served.end = effect.end;
        served.ends++;
        return true;
      case 'pauseReading':
      case 'resumeReading':
        end.pause(effect.kind === 'pauseReading');
        return true;
      default:
        return false;
    }
  }

  #performFirst(
    effect: FirstPortEffect | { kind: string },
    driver: Driver<FirstPortState, FirstPortEvent, FirstPortEffect>,
  ): void {
    const answer = (event: FirstPortEvent): void => this.#network.muchLater(() => driver.dispatch(event));
    const { random } = this.#network;
    const { retryOneIn, refuseOneIn } = this.#behaviour;
    const asked = effect as FirstPortEffect;
    switch (asked.kind) {
      case 'admit': {
        if (asked.cookie.length > 0) {
          const good = this.#cookies.delete(Buffer.from(asked.cookie).toString('hex'));
          answer({
            kind: 'admission',
            verdict: good ? { kind: 'admitted' } : { kind: 'refused', code: 'BAD_COOKIE', retryAfterMs: 0 },
          });
        } else if (retryOneIn > 0 && random.oneIn(retryOneIn)) {
          const cookie = random.bytes(16);
          this.#cookies.add(Buffer.from(cookie).toString('hex'));
          answer({ kind: 'admission', verdict: { kind: 'retry', puzzleBits: random.below(6), cookie } });
        } else if (refuseOneIn > 0 && random.oneIn(refuseOneIn)) {
          answer({ kind: 'admission', verdict: { kind: 'refused', code: 'BUSY', retryAfterMs: 250 } });
        } else answer({ kind: 'admission', verdict: { kind: 'admitted' } });
        return;
      }
      case 'lease': {
        const lease: SecondPortLease = {
          secondPort: this.#nextPort++,
          secondHost: '',
          leaseMs: 10_000,
          serverRandom: random.bytes(32),
          sessionId: random.bytes(16),
          leaseToken: random.bytes(32),
        };
        this.leases.set(lease.secondPort, { lease, session: undefined, state: 'leased', candidates: [] });
        answer({ kind: 'leased', lease });
        return;
      }
      case 'makeOffer': {
        const exponent = exponentOf(asked.job.group, random.below(3));
        const made = makeOffers(this.#crypto, HOST_KEY, [asked.job], [exponent])[0]!;
        if (!made.ok || this.#fails()) {
          answer({ kind: 'offerRefused', code: made.ok ? 'BUSY' : made.code, retryAfterMs: 100 });
          return;
        }
        this.secrets.push(exponent, made.kemSecret);
        answer({ kind: 'offerMade', ...made, exponent });
        return;
      }
      case 'openLease': {
        const lease = this.leases.get(asked.lease.secondPort)!;
        lease.session = asked.session;
        lease.state = 'open';
        return;
      }
      case 'releaseLease':
        this.#release(this.leases.get(asked.lease.secondPort)!);
        return;
      default:
        throw new Error(`an effect nobody performs: ${effect.kind}`);
    }
  }

  #performSecond(
    effect: SecondPortEffect | { kind: string },
    lease: Lease,
    driver: Driver<SecondPortState, SecondPortEvent, SecondPortEffect>,
  ): void {
    const answer = (event: SecondPortEvent): void => this.#network.muchLater(() => driver.dispatch(event));
    const asked = effect as SecondPortEffect;
    switch (asked.kind) {
      case 'findLease':
        driver.dispatch({ kind: 'leaseFound', terms: lease.state === 'open' ? lease.session?.terms : undefined });
        return;
      case 'takeLease': {
        const session = lease.state === 'open' ? lease.session : undefined;
        if (session !== undefined) {
          lease.state = 'taken';
          for (const other of lease.candidates) if (other !== driver) other.dispatch({ kind: 'displaced' });
        }
        driver.dispatch({ kind: 'leaseTaken', session });
        return;
      }
      case 'makeKeys': {
        const made = makeArrivals(this.#crypto, [asked.job])[0]!;
        if (made.ok) this.secrets.push(made.keys.customer.key, made.keys.server.key, made.keys.serverFinished);
        answer(
          made.ok ? { kind: 'keysMade', keys: made.keys } : { kind: 'keysRefused', code: made.code, retryAfterMs: 0 },
        );
        return;
      }
      case 'verifyIdentity': {
        const verified = this.#isEnrolled(asked.presented);
        if (verified) this.presented.push(asked.presented.customerId);
        asked.presented.credential.fill(0);
        answer(
          this.#fails() ? { kind: 'identityUnknown', code: 'BUSY', retryAfterMs: 50 } : { kind: 'identity', verified },
        );
        return;
      }
      case 'submit':
        answer({ kind: 'submitted', ref: asked.ref, result: this.#submit(asked) });
        return;
      case 'query':
        this.queries.push(`${asked.contentType} ${Buffer.from(asked.body).toString('hex')}`);
        answer({
          kind: 'queried',
          ref: asked.ref,
          result: { status: undefined, contentType: asked.contentType, body: Uint8Array.from(asked.body) },
        });
        return;
      default:
        throw new Error(`an effect nobody performs: ${effect.kind}`);
    }
  }

  #submit(asked: Extract<SecondPortEffect, { kind: 'submit' }>): TransactionResult {
    if (this.#fails()) return { kind: 'refusal', code: 'BUSY', retryAfterMs: 20, text: 'later' };
    const id = Buffer.from(asked.transactionId).toString('hex');
    const body = Buffer.from(asked.body).toString('hex');
    const known = this.ledger.get(id);
    if (known !== undefined)
      return known.body === body && known.contentType === asked.contentType
        ? { kind: 'receipt', receipt: known.receipt }
        : { kind: 'refusal', code: 'IDEMPOTENCY_CONFLICT', retryAfterMs: 0, text: 'another document' };
    const unsigned = encodeUnsignedReceipt({
      transactionId: asked.transactionId,
      outcome: 'processed',
      sequence: BigInt(this.ledger.size + 1),
      committedTimeUs: 1n,
      bodyHash: this.#crypto.sha256(asked.body),
      resultContentType: asked.contentType,
      result: asked.body.slice(0, 60_000),
      keyId: hostKeyId(HOST_PUBLIC_KEY),
    });
    const receipt = Uint8Array.from([...unsigned, ...new Uint8Array(64)]);
    this.ledger.set(id, { contentType: asked.contentType, body, receipt, effects: 1 });
    return { kind: 'receipt', receipt };
  }

  #release(lease: Lease): void {
    if (lease.session !== undefined) wipeLeasedSession(lease.session);
    lease.state = 'released';
  }

  #fails(): boolean {
    return this.#behaviour.failOneIn > 0 && this.#network.random.oneIn(this.#behaviour.failOneIn);
  }
}
