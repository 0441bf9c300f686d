import { hash, type KeyObject } from 'node:crypto';
import { hostKeyId, hostKeyOfSeed, rawHostPublicKey, verifyOffer } from '../../src/crypto/identity.ts';
import type { Crypto } from '../../src/crypto/index.ts';
import { encapsulateTo } from '../../src/crypto/kem.ts';
import { makeOffers, type OfferJob, type OfferKeys } from '../../src/crypto/offer-keys.ts';
import { createReceiptSigner, type ReceiptSigner, receiptKeys, verifyReceipt } from '../../src/ledger/receipts.ts';
import { decodeReceipt, receiptSignatureInput, unsignedPart } from '../../src/wire/receipt.ts';

/** What the host key does in a fleet. */
export interface Signatures {
  readonly hostKey: Uint8Array;
  readonly receiptSigner: ReceiptSigner;
  makeOffer(crypto: Crypto, job: OfferJob, exponent: Uint8Array): OfferKeys;
  verifyOffer(hostKey: Uint8Array, helloFrame: Uint8Array, offerFrame: Uint8Array): boolean;
  /** Whether these bytes are a receipt that the host key signed for this customer. */
  isReceipt(bytes: Uint8Array, customerId: string): boolean;
}

const HOST_KEY: KeyObject = hostKeyOfSeed(new Uint8Array(32).fill(7));
const HOST_PUBLIC_KEY = rawHostPublicKey(HOST_KEY);
/** The host's public key, for verification of the whole ledger. */
export const RECEIPT_KEYS = receiptKeys([HOST_PUBLIC_KEY]);
const SIGNATURE_BYTES = 64;

/** Ed25519, as in the product. */
export const REAL_SIGNATURES: Signatures = {
  hostKey: HOST_PUBLIC_KEY,
  receiptSigner: createReceiptSigner(HOST_KEY),
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
  receiptSigner: { keyId: hostKeyId(HOST_PUBLIC_KEY), sign: (message) => keyedHash(message) },
  makeOffer: (crypto, job, exponent) => {
    const publicValue = crypto.publicValue(job.group, exponent);
    const kem =
      job.kemKey.length === 0
        ? { ciphertext: new Uint8Array(0), secret: new Uint8Array(0) }
        : encapsulateTo(job.kemKey);
    if (kem === undefined) return { ok: false, code: 'KEY_EXCHANGE_FAILED' };
    const offerFrame = Uint8Array.from(job.offerFrame);
    offerFrame.set(publicValue, job.publicValueOffset);
    offerFrame.set(kem.ciphertext, job.kemCiphertextOffset);
    const unsigned = offerFrame.subarray(0, offerFrame.length - SIGNATURE_BYTES);
    offerFrame.set(keyedHash(job.helloFrame, unsigned), unsigned.length);
    return { ok: true, offerFrame, publicValue, kemSecret: kem.secret };
  },
  verifyOffer: (_hostKey, helloFrame, offerFrame) => {
    const unsigned = offerFrame.subarray(0, offerFrame.length - SIGNATURE_BYTES);
    return Buffer.compare(keyedHash(helloFrame, unsigned), offerFrame.subarray(unsigned.length)) === 0;
  },
  isReceipt: (bytes, customerId) => {
    const receipt = decodeReceipt(bytes);
    if (receipt === undefined) return false;
    const expected = keyedHash(receiptSignatureInput(customerId, unsignedPart(bytes)));
    return Buffer.compare(expected, receipt.signature) === 0;
  },
};

const STAND_IN_KEY = Buffer.alloc(32, 0x6b);

function keyedHash(...parts: readonly Uint8Array[]): Uint8Array {
  const digest = hash('sha256', Buffer.concat([STAND_IN_KEY, ...parts]), 'buffer');
  return Buffer.concat([digest, digest], SIGNATURE_BYTES);
}
