import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decodeReceipt, encodeDocument, receiptIsValid } from '../interop/peer-inner.ts';
import { INNER } from '../interop/peer-wire.ts';
import { Arena, expectReaction } from './arena.ts';
import { openSession, Session, TRANSFER } from './attacker.ts';
import type { RawLink } from './raw-link.ts';

/** Whole sessions in one write, from CUSTOMER_KEY to CLOSE, and what may go wrong behind it: one payment, one receipt, nothing left. */

let arena: Arena;

beforeAll(async () => {
  arena = await Arena.open();
});

afterAll(async () => {
  await arena[Symbol.asyncDispose]();
});

const SERVED = ['FINISHED', 'AUTH_RESULT 0', 'RECEIPT 1', 'CLOSE', 'fin'];
const payment = JSON.stringify({ from: 'alice.eur', to: 'bob.eur', amount: '1.00', currency: 'EUR' });

/** CUSTOMER_KEY, AUTH, a payment, CLOSE, and what goes `behind` it. */
async function fly(
  id: Uint8Array,
  behind: (session: Session) => void = () => undefined,
  options: ConstructorParameters<typeof RawLink>[1] = {},
): Promise<Session> {
  return Session.claim(await openSession(arena.port), options, (flight) => {
    flight.authenticate(arena.credentials).transact(payment, id).send(INNER.CLOSE);
    behind(flight);
  });
}

describe('a session in one write', () => {
  it('gets one receipt, which verifies, and CLOSE', async () => {
    const id = randomBytes(16);
    const session = await fly(id);
    expect([await session.next(), await session.next()]).toEqual(['FINISHED', 'AUTH_RESULT 0']);
    const { type, content } = session.in.open((await session.link.frame())!)!;
    expect(type).toBe(INNER.RECEIPT);
    const receipt = decodeReceipt(content);
    expect(receipt.transactionId).toEqual(id);
    const document = { contentType: TRANSFER, body: payment };
    expect(receiptIsValid(receipt, 'alice', document, [arena.alice.hostKey!])).toBe(true);
    expectReaction(await session.reaction(), ['CLOSE', 'fin']);
    await arena.unharmed(1_00n);
  });

  it('with a FIN right behind it is answered all the same', async () => {
    const session = await fly(randomBytes(16), ({ link }) => link.finish());
    expectReaction(await session.reaction(), SERVED);
    await arena.unharmed(1_00n);
  });

  it('of an impostor, with a FIN right behind it, is refused, and its payment not looked at', async () => {
    const session = await Session.claim(await openSession(arena.port), {}, (flight) => {
      flight.authenticate({ ...arena.credentials, credential: randomBytes(32) });
      flight.transact(payment).send(INNER.CLOSE).link.finish();
    });
    expectReaction(await session.reaction(), ['FINISHED', 'AUTH_RESULT 9', 'CLOSE', 'fin']);
    await arena.unharmed();
  });
});

describe('bytes behind CLOSE', () => {
  it.each<[string, (session: Session) => void]>([
    ['a byte', ({ link }) => link.write(Buffer.alloc(1))],
    ['another payment', (session) => session.transact(payment)],
    ['the same CLOSE again', (session) => session.send(INNER.CLOSE)],
    ['ten megabytes', ({ link }) => link.write(Buffer.alloc(10 * 1024 * 1024))],
  ])('while a receipt is owed, %s: BAD_FRAME in its place, and the same id still has it', async (_, behind) => {
    const id = randomBytes(16);
    const session = await fly(id, behind);
    expectReaction(await session.reaction(), ['FINISHED', 'AUTH_RESULT 0', 'record ERROR BAD_FRAME', 'fin']);
    expectReaction(await (await fly(id)).reaction(), SERVED);
    await arena.unharmed(1_00n);
  });

  it('when all is answered meet a closed connection', async () => {
    const session = await fly(randomBytes(16));
    for (const line of SERVED.slice(0, -1)) expect(await session.next()).toBe(line);
    expectReaction(await session.transact(payment).reaction(), ['closed']);
    await arena.unharmed(1_00n);
  });

  it('of a session that asked for nothing are not looked at', async () => {
    const session = await Session.claim(await openSession(arena.port), {}, (flight) =>
      flight.authenticate(arena.credentials).send(INNER.CLOSE).transact(payment),
    );
    expectReaction(await session.reaction(), ['FINISHED', 'AUTH_RESULT 0', 'CLOSE', 'closed']);
    await arena.unharmed();
  });
});

describe('a reset behind CLOSE', () => {
  it.each([
    ['right behind it', undefined],
    ['when the claim was accepted', 'claim-accepted'],
    ['while the profile is compared', 'profile-received'],
    ['while the payment is committed', 'transaction-decrypted'],
  ])('%s: the payment takes effect once or not at all, and the same id tells', async (_, step) => {
    const id = randomBytes(16);
    const reached = step === undefined ? undefined : arena.atStep(step);
    const session = await fly(id);
    await reached;
    session.link.reset();
    expectReaction(await (await fly(id)).reaction(), SERVED);
    await arena.unharmed(1_00n);
  });
});

describe('a peer that never reads', () => {
  it('is served, and its port is another’s, without it', async () => {
    const ended = arena.sessionEnd();
    const session = await fly(randomBytes(16), undefined, { reading: false });
    expect(await ended).toMatchObject({ reason: 'completed', transactions: 1 });
    await arena.unharmed(1_00n);
    session.link.reset();
  });

  it('and asks for more than finds room on the way is reset when its time is over', async () => {
    await using hasty = await Arena.open({
      'auth-timeout-ms': 2_500,
      'session-timeout-ms': 2_500,
      'linger-timeout-ms': 200,
    });
    const payer = await Session.authenticated(hasty.port, hasty.credentials);
    const long = JSON.stringify({ ...JSON.parse(payment), reference: '"'.repeat(140) });
    for (let count = 0; count < 100; count++) payer.transact(long);
    expectReaction(await payer.send(INNER.CLOSE).reaction(), [...Array(100).fill('RECEIPT 1'), 'CLOSE', 'fin']);
    await hasty.quiet();
    const ended = hasty.sessionEnd();
    // Fifteen megabytes of answers: more than the systems of both sides hold for a peer that reads none of it.
    const question = encodeDocument(
      randomBytes(4),
      'application/vnd.sallyport.history+json',
      '{"account":"alice.eur","limit":100}',
    );
    const session = await Session.claim(await openSession(hasty.port), { reading: false }, (flight) => {
      flight.authenticate(hasty.credentials);
      for (let count = 0; count < 300; count++) flight.send(INNER.QUERY, question);
      flight.send(INNER.CLOSE);
    });
    const { reason, detail, queries } = await ended;
    expect([reason, detail]).toEqual(['timeout', 'session']);
    expect(queries).toBeLessThan(300);
    session.link.socket.resume();
    expect(await session.reaction()).toEqual(['reset']);
    await hasty.unharmed(100_00n);
  });
});
