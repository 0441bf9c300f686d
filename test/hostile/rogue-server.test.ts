import { randomBytes, sign } from 'node:crypto';
import { createServer } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { Customer, type CustomerIdentity, type CustomerPolicy, DEFAULT_POLICY } from '../../src/customer/index.ts';
import type { ErrorCode } from '../../src/errors.ts';
import { GROUPS, toBytes } from '../interop/peer-groups.ts';
import {
  hmac,
  privateKeyOfSeed,
  publicBytes,
  sha256,
  signAlone,
  signOnPath,
  signTogether,
} from '../interop/peer-keys.ts';
import { type PeerServer, type PeerServerOptions, startServer } from '../interop/peer-server.ts';
import {
  CHACHA20_POLY1305,
  decodeOffer,
  encodeOfferUnsigned,
  encodeSignature,
  FRAME,
  frame,
  frameHeader,
  INNER,
  label,
  len16,
  type Offer,
  Reader,
  u8,
} from '../interop/peer-wire.ts';

/**
 * Servers that lie, against the product's customer: it must find each lie, by the name the protocol gives it, before a byte of its profile
 * leaves. The lies are told by the independent peer, signed by the right key wherever the lie is one of a right key's holder.
 */

const CREDENTIAL = new Uint8Array(32).fill(0xc4);
const PROFILE = { email: 'alice@example.com' };
const SEED = new Uint8Array(32).fill(0x5a);
const OTHER_SEED = new Uint8Array(32).fill(0x5b);
const PAYMENT = { from: 'alice.eur', to: 'bob.eur', amount: '1.00', currency: 'EUR' };
const P2048 = toBytes(GROUPS[0]!.p, 256);

const closing: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  await Promise.allSettled(closing.splice(0).map((close) => close()));
});

async function serve(options: Partial<PeerServerOptions> = {}): Promise<PeerServer> {
  const server = await startServer({
    hostKeySeed: SEED,
    customers: { alice: { profile: PROFILE, credential: CREDENTIAL } },
    ...options,
  });
  closing.push(() => server.close());
  return server;
}

function customerOf(
  port: number,
  hostKey: Uint8Array,
  changes: Partial<CustomerIdentity> = {},
  policy: Partial<CustomerPolicy> = {},
): Customer {
  const customer = new Customer(
    {
      customerId: 'alice',
      profile: PROFILE,
      credential: CREDENTIAL,
      server: { host: '127.0.0.1', port },
      hostKey: new Uint8Array(hostKey),
      policy: { ...DEFAULT_POLICY, groups: ['ffdhe2048'], aeads: ['AES-256-GCM'], ...policy },
      ...changes,
    },
    { retryForMs: 0 },
  );
  closing.push(() => customer.close());
  return customer;
}

/** Pays at a server; the code it fails with, and what it had told that server by then. */
async function failure(customer: Customer, server: { readonly steps: readonly string[] }): Promise<ErrorCode> {
  const error = await customer.pay(PAYMENT).then(
    () => expect.fail('a lie was believed'),
    (thrown: { code: ErrorCode }) => thrown,
  );
  expect(server.steps.filter((step) => /AUTH|settled/.test(step))).toEqual([]);
  return error.code;
}

const NO_SIGNATURE = Buffer.alloc(1 + 64);

/** An OFFER that says something else, signed by whoever holds the server's key. */
const says = (changes: Partial<Offer> | ((offer: Offer) => Partial<Offer>)): Partial<PeerServerOptions> => ({
  mutate: (name, bytes) => {
    if (name !== 'OFFER unsigned') return bytes;
    const { offer } = decodeOffer(Buffer.concat([bytes, NO_SIGNATURE]));
    return encodeOfferUnsigned({ ...offer, ...(typeof changes === 'function' ? changes(offer) : changes) });
  },
});

/** An OFFER altered behind its signature. */
const alters = (change: (frame: Buffer) => Buffer): Partial<PeerServerOptions> => ({
  mutate: (name, bytes) => (name === 'OFFER' ? change(bytes) : bytes),
});

function flipped(bytes: Buffer, at: number): Buffer {
  const changed = Buffer.from(bytes);
  changed[at < 0 ? changed.length + at : at]! ^= 1;
  return changed;
}

/** A safe prime that is none: p with two bits changed, so of the right length and with the right first and last bytes. */
const otherPrime = (): Buffer => flipped(flipped(P2048, 100), 101);

const LIES: readonly (readonly [what: string, options: Partial<PeerServerOptions>, code: ErrorCode])[] = [
  ['another p', says({ p: otherPrime() }), 'PARAMETER_MISMATCH'],
  ['p - 2', says({ p: toBytes(GROUPS[0]!.p - 2n, 256) }), 'PARAMETER_MISMATCH'],
  ['the p of ffdhe3072 under the name of ffdhe2048', says({ p: toBytes(GROUPS[1]!.p, 384) }), 'PARAMETER_MISMATCH'],
  ['a huge p', says({ p: Buffer.alloc(512, 0xff) }), 'PARAMETER_MISMATCH'],
  ['a p longer than any', says({ p: Buffer.alloc(1024, 0xff) }), 'BAD_FRAME'],
  ['a p of no byte', says({ p: Buffer.alloc(0) }), 'BAD_FRAME'],
  ['a p of one byte', says({ p: u8(23) }), 'BAD_FRAME'],
  ['another g', says({ g: u8(5) }), 'PARAMETER_MISMATCH'],
  ['g = 1', says({ g: u8(1) }), 'PARAMETER_MISMATCH'],
  ['g = 0', says({ g: u8(0) }), 'PARAMETER_MISMATCH'],
  ['a g of two bytes', says({ g: Buffer.of(0, 2) }), 'BAD_FRAME'],
  ['Ys = 0', says({ ys: Buffer.alloc(256) }), 'KEY_EXCHANGE_FAILED'],
  ['Ys = 1', says({ ys: toBytes(1n, 256) }), 'KEY_EXCHANGE_FAILED'],
  ['Ys = p-1', says({ ys: toBytes(GROUPS[0]!.p - 1n, 256) }), 'KEY_EXCHANGE_FAILED'],
  ['Ys = p', says({ ys: P2048 }), 'KEY_EXCHANGE_FAILED'],
  ['Ys = p+1', says({ ys: toBytes(GROUPS[0]!.p + 1n, 256) }), 'KEY_EXCHANGE_FAILED'],
  ['Ys of all ones', says({ ys: Buffer.alloc(256, 0xff) }), 'KEY_EXCHANGE_FAILED'],
  ['Ys of the length of another group', says({ ys: toBytes(2n, 384) }), 'KEY_EXCHANGE_FAILED'],
  ['Ys stripped of a leading byte', says({ ys: Buffer.alloc(255, 0x11) }), 'BAD_FRAME'],
  ['a group that was not offered', says({ group: 0x0101 }), 'DOWNGRADE'],
  ['a group nobody knows', says({ group: 0xbeef }), 'DOWNGRADE'],
  ['a KEM that was not offered', says({ kem: 0x0000, kemCiphertext: Buffer.alloc(0) }), 'DOWNGRADE'],
  ['a cipher that was not offered', says({ aead: CHACHA20_POLY1305 }), 'DOWNGRADE'],
  ['a version of the future', says({ version: 0x02 }), 'DOWNGRADE'],
  ['an ML-KEM ciphertext of no byte', says({ kemCiphertext: Buffer.alloc(0) }), 'PARAMETER_MISMATCH'],
  [
    'an ML-KEM ciphertext a byte short',
    says(({ kemCiphertext }) => ({ kemCiphertext: kemCiphertext.subarray(1) })),
    'PARAMETER_MISMATCH',
  ],
  ['an ML-KEM ciphertext a byte long', says({ kemCiphertext: randomBytes(1089) }), 'BAD_FRAME'],
  ['second port 0', says({ secondPort: 0 }), 'PARAMETER_MISMATCH'],
  ['second port 22', says({ secondPort: 22 }), 'PARAMETER_MISMATCH'],
  ['second port 1023', says({ secondPort: 1023 }), 'PARAMETER_MISMATCH'],
  ['a second port on another host', says({ secondHost: '192.0.2.1' }), 'PARAMETER_MISMATCH'],
  ['a second host with a space', says({ secondHost: 'a b' }), 'BAD_FRAME'],
  ['a second host with a line break', says({ secondHost: 'a\nb' }), 'BAD_FRAME'],
  ['a signature with a bit flipped', alters((bytes) => flipped(bytes, -1)), 'BAD_OFFER_SIGNATURE'],
  [
    'a signature of zeros',
    alters((bytes) => Buffer.concat([bytes.subarray(0, -64), Buffer.alloc(64)])),
    'BAD_OFFER_SIGNATURE',
  ],
  ['a second port altered on the way', alters((bytes) => flipped(bytes, 4 + 32 + 16 + 7 + 1)), 'BAD_OFFER_SIGNATURE'],
  ['a token altered on the way', alters((bytes) => flipped(bytes, 4 + 32 + 16 + 7 + 2 + 1 + 4)), 'BAD_OFFER_SIGNATURE'],
  [
    'an OFFER cut short',
    alters((bytes) => Buffer.concat([frameHeader(FRAME.OFFER, bytes.length - 5), bytes.subarray(4, -1)])),
    'BAD_FRAME',
  ],
  [
    'an OFFER with a byte too many',
    alters((bytes) => Buffer.concat([frameHeader(FRAME.OFFER, bytes.length - 3), bytes.subarray(4), u8(0)])),
    'BAD_FRAME',
  ],
  ['a RECORD in place of OFFER', alters(() => frame(FRAME.RECORD, Buffer.alloc(80))), 'BAD_FRAME'],
  ['its HELLO back', alters(() => frame(FRAME.HELLO, Buffer.alloc(1300))), 'BAD_FRAME'],
  ['half an OFFER, and an end', alters((bytes) => bytes.subarray(0, 700)), 'TRUNCATED'],
  ['nothing, and an end', alters(() => Buffer.alloc(0)), 'TRUNCATED'],
  ['an error code of nobody', alters(() => frame(FRAME.ERROR, Buffer.of(0xee, 0, 0, 0, 0))), 'BAD_FRAME'],
  ['a puzzle of 32 bits', { retry: { puzzleBits: 32 } }, 'BUSY'],
];

const OTHER_KEY = privateKeyOfSeed(OTHER_SEED);
const ROOT = label('sallyport/1 batch');
const NODE = label('sallyport/1 batch node');
const hashes = (count: number): Buffer[] => Array.from({ length: count }, (_, i) => sha256(u8(i)));
const PATH = hashes(3);

type Sign = NonNullable<PeerServerOptions['sign']>;

/** A right signature on PATH, altered. */
const onPath =
  (change: (bytes: Buffer) => Buffer): Sign =>
  (key, message) =>
    change(signOnPath(key, message, PATH));

/** A right signature, of which other hashes are told. */
const repathed = (change: (path: readonly Uint8Array[]) => readonly Uint8Array[], path = PATH): Sign => {
  return (key, message) => {
    const { ed25519 } = new Reader(signOnPath(key, message, path)).signature();
    return encodeSignature({ path: change(path), ed25519 });
  };
};

/** The right key's signature of what section 3.4 does not say. */
const over =
  (signed: (message: Buffer) => Buffer, path: readonly Uint8Array[] = []): Sign =>
  (key, message) =>
    encodeSignature({ path, ed25519: sign(null, signed(message), key) });

const rooted = (bytes: Buffer): Buffer => Buffer.concat([ROOT, bytes]);

/** The right key's signature of a root whose inner nodes are made otherwise; `lesserFirst`: the two hashes below a node. */
const climbed = (node: (...lesserFirst: Buffer[]) => Buffer): Sign =>
  over((message) => {
    const above = (one: Buffer, other: Buffer): Buffer => node(...[one, other].sort(Buffer.compare));
    return rooted(PATH.reduce((one, other) => above(one, other), sha256(message)));
  }, PATH);

/** `wellFormed`: a signature, but not of this message; else it is none. */
const SIGNATURES: readonly (readonly [what: string, sign: Sign, wellFormed: boolean])[] = [
  ['by another key', (_key, message) => signAlone(OTHER_KEY, message), true],
  ['by another key on a path', (_key, message) => signOnPath(OTHER_KEY, message, PATH), true],
  ['of zeros', (key, message) => Buffer.concat([signAlone(key, message).subarray(0, -64), Buffer.alloc(64)]), true],
  ['of zeros on a path', onPath((bytes) => Buffer.concat([bytes.subarray(0, -64), Buffer.alloc(64)])), true],
  [
    'of zeros whose path is zeros',
    () => encodeSignature({ path: [Buffer.alloc(32)], ed25519: Buffer.alloc(64) }),
    true,
  ],
  ['with a bit flipped in its first hash', onPath((bytes) => flipped(bytes, 1)), true],
  ['with a bit flipped in its last hash', onPath((bytes) => flipped(bytes, 3 * 32)), true],
  ['with a bit flipped behind its path', onPath((bytes) => flipped(bytes, 1 + 3 * 32)), true],
  ['with a hash too many', repathed((path) => [...path, sha256()]), true],
  ['with a hash too many below', repathed((path) => [sha256(), ...path]), true],
  ['with a hash twice', repathed((path) => [...path, path[2]!]), true],
  ['with a hash too few', repathed((path) => path.slice(0, -1)), true],
  ['with a hash too few below', repathed((path) => path.slice(1)), true],
  ['with no path where there was one', repathed(() => []), true],
  ['with its path upside down', repathed((path) => path.toReversed()), true],
  ['with a path where there was none', repathed(() => PATH, []), true],
  ['of another message of its batch', (key, message) => signTogether(key, [message, flipped(message, -1)])[1]!, true],
  [
    'of another message of its batch, further off',
    (key, message) => signTogether(key, [message, PATH[0]!, PATH[1]!, flipped(message, -1), PATH[2]!])[3]!,
    true,
  ],
  ['over the message itself', over((message) => message), true],
  ['over the message under the label of a root', over((message) => rooted(message)), true],
  ['over its hash without a label', over((message) => sha256(message)), true],
  ['over its hash under a node’s label', over((message) => Buffer.concat([NODE, sha256(message)])), true],
  ['whose nodes have the greater hash first', climbed((lesser, greater) => sha256(NODE, greater!, lesser!)), true],
  ['whose nodes have no label', climbed((lesser, greater) => sha256(lesser!, greater!)), true],
  ['whose leaf is hashed twice', over((message) => rooted(sha256(sha256(message)))), true],
  ['of 17 levels', (key, message) => signOnPath(key, message, hashes(17)), false],
  ['whose levels say one more', onPath((bytes) => Buffer.concat([u8(4), bytes.subarray(1)])), false],
  ['whose levels say one less', onPath((bytes) => Buffer.concat([u8(2), bytes.subarray(1)])), false],
  ['whose levels say none', onPath((bytes) => Buffer.concat([u8(0), bytes.subarray(1)])), false],
  ['whose levels say 255', onPath((bytes) => Buffer.concat([u8(255), bytes.subarray(1)])), false],
  ['a byte short', onPath((bytes) => bytes.subarray(0, -1)), false],
  ['a byte long', onPath((bytes) => Buffer.concat([bytes, u8(0)])), false],
  ['without its levels', (key, message) => signAlone(key, message).subarray(1), false],
  ['of no byte', () => Buffer.alloc(0), false],
];

describe('a server that lies in its OFFER', () => {
  it.each(LIES)('with %s', async (_, options, code) => {
    const server = await serve(options);
    expect(await failure(customerOf(server.port, server.hostKey), server)).toBe(code);
    expect(server.steps).not.toContain('claimed');
  });

  it('is believed when its signature, on a path, is right', async () => {
    const server = await serve({ sign: onPath((bytes) => bytes) });
    expect(await customerOf(server.port, server.hostKey).pay(PAYMENT)).toMatchObject({ status: 'committed' });
  });

  it.each(SIGNATURES)('with a signature %s', async (_, signs, wellFormed) => {
    const server = await serve({ sign: signs });
    const code = wellFormed ? 'BAD_OFFER_SIGNATURE' : 'BAD_FRAME';
    expect(await failure(customerOf(server.port, server.hostKey), server)).toBe(code);
    expect(server.steps).not.toContain('claimed');
  });

  it('with a key that is not the pinned one', async () => {
    const server = await serve({ hostKeySeed: OTHER_SEED });
    const pinned = publicBytes(privateKeyOfSeed(SEED));
    expect(await failure(customerOf(server.port, pinned), server)).toBe('HOST_KEY_MISMATCH');
  });

  it('with the pinned key’s name and no hold of it', async () => {
    const pinned = publicBytes(privateKeyOfSeed(SEED));
    const server = await serve({ hostKeySeed: OTHER_SEED, ...says({ hostKey: pinned }) });
    expect(await failure(customerOf(server.port, pinned), server)).toBe('BAD_OFFER_SIGNATURE');
  });

  it('with an old OFFER, rightly signed for another HELLO', async () => {
    const old: Buffer[] = [];
    const honest = await serve({
      mutate: (name, bytes) => {
        if (name === 'OFFER') old.push(bytes);
        return bytes;
      },
    });
    await customerOf(honest.port, honest.hostKey).pay(PAYMENT);
    const server = await serve(alters(() => old[0]!));
    expect(await failure(customerOf(server.port, server.hostKey), server)).toBe('BAD_OFFER_SIGNATURE');
  });

  it('with RETRY for ever', async () => {
    const server = await serve({
      retry: { puzzleBits: 0 },
      mutate: (name, bytes) =>
        name === 'OFFER' ? frame(FRAME.RETRY, Buffer.concat([u8(0), len16(randomBytes(32))])) : bytes,
    });
    expect(await failure(customerOf(server.port, server.hostKey), server)).toBe('BUSY');
  });
});

const LATE_LIES: readonly (readonly [what: string, number: number, (content: Buffer) => Buffer, code: ErrorCode])[] = [
  ['FINISHED with a bit flipped', INNER.FINISHED, (content) => flipped(content, 0), 'KEY_EXCHANGE_FAILED'],
  ['FINISHED cut short', INNER.FINISHED, (content) => content.subarray(1), 'KEY_EXCHANGE_FAILED'],
  ['FINISHED of another session', INNER.FINISHED, () => hmac(sha256(), sha256()), 'KEY_EXCHANGE_FAILED'],
  ['an AUTH_RESULT of nobody', INNER.AUTH_RESULT, () => u8(0x07), 'BAD_FRAME'],
  ['an AUTH_RESULT of two bytes', INNER.AUTH_RESULT, () => Buffer.of(0, 0), 'BAD_FRAME'],
];

const RECEIPT = label('sallyport/1 receipt');

/** An inner message altered before it is sealed. */
const saysInside = (type: number, change: (content: Buffer) => Buffer): Partial<PeerServerOptions> => ({
  mutate: (name, bytes) => (name === `inner ${type}` ? change(bytes) : bytes),
});

/** The payment was sent by then: what is told is that its outcome is unknown, and why. */
async function unknownBecause(options: Partial<PeerServerOptions>): Promise<readonly (ErrorCode | undefined)[]> {
  const server = await serve(options);
  return customerOf(server.port, server.hostKey)
    .pay(PAYMENT)
    .then(
      () => expect.fail('a lie was believed'),
      ({ code, cause }: { code: ErrorCode; cause?: { code?: ErrorCode } }) => [code, cause?.code],
    );
}

describe('a server that lies behind its keys', () => {
  it.each(LATE_LIES)('with %s', async (_, type, change, code) => {
    const told = await unknownBecause(saysInside(type, change));
    expect(told).toEqual(['OUTCOME_UNKNOWN', code]);
  });

  it('with an ML-KEM ciphertext of which it flipped a bit before it signed: the keys differ', async () => {
    const options = says(({ kemCiphertext }) => ({ kemCiphertext: flipped(Buffer.from(kemCiphertext), 500) }));
    expect(await unknownBecause(options)).toEqual(['OUTCOME_UNKNOWN', 'KEY_EXCHANGE_FAILED']);
  });

  it.each([
    ['of another transaction', 0, ['OUTCOME_UNKNOWN', 'BAD_FRAME']],
    ['with outcome 0', 16, ['OUTCOME_UNKNOWN', 'BAD_FRAME']],
    ['with another sequence', 24, ['BAD_RECEIPT', 'BAD_RECEIPT']],
    ['with another time', 32, ['BAD_RECEIPT', 'BAD_RECEIPT']],
    ['of another document', 33, ['BAD_RECEIPT', 'BAD_RECEIPT']],
    ['with another salt', -65 - 8 - 1, ['BAD_RECEIPT', 'BAD_RECEIPT']],
    ['by another key', -65 - 1, ['BAD_RECEIPT', 'BAD_RECEIPT']],
    ['with a bit of its signature flipped', -1, ['BAD_RECEIPT', 'BAD_RECEIPT']],
  ] as const)('with a receipt %s: nothing is taken for paid', async (_, at, expected) => {
    const told = await unknownBecause(saysInside(INNER.RECEIPT, (content) => flipped(content, at)));
    expect(told).toEqual(expected);
  });

  it.each(SIGNATURES)(
    'with a receipt whose signature is one %s: nothing is taken for paid',
    async (_, signs, wellFormed) => {
      const told = await unknownBecause({
        sign: (key, message) => (message.indexOf(RECEIPT) === 0 ? signs : signAlone)(key, message),
      });
      expect(told).toEqual(wellFormed ? ['BAD_RECEIPT', 'BAD_RECEIPT'] : ['OUTCOME_UNKNOWN', 'BAD_FRAME']);
    },
  );
});

describe('a server that is none', () => {
  it.each([
    ['speaks HTTP', 'HTTP/1.1 400 Bad Request\r\n\r\n', 'UNSUPPORTED_VERSION'],
    ['speaks SSH', 'SSH-2.0-OpenSSH_9.9\r\n', 'UNSUPPORTED_VERSION'],
    ['speaks SMTP', '220 mail.example.com ESMTP\r\n', 'UNSUPPORTED_VERSION'],
    ['hangs up', '', 'TRUNCATED'],
    ['resets', undefined, 'TRUNCATED'],
  ])('%s', async (_, greeting, code) => {
    const listener = createServer((socket) => {
      socket.on('error', () => socket.destroy());
      if (greeting === undefined) socket.once('data', () => socket.resetAndDestroy());
      else socket.resume().end(greeting);
    });
    await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
    closing.push(() => new Promise((resolve) => listener.close(resolve)));
    const { port } = listener.address() as { port: number };
    const customer = customerOf(port, publicBytes(privateKeyOfSeed(SEED)));
    expect(await failure(customer, { steps: [] })).toBe(code);
  });
});
