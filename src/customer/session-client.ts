/** One session over sockets: drives the customer's state machine, and holds no decision of the protocol. */

import { makeCustomerKeys } from '../crypto/customer-keys.ts';
import { verifyOffer } from '../crypto/identity.ts';
import { type Crypto, loadCrypto } from '../crypto/index.ts';
import { SallyportError } from '../errors.ts';
import { createCustomer } from '../session/customer.ts';
import type {
  CustomerAnswer,
  CustomerDeadline,
  CustomerEffect,
  CustomerEvent,
  CustomerPhase,
  CustomerRequest,
  CustomerState,
} from '../session/customer-interface.ts';
import { hasRoom } from '../session/customer-requests.ts';
import { Driver, type ReadingEffect } from '../session/driver.ts';
import { searchSolution } from '../session/puzzle.ts';
import { TRANSACTIONS_PER_SESSION_MAX } from '../session/request-limits.ts';
import type { SessionEnd } from '../session/session-end.ts';
import { addressOf, Connection } from './connection.ts';
import { authOf, type CustomerIdentity } from './customer-identity.ts';
import type {
  CustomerSession,
  OpenSession,
  QueryAnswer,
  QueryRequest,
  SessionHooks,
  TransactionAnswer,
  TransactionRequest,
} from './customer-session.ts';
import { hostKeysAfter } from './host-keys.ts';
import { errorOfEnd } from './session-failure.ts';
import { freshMaterial } from './session-material.ts';

/** Hashes tried in one turn of the event loop: a few milliseconds. */
const PUZZLE_SLICE = 2_048;

/** What a customer waits for each, in milliseconds: above the server's own limits, so that its ERROR arrives before we give up. */
const DEADLINES_MS: Readonly<Record<CustomerDeadline, number>> = {
  offer: 10_000,
  ready: 15_000,
  answer: 30_000,
  close: 5_000,
};

type Settle = (
  answer: CustomerAnswer | { readonly kind: 'failed'; readonly error: SallyportError; readonly sent: boolean },
) => void;

/** Opens a session to the customer's server; everything that goes wrong arrives in its answers. */
export const openSocketSession: OpenSession = (identity, hooks) => new SessionClient(identity, hooks);

class SessionClient implements CustomerSession {
  readonly ready: Promise<void>;
  readonly ended: Promise<void>;
  readonly #identity: CustomerIdentity;
  readonly #hooks: SessionHooks;
  /** From when the core is loaded. */
  #driver: Driver<CustomerState, CustomerEvent, CustomerEffect> | undefined;
  readonly #connection: Connection;
  readonly #deadlines = new Map<CustomerDeadline, NodeJS.Timeout>();
  readonly #settlers = new Map<number, Settle>();
  /** Requests that the machine has no room for yet, in order. */
  readonly #overflow: CustomerRequest[] = [];
  /** Answers `unanswered`, kept until the end says why. */
  readonly #unsettled = new Map<number, boolean>();
  readonly #readiness = Promise.withResolvers<void>();
  readonly #ending = Promise.withResolvers<void>();
  #crypto: Crypto | undefined;
  #hostKey: Uint8Array = new Uint8Array(0);
  #refs = 0;
  #transactions = 0;
  #closeWanted = false;
  #over = false;
  #abortError: SallyportError | undefined;

  constructor(identity: CustomerIdentity, hooks: SessionHooks) {
    this.#identity = identity;
    this.#hooks = hooks;
    this.ready = this.#readiness.promise;
    this.ended = this.#ending.promise;
    // Who does not wait for `ready` learns of a failure by the answers.
    this.ready.catch(() => undefined);
    this.#connection = new Connection(
      {
        connected: () => this.#dispatch({ kind: 'connected' }),
        received: (bytes) => this.#driver?.receive(bytes),
        ended: () => this.#driver?.peerEnded(),
        lost: () => this.#dispatch({ kind: 'lost' }),
      },
      hooks.localAddress,
    );
    loadCrypto().then(
      (crypto) => this.#start(crypto),
      (cause: unknown) =>
        this.#finish(new SallyportError('BAD_FILE', 'the WebAssembly core cannot be loaded', { cause })),
    );
  }

  get #address(): string {
    const { host, port } = this.#identity.server;
    return this.#connection.address === '' ? addressOf(host, port) : this.#connection.address;
  }

  get accepting(): boolean {
    return !this.#over && !this.#closeWanted && this.#transactions < TRANSACTIONS_PER_SESSION_MAX;
  }

  async transact(request: TransactionRequest): Promise<TransactionAnswer> {
    this.#transactions++;
    const answer = await this.#ask((ref) => ({ kind: 'transaction', ref, ...request }));
    switch (answer.kind) {
      case 'receipt':
        return { kind: 'receipt', receipt: answer.bytes, hostKey: this.#hostKey };
      case 'refusal':
        return answer;
      case 'failed':
        return { kind: 'unanswered', error: answer.error, sent: answer.sent };
      default:
        throw new Error(`invariant broken: a transaction was answered by ${answer.kind}`);
    }
  }

  async query(request: QueryRequest): Promise<QueryAnswer> {
    const answer = await this.#ask((ref) => {
      const queryId = new Uint8Array(4);
      new DataView(queryId.buffer).setUint32(0, ref);
      return { kind: 'query', ref, queryId, ...request };
    });
    switch (answer.kind) {
      case 'answer':
        return answer.status === undefined ? answer : { kind: 'refusal', code: answer.status };
      case 'failed':
        return { kind: 'unanswered', error: answer.error, sent: answer.sent };
      default:
        throw new Error(`invariant broken: a query was answered by ${answer.kind}`);
    }
  }

  async close(): Promise<void> {
    this.#closeWanted = true;
    this.#feed();
    await this.ended;
  }

  abort(error: SallyportError): void {
    if (this.#over) return;
    this.#abortError = error;
    this.#dispatch({ kind: 'cancel' });
    this.#finish(error);
  }

  #ask(make: (ref: number) => CustomerRequest): Promise<Parameters<Settle>[0]> {
    const ref = ++this.#refs;
    return new Promise((settle) => {
      if (this.#over) {
        settle({ kind: 'failed', error: this.#abortError ?? closedError(this.#address), sent: false });
        return;
      }
      this.#settlers.set(ref, settle);
      this.#overflow.push(make(ref));
      this.#feed();
    });
  }

  /** Gives the machine what it has room for; CLOSE goes behind the last request. */
  #feed(): void {
    const driver = this.#driver;
    while (driver !== undefined && !this.#over) {
      const request = this.#overflow[0];
      if (request === undefined || !hasRoom(driver.state, request.kind)) break;
      this.#overflow.shift();
      driver.dispatch({ kind: 'request', request });
    }
    if (this.#closeWanted && this.#overflow.length === 0) this.#dispatch({ kind: 'close' });
  }

  #dispatch(event: CustomerEvent): void {
    if (!this.#over) this.#driver?.dispatch(event);
  }

  #start(crypto: Crypto): void {
    if (this.#over) return;
    if (this.#closeWanted && this.#overflow.length === 0) {
      this.#finish(closedError(this.#address));
      return;
    }
    this.#crypto = crypto;
    const { hostKey, nextHostKey, policy, server } = this.#identity;
    const machine = createCustomer({
      hashing: crypto,
      policy,
      pins: { hostKey, nextHostKey },
      trustOnFirstUse: policy.trust === 'tofu',
      // The host it came to may be named as well as left out.
      secondHosts: [server.host, ...policy.secondHosts],
    });
    this.#driver = new Driver(machine, (effect) => this.#perform(effect));
    this.#dispatch({ kind: 'start', identity: authOf(this.#identity), material: freshMaterial(this.#identity.policy) });
    this.#feed();
  }

  #perform(effect: CustomerEffect | ReadingEffect): void {
    switch (effect.kind) {
      case 'connectFirst':
        this.#connect(this.#identity.server.host, this.#identity.server.port);
        break;
      case 'connectSecond':
        this.#connect(effect.host === '' ? this.#identity.server.host : effect.host, effect.port);
        break;
      case 'send':
        this.#connection.send(effect.bytes);
        break;
      case 'end':
      case 'close':
        this.#connection.end();
        break;
      case 'destroy':
      case 'reset':
        this.#connection.destroy();
        this.#clearDeadlines();
        break;
      case 'pauseReading':
        this.#connection.pause();
        break;
      case 'resumeReading':
        this.#connection.resume();
        break;
      case 'setDeadline':
        this.#setDeadline(effect.name);
        break;
      case 'clearDeadline':
        clearTimeout(this.#deadlines.get(effect.name));
        break;
      case 'solvePuzzle':
        this.#solvePuzzle(effect.cookie, effect.bits);
        break;
      case 'decideHostKey':
        this.#decideHostKey(effect.hostKey);
        break;
      case 'verifyOffer':
        this.#dispatch({
          kind: 'offerVerified',
          valid: verifyOffer(effect.hostKey, effect.offer, effect.signature),
        });
        break;
      case 'makeKeys':
        this.#dispatch({ kind: 'keysMade', result: makeCustomerKeys(this.#crypto!, effect.job) });
        break;
      case 'learnedHostKeys':
        this.#hostKey = effect.hostKey;
        this.#hooks.onHostKeys(hostKeysAfter(this.#identity, effect));
        break;
      case 'ready':
        this.#readiness.resolve();
        break;
      case 'answered':
        this.#answered(effect.ref, effect.answer);
        break;
      case 'step':
        this.#hooks.onStep(effect.step, effect.detail);
        break;
      case 'ended':
        this.#finish(this.#abortError ?? this.#errorOf(effect.end));
        break;
    }
  }

  #connect(host: string, port: number): void {
    this.#driver?.connectionChanged();
    this.#connection.open(host, port);
  }

  #setDeadline(name: CustomerDeadline): void {
    clearTimeout(this.#deadlines.get(name));
    const timer = setTimeout(() => this.#dispatch({ kind: 'deadline', name }), DEADLINES_MS[name]);
    this.#deadlines.set(name, timer);
  }

  #clearDeadlines(): void {
    for (const timer of this.#deadlines.values()) clearTimeout(timer);
    this.#deadlines.clear();
  }

  /** A slice at a time: a program that pays has other things to do as well. */
  #solvePuzzle(cookie: Uint8Array, bits: number, from = 0): void {
    if (this.#over) return;
    const solution = searchSolution(this.#crypto!, cookie, bits, from, PUZZLE_SLICE);
    if (solution !== undefined) this.#dispatch({ kind: 'puzzleSolved', solution });
    else setImmediate(() => this.#solvePuzzle(cookie, bits, from + PUZZLE_SLICE));
  }

  #decideHostKey(hostKey: Uint8Array): void {
    const decision = this.#hooks.confirmHostKey?.(hostKey) ?? Promise.resolve(false);
    decision.then(
      (accepted) => this.#dispatch({ kind: 'hostKeyDecided', accepted }),
      (cause: unknown) =>
        this.abort(new SallyportError('HOST_KEY_MISMATCH', 'nobody could decide about the host key', { cause })),
    );
  }

  #answered(ref: number, answer: CustomerAnswer): void {
    if (answer.kind === 'unanswered') {
      this.#unsettled.set(ref, answer.sent);
      return;
    }
    const settle = this.#settlers.get(ref);
    this.#settlers.delete(ref);
    settle?.(answer);
    // The machine is stepping: what it has room for now goes in when it is done.
    process.nextTick(() => this.#feed());
  }

  #errorOf(end: SessionEnd<CustomerPhase>): SallyportError {
    return errorOfEnd(end, {
      customerId: this.#identity.customerId,
      address: this.#address,
      connected: this.#connection.made,
      socketError: this.#connection.error,
      pinned: this.#identity.hostKey,
    });
  }

  #finish(error: SallyportError): void {
    if (this.#over) return;
    this.#over = true;
    this.#connection.destroy();
    this.#clearDeadlines();
    this.#readiness.reject(error);
    for (const [ref, settle] of this.#settlers) {
      settle({ kind: 'failed', error, sent: this.#unsettled.get(ref) ?? false });
    }
    this.#settlers.clear();
    this.#overflow.length = 0;
    this.#ending.resolve();
  }
}

function closedError(address: string): SallyportError {
  return new SallyportError('LIMIT', `the session with ${address} is over`);
}
