import { createHash, generateKeyPairSync, verify } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { hostKeyId, rawHostPublicKey } from '../../../src/crypto/identity.ts';
import {
  createReceiptSigner,
  type ReceiptDraft,
  receiptKeys,
  sealReceipts,
  transactionHash,
  verifyReceipt,
} from '../../../src/ledger/receipts.ts';
import { decodeReceipt, RECEIPT_BYTES_MAX, RECEIPT_BYTES_MIN, type Receipt } from '../../../src/wire/receipt.ts';
import { KEYS, PRIVATE_KEY, PUBLIC_KEY, SIGNER } from './fixtures.ts';

const FIELDS = {
  transactionId: new Uint8Array(16).fill(0x11),
  outcome: 'partly',
  sequence: 0x0102030405060708n,
  committedTimeUs: 0x1112131415161718n,
  bodyHash: new Uint8Array(32).fill(0x22),
  resultContentType: 'text/plain',
  result: Uint8Array.of(1, 2, 3),
} as const;

const seal = (customerId: string, fields: ReceiptDraft['fields'], signer = SIGNER): Uint8Array =>
  sealReceipts(signer, [{ customerId, fields }])[0]!;
const RECEIPT = seal('alice', FIELDS);

describe('a receipt', () => {
  it('has the layout of docs/PROTOCOL.md section 8', () => {
    const hex = Buffer.from(RECEIPT).toString('hex');
    const expected = [
      '11'.repeat(16),
      '03',
      '0102030405060708',
      '1112131415161718',
      '22'.repeat(32),
      '0a',
      Buffer.from('text/plain').toString('hex'),
      '0003',
      '010203',
      Buffer.from(RECEIPT.subarray(-65 - 24, -65 - 8)).toString('hex'),
      Buffer.from(SIGNER.keyId).toString('hex'),
    ].join('');
    expect(hex.slice(0, -130)).toBe(expected);
    expect(hex.slice(-130, -128)).toBe('00');
    const leaf = createHash('sha256').update('sallyport/1 receipt\0\x05alice').update(Buffer.from(expected, 'hex'));
    const signed = Buffer.concat([Buffer.from('sallyport/1 batch\0'), leaf.digest()]);
    const key = { key: PRIVATE_KEY.export({ format: 'jwk' }), format: 'jwk' } as const;
    expect(verify(null, signed, key, RECEIPT.subarray(-64))).toBe(true);
  });

  it('decodes to what was sealed', () => {
    const { salt, signature, ...fields } = decodeReceipt(RECEIPT)!;
    expect(fields).toEqual({ ...FIELDS, keyId: SIGNER.keyId });
    expect([salt.length, signature.length]).toEqual([16, 65]);
  });

  it('has a salt of its own, and shares its signature with those that were sealed with it', () => {
    const drafts = ['alice', 'bob', 'carol'].map((customerId) => ({ customerId, fields: FIELDS }));
    const receipts = sealReceipts(SIGNER, drafts);
    expect(receipts.map((receipt, index) => verifyReceipt(receipt, drafts[index]!.customerId, KEYS))).toEqual(
      Array(3).fill('valid'),
    );
    const distinct = (of: (receipt: Receipt) => Uint8Array): number =>
      new Set(receipts.map((receipt) => Buffer.from(of(decodeReceipt(receipt)!)).toString('hex'))).size;
    expect(distinct(({ salt }) => salt)).toBe(3);
    expect(distinct(({ signature }) => signature.subarray(-64))).toBe(1);
    expect(verifyReceipt(receipts[0]!, 'bob', KEYS)).toBe('bad-signature');
  });

  it('verifies for its customer, with the right key, alone', () => {
    expect(verifyReceipt(RECEIPT, 'alice', KEYS)).toBe('valid');
    expect(verifyReceipt(RECEIPT, 'alicf', KEYS)).toBe('bad-signature');
    expect(verifyReceipt(RECEIPT, 'alice', receiptKeys([]))).toBe('unknown-key');
    const other = generateKeyPairSync('ed25519');
    expect(verifyReceipt(RECEIPT, 'alice', receiptKeys([rawHostPublicKey(other.publicKey)]))).toBe('unknown-key');
  });

  it('is refused when it was cut anywhere or lengthened', () => {
    for (let length = 0; length < RECEIPT.length; length++)
      expect(verifyReceipt(RECEIPT.subarray(0, length), 'alice', KEYS), String(length)).toBe('malformed');
    expect(verifyReceipt(Uint8Array.of(...RECEIPT, 0), 'alice', KEYS)).toBe('malformed');
  });

  it('is refused with any single bit changed', () => {
    for (let bit = 0; bit < RECEIPT.length * 8; bit++) {
      const changed = Uint8Array.from(RECEIPT);
      changed[bit >> 3]! ^= 1 << (bit & 7);
      expect(verifyReceipt(changed, 'alice', KEYS), `bit ${bit}`).not.toBe('valid');
    }
  });

  it('may be as small and as large as its fields', () => {
    const small = seal('a', { ...FIELDS, resultContentType: 'x', result: new Uint8Array() });
    const large = seal('a', { ...FIELDS, resultContentType: 'x'.repeat(128), result: new Uint8Array(60_000) });
    expect([small.length, large.length]).toEqual([RECEIPT_BYTES_MIN, RECEIPT_BYTES_MAX - 16 * 32]);
    for (const receipt of [small, large]) expect(verifyReceipt(receipt, 'a', KEYS)).toBe('valid');
    expect(() => seal('a', { ...FIELDS, result: new Uint8Array(60_001) })).toThrow('60,000');
    expect(() => seal('a', { ...FIELDS, resultContentType: 'ü' })).toThrow('printable');
  });
});

describe('keys and hashes', () => {
  it('the key id is the beginning of a labelled hash of the public key', () => {
    const expected = createHash('sha256')
      .update('sallyport/1 host key\0')
      .update(PUBLIC_KEY)
      .digest('hex')
      .slice(0, 16);
    expect(Buffer.from(hostKeyId(PUBLIC_KEY)).toString('hex')).toBe(expected);
    // RFC 8032 section 7.1, test 1.
    expect(Buffer.from(PUBLIC_KEY).toString('hex')).toBe(
      'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a',
    );
  });

  it('the body hash covers the type, the body and where one ends', () => {
    const expected = createHash('sha256').update('sallyport/1 transaction\0\x02ab\0\x01c').digest('hex');
    expect(Buffer.from(transactionHash('ab', Buffer.from('c'))).toString('hex')).toBe(expected);
    expect(transactionHash('a', Buffer.from('bc'))).not.toEqual(transactionHash('ab', Buffer.from('c')));
  });

  it('a signer takes PKCS#8 as well, and no other kind of key', () => {
    const signer = createReceiptSigner(PRIVATE_KEY.export({ format: 'der', type: 'pkcs8' }));
    expect(verifyReceipt(seal('alice', FIELDS, signer), 'alice', KEYS)).toBe('valid');
    expect(() => createReceiptSigner(generateKeyPairSync('ed448').privateKey)).toThrow('Ed25519');
  });
});
