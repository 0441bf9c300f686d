import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodeAuth, encodeDocument } from '../interop/peer-inner.ts';
import { FRAME, frameHeader, INNER, len8, len16, u8 } from '../interop/peer-wire.ts';
import { Arena, expectReaction } from './arena.ts';
import { customerKey, openSession, Session } from './attacker.ts';
import { RawLink } from './raw-link.ts';

/** Records altered, moved, forged and malformed: what does not decrypt ends the connection without a word and without an effect. */

let arena: Arena;

beforeAll(async () => {
  arena = await Arena.open();
});

afterAll(async () => {
  await arena[Symbol.asyncDispose]();
});

const EMPTY = new Uint8Array(0);
const authenticated = (): Promise<Session> => Session.authenticated(arena.port, arena.credentials);
const payment = (amount = '1.00'): string =>
  JSON.stringify({ from: 'alice.eur', to: 'bob.eur', amount, currency: 'EUR' });
const document = (body: Uint8Array | string = payment()): Buffer =>
  encodeDocument(randomBytes(16), 'application/vnd.sallyport.transfer+json', body);

describe('a record that was tampered with', () => {
  it('ends without a word, whichever of its bits was flipped', { timeout: 120_000 }, async () => {
    // A CLOSE is the smallest record: header 4, ciphertext 64, tag 16 bytes. Two of the header's bits choose another refusal.
    const bits = Array.from({ length: 84 * 8 }, (_, bit) => bit);
    const reactions = new Map<string, number>();
    while (bits.length > 0) {
      const some = bits.splice(0, 12);
      const lines = await Promise.all(
        some.map(async (bit) => {
          const session = await authenticated();
          const record = session.out.seal(INNER.CLOSE, EMPTY);
          record[bit >> 3]! ^= 0x80 >> (bit & 7);
          session.link.write(record).finish();
          return (await session.reaction()).slice(0, -1).join();
        }),
      );
      for (const line of lines) reactions.set(line, (reactions.get(line) ?? 0) + 1);
    }
    // Type: 8 bits; length: the bits that leave it no length of a record. Version: 8 bits. The length bits 6 to 15 that lengthen the
    // record leave it incomplete; 64 -> 0 is a length below the least.
    expect(reactions.get('record ERROR UNSUPPORTED_VERSION')).toBe(8);
    expect(reactions.get('record ERROR BAD_FRAME')).toBe(8 + 7);
    expect(reactions.get('')).toBe(84 * 8 - 8 - 8 - 7);
    expect(reactions.size).toBe(3);
    await arena.unharmed();
  });

  const ORDERS: readonly (readonly [
    string,
    (records: readonly Buffer[]) => readonly Buffer[],
    readonly string[],
    bigint,
  ])[] = [
    ['two swapped', ([a, b]) => [b!, a!], ['closed'], 0n],
    ['the first dropped', ([, b]) => [b!], ['closed'], 0n],
    ['the first repeated: it takes effect once', ([a, b]) => [a!, a!, b!], ['closed'], 1_00n],
    ['one cut short and the next behind it', ([a, b]) => [a!.subarray(0, -1), b!], ['closed'], 0n],
    ['the tag alone cut off, its length put right', ([a]) => [relabelled(a!.subarray(0, -64))], ['closed'], 0n],
  ];

  it.each(ORDERS)('%s', async (_, order, expected, takenCents) => {
    const session = await authenticated();
    const records = [session.out.seal(INNER.TRANSACTION, document()), session.out.seal(INNER.TRANSACTION, document())];
    session.link.write(...order(records));
    session.link.finish();
    expectReaction(await session.reaction(), expected);
    await arena.unharmed(takenCents);
  });

  it('reflected: the server’s own record back to it', async () => {
    const session = await Session.claim(await openSession(arena.port));
    const finished = await session.link.frame();
    expectReaction(await session.link.write(finished!).reaction(), ['closed']);
    await arena.unharmed();
  });

  it('of another session of the same customer', async () => {
    const [one, other] = await Promise.all([authenticated(), authenticated()]);
    one.link.write(other.out.seal(INNER.TRANSACTION, document()));
    expectReaction(await one.reaction(), ['closed']);
    other.link.reset();
    await arena.unharmed();
  });

  it('random bytes in the shape of a record', async () => {
    const session = await authenticated();
    session.link.write(frameHeader(FRAME.RECORD, 144), randomBytes(144));
    expectReaction(await session.reaction(), ['closed']);
    await arena.unharmed();
  });
});

function relabelled(record: Buffer): Buffer {
  const changed = Buffer.from(record);
  changed.writeUInt16BE(changed.length - 4, 2);
  return changed;
}

describe('the frame of a record', () => {
  it.each([
    ['length 0', 0],
    ['length 1', 1],
    ['length 79', 79],
    ['length 81, no multiple of 64 and a tag', 81],
    ['length 65487', 65_487],
    ['length 65535', 65_535],
  ])('%s is BAD_FRAME', async (_, length) => {
    const session = await authenticated();
    session.link.write(frameHeader(FRAME.RECORD, length));
    expectReaction(await session.reaction(), ['record ERROR BAD_FRAME', 'fin']);
    await arena.unharmed();
  });

  it.each([
    ['a HELLO', FRAME.HELLO, 100],
    ['an OFFER', FRAME.OFFER, 1000],
    ['a CUSTOMER_KEY', FRAME.CUSTOMER_KEY, 370],
    ['a plain ERROR', FRAME.ERROR, 5],
  ])('%s among records is BAD_FRAME', async (_, type, length) => {
    const session = await authenticated();
    session.link.write(frameHeader(type, length), Buffer.alloc(length));
    expectReaction(await session.reaction(), ['record ERROR BAD_FRAME', 'fin']);
    await arena.unharmed();
  });
});

describe('what is inside a record', () => {
  it.each([
    ['nothing but zeros', () => Buffer.alloc(64)],
    ['64 zeros behind the inner type', () => Buffer.concat([u8(INNER.CLOSE), Buffer.alloc(127)])],
    ['the greatest plaintext, all zeros', () => Buffer.alloc(65_472)],
    ['an unknown inner type', () => padded(u8(0x7f))],
    ['inner type 1', () => padded(u8(0x01))],
    ['a second AUTH', () => padded(authContent(), INNER.AUTH)],
    ['FINISHED', () => padded(randomBytes(32), INNER.FINISHED)],
    ['AUTH_RESULT', () => padded(u8(0), INNER.AUTH_RESULT)],
    ['RECEIPT', () => padded(randomBytes(200), INNER.RECEIPT)],
    ['REFUSAL', () => padded(randomBytes(23), INNER.REFUSAL)],
    ['ANSWER', () => padded(randomBytes(23), INNER.ANSWER)],
    ['ERROR', () => padded(Buffer.alloc(5, 1), INNER.ERROR)],
    ['CLOSE with content', () => padded(u8(1), INNER.CLOSE)],
    ['an empty TRANSACTION', () => padded(EMPTY, INNER.TRANSACTION)],
    ['a TRANSACTION of an id alone', () => padded(randomBytes(16), INNER.TRANSACTION)],
    ['a TRANSACTION with a byte too many', () => padded(Buffer.concat([document(), u8(1)]), INNER.TRANSACTION)],
    ['a TRANSACTION with a byte too few', () => padded(document().subarray(0, -1), INNER.TRANSACTION)],
    ['a content type of no byte', () => padded(typed(''), INNER.TRANSACTION)],
    ['a content type with NUL', () => padded(typed('text/\0plain'), INNER.TRANSACTION)],
    ['a content type with a line break', () => padded(typed('text/plain\r\nX: y'), INNER.TRANSACTION)],
    ['a content type beyond ASCII', () => padded(typed(Buffer.from('text/plaïn')), INNER.TRANSACTION)],
    ['an empty QUERY', () => padded(EMPTY, INNER.QUERY)],
  ])('%s is BAD_FRAME', async (_, plaintext) => {
    const session = await authenticated();
    session.link.write(session.out.sealPlaintext(plaintext()));
    expectReaction(await session.reaction(), ['record ERROR BAD_FRAME', 'fin']);
    await arena.unharmed();
  });

  it.each([
    ['a content type of 129 bytes', () => padded(typed('x'.repeat(129)), INNER.TRANSACTION)],
    ['a document one byte above its most', () => padded(document(Buffer.alloc(61_441)), INNER.TRANSACTION)],
    ['a question one byte above its most', () => padded(question(4_097), INNER.QUERY)],
    ['a question that says 65535 bytes', () => padded(question(65_000), INNER.QUERY)],
  ])('%s is TOO_LARGE', async (_, plaintext) => {
    const session = await authenticated();
    session.link.write(session.out.sealPlaintext(plaintext()));
    expectReaction(await session.reaction(), ['record ERROR TOO_LARGE', 'fin']);
    await arena.unharmed();
  });

  it('a flood of records with nothing inside ends at the first', async () => {
    const session = await authenticated();
    const flood = Array.from({ length: 500 }, () => session.out.sealPlaintext(Buffer.alloc(64)));
    session.link.write(...flood);
    expectReaction(await session.reaction(), ['record ERROR BAD_FRAME', 'fin']);
    await arena.unharmed();
  });
});

describe('the first record', () => {
  const early: readonly (readonly [string, number, () => Uint8Array, string])[] = [
    ['a TRANSACTION', INNER.TRANSACTION, document, 'NOT_AUTHENTICATED'],
    ['a QUERY', INNER.QUERY, () => question(2), 'NOT_AUTHENTICATED'],
    ['CLOSE', INNER.CLOSE, () => EMPTY, 'NOT_AUTHENTICATED'],
    ['AUTH_RESULT, verified', INNER.AUTH_RESULT, () => u8(0), 'NOT_AUTHENTICATED'],
    ['an empty AUTH', INNER.AUTH, () => EMPTY, 'BAD_FRAME'],
    ['an AUTH for nobody', INNER.AUTH, () => encodeAuth('', {}, randomBytes(32)), 'BAD_FRAME'],
    ['an AUTH for ../etc/passwd', INNER.AUTH, () => encodeAuth('../etc/passwd', {}, randomBytes(32)), 'BAD_FRAME'],
    ['an AUTH for __proto__', INNER.AUTH, () => encodeAuth('__proto__', {}, randomBytes(32)), 'BAD_FRAME'],
    ['an AUTH for Alice', INNER.AUTH, () => encodeAuth('Alice', {}, randomBytes(32)), 'BAD_FRAME'],
    ['an AUTH with NUL in its name', INNER.AUTH, () => encodeAuth('ali\0ce', {}, randomBytes(32)), 'BAD_FRAME'],
    [
      'an AUTH with invalid UTF-8 in its name',
      INNER.AUTH,
      () => authOf([u8(2), Buffer.of(0xc3, 0x28), u8(0), randomBytes(32)]),
      'BAD_FRAME',
    ],
    ['an AUTH with a name of 65 bytes', INNER.AUTH, () => encodeAuth('a'.repeat(65), {}, randomBytes(32)), 'TOO_LARGE'],
    ['an AUTH with 17 fields', INNER.AUTH, () => encodeAuth('alice', fields(17), randomBytes(32)), 'TOO_LARGE'],
    [
      'an AUTH with a value of 257 bytes',
      INNER.AUTH,
      () => encodeAuth('alice', { email: Buffer.alloc(257) }, randomBytes(32)),
      'TOO_LARGE',
    ],
    [
      'an AUTH with a tag of 33 bytes',
      INNER.AUTH,
      () => encodeAuth('alice', { ['t'.repeat(33)]: 'x' }, randomBytes(32)),
      'TOO_LARGE',
    ],
    [
      'an AUTH with a tag __proto__',
      INNER.AUTH,
      () => authOf([len8('alice'), u8(1), len8('__proto__'), len16('x'), randomBytes(32)]),
      'BAD_FRAME',
    ],
    [
      'an AUTH with tags out of order',
      INNER.AUTH,
      () => authOf([len8('alice'), u8(2), len8('b'), len16('x'), len8('a'), len16('x'), randomBytes(32)]),
      'BAD_FRAME',
    ],
    [
      'an AUTH with a tag twice',
      INNER.AUTH,
      () => authOf([len8('alice'), u8(2), len8('a'), len16('x'), len8('a'), len16('x'), randomBytes(32)]),
      'BAD_FRAME',
    ],
    ['an AUTH with a credential of 31 bytes', INNER.AUTH, () => encodeAuth('alice', {}, randomBytes(31)), 'BAD_FRAME'],
    ['an AUTH with a credential of 33 bytes', INNER.AUTH, () => encodeAuth('alice', {}, randomBytes(33)), 'BAD_FRAME'],
  ];

  it.each(early)('%s', async (_, type, content, code) => {
    const session = await Session.claim(await openSession(arena.port));
    session.send(type, content());
    expectReaction(await session.reaction(), ['FINISHED', `record ERROR ${code}`, 'fin']);
    await arena.unharmed();
  });

  it('made with the server’s keys is nothing', async () => {
    const opening = await openSession(arena.port);
    const { frame, keys } = customerKey(opening);
    const wrong = new Session(opening, await RawLink.to(opening.offer.secondPort), { ...keys, customer: keys.server });
    wrong.link.write(frame);
    expect(await wrong.next()).toBe('FINISHED');
    wrong.authenticate(arena.credentials);
    expectReaction(await wrong.reaction(), ['closed']);
    await arena.unharmed();
  });
});

function padded(content: Uint8Array, type?: number): Buffer {
  const inner = type === undefined ? Buffer.from(content) : Buffer.concat([content, u8(type)]);
  const plaintext = Buffer.alloc(Math.ceil(inner.length / 64) * 64);
  inner.copy(plaintext);
  return plaintext;
}

const authContent = (): Buffer => encodeAuth('alice', {}, randomBytes(32));
const authOf = (parts: readonly Uint8Array[]): Buffer => Buffer.concat(parts);
const typed = (contentType: string | Uint8Array): Buffer =>
  Buffer.concat([randomBytes(16), len8(contentType), len16('{}')]);
const question = (bytes: number): Buffer =>
  encodeDocument(randomBytes(4), 'application/vnd.sallyport.balances+json', Buffer.alloc(bytes, 0x20));
const fields = (count: number): Record<string, string> =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`t${index}`, 'x']));
