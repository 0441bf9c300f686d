/** Bytes and values of the independent peer: frames, messages, signatures and errors, after docs/PROTOCOL.md 2 to 4, 8, 9. */

export const FRAME = { HELLO: 1, RETRY: 2, OFFER: 3, CUSTOMER_KEY: 4, RECORD: 5, ERROR: 6 } as const;
export const INNER = {
  FINISHED: 0x10,
  AUTH: 0x11,
  AUTH_RESULT: 0x12,
  TRANSACTION: 0x13,
  RECEIPT: 0x14,
  REFUSAL: 0x15,
  QUERY: 0x16,
  ANSWER: 0x17,
  ERROR: 0x18,
  CLOSE: 0x19,
} as const;
export const ML_KEM_768 = 0x0201;
export const NO_KEM = 0x0000;
export const AES_256_GCM = 0x0002;
export const CHACHA20_POLY1305 = 0x001d;

/** Least and greatest body length of each frame type, section 2. */
export const BODY_LENGTHS: Readonly<Record<number, readonly [number, number]>> = {
  [FRAME.HELLO]: [81, 1458],
  [FRAME.RETRY]: [4, 131],
  [FRAME.OFFER]: [713, 2921],
  [FRAME.CUSTOMER_KEY]: [370, 626],
  [FRAME.RECORD]: [80, 65488],
  [FRAME.ERROR]: [5, 5],
};

const ERROR_NAMES = [
  'BAD_FRAME',
  'UNSUPPORTED_VERSION',
  'NO_COMMON_PARAMETERS',
  'BUSY',
  'BAD_COOKIE',
  'TIMEOUT',
  'BAD_CLAIM',
  'KEY_EXCHANGE_FAILED',
  'AUTH_FAILED',
  'NOT_AUTHENTICATED',
  'TRANSACTION_MALFORMED',
  'IDEMPOTENCY_CONFLICT',
  'TOO_LARGE',
  'LIMIT',
  'SHUTDOWN',
  'INTERNAL',
] as const;

/** The errors of section 9, and those that a customer finds by itself and that never travel. */
export type Reason =
  | (typeof ERROR_NAMES)[number]
  | 'HOST_KEY_MISMATCH'
  | 'BAD_OFFER_SIGNATURE'
  | 'DOWNGRADE'
  | 'PARAMETER_MISMATCH'
  | 'BAD_RECEIPT'
  | 'SECOND_RETRY'
  | 'PUZZLE_TOO_HARD'
  | 'TRUNCATED';

export function errorCode(name: (typeof ERROR_NAMES)[number]): number {
  return ERROR_NAMES.indexOf(name) + 1;
}

export class PeerError extends Error {
  readonly reason: Reason;
  /** `plain` or `record`: told by the other side, in that form; `local`: found here. */
  readonly origin: 'local' | 'plain' | 'record';
  readonly retryAfterMs: number;
  constructor(reason: Reason, origin: PeerError['origin'] = 'local', retryAfterMs = 0) {
    super(`${reason} (${origin})`);
    this.reason = reason;
    this.origin = origin;
    this.retryAfterMs = retryAfterMs;
  }
}

/** The code to send for what was found here; what has no code of its own closes without one (undefined). */
export function codeToSend(error: unknown): number | undefined {
  if (!(error instanceof PeerError)) return errorCode('INTERNAL');
  const index = (ERROR_NAMES as readonly string[]).indexOf(error.reason);
  return index < 0 || error.origin !== 'local' ? undefined : index + 1;
}

export function u8(value: number): Buffer {
  return Buffer.of(value);
}

export function u16(value: number): Buffer {
  return Buffer.of(value >> 8, value & 0xff);
}

export function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

export function u64(value: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(value);
  return bytes;
}

export function len8(bytes: Uint8Array | string): Buffer {
  const content = Buffer.from(bytes as Uint8Array);
  return Buffer.concat([u8(content.length), content]);
}

export function len16(bytes: Uint8Array | string): Buffer {
  const content = Buffer.from(bytes as Uint8Array);
  return Buffer.concat([u16(content.length), content]);
}

/** The ASCII bytes of a label and one zero byte. */
export function label(text: string): Buffer {
  return Buffer.from(`${text}\0`, 'ascii');
}

export function frameHeader(type: number, length: number): Buffer {
  return Buffer.concat([u8(type), u8(0x01), u16(length)]);
}

export function frame(type: number, body: Uint8Array): Buffer {
  return Buffer.concat([frameHeader(type, body.length), body]);
}

/** Section 3.4: the hashes from a message's leaf up, and the signature of the root. */
export interface Signature {
  readonly path: readonly Uint8Array[];
  readonly ed25519: Uint8Array;
}

const LEVELS_MAX = 16;

export function encodeSignature({ path, ed25519 }: Signature): Buffer {
  return Buffer.concat([u8(path.length), ...path, ed25519]);
}

/** Reads fields in order; a field that is not there is BAD_FRAME, one above its maximum `tooLong`. */
export class Reader {
  readonly #bytes: Buffer;
  readonly #tooLong: Reason;
  #offset = 0;
  constructor(bytes: Uint8Array, tooLong: Reason = 'BAD_FRAME') {
    this.#bytes = Buffer.from(bytes);
    this.#tooLong = tooLong;
  }
  take(size: number): Buffer {
    const end = this.#offset + size;
    if (end > this.#bytes.length) throw new PeerError('BAD_FRAME');
    const taken = this.#bytes.subarray(this.#offset, end);
    this.#offset = end;
    return taken;
  }
  u8(): number {
    return this.take(1).readUInt8();
  }
  u16(): number {
    return this.take(2).readUInt16BE();
  }
  u32(): number {
    return this.take(4).readUInt32BE();
  }
  u64(): bigint {
    return this.take(8).readBigUInt64BE();
  }
  len8(min: number, max: number): Buffer {
    return this.#between(this.u8(), min, max);
  }
  len16(min: number, max: number): Buffer {
    return this.#between(this.u16(), min, max);
  }
  /** A field that is either empty or of exactly one size. */
  optional(size: number, prefix: 1 | 2): Buffer {
    const length = prefix === 1 ? this.u8() : this.u16();
    if (length !== 0 && length !== size) throw new PeerError('BAD_FRAME');
    return this.take(length);
  }
  /** 1 to 8 different numbers, of one or two bytes. */
  list(width: 1 | 2): number[] {
    const count = this.u8();
    if (count < 1 || count > 8) throw new PeerError('BAD_FRAME');
    const values = Array.from({ length: count }, () => (width === 1 ? this.u8() : this.u16()));
    if (new Set(values).size !== count) throw new PeerError('BAD_FRAME');
    return values;
  }
  /** Section 3.4. */
  signature(): Signature {
    const levels = this.u8();
    if (levels > LEVELS_MAX) throw new PeerError('BAD_FRAME');
    return { path: Array.from({ length: levels }, () => this.take(32)), ed25519: this.take(64) };
  }
  end(): void {
    if (this.#offset !== this.#bytes.length) throw new PeerError('BAD_FRAME');
  }
  #between(length: number, min: number, max: number): Buffer {
    if (length < min) throw new PeerError('BAD_FRAME');
    if (length > max) throw new PeerError(this.#tooLong);
    return this.take(length);
  }
}

export interface Hello {
  readonly customerRandom: Uint8Array;
  readonly claimCommitment: Uint8Array;
  readonly versions: readonly number[];
  readonly groups: readonly number[];
  readonly kems: readonly number[];
  readonly aeads: readonly number[];
  readonly kemKey: Uint8Array;
  readonly hostKeyHint: Uint8Array;
  readonly cookie: Uint8Array;
  readonly puzzleSolution: Uint8Array;
}

/** The body of HELLO without cookie and puzzle_solution: what a cookie is bound to. */
export function encodeHelloStart(hello: Hello): Buffer {
  const list = (values: readonly number[], width: (value: number) => Buffer): Buffer =>
    Buffer.concat([u8(values.length), ...values.map(width)]);
  return Buffer.concat([
    hello.customerRandom,
    hello.claimCommitment,
    list(hello.versions, u8),
    list(hello.groups, u16),
    list(hello.kems, u16),
    list(hello.aeads, u16),
    len16(hello.kemKey),
    len8(hello.hostKeyHint),
  ]);
}

export function encodeHello(hello: Hello): Buffer {
  const body = Buffer.concat([encodeHelloStart(hello), len16(hello.cookie), len8(hello.puzzleSolution)]);
  return frame(FRAME.HELLO, body);
}

export function decodeHello(body: Uint8Array): Hello {
  const r = new Reader(body);
  const hello: Hello = {
    customerRandom: r.take(32),
    claimCommitment: r.take(32),
    versions: r.list(1),
    groups: r.list(2),
    kems: r.list(2),
    aeads: r.list(2),
    kemKey: r.optional(1184, 2),
    hostKeyHint: r.optional(8, 1),
    cookie: r.len16(0, 128),
    puzzleSolution: r.optional(8, 1),
  };
  r.end();
  if (hello.kems.includes(ML_KEM_768) !== hello.kemKey.length > 0) throw new PeerError('BAD_FRAME');
  return hello;
}

export interface Offer {
  readonly serverRandom: Uint8Array;
  readonly sessionId: Uint8Array;
  readonly version: number;
  readonly group: number;
  readonly kem: number;
  readonly aead: number;
  readonly secondPort: number;
  readonly secondHost: string;
  readonly leaseMs: number;
  readonly leaseToken: Uint8Array;
  readonly g: Uint8Array;
  readonly p: Uint8Array;
  readonly ys: Uint8Array;
  readonly kemCiphertext: Uint8Array;
  readonly hostKey: Uint8Array;
  readonly nextHostKey: Uint8Array;
}

/** The body of OFFER up to its signature. */
export function encodeOfferUnsigned(offer: Offer): Buffer {
  return Buffer.concat([
    offer.serverRandom,
    offer.sessionId,
    u8(offer.version),
    u16(offer.group),
    u16(offer.kem),
    u16(offer.aead),
    u16(offer.secondPort),
    len8(Buffer.from(offer.secondHost, 'ascii')),
    u32(offer.leaseMs),
    offer.leaseToken,
    len16(offer.g),
    len16(offer.p),
    len16(offer.ys),
    len16(offer.kemCiphertext),
    offer.hostKey,
    len8(offer.nextHostKey),
  ]);
}

/** What an OFFER's signature covers: `unsigned` is its body up to the signature. */
export function offerSigned(helloFrame: Uint8Array, unsigned: Uint8Array): Buffer {
  return Buffer.concat([label('sallyport/1 offer'), helloFrame, unsigned]);
}

export function decodeOffer(body: Uint8Array): { offer: Offer; signature: Signature } {
  const r = new Reader(body);
  const offer: Offer = {
    serverRandom: r.take(32),
    sessionId: r.take(16),
    version: r.u8(),
    group: r.u16(),
    kem: r.u16(),
    aead: r.u16(),
    secondPort: r.u16(),
    secondHost: r.len8(0, 64).toString('latin1'),
    leaseMs: r.u32(),
    leaseToken: r.take(32),
    g: r.len16(1, 1),
    p: r.len16(256, 512),
    ys: r.len16(256, 512),
    kemCiphertext: r.len16(0, 1088),
    hostKey: r.take(32),
    nextHostKey: r.optional(32, 1),
  };
  const signature = r.signature();
  r.end();
  if (!/^[\x21-\x7e]*$/.test(offer.secondHost)) throw new PeerError('BAD_FRAME');
  return { offer, signature };
}

export function decodeRetry(body: Uint8Array): { puzzleBits: number; cookie: Buffer } {
  const r = new Reader(body);
  const retry = { puzzleBits: r.u8(), cookie: r.len16(1, 128) };
  r.end();
  if (retry.puzzleBits > 32) throw new PeerError('BAD_FRAME');
  return retry;
}

export interface CustomerKey {
  readonly sessionId: Buffer;
  readonly leaseToken: Buffer;
  readonly claimSecret: Buffer;
  readonly yc: Buffer;
  readonly finished: Buffer;
}

export function decodeCustomerKey(body: Uint8Array): CustomerKey {
  const r = new Reader(body);
  const key = {
    sessionId: r.take(16),
    leaseToken: r.take(32),
    claimSecret: r.take(32),
    yc: r.len16(256, 512),
    finished: r.take(32),
  };
  r.end();
  return key;
}

export function encodeError(code: number, retryAfterMs = 0): Buffer {
  return Buffer.concat([u8(code), u32(retryAfterMs)]);
}

export function decodeError(body: Uint8Array, origin: 'plain' | 'record'): PeerError {
  const r = new Reader(body);
  const [code, retryAfterMs] = [r.u8(), r.u32()];
  r.end();
  return new PeerError(ERROR_NAMES[code - 1] ?? 'BAD_FRAME', origin, retryAfterMs);
}
