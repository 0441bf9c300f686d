import { hash, type KeyObject } from 'node:crypto';
import { signBatch, verifyBatchSignature } from '../../src/crypto/batch-signature.ts';
import {
  hostKeyId,
  hostKeyOfSeed,
  rawHostPublicKey,
  type SignedOffer,
  verifyOffer,
} from '../../src/crypto/identity.ts';
import type { Crypto } from '../../src/crypto/index.ts';
import { encapsulateTo } from '../../src/crypto/kem.ts';
import { makeOffers, type OfferJob, type OfferKeys } from '../../src/crypto/offer-keys.ts';
import { createReceiptSigner, type ReceiptSigner, receiptKeys, verifyReceipt } from '../../src/ledger/receipts.ts';
import { decodeReceipt, RECEIPT_SALT_BYTES, receiptSignatureInput, unsignedReceipt } from '../../src/wire/receipt.ts';

/** What the host key does in a fleet. */
export interface Signatures {
  readonly hostKey: Uint8Array;
  readonly receiptSigner: ReceiptSigner;
  makeOffer(crypto: Crypto, job: OfferJob, exponent: Uint8Array): OfferKeys;
  verifyOffer(hostKey: Uint8Array, offer: SignedOffer, signature: Uint8Array): boolean;
  /** Whether these bytes are a receipt that the host key signed for this customer. */
  isReceipt(bytes: Uint8Array, customerId: string): boolean;
}

const HOST_KEY: KeyObject = hostKeyOfSeed(new Uint8Array(32).fill(7));
const HOST_PUBLIC_KEY = rawHostPublicKey(HOST_KEY);
/** The host's public key, for verification of the whole ledger. */
export const RECEIPT_KEYS = receiptKeys([HOST_PUBLIC_KEY]);
const SIGNATURE_BYTES = 64;
/** Nobody guesses here, and a seed must give the same run again. */
const salts = (receipts: number): Uint8Array => new Uint8Array(receipts * RECEIPT_SALT_BYTES);

/** Ed25519, as in the product. */
export const REAL_SIGNATURES: Signatures = {
  hostKey: HOST_PUBLIC_KEY,
  receiptSigner: { ...createReceiptSigner(HOST_KEY), salts },
  makeOffer: (crypto, job, exponent) => makeOffers(crypto, HOST_KEY, [job], [exponent])[0]!,
  verifyOffer,
  isReceipt: (bytes, customerId) => verifyReceipt(bytes, customerId, RECEIPT_KEYS) === 'valid',
};

/**
 * A stand-in for Ed25519 that costs a fiftieth: a keyed hash over the same bytes. Whoever alters a byte cannot make it; both sides of the
 * simulation can, which no machine of the product makes use of.
 */
export const QUICK_SIGNATURES: Signatures = {
  hostKey: HOST_PUBLIC_KEY,
  receiptSigner: { keyId: hostKeyId(HOST_PUBLIC_KEY), sign: keyedHash, salts },
  makeOffer: (crypto, job, exponent) => {
    const publicValue = crypto.publicValue(job.group, exponent);
    const kem =
      job.kemKey.length === 0
        ? { ciphertext: new Uint8Array(0), secret: new Uint8Array(0) }
        : encapsulateTo(job.kemKey);
    if (kem === undefined) return { ok: false, code: 'KEY_EXCHANGE_FAILED' };
    const unsignedOffer = Uint8Array.from(job.unsignedOffer);
    unsignedOffer.set(publicValue, job.publicValueOffset);
    unsignedOffer.set(kem.ciphertext, job.kemCiphertextOffset);
    const [signature] = signBatch(keyedHash, [Buffer.concat([job.helloFrame, unsignedOffer])]);
    return { ok: true, unsignedOffer, signature: signature!, publicValue, kemSecret: kem.secret };
  },
  verifyOffer: (_hostKey, { helloFrame, unsignedOffer }, signature) =>
    verifyBatchSignature(isKeyedHash, Buffer.concat([helloFrame, unsignedOffer]), signature),
  isReceipt: (bytes, customerId) => {
    const receipt = decodeReceipt(bytes);
    if (receipt === undefined) return false;
    const message = receiptSignatureInput(customerId, unsignedReceipt(bytes, receipt));
    return verifyBatchSignature(isKeyedHash, message, receipt.signature);
  },
};

const STAND_IN_KEY = Buffer.alloc(32, 0x6b);

function keyedHash(message: Uint8Array): Uint8Array {
  const digest = hash('sha256', Buffer.concat([STAND_IN_KEY, message]), 'buffer');
  return Buffer.concat([digest, digest], SIGNATURE_BYTES);
}

function isKeyedHash(message: Uint8Array, signature: Uint8Array): boolean {
  return Buffer.compare(keyedHash(message), signature) === 0;
}
