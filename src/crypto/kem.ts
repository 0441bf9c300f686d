/** ML-KEM-768 (FIPS 203) from node:crypto, in the raw forms that travel. */

import {
  createPrivateKey,
  createPublicKey,
  decapsulate,
  encapsulate,
  generateKeyPairSync,
  type KeyObject,
} from 'node:crypto';
import { assert } from '../errors.ts';

export const KEM_PUBLIC_KEY_BYTES = 1184;
export const KEM_CIPHERTEXT_BYTES = 1088;
export const KEM_SECRET_BYTES = 32;
/** d || z of FIPS 203 §7.1. */
export const KEM_SEED_BYTES = 64;

const ML_KEM_768 = 'ml-kem-768';

/** A key pair for one session. The decapsulation key lives inside OpenSSL, which wipes it when the KeyObject is collected. */
export interface KemKeyPair {
  /** 1184 bytes. */
  readonly publicKey: Uint8Array;
  readonly privateKey: KeyObject;
}

export interface Encapsulated {
  /** 1088 bytes. */
  readonly ciphertext: Uint8Array;
  /** K, 32 bytes. Secret. */
  readonly secret: Uint8Array;
}

export function generateKemKeyPair(): KemKeyPair {
  return withRawPublicKey(generateKeyPairSync(ML_KEM_768).privateKey);
}

/** The key pair of a 64-byte seed: for worked examples and tests. */
export function kemKeyPairOfSeed(seed: Uint8Array): KemKeyPair {
  assert(seed.length === KEM_SEED_BYTES, 'an ML-KEM seed has 64 bytes');
  return withRawPublicKey(
    createPrivateKey({ key: Buffer.from(seed), format: 'raw-seed', asymmetricKeyType: ML_KEM_768 }),
  );
}

/** Undefined for a key that fails the checks of FIPS 203 §7.2 (length, coefficients below q). */
export function encapsulateTo(publicKey: Uint8Array): Encapsulated | undefined {
  const key = importPublicKey(publicKey);
  if (key === undefined) return undefined;
  const { sharedKey, ciphertext } = encapsulate(key);
  assert(sharedKey.length === KEM_SECRET_BYTES && ciphertext.length === KEM_CIPHERTEXT_BYTES, 'ML-KEM-768 lengths');
  return { ciphertext, secret: sharedKey };
}

/** K, 32 bytes, secret. An altered ciphertext gives another K (implicit rejection, FIPS 203 §6.3): customer_finished tells. */
export function decapsulateWith(privateKey: KeyObject, ciphertext: Uint8Array): Uint8Array {
  assert(ciphertext.length === KEM_CIPHERTEXT_BYTES, 'an ML-KEM-768 ciphertext has 1088 bytes');
  return decapsulate(privateKey, ciphertext);
}

function withRawPublicKey(privateKey: KeyObject): KemKeyPair {
  const publicKey = createPublicKey(privateKey).export({ format: 'raw-public' });
  return { publicKey: new Uint8Array(publicKey), privateKey };
}

function importPublicKey(publicKey: Uint8Array): KeyObject | undefined {
  if (publicKey.length !== KEM_PUBLIC_KEY_BYTES) return undefined;
  try {
    return createPublicKey({ key: Buffer.from(publicKey), format: 'raw-public', asymmetricKeyType: ML_KEM_768 });
  } catch (error) {
    // OpenSSL makes FIPS 203's modulus check when it reads the key.
    if ((error as NodeJS.ErrnoException).code === 'ERR_INVALID_ARG_VALUE') return undefined;
    throw error;
  }
}
