import { decideRetry } from '../../src/customer/retry.ts';
import { errorOfEnd } from '../../src/customer/session-failure.ts';
import { SallyportError } from '../../src/errors.ts';
import type { CustomerAnswer, CustomerPhase, CustomerRequest } from '../../src/session/customer-interface.ts';
import type { SessionEnd } from '../../src/session/session-end.ts';
import type { Auth } from '../../src/wire/auth.ts';
import { CustomerSession, type CustomerSessionParts } from './customer-session.ts';
import type { Order } from './orders.ts';
import type { Sky } from './weather.ts';

/** Bugs to plant into the customer program. */
export interface CustomerBugs {
  /** Asks again under a new id. */
  readonly changesIds?: boolean;
}

export interface PayerParts extends Omit<CustomerSessionParts, 'onAnswer' | 'onEnd' | 'genuine' | 'identity'> {
  readonly sky: Sky;
  readonly identity: Auth;
  readonly orders: Order[];
  readonly bugs: CustomerBugs;
  readonly inOneGo: boolean;
  /** How long the orders are spread over. */
  readonly spreadMs: number;
}

/** Orders that are asked for again after their receipt: the receipt must be the same. */
const AGAIN_ONE_IN = 12;
/** The first order comes when a server that starts in fair weather listens. */
const FIRST_MS = 500;
/** The product's default: a server (or whoever alters its words) that asks for a longer wait makes the program give up. */
const RETRY_FOR_MS = 60_000;
/** How long after a storm its last traces may last: a stuck disk, and the restart of the ledger's thread that follows. */
const RECOVERY_MS = 90_000;
/** What a person waits who has to decide by himself to ask again. */
const PERSON_MS = 3_000;

/** A customer program with things to pay: opens sessions, and asks again with the same ids until everything is settled. */
export class Payer {
  readonly #parts: PayerParts;
  readonly #queue: Order[] = [];
  #unsettled: number;
  #failures = 0;

  constructor(parts: PayerParts) {
    this.#parts = parts;
    this.#unsettled = parts.orders.length;
    const { world, orders, spreadMs, inOneGo } = parts;
    const { random } = world;
    // In bunches, as programs pay; several sessions at once when they fall together.
    for (let at = 0; at < orders.length; ) {
      const bunch = orders.slice(at, at + (inOneGo || random.oneIn(20) ? 64 : 1 + random.below(3)));
      at += bunch.length;
      world.after(random.between(FIRST_MS, spreadMs), () => {
        this.#queue.push(...bunch);
        this.#open();
      });
    }
  }

  get unsettled(): number {
    return this.#unsettled;
  }

  #open(): void {
    const { world, sky, identity } = this.#parts;
    const { random } = world;
    const impostor = random.oneIn(sky.weather.impostorOneIn);
    const orders = this.#queue.splice(0, 64);
    if (orders.length === 0) return;
    world.count('sessions');
    if (impostor) world.count('fault: impostor');
    const refused: Order[] = [];
    const over = { yet: false };
    const begunMs = world.nowMs;
    const session: CustomerSession = new CustomerSession({
      ...this.#parts,
      identity: impostor ? disguised(identity, random.below(3), random.bytes(32)) : identity,
      genuine: !impostor,
      onAnswer: (ref, answer) => {
        if (!this.#settles(orders[ref]!, answer)) refused.push(orders[ref]!);
      },
      onEnd: (end) => {
        over.yet = true;
        this.#ended(session, end, refused, begunMs);
      },
    });
    const ahead = random.oneIn(3) ? random.below(orders.length + 1) : orders.length;
    const ask = (from: number, to: number): void => {
      for (let ref = from; ref < to; ref++) {
        const order = orders[ref]!;
        if (!session.ask(this.#requestOf(order, ref))) refused.push(order);
      }
    };
    ask(0, ahead);
    session.start();
    // The rest comes while the session is under way, and CLOSE behind it: a closed session says so of every request.
    const restMs = ahead < orders.length || random.oneIn(3) ? random.between(0, 60) : 0;
    world.after(restMs, () => {
      if (over.yet) {
        this.#askLater(orders.slice(ahead), PERSON_MS);
        return;
      }
      ask(ahead, orders.length);
      session.close();
    });
    if (random.oneIn(sky.weather.giveUpOneIn)) {
      world.count('fault: customer gave up');
      world.after(random.between(0, 50), () => session.giveUp());
    }
  }

  #requestOf(order: Order, ref: number): CustomerRequest {
    const { transactionId, contentType, body } = order.wish;
    order.attempts++;
    if (order.kind === 'query') return { kind: 'query', ref, queryId: transactionId.subarray(0, 4), contentType, body };
    if (order.wants !== 'conflict') this.#parts.auditor.wished(order.wish);
    const id =
      this.#parts.bugs.changesIds === true && order.attempts > 1
        ? transactionId.map((byte, index) => (index === 0 ? (byte + order.attempts) & 0xff : byte))
        : transactionId;
    return { kind: 'transaction', ref, transactionId: id, contentType, body };
  }

  /** Whether an answer is the last word about an order. */
  #settles(order: Order, answer: CustomerAnswer): boolean {
    const { auditor, world, bugs } = this.#parts;
    const { wish } = order;
    switch (answer.kind) {
      case 'receipt':
        auditor.expect(order.wants === 'receipt', () => `a receipt for what wants ${order.wants}`);
        if (bugs.changesIds !== true || order.attempts === 1) auditor.receipted(wish, answer.bytes);
        world.count('receipts');
        return this.#settle(order);
      case 'refusal':
        if (answer.code === 'TRANSACTION_MALFORMED' || answer.code === 'IDEMPOTENCY_CONFLICT') {
          const wanted = answer.code === 'TRANSACTION_MALFORMED' ? 'malformed' : 'conflict';
          auditor.expect(order.wants === wanted, () => `${answer.code} for what wants a ${order.wants}`);
          return this.#settle(order);
        }
        auditor.expect(!this.#parts.sky.weather.fair, () => `${answer.code} in fair weather`);
        return false;
      case 'answer':
        auditor.expect(order.kind === 'query', () => 'an answer to what is no question');
        if (answer.status === 'TRANSACTION_MALFORMED') auditor.violated('a question was not understood');
        return answer.status === undefined && this.#settle(order);
      case 'unanswered':
        return false;
    }
  }

  #settle(order: Order): true {
    const { world } = this.#parts;
    if (!order.settled) {
      order.settled = true;
      this.#unsettled--;
    }
    if (order.wants === 'receipt' && world.random.oneIn(AGAIN_ONE_IN)) this.#askOnceMore(order);
    return true;
  }

  /** The same again, or its id with another document. */
  #askOnceMore(order: Order): void {
    const { world } = this.#parts;
    const conflicting = world.random.oneIn(3);
    const body = conflicting ? Uint8Array.from([...order.wish.body, 0x20]) : order.wish.body;
    if (body.length > 61_440) return;
    this.#unsettled++;
    const again: Order = {
      ...order,
      wish: { ...order.wish, body },
      wants: conflicting ? 'conflict' : 'receipt',
      attempts: 0,
      settled: false,
    };
    this.#askLater([again], world.random.between(0, 2_000));
  }

  #ended(session: CustomerSession, end: SessionEnd<CustomerPhase>, refused: readonly Order[], begunMs: number): void {
    const { world, sky, auditor } = this.#parts;
    world.count(`customer: ${end.kind}`);
    world.tell(() => `a session of ${this.#parts.identity.customerId} ends: ${JSON.stringify(end)}`);
    const busy = end.kind === 'alertReceived' && end.code === 'BUSY';
    auditor.expect(
      end.kind === 'completed' ||
        (busy && !sky.weather.fair) ||
        !(sky.weather.fair || begunMs > sky.calmSinceMs + RECOVERY_MS),
      () =>
        `a session ended with ${JSON.stringify(end)} ${sky.weather.fair ? 'in fair weather' : 'long after the storm'}`,
    );
    const again = refused.filter(({ settled }) => !settled);
    this.#failures = end.kind === 'completed' ? 0 : this.#failures + 1;
    if (again.length === 0) return;
    const place = {
      customerId: this.#parts.identity.customerId,
      address: 'the simulation',
      connected: session.connected,
      socketError: undefined,
      pinned: undefined,
    };
    const error = end.kind === 'completed' ? new SallyportError('INTERNAL', 'refused for now') : errorOfEnd(end, place);
    const decision = decideRetry(error, {
      attempts: Math.max(1, this.#failures),
      elapsedMs: 0,
      retryForMs: RETRY_FOR_MS,
      random: world.random.between(0, 1),
    });
    this.#askLater(again, decision.kind === 'wait' ? decision.delayMs : PERSON_MS);
  }

  #askLater(orders: readonly Order[], afterMs: number): void {
    if (orders.length === 0) return;
    this.#parts.world.after(afterMs, () => {
      this.#queue.push(...orders);
      this.#open();
    });
  }
}

/** Somebody who knows a part of an identity. */
function disguised(identity: Auth, how: number, noise: Uint8Array): Auth {
  if (how === 0) return { ...identity, credential: noise };
  if (how === 1) return { ...identity, customerId: `nobody-${noise[0]}` };
  const [first, ...rest] = identity.profile;
  return { ...identity, profile: [{ tag: first!.tag, value: noise }, ...rest] };
}
