import { createHash, generateKeyPairSync, sign } from 'node:crypto';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { signBatch } from '../../../src/crypto/batch-signature.ts';
import { hostKeyId } from '../../../src/crypto/identity.ts';
import {
  encodeReceiptFile,
  type ReceiptEvidence,
  readReceiptFile,
  verifyReceipt,
  writeReceiptFile,
} from '../../../src/customer/receipt-file.ts';
import { TRANSFER_TYPE } from '../../../src/customer/transfer.ts';
import { encodeUnsignedReceipt, receiptSignatureInput, transactionHashInput } from '../../../src/wire/receipt.ts';

const host = generateKeyPairSync('ed25519');
const HOST_KEY = rawKey(host.publicKey);
const BODY = new TextEncoder().encode('{"from":"alice.eur","to":"bob.eur","amount":"1","currency":"EUR"}');
const TRANSACTION_ID = new Uint8Array(16).fill(0xa1);

function rawKey(key: typeof host.publicKey): Uint8Array {
  return new Uint8Array(Buffer.from(key.export({ format: 'jwk' }).x!, 'base64url'));
}

function evidence(): ReceiptEvidence {
  const unsigned = encodeUnsignedReceipt({
    transactionId: TRANSACTION_ID,
    outcome: 'processed',
    sequence: 42n,
    committedTimeUs: 1_700_000_000_000_000n,
    bodyHash: createHash('sha256').update(transactionHashInput(TRANSFER_TYPE, BODY)).digest(),
    resultContentType: 'application/vnd.sallyport.transfer-result+json',
    result: new TextEncoder().encode('{"status":"committed"}'),
    salt: new Uint8Array(16).fill(0x5a),
    keyId: hostKeyId(HOST_KEY),
  });
  const message = receiptSignatureInput('alice', unsigned);
  const signature = signBatch((root) => sign(null, root, host.privateKey), [message])[0]!;
  return {
    customerId: 'alice',
    transactionId: TRANSACTION_ID,
    contentType: TRANSFER_TYPE,
    body: BODY,
    receipt: new Uint8Array(Buffer.concat([unsigned, signature])),
    hostKey: HOST_KEY,
  };
}

function failedChecks(changes: Partial<ReceiptEvidence>, pinned?: Uint8Array): string[] {
  const { valid, checks } = verifyReceipt({ ...evidence(), ...changes }, pinned);
  const failed = checks.filter((check) => !check.passed).map((check) => check.name);
  expect(valid).toBe(failed.length === 0);
  return failed;
}

describe('a receipt', () => {
  it('is valid for its document, customer and host key', () => {
    const { valid, checks, receipt } = verifyReceipt(evidence(), HOST_KEY);
    expect(checks.map(({ name, passed }) => [name, passed])).toEqual(
      ['form', 'transaction', 'document', 'key', 'signature', 'pinned key'].map((name) => [name, true]),
    );
    expect(valid).toBe(true);
    expect(receipt?.sequence).toBe(42n);
  });

  it('with any single bit flipped is not', () => {
    const { receipt } = evidence();
    for (let bit = 0; bit < receipt.length * 8; bit++) {
      const flipped = receipt.slice();
      flipped[bit >> 3]! ^= 1 << (bit & 7);
      expect(verifyReceipt({ ...evidence(), receipt: flipped }).valid, `bit ${bit}`).toBe(false);
    }
  });

  it('cut or extended is not', () => {
    const { receipt } = evidence();
    for (let length = 0; length < receipt.length; length++) {
      expect(verifyReceipt({ ...evidence(), receipt: receipt.subarray(0, length) }).valid).toBe(false);
    }
    expect(failedChecks({ receipt: new Uint8Array([...receipt, 0]) })).toEqual(['form']);
  });

  it('names the check that fails', () => {
    const stranger = rawKey(generateKeyPairSync('ed25519').publicKey);
    expect(failedChecks({ body: BODY.slice(1) })).toEqual(['document']);
    expect(failedChecks({ contentType: 'text/plain' })).toEqual(['document']);
    expect(failedChecks({ contentType: 'Ünprintable' })).toEqual(['document']);
    expect(failedChecks({ transactionId: new Uint8Array(16) })).toEqual(['transaction']);
    expect(failedChecks({ customerId: 'bob' })).toEqual(['signature']);
    expect(failedChecks({ hostKey: stranger })).toEqual(['key', 'signature']);
    expect(failedChecks({ hostKey: new Uint8Array(32).fill(0xff) })).toEqual(['key', 'signature']);
    expect(failedChecks({}, stranger)).toEqual(['pinned key']);
  });
});

describe('a receipt file', () => {
  let directory: string;
  let path: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'sallyport-receipt-'));
    path = join(directory, 'receipt.json');
  });
  afterEach(() => rm(directory, { recursive: true }));

  it('holds all that verifying needs', async () => {
    await writeReceiptFile(path, evidence());
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    const read = await readReceiptFile(path);
    expect(read).toEqual(evidence());
    expect(verifyReceipt(read, HOST_KEY).valid).toBe(true);
  });

  it('is refused with a sentence when it is something else', async () => {
    await expect(readReceiptFile(path)).rejects.toMatchObject({ code: 'BAD_FILE' });
    const right = JSON.parse(encodeReceiptFile(evidence()));
    for (const wrong of [
      '[]',
      'oops',
      JSON.stringify({ ...right, version: 2 }),
      JSON.stringify({ ...right, hostKey: 'abcd' }),
      JSON.stringify({ ...right, sallyport: 'customer' }),
      ' '.repeat(300_000),
    ]) {
      await writeFile(path, wrong);
      await expect(readReceiptFile(path)).rejects.toMatchObject({
        code: 'BAD_FILE',
        message: expect.stringContaining(path),
      });
    }
    await expect(writeReceiptFile(join(directory, 'x', 'y'), evidence())).rejects.toMatchObject({ code: 'BAD_FILE' });
  });
});
