/** The security server of the independent peer: both ports of docs/PROTOCOL.md, with outcomes kept in memory. */
import { createPublicKey, encapsulate, type KeyObject, randomBytes, timingSafeEqual } from 'node:crypto';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { GROUPS, type Group, inRange, power, toBytes } from './peer-groups.ts';
import {
  type Auth,
  bodyHash,
  type Document,
  decodeAuth,
  decodeDocument,
  encodeAnswer,
  encodeReceiptUnsigned,
  encodeRefusal,
  type Profile,
  receiptSigned,
} from './peer-inner.ts';
import {
  claimCommitment,
  deriveKeys,
  hmac,
  keyId,
  privateKeyOfSeed,
  publicBytes,
  RecordDirection,
  type SessionKeys,
  signAlone,
  solvesPuzzle,
} from './peer-keys.ts';
import { FrameSocket } from './peer-socket.ts';
import {
  AES_256_GCM,
  CHACHA20_POLY1305,
  codeToSend,
  decodeCustomerKey,
  decodeHello,
  encodeError,
  encodeHelloStart,
  encodeOfferUnsigned,
  errorCode,
  FRAME,
  frame,
  type Hello,
  INNER,
  len16,
  ML_KEM_768,
  NO_KEM,
  type Offer,
  offerSigned,
  PeerError,
  u8,
  u64,
} from './peer-wire.ts';

export interface PeerCustomer {
  readonly profile: Profile;
  readonly credential: Uint8Array;
}

/** What becomes of a new transaction: a receipt's contents, or a refusal, of which nothing is kept. */
export type Outcome =
  | { readonly outcome: 1 | 2 | 3; readonly contentType: string; readonly result: string | Uint8Array }
  | { readonly refusal: number; readonly retryAfterMs: number; readonly text: string };

export interface PeerServerOptions {
  readonly hostKeySeed: Uint8Array;
  readonly customers: Readonly<Record<string, PeerCustomer>>;
  /** In the server's own order of preference. */
  readonly groups?: readonly number[];
  readonly kems?: readonly number[];
  readonly aeads?: readonly number[];
  readonly secondHost?: string;
  readonly nextHostKey?: Uint8Array;
  /** Answers every HELLO without a cookie with RETRY. */
  readonly retry?: { readonly puzzleBits: number };
  readonly leaseMs?: number;
  readonly process?: (customerId: string, transaction: Document) => Outcome;
  readonly answer?: (customerId: string, query: Document) => { status: number; contentType: string; body: string };
  /** How an OFFER or a receipt is signed; alone, when not given. */
  readonly sign?: (key: KeyObject, message: Buffer) => Buffer;
  /** Changes what is sent, by name of the frame, so that a test can break one thing. */
  readonly mutate?: (name: string, bytes: Buffer) => Buffer;
  /** Receipts by customer and transaction; given by a test that starts a server again. */
  readonly receipts?: Map<string, Buffer>;
}

export interface PeerServer {
  readonly port: number;
  readonly hostKey: Buffer;
  readonly receipts: ReadonlyMap<string, Buffer>;
  /** What happened, in order, for tests to look at. */
  readonly steps: readonly string[];
  close(): Promise<void>;
}

const HELLO_MS = 3_000;
const CUSTOMER_KEY_MS = 5_000;
const AUTH_MS = 5_000;
const IDLE_MS = 30_000;
const SESSION_MS = 120_000;
const WAITING_SOCKETS_MAX = 4;
const TRANSACTIONS_MAX = 1_000;
const COOKIE_MS = 60_000;

const EMPTY = Buffer.alloc(0);

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}

interface Lease {
  readonly offer: Offer;
  readonly group: Group;
  readonly a: Buffer;
  readonly k: Buffer;
  readonly helloFrame: Buffer;
  readonly offerFrame: Buffer;
  readonly commitment: Uint8Array;
  readonly listener: Server;
  readonly waiting: Set<FrameSocket>;
  claimed: boolean;
}

export async function startServer(options: PeerServerOptions): Promise<PeerServer> {
  const server = new SecurityServer(options);
  await server.start();
  return server;
}

class SecurityServer implements PeerServer {
  readonly hostKey: Buffer;
  readonly receipts: Map<string, Buffer>;
  readonly steps: string[] = [];
  readonly #options: PeerServerOptions;
  readonly #signingKey: KeyObject;
  readonly #cookieKey = randomBytes(32);
  readonly #listeners = new Set<Server>();
  readonly #sockets = new Set<Socket>();
  #port = 0;
  #sequence = 0n;

  constructor(options: PeerServerOptions) {
    this.#options = options;
    this.#signingKey = privateKeyOfSeed(options.hostKeySeed);
    this.hostKey = publicBytes(this.#signingKey);
    this.receipts = options.receipts ?? new Map();
    this.#sequence = BigInt(this.receipts.size);
  }

  get port(): number {
    return this.#port;
  }

  async start(): Promise<void> {
    const listener = await this.#listen((link) => void this.#guard(link, () => this.#firstPort(link)));
    this.#port = (listener.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    const closed = [...this.#listeners].map((listener) => new Promise((resolve) => listener.close(resolve)));
    for (const socket of this.#sockets) socket.destroy();
    await Promise.all(closed);
  }

  async #listen(accept: (link: FrameSocket) => void): Promise<Server> {
    // Section 3.3: a customer may close its own direction once HELLO is sent; what it is owed still comes.
    const listener = createServer({ allowHalfOpen: true }, (socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
      accept(new FrameSocket(socket));
    });
    this.#listeners.add(listener);
    listener.once('close', () => this.#listeners.delete(listener));
    await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
    return listener;
  }

  /** Runs a connection until keys are made: what fails is told in a plain ERROR, or not at all. */
  async #guard(link: FrameSocket, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.steps.push(error instanceof PeerError ? error.message : String(error));
      const code = codeToSend(error);
      if (code !== undefined) link.write(frame(FRAME.ERROR, encodeError(code)));
    } finally {
      link.close();
    }
  }

  async #firstPort(link: FrameSocket): Promise<void> {
    const helloFrame = await link.within(HELLO_MS, 'TIMEOUT', () => link.readFrame(FRAME.HELLO));
    if (link.hasMore) throw new PeerError('BAD_FRAME');
    const hello = decodeHello(helloFrame.subarray(4));
    this.steps.push('HELLO received');
    if (this.#options.retry !== undefined && hello.cookie.length === 0) {
      const { puzzleBits } = this.#options.retry;
      const cookie = this.#cookie(link, hello, Buffer.concat([u64(BigInt(Date.now())), u8(puzzleBits)]));
      link.write(this.#mutated('RETRY', frame(FRAME.RETRY, Buffer.concat([u8(puzzleBits), len16(cookie)]))));
      this.steps.push('RETRY sent');
      return;
    }
    if (hello.cookie.length > 0) this.#checkCookie(link, hello);
    link.write(await this.#offer(hello, helloFrame));
    this.steps.push('OFFER sent');
  }

  #cookie(link: FrameSocket, hello: Hello, stamp: Uint8Array): Buffer {
    const mac = hmac(this.#cookieKey, len16(link.remoteAddress), encodeHelloStart(hello), stamp);
    return Buffer.concat([stamp, mac]);
  }

  #checkCookie(link: FrameSocket, hello: Hello): void {
    const stamp = Buffer.from(hello.cookie.subarray(0, 9));
    const right =
      stamp.length === 9 &&
      equal(hello.cookie, this.#cookie(link, hello, stamp)) &&
      Math.abs(Date.now() - Number(stamp.readBigUInt64BE())) < COOKIE_MS &&
      solvesPuzzle(hello.cookie, stamp[8]!, hello.puzzleSolution);
    if (!right) throw new PeerError('BAD_COOKIE');
  }

  async #offer(hello: Hello, helloFrame: Buffer): Promise<Buffer> {
    const choose = (mine: readonly number[], theirs: readonly number[]): number => {
      const chosen = mine.find((value) => theirs.includes(value));
      if (chosen === undefined) throw new PeerError('NO_COMMON_PARAMETERS');
      return chosen;
    };
    const version = choose([0x01], hello.versions);
    const groupId = choose(this.#options.groups ?? [0x0101, 0x0102, 0x0100], hello.groups);
    const kem = choose(this.#options.kems ?? [ML_KEM_768, NO_KEM], hello.kems);
    const aead = choose(this.#options.aeads ?? [AES_256_GCM, CHACHA20_POLY1305], hello.aeads);
    const group = GROUPS.find(({ id }) => id === groupId)!;
    const { sharedKey, ciphertext } = kem === ML_KEM_768 ? encapsulateTo(hello.kemKey) : NO_SECRET;
    const a = randomBytes(group.exponentSize);
    const waiting = new Set<FrameSocket>();
    const listener = await this.#listen((link) => {
      if (waiting.size >= WAITING_SOCKETS_MAX) link.socket.destroy();
      else void this.#guard(link, () => this.#claim(link, lease));
    });
    const leaseMs = this.#options.leaseMs ?? 10_000;
    const timer = setTimeout(() => listener.close(), leaseMs);
    listener.once('close', () => clearTimeout(timer));
    const offer: Offer = {
      serverRandom: randomBytes(32),
      sessionId: randomBytes(16),
      version,
      group: groupId,
      kem,
      aead,
      secondPort: (listener.address() as AddressInfo).port,
      secondHost: this.#options.secondHost ?? '',
      leaseMs,
      leaseToken: randomBytes(32),
      g: Buffer.of(2),
      p: toBytes(group.p, group.size),
      ys: power(group, 2n, a),
      kemCiphertext: ciphertext,
      hostKey: this.hostKey,
      nextHostKey: this.#options.nextHostKey ?? EMPTY,
    };
    const unsigned = this.#mutated('OFFER unsigned', encodeOfferUnsigned(offer));
    const signature = this.#sign(offerSigned(helloFrame, unsigned));
    const offerFrame = this.#mutated('OFFER', frame(FRAME.OFFER, Buffer.concat([unsigned, signature])));
    const { claimCommitment: commitment } = hello;
    const known = { offer, group, a, k: sharedKey, helloFrame, offerFrame, commitment };
    const lease: Lease = { ...known, listener, waiting, claimed: false };
    return offerFrame;
  }

  /** Section 4.1. */
  async #claim(link: FrameSocket, lease: Lease): Promise<void> {
    lease.waiting.add(link);
    try {
      const customerKey = await link.within(CUSTOMER_KEY_MS, 'TIMEOUT', () => link.readFrame(FRAME.CUSTOMER_KEY));
      const { sessionId, leaseToken, claimSecret, yc, finished } = decodeCustomerKey(customerKey.subarray(4));
      const right = [
        equal(sessionId, lease.offer.sessionId),
        equal(leaseToken, lease.offer.leaseToken),
        equal(claimCommitment(claimSecret), lease.commitment),
      ];
      if (lease.claimed || right.includes(false)) throw new PeerError('BAD_CLAIM');
      lease.claimed = true;
      lease.listener.close();
      lease.waiting.delete(link);
      for (const other of lease.waiting) other.socket.destroy();
      this.steps.push('claimed');
      const keys = makeKeys(lease, customerKey, yc);
      if (!equal(finished, keys.customerFinished)) throw new PeerError('KEY_EXCHANGE_FAILED');
      const session = new Session(this, this.#options, lease, keys, link);
      await link.within(SESSION_MS, 'LIMIT', () => session.run());
    } finally {
      lease.waiting.delete(link);
    }
  }

  /** The stored receipt of a transaction, a new one, or a refusal. */
  settle(customerId: string, transaction: Document): { type: number; content: Buffer } {
    const key = `${customerId}/${transaction.id.toString('hex')}`;
    const hash = bodyHash(transaction.contentType, transaction.body);
    const refuse = (code: number, retryAfterMs: number, text: string) => ({
      type: INNER.REFUSAL,
      content: encodeRefusal(transaction.id, code, retryAfterMs, text),
    });
    const stored = this.receipts.get(key);
    if (stored !== undefined) {
      // body_hash stands behind transaction_id (16), outcome (1), sequence (8) and committed_time_us (8).
      if (stored.subarray(33, 65).equals(hash)) return { type: INNER.RECEIPT, content: stored };
      return refuse(errorCode('IDEMPOTENCY_CONFLICT'), 0, 'This transaction id was used for another document.');
    }
    const outcome = (this.#options.process ?? commitAll)(customerId, transaction);
    if ('refusal' in outcome) return refuse(outcome.refusal, outcome.retryAfterMs, outcome.text);
    this.#sequence += 1n;
    const unsigned = encodeReceiptUnsigned({
      transactionId: transaction.id,
      outcome: outcome.outcome,
      sequence: this.#sequence,
      committedTimeUs: BigInt(Date.now()) * 1000n,
      bodyHash: hash,
      resultContentType: outcome.contentType,
      result: Buffer.from(outcome.result as Uint8Array),
      salt: randomBytes(16),
      keyId: keyId(this.hostKey),
    });
    const receipt = Buffer.concat([unsigned, this.#sign(receiptSigned(customerId, unsigned))]);
    this.receipts.set(key, receipt);
    return { type: INNER.RECEIPT, content: receipt };
  }

  #sign(message: Buffer): Buffer {
    return (this.#options.sign ?? signAlone)(this.#signingKey, message);
  }

  #mutated(name: string, bytes: Buffer): Buffer {
    return this.#options.mutate?.(name, bytes) ?? bytes;
  }
}

const NO_SECRET = { sharedKey: EMPTY, ciphertext: EMPTY };

/** Section 3.1: an encapsulation key that fails the modulus check of FIPS 203 section 7.2 does not import. */
function encapsulateTo(kemKey: Uint8Array): { sharedKey: Buffer; ciphertext: Buffer } {
  try {
    const key = createPublicKey({ key: Buffer.from(kemKey), format: 'raw-public', asymmetricKeyType: 'ml-kem-768' });
    return encapsulate(key);
  } catch {
    throw new PeerError('KEY_EXCHANGE_FAILED');
  }
}

function makeKeys(lease: Lease, customerKey: Buffer, yc: Buffer): SessionKeys {
  const { group } = lease;
  if (!inRange(group, yc) || equal(yc, lease.offer.ys)) throw new PeerError('KEY_EXCHANGE_FAILED');
  const z = power(group, yc, lease.a);
  lease.a.fill(0);
  if (!inRange(group, z)) throw new PeerError('KEY_EXCHANGE_FAILED');
  return deriveKeys(lease.helloFrame, lease.offerFrame, customerKey.subarray(0, -32), z, lease.k);
}

function commitAll(): Outcome {
  return {
    outcome: 1,
    contentType: 'application/vnd.sallyport.transfer-result+json',
    result: '{"status":"committed"}',
  };
}

function isCustomer(customer: PeerCustomer | undefined, auth: Auth): boolean {
  const stored = Object.entries(customer?.profile ?? {});
  const right = stored.map(([tag, value]) => equal(auth.fields.get(tag) ?? EMPTY, Buffer.from(value as Uint8Array)));
  right.push(equal(auth.credential, customer?.credential ?? Buffer.alloc(32)), stored.length === auth.fields.size);
  right.push(stored.every(([tag]) => auth.fields.has(tag)));
  return customer !== undefined && !right.includes(false);
}

/** The records of one claimed session. */
class Session {
  readonly #server: SecurityServer;
  readonly #options: PeerServerOptions;
  readonly #link: FrameSocket;
  readonly #keys: SessionKeys;
  readonly #out: RecordDirection;
  readonly #in: RecordDirection;

  constructor(server: SecurityServer, options: PeerServerOptions, lease: Lease, keys: SessionKeys, link: FrameSocket) {
    this.#server = server;
    this.#options = options;
    this.#link = link;
    this.#keys = keys;
    this.#out = new RecordDirection(lease.offer.aead, keys.server);
    this.#in = new RecordDirection(lease.offer.aead, keys.customer);
  }

  /** From FINISHED to CLOSE. Its errors travel in records, so nothing is thrown. */
  async run(): Promise<void> {
    try {
      this.#send(INNER.FINISHED, this.#keys.serverFinished);
      const customerId = await this.#link.within(AUTH_MS, 'TIMEOUT', () => this.#authenticate());
      if (customerId !== undefined) await this.#serve(customerId);
      this.#send(INNER.CLOSE, EMPTY);
      this.#server.steps.push('CLOSE sent');
    } catch (error) {
      this.#server.steps.push(error instanceof PeerError ? error.message : String(error));
      const code = codeToSend(error);
      if (code !== undefined) this.#send(INNER.ERROR, encodeError(code));
    }
  }

  async #authenticate(): Promise<string | undefined> {
    const { type, content } = await this.#read();
    if (type !== INNER.AUTH) throw new PeerError('NOT_AUTHENTICATED');
    const auth = decodeAuth(content);
    const right = isCustomer(this.#options.customers[auth.customerId], auth);
    this.#send(INNER.AUTH_RESULT, u8(right ? 0x00 : errorCode('AUTH_FAILED')));
    this.#server.steps.push(`AUTH_RESULT ${right ? 'verified' : 'failed'}`);
    return right ? auth.customerId : undefined;
  }

  async #serve(customerId: string): Promise<void> {
    let transactions = 0;
    for (;;) {
      const { type, content } = await this.#link.within(IDLE_MS, 'TIMEOUT', () => this.#read());
      if (type === INNER.CLOSE && content.length === 0) return;
      if (type === INNER.TRANSACTION) {
        transactions += 1;
        if (transactions > TRANSACTIONS_MAX) throw new PeerError('LIMIT');
        const answer = this.#server.settle(customerId, decodeDocument(content, 16));
        this.#send(answer.type, answer.content);
      } else if (type === INNER.QUERY) {
        const query = decodeDocument(content, 4);
        const unknown = { status: errorCode('TRANSACTION_MALFORMED'), contentType: query.contentType, body: '' };
        const answer = this.#options.answer?.(customerId, query) ?? unknown;
        this.#send(INNER.ANSWER, encodeAnswer(query.id, answer.status, answer.contentType, Buffer.from(answer.body)));
      } else throw new PeerError('BAD_FRAME');
    }
  }

  #send(type: number, content: Buffer): void {
    this.#link.write(this.#out.seal(type, this.#options.mutate?.(`inner ${type}`, content) ?? content));
  }

  /** A record that does not decrypt ends the connection without a word, like one that was cut off. */
  async #read(): Promise<{ type: number; content: Buffer }> {
    const inner = this.#in.open(await this.#link.readFrame(FRAME.RECORD));
    if (inner === undefined) throw new PeerError('TRUNCATED');
    return inner;
  }
}
