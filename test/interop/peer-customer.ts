/** The customer of the independent peer: a whole session of docs/PROTOCOL.md over TCP, from HELLO to CLOSE. */
import { decapsulate, generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto';
import { groupById, inRange, power, toBytes } from './peer-groups.ts';
import {
  type Answer,
  decodeAnswer,
  decodeReceipt,
  decodeRefusal,
  encodeAuth,
  encodeDocument,
  type Profile,
  type Receipt,
  type Refusal,
  receiptIsValid,
} from './peer-inner.ts';
import {
  claimCommitment,
  deriveKeys,
  isSigned,
  keyId,
  RecordDirection,
  type SessionKeys,
  solvePuzzle,
} from './peer-keys.ts';
import { FrameSocket } from './peer-socket.ts';
import {
  AES_256_GCM,
  CHACHA20_POLY1305,
  decodeError,
  decodeOffer,
  decodeRetry,
  encodeHello,
  encodeSignature,
  FRAME,
  frameHeader,
  type Hello,
  INNER,
  len16,
  ML_KEM_768,
  NO_KEM,
  type Offer,
  offerSigned,
  PeerError,
} from './peer-wire.ts';

export interface CustomerPolicy {
  readonly groups?: readonly number[];
  readonly kems?: readonly number[];
  readonly aeads?: readonly number[];
  /** Other second hosts that an OFFER may name. */
  readonly secondHosts?: readonly string[];
  /** The hardest puzzle of a RETRY that it works on; 20 by default, about a million hashes. */
  readonly puzzleBitsMax?: number;
}

export interface CustomerDocument {
  readonly transactionId?: Uint8Array;
  readonly contentType: string;
  readonly body: Uint8Array | string;
}

export interface CustomerQuery {
  readonly queryId?: Uint8Array;
  readonly contentType: string;
  readonly body: Uint8Array | string;
}

export interface CustomerOptions {
  readonly host: string;
  readonly port: number;
  /** 32 bytes, Ed25519. */
  readonly pinnedHostKey: Uint8Array;
  /** The next_host_key of an earlier OFFER that was accepted. */
  readonly announcedHostKey?: Uint8Array;
  readonly customerId: string;
  readonly profile: Profile;
  /** 32 bytes. */
  readonly credential: Uint8Array;
  readonly policy?: CustomerPolicy;
  readonly documents?: readonly CustomerDocument[];
  readonly queries?: readonly CustomerQuery[];
  /** Host keys of the past, whose receipts are still right. */
  readonly formerHostKeys?: readonly Uint8Array[];
  /** `one-flight` (default) sends what it may without waiting; `step-by-step` waits for every answer. */
  readonly pacing?: 'one-flight' | 'step-by-step';
  /** Gets every step as it happens, also of a session that fails. */
  readonly steps?: string[];
  /** Changes what is sent, by name of the frame or inner message, so that a test can break one thing. */
  readonly mutate?: (name: string, bytes: Buffer) => Buffer;
  /** Runs between OFFER and CUSTOMER_KEY, so that a test can be at the leased port first. */
  readonly beforeSecondPort?: (offer: Offer) => Promise<void>;
  readonly timeoutMs?: number;
}

export interface CustomerResult {
  readonly offer: Offer;
  /** 0x00 verified, 0x09 not: then there are no answers. */
  readonly authResult: number;
  /** One for each document and query, in order. Receipts are verified. */
  readonly answers: readonly (Receipt | Refusal | Answer)[];
  readonly receipts: readonly Receipt[];
  readonly steps: readonly string[];
}

/** Section 4.2: transactions and queries unanswered. */
const UNANSWERED_MAX = 64;

/** Runs one session. Fails with a PeerError: `origin` says who found the fault. */
export async function runCustomer(options: CustomerOptions): Promise<CustomerResult> {
  const steps = options.steps ?? [];
  const limitMs = options.timeoutMs ?? 10_000;
  const mutate = options.mutate ?? ((_name: string, bytes: Buffer): Buffer => bytes);
  const claimSecret = randomBytes(32);
  const kems = options.policy?.kems ?? [ML_KEM_768, NO_KEM];
  const kemPair = kems.includes(ML_KEM_768) ? generateKeyPairSync('ml-kem-768') : undefined;
  const hello: Hello = {
    customerRandom: randomBytes(32),
    claimCommitment: claimCommitment(claimSecret),
    versions: [0x01],
    groups: options.policy?.groups ?? [0x0101, 0x0100, 0x0102],
    kems,
    aeads: options.policy?.aeads ?? [AES_256_GCM, CHACHA20_POLY1305],
    kemKey: kemPair?.publicKey.export({ format: 'raw-public' }) ?? Buffer.alloc(0),
    hostKeyHint: keyId(options.pinnedHostKey),
    cookie: Buffer.alloc(0),
    puzzleSolution: Buffer.alloc(0),
  };

  // First port: one HELLO, and one more after a RETRY.
  let helloFrame = encodeHello(hello);
  let reply = await askFirstPort(options, mutate('HELLO', helloFrame), limitMs);
  steps.push('HELLO sent');
  if (reply[0] === FRAME.RETRY) {
    const { puzzleBits, cookie } = decodeRetry(reply.subarray(4));
    steps.push(`RETRY received, puzzle of ${puzzleBits} bits`);
    if (puzzleBits > (options.policy?.puzzleBitsMax ?? 20)) throw new PeerError('PUZZLE_TOO_HARD');
    helloFrame = encodeHello({ ...hello, cookie, puzzleSolution: solvePuzzle(cookie, puzzleBits) });
    reply = await askFirstPort(options, mutate('HELLO with cookie', helloFrame), limitMs);
    if (reply[0] === FRAME.RETRY) throw new PeerError('SECOND_RETRY');
  }
  if (reply[0] === FRAME.ERROR) throw decodeError(reply.subarray(4), 'plain');
  const { offer, levels } = acceptOffer(options, hello, helloFrame, reply);
  steps.push(`OFFER accepted, second port ${offer.secondPort}, signature of ${levels} levels`);

  // Second port: Yc, and the keys.
  const { keys, customerKey } = makeKeys(hello, helloFrame, offer, reply, claimSecret, kemPair?.privateKey);
  await options.beforeSecondPort?.(offer);
  const link = await FrameSocket.connect(offer.secondHost || options.host, offer.secondPort);
  try {
    return await link.within(limitMs, 'TIMEOUT', () => new Session(options, offer, keys, link, steps).run(customerKey));
  } finally {
    link.close();
  }
}

async function askFirstPort(options: CustomerOptions, helloFrame: Buffer, limitMs: number): Promise<Buffer> {
  const link = await FrameSocket.connect(options.host, options.port);
  try {
    link.write(helloFrame);
    return await link.within(limitMs, 'TIMEOUT', () => link.readFrame(FRAME.OFFER, FRAME.RETRY, FRAME.ERROR));
  } finally {
    link.close();
  }
}

/** The five checks of section 3.3, in their order. */
function acceptOffer(
  options: CustomerOptions,
  hello: Hello,
  helloFrame: Buffer,
  offerFrame: Buffer,
): { offer: Offer; levels: number } {
  const { offer, signature } = decodeOffer(offerFrame.subarray(4));
  const trusted = [options.pinnedHostKey, ...(options.announcedHostKey ? [options.announcedHostKey] : [])];
  if (!trusted.some((key) => Buffer.compare(key, offer.hostKey) === 0)) throw new PeerError('HOST_KEY_MISMATCH');
  const signed = offerSigned(helloFrame, offerFrame.subarray(4, -encodeSignature(signature).length));
  if (!isSigned(offer.hostKey, signed, signature)) throw new PeerError('BAD_OFFER_SIGNATURE');
  const group = groupById(offer.group);
  const chosen =
    hello.versions.includes(offer.version) &&
    hello.groups.includes(offer.group) &&
    hello.kems.includes(offer.kem) &&
    hello.aeads.includes(offer.aead);
  if (!chosen || group === undefined) throw new PeerError('DOWNGRADE');
  const named =
    Buffer.compare(offer.g, Buffer.of(2)) === 0 &&
    Buffer.compare(offer.p, toBytes(group.p, group.size)) === 0 &&
    offer.kemCiphertext.length === (offer.kem === ML_KEM_768 ? 1088 : 0) &&
    offer.secondPort >= 1024 &&
    (offer.secondHost === '' || (options.policy?.secondHosts ?? []).includes(offer.secondHost));
  if (!named) throw new PeerError('PARAMETER_MISMATCH');
  if (!inRange(group, offer.ys)) throw new PeerError('KEY_EXCHANGE_FAILED');
  return { offer, levels: signature.path.length };
}

function makeKeys(
  hello: Hello,
  helloFrame: Buffer,
  offer: Offer,
  offerFrame: Buffer,
  claimSecret: Buffer,
  kemPrivate: KeyObject | undefined,
): { keys: SessionKeys; customerKey: Buffer } {
  const group = groupById(offer.group)!;
  const b = randomBytes(group.exponentSize);
  const yc = power(group, 2n, b);
  const z = power(group, offer.ys, b);
  b.fill(0);
  if (!inRange(group, z)) throw new PeerError('KEY_EXCHANGE_FAILED');
  const useKem = offer.kem === ML_KEM_768 && kemPrivate !== undefined && hello.kemKey.length > 0;
  const k = useKem ? decapsulate(kemPrivate, offer.kemCiphertext) : Buffer.alloc(0);
  const body = Buffer.concat([offer.sessionId, offer.leaseToken, claimSecret, len16(yc)]);
  const unfinished = Buffer.concat([frameHeader(FRAME.CUSTOMER_KEY, body.length + 32), body]);
  const keys = deriveKeys(helloFrame, offerFrame, unfinished, z, k);
  return { keys, customerKey: Buffer.concat([unfinished, keys.customerFinished]) };
}

type Item =
  | { readonly kind: 'transaction'; readonly id: Uint8Array; readonly document: CustomerDocument }
  | { readonly kind: 'query'; readonly id: Uint8Array; readonly document: CustomerQuery };

/** The second port from CUSTOMER_KEY on. */
class Session {
  readonly #options: CustomerOptions;
  readonly #offer: Offer;
  readonly #keys: SessionKeys;
  readonly #link: FrameSocket;
  readonly #steps: string[];
  readonly #out: RecordDirection;
  readonly #in: RecordDirection;
  readonly #items: readonly Item[];
  readonly #answers: (Receipt | Refusal | Answer)[] = [];
  #sent = 0;
  #closed = false;
  #records = 0;

  constructor(options: CustomerOptions, offer: Offer, keys: SessionKeys, link: FrameSocket, steps: string[]) {
    this.#options = options;
    this.#offer = offer;
    this.#keys = keys;
    this.#link = link;
    this.#steps = steps;
    this.#out = new RecordDirection(offer.aead, keys.customer);
    this.#in = new RecordDirection(offer.aead, keys.server);
    this.#items = [
      ...(options.documents ?? []).map(
        (document): Item => ({ kind: 'transaction', id: document.transactionId ?? randomBytes(16), document }),
      ),
      ...(options.queries ?? []).map(
        (document): Item => ({ kind: 'query', id: document.queryId ?? randomBytes(4), document }),
      ),
    ];
  }

  async run(customerKey: Buffer): Promise<CustomerResult> {
    const eager = this.#options.pacing !== 'step-by-step';
    const auth = encodeAuth(this.#options.customerId, this.#options.profile, this.#options.credential);
    this.#write(this.#mutated('CUSTOMER_KEY', customerKey), 'CUSTOMER_KEY sent');
    if (eager) {
      this.#sendRecord(INNER.AUTH, auth, 'AUTH');
      this.#sendItems(UNANSWERED_MAX);
    }
    const finished = await this.#read(INNER.FINISHED);
    if (!finished.equals(this.#keys.serverFinished)) throw new PeerError('KEY_EXCHANGE_FAILED');
    this.#steps.push('FINISHED right');

    if (!eager) this.#sendRecord(INNER.AUTH, auth, 'AUTH');
    const authResult = await this.#read(INNER.AUTH_RESULT);
    if (authResult.length !== 1) throw new PeerError('BAD_FRAME');
    this.#steps.push(`AUTH_RESULT ${authResult[0]}`);
    if (authResult[0] !== 0) {
      if (authResult[0] !== 0x09) throw new PeerError('BAD_FRAME');
      await this.#readClose();
      return this.#result(authResult[0]);
    }

    while (this.#answers.length < this.#items.length) {
      this.#sendItems(eager ? UNANSWERED_MAX : 1);
      if (eager) this.#closeWhenAllIsSent();
      await this.#readAnswer(this.#items[this.#answers.length]!);
    }
    this.#closeWhenAllIsSent();
    await this.#readClose();
    return this.#result(0);
  }

  #sendItems(unanswered: number): void {
    while (this.#sent < this.#items.length && this.#sent - this.#answers.length < unanswered) {
      const item = this.#items[this.#sent]!;
      this.#sent += 1;
      const content = encodeDocument(item.id, item.document.contentType, item.document.body);
      if (item.kind === 'transaction') this.#sendRecord(INNER.TRANSACTION, content, 'TRANSACTION');
      else this.#sendRecord(INNER.QUERY, content, 'QUERY');
    }
  }

  /** Section 4.3: CLOSE goes when nothing more is asked, answered or not. */
  #closeWhenAllIsSent(): void {
    if (this.#closed || this.#sent < this.#items.length) return;
    this.#closed = true;
    this.#sendRecord(INNER.CLOSE, Buffer.alloc(0), 'CLOSE');
  }

  async #readAnswer(item: Item): Promise<void> {
    const { type, content } = await this.#readInner();
    const answer = this.#decodeAnswer(item, type, content);
    const id = answer.kind === 'answer' ? answer.queryId : answer.transactionId;
    if (Buffer.compare(id, item.id) !== 0) throw new PeerError('BAD_FRAME');
    if (answer.kind === 'receipt') {
      const { pinnedHostKey, announcedHostKey, formerHostKeys = [], customerId } = this.#options;
      const hostKeys = [this.#offer.hostKey, pinnedHostKey, ...formerHostKeys];
      if (announcedHostKey) hostKeys.push(announcedHostKey);
      if (!receiptIsValid(answer, customerId, item.document, hostKeys)) throw new PeerError('BAD_RECEIPT');
    }
    this.#answers.push(answer);
    this.#steps.push(`${answer.kind} received`);
  }

  #decodeAnswer(item: Item, type: number, content: Buffer): Receipt | Refusal | Answer {
    if (item.kind === 'query' && type === INNER.ANSWER) return decodeAnswer(content);
    if (item.kind === 'transaction' && type === INNER.RECEIPT) return decodeReceipt(content);
    if (item.kind === 'transaction' && type === INNER.REFUSAL) return decodeRefusal(content);
    throw new PeerError('BAD_FRAME');
  }

  async #readClose(): Promise<void> {
    if ((await this.#read(INNER.CLOSE)).length !== 0) throw new PeerError('BAD_FRAME');
    this.#steps.push('CLOSE received');
  }

  async #read(expected: number): Promise<Buffer> {
    const { type, content } = await this.#readInner();
    if (type !== expected) throw new PeerError('BAD_FRAME');
    return content;
  }

  /** The next inner message; an ERROR, plain in place of the first record or inside one, is thrown. */
  async #readInner(): Promise<{ type: number; content: Buffer }> {
    const expected = this.#records === 0 ? [FRAME.RECORD, FRAME.ERROR] : [FRAME.RECORD];
    const received = await this.#link.readFrame(...expected);
    if (received[0] === FRAME.ERROR) throw decodeError(received.subarray(4), 'plain');
    this.#records += 1;
    const inner = this.#in.open(received);
    if (inner === undefined) throw new PeerError('TRUNCATED');
    if (inner.type === INNER.ERROR) throw decodeError(inner.content, 'record');
    return inner;
  }

  #sendRecord(type: number, content: Buffer, name: string): void {
    this.#write(this.#mutated(`${name} record`, this.#out.seal(type, this.#mutated(name, content))), `${name} sent`);
  }

  #mutated(name: string, bytes: Buffer): Buffer {
    return this.#options.mutate?.(name, bytes) ?? bytes;
  }

  #write(bytes: Buffer, step: string): void {
    this.#link.write(bytes);
    this.#steps.push(step);
  }

  #result(authResult: number): CustomerResult {
    return {
      offer: this.#offer,
      authResult,
      answers: this.#answers,
      receipts: this.#answers.filter((answer) => answer.kind === 'receipt'),
      steps: this.#steps,
    };
  }
}
