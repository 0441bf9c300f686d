import type { Crypto } from '../../src/crypto/index.ts';
import { PADDING_BYTES } from '../../src/crypto/records.ts';
import type { SuitePolicy } from '../../src/crypto/suite.ts';
import type { CustomerRequest } from '../../src/session/customer-interface.ts';
import { hasRoom } from '../../src/session/customer-requests.ts';
import type { SecondPortMachine } from '../../src/session/second-port.ts';
import type { Auth } from '../../src/wire/auth.ts';
import { CustomerModel } from './customer-model.ts';
import { Network } from './network.ts';
import { SeededRandom } from './random.ts';
import { HOST_PUBLIC_KEY, ServerModel } from './server-model.ts';

/** What is done to the sessions of one run. */
export type Fault =
  | 'none'
  | 'cut'
  | 'flip'
  | 'repeat'
  | 'swap'
  | 'withhold'
  | 'timeouts'
  | 'failures'
  | 'cancel'
  | 'stranger';

export interface Outcome {
  readonly violations: readonly string[];
  readonly ends: readonly string[];
  readonly tasks: number;
}

export interface SimulationOptions {
  /** What both sides accept; chosen by the seed when left out. */
  readonly policy?: SuitePolicy;
  /** Puts a bug into the server's machine, for a checker to find. */
  readonly plantBug?: (machine: SecondPortMachine) => SecondPortMachine;
}

const SESSIONS = 3;
/** A run of three sessions takes some hundreds of tasks; more means that something never comes to rest. */
const TASKS_MAX = 60_000;

export function simulate(crypto: Crypto, seed: number, fault: Fault, options: SimulationOptions = {}): Outcome {
  const random = new SeededRandom(seed);
  const harm = new Harm(random, fault);
  const network = new Network(random, harm);
  const policy: SuitePolicy = options.policy ?? {
    groups: ['ffdhe2048'],
    kems: [random.oneIn(4) ? 'ML-KEM-768' : 'none'],
    aeads: [random.oneIn(2) ? 'AES-256-GCM' : 'ChaCha20-Poly1305'],
  };
  const enrolled = identityOf(random, 'alice');
  const isEnrolled = (presented: Auth): boolean => spell(presented) === enrolledSpelling;
  const enrolledSpelling = spell(enrolled);
  const behaviour = {
    policy,
    retryOneIn: random.pick([0, 2]),
    refuseOneIn: fault === 'failures' ? 5 : 0,
    failOneIn: fault === 'failures' ? 6 : 0,
  };
  const server = new ServerModel(network, crypto, behaviour, isEnrolled, options.plantBug);
  const customers = Array.from({ length: SESSIONS }, () => {
    const customer = new CustomerModel(network, crypto, server, {
      hashing: crypto,
      policy,
      pins: { hostKey: HOST_PUBLIC_KEY, nextHostKey: undefined },
      trustOnFirstUse: false,
      secondHosts: [],
    });
    network.later(() => customer.start(enrolled, policy.kems[0] === 'ML-KEM-768'));
    return customer;
  });
  for (const [index, customer] of customers.entries()) wish(network, customer, index);
  if (fault === 'cancel') network.later(() => random.pick(customers).driver.dispatch({ kind: 'cancel' }));
  if (fault === 'stranger') strangers(network, server);

  const cutOneIn = random.pick([40, 300]);
  let tasks = 0;
  for (; tasks < TASKS_MAX; tasks++) {
    if (fault === 'cut' && random.oneIn(cutOneIn)) random.pick(customers).connection?.cut();
    if (fault === 'timeouts' && random.oneIn(150)) passDeadline(random, customers, server);
    if (network.advance()) continue;
    // Nothing moves: time does, until every deadline has passed.
    if (passDeadline(random, customers, server)) continue;
    server.expireLeases();
    break;
  }
  const violations = [
    ...(tasks >= TASKS_MAX ? ['the simulation does not come to rest'] : []),
    ...checkCustomers(customers, harm),
    ...checkServer(server, customers, enrolled),
    ...(fault === 'none' || fault === 'stranger' ? checkCompleted(customers) : []),
  ];
  const ends = [...customers.map(({ end }) => end), ...server.served.map(({ end }) => end)];
  return { violations, ends: ends.map((end) => (end === undefined ? 'none' : end.kind)), tasks };
}

/** Alters what travels, once or twice a run. */
class Harm {
  readonly #random: SeededRandom;
  readonly #fault: Fault;
  #held: Uint8Array | undefined;
  done = false;

  constructor(random: SeededRandom, fault: Fault) {
    this.#random = random;
    this.#fault = fault;
  }

  alter(bytes: Uint8Array): readonly Uint8Array[] {
    if (this.#held !== undefined) {
      const held = this.#held;
      this.#held = undefined;
      return [bytes, held];
    }
    if (this.done || !this.#random.oneIn(12)) return [bytes];
    switch (this.#fault) {
      case 'flip':
        this.done = true;
        bytes[this.#random.below(bytes.length)]! ^= 1 << this.#random.below(8);
        return [bytes];
      case 'repeat':
        this.done = true;
        return [bytes, Uint8Array.from(bytes)];
      case 'swap':
        this.done = true;
        this.#held = bytes;
        return [];
      case 'withhold':
        this.done = true;
        return [];
      default:
        return [bytes];
    }
  }
}

/** The requests of one customer, some at once, some later; the middle one is the first one's id again with the same document. */
function wish(network: Network, customer: CustomerModel, index: number): void {
  const { random } = network;
  const count = random.below(6);
  for (let ref = 0; ref < count; ref++) {
    const contentType = `test/${index}`;
    const body = random.bytes(random.pick([0, 1, PADDING_BYTES - 1, 700, 5_000]));
    const request: CustomerRequest = random.oneIn(3)
      ? { kind: 'query', ref, queryId: random.bytes(4), contentType, body: body.slice(0, 4096) }
      : { kind: 'transaction', ref, transactionId: random.bytes(16), contentType, body };
    const ask = (): void => {
      if (hasRoom(customer.driver.state, request.kind)) customer.request(request);
    };
    if (random.oneIn(2)) ask();
    else network.later(ask);
  }
  // Late, so that the requests above come before it in most runs.
  const close = (wait: number) => (): void =>
    wait === 0 || customer.end !== undefined
      ? customer.driver.dispatch({ kind: 'close' })
      : network.later(close(wait - 1));
  network.later(close(20 + random.below(200)));
}

/** Sockets of somebody else at the leased ports: wrong claims, rubbish, silence. */
function strangers(network: Network, server: ServerModel): void {
  const { random } = network;
  const knock = (left: number) => (): void => {
    for (const [port, lease] of server.leases) {
      if (lease.state !== 'open' || !random.oneIn(4)) continue;
      // One place is left for the rightful customer: how many sockets may come at all is the quota's matter.
      if (lease.candidates.length >= 3) continue;
      const [ours, theirs] = network.connect();
      if (!server.acceptSecond(port, theirs)) continue;
      const claim = Uint8Array.of(0x04, 0x01, 0x01, 0x72, ...random.bytes(80), 0x01, 0x00, ...random.bytes(256 + 32));
      claim.set(lease.lease.sessionId, 4);
      if (random.oneIn(2)) claim.set(lease.lease.leaseToken, 20);
      ours.send(random.oneIn(2) ? claim : random.bytes(1 + random.below(500)));
    }
    if (left > 0) network.later(knock(left - 1));
  };
  network.later(knock(200));
}

function passDeadline(random: SeededRandom, customers: readonly CustomerModel[], server: ServerModel): boolean {
  const all = [...customers.map((customer) => customer.deadlines), ...server.deadlines];
  const start = random.below(all.length);
  return all.some((_, index) => all[(start + index) % all.length]!.passOne(random));
}

function identityOf(random: SeededRandom, customerId: string): Auth {
  const profile = [
    { tag: 'born', value: random.bytes(10) },
    { tag: 'name', value: random.bytes(30) },
  ];
  return { customerId, profile, credential: random.bytes(32) };
}

function spell({ customerId, profile, credential }: Auth): string {
  const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
  return [customerId, ...profile.map(({ tag, value }) => `${tag}=${hex(value)}`), hex(credential)].join(' ');
}

function checkCustomers(customers: readonly CustomerModel[], harm: Harm): string[] {
  return customers.flatMap((customer, index) => {
    const found: string[] = [];
    const at = `customer ${index}`;
    if (customer.ends !== 1) found.push(`${at} ended ${customer.ends} times`);
    if (customer.connection?.alive === true) found.push(`${at} keeps its connection`);
    if (customer.ready && !customer.steps.includes('server-finished-checked'))
      found.push(`${at} is ready without FINISHED`);
    for (const request of customer.requests) found.push(...checkAnswer(at, request, customer));
    if (customer.secrets.some(isSecretLeft)) found.push(`${at} left a secret`);
    if (
      customer.end?.kind === 'completed' &&
      [...customer.answers.values()].flat().some(({ kind }) => kind === 'unanswered') &&
      !harm.done
    )
      found.push(`${at} completed and left a request unanswered`);
    return found;
  });
}

function checkAnswer(at: string, request: CustomerRequest, customer: CustomerModel): string[] {
  const answers = customer.answers.get(request.ref)!;
  if (answers.length !== 1) return [`${at} got ${answers.length} answers to one request`];
  const answer = answers[0]!;
  const same = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;
  switch (answer.kind) {
    case 'receipt':
      return request.kind === 'transaction' &&
        same(answer.receipt.transactionId, request.transactionId) &&
        same(answer.receipt.result, request.body)
        ? []
        : [`${at} got another transaction's receipt`];
    case 'answer':
      return request.kind === 'query' && same(answer.body, request.body) ? [] : [`${at} got another query's answer`];
    case 'refusal':
      return request.kind === 'transaction' ? [] : [`${at} got a refusal of a query`];
    case 'unanswered':
      return [];
  }
}

/** All zero, or never filled. */
function isSecretLeft(secret: Uint8Array): boolean {
  return secret.some((byte) => byte !== 0);
}

function checkServer(server: ServerModel, customers: readonly CustomerModel[], enrolled: Auth): string[] {
  const found: string[] = [];
  for (const served of server.served)
    if (served.ends !== 1) found.push(`a connection to the ${served.port} port ended ${served.ends} times`);
  for (const [port, { state }] of server.leases)
    if (state !== 'taken' && state !== 'released') found.push(`port ${port} is ${state} for ever`);
  if (server.secrets.some(isSecretLeft)) found.push('the server left a secret');
  if (server.presented.some((id) => id !== enrolled.customerId)) found.push('a stranger was verified');
  const asked = new Set(
    customers.flatMap(({ requests }) =>
      requests.map((request) => `${request.contentType} ${Buffer.from(request.body).toString('hex')}`),
    ),
  );
  for (const { contentType, body } of server.ledger.values())
    if (!asked.has(`${contentType} ${body}`)) found.push('the ledger holds what nobody asked');
  for (const query of server.queries) if (!asked.has(query)) found.push('a query that nobody asked');
  const ready = customers.filter((customer) => customer.ready).length;
  if (ready > server.presented.length) found.push('a customer is ready whom the server did not verify');
  return found;
}

/** Without faults everything that was asked is answered. */
function checkCompleted(customers: readonly CustomerModel[]): string[] {
  return customers.flatMap((customer, index) => {
    const unanswered = [...customer.answers.values()].flat().filter(({ kind }) => kind === 'unanswered');
    if (customer.end?.kind === 'completed' && unanswered.length === 0) return [];
    return [`customer ${index} ended with ${JSON.stringify(customer.end)}, ${unanswered.length} unanswered`];
  });
}
