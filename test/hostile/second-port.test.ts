import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openDescriptors } from '../e2e/stage.ts';
import { toBytes } from '../interop/peer-groups.ts';
import { FRAME, frameHeader, INNER, u8, u16 } from '../interop/peer-wire.ts';
import { Arena, expectReaction } from './arena.ts';
import { customerKey, type KeyChanges, type Opening, openSession, prepareHello, Session } from './attacker.ts';
import { RawLink } from './raw-link.ts';

/** Strangers, thieves and cheats at a second port. Who has no right claim never touches the lease; who has one spends it. */

let arena: Arena;

beforeAll(async () => {
  arena = await Arena.open();
});

afterAll(async () => {
  await arena[Symbol.asyncDispose]();
});

const BAD_FRAME = ['plain ERROR BAD_FRAME', 'fin'];
const BAD_CLAIM = ['plain ERROR BAD_CLAIM', 'fin'];
const FAILED = ['plain ERROR KEY_EXCHANGE_FAILED', 'fin'];
const SERVED = ['FINISHED', 'AUTH_RESULT 0', 'CLOSE', 'fin'];

const knock = (opening: Opening): Promise<RawLink> => RawLink.to(opening.offer.secondPort);

async function say(opening: Opening, bytes: Uint8Array): Promise<string[]> {
  return (await knock(opening)).write(bytes).reaction();
}

/** The rightful customer comes, is served, and goes. */
async function rightful(opening: Opening): Promise<void> {
  const session = await Session.claim(opening);
  session.authenticate(arena.credentials).send(INNER.CLOSE);
  expectReaction(await session.reaction(), SERVED);
}

/** `other` is a second session of the same attacker. */
const THIEVES: readonly (readonly [
  what: string,
  bytes: (opening: Opening, other: Opening) => Uint8Array,
  expected: readonly string[],
])[] = [
  ['no token', (o) => customerKey(o, { leaseToken: Buffer.alloc(32) }).frame, BAD_CLAIM],
  [
    'a token with one bit flipped',
    (o) => customerKey(o, { leaseToken: flip(o.offer.leaseToken, 31) }).frame,
    BAD_CLAIM,
  ],
  ['the token of another session', (o, x) => customerKey(o, { leaseToken: x.offer.leaseToken }).frame, BAD_CLAIM],
  ['the right token with a wrong claim', (o) => customerKey(o, { claimSecret: randomBytes(32) }).frame, BAD_CLAIM],
  [
    'the commitment in place of its preimage',
    (o) => customerKey(o, { claimSecret: o.hello.claimCommitment }).frame,
    BAD_CLAIM,
  ],
  ['the claim of another session', (o, x) => customerKey(o, { claimSecret: x.claimSecret }).frame, BAD_CLAIM],
  ['an unknown session', (o) => customerKey(o, { sessionId: randomBytes(16) }).frame, BAD_CLAIM],
  ['a session id of zeros', (o) => customerKey(o, { sessionId: Buffer.alloc(16) }).frame, BAD_CLAIM],
  ['another session of its own, at this port', (_, x) => customerKey(x).frame, BAD_CLAIM],
  [
    'a wrong claim and a bad share: the claim is what is told',
    (o) => customerKey(o, { claimSecret: randomBytes(32), yc: Buffer.alloc(256) }).frame,
    BAD_CLAIM,
  ],
  ['a share of no byte', (o) => customerKey(o, { yc: Buffer.alloc(0) }).frame, BAD_FRAME],
  ['a share of one byte', (o) => customerKey(o, { yc: u8(2) }).frame, BAD_FRAME],
  ['a share stripped of its first byte', (o) => customerKey(o, { yc: Buffer.alloc(255, 0x55) }).frame, BAD_FRAME],
  ['a share longer than any group', (o) => customerKey(o, { yc: Buffer.alloc(513, 0x55) }).frame, BAD_FRAME],
  ['a HELLO', () => prepareHello().frame, BAD_FRAME],
  ['the OFFER it was given', (o) => o.offerFrame, BAD_FRAME],
  ['a RECORD', () => Buffer.concat([frameHeader(FRAME.RECORD, 80), randomBytes(80)]), BAD_FRAME],
  ['CUSTOMER_KEY of length 0', () => frameHeader(FRAME.CUSTOMER_KEY, 0), BAD_FRAME],
  ['CUSTOMER_KEY of length 65535', () => frameHeader(FRAME.CUSTOMER_KEY, 65_535), BAD_FRAME],
  [
    'CUSTOMER_KEY whose share says a byte more than there is',
    (o) => lengthOfShare(customerKey(o).frame, 257),
    BAD_FRAME,
  ],
  [
    'CUSTOMER_KEY whose share says a byte less than there is',
    (o) => lengthOfShare(customerKey(o).frame, 255),
    BAD_FRAME,
  ],
  ['another version', (o) => flip(customerKey(o).frame, 1, 0x02), ['plain ERROR UNSUPPORTED_VERSION', 'fin']],
  ['an HTTP request', () => Buffer.from('GET / HTTP/1.1\r\n\r\n'), ['plain ERROR UNSUPPORTED_VERSION', 'fin']],
];

function flip(bytes: Uint8Array, at: number, mask = 0x01): Buffer {
  const flipped = Buffer.from(bytes);
  flipped[at]! ^= mask;
  return flipped;
}

function lengthOfShare(frame: Buffer, length: number): Buffer {
  const changed = Buffer.from(frame);
  u16(length).copy(changed, 4 + 16 + 32 + 32);
  return changed;
}

describe('without a right claim', () => {
  it.each(THIEVES)('%s: the lease is untouched', async (_, bytes, expected) => {
    const [opening, other] = await Promise.all([openSession(arena.port), openSession(arena.port)]);
    expectReaction(await say(opening, bytes(opening, other)), expected);
    expect(arena.stage.server.gauges.ports.leased).toBe(2);
    await Promise.all([rightful(opening), rightful(other)]);
    await arena.unharmed();
  });

  it('a fifth candidate: the one who has waited longest is closed without a word, and the customer gets in', async () => {
    const opening = await openSession(arena.port);
    const early: RawLink[] = [];
    for (let count = 0; count < 4; count++) early.push(await knock(opening));
    const session = await Session.claim(opening);
    expectReaction(await early[0]!.reaction(), ['reset']);
    session.authenticate(arena.credentials).send(INNER.CLOSE);
    expectReaction(await session.reaction(), SERVED);
    // A right claim closes the others who wait there.
    for (const link of early.slice(1)) expectReaction(await link.reaction(), ['closed']);
    await arena.unharmed();
  });

  it('a hundred connects hold four places, and the customer gets in', async () => {
    const opening = await openSession(arena.port);
    const crowd: RawLink[] = [];
    // One after the other: the port's accept queue is short, and what does not fit knocks again a second later.
    for (let count = 0; count < 100; count++) crowd.push(await knock(opening));
    await expect.poll(() => crowd.filter((link) => link.ended).length, { interval: 5 }).toBe(96);
    await rightful(opening);
    for (const link of crowd) expectReaction(await link.reaction(), ['closed']);
    await arena.unharmed();
  });

  it('a wrong claim that loses its place while it is being refused keeps no descriptor open', async () => {
    // One port, whose listener is there before the descriptors are counted.
    await using narrow = await Arena.open({ 'second-ports': { kind: 'system', count: 1 } });
    await narrow.unharmed();
    const before = openDescriptors();
    const opening = await openSession(narrow.port);
    const crowd: RawLink[] = [];
    const join = async (): Promise<void> => {
      const moved = narrow.atStep('customer-moved');
      crowd.push(await knock(opening));
      await moved;
    };
    for (let count = 0; count < 4; count++) await join();
    for (let tries = 0; tries < 20; tries++) {
      // When the newcomer before is done with, claim and newcomer come to the server in one turn of its loop, in this order.
      for (let turns = 0; turns < 2; turns++) await new Promise((turn) => setImmediate(turn));
      crowd[tries]!.write(customerKey(opening, { leaseToken: randomBytes(32) }).frame);
      await join();
    }
    const session = await Session.claim(opening);
    session.authenticate(narrow.credentials).send(INNER.CLOSE);
    expectReaction(await session.reaction(), SERVED);
    for (const link of crowd) await link.reaction();
    await narrow.quiet();
    await expect.poll(openDescriptors).toBeLessThanOrEqual(before);
    await narrow.unharmed();
  });

  it('a wrong claim makes room for the next: forty in a row, then the customer', async () => {
    const opening = await openSession(arena.port);
    for (let tries = 0; tries < 40; tries++)
      expectReaction(await say(opening, customerKey(opening, { leaseToken: randomBytes(32) }).frame), BAD_CLAIM);
    await rightful(opening);
    await arena.unharmed();
  });

  it('a port that is not leased resets who comes', async () => {
    const opening = await openSession(arena.port);
    await rightful(opening);
    await arena.quiet();
    expectReaction(await say(opening, customerKey(opening).frame), ['reset']);
    await arena.unharmed();
  });
});

describe('a claim that was used', () => {
  it('by its replayed flight, while the session lives: BAD_CLAIM, and the session goes on', async () => {
    const opening = await openSession(arena.port);
    const { frame, keys } = customerKey(opening);
    const session = new Session(opening, (await knock(opening)).write(frame), keys);
    session.authenticate(arena.credentials);
    expect([await session.next(), await session.next()]).toEqual(['FINISHED', 'AUTH_RESULT 0']);
    expectReaction(await say(opening, frame), BAD_CLAIM);
    session.send(INNER.CLOSE);
    expectReaction(await session.reaction(), ['CLOSE', 'fin']);
    await arena.unharmed();
  });

  it('by its replayed flight at a port of a later session', async () => {
    const opening = await openSession(arena.port);
    const { frame, keys } = customerKey(opening);
    const session = new Session(opening, (await knock(opening)).write(frame), keys);
    session.authenticate(arena.credentials).send(INNER.CLOSE);
    expectReaction(await session.reaction(), SERVED);
    await arena.quiet();
    const later = await openSession(arena.port);
    expectReaction(await say(later, frame), BAD_CLAIM);
    await rightful(later);
    await arena.unharmed();
  });

  it('twice at once: one is served, the other one is closed', async () => {
    const opening = await openSession(arena.port);
    const { frame } = customerKey(opening);
    const links = await Promise.all([knock(opening), knock(opening)]);
    for (const link of links) link.write(frame);
    const first = await Promise.race(
      links.map(async (link) => {
        const got = await link.frame();
        return got?.[0] === FRAME.RECORD ? link : new Promise<never>(() => undefined);
      }),
    );
    const other = links.find((link) => link !== first)!;
    const lines = await other.reaction();
    expect([BAD_CLAIM, ['fin'], ['reset']]).toContainEqual(lines);
    first.reset();
    await arena.unharmed();
  });
});

const P = (opening: Opening): bigint => opening.group.p;
const share =
  (value: (p: bigint) => bigint) =>
  (o: Opening): Buffer =>
    toBytes(value(P(o)), 256);
const known = (z: bigint): Uint8Array => toBytes(z, 256);

/** Each with the Z that the attacker can know, where it can: only the check of the share stands between it and the keys. */
const SHARES: readonly (readonly [what: string, changes: (opening: Opening) => KeyChanges])[] = [
  ['0', (o) => ({ yc: share(() => 0n)(o), z: known(0n) })],
  ['1', (o) => ({ yc: share(() => 1n)(o), z: known(1n) })],
  ['p-1, Z guessed as 1', (o) => ({ yc: share((p) => p - 1n)(o), z: known(1n) })],
  ['p-1, Z guessed as p-1', (o) => ({ yc: share((p) => p - 1n)(o), z: known(P(o) - 1n) })],
  ['p', (o) => ({ yc: share((p) => p)(o), z: known(0n) })],
  ['p+1', (o) => ({ yc: share((p) => p + 1n)(o), z: known(1n) })],
  ['p+2: two, unreduced, with the right Z', (o) => ({ yc: share((p) => p + 2n)(o), z: o.offer.ys })],
  ['all ones', (o) => ({ yc: Buffer.alloc(256, 0xff), z: o.offer.ys })],
  ['an echo of Ys', (o) => ({ yc: o.offer.ys, z: o.offer.ys })],
  ['a leading zero added', (o) => ({ yc: Buffer.concat([u8(0), toBytes(2n, 256)]), z: o.offer.ys })],
  ['2, padded to the length of ffdhe3072', (o) => ({ yc: toBytes(2n, 384), z: o.offer.ys })],
  ['2, padded to the length of ffdhe4096', (o) => ({ yc: toBytes(2n, 512), z: o.offer.ys })],
];

describe('with a right claim', () => {
  it.each(SHARES)('the share %s is KEY_EXCHANGE_FAILED, and the claim is spent', async (_, changes) => {
    const opening = await openSession(arena.port);
    expectReaction(await say(opening, customerKey(opening, changes(opening)).frame), FAILED);
    await arena.quiet();
    expectReaction(await say(opening, customerKey(opening).frame), ['reset']);
    await arena.unharmed();
  });

  it('the share 2 is as good as any: the cheats above fail by their check alone', async () => {
    const opening = await openSession(arena.port);
    const { frame, keys } = customerKey(opening, { yc: toBytes(2n, 256), z: opening.offer.ys });
    const session = new Session(opening, (await knock(opening)).write(frame), keys);
    session.authenticate(arena.credentials).send(INNER.CLOSE);
    expectReaction(await session.reaction(), SERVED);
    await arena.unharmed();
  });

  it.each([
    ['one bit flipped', (right: Buffer) => flip(right, 0)],
    ['its last bit flipped', (right: Buffer) => flip(right, 31)],
    ['zeros', () => Buffer.alloc(32)],
    ['random', () => randomBytes(32)],
  ])('customer_finished with %s is KEY_EXCHANGE_FAILED', async (_, finished) => {
    const opening = await openSession(arena.port);
    expectReaction(await say(opening, customerKey(opening, { finished }).frame), FAILED);
    await arena.unharmed();
  });

  it('customer_finished cut short is BAD_FRAME', async () => {
    const opening = await openSession(arena.port);
    const { frame } = customerKey(opening, { finished: (right) => right.subarray(0, 31) });
    u16(frame.length - 4).copy(frame, 2);
    expectReaction(await say(opening, frame), BAD_FRAME);
    await rightful(opening);
    await arena.unharmed();
  });

  it('customer_finished of another session is KEY_EXCHANGE_FAILED', async () => {
    const [opening, other] = await Promise.all([openSession(arena.port), openSession(arena.port)]);
    const { customerFinished } = customerKey(other).keys;
    expectReaction(await say(opening, customerKey(opening, { finished: () => customerFinished }).frame), FAILED);
    await rightful(other);
    await arena.unharmed();
  });

  it.each([
    ['without the ML-KEM secret', new Uint8Array(0)],
    ['with an ML-KEM secret of zeros', new Uint8Array(32)],
  ])('keys made %s do not agree', async (_, k) => {
    const opening = await openSession(arena.port);
    expectReaction(await say(opening, customerKey(opening, { k }).frame), FAILED);
    await arena.unharmed();
  });

  it('CUSTOMER_KEY twice in one connection is BAD_FRAME, behind FINISHED', async () => {
    const opening = await openSession(arena.port);
    const { frame, keys } = customerKey(opening);
    const session = new Session(opening, (await knock(opening)).write(frame, frame), keys);
    expectReaction(await session.reaction(), ['FINISHED', 'record ERROR BAD_FRAME', 'fin']);
    await arena.unharmed();
  });

  it('a HELLO behind CUSTOMER_KEY is BAD_FRAME, behind FINISHED', async () => {
    const opening = await openSession(arena.port);
    const { frame, keys } = customerKey(opening);
    const session = new Session(opening, (await knock(opening)).write(frame, prepareHello().frame), keys);
    expectReaction(await session.reaction(), ['FINISHED', 'record ERROR BAD_FRAME', 'fin']);
    await arena.unharmed();
  });
});

describe('a second port with little patience', () => {
  it('ends a lease nobody claims, and resets who comes later', async () => {
    await using hasty = await Arena.open({ 'lease-ms': 200 });
    const opening = await openSession(hasty.port);
    await hasty.quiet();
    expect(hasty.stage.server.gauges.ended).toMatchObject({ expired: 1 });
    expectReaction(await say(opening, customerKey(opening).frame), ['reset']);
    await hasty.unharmed();
  });

  it('tells TIMEOUT to a candidate that drips, counted from its connect', async () => {
    await using hasty = await Arena.open({ 'customer-key-timeout-ms': 200 });
    const opening = await openSession(hasty.port);
    const link = await knock(opening);
    const bytes = [...customerKey(opening).frame];
    const dripping = setInterval(() => link.write(u8(bytes.shift()!)), 10);
    try {
      expectReaction(await link.reaction(), ['plain ERROR TIMEOUT', 'fin']);
    } finally {
      clearInterval(dripping);
    }
    // The lease is untouched by it.
    const session = await Session.claim(opening);
    expect(await session.next()).toBe('FINISHED');
    session.link.reset();
    await hasty.unharmed();
  });

  it('tells BAD_CLAIM when the lease ends while the claim is on its way', async () => {
    await using hasty = await Arena.open({ 'lease-ms': 300 });
    const opening = await openSession(hasty.port);
    const { frame } = customerKey(opening);
    const link = (await knock(opening)).write(frame.subarray(0, 100));
    await hasty.quiet();
    expectReaction(await link.write(frame.subarray(100)).reaction(), BAD_CLAIM);
    await hasty.unharmed();
  });
});
