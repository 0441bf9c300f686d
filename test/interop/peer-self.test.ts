/** The two roles of the independent peer against each other, before either meets the product. */
import { hkdfSync, randomBytes } from 'node:crypto';
import { afterEach, describe, expect, it } from 'vitest';
import { type CustomerOptions, type CustomerResult, runCustomer } from './peer-customer.ts';
import { GROUPS, power, toBytes, toInteger } from './peer-groups.ts';
import { type Receipt, receiptIsValid } from './peer-inner.ts';
import {
  hkdfExpand,
  hkdfExtract,
  isSigned,
  keyId,
  privateKeyOfSeed,
  publicBytes,
  RecordDirection,
  signOnPath,
  signTogether,
} from './peer-keys.ts';
import { type PeerServer, type PeerServerOptions, startServer } from './peer-server.ts';
import { FrameSocket } from './peer-socket.ts';
import {
  AES_256_GCM,
  CHACHA20_POLY1305,
  decodeError,
  decodeOffer,
  FRAME,
  frame,
  INNER,
  len16,
  ML_KEM_768,
  NO_KEM,
  PeerError,
  Reader,
} from './peer-wire.ts';

const SEED = Buffer.alloc(32, 0x5a);
const CREDENTIAL = Buffer.alloc(32, 0xc4);
const PROFILE = { email: 'alice@example.org', 'device-key': Buffer.from([0, 1, 2, 255]), name: 'Алиса' };
const TEXT = 'text/plain';
const ZEROS = Buffer.alloc(32);

const servers: PeerServer[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});

async function serve(options: Partial<PeerServerOptions> = {}): Promise<PeerServer> {
  const customers = { alice: { profile: PROFILE, credential: CREDENTIAL } };
  const server = await startServer({ hostKeySeed: SEED, customers, ...options });
  servers.push(server);
  return server;
}

function visit(server: PeerServer, options: Partial<CustomerOptions> = {}): Promise<CustomerResult> {
  return runCustomer({
    host: '127.0.0.1',
    port: server.port,
    pinnedHostKey: server.hostKey,
    customerId: 'alice',
    profile: PROFILE,
    credential: CREDENTIAL,
    ...options,
  });
}

async function reasonOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
  } catch (error) {
    if (error instanceof PeerError) return error.message;
    throw error;
  }
  return 'no error';
}

/** A mutation that flips one bit of the named frame or message, at an offset (from the end when negative). */
function flip(target: string, offset: number): (name: string, bytes: Buffer) => Buffer {
  return (name, bytes) => {
    if (name !== target) return bytes;
    const copy = Buffer.from(bytes);
    copy[offset < 0 ? copy.length + offset : offset]! ^= 0x01;
    return copy;
  };
}

const document = (body: string | Uint8Array, transactionId: Uint8Array = randomBytes(16)) => ({
  transactionId,
  contentType: TEXT,
  body,
});

describe('the ground of the peer', () => {
  it.each(GROUPS)('$name from the formula is a safe prime of the right shape', (group) => {
    const { p, size } = group;
    const hex = p.toString(16);
    expect(hex).toHaveLength(2 * size);
    expect(hex).toMatch(/^f{16}adf85458a2bb4a9a.*f{16}$/);
    const q = p >> 1n;
    // Fermat to base 3 for q. With q prime, 2^q = 1 mod p proves p prime (Pocklington), and that 2 generates the q-subgroup.
    expect(toInteger(power({ ...group, p: q }, 3n, toBytes(q - 1n, size)))).toBe(1n);
    expect(toInteger(power(group, 2n, toBytes(q, size)))).toBe(1n);
    expect(toInteger(power({ ...group, p: q - 2n }, 3n, toBytes(q - 3n, size)))).not.toBe(1n);
  });

  it('powers are those of repeated multiplication', () => {
    const small = { ...GROUPS[0]!, p: 1_000_003n };
    let product = 1n;
    for (let exponent = 0; exponent < 600; exponent += 1) {
      expect(toInteger(power(small, 123_456n, Buffer.of(exponent >> 8, exponent & 0xff)))).toBe(product);
      product = (product * 123_456n) % small.p;
    }
  });

  it('HKDF agrees with node:crypto', () => {
    const [ikm, salt, info] = [randomBytes(416), randomBytes(32), randomBytes(70)];
    for (const length of [12, 32, 77]) {
      const mine = hkdfExpand(hkdfExtract(salt, ikm), info, length);
      expect(mine).toEqual(Buffer.from(hkdfSync('sha256', ikm, salt, info, length)));
    }
  });

  it.each([AES_256_GCM, CHACHA20_POLY1305])(
    'records of AEAD %i carry every length and refuse wrong padding',
    (aead) => {
      const keys = { key: randomBytes(32), iv: randomBytes(12) };
      const [out, into] = [new RecordDirection(aead, keys), new RecordDirection(aead, keys)];
      for (const size of [0, 1, 62, 63, 64, 127, 128, 65471]) {
        const content = randomBytes(size);
        const record = out.seal(INNER.QUERY, content);
        expect((record.length - 4 - 16) % 64).toBe(0);
        expect(into.open(record)).toEqual({ type: INNER.QUERY, content });
      }
      expect(() => into.open(out.sealPlaintext(Buffer.alloc(64)))).toThrow('BAD_FRAME');
      const tooLong = Buffer.alloc(128);
      tooLong[63] = INNER.QUERY;
      expect(() => into.open(out.sealPlaintext(tooLong))).toThrow('BAD_FRAME');
      tooLong[64] = INNER.QUERY;
      expect(into.open(out.sealPlaintext(tooLong))?.content).toHaveLength(64);
      expect(into.open(new RecordDirection(aead, keys).seal(INNER.QUERY, Buffer.alloc(1)))).toBeUndefined();
    },
  );
});

const CHOICES = GROUPS.flatMap(({ id, name }) =>
  [ML_KEM_768, NO_KEM].flatMap((kem) => [AES_256_GCM, CHACHA20_POLY1305].map((aead) => ({ id, name, kem, aead }))),
);

describe('signatures', () => {
  const key = privateKeyOfSeed(SEED);
  const hostKey = publicBytes(key);
  const read = (bytes: Uint8Array) => {
    const r = new Reader(bytes);
    const signature = r.signature();
    r.end();
    return signature;
  };

  it('of messages signed together are each one’s own', () => {
    const depths: number[][] = [];
    for (let size = 1; size <= 9; size += 1) {
      const messages = Array.from({ length: size }, () => randomBytes(40));
      const signatures = signTogether(key, messages).map(read);
      depths.push(signatures.map(({ path }) => path.length));
      for (const signature of signatures) {
        expect(signature.ed25519).toEqual(signatures[0]!.ed25519);
        const right = messages.filter((message) => isSigned(hostKey, message, signature));
        expect(right).toEqual([messages[signatures.indexOf(signature)]]);
      }
    }
    expect(depths.map((levels) => levels.at(-1))).toEqual([0, 1, 1, 2, 1, 2, 2, 3, 1]);
    expect(depths.at(-1)).toEqual([4, 4, 4, 4, 4, 4, 4, 4, 1]);
  });

  it('hold for their path alone', () => {
    const message = randomBytes(40);
    const path = Array.from({ length: 4 }, () => randomBytes(32));
    const { ed25519 } = read(signOnPath(key, message, path));
    expect(isSigned(hostKey, message, { path, ed25519 })).toBe(true);
    expect(isSigned(hostKey, message, { path: path.slice(1), ed25519 })).toBe(false);
    expect(isSigned(hostKey, message, { path: path.slice(0, 3), ed25519 })).toBe(false);
    expect(isSigned(hostKey, message, { path: [...path, randomBytes(32)], ed25519 })).toBe(false);
    expect(isSigned(hostKey, message, { path: path.toReversed(), ed25519 })).toBe(false);
    for (let at = 0; at < 4 * 32; at += 1) {
      const changed = flip('', at)('', Buffer.concat(path));
      const other = [0, 32, 64, 96].map((from) => changed.subarray(from, from + 32));
      expect(isSigned(hostKey, message, { path: other, ed25519 }), `byte ${at}`).toBe(false);
    }
  });

  it('have at most 16 levels, and the length that these need', () => {
    const path = (levels: number) => Array.from({ length: levels }, () => randomBytes(32));
    const bytes = signOnPath(key, ZEROS, path(16));
    expect(isSigned(hostKey, ZEROS, read(bytes))).toBe(true);
    expect(() => read(signOnPath(key, ZEROS, path(17)))).toThrow('BAD_FRAME');
    for (const levels of [0, 15, 17, 255]) {
      expect(() => read(Buffer.of(levels, ...bytes.subarray(1)))).toThrow('BAD_FRAME');
    }
    expect(() => read(bytes.subarray(0, -1))).toThrow('BAD_FRAME');
  });

  it.each([1, 5, 16])('with a path of %i hashes are taken in OFFER and RECEIPT', async (levels) => {
    const path = Array.from({ length: levels }, () => randomBytes(32));
    const server = await serve({ sign: (hostKey, message) => signOnPath(hostKey, message, path) });
    const { receipts } = await visit(server, { documents: [document('x'), document('y')] });
    expect(receipts.map(({ signature }) => signature.path)).toEqual([path, path]);
    expect(receipts[0]!.salt).not.toEqual(receipts[1]!.salt);
  });
});

describe('whole sessions', () => {
  it.each(CHOICES)('$name, KEM $kem, AEAD $aead', async ({ id, kem, aead }) => {
    const server = await serve();
    const policy = { groups: [id], kems: [kem], aeads: [aead] };
    const session = await visit(server, { policy, documents: [document('one'), document('two')] });
    expect(session.offer).toMatchObject({ group: id, kem, aead });
    expect(session.receipts.map((receipt) => receipt.sequence)).toEqual([1n, 2n]);
    expect(session.steps.at(-1)).toBe('CLOSE received');
  });

  it('the server chooses by its own order', async () => {
    const server = await serve({ groups: [0x0102, 0x0100], kems: [NO_KEM, ML_KEM_768], aeads: [CHACHA20_POLY1305] });
    const policy = { groups: [0x0101, 0x0100, 0x7fff], kems: [ML_KEM_768, NO_KEM] };
    const { offer } = await visit(server, { policy });
    expect(offer).toMatchObject({ group: 0x0100, kem: NO_KEM, aead: CHACHA20_POLY1305 });
    expect(await reasonOf(visit(server, { policy: { groups: [0x0101] } }))).toBe('NO_COMMON_PARAMETERS (plain)');
  });

  it.each([0, 10])('RETRY with a puzzle of %i bits', async (puzzleBits) => {
    const server = await serve({ retry: { puzzleBits } });
    const session = await visit(server, { documents: [document('after a retry')] });
    expect(session.receipts).toHaveLength(1);
    expect(session.steps).toContain(`RETRY received, puzzle of ${puzzleBits} bits`);
    expect(server.steps.slice(0, 4)).toEqual(['HELLO received', 'RETRY sent', 'HELLO received', 'OFFER sent']);
  });

  it('a puzzle beyond what the customer is ready for is not worked on', async () => {
    const server = await serve({ retry: { puzzleBits: 32 } });
    expect(await reasonOf(visit(server))).toBe('PUZZLE_TOO_HARD (local)');
  });

  it('answers a customer that closed its own direction behind HELLO', async () => {
    const server = await serve();
    const link = await FrameSocket.connect('127.0.0.1', server.port);
    const body = [randomBytes(64), Buffer.of(1, 1, 1, 1, 0, 1, 0, 0, 1, 0, 2), Buffer.alloc(2 + 1 + 2 + 1)];
    link.socket.end(frame(FRAME.HELLO, Buffer.concat(body)));
    const offer = await link.readFrame(FRAME.OFFER, FRAME.ERROR);
    expect(offer[0]).toBe(FRAME.OFFER);
    expect(decodeOffer(offer.subarray(4)).offer).toMatchObject({ group: 0x0100, kem: NO_KEM, aead: AES_256_GCM });
  });

  it('refuses a cookie that is not its own, and one that another HELLO brings', async () => {
    const server = await serve({ retry: { puzzleBits: 0 } });
    expect(await reasonOf(visit(server, { mutate: flip('HELLO with cookie', -20) }))).toBe('BAD_COOKIE (plain)');
    expect(await reasonOf(visit(server, { mutate: flip('HELLO with cookie', 5) }))).toBe('BAD_COOKIE (plain)');
  });

  it('more transactions than may be unanswered, with the largest bodies, and queries behind them', async () => {
    const answer = (customerId: string, query: { body: Buffer }) => ({
      status: 0,
      contentType: TEXT,
      body: `${customerId} asked ${query.body}`,
    });
    const server = await serve({ answer });
    const documents = Array.from({ length: 150 }, (_, i) => document(Buffer.alloc(i < 5 ? 61440 : i, i)));
    const queries = [{ queryId: Buffer.from([0, 0, 0, 7]), contentType: TEXT, body: 'what' }];
    const session = await visit(server, { documents, queries });
    expect(session.receipts.map(({ transactionId }) => transactionId)).toEqual(documents.map((d) => d.transactionId));
    expect(session.answers.at(-1)).toMatchObject({ kind: 'answer', queryId: queries[0]!.queryId, status: 0 });
    expect((session.answers.at(-1) as { body: Buffer }).body.toString()).toBe('alice asked what');
    const patient = await visit(server, { documents, queries, pacing: 'step-by-step' });
    expect(patient.receipts.map(({ bytes }) => bytes)).toEqual(session.receipts.map(({ bytes }) => bytes));
  });

  it('the same id gives the same bytes, in this session, in another, and from a server that started again', async () => {
    const server = await serve();
    const once = document('pay once');
    const first = await visit(server, { documents: [once, once] });
    expect(first.receipts[1]!.bytes).toEqual(first.receipts[0]!.bytes);
    await server.close();
    const again = await serve({ receipts: new Map(server.receipts), hostKeySeed: Buffer.alloc(32, 0x77) });
    const second = await visit(again, { documents: [once], formerHostKeys: [server.hostKey] });
    expect(second.receipts[0]!.bytes).toEqual(first.receipts[0]!.bytes);
    expect(await reasonOf(visit(again, { documents: [once] }))).toBe('BAD_RECEIPT (local)');
  });

  it('another body under the same id is refused, and the session goes on', async () => {
    const server = await serve();
    const id = randomBytes(16);
    const other = { ...document('a', id), contentType: 'text/html' };
    const session = await visit(server, { documents: [document('a', id), document('b', id), other, document('c')] });
    expect(session.answers.map(({ kind }) => kind)).toEqual(['receipt', 'refusal', 'refusal', 'receipt']);
    expect(session.answers[1]).toMatchObject({ transactionId: id, code: 0x0c });
  });

  it('a refusal with BUSY stores nothing, and the id may be used again', async () => {
    const calls: string[] = [];
    const server = await serve({
      process: (customerId, { id }) => {
        calls.push(customerId);
        if (calls.length === 1) return { refusal: 0x04, retryAfterMs: 250, text: 'later' };
        return { outcome: 3, contentType: TEXT, result: id.toString('hex') };
      },
    });
    const asked = document('x');
    const { answers } = await visit(server, { documents: [asked, asked] });
    expect(answers[0]).toMatchObject({ kind: 'refusal', code: 0x04, retryAfterMs: 250, text: 'later' });
    expect(answers[1]).toMatchObject({ kind: 'receipt', outcome: 3, sequence: 1n });
  });

  it('a wrong credential, profile or customer gives the same AUTH_RESULT and nothing more', async () => {
    const server = await serve();
    const { name: _name, ...partial } = PROFILE;
    const wrong: Partial<CustomerOptions>[] = [
      { credential: Buffer.alloc(32, 0xc5) },
      { profile: { ...PROFILE, email: 'mallory@example.org' } },
      { profile: partial },
      { profile: { ...PROFILE, extra: '' } },
      { customerId: 'bob' },
    ];
    for (const options of wrong) {
      const session = await visit(server, { ...options, documents: [document('sent ahead')] });
      expect(session.authResult).toBe(0x09);
      expect(session.answers).toEqual([]);
    }
    expect(server.receipts.size).toBe(0);
  });

  it('a receipt is right for its customer, document and key alone', async () => {
    const server = await serve();
    const paid = document('a receipt');
    const receipt = (await visit(server, { documents: [paid] })).receipts[0]!;
    const valid = (changed: Partial<Receipt>, customerId = 'alice', body = paid.body, key = server.hostKey) =>
      receiptIsValid({ ...receipt, ...changed }, customerId, { contentType: TEXT, body }, [key]);
    expect(valid({})).toBe(true);
    expect(valid({}, 'bob')).toBe(false);
    expect(valid({}, 'alice', 'another')).toBe(false);
    const otherKey = publicBytes(privateKeyOfSeed(Buffer.alloc(32, 1)));
    expect(valid({}, 'alice', paid.body, otherKey)).toBe(false);
    expect(valid({ keyId: keyId(otherKey) }, 'alice', paid.body, otherKey)).toBe(false);
    for (let at = 0; at < receipt.bytes.length - 65; at += 1) {
      expect(valid({ bytes: flip('', at)('', receipt.bytes) }), `byte ${at}`).toBe(false);
    }
  });
});

describe('what must not pass', () => {
  it.each([
    ['HELLO of another version', flip('HELLO', 1), 'UNSUPPORTED_VERSION (plain)'],
    ['HELLO of another type', flip('HELLO', 0), 'BAD_FRAME (plain)'],
    ['HELLO changed on its way', flip('HELLO', 4), 'BAD_OFFER_SIGNATURE (local)'],
    ['session_id', flip('CUSTOMER_KEY', 4), 'BAD_CLAIM (plain)'],
    ['lease_token', flip('CUSTOMER_KEY', 4 + 16), 'BAD_CLAIM (plain)'],
    ['claim_secret', flip('CUSTOMER_KEY', 4 + 48), 'BAD_CLAIM (plain)'],
    ['Yc', flip('CUSTOMER_KEY', -33), 'KEY_EXCHANGE_FAILED (plain)'],
    ['customer_finished', flip('CUSTOMER_KEY', -1), 'KEY_EXCHANGE_FAILED (plain)'],
    ['a record', flip('TRANSACTION record', -1), 'TRUNCATED (local)'],
    ['the inner length of a body', flip('TRANSACTION', 16 + 1 + TEXT.length + 1), 'BAD_FRAME (record)'],
  ])('changed by the customer or the way: %s', async (_name, mutate, reason) => {
    const server = await serve();
    expect(await reasonOf(visit(server, { mutate, documents: [document('x')] }))).toBe(reason);
    expect(server.receipts.size).toBe(0);
  });

  it.each([
    ['signature', flip('OFFER', -1), 'BAD_OFFER_SIGNATURE (local)'],
    ['host_key', flip('OFFER unsigned', -2), 'HOST_KEY_MISMATCH (local)'],
    ['version', flip('OFFER unsigned', 48), 'DOWNGRADE (local)'],
    ['group', flip('OFFER unsigned', 49), 'DOWNGRADE (local)'],
    ['kem', flip('OFFER unsigned', 51), 'DOWNGRADE (local)'],
    ['aead', flip('OFFER unsigned', 53), 'DOWNGRADE (local)'],
    ['g', flip('OFFER unsigned', 96), 'PARAMETER_MISMATCH (local)'],
    ['p', flip('OFFER unsigned', 99), 'PARAMETER_MISMATCH (local)'],
    ['second_port', flip('OFFER', 4 + 55), 'BAD_OFFER_SIGNATURE (local)'],
    ['levels of a signature', flip('OFFER', -65), 'BAD_FRAME (local)'],
    ['FINISHED', flip(`inner ${INNER.FINISHED}`, 31), 'KEY_EXCHANGE_FAILED (local)'],
    ['RECEIPT', flip(`inner ${INNER.RECEIPT}`, 30), 'BAD_RECEIPT (local)'],
    ['salt of a receipt', flip(`inner ${INNER.RECEIPT}`, -65 - 8 - 1), 'BAD_RECEIPT (local)'],
    ['levels of a receipt’s signature', flip(`inner ${INNER.RECEIPT}`, -65), 'BAD_FRAME (local)'],
  ])('said wrongly by the server: %s', async (_name, mutate, reason) => {
    const server = await serve({ mutate });
    expect(await reasonOf(visit(server, { documents: [document('x')] }))).toBe(reason);
  });

  it.each(['0', '1', 'p - 1', 'p', 'p + 1'])('Ys = %s is refused by the customer, signed or not', async (name) => {
    const group = GROUPS[0]!;
    const { p } = group;
    const bad = { '0': 0n, '1': 1n, 'p - 1': p - 1n, p, 'p + 1': p + 1n }[name]!;
    // Ys lies behind p: 99 + 256 bytes of p + 2 of its own length.
    const mutate = (message: string, bytes: Buffer): Buffer => {
      if (message !== 'OFFER unsigned') return bytes;
      const copy = Buffer.from(bytes);
      copy.set(toBytes(bad, group.size), 99 + 256 + 2);
      return copy;
    };
    const server = await serve({ groups: [group.id], mutate });
    expect(await reasonOf(visit(server))).toBe('KEY_EXCHANGE_FAILED (local)');
  });

  it('wrong claims leave the lease to its customer, and its right claim ends the wait of others', async () => {
    const server = await serve();
    const idle: FrameSocket[] = [];
    const session = await visit(server, {
      documents: [document('mine')],
      beforeSecondPort: async ({ secondPort, sessionId, leaseToken }) => {
        for (const [name, body] of Object.entries({
          guessed: Buffer.concat([randomBytes(80), len16(randomBytes(384)), randomBytes(32)]),
          'without the secret': Buffer.concat([sessionId, leaseToken, randomBytes(32), len16(randomBytes(384)), ZEROS]),
        })) {
          const link = await FrameSocket.connect('127.0.0.1', secondPort);
          link.write(frame(FRAME.CUSTOMER_KEY, body));
          const reply = await link.readFrame(FRAME.ERROR);
          expect(decodeError(reply.subarray(4), 'plain').reason, name).toBe('BAD_CLAIM');
          link.close();
        }
        for (let i = 0; i < 3; i += 1) idle.push(await FrameSocket.connect('127.0.0.1', secondPort));
      },
    });
    expect(session.receipts).toHaveLength(1);
    for (const link of idle) expect(await reasonOf(link.readFrame(FRAME.ERROR))).toBe('TRUNCATED (local)');
    expect(server.steps.filter((step) => step === 'BAD_CLAIM (local)')).toHaveLength(2);
  });

  it('the four places at a leased port are all that there are', async () => {
    const server = await serve();
    const idle: FrameSocket[] = [];
    const beforeSecondPort = async ({ secondPort }: { secondPort: number }): Promise<void> => {
      for (let i = 0; i < 4; i += 1) idle.push(await FrameSocket.connect('127.0.0.1', secondPort));
    };
    expect(await reasonOf(visit(server, { beforeSecondPort }))).toBe('TRUNCATED (local)');
    for (const link of idle) link.socket.destroy();
  });

  it('the thousand-and-first transaction of a session is LIMIT', async () => {
    const server = await serve();
    const documents = Array.from({ length: 1001 }, (_, i) => document(`${i}`));
    expect(await reasonOf(visit(server, { documents }))).toBe('LIMIT (record)');
    expect(server.receipts.size).toBe(1000);
  });

  it('a second host that no configuration allows is refused, an allowed one is used', async () => {
    const server = await serve({ secondHost: '127.0.0.1' });
    expect(await reasonOf(visit(server))).toBe('PARAMETER_MISMATCH (local)');
    const session = await visit(server, { policy: { secondHosts: ['127.0.0.1'] }, documents: [document('x')] });
    expect(session.receipts).toHaveLength(1);
  });

  it('a host key changes only to the one announced', async () => {
    const nextSeed = Buffer.alloc(32, 0x33);
    const nextHostKey = publicBytes(privateKeyOfSeed(nextSeed));
    const { offer, receipts } = await visit(await serve({ nextHostKey }), { documents: [document('x')] });
    expect(Buffer.from(offer.nextHostKey)).toEqual(nextHostKey);
    expect(receipts).toHaveLength(1);
    const pinnedHostKey = offer.hostKey;
    const after = await serve({ hostKeySeed: nextSeed });
    expect(await reasonOf(visit(after, { pinnedHostKey }))).toBe('HOST_KEY_MISMATCH (local)');
    const documents = [document('y')];
    const moved = await visit(after, { pinnedHostKey, announcedHostKey: offer.nextHostKey, documents });
    expect(moved.receipts).toHaveLength(1);
  });

  it('an encapsulation key beyond the modulus is KEY_EXCHANGE_FAILED', async () => {
    // The key ends 1 + 8 + 2 + 1 bytes before the end of HELLO; its seed rho is the last 32 of its 1184 bytes.
    const mutate = (name: string, bytes: Buffer): Buffer =>
      name === 'HELLO' ? Buffer.from(bytes).fill(0xff, bytes.length - 12 - 1184, bytes.length - 12 - 32) : bytes;
    expect(await reasonOf(visit(await serve(), { mutate }))).toBe('KEY_EXCHANGE_FAILED (plain)');
  });
});
