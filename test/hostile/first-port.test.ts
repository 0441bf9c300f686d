import { createHash, randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { type Hello, INNER, u8, u16 } from '../interop/peer-wire.ts';
import { Arena, expectReaction } from './arena.ts';
import { openSession, prepareHello, Session } from './attacker.ts';
import { RawLink } from './raw-link.ts';

/** Strangers at the first port: whatever they send, one word comes back and nothing stays behind. */

let arena: Arena;

beforeAll(async () => {
  arena = await Arena.open();
});

afterAll(async () => {
  await arena[Symbol.asyncDispose]();
});

const BAD_FRAME = ['plain ERROR BAD_FRAME', 'fin'];
const OTHER_VERSION = ['plain ERROR UNSUPPORTED_VERSION', 'fin'];
const NOTHING_IN_COMMON = ['plain ERROR NO_COMMON_PARAMETERS', 'fin'];

const text = (value: string): Buffer => Buffer.from(value, 'latin1');
const header = (type: number, length: number, version = 1): Buffer =>
  Buffer.concat([u8(type), u8(version), u16(length)]);
const hello = (changes: Partial<Hello> = {}): Buffer => prepareHello(changes).frame;
const kemKey = (length: number): Partial<Hello> => ({ kemKey: randomBytes(length) });

/** Noise that is the same in every run, with the version byte of this protocol. */
function noise(length: number, seed: string): Buffer {
  const blocks = Array.from({ length: Math.ceil(length / 32) }, (_, index) =>
    createHash('sha256').update(`${seed}${index}`).digest(),
  );
  const bytes = Buffer.concat(blocks).subarray(0, length);
  bytes[1] = 0x01;
  return bytes;
}

/** A HELLO whose body was altered, its length put right again. */
function altered(change: (body: Buffer) => Buffer): Buffer {
  const body = change(Buffer.from(hello().subarray(4)));
  return Buffer.concat([header(1, body.length), body]);
}

const CASES: readonly (readonly [what: string, bytes: () => Buffer, expected: readonly string[]])[] = [
  // Headers.
  ['a HELLO of length 0', () => header(1, 0), BAD_FRAME],
  ['a HELLO of length 1', () => header(1, 1), BAD_FRAME],
  ['a HELLO one byte below its least length', () => header(1, 80), BAD_FRAME],
  ['a HELLO one byte above its greatest length', () => header(1, 1459), BAD_FRAME],
  ['a HELLO of length 65535', () => header(1, 65_535), BAD_FRAME],
  ['type 0', () => header(0, 81), BAD_FRAME],
  ['RETRY, which only the server sends', () => header(2, 40), BAD_FRAME],
  ['OFFER, which only the server sends', () => header(3, 2000), BAD_FRAME],
  ['CUSTOMER_KEY at the wrong port', () => header(4, 370), BAD_FRAME],
  ['RECORD at the wrong port', () => header(5, 80), BAD_FRAME],
  ['ERROR, which only the server sends', () => Buffer.concat([header(6, 5), Buffer.alloc(5)]), BAD_FRAME],
  ['type 255', () => header(255, 81), BAD_FRAME],
  ['version 0', () => header(1, 81, 0), OTHER_VERSION],
  ['version 2', () => header(1, 81, 2), OTHER_VERSION],
  ['version 255', () => header(1, 81, 255), OTHER_VERSION],
  // Other protocols.
  ['an HTTP request', () => text('GET / HTTP/1.1\r\nHost: sallyport\r\n\r\n'), OTHER_VERSION],
  [
    'a TLS 1.3 ClientHello',
    () => Buffer.concat([text('\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'), noise(500, 'tls')]),
    OTHER_VERSION,
  ],
  ['an SSH banner', () => text('SSH-2.0-OpenSSH_9.9\r\n'), OTHER_VERSION],
  ['a PROXY header', () => text('PROXY TCP4 192.0.2.1 192.0.2.2 5000 7919\r\n'), OTHER_VERSION],
  ['a thousand zeros', () => Buffer.alloc(1000), OTHER_VERSION],
  ['noise', () => noise(4096, 'first'), BAD_FRAME],
  ['a HELLO full of noise', () => Buffer.concat([header(1, 1458), noise(1458, 'body')]), BAD_FRAME],
  // What follows a HELLO.
  ['two HELLOs', () => Buffer.concat([hello(), hello()]), BAD_FRAME],
  ['the same HELLO twice', () => Buffer.concat(Array(2).fill(hello())), BAD_FRAME],
  ['a byte behind HELLO', () => Buffer.concat([hello(), u8(0)]), BAD_FRAME],
  [
    'a CUSTOMER_KEY pipelined behind HELLO',
    () => Buffer.concat([hello(), header(4, 370), randomBytes(370)]),
    BAD_FRAME,
  ],
  // Fields.
  ['no version', () => hello({ versions: [] }), BAD_FRAME],
  ['no group', () => hello({ groups: [] }), BAD_FRAME],
  ['a group twice', () => hello({ groups: [0x0100, 0x0100] }), BAD_FRAME],
  ['nine groups', () => hello({ groups: [1, 2, 3, 4, 5, 6, 7, 8, 0x0100] }), BAD_FRAME],
  ['no cipher', () => hello({ aeads: [] }), BAD_FRAME],
  ['ML-KEM without a key', () => hello({ kemKey: Buffer.alloc(0) }), BAD_FRAME],
  ['a key without ML-KEM', () => hello({ kems: [0x0000] }), BAD_FRAME],
  ['an ML-KEM key one byte short', () => hello(kemKey(1183)), BAD_FRAME],
  ['an ML-KEM key one byte long', () => hello(kemKey(1185)), BAD_FRAME],
  ['a host key hint of 7 bytes', () => hello({ hostKeyHint: randomBytes(7) }), BAD_FRAME],
  ['a host key hint of 9 bytes', () => hello({ hostKeyHint: randomBytes(9) }), BAD_FRAME],
  ['a cookie of 129 bytes', () => hello({ cookie: randomBytes(129) }), BAD_FRAME],
  ['a puzzle solution of 7 bytes', () => hello({ puzzleSolution: randomBytes(7) }), BAD_FRAME],
  ['a byte too many inside', () => altered((body) => Buffer.concat([body, u8(0)])), BAD_FRAME],
  ['a byte too few inside', () => altered((body) => body.subarray(0, -1)), BAD_FRAME],
  [
    'an ML-KEM key of 0xff: no number below q',
    () => hello({ kemKey: Buffer.alloc(1184, 0xff) }),
    ['plain ERROR KEY_EXCHANGE_FAILED', 'fin'],
  ],
  ['a cookie that nobody gave', () => hello({ cookie: randomBytes(32) }), ['plain ERROR BAD_COOKIE', 'fin']],
  ['a cookie of one byte', () => hello({ cookie: u8(7) }), ['plain ERROR BAD_COOKIE', 'fin']],
  // Lists of strangers.
  ['a version of the future alone', () => hello({ versions: [0x02] }), NOTHING_IN_COMMON],
  ['x25519 alone', () => hello({ groups: [0x001d] }), NOTHING_IN_COMMON],
  ['ffdhe8192 alone', () => hello({ groups: [0x0104] }), NOTHING_IN_COMMON],
  ['ML-KEM-512 alone', () => hello({ kems: [0x0200], kemKey: Buffer.alloc(0) }), NOTHING_IN_COMMON],
  ['AES-128-CCM-8 alone', () => hello({ aeads: [0x0012] }), NOTHING_IN_COMMON],
];

describe('at the first port', () => {
  it.each(CASES)('%s', async (_, bytes, expected) => {
    const link = await RawLink.to(arena.port);
    expectReaction(await link.write(bytes()).reaction(), expected);
    await arena.unharmed();
  });

  it('a FIN before a byte, and inside HELLO, is an end without a word', async () => {
    for (const bytes of [Buffer.alloc(0), hello().subarray(0, 3), hello().subarray(0, 700)]) {
      const link = await RawLink.to(arena.port);
      expectReaction(await link.write(bytes).finish().reaction(), ['closed']);
    }
    await arena.unharmed();
  });

  it('a reset before a byte, inside HELLO and right behind it leaves nothing', async () => {
    const whole = hello();
    for (const bytes of [Buffer.alloc(0), whole.subarray(0, 3), whole.subarray(0, 700)]) {
      const link = await RawLink.to(arena.port);
      link.write(bytes).reset();
    }
    await arena.unharmed();
  });

  it('ten megabytes behind a refused header are thrown away, and the refusal still arrives', async () => {
    const link = await RawLink.to(arena.port);
    link.write(header(1, 65_535), Buffer.alloc(10 * 1024 * 1024));
    expectReaction(await link.reaction(), BAD_FRAME);
    await arena.unharmed();
  });

  it('a HELLO one byte at a time, its direction closed behind it, gets its OFFER', async () => {
    const prepared = prepareHello();
    const link = await RawLink.to(arena.port);
    for (const byte of prepared.frame) link.write(u8(byte));
    expectReaction(await link.finish().reaction(), ['OFFER', 'fin']);
    // Nobody comes for that lease: it ends by itself.
    await arena.unharmed();
  });

  it('bytes behind the OFFER meet a closed connection, and the lease is the customer’s all the same', async () => {
    const opening = await openSession(arena.port, {}, randomBytes(1024 * 1024));
    const session = await Session.claim(opening, {}, (flight) =>
      flight.authenticate(arena.credentials).send(INNER.CLOSE),
    );
    expectReaction(await session.reaction(), ['FINISHED', 'AUTH_RESULT 0', 'CLOSE', 'fin']);
    await arena.unharmed();
  });

  it('a kem key with one bit flipped gives an OFFER whose keys do not agree', async () => {
    const flipped = Buffer.from(prepareHello().hello.kemKey);
    flipped[600]! ^= 1;
    const session = await Session.claim(await openSession(arena.port, { kemKey: flipped }));
    expectReaction(await session.reaction(), ['plain ERROR KEY_EXCHANGE_FAILED', 'fin']);
    await arena.unharmed();
  });
});

describe('a first port with little patience', () => {
  it.each([
    ['says nothing', [] as Buffer[]],
    ['says half a HELLO', [hello().subarray(0, 600)]],
  ])('tells TIMEOUT to one who %s', async (_, writes) => {
    await using hasty = await Arena.open({ 'hello-timeout-ms': 150 });
    const link = await RawLink.to(hasty.port);
    expectReaction(await link.write(...writes).reaction(), ['plain ERROR TIMEOUT', 'fin']);
    await hasty.unharmed();
  });

  it('counts from the accept, however a HELLO drips', async () => {
    await using hasty = await Arena.open({ 'hello-timeout-ms': 200 });
    const link = await RawLink.to(hasty.port);
    const bytes = [...hello()];
    const dripping = setInterval(() => {
      const byte = bytes.shift();
      if (byte !== undefined) link.write(u8(byte));
    }, 10);
    try {
      expectReaction(await link.reaction(), ['plain ERROR TIMEOUT', 'fin']);
    } finally {
      clearInterval(dripping);
    }
    await hasty.unharmed();
  });
});
