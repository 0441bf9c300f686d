/** Keys, signatures and records of the independent peer, on the primitives of node:crypto: docs/PROTOCOL.md 3.2 to 3.4, 4.2, 6, 8. */
import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  type KeyObject,
  sign,
  verify,
} from 'node:crypto';
import {
  AES_256_GCM,
  encodeSignature,
  FRAME,
  frameHeader,
  label,
  len16,
  PeerError,
  type Signature,
  u64,
} from './peer-wire.ts';

export function sha256(...parts: readonly Uint8Array[]): Buffer {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest();
}

export function hmac(key: Uint8Array, ...parts: readonly Uint8Array[]): Buffer {
  const mac = createHmac('sha256', key);
  for (const part of parts) mac.update(part);
  return mac.digest();
}

/** RFC 5869 section 2.2. */
export function hkdfExtract(salt: Uint8Array, ikm: Uint8Array): Buffer {
  return hmac(salt, ikm);
}

/** RFC 5869 section 2.3. */
export function hkdfExpand(prk: Uint8Array, info: Uint8Array, length: number): Buffer {
  let block = Buffer.alloc(0);
  const okm: Buffer[] = [];
  for (let counter = 1; okm.length * 32 < length; counter += 1) {
    block = Buffer.from(hmac(prk, block, info, Buffer.of(counter)));
    okm.push(block);
  }
  return Buffer.concat(okm).subarray(0, length);
}

export interface SessionKeys {
  readonly th1: Buffer;
  readonly th2: Buffer;
  readonly prk: Buffer;
  readonly customerFinished: Buffer;
  readonly serverFinished: Buffer;
  readonly customer: { readonly key: Buffer; readonly iv: Buffer };
  readonly server: { readonly key: Buffer; readonly iv: Buffer };
}

/**
 * Section 6. `customerKey` is the CUSTOMER_KEY frame without its last 32 bytes (its header already counts them); TH2 is the
 * hash over the frame as it is when its customer_finished is right.
 */
export function deriveKeys(
  hello: Uint8Array,
  offer: Uint8Array,
  customerKey: Uint8Array,
  z: Uint8Array,
  k: Uint8Array,
): SessionKeys {
  const th1 = sha256(hello, offer, customerKey);
  const prk = hkdfExtract(th1, Buffer.concat([z, k]));
  const key = (name: string, length: number): Buffer =>
    hkdfExpand(prk, Buffer.concat([label(`sallyport/1 ${name}`), th1]), length);
  const customerFinished = hmac(key('customer finished', 32), th1);
  const th2 = sha256(hello, offer, customerKey, customerFinished);
  return {
    th1,
    th2,
    prk,
    customerFinished,
    serverFinished: hmac(key('server finished', 32), th2),
    customer: { key: key('customer key', 32), iv: key('customer iv', 12) },
    server: { key: key('server key', 32), iv: key('server iv', 12) },
  };
}

const TAG_SIZE = 16;
const RECORDS_MAX = 65_536;
const BYTES_MAX = 64 * 1024 * 1024;

export interface Inner {
  readonly type: number;
  readonly content: Buffer;
}

/** One direction of a session's records: counts them, and seals or opens each with the next nonce. */
export class RecordDirection {
  readonly #algorithm: 'aes-256-gcm' | 'chacha20-poly1305';
  readonly #key: Uint8Array;
  readonly #iv: Uint8Array;
  #sequence = 0;
  #bytes = 0;
  constructor(aead: number, keys: { readonly key: Uint8Array; readonly iv: Uint8Array }) {
    this.#algorithm = aead === AES_256_GCM ? 'aes-256-gcm' : 'chacha20-poly1305';
    this.#key = keys.key;
    this.#iv = keys.iv;
  }
  seal(type: number, content: Uint8Array): Buffer {
    const padded = Math.ceil((content.length + 1) / 64) * 64;
    const plaintext = Buffer.alloc(padded);
    plaintext.set(content);
    plaintext[content.length] = type;
    return this.sealPlaintext(plaintext);
  }
  /** Seals a plaintext as it is, padding and all, so that a test can make wrong ones. */
  sealPlaintext(plaintext: Uint8Array): Buffer {
    const header = frameHeader(FRAME.RECORD, plaintext.length + TAG_SIZE);
    const nonce = this.#nextNonce(header.length + plaintext.length + TAG_SIZE);
    const cipher = createCipheriv(this.#algorithm as 'aes-256-gcm', this.#key, nonce, { authTagLength: TAG_SIZE });
    cipher.setAAD(header);
    return Buffer.concat([header, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]);
  }
  /** Opens a RECORD frame: undefined when it does not decrypt, BAD_FRAME when its padding is wrong. */
  open(record: Uint8Array): Inner | undefined {
    const body = record.subarray(4);
    if ((body.length - TAG_SIZE) % 64 !== 0) throw new PeerError('BAD_FRAME');
    const nonce = this.#nextNonce(record.length);
    const decipher = createDecipheriv(this.#algorithm as 'aes-256-gcm', this.#key, nonce, { authTagLength: TAG_SIZE });
    decipher.setAAD(record.subarray(0, 4));
    decipher.setAuthTag(body.subarray(body.length - TAG_SIZE));
    let plaintext: Buffer;
    try {
      plaintext = Buffer.concat([decipher.update(body.subarray(0, body.length - TAG_SIZE)), decipher.final()]);
    } catch {
      return undefined; // the only failure of final() is a wrong tag
    }
    let end = plaintext.length - 1;
    while (end >= 0 && plaintext[end] === 0) end -= 1;
    if (end < 0 || plaintext.length - 1 - end >= 64) throw new PeerError('BAD_FRAME');
    return { type: plaintext[end]!, content: plaintext.subarray(0, end) };
  }
  #nextNonce(bytes: number): Buffer {
    this.#bytes += bytes;
    if (this.#sequence >= RECORDS_MAX || this.#bytes > BYTES_MAX) throw new PeerError('LIMIT');
    const nonce = Buffer.concat([Buffer.alloc(4), u64(BigInt(this.#sequence))]);
    this.#sequence += 1;
    for (let i = 0; i < nonce.length; i += 1) nonce[i]! ^= this.#iv[i]!;
    return nonce;
  }
}

export function privateKeyOfSeed(seed: Uint8Array): KeyObject {
  return createPrivateKey({ key: Buffer.from(seed), format: 'raw-private', asymmetricKeyType: 'ed25519' });
}

export function publicBytes(key: KeyObject): Buffer {
  return Buffer.from((key.type === 'private' ? createPublicKey(key) : key).export({ format: 'raw-public' }));
}

/** Section 3.4: an inner node of the hash tree. */
export function batchNode(one: Uint8Array, other: Uint8Array): Buffer {
  return sha256(label('sallyport/1 batch node'), ...[one, other].sort(Buffer.compare));
}

function rootOf(message: Uint8Array, path: readonly Uint8Array[]): Buffer {
  return path.reduce<Buffer>(batchNode, sha256(message));
}

function rootSigned(root: Uint8Array): Buffer {
  return Buffer.concat([label('sallyport/1 batch'), root]);
}

/** The signature of a message whose path is given: the others of its batch need not be known. */
export function signOnPath(key: KeyObject, message: Uint8Array, path: readonly Uint8Array[]): Buffer {
  return encodeSignature({ path, ed25519: sign(null, rootSigned(rootOf(message, path)), key) });
}

export function signAlone(key: KeyObject, message: Uint8Array): Buffer {
  return signOnPath(key, message, []);
}

/** The signatures of messages signed together: paired in order, the last of an odd number going up as it is. */
export function signTogether(key: KeyObject, messages: readonly Uint8Array[]): Buffer[] {
  const paths = messages.map((): Buffer[] => []);
  let level = messages.map((message, leaf) => ({ node: sha256(message), leaves: [leaf] }));
  while (level.length > 1) {
    level = Array.from({ length: Math.ceil(level.length / 2) }, (_, i) => {
      const [left, right] = [level[2 * i]!, level[2 * i + 1]];
      if (right === undefined) return left;
      for (const leaf of left.leaves) paths[leaf]!.push(right.node);
      for (const leaf of right.leaves) paths[leaf]!.push(left.node);
      return { node: batchNode(left.node, right.node), leaves: [...left.leaves, ...right.leaves] };
    });
  }
  const ed25519 = sign(null, rootSigned(level[0]!.node), key);
  return paths.map((path) => encodeSignature({ path, ed25519 }));
}

export function isSigned(hostKey: Uint8Array, message: Uint8Array, { path, ed25519 }: Signature): boolean {
  const key = createPublicKey({ key: Buffer.from(hostKey), format: 'raw-public', asymmetricKeyType: 'ed25519' });
  return verify(null, rootSigned(rootOf(message, path)), key, ed25519);
}

export function keyId(hostKey: Uint8Array): Buffer {
  return sha256(label('sallyport/1 host key'), hostKey).subarray(0, 8);
}

export function claimCommitment(claimSecret: Uint8Array): Buffer {
  return sha256(label('sallyport/1 claim'), claimSecret);
}

export function solvesPuzzle(cookie: Uint8Array, bits: number, solution: Uint8Array): boolean {
  if (bits === 0) return solution.length === 0;
  const hash = sha256(label('sallyport/1 puzzle'), len16(cookie), solution);
  return solution.length === 8 && hash.readUInt32BE() < 2 ** (32 - bits);
}

export function solvePuzzle(cookie: Uint8Array, bits: number): Buffer {
  if (bits === 0) return Buffer.alloc(0);
  for (let counter = 0n; ; counter += 1n) {
    const solution = u64(counter);
    if (solvesPuzzle(cookie, bits, solution)) return solution;
  }
}
