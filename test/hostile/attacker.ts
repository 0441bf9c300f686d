/** An attacker's half of the protocol: every step by hand, every field open to be wrong. Its encoder is the independent peer's. */

import { decapsulate, generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto';
import { type Group, groupById, power } from '../interop/peer-groups.ts';
import { encodeAuth, encodeDocument, type Profile } from '../interop/peer-inner.ts';
import { claimCommitment, deriveKeys, RecordDirection, type SessionKeys } from '../interop/peer-keys.ts';
import {
  AES_256_GCM,
  decodeOffer,
  encodeHello,
  FRAME,
  frameHeader,
  type Hello,
  INNER,
  len16,
  ML_KEM_768,
  type Offer,
} from '../interop/peer-wire.ts';
import { describeFrame, RawLink } from './raw-link.ts';

export const TRANSFER = 'application/vnd.sallyport.transfer+json';
export const FFDHE2048 = 0x0100;

export interface Preparation {
  readonly hello: Hello;
  readonly frame: Buffer;
  readonly claimSecret: Buffer;
  readonly kemPrivate: KeyObject;
}

/** A right HELLO, but for what is changed. */
export function prepareHello(changes: Partial<Hello> = {}): Preparation {
  const claimSecret = randomBytes(32);
  const { publicKey, privateKey } = generateKeyPairSync('ml-kem-768');
  const hello: Hello = {
    customerRandom: randomBytes(32),
    claimCommitment: claimCommitment(claimSecret),
    versions: [0x01],
    groups: [FFDHE2048],
    kems: [ML_KEM_768],
    aeads: [AES_256_GCM],
    kemKey: publicKey.export({ format: 'raw-public' }),
    hostKeyHint: Buffer.alloc(0),
    cookie: Buffer.alloc(0),
    puzzleSolution: Buffer.alloc(0),
    ...changes,
  };
  return { hello, frame: encodeHello(hello), claimSecret, kemPrivate: privateKey };
}

/** A session that was offered: what its rightful customer knows. */
export interface Opening extends Preparation {
  readonly offer: Offer;
  readonly offerFrame: Buffer;
  readonly group: Group;
}

/** `behind`: what is sent, against all rules, when the OFFER is there. */
export async function openSession(
  firstPort: number,
  changes: Partial<Hello> = {},
  behind: Uint8Array = new Uint8Array(0),
): Promise<Opening> {
  const prepared = prepareHello(changes);
  const link = await RawLink.to(firstPort);
  const offerFrame = await link.write(prepared.frame).frame();
  link.write(behind).finish();
  if (offerFrame?.[0] !== FRAME.OFFER)
    throw new Error(`no OFFER but ${offerFrame === undefined ? 'an end' : describeFrame(offerFrame)}`);
  const { offer } = decodeOffer(offerFrame.subarray(4));
  return { ...prepared, offer, offerFrame, group: groupById(offer.group)! };
}

/** What a CUSTOMER_KEY may get wrong. `z`: what the attacker knows Z to be, when its share leaves only that. */
export interface KeyChanges {
  readonly sessionId?: Uint8Array;
  readonly leaseToken?: Uint8Array;
  readonly claimSecret?: Uint8Array;
  readonly yc?: Uint8Array;
  readonly z?: Uint8Array;
  readonly k?: Uint8Array;
  readonly finished?: (right: Buffer) => Buffer;
}

export interface KeyMessage {
  readonly frame: Buffer;
  readonly keys: SessionKeys;
}

export function customerKey(opening: Opening, changes: KeyChanges = {}): KeyMessage {
  const { group, offer } = opening;
  const b = randomBytes(group.exponentSize);
  const yc = changes.yc ?? power(group, 2n, b);
  const z = changes.z ?? power(group, offer.ys, b);
  const k =
    changes.k ?? (offer.kem === ML_KEM_768 ? decapsulate(opening.kemPrivate, offer.kemCiphertext) : new Uint8Array(0));
  const body = Buffer.concat([
    changes.sessionId ?? offer.sessionId,
    changes.leaseToken ?? offer.leaseToken,
    changes.claimSecret ?? opening.claimSecret,
    len16(yc),
  ]);
  const unfinished = Buffer.concat([frameHeader(FRAME.CUSTOMER_KEY, body.length + 32), body]);
  const keys = deriveKeys(opening.frame, opening.offerFrame, unfinished, z, k);
  const finished = changes.finished?.(keys.customerFinished) ?? keys.customerFinished;
  return { frame: Buffer.concat([unfinished, finished]), keys };
}

export interface Credentials {
  readonly customerId: string;
  readonly profile: Profile;
  readonly credential: Uint8Array;
}

/** A claimed session, record by record. */
export class Session {
  readonly opening: Opening;
  readonly link: RawLink;
  readonly out: RecordDirection;
  readonly in: RecordDirection;

  constructor(opening: Opening, link: RawLink, keys: SessionKeys) {
    this.opening = opening;
    this.link = link;
    this.out = new RecordDirection(opening.offer.aead, keys.customer);
    this.in = new RecordDirection(opening.offer.aead, keys.server);
  }

  /** Connects to the second port and sends a right CUSTOMER_KEY; what `aboard` sends behind it leaves in the same write. */
  static async claim(
    opening: Opening,
    options: ConstructorParameters<typeof RawLink>[1] = {},
    aboard: (session: Session) => void = () => undefined,
  ): Promise<Session> {
    const { frame, keys } = customerKey(opening);
    const link = await RawLink.to(opening.offer.secondPort, options);
    const session = new Session(opening, link, keys);
    link.socket.cork();
    link.write(frame);
    aboard(session);
    link.socket.uncork();
    return session;
  }

  /** One whole session up to AUTH_RESULT, which is awaited. */
  static async authenticated(firstPort: number, credentials: Credentials): Promise<Session> {
    const session = await Session.claim(await openSession(firstPort));
    session.authenticate(credentials);
    const lines = [await session.next(), await session.next()];
    if (lines[1] !== 'AUTH_RESULT 0') throw new Error(`not authenticated: ${lines.join(', ')}`);
    return session;
  }

  send(type: number, content: Uint8Array = new Uint8Array(0)): this {
    this.link.write(this.out.seal(type, content));
    return this;
  }

  authenticate({ customerId, profile, credential }: Credentials): this {
    return this.send(INNER.AUTH, encodeAuth(customerId, profile, credential));
  }

  transact(body: Uint8Array | string, id: Uint8Array = randomBytes(16), contentType = TRANSFER): this {
    return this.send(INNER.TRANSACTION, encodeDocument(id, contentType, body));
  }

  /** The next frame of the server, in words. */
  async next(): Promise<string> {
    const frame = await this.link.frame();
    return frame === undefined ? 'end' : describeFrame(frame, this.in);
  }

  reaction(): Promise<string[]> {
    return this.link.reaction(this.in);
  }
}
