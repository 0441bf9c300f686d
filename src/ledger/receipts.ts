import { createPrivateKey, createPublicKey, hash, type KeyObject, randomBytes, sign, verify } from 'node:crypto';
import { signBatch, verifyBatchSignature } from '../crypto/batch-signature.ts';
import { hostKeyId, rawHostPublicKey } from '../crypto/identity.ts';
import { SallyportError } from '../errors.ts';
import { joinFields } from '../wire/field-writer.ts';
import {
  decodeReceipt,
  encodeUnsignedReceipt,
  RECEIPT_SALT_BYTES,
  type Receipt,
  receiptSignatureInput,
  transactionHashInput,
  unsignedReceipt,
} from '../wire/receipt.ts';

/** Whoever holds the host key. */
export interface ReceiptSigner {
  /** 8 bytes. */
  readonly keyId: Uint8Array;
  /** Ed25519 (RFC 8032, pure), 64 bytes. */
  sign(message: Uint8Array): Uint8Array;
  /** Fresh random bytes, 16 for each of so many receipts. */
  salts(receipts: number): Uint8Array;
}

/** A signer over an Ed25519 private key, given as KeyObject or PKCS#8 DER. */
export function createReceiptSigner(privateKey: KeyObject | Uint8Array): ReceiptSigner {
  const key =
    privateKey instanceof Uint8Array
      ? createPrivateKey({ key: Buffer.from(privateKey), format: 'der', type: 'pkcs8' })
      : privateKey;
  if (key.asymmetricKeyType !== 'ed25519')
    throw new SallyportError('BAD_ARGUMENT', 'the host key is not an Ed25519 private key');
  return {
    keyId: hostKeyId(rawHostPublicKey(key)),
    sign: (message) => sign(null, message, key),
    salts: (receipts) => randomBytes(receipts * RECEIPT_SALT_BYTES),
  };
}

/** body_hash of a transaction document. 32 bytes. */
export function transactionHash(contentType: string, body: Uint8Array): Uint8Array {
  return new Uint8Array(hash('sha256', transactionHashInput(contentType, body), 'buffer'));
}

/** A receipt that is not signed yet, and whose it is. */
export interface ReceiptDraft {
  readonly customerId: string;
  readonly fields: Omit<Receipt, 'salt' | 'keyId' | 'signature'>;
}

/** Signs receipts together: their wire bytes, in order. */
export function sealReceipts(signer: ReceiptSigner, drafts: readonly ReceiptDraft[]): Uint8Array[] {
  const salts = signer.salts(drafts.length);
  const unsigned = drafts.map(({ fields }, index) => {
    const salt = salts.subarray(index * RECEIPT_SALT_BYTES, (index + 1) * RECEIPT_SALT_BYTES);
    return encodeUnsignedReceipt({ ...fields, salt, keyId: signer.keyId });
  });
  const messages = drafts.map(({ customerId }, index) => receiptSignatureInput(customerId, unsigned[index]!));
  const signatures = signBatch((root) => signer.sign(root), messages);
  return unsigned.map((receipt, index) => joinFields([receipt, signatures[index]!]));
}

type Verify = (message: Uint8Array, signature: Uint8Array) => boolean;
/** The host keys, present and past, that receipts may be signed by, by key id in hexadecimal. */
export type ReceiptKeys = ReadonlyMap<string, Verify>;

/** Host public keys (32 bytes each) as `verifyReceipt` wants them. */
export function receiptKeys(publicKeys: readonly Uint8Array[]): ReceiptKeys {
  return new Map(
    publicKeys.map((raw) => {
      const key = createPublicKey({ key: Buffer.from(raw), format: 'raw-public', asymmetricKeyType: 'ed25519' });
      return [Buffer.from(hostKeyId(raw)).toString('hex'), verifierOf(key)] as const;
    }),
  );
}

/** Ed25519 that remembers what it last found good: the receipts of one commit share a signature, and are mostly asked for in a row. */
function verifierOf(key: KeyObject): Verify {
  let good: Buffer | undefined;
  return (message, signature) => {
    const asked = Buffer.concat([message, signature]);
    if (good?.equals(asked)) return true;
    if (!verify(null, message, key, signature)) return false;
    good = asked;
    return true;
  };
}

export type ReceiptVerdict = 'valid' | 'malformed' | 'unknown-key' | 'bad-signature';

/** Whether these bytes are a receipt that one of `keys` signed for this customer. */
export function verifyReceipt(receiptBytes: Uint8Array, customerId: string, keys: ReceiptKeys): ReceiptVerdict {
  const receipt = decodeReceipt(receiptBytes);
  if (receipt === undefined) return 'malformed';
  const verifyRoot = keys.get(Buffer.from(receipt.keyId).toString('hex'));
  if (verifyRoot === undefined) return 'unknown-key';
  const message = receiptSignatureInput(customerId, unsignedReceipt(receiptBytes, receipt));
  return verifyBatchSignature(verifyRoot, message, receipt.signature) ? 'valid' : 'bad-signature';
}
