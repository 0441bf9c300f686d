/** Host keys (Ed25519, RFC 8032): raw bytes and KeyObjects, what they sign, and how a person compares them. */

import { createHash, createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto';
import { assert } from '../errors.ts';
import { signBatch, verifyBatchSignature } from './batch-signature.ts';

export const HOST_PUBLIC_KEY_BYTES = 32;
export const HOST_KEY_SEED_BYTES = 32;
export const HOST_KEY_ID_BYTES = 8;

const OFFER_LABEL = Buffer.from('sallyport/1 offer\0', 'latin1');
const HOST_KEY_LABEL = Buffer.from('sallyport/1 host key\0', 'latin1');

/** The private key of a 32-byte seed, which stays the caller's to wipe. */
export function hostKeyOfSeed(seed: Uint8Array): KeyObject {
  assert(seed.length === HOST_KEY_SEED_BYTES, 'an Ed25519 seed has 32 bytes');
  return createPrivateKey({ key: Buffer.from(seed), format: 'raw-private', asymmetricKeyType: 'ed25519' });
}

/** The 32 bytes of the public key of a private or public KeyObject. */
export function rawHostPublicKey(key: KeyObject): Uint8Array {
  assert(key.asymmetricKeyType === 'ed25519', 'a host key is an Ed25519 key');
  const publicKey = key.type === 'private' ? createPublicKey(key) : key;
  return new Uint8Array(publicKey.export({ format: 'raw-public' }));
}

/** First 8 bytes of SHA-256("sallyport/1 host key" || public key): key_id of receipts, host_key_hint of HELLO. */
export function hostKeyId(publicKey: Uint8Array): Uint8Array {
  assert(publicKey.length === HOST_PUBLIC_KEY_BYTES, 'an Ed25519 public key has 32 bytes');
  return new Uint8Array(
    createHash('sha256').update(HOST_KEY_LABEL).update(publicKey).digest().subarray(0, HOST_KEY_ID_BYTES),
  );
}

/** What a person compares: `SHA256:` and the base64 of SHA-256 over the public key, 43 characters without padding. */
export function hostKeyFingerprint(publicKey: Uint8Array): string {
  assert(publicKey.length === HOST_PUBLIC_KEY_BYTES, 'an Ed25519 public key has 32 bytes');
  return `SHA256:${createHash('sha256').update(publicKey).digest('base64').replace(/=+$/, '')}`;
}

/** An OFFER as the host key signs it (docs/PROTOCOL.md section 3.3). */
export interface SignedOffer {
  /** What it answers. */
  readonly helloFrame: Uint8Array;
  /** The body of OFFER up to its signature. */
  readonly unsignedOffer: Uint8Array;
}

/** Signs OFFERs together: for each its signature (batch-signature.ts), in order. */
export function signOffers(hostKey: KeyObject, offers: readonly SignedOffer[]): Uint8Array[] {
  return signBatch((root) => sign(null, root, hostKey), offers.map(offerMessage));
}

/** Whether `hostKey` (32 bytes) signed this OFFER. */
export function verifyOffer(hostKey: Uint8Array, offer: SignedOffer, signature: Uint8Array): boolean {
  return verifyHostSignature(hostKey, offerMessage(offer), signature);
}

/** Whether `signature` (batch-signature.ts) is one of `hostKey` (32 bytes) over `message`. False for a key that is no point of the curve. */
export function verifyHostSignature(hostKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  if (hostKey.length !== HOST_PUBLIC_KEY_BYTES) return false;
  const key = createPublicKey({ key: Buffer.from(hostKey), format: 'raw-public', asymmetricKeyType: 'ed25519' });
  return verifyBatchSignature((root, ed25519) => verify(null, root, key, ed25519), message, signature);
}

function offerMessage({ helloFrame, unsignedOffer }: SignedOffer): Uint8Array {
  return Buffer.concat([OFFER_LABEL, helloFrame, unsignedOffer]);
}
