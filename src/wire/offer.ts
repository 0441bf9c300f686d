import { assert } from '../errors.ts';
import type { Decoded } from './decoded.ts';
import { FieldReader } from './field-reader.ts';
import { ascii8, joinFields, len8, len16 } from './field-writer.ts';
import { encodeFrame } from './frame.ts';
import { RANDOM_BYTES } from './hello.ts';

/** docs/PROTOCOL.md section 3.3. */
export interface Offer {
  /** 32 bytes. */
  readonly serverRandom: Uint8Array;
  /** 16 bytes. */
  readonly sessionId: Uint8Array;
  readonly version: number;
  readonly group: number;
  readonly kem: number;
  readonly aead: number;
  readonly secondPort: number;
  /** Empty: the host of the first port; else ASCII, at most 64 bytes. */
  readonly secondHost: string;
  readonly leaseMs: number;
  /** 32 bytes. */
  readonly leaseToken: Uint8Array;
  readonly g: Uint8Array;
  readonly p: Uint8Array;
  /** Ys. */
  readonly publicValue: Uint8Array;
  /** 1088 bytes, or empty. */
  readonly kemCiphertext: Uint8Array;
  /** Ed25519, 32 bytes. */
  readonly hostKey: Uint8Array;
  /** 32 bytes, or empty. */
  readonly nextHostKey: Uint8Array;
  /** That of a batch (docs/PROTOCOL.md section 3.4). */
  readonly signature: Uint8Array;
}

export const SESSION_ID_BYTES = 16;
export const LEASE_TOKEN_BYTES = 32;
export const SECOND_HOST_BYTES_MAX = 64;
export const PUBLIC_VALUE_BYTES_MIN = 256;
export const PUBLIC_VALUE_BYTES_MAX = 512;
export const KEM_CIPHERTEXT_BYTES = 1088;
export const HOST_KEY_BYTES = 32;

const G_BYTES = 1;
/** Fields of fixed size before second_host: randoms, session, version, three choices, port. */
const SECOND_HOST_OFFSET = RANDOM_BYTES + SESSION_ID_BYTES + 1 + 2 + 2 + 2 + 2;
/** Visible ASCII without spaces: an address or a name; which ones are let through is the customer's configuration. */
const SECOND_HOST = /^[\x21-\x7e]*$/;

/** The body of OFFER up to its signature: what is signed. */
export function encodeUnsignedOffer(offer: Omit<Offer, 'signature'>): Uint8Array {
  assert(offer.serverRandom.length === RANDOM_BYTES, 'server_random has 32 bytes');
  assert(offer.sessionId.length === SESSION_ID_BYTES, 'session_id has 16 bytes');
  assert(offer.leaseToken.length === LEASE_TOKEN_BYTES, 'lease_token has 32 bytes');
  assert(offer.secondHost.length <= SECOND_HOST_BYTES_MAX, 'second_host has at most 64 bytes');
  assert(offer.g.length === G_BYTES, 'g has 1 byte');
  assert([0, KEM_CIPHERTEXT_BYTES].includes(offer.kemCiphertext.length), 'kem_ciphertext has 1088 bytes or none');
  assert(offer.hostKey.length === HOST_KEY_BYTES, 'host_key has 32 bytes');
  assert([0, HOST_KEY_BYTES].includes(offer.nextHostKey.length), 'next_host_key has 32 bytes or none');
  return joinFields([
    offer.serverRandom,
    offer.sessionId,
    [1, offer.version],
    [2, offer.group],
    [2, offer.kem],
    [2, offer.aead],
    [2, offer.secondPort],
    ...ascii8(offer.secondHost),
    [4, offer.leaseMs],
    offer.leaseToken,
    ...len16(offer.g),
    ...len16(offer.p),
    ...len16(offer.publicValue),
    ...len16(offer.kemCiphertext),
    offer.hostKey,
    ...len8(offer.nextHostKey),
  ]);
}

/** The frame of a signed OFFER. */
export function encodeSignedOffer(unsignedOffer: Uint8Array, signature: Uint8Array): Uint8Array {
  return encodeFrame('OFFER', [unsignedOffer, signature]);
}

/** The part of an OFFER's body that is under its signature. */
export function unsignedOffer(body: Uint8Array, { signature }: Offer): Uint8Array {
  return body.subarray(0, body.length - signature.length);
}

/**
 * The body of an OFFER frame. Byte fields are views. Lengths that depend on the choices (p, Ys, kem_ciphertext) are bounded here and
 * compared by the customer's checks, which follow an order of their own.
 */
export function decodeOffer(body: Uint8Array): Decoded<Offer> {
  const fields = new FieldReader(body);
  const number = { min: PUBLIC_VALUE_BYTES_MIN, max: PUBLIC_VALUE_BYTES_MAX };
  return fields.finish({
    serverRandom: fields.bytes(RANDOM_BYTES, 'server_random'),
    sessionId: fields.bytes(SESSION_ID_BYTES, 'session_id'),
    version: fields.u8('version'),
    group: fields.u16('group'),
    kem: fields.u16('kem'),
    aead: fields.u16('aead'),
    secondPort: fields.u16('second_port'),
    secondHost: fields.ascii8('second_host', { min: 0, max: SECOND_HOST_BYTES_MAX }, SECOND_HOST),
    leaseMs: fields.u32('lease_ms'),
    leaseToken: fields.bytes(LEASE_TOKEN_BYTES, 'lease_token'),
    g: fields.bytes16('g', { min: G_BYTES, max: G_BYTES }),
    p: fields.bytes16('p', number),
    publicValue: fields.bytes16('Ys', number),
    kemCiphertext: fields.bytes16('kem_ciphertext', { min: 0, max: KEM_CIPHERTEXT_BYTES }),
    hostKey: fields.bytes(HOST_KEY_BYTES, 'host_key'),
    nextHostKey: readNextHostKey(fields),
    signature: fields.batchSignature('signature'),
  });
}

/** Where what the pool fills in lies in the body of an OFFER. */
export interface OfferOffsets {
  readonly publicValue: number;
  readonly kemCiphertext: number;
}

export function offsetsInOffer(offer: Omit<Offer, 'signature'>): OfferOffsets {
  const p = SECOND_HOST_OFFSET + 1 + offer.secondHost.length + 4 + LEASE_TOKEN_BYTES + 2 + offer.g.length + 2;
  const publicValue = p + offer.p.length + 2;
  return { publicValue, kemCiphertext: publicValue + offer.publicValue.length + 2 };
}

function readNextHostKey(fields: FieldReader): Uint8Array {
  const field = fields.bytes8('next_host_key', { min: 0, max: HOST_KEY_BYTES });
  if (field.length !== 0 && field.length !== HOST_KEY_BYTES) fields.refuse('BAD_FRAME', 'next_host_key is too short');
  return field;
}
