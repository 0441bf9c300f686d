import { createPrivateKey, createPublicKey, hash, type KeyObject, sign, verify } from 'node:crypto';
import { hostKeyId, rawHostPublicKey } from '../crypto/identity.ts';
import { assert, SallyportError } from '../errors.ts';
import {
  decodeReceipt,
  encodeUnsignedReceipt,
  RECEIPT_SIGNATURE_BYTES,
  type Receipt,
  receiptSignatureInput,
  transactionHashInput,
  unsignedPart,
} from '../wire/receipt.ts';

/** Whoever holds the host key: the ledger gives it messages and gets Ed25519 signatures (RFC 8032, pure). */
export interface ReceiptSigner {
  /** 8 bytes. */
  readonly keyId: Uint8Array;
  /** 64 bytes. */
  sign(message: Uint8Array): Uint8Array;
}

/** A signer over an Ed25519 private key, given as KeyObject or PKCS#8 DER. */
export function createReceiptSigner(privateKey: KeyObject | Uint8Array): ReceiptSigner {
  const key =
    privateKey instanceof Uint8Array
      ? createPrivateKey({ key: Buffer.from(privateKey), format: 'der', type: 'pkcs8' })
      : privateKey;
  if (key.asymmetricKeyType !== 'ed25519')
    throw new SallyportError('BAD_ARGUMENT', 'the host key is not an Ed25519 private key');
  return { keyId: hostKeyId(rawHostPublicKey(key)), sign: (message) => sign(null, message, key) };
}

/** body_hash of a transaction document. 32 bytes. */
export function transactionHash(contentType: string, body: Uint8Array): Uint8Array {
  return new Uint8Array(hash('sha256', transactionHashInput(contentType, body), 'buffer'));
}

/** Signs a receipt for a customer: its wire bytes. */
export function sealReceipt(
  signer: ReceiptSigner,
  customerId: string,
  fields: Omit<Receipt, 'signature' | 'keyId'>,
): Uint8Array {
  const unsigned = encodeUnsignedReceipt({ ...fields, keyId: signer.keyId });
  const signature = signer.sign(receiptSignatureInput(customerId, unsigned));
  assert(signature.length === RECEIPT_SIGNATURE_BYTES, 'an Ed25519 signature has 64 bytes');
  const bytes = new Uint8Array(unsigned.length + signature.length);
  bytes.set(unsigned);
  bytes.set(signature, unsigned.length);
  return bytes;
}

/** The host keys, present and past, that receipts may be signed by: 32-byte public keys by key id in hexadecimal. */
export type ReceiptKeys = ReadonlyMap<string, KeyObject>;

/** Host public keys (32 bytes each) as `verifyReceipt` wants them. */
export function receiptKeys(publicKeys: readonly Uint8Array[]): ReceiptKeys {
  return new Map(
    publicKeys.map((raw) => {
      const key = createPublicKey({ key: Buffer.from(raw), format: 'raw-public', asymmetricKeyType: 'ed25519' });
      return [Buffer.from(hostKeyId(raw)).toString('hex'), key] as const;
    }),
  );
}

export type ReceiptVerdict = 'valid' | 'malformed' | 'unknown-key' | 'bad-signature';

/** Whether these bytes are a receipt that one of `keys` signed for this customer. */
export function verifyReceipt(receiptBytes: Uint8Array, customerId: string, keys: ReceiptKeys): ReceiptVerdict {
  const receipt = decodeReceipt(receiptBytes);
  if (receipt === undefined) return 'malformed';
  const key = keys.get(Buffer.from(receipt.keyId).toString('hex'));
  if (key === undefined) return 'unknown-key';
  const message = receiptSignatureInput(customerId, unsignedPart(receiptBytes));
  return verify(null, message, key, receipt.signature) ? 'valid' : 'bad-signature';
}
