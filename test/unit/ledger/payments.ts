import { createPrivateKey, type KeyObject } from 'node:crypto';
import type { SubmittedTransaction } from '../../../src/ledger/service.ts';
import { TRANSFER_CONTENT_TYPE } from '../../../src/ledger/transfer-processor.ts';

/** The Ed25519 private key of RFC 8032 section 7.1, test 1, as PKCS#8 DER. */
const SEED = '9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60';
export const PRIVATE_KEY: KeyObject = createPrivateKey({
  key: Buffer.from(`302e020100300506032b657004220420${SEED}`, 'hex'),
  format: 'der',
  type: 'pkcs8',
});
/** 16 bytes that say a number. */
export function transactionId(number: number): Uint8Array {
  const bytes = new Uint8Array(16);
  new DataView(bytes.buffer).setUint32(12, number);
  return bytes;
}

export interface Payment {
  readonly from: string;
  readonly to: string;
  readonly amount: string;
  readonly currency?: string;
  readonly reference?: string;
}

export function payment(customerId: string, id: number, { currency = 'EUR', ...rest }: Payment): SubmittedTransaction {
  return {
    customerId,
    transactionId: transactionId(id),
    contentType: TRANSFER_CONTENT_TYPE,
    body: Buffer.from(JSON.stringify({ ...rest, currency }), 'utf8'),
  };
}
