import { makeCustomerKeys } from '../../src/crypto/customer-keys.ts';
import { verifyOffer } from '../../src/crypto/identity.ts';
import type { Crypto } from '../../src/crypto/index.ts';
import { generateKemKeyPair } from '../../src/crypto/kem.ts';
import { createCustomer } from '../../src/session/customer.ts';
import type {
  CustomerAnswer,
  CustomerEffect,
  CustomerEvent,
  CustomerRequest,
  CustomerState,
} from '../../src/session/customer-interface.ts';
import type { CustomerContext } from '../../src/session/customer-opening.ts';
import { Driver } from '../../src/session/driver.ts';
import { searchSolution } from '../../src/session/puzzle.ts';
import type { SessionEnd } from '../../src/session/session-end.ts';
import type { Auth } from '../../src/wire/auth.ts';
import { Deadlines } from './deadlines.ts';
import type { End, Network } from './network.ts';
import { exponentOf, type ServerModel } from './server-model.ts';

/** A customer program without sockets. */
export class CustomerModel {
  readonly steps: string[] = [];
  readonly answers = new Map<number, CustomerAnswer[]>();
  readonly requests: CustomerRequest[] = [];
  readonly secrets: Uint8Array[] = [];
  readonly deadlines = new Deadlines((name) => this.driver.dispatch({ kind: 'deadline', name: name as 'offer' }));
  learned: Uint8Array | undefined;
  ready = false;
  end: SessionEnd | undefined;
  ends = 0;
  readonly driver: Driver<CustomerState, CustomerEvent, CustomerEffect>;
  /** The connection that is alive now. */
  connection: End | undefined;
  readonly #network: Network;
  readonly #crypto: Crypto;
  readonly #server: ServerModel;

  constructor(network: Network, crypto: Crypto, server: ServerModel, context: CustomerContext) {
    this.#network = network;
    this.#crypto = crypto;
    this.#server = server;
    this.driver = new Driver(createCustomer(context), (effect) => this.#perform(effect));
  }

  start(identity: Auth, withKem: boolean): void {
    const { random } = this.#network;
    const exponentBytes = new Uint8Array(41);
    exponentBytes.set(exponentOf('ffdhe2048', 3 + random.below(3)));
    const credential = Uint8Array.from(identity.credential);
    const claimSecret = random.bytes(32);
    this.secrets.push(exponentBytes, credential, claimSecret);
    const material = {
      customerRandom: random.bytes(32),
      claimSecret,
      exponentBytes,
      kemKeys: withKem ? generateKemKeyPair() : undefined,
    };
    const profile = identity.profile.map(({ tag, value }) => ({ tag, value: Uint8Array.from(value) }));
    this.driver.dispatch({ kind: 'start', identity: { ...identity, profile, credential }, material });
  }

  request(request: CustomerRequest): void {
    this.requests.push(request);
    this.answers.set(request.ref, []);
    this.driver.dispatch({ kind: 'request', request });
  }

  #perform(effect: CustomerEffect | { readonly kind: 'pauseReading' | 'resumeReading' }): void {
    const answer = (event: CustomerEvent): void => this.#network.later(() => this.driver.dispatch(event));
    switch (effect.kind) {
      case 'connectFirst':
        this.#connect((end) => this.#server.acceptFirst(end));
        return;
      case 'connectSecond':
        this.#connect((end) => this.#server.acceptSecond(effect.port, end));
        return;
      case 'send':
        this.connection?.send(effect.bytes);
        return;
      case 'end':
        this.deadlines.voidAll();
        this.connection?.end();
        return;
      case 'destroy':
        this.deadlines.voidAll();
        this.connection?.destroy();
        this.connection = undefined;
        return;
      case 'setDeadline':
        this.deadlines.set(effect.name);
        return;
      case 'clearDeadline':
        this.deadlines.clear(effect.name);
        return;
      case 'solvePuzzle': {
        const solution = searchSolution(this.#crypto, effect.cookie, effect.bits, 0, 100_000);
        if (solution !== undefined) answer({ kind: 'puzzleSolved', solution });
        return;
      }
      case 'decideHostKey':
        answer({ kind: 'hostKeyDecided', accepted: true });
        return;
      case 'verifyOffer':
        answer({
          kind: 'offerVerified',
          valid: verifyOffer(effect.hostKey, effect.helloFrame, effect.offerFrame),
        });
        return;
      case 'makeKeys': {
        const result = makeCustomerKeys(this.#crypto, effect.job);
        this.secrets.push(effect.job.exponent);
        if (result.ok) this.secrets.push(result.keys.customer.key, result.keys.server.key, result.keys.serverFinished);
        answer({ kind: 'keysMade', result });
        return;
      }
      case 'learnedHostKeys':
        this.learned = effect.hostKey;
        return;
      case 'ready':
        this.ready = true;
        return;
      case 'answered':
        this.answers.get(effect.ref)!.push(effect.answer);
        return;
      case 'step':
        this.steps.push(effect.step);
        return;
      case 'ended':
        this.end = effect.end;
        this.ends++;
        return;
      case 'pauseReading':
      case 'resumeReading':
        this.connection?.pause(effect.kind === 'pauseReading');
        return;
    }
  }

  #connect(accept: (end: End) => boolean): void {
    const [ours, theirs] = this.#network.connect();
    this.connection = ours;
    this.driver.connectionChanged();
    const current = (): boolean => this.connection === ours;
    ours.ears = {
      receive: (bytes) => void (current() && this.driver.receive(bytes)),
      peerEnded: () => void (current() && this.driver.peerEnded()),
      lost: () => void (current() && this.driver.dispatch({ kind: 'lost' })),
    };
    this.#network.later(() => {
      if (!current()) return;
      const accepted = accept(theirs);
      this.driver.dispatch({ kind: accepted ? 'connected' : 'lost' });
    });
  }
}
