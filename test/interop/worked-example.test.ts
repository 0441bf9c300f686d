/** Section 11 of docs/PROTOCOL.md, read out of the document and computed again by the independent peer. */
import { createPrivateKey, createPublicKey, decapsulate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import { GROUPS, power, toBytes } from './peer-groups.ts';
import {
  bodyHash,
  decodeReceipt,
  encodeAuth,
  encodeDocument,
  encodeReceiptUnsigned,
  receiptIsValid,
  receiptSigned,
} from './peer-inner.ts';
import {
  claimCommitment,
  deriveKeys,
  isSigned,
  keyId,
  privateKeyOfSeed,
  publicBytes,
  RecordDirection,
  sha256,
  signAlone,
  signTogether,
} from './peer-keys.ts';
import {
  AES_256_GCM,
  CHACHA20_POLY1305,
  decodeCustomerKey,
  decodeHello,
  decodeOffer,
  encodeHello,
  encodeOfferUnsigned,
  FRAME,
  frame,
  frameHeader,
  INNER,
  len16,
  ML_KEM_768,
  offerSigned,
} from './peer-wire.ts';

const page = readFileSync(new URL('../../docs/PROTOCOL.md', import.meta.url), 'utf8');
const section = page.split('<!-- worked example: begin -->')[1]!.split('<!-- worked example: end -->')[0]!;

/** Every hex block by the words before it; a name that comes twice (CLOSE, of either side) is told apart by its subsection. */
const blocks = new Map<string, Buffer>();
const unchecked = new Set<string>();
for (const part of section.split(/^### /m).slice(1)) {
  for (const [, words, size, hex] of part.matchAll(/^(\S.*) \((\d+) bytes\):\n\n```\n([0-9a-f\n]+)```$/gm)) {
    const name = `${part.slice(0, 4)} ${words}`;
    const bytes = Buffer.from(hex!.replaceAll('\n', ''), 'hex');
    if (bytes.length !== Number(size) || blocks.has(name)) throw new Error(`block "${name}" is not what it says`);
    blocks.set(name, bytes);
    unchecked.add(name);
  }
}

/** A block that is an input of the computation. */
function given(name: string): Buffer {
  const bytes = blocks.get(name);
  if (bytes === undefined) throw new Error(`no block "${name}" in the document`);
  unchecked.delete(name);
  return bytes;
}

function expectBlock(name: string, computed: Uint8Array): void {
  expect(Buffer.from(computed).toString('hex'), name).toBe(given(name).toString('hex'));
}

describe('the worked example', () => {
  afterAll(() => {
    expect([...unchecked], 'blocks that nothing looked at').toEqual([]);
    expect(section.match(/^```$/gm)).toHaveLength(2 * blocks.size);
  });

  const group = GROUPS.find(({ name }) => name === 'ffdhe2048')!;
  const signingKey = privateKeyOfSeed(given('11.1 Ed25519 host key, seed'));
  const hostKey = publicBytes(signingKey);
  const seed = given('11.1 ML-KEM-768 decapsulation key, seed d || z (FIPS 203 section 7.1)');
  const kemPrivate = createPrivateKey({ key: seed, format: 'raw-seed', asymmetricKeyType: 'ml-kem-768' });
  const a = given('11.1 a');
  const b = given('11.1 b');
  const claimSecret = given('11.1 claim_secret');
  const sessionId = given('11.1 session_id');
  const leaseToken = given('11.1 lease_token');
  const transactionId = given('11.1 transaction_id');

  // The lists are written here as HELLO shows them: the text of the example names only what was chosen.
  const hello = encodeHello({
    customerRandom: given('11.1 customer_random'),
    claimCommitment: claimCommitment(claimSecret),
    versions: [0x01],
    groups: [0x0101, group.id],
    kems: [ML_KEM_768],
    aeads: [AES_256_GCM, CHACHA20_POLY1305],
    kemKey: createPublicKey(kemPrivate).export({ format: 'raw-public' }),
    hostKeyHint: keyId(hostKey),
    cookie: Buffer.alloc(0),
    puzzleSolution: Buffer.alloc(0),
  });
  // The randomness of the encapsulation is not given, so the ciphertext alone is taken from the OFFER shown.
  const { kemCiphertext } = decodeOffer(given('11.2 OFFER').subarray(4)).offer;
  const ys = power(group, 2n, a);
  const unsignedOffer = encodeOfferUnsigned({
    serverRandom: given('11.1 server_random'),
    sessionId,
    version: 0x01,
    group: group.id,
    kem: ML_KEM_768,
    aead: AES_256_GCM,
    secondPort: Number(/second port (\d+)/.exec(section)![1]),
    secondHost: '',
    leaseMs: Number(/lease_ms (\d+)/.exec(section)![1]),
    leaseToken,
    g: Buffer.of(2),
    p: toBytes(group.p, group.size),
    ys,
    kemCiphertext,
    hostKey,
    nextHostKey: Buffer.alloc(0),
  });
  const offerMessage = offerSigned(hello, unsignedOffer);
  const offer = frame(FRAME.OFFER, Buffer.concat([unsignedOffer, signAlone(signingKey, offerMessage)]));
  const yc = power(group, 2n, b);
  const z = power(group, ys, b);
  const k = decapsulate(kemPrivate, kemCiphertext);
  const keyBody = Buffer.concat([sessionId, leaseToken, claimSecret, len16(yc)]);
  const unfinished = Buffer.concat([frameHeader(FRAME.CUSTOMER_KEY, keyBody.length + 32), keyBody]);
  const keys = deriveKeys(hello, offer, unfinished, z, k);

  it('names the host key', () => {
    expectBlock('11.1 host key, public', hostKey);
    expectBlock('11.1 key_id', keyId(hostKey));
    const fingerprint = sha256(hostKey).toString('base64').replace(/=+$/, '');
    expect(section).toContain(`\`SHA256:${fingerprint}\``);
  });

  it('has the frames before the keys', () => {
    expectBlock('11.2 HELLO', hello);
    expectBlock('11.2 OFFER', offer);
    expectBlock('11.2 CUSTOMER_KEY', Buffer.concat([unfinished, keys.customerFinished]));
    expect(decodeHello(hello.subarray(4)).hostKeyHint).toEqual(keyId(hostKey));
    expect(isSigned(hostKey, offerMessage, decodeOffer(offer.subarray(4)).signature)).toBe(true);
    expect(decodeCustomerKey(given('11.2 CUSTOMER_KEY').subarray(4)).yc).toEqual(yc);
  });

  it('has the keys, from either side', () => {
    expect(power(group, yc, a)).toEqual(z);
    expectBlock('11.3 Z', z);
    expectBlock('11.3 K', k);
    expectBlock('11.3 TH1', keys.th1);
    expectBlock('11.3 TH2', keys.th2);
    expectBlock('11.3 PRK', keys.prk);
    expectBlock('11.3 customer_finished', keys.customerFinished);
    expectBlock('11.3 server_finished', keys.serverFinished);
    expectBlock('11.3 customer to server, key', keys.customer.key);
    expectBlock('11.3 customer to server, iv', keys.customer.iv);
    expectBlock('11.3 server to customer, key', keys.server.key);
    expectBlock('11.3 server to customer, iv', keys.server.iv);
  });

  const contentType = 'application/vnd.sallyport.transfer+json';
  const body = '{"from":"alice.eur","to":"bob.eur","amount":"12.50","currency":"EUR","reference":"tea"}';

  /** Seals each message in turn: the plaintext as section 4.2 lays it out, and the record. */
  function expectRecords(at: string, out: RecordDirection, messages: readonly [string, number, Buffer][]): void {
    messages.forEach(([name, type, content], sequence) => {
      const padding = Buffer.alloc(63 - (content.length % 64));
      expectBlock(`${at} ${name}, sequence number ${sequence}, plaintext`, Buffer.of(...content, type, ...padding));
      expectBlock(`${at} ${name}, record`, out.seal(type, content));
    });
  }

  it('has the records of the customer', () => {
    const profile = { name: 'Ada Lovelace', born: '1815-12-10' };
    expectRecords('11.4', new RecordDirection(AES_256_GCM, keys.customer), [
      ['AUTH', INNER.AUTH, encodeAuth('alice', profile, given('11.1 credential'))],
      ['TRANSACTION', INNER.TRANSACTION, encodeDocument(transactionId, contentType, body)],
      ['CLOSE', INNER.CLOSE, Buffer.alloc(0)],
    ]);
  });

  it('has the records of the server, and a receipt that anyone can verify', () => {
    const hash = bodyHash(contentType, body);
    expect(section).toContain(`\`${hash.toString('hex')}\``);
    const salt = given('11.1 salt of the receipt');
    const receipts = [0, 1, 2].map((place) =>
      encodeReceiptUnsigned({
        transactionId,
        outcome: 1,
        sequence: BigInt(1 + place),
        committedTimeUs: BigInt(/committed_time_us (\d+)/.exec(section)![1]!),
        bodyHash: hash,
        resultContentType: 'application/vnd.sallyport.transfer-result+json',
        result: Buffer.from('{"status":"committed"}'),
        salt: salt.map((byte) => byte + place * salt.length),
        keyId: keyId(hostKey),
      }),
    );
    const signatures = signTogether(
      signingKey,
      receipts.map((unsigned) => receiptSigned('alice', unsigned)),
    );
    const [receipt, ...others] = receipts.map((unsigned, place) => Buffer.concat([unsigned, signatures[place]!]));
    expectRecords('11.5', new RecordDirection(AES_256_GCM, keys.server), [
      ['FINISHED', INNER.FINISHED, keys.serverFinished],
      ['AUTH_RESULT', INNER.AUTH_RESULT, Buffer.of(0x00)],
      ['RECEIPT', INNER.RECEIPT, receipt!],
      ['CLOSE', INNER.CLOSE, Buffer.alloc(0)],
    ]);
    const levels = [receipt!, ...others].map((bytes) => {
      const decoded = decodeReceipt(bytes);
      expect(receiptIsValid(decoded, 'alice', { contentType, body }, [hostKey])).toBe(true);
      return decoded.signature.path.length;
    });
    expect(levels).toEqual([2, 2, 1]);
  });

  it('is opened by the other side', () => {
    const customer = new RecordDirection(AES_256_GCM, keys.customer);
    const server = new RecordDirection(AES_256_GCM, keys.server);
    const types = (into: RecordDirection, at: string, names: readonly string[]) =>
      names.map((name) => into.open(given(`${at} ${name}, record`))?.type);
    const asked = types(customer, '11.4', ['AUTH', 'TRANSACTION', 'CLOSE']);
    expect(asked).toEqual([INNER.AUTH, INNER.TRANSACTION, INNER.CLOSE]);
    const told = types(server, '11.5', ['FINISHED', 'AUTH_RESULT', 'RECEIPT', 'CLOSE']);
    expect(told).toEqual([INNER.FINISHED, INNER.AUTH_RESULT, INNER.RECEIPT, INNER.CLOSE]);
  });
});
