/**
 * The worked example of docs/PROTOCOL.md section 11: one whole session with every byte, from fixed random values. Run it to write the
 * section anew; a test compares the section with what this gives.
 */

import { readFileSync, writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { makeArrivals } from '../src/crypto/arrival-keys.ts';
import { makeCustomerKeys } from '../src/crypto/customer-keys.ts';
import { GROUPS } from '../src/crypto/groups.ts';
import { hostKeyFingerprint, hostKeyId, hostKeyOfSeed, rawHostPublicKey } from '../src/crypto/identity.ts';
import { type Crypto, loadCrypto } from '../src/crypto/index.ts';
import { decapsulateWith, kemKeyPairOfSeed } from '../src/crypto/kem.ts';
import { beginKeySchedule, customerFinished, type SessionKeys } from '../src/crypto/key-schedule.ts';
import { makeOffers } from '../src/crypto/offer-keys.ts';
import { AEAD_IDS, groupId, KEM_IDS } from '../src/crypto/suite.ts';
import { assert } from '../src/errors.ts';
import { createReceiptSigner, sealReceipts } from '../src/ledger/receipts.ts';
import { commitClaim } from '../src/session/claim.ts';
import { openChannel, type RecordChannel, sealMessage } from '../src/session/record-channel.ts';
import { joinTranscript } from '../src/session/transcript.ts';
import { encodeAuth } from '../src/wire/auth.ts';
import { encodeAuthResult } from '../src/wire/auth-result.ts';
import { CUSTOMER_PUBLIC_VALUE_OFFSET, encodeCustomerKey } from '../src/wire/customer-key.ts';
import { encodeHello } from '../src/wire/hello.ts';
import { INNER_TYPES, type InnerType } from '../src/wire/inner.ts';
import { encodeSignedOffer, encodeUnsignedOffer, offsetsInOffer } from '../src/wire/offer.ts';
import { transactionHashInput } from '../src/wire/receipt.ts';
import { encodeTransaction } from '../src/wire/transaction.ts';

const PAGE = new URL('../docs/PROTOCOL.md', import.meta.url);
const BEGIN = '<!-- worked example: begin -->';
const END = '<!-- worked example: end -->';
const LINE_BYTES = 64;

/** `length` bytes that count up from `first`: easy to type, and no two fields are the same. */
function counting(first: number, length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => (first + index) & 0xff);
}

const HOST_KEY_SEED = counting(0x01, 32);
const KEM_SEED = Uint8Array.from({ length: 64 }, (_, index) => 0xc0 ^ index);
const CUSTOMER_RANDOM = counting(0x00, 32);
const CLAIM_SECRET = counting(0x20, 32);
const SERVER_RANDOM = counting(0x40, 32);
const SESSION_ID = counting(0x60, 16);
const LEASE_TOKEN = counting(0x70, 32);
const EXPONENT_A = counting(0xa1, 29);
const EXPONENT_B = counting(0xb2, 29);
const CREDENTIAL = counting(0xd0, 32);
const TRANSACTION_ID = counting(0xf0, 16);
/** Of the receipt, and of the two that are signed with it. */
const SALT = counting(0x11, 48);
const SECOND_PORT = 20_117;
const LEASE_MS = 10_000;
const COMMITTED_TIME_US = 1_767_225_600_000_000n;
const CUSTOMER_ID = 'alice';
const PROFILE = [
  { tag: 'born', value: text('1815-12-10') },
  { tag: 'name', value: text('Ada Lovelace') },
];
const CONTENT_TYPE = 'application/vnd.sallyport.transfer+json';
const BODY = text('{"from":"alice.eur","to":"bob.eur","amount":"12.50","currency":"EUR","reference":"tea"}');
const RESULT_CONTENT_TYPE = 'application/vnd.sallyport.transfer-result+json';
const RESULT = text('{"status":"committed"}');

/** ML-KEM encapsulation is randomized: this ciphertext was made once for the encapsulation key of KEM_SEED, and is kept. */
const KEM_CIPHERTEXT = fromHex([
  '51369809ebf16af54d275359050594a1472fa3f5722302fcffb01b26cc0f866eb16ee86dea494aaf6121d3420df2725acfebac8e33c62775',
  '5c6c4cf7321eba1684bde0bcb49d79251d17d8877ace9db2266ed20aee55c6c2b67ec0e0f9fd8a306140848ab9b6b7ac1e4c8513cfc1e1dd',
  '34ae0c0a75bd6022422949d1cc2441286592461ec8fb58c6035cab4dca9435557528e63ca6d345009d940fd3228595639f3d9c209b417750',
  '7bd0766c196214448de66fb59a9d0fa7c5093d3cc35f2e619353ae76413e9669d46faf47771329482ef41dd7737ee8f15cbb2dac27d9afcd',
  '43ba10bbb5e496c6348e88650484d5cadd558b5ae7b7dccfeb6fbcbb213278e4b24243ddf89236e616cccb80fe24f3a566d3d1147f0f21f5',
  '8da9c88d9b5f3a4cd35fe415a5dcf92e78fc25ac24a2b58c5720bbb3c166521f4e79ef085e81b4c76658da85b86bc0a4ec77a436194b9c9d',
  'cad67a1464de986c1109acdaff17f097ea292830f473564bac6a64e52b2458fe22e4a94760fe0ff3f60801b293875cea95650dc99fab7b52',
  'bdc7f993e3477b4e784e07b2e7ee7ed202e42e0d8e15acb6830d4a70bfae9d28a064d8b3bd249dc0e39cfb1704ecc24a1cae14195668d740',
  'e5796156153b4161f0f863511cf9adc9a79d8b7e19ccc93d2e3be83a4b389966499ca71acf0fc90fa3c9c64a93747c6b823773d4896ebacb',
  '121edcf4e7a11893a15c37aa37a34e23ede523c9d639cd35b5328ff7de9c1de2d7ccb4aeb56af4ea31e224042792d07ccd5fa7ce194dc022',
  '1f3e773570a704ad881c8948cbe45b39bc98445bd39de01f73caf24ca9c92cf0fc01e4c4f970e5169b22c5990ba217c40e4c9afb897c467a',
  '30e76ab693f9eef22680b96e148997006c991aa32ea293100d95d332a238ae57a2ddc30a12585c156e214d5ce9b8bd1b78beab099f7a6efa',
  '16ebd037eb9d048c7d09d0b5476979517c4e381c90cdabc8b4e5cdbe2b1604c5bac8a5f91187f1df2e23f40b44ea9155168699c9a6d13cd8',
  'f3a5e5acffccbbe9a5ea74ca767cc51d9e16b2fbed60d2af7bb19714668d5ea080be24efa6b23d9048f1cbd1f660138813884cbfbfd6ac30',
  '71084f71eec8c6f340037d0f91d645492fabba72a7510609f1baa61f20d61a5a8c84114b51370b052624139fd0f861bafe39cfb7a19c0002',
  'e6ba7489826de56f33d98fef2b31dee209d69177bca4e49fb36f6378648b0d8684d4d202d873fb818bd8b103765a582ea24ad3d486abf805',
  'bce0d5eb3aedc357e204cc7186de6da4fb3c93063b794151ef1eae1785dbfa462b3dad1b8d9abff7de47604fa47efb6089558625dd4ccc5a',
  '858d2326979997219fa4492bd1736b68662ac2f0b574c412786524b992dd5ec0c24f267703c4cec00bce2c8282b9992b295244671a1c0965',
  '09d41f279b0b021d49a89f7ebf6e2c99b8e2495ab727bd8c77b5f142d01977baea6c9c1e604298b1f68c29c153668babc37e59c1bd8ac48d',
  '2d1498e3bb8e1148df8a8dfe1f8ea134f60c6a4e4ebcb393',
]);

/** The section's text, without its markers. */
export async function protocolExample(): Promise<string> {
  const crypto = await loadCrypto();
  const exchange = exchangeKeys(crypto);
  return [...inputs(), ...frames(exchange), ...schedule(crypto, exchange), ...records(crypto, exchange), ''].join('\n');
}

/** docs/PROTOCOL.md with this section in its place. */
export function replaceExample(page: string, section: string): string {
  const begin = page.indexOf(BEGIN);
  const end = page.indexOf(END);
  assert(begin >= 0 && end > begin, 'the page has the markers of the worked example');
  return `${page.slice(0, begin + BEGIN.length)}\n${section}${page.slice(end)}`;
}

interface Exchange {
  readonly helloFrame: Uint8Array;
  readonly offerFrame: Uint8Array;
  readonly customerKeyFrame: Uint8Array;
  readonly sharedValue: Uint8Array;
  readonly kemSecret: Uint8Array;
  readonly keys: SessionKeys;
}

function exchangeKeys(crypto: Crypto): Exchange {
  const { publicKey, privateKey } = kemKeyPairOfSeed(KEM_SEED);
  const hostKey = hostKeyOfSeed(HOST_KEY_SEED);
  const group = GROUPS.ffdhe2048;
  const helloFrame = encodeHello({
    customerRandom: CUSTOMER_RANDOM,
    claimCommitment: commitClaim(crypto, CLAIM_SECRET),
    versions: [0x01],
    groups: [groupId('ffdhe3072'), groupId('ffdhe2048')],
    kems: [KEM_IDS['ML-KEM-768']],
    aeads: [AEAD_IDS['AES-256-GCM'], AEAD_IDS['ChaCha20-Poly1305']],
    kemKey: publicKey,
    hostKeyHint: hostKeyId(rawHostPublicKey(hostKey)),
    cookie: new Uint8Array(0),
    puzzleSolution: new Uint8Array(0),
  });
  const template = {
    serverRandom: SERVER_RANDOM,
    sessionId: SESSION_ID,
    version: 0x01,
    group: groupId('ffdhe2048'),
    kem: KEM_IDS['ML-KEM-768'],
    aead: AEAD_IDS['AES-256-GCM'],
    secondPort: SECOND_PORT,
    secondHost: '',
    leaseMs: LEASE_MS,
    leaseToken: LEASE_TOKEN,
    g: Uint8Array.of(group.g),
    p: group.p(),
    publicValue: new Uint8Array(group.byteLength),
    kemCiphertext: new Uint8Array(KEM_CIPHERTEXT.length),
    hostKey: rawHostPublicKey(hostKey),
    nextHostKey: new Uint8Array(0),
  };
  const offsets = offsetsInOffer(template);
  const job = {
    group: group.name,
    kemKey: publicKey,
    helloFrame,
    unsignedOffer: encodeUnsignedOffer(template),
    publicValueOffset: offsets.publicValue,
    kemCiphertextOffset: offsets.kemCiphertext,
  };
  const kemSecret = decapsulateWith(privateKey, KEM_CIPHERTEXT);
  const recorded = () => ({ ciphertext: KEM_CIPHERTEXT, secret: Uint8Array.from(kemSecret) });
  const offer = makeOffers(crypto, hostKey, [job], [EXPONENT_A], recorded)[0]!;
  assert(offer.ok, 'the example has an offer');

  const offerFrame = encodeSignedOffer(offer.unsignedOffer, offer.signature);
  const opening = joinTranscript(helloFrame, offerFrame);
  const customerKey = encodeCustomerKey({
    sessionId: SESSION_ID,
    leaseToken: LEASE_TOKEN,
    claimSecret: CLAIM_SECRET,
    publicValue: new Uint8Array(group.byteLength),
    finished: new Uint8Array(32),
  });
  const sharedValue = crypto.sharedValue(group.name, EXPONENT_B, offer.publicValue);
  const made = makeCustomerKeys(crypto, {
    group: group.name,
    exponent: Uint8Array.from(EXPONENT_B),
    peerPublicValue: offer.publicValue,
    kemPrivateKey: privateKey,
    kemCiphertext: KEM_CIPHERTEXT,
    transcript: joinTranscript(opening, customerKey),
    publicValueOffset: opening.length + CUSTOMER_PUBLIC_VALUE_OFFSET,
  });
  assert(made.ok, 'the customer of the example has keys');
  const arrival = makeArrivals(crypto, [
    {
      group: group.name,
      exponent: Uint8Array.from(EXPONENT_A),
      publicValue: offer.publicValue,
      peerPublicValue: made.publicValue,
      kemSecret: offer.kemSecret,
      transcript: made.transcript,
    },
  ])[0]!;
  assert(arrival.ok && hex(arrival.keys.server.key) === hex(made.keys.server.key), 'both sides made the same keys');
  const customerKeyFrame = made.transcript.subarray(opening.length);
  return { helloFrame, offerFrame, customerKeyFrame, sharedValue, kemSecret, keys: made.keys };
}

function inputs(): string[] {
  return [
    '### 11.1 What is given',
    '',
    ...block('Ed25519 host key, seed', HOST_KEY_SEED),
    ...block('host key, public', rawHostPublicKey(hostKeyOfSeed(HOST_KEY_SEED))),
    ...block('key_id', hostKeyId(rawHostPublicKey(hostKeyOfSeed(HOST_KEY_SEED)))),
    `Its fingerprint, as programs show it (the base64 of SHA-256 over the 32 bytes): \`${hostKeyFingerprint(rawHostPublicKey(hostKeyOfSeed(HOST_KEY_SEED)))}\`.`,
    '',
    ...block('ML-KEM-768 decapsulation key, seed d || z (FIPS 203 section 7.1)', KEM_SEED),
    ...block('customer_random', CUSTOMER_RANDOM),
    ...block('claim_secret', CLAIM_SECRET),
    ...block('server_random', SERVER_RANDOM),
    ...block('session_id', SESSION_ID),
    ...block('lease_token', LEASE_TOKEN),
    ...block('a', EXPONENT_A),
    ...block('b', EXPONENT_B),
    ...block('credential', CREDENTIAL),
    ...block('transaction_id', TRANSACTION_ID),
    ...block('salt of the receipt', SALT.subarray(0, 16)),
    `Customer \`${CUSTOMER_ID}\` with the profile fields \`born\` = \`1815-12-10\` and \`name\` = \`Ada Lovelace\`; ffdhe2048, ML-KEM-768,`,
    `AES-256-GCM; second port ${SECOND_PORT}, lease_ms ${LEASE_MS}. The randomness of the encapsulation is not given: kem_ciphertext stands in OFFER,`,
    'and K below.',
    '',
  ];
}

function frames({ helloFrame, offerFrame, customerKeyFrame }: Exchange): string[] {
  return [
    '### 11.2 Frames before the keys',
    '',
    ...block('HELLO', helloFrame),
    ...block('OFFER', offerFrame),
    ...block('CUSTOMER_KEY', customerKeyFrame),
  ];
}

function schedule(crypto: Crypto, exchange: Exchange): string[] {
  const transcript = joinTranscript(exchange.helloFrame, exchange.offerFrame, exchange.customerKeyFrame);
  const th1 = crypto.sha256(transcript.subarray(0, -32));
  const begun = beginKeySchedule(crypto, th1, exchange.sharedValue, exchange.kemSecret);
  const { customer, server, serverFinished } = exchange.keys;
  return [
    '### 11.3 Keys',
    '',
    ...block('Z', exchange.sharedValue),
    ...block('K', exchange.kemSecret),
    ...block('TH1', th1),
    ...block('TH2', crypto.sha256(transcript)),
    ...block('PRK', begun.prk),
    ...block('customer_finished', customerFinished(crypto, begun)),
    ...block('server_finished', serverFinished),
    ...block('customer to server, key', customer.key),
    ...block('customer to server, iv', customer.iv),
    ...block('server to customer, key', server.key),
    ...block('server to customer, iv', server.iv),
  ];
}

function records(crypto: Crypto, { keys }: Exchange): string[] {
  const bodyHash = crypto.sha256(transactionHashInput(CONTENT_TYPE, BODY));
  const draft = {
    customerId: CUSTOMER_ID,
    fields: {
      transactionId: TRANSACTION_ID,
      outcome: 'processed',
      sequence: 1n,
      committedTimeUs: COMMITTED_TIME_US,
      bodyHash,
      resultContentType: RESULT_CONTENT_TYPE,
      result: RESULT,
    },
  } as const;
  const signer = { ...createReceiptSigner(hostKeyOfSeed(HOST_KEY_SEED)), salts: () => SALT };
  // Signed with two others, so that a way from leaf to root is seen: of three, this one's has two hashes.
  const others = [2n, 3n].map((sequence) => ({ ...draft, fields: { ...draft.fields, sequence } }));
  const receipt = sealReceipts(signer, [draft, ...others])[0]!;
  const customer = new Narrator(openChannel('customer', 'AES-256-GCM', keys));
  const server = new Narrator(openChannel('server', 'AES-256-GCM', keys));
  const auth = encodeAuth({ customerId: CUSTOMER_ID, profile: PROFILE, credential: CREDENTIAL });
  const transaction = encodeTransaction({ transactionId: TRANSACTION_ID, contentType: CONTENT_TYPE, body: BODY });
  return [
    '### 11.4 Records of the customer',
    '',
    'The plaintext is shown before each record.',
    '',
    ...customer.say('AUTH', auth),
    ...customer.say('TRANSACTION', transaction),
    ...customer.say('CLOSE', new Uint8Array(0)),
    '### 11.5 Records of the server',
    '',
    `The receipt says sequence 1 and committed_time_us ${COMMITTED_TIME_US} (2026-01-01T00:00:00Z); its body_hash is`,
    `\`${hex(bodyHash)}\`. It is signed together`,
    'with two made up for it, which differ from it by sequence (2 and 3) and salt (the bytes 21 to 30, and 31 to 40) alone: the first two are a',
    'pair, and the third goes up as it is. OFFER was signed alone.',
    '',
    ...server.say('FINISHED', keys.serverFinished),
    ...server.say('AUTH_RESULT', encodeAuthResult(true)),
    ...server.say('RECEIPT', receipt),
    ...server.say('CLOSE', new Uint8Array(0)),
  ];
}

/** One side's records, in order. */
class Narrator {
  #channel: RecordChannel;

  constructor(channel: RecordChannel) {
    this.#channel = channel;
  }

  say(type: InnerType, content: Uint8Array): string[] {
    const sequence = this.#channel.sent.records;
    const { channel, bytes } = sealMessage(this.#channel, type, content);
    this.#channel = channel;
    const plaintext = new Uint8Array(bytes.length - 20);
    plaintext.set(content);
    plaintext[content.length] = INNER_TYPES[type];
    return [...block(`${type}, sequence number ${sequence}, plaintext`, plaintext), ...block(`${type}, record`, bytes)];
  }
}

function block(title: string, bytes: Uint8Array): string[] {
  const lines = Array.from({ length: Math.ceil(bytes.length / LINE_BYTES) }, (_, index) =>
    hex(bytes.subarray(index * LINE_BYTES, (index + 1) * LINE_BYTES)),
  );
  return [`${title} (${bytes.length} bytes):`, '', '```', ...lines, '```', ''];
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

function fromHex(lines: readonly string[]): Uint8Array {
  return new Uint8Array(Buffer.from(lines.join(''), 'hex'));
}

function text(value: string): Uint8Array {
  return new Uint8Array(Buffer.from(value, 'utf8'));
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href)
  writeFileSync(PAGE, replaceExample(readFileSync(PAGE, 'utf8'), await protocolExample()));
