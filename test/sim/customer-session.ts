import { makeCustomerKeys } from '../../src/crypto/customer-keys.ts';
import type { Crypto } from '../../src/crypto/index.ts';
import { KEM_SEED_BYTES, kemKeyPairOfSeed } from '../../src/crypto/kem.ts';
import { createCustomer } from '../../src/session/customer.ts';
import type {
  CustomerAnswer,
  CustomerEffect,
  CustomerEvent,
  CustomerPhase,
  CustomerRequest,
  CustomerState,
} from '../../src/session/customer-interface.ts';
import type { CustomerContext } from '../../src/session/customer-opening.ts';
import { hasRoom } from '../../src/session/customer-requests.ts';
import { Driver } from '../../src/session/driver.ts';
import { searchSolution } from '../../src/session/puzzle.ts';
import type { SessionEnd } from '../../src/session/session-end.ts';
import type { Auth } from '../../src/wire/auth.ts';
import { type Auditor, textOf } from './auditor.ts';
import type { End } from './link.ts';
import { exponentOf } from './server-model.ts';
import type { Signatures } from './signatures.ts';
import { cancel, type Planned, type World } from './world.ts';

/** As src/customer/session-client.ts has them. */
const DEADLINES_MS = { offer: 10_000, ready: 15_000, answer: 30_000, close: 5_000 };
const PUZZLE_TRIES = 100_000;
const POOL_MS = 1;

/** How a customer reaches the server: calls `connected` or `refused`, or never anything. */
export interface Roads {
  toFirstPort(connected: (end: End) => void, refused: () => void): void;
  toSecondPort(port: number, connected: (end: End) => void, refused: () => void): void;
}

export interface CustomerSessionParts {
  readonly world: World;
  readonly crypto: Crypto;
  readonly signatures: Signatures;
  readonly auditor: Auditor;
  readonly roads: Roads;
  readonly context: CustomerContext;
  readonly identity: Auth;
  /** Whether the identity is an enrolled one. */
  readonly genuine: boolean;
  readonly onAnswer: (ref: number, answer: CustomerAnswer) => void;
  readonly onEnd: (end: SessionEnd<CustomerPhase>) => void;
}

/** One session of a customer program: what src/customer/session-client.ts is, over simulated sockets and clock. */
export class CustomerSession {
  /** Whether the last connection that was asked for was ever made. */
  connected = false;
  readonly #parts: CustomerSessionParts;
  readonly #driver: Driver<CustomerState, CustomerEvent, CustomerEffect>;
  readonly #timers = new Map<string, Planned>();
  readonly #answered = new Set<number>();
  readonly #asked = new Set<number>();
  #end: End | undefined;
  #attempt = 0;
  #finishedChecked = false;
  #ends = 0;

  constructor(parts: CustomerSessionParts) {
    this.#parts = parts;
    this.#driver = new Driver(createCustomer(parts.context), (effect) => this.#perform(effect));
  }

  start(): void {
    const { world, auditor, identity, context } = this.#parts;
    const { random } = world;
    const exponentBytes = new Uint8Array(41);
    exponentBytes.set(exponentOf('ffdhe2048', 3 + random.below(3)));
    const credential = Uint8Array.from(identity.credential);
    const claimSecret = random.bytes(32);
    auditor.secret(exponentBytes, credential, claimSecret);
    auditor.claimSecret(claimSecret);
    const material = {
      customerRandom: random.bytes(32),
      claimSecret,
      exponentBytes,
      kemKeys: context.policy.kems.includes('ML-KEM-768') ? kemKeyPairOfSeed(random.bytes(KEM_SEED_BYTES)) : undefined,
    };
    const profile = identity.profile.map(({ tag, value }) => ({ tag, value: Uint8Array.from(value) }));
    this.#driver.dispatch({ kind: 'start', identity: { ...identity, profile, credential }, material });
  }

  /** False when this session takes no more. */
  ask(request: CustomerRequest): boolean {
    if (!hasRoom(this.#driver.state, request.kind)) return false;
    this.#asked.add(request.ref);
    this.#driver.dispatch({ kind: 'request', request });
    return true;
  }

  close(): void {
    this.#driver.dispatch({ kind: 'close' });
  }

  giveUp(): void {
    this.#driver.dispatch({ kind: 'cancel' });
  }

  #perform(effect: CustomerEffect | { readonly kind: 'pauseReading' | 'resumeReading' }): void {
    const { world, crypto, signatures, auditor, roads } = this.#parts;
    switch (effect.kind) {
      case 'connectFirst':
        this.#connect((connected, refused) => roads.toFirstPort(connected, refused));
        return;
      case 'connectSecond':
        this.#connect((connected, refused) => roads.toSecondPort(effect.port, connected, refused));
        return;
      case 'send':
        this.#end?.send(effect.bytes);
        return;
      case 'end':
        this.#end?.end();
        return;
      case 'close':
        this.#end?.close();
        return;
      case 'destroy':
      case 'reset':
        this.#attempt++;
        this.#clearTimers();
        this.#end?.destroy();
        this.#end = undefined;
        return;
      case 'setDeadline':
        this.#setDeadline(effect.name);
        return;
      case 'clearDeadline':
        cancel(this.#timers.get(effect.name));
        return;
      case 'solvePuzzle': {
        const solution = searchSolution(crypto, effect.cookie, effect.bits, 0, PUZZLE_TRIES);
        if (solution !== undefined) this.#later({ kind: 'puzzleSolved', solution });
        return;
      }
      case 'decideHostKey':
        this.#later({ kind: 'hostKeyDecided', accepted: true });
        return;
      case 'verifyOffer':
        this.#later({
          kind: 'offerVerified',
          valid: signatures.verifyOffer(effect.hostKey, effect.offer, effect.signature),
        });
        return;
      case 'makeKeys':
        world.after(POOL_MS, () => this.#makeKeys(effect));
        return;
      case 'learnedHostKeys':
        auditor.expect(
          Buffer.compare(effect.hostKey, signatures.hostKey) === 0,
          () => 'a customer believes in another host key',
        );
        return;
      case 'ready':
        auditor.expect(this.#finishedChecked, () => 'a customer is ready without FINISHED');
        auditor.ready(this.#parts.identity.customerId, this.#parts.genuine);
        return;
      case 'answered':
        auditor.expect(
          this.#asked.has(effect.ref) && !this.#answered.has(effect.ref),
          () => `request ${effect.ref} of a session is answered twice, or was not asked`,
        );
        this.#answered.add(effect.ref);
        this.#parts.onAnswer(effect.ref, effect.answer);
        return;
      case 'step':
        if (effect.step === 'server-finished-checked') this.#finishedChecked = true;
        return;
      case 'ended':
        this.#ended(effect.end);
        return;
      case 'pauseReading':
      case 'resumeReading':
        this.#end?.pause(effect.kind === 'pauseReading');
        return;
    }
  }

  #ended(end: SessionEnd<CustomerPhase>): void {
    const { auditor, onEnd } = this.#parts;
    this.#ends++;
    auditor.expect(this.#ends === 1, () => `the session of a customer ended ${this.#ends} times`);
    auditor.expect(
      this.#answered.size === this.#asked.size,
      () => `a session ended with ${this.#asked.size - this.#answered.size} requests that nobody told about`,
    );
    onEnd(end);
  }

  #makeKeys({ job }: Extract<CustomerEffect, { kind: 'makeKeys' }>): void {
    const { crypto, auditor } = this.#parts;
    const result = makeCustomerKeys(crypto, job);
    auditor.secret(job.exponent);
    if (result.ok) {
      const { customer, server, serverFinished } = result.keys;
      auditor.secret(customer.key, server.key, serverFinished);
      const frame = result.transcript.subarray(-(CUSTOMER_KEY_BYTES + result.publicValue.length));
      auditor.keysMade('customer', textOf(frame.subarray(4, 20)), result.keys);
    }
    this.#driver.dispatch({ kind: 'keysMade', result });
  }

  #later(event: CustomerEvent): void {
    this.#parts.world.after(0, () => this.#driver.dispatch(event));
  }

  #connect(go: (connected: (end: End) => void, refused: () => void) => void): void {
    const attempt = ++this.#attempt;
    const current = (): boolean => this.#attempt === attempt;
    this.connected = false;
    this.#driver.connectionChanged();
    go(
      (end) => {
        if (!current()) {
          end.destroy();
          return;
        }
        this.connected = true;
        this.#end = end;
        end.ears = {
          receive: (bytes) => void (current() && this.#driver.receive(bytes)),
          peerEnded: () => void (current() && this.#driver.peerEnded()),
          lost: () => void (current() && this.#driver.dispatch({ kind: 'lost' })),
          blocked: () => undefined,
          drained: () => undefined,
        };
        this.#driver.dispatch({ kind: 'connected' });
      },
      () => {
        if (current()) this.#driver.dispatch({ kind: 'lost' });
      },
    );
  }

  #setDeadline(name: keyof typeof DEADLINES_MS): void {
    cancel(this.#timers.get(name));
    const { world } = this.#parts;
    this.#timers.set(
      name,
      world.after(DEADLINES_MS[name], () => {
        world.count('deadlines passed');
        this.#driver.dispatch({ kind: 'deadline', name });
      }),
    );
  }

  #clearTimers(): void {
    for (const timer of this.#timers.values()) cancel(timer);
    this.#timers.clear();
  }
}

/** Length of a CUSTOMER_KEY frame (docs/PROTOCOL.md section 4.1) without Yc; the session id stands at its offset 4. */
const CUSTOMER_KEY_BYTES = 4 + 16 + 32 + 32 + 2 + 32;
