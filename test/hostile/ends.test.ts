import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { encodeDocument } from '../interop/peer-inner.ts';
import { INNER } from '../interop/peer-wire.ts';
import { Arena, expectReaction } from './arena.ts';
import { customerKey, openSession, prepareHello, Session } from './attacker.ts';
import { RawLink } from './raw-link.ts';

/** Ends at every point, in every manner: by FIN, by reset, by never reading, by the server's own stop, and under clocks that jump. */

let arena: Arena;

beforeAll(async () => {
  arena = await Arena.open({ 'lease-ms': 1_000 });
});

afterAll(async () => {
  await arena[Symbol.asyncDispose]();
});

const payment = JSON.stringify({ from: 'alice.eur', to: 'bob.eur', amount: '1.00', currency: 'EUR' });

/** A peer at some point of its session, alone on its connection. */
interface Point {
  readonly name: string;
  reach(at: Arena): Promise<RawLink>;
  /** What the payment it sent by then takes, whatever becomes of the connection. */
  readonly takenCents?: bigint;
  /** What a FIN at this point is answered; a drop without a word when left out. */
  readonly onFin?: readonly string[];
  /** The last words of a server that stops at this point. */
  readonly onStop: readonly string[];
}

const PLAIN_STOP = ['plain ERROR SHUTDOWN', 'fin'];
const RECORD_STOP = ['record ERROR SHUTDOWN', 'fin'];

const sessions = new WeakMap<RawLink, Session>();
const known = (session: Session): RawLink => {
  sessions.set(session.link, session);
  return session.link;
};
const react = (link: RawLink): Promise<string[]> => sessions.get(link)?.reaction() ?? link.reaction();

const POINTS: readonly Point[] = [
  {
    name: 'connected to the first port',
    reach: (at) => RawLink.to(at.port),
    onStop: PLAIN_STOP,
  },
  {
    name: 'inside HELLO',
    reach: async (at) => (await RawLink.to(at.port)).write(prepareHello().frame.subarray(0, 500)),
    onStop: PLAIN_STOP,
  },
  {
    name: 'connected to the second port',
    reach: async (at) => RawLink.to((await openSession(at.port)).offer.secondPort),
    onStop: PLAIN_STOP,
  },
  {
    name: 'inside CUSTOMER_KEY',
    reach: async (at) => {
      const opening = await openSession(at.port);
      return (await RawLink.to(opening.offer.secondPort)).write(customerKey(opening).frame.subarray(0, 200));
    },
    onStop: PLAIN_STOP,
  },
  {
    name: 'with keys',
    reach: async (at) => {
      const session = await Session.claim(await openSession(at.port));
      expect(await session.next()).toBe('FINISHED');
      return known(session);
    },
    onStop: RECORD_STOP,
  },
  {
    name: 'inside AUTH',
    reach: async (at) => {
      const session = await Session.claim(await openSession(at.port));
      expect(await session.next()).toBe('FINISHED');
      session.link.write(session.out.seal(INNER.AUTH, randomBytes(100)).subarray(0, 50));
      return known(session);
    },
    onStop: RECORD_STOP,
  },
  {
    name: 'authenticated',
    reach: async (at) => known(await Session.authenticated(at.port, at.credentials)),
    onStop: RECORD_STOP,
  },
  {
    name: 'inside a TRANSACTION',
    reach: async (at) => {
      const session = await Session.authenticated(at.port, at.credentials);
      const record = session.out.seal(INNER.TRANSACTION, Buffer.alloc(300));
      session.link.write(record.subarray(0, 100));
      return known(session);
    },
    onStop: RECORD_STOP,
  },
  {
    name: 'with a receipt',
    reach: async (at) => {
      const session = await Session.authenticated(at.port, at.credentials);
      expect(await session.transact(payment).next()).toBe('RECEIPT 1');
      return known(session);
    },
    takenCents: 1_00n,
    onStop: RECORD_STOP,
  },
  {
    name: 'refused as a customer',
    reach: async (at) => {
      const session = await Session.claim(await openSession(at.port));
      session.authenticate({ ...at.credentials, customerId: 'nobody' });
      expect([await session.next(), await session.next()]).toEqual(['FINISHED', 'AUTH_RESULT 9']);
      return known(session);
    },
    onFin: ['CLOSE', 'fin'],
    onStop: ['CLOSE', 'fin'],
  },
  {
    name: 'behind its CLOSE',
    reach: async (at) => known((await Session.authenticated(at.port, at.credentials)).send(INNER.CLOSE)),
    onFin: ['CLOSE', 'fin'],
    onStop: ['CLOSE', 'fin'],
  },
];

describe('a peer that ends', () => {
  it.each(POINTS)('by FIN $name', async ({ reach, takenCents, onFin }) => {
    const link = await reach(arena);
    expectReaction(await react(link.finish()), onFin ?? ['closed']);
    await arena.unharmed(takenCents);
  });

  it.each(POINTS)('by reset $name', async ({ reach, takenCents }) => {
    (await reach(arena)).reset();
    await arena.unharmed(takenCents);
  });
});

describe('a server that stops', () => {
  it.each(POINTS)('while a peer is $name tells it, and is down in time', async ({ reach, onStop }) => {
    const stopping = await Arena.open({ 'linger-timeout-ms': 1_000 });
    try {
      const link = await reach(stopping);
      const reaction = react(link);
      const begun = performance.now();
      await stopping.stage.server.stop({ drainMs: 0 });
      expect(performance.now() - begun).toBeLessThan(5_000);
      expectReaction(await reaction, onStop);
      expect(stopping.complaints).toEqual([]);
      const { halfOpen, live, ports } = stopping.stage.server.gauges;
      expect([halfOpen, live, ports.leased]).toEqual([0, 0, 0]);
    } finally {
      await stopping[Symbol.asyncDispose]();
    }
  });

  it('answers what it took, before it says SHUTDOWN', async () => {
    const stopping = await Arena.open({ 'linger-timeout-ms': 1_000 });
    try {
      const session = await Session.authenticated(stopping.port, stopping.credentials);
      const taken = stopping.atStep('transaction-decrypted');
      session.transact(payment);
      await taken;
      const reaction = session.reaction();
      await stopping.stage.server.stop({ drainMs: 0 });
      expectReaction(await reaction, ['RECEIPT 1', 'record ERROR SHUTDOWN', 'fin']);
    } finally {
      await stopping[Symbol.asyncDispose]();
    }
  });

  it('is not held up by a peer that reads nothing and ends nothing', async () => {
    const stopping = await Arena.open({ 'linger-timeout-ms': 200 });
    try {
      const opening = await openSession(stopping.port);
      const session = await Session.claim(opening, { reading: false });
      session.authenticate(stopping.credentials);
      await expect.poll(() => stopping.stage.server.gauges.live, { interval: 5 }).toBe(1);
      await stopping.stage.server.stop({ drainMs: 0 });
      session.link.reset();
    } finally {
      await stopping[Symbol.asyncDispose]();
    }
  });
});

/** A peer for whom the server is at work: what was sent is whole, and a thread has it. */
interface Work {
  readonly name: string;
  /** The server's step right before it hands the work to a thread. */
  readonly step: string;
  /** Sends what makes the work. */
  begin(at: Arena): Promise<RawLink>;
  readonly takenCents?: bigint;
  /** What a FIN right behind it is answered: whether the thread was done when it came decides between two. */
  readonly onFin: readonly (readonly string[])[];
  /** What a server says that stops at that very moment: whether its thread answered first decides between two. */
  readonly onStop: readonly (readonly string[])[];
}

const WORKS: readonly Work[] = [
  {
    name: 'its OFFER is made',
    step: 'hello-received',
    begin: async (at) => (await RawLink.to(at.port)).write(prepareHello().frame),
    onFin: [['OFFER', 'fin']],
    onStop: [PLAIN_STOP, ['OFFER', 'fin']],
  },
  {
    name: 'its keys are made',
    step: 'customer-value-received',
    begin: async (at) => known(await Session.claim(await openSession(at.port))),
    onFin: [['closed'], ['FINISHED', 'closed']],
    onStop: [PLAIN_STOP, ['FINISHED', ...RECORD_STOP]],
  },
  {
    name: 'its profile is compared',
    step: 'profile-received',
    begin: async (at) => {
      const session = await Session.claim(await openSession(at.port));
      expect(await session.next()).toBe('FINISHED');
      return known(session.authenticate(at.credentials));
    },
    onFin: [['closed'], ['AUTH_RESULT 0', 'closed']],
    onStop: [RECORD_STOP, ['AUTH_RESULT 0', ...RECORD_STOP]],
  },
  {
    name: 'its payment is committed',
    step: 'transaction-decrypted',
    begin: async (at) => known((await Session.authenticated(at.port, at.credentials)).transact(payment)),
    takenCents: 1_00n,
    // It has said no CLOSE: what is committed after its end is not told to an end that may be a cut.
    onFin: [['closed'], ['RECEIPT 1', 'closed']],
    onStop: [['RECEIPT 1', ...RECORD_STOP]],
  },
];

describe('an end while the server is at work', () => {
  it.each(WORKS)('and $name: by FIN', async ({ begin, takenCents, onFin }) => {
    const link = await begin(arena);
    // The work can be done before the FIN is there: then what came of it is said.
    const reaction = await react(link.finish());
    expectReaction(reaction, onFin.find(({ length }) => length === reaction.length) ?? onFin[0]!);
    await arena.unharmed(takenCents);
  });

  it.each(WORKS)('and $name: by reset', async ({ step, begin, takenCents }) => {
    const working = arena.atStep(step);
    const link = await begin(arena);
    await working;
    link.reset();
    await arena.unharmed(takenCents);
  });

  it.each(WORKS)('and $name: by the server’s stop', async ({ step, begin, onStop }) => {
    const stopping = await Arena.open({ 'linger-timeout-ms': 1_000 });
    try {
      let stopped: Promise<void> | undefined;
      const working = stopping.atStep(step, () => {
        stopped = stopping.stage.server.stop({ drainMs: 0 });
      });
      const reaction = react(await begin(stopping));
      await working;
      expect(onStop).toContainEqual(await reaction);
      await stopped;
      expect(stopping.complaints).toEqual([]);
    } finally {
      await stopping[Symbol.asyncDispose]();
    }
  });
});

describe('a peer that never reads', () => {
  it('stops being read, holds bounded memory, and is let go of at the end of its session', async () => {
    await using hasty = await Arena.open({
      'session-timeout-ms': 2_500,
      'auth-timeout-ms': 2_500,
      'linger-timeout-ms': 200,
    });
    const session = await Session.claim(await openSession(hasty.port), { reading: false });
    session.authenticate(hasty.credentials);
    // Questions whose answers are larger than they are, without end: the server must leave them unread.
    const question = (): Buffer =>
      session.out.seal(
        INNER.QUERY,
        encodeDocument(randomBytes(4), 'application/vnd.sallyport.history+json', '{"account":"alice.eur"}'),
      );
    const { socket } = session.link;
    let asked = 0;
    const pump = (): void => {
      while (!socket.destroyed && asked < 60_000) {
        asked += 1;
        if (!socket.write(question())) return;
      }
    };
    socket.on('drain', pump);
    pump();
    const { reason, queries } = await hasty.sessionEnd();
    expect(reason).toBe('timeout');
    expect(queries).toBeLessThan(60_000);
    socket.destroy();
    await hasty.unharmed();
  });
});

describe('deadlines of a session', () => {
  it.each([
    [
      'no AUTH',
      'auth-timeout-ms',
      async (at: Arena) => Session.claim(await openSession(at.port)),
      ['FINISHED', 'record ERROR TIMEOUT', 'fin'],
    ],
    [
      'no request',
      'idle-timeout-ms',
      (at: Arena) => Session.authenticated(at.port, at.credentials),
      ['record ERROR TIMEOUT', 'fin'],
    ],
    [
      'the whole session',
      'session-timeout-ms',
      (at: Arena) => Session.authenticated(at.port, at.credentials),
      ['record ERROR LIMIT', 'fin'],
    ],
  ] as const)('%s', async (_, setting, begin, expected) => {
    await using hasty = await Arena.open({ 'auth-timeout-ms': 400, [setting]: 400 });
    const session = await begin(hasty);
    expectReaction(await session.reaction(), expected);
    await hasty.unharmed();
  });
});

describe('a clock that jumps', () => {
  afterEach(() => {
    vi.restoreAllMocks();
  });

  it.each([
    ['a year ahead', 365 * 86_400_000],
    ['a year back', -365 * 86_400_000],
    ['to 1970', -Date.now()],
  ])('%s, in the middle of sessions, ends none of them', async (_, byMs) => {
    const [offered, authenticated] = await Promise.all([
      openSession(arena.port),
      Session.authenticated(arena.port, arena.credentials),
    ]);
    const now = Date.now.bind(Date);
    vi.spyOn(Date, 'now').mockImplementation(() => now() + byMs);
    const claimed = await Session.claim(offered);
    claimed.authenticate(arena.credentials).send(INNER.CLOSE);
    expectReaction(await claimed.reaction(), ['FINISHED', 'AUTH_RESULT 0', 'CLOSE', 'fin']);
    authenticated.transact(payment).send(INNER.CLOSE);
    expectReaction(await authenticated.reaction(), ['RECEIPT 1', 'CLOSE', 'fin']);
    await arena.unharmed(1_00n);
    vi.restoreAllMocks();
    await arena.unharmed();
  });
});
