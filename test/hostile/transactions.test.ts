import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decodeRefusal, encodeDocument } from '../interop/peer-inner.ts';
import { INNER } from '../interop/peer-wire.ts';
import { Arena, expectReaction } from './arena.ts';
import { openSession, Session, TRANSFER } from './attacker.ts';

/** Customers in good standing, and impostors, who ask for what they should not have. What is not a payment moves no cent. */

let arena: Arena;

beforeAll(async () => {
  arena = await Arena.open();
});

afterAll(async () => {
  await arena[Symbol.asyncDispose]();
});

const RIGHT = { from: 'alice.eur', to: 'bob.eur', amount: '1.00', currency: 'EUR' };
const json = (changes: Record<string, unknown>): string => JSON.stringify({ ...RIGHT, ...changes });
const authenticated = (): Promise<Session> => Session.authenticated(arena.port, arena.credentials);

/** Sends one document and CLOSE; the reaction to it. */
async function ask(body: Uint8Array | string, contentType = TRANSFER): Promise<string[]> {
  const session = await authenticated();
  return session.transact(body, randomBytes(16), contentType).send(INNER.CLOSE).reaction();
}

const MALFORMED: readonly (readonly [what: string, body: Uint8Array | string])[] = [
  ['nothing', ''],
  ['an empty object', '{}'],
  ['an array', '[]'],
  ['a number', '1'],
  ['null', 'null'],
  ['JSON cut short', json({}).slice(0, -1)],
  ['JSON and more', `${json({})}{}`],
  ['a trailing comma', json({}).replace('}', ',}')],
  ['a comment', `/* */${json({})}`],
  ['a byte order mark', `\ufeff${json({})}`],
  ['UTF-16', Buffer.from(json({}), 'utf16le')],
  ['invalid UTF-8', Buffer.concat([Buffer.from('{"from":"'), Buffer.of(0xc3, 0x28), Buffer.from('"}')])],
  ['an overlong slash in UTF-8', Buffer.concat([Buffer.from('{"from":"'), Buffer.of(0xc0, 0xaf), Buffer.from('"}')])],
  ['a lone surrogate', json({}).replace('alice.eur', '\\ud800')],
  ['a raw NUL', json({}).replace('alice', 'ali\0ce')],
  ['an escaped NUL', json({}).replace('alice', 'ali\\u0000ce')],
  ['__proto__', json({}).replace('{', '{"__proto__":{"amount":"9.00"},')],
  ['constructor', json({ constructor: 'x' })],
  ['a member nobody knows', json({ note: 'x' })],
  ['a member twice', json({}).replace('{', '{"amount":"9.00",')],
  ['a member twice, once escaped', json({}).replace('{', '{"\\u0061mount":"9.00",')],
  ['a thousand levels', `${'{"a":'.repeat(1000)}1${'}'.repeat(1000)}`],
  ['a negative amount', json({ amount: '-1.00' })],
  ['a positive sign', json({ amount: '+1.00' })],
  ['an amount as a number', json({ amount: 1 })],
  ['an amount with an exponent', json({ amount: '1e2' })],
  ['an amount in hexadecimal', json({ amount: '0x10' })],
  ['an amount with a comma', json({ amount: '1,00' })],
  ['an amount with a space', json({ amount: ' 1.00' })],
  ['a third decimal', json({ amount: '1.001' })],
  ['an amount in Arabic digits', json({ amount: '١.٠٠' })],
  ['NaN', json({ amount: 'NaN' })],
  ['Infinity', json({ amount: 'Infinity' })],
  ['an amount of a thousand digits', json({ amount: `${'9'.repeat(1000)}.00` })],
  ['an empty amount', json({ amount: '' })],
  ['a currency nobody has', json({ currency: 'XYZ' })],
  ['a currency in lower case', json({ currency: 'eur' })],
  ['a currency of two letters', json({ currency: 'EU' })],
  ['a currency that is a member of Object', json({ currency: 'toString' })],
  ['an account with a slash', json({ to: '../bob.eur' })],
  ['an account in upper case', json({ to: 'BOB.EUR' })],
  ['an account of 65 bytes', json({ to: 'b'.repeat(65) })],
  ['an account with SQL in it', json({ to: "bob'; DROP TABLE accounts; --" })],
  ['an account __proto__', json({ to: '__proto__' })],
  ['a reference of 141 bytes', json({ reference: 'x'.repeat(141) })],
  ['a reference with a line break', json({ reference: 'a\nb' })],
];

describe('a document that is none', () => {
  it.each(MALFORMED)('%s is TRANSACTION_MALFORMED', async (_, body) => {
    expectReaction(await ask(body), ['REFUSAL TRANSACTION_MALFORMED', 'CLOSE', 'fin']);
    await arena.unharmed();
  });

  it.each([
    ['nobody processes', 'text/plain'],
    ['differs in case', TRANSFER.toUpperCase()],
    ['has a parameter', `${TRANSFER}; charset=utf-16`],
    ['is a member of Object', 'constructor'],
    ['is __proto__', '__proto__'],
  ])('a content type that %s is TRANSACTION_MALFORMED', async (_, contentType) => {
    expectReaction(await ask(json({}), contentType), ['REFUSAL TRANSACTION_MALFORMED', 'CLOSE', 'fin']);
    await arena.unharmed();
  });
});

describe('a document that asks for too much', () => {
  it.each([
    ['another’s money', json({ from: 'bob.eur', to: 'alice.eur' })],
    ['nothing at all', json({ amount: '0.00' })],
    ['2^63 cents', json({ amount: '92233720368547758.08' })],
    ['more than there is', json({ amount: '92233720368547758.07' })],
    ['an account that is not there', json({ to: 'nobody.eur' })],
    ['another currency than the account’s', json({ currency: 'USD' })],
    ['itself', json({ to: 'alice.eur' })],
    ['the ledger’s own account', json({ from: 'treasury.eur' })],
  ])('%s is a receipt that refuses', async (_, body) => {
    expectReaction(await ask(body), ['RECEIPT 2', 'CLOSE', 'fin']);
    await arena.unharmed();
  });

  it.each([
    ['a stranger’s history', 'application/vnd.sallyport.history+json', '{"account":"bob.eur"}'],
    ['a history of no account', 'application/vnd.sallyport.history+json', '{"account":"__proto__"}'],
    ['a page of a million', 'application/vnd.sallyport.history+json', '{"account":"alice.eur","limit":1000000}'],
    ['a page of -1', 'application/vnd.sallyport.history+json', '{"account":"alice.eur","limit":-1}'],
    ['a page before no number', 'application/vnd.sallyport.history+json', '{"account":"alice.eur","before":"x"}'],
    ['balances with a wish', 'application/vnd.sallyport.balances+json', '{"customer":"bob"}'],
    ['what nobody answers', 'text/plain', '{}'],
  ])('the question for %s is answered with a status', async (_, contentType, body) => {
    const session = await authenticated();
    session.send(INNER.QUERY, encodeDocument(randomBytes(4), contentType, body)).send(INNER.CLOSE);
    expectReaction(await session.reaction(), ['ANSWER 11', 'CLOSE', 'fin']);
    await arena.unharmed();
  });
});

describe('one transaction id', () => {
  it('fifty times at once, in ten sessions: one effect, one receipt, byte for byte', async () => {
    const id = randomBytes(16);
    const sessions = await Promise.all(Array.from({ length: 10 }, authenticated));
    const receipts = await Promise.all(
      sessions.map(async (session) => {
        for (let count = 0; count < 5; count++) session.transact(json({}), id);
        const contents: string[] = [];
        for (let count = 0; count < 5; count++) {
          const inner = session.in.open((await session.link.frame())!)!;
          expect(inner.type).toBe(INNER.RECEIPT);
          contents.push(inner.content.toString('hex'));
        }
        session.send(INNER.CLOSE);
        expectReaction(await session.reaction(), ['CLOSE', 'fin']);
        return contents;
      }),
    );
    expect(new Set(receipts.flat()).size).toBe(1);
    await arena.unharmed(1_00n);
  });

  it('with another body, amount or content type is a conflict, and with the first one its receipt', async () => {
    const id = randomBytes(16);
    const session = await authenticated();
    session
      .transact(json({}), id)
      .transact(json({ amount: '2.00' }), id)
      .transact(` ${json({})}`, id);
    session.transact(json({}), id, 'text/plain').transact(json({}), id).send(INNER.CLOSE);
    const conflict = 'REFUSAL IDEMPOTENCY_CONFLICT';
    expectReaction(await session.reaction(), ['RECEIPT 1', conflict, conflict, conflict, 'RECEIPT 1', 'CLOSE', 'fin']);
    await arena.unharmed(1_00n);
  });

  it('of a document that was refused as malformed is free again', async () => {
    const id = randomBytes(16);
    const session = await authenticated();
    session.transact('{}', id).transact(json({}), id).send(INNER.CLOSE);
    expectReaction(await session.reaction(), ['REFUSAL TRANSACTION_MALFORMED', 'RECEIPT 1', 'CLOSE', 'fin']);
    await arena.unharmed(1_00n);
  });

  it('is each customer’s own', async () => {
    const id = randomBytes(16);
    const bob = await arena.stage.enroll('robert', 5_00n);
    const [one, other] = await Promise.all([
      authenticated(),
      Session.authenticated(arena.port, { customerId: 'robert', profile: bob.profile, credential: bob.credential }),
    ]);
    one.transact(json({}), id).send(INNER.CLOSE);
    other.transact(json({ from: 'robert.eur' }), id).send(INNER.CLOSE);
    expectReaction(await one.reaction(), ['RECEIPT 1', 'CLOSE', 'fin']);
    expectReaction(await other.reaction(), ['RECEIPT 1', 'CLOSE', 'fin']);
    await arena.unharmed(2_00n);
  });

  it('gives the same receipt after a restart', async () => {
    const id = randomBytes(16);
    const receipt = async (): Promise<Buffer> => {
      const session = await authenticated();
      session.transact(json({}), id);
      const { content } = session.in.open((await session.link.frame())!)!;
      session.send(INNER.CLOSE);
      expectReaction(await session.reaction(), ['CLOSE', 'fin']);
      return content;
    };
    const first = await receipt();
    await arena.stage.restart();
    expect(await receipt()).toEqual(first);
    await arena.unharmed(1_00n);
  });
});

describe('an identity that was not verified', () => {
  const credentials = () => arena.credentials;
  const IMPOSTORS: readonly (readonly [string, () => ReturnType<typeof credentials>])[] = [
    ['nobody', () => ({ ...credentials(), customerId: 'nobody' })],
    ['Alice with another credential', () => ({ ...credentials(), credential: randomBytes(32) })],
    [
      'Alice born on another day',
      () => ({ ...credentials(), profile: { ...credentials().profile, born: '1990-02-01' } }),
    ],
    ['Alice with no profile', () => ({ ...credentials(), profile: {} })],
    ['Alice with one field more', () => ({ ...credentials(), profile: { ...credentials().profile, zip: '1' } })],
    ['bob with what Alice knows', () => ({ ...credentials(), customerId: 'bob' })],
  ];

  it.each(IMPOSTORS)(
    '%s gets the same bytes as any other, and the payments sent ahead are not looked at',
    async (_, who) => {
      const session = await Session.claim(await openSession(arena.port), {}, (flight) => {
        flight.authenticate(who());
        for (let count = 0; count < 20; count++) flight.transact(json({}));
        flight.send(INNER.CLOSE);
      });
      expectReaction(await session.reaction(), ['FINISHED', 'AUTH_RESULT 9', 'CLOSE', 'fin']);
      await arena.unharmed();
    },
  );

  it('and goes on sending is cut off after its time', async () => {
    await using hasty = await Arena.open({ 'linger-timeout-ms': 150 });
    const session = await Session.claim(await openSession(hasty.port));
    session.authenticate({ ...hasty.credentials, customerId: 'nobody' });
    expect([await session.next(), await session.next(), await session.next()]).toEqual([
      'FINISHED',
      'AUTH_RESULT 9',
      'CLOSE',
    ]);
    await hasty.unharmed();
  });
});

describe('more than a session may ask', () => {
  it('the 1,001st transaction is LIMIT, and a thousand were answered', async () => {
    const session = await authenticated();
    for (let count = 0; count < 1_001; count++) session.transact('{}');
    const lines = await session.reaction();
    expect(lines.filter((line) => line === 'REFUSAL TRANSACTION_MALFORMED').length).toBeGreaterThanOrEqual(1_000 - 64);
    expect(lines.slice(-2)).toEqual(['record ERROR LIMIT', 'fin']);
    await arena.unharmed();
  });

  it('a refusal names no byte of the document that could be a control character', async () => {
    const session = await authenticated();
    session.transact(json({ to: '\u001b[2J\u0007' }));
    const { type, content } = session.in.open((await session.link.frame())!)!;
    expect(type).toBe(INNER.REFUSAL);
    expect(decodeRefusal(content).text).toMatch(/^[^\p{Cc}]+$/u);
    session.link.reset();
    await arena.unharmed();
  });
});
