/**
 * The receipt file: everything needed to check, without any server, that the holder of a host key processed a document for a customer
 * (docs/PROTOCOL.md section 8).
 */

import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import * as z from 'zod';
import { hostKeyId, verifyHostSignature } from '../crypto/identity.ts';
import { SallyportError } from '../errors.ts';
import { TRANSACTION_BODY_BYTES_MAX } from '../limits.ts';
import {
  decodeReceipt,
  isContentType,
  type Receipt,
  receiptSignatureInput,
  transactionHashInput,
  unsignedReceipt,
} from '../wire/receipt.ts';

const FILE_VERSION = 1;
/** A document and a receipt of 60 KiB each in base64, with room. */
const FILE_BYTES_MAX = 256 * 1024;

/** A receipt with what it is about. */
export interface ReceiptEvidence {
  readonly customerId: string;
  readonly transactionId: Uint8Array;
  readonly contentType: string;
  readonly body: Uint8Array;
  /** The RECEIPT as it came on the wire. */
  readonly receipt: Uint8Array;
  /** The host key it was accepted under, 32 bytes. */
  readonly hostKey: Uint8Array;
}

/** One thing that was looked at. */
export interface ReceiptCheck {
  readonly name: string;
  readonly passed: boolean;
  /** What was found, for a person. */
  readonly detail: string;
}

export interface ReceiptVerification {
  readonly valid: boolean;
  readonly checks: readonly ReceiptCheck[];
  /** Undefined when the bytes are no receipt. */
  readonly receipt: Receipt | undefined;
}

/**
 * Checks a receipt against its document, its customer, and its host key, each by itself. With `pinned`, the host key of the evidence must be
 * that one: without it, the checks show only that the evidence agrees with itself.
 */
export function verifyReceipt(evidence: ReceiptEvidence, pinned?: Uint8Array): ReceiptVerification {
  const receipt = decodeReceipt(evidence.receipt);
  const checks: ReceiptCheck[] = [];
  const check = (name: string, passed: boolean, detail: string): void => {
    checks.push({ name, passed, detail });
  };
  if (receipt === undefined) {
    check('form', false, `the ${evidence.receipt.length} bytes are not a Sallyport/1 receipt`);
    return { valid: false, checks, receipt };
  }
  check('form', true, `a Sallyport/1 receipt of ${evidence.receipt.length} bytes`);
  const id = hex(receipt.transactionId);
  check(
    'transaction',
    id === hex(evidence.transactionId),
    id === hex(evidence.transactionId)
      ? `id ${id}`
      : `the receipt is about ${id}, the file about ${hex(evidence.transactionId)}`,
  );
  const documentMatches =
    isContentType(evidence.contentType) &&
    hex(receipt.bodyHash) ===
      createHash('sha256').update(transactionHashInput(evidence.contentType, evidence.body)).digest('hex');
  check(
    'document',
    documentMatches,
    documentMatches
      ? `${evidence.contentType}, ${evidence.body.length} bytes: the hash in the receipt is theirs`
      : 'the document is not the one that the receipt was made for',
  );
  const keyMatches = hex(receipt.keyId) === hex(hostKeyId(evidence.hostKey));
  check(
    'key',
    keyMatches,
    keyMatches
      ? `key id ${hex(receipt.keyId)}`
      : `signed by key id ${hex(receipt.keyId)}, which is not the host key given`,
  );
  const signed = verifyHostSignature(
    evidence.hostKey,
    receiptSignatureInput(evidence.customerId, unsignedReceipt(evidence.receipt, receipt)),
    receipt.signature,
  );
  check(
    'signature',
    signed,
    signed
      ? `Ed25519, for customer ${evidence.customerId}`
      : `the host key did not sign this receipt for customer ${evidence.customerId}`,
  );
  if (pinned !== undefined) {
    const same = hex(pinned) === hex(evidence.hostKey);
    check('pinned key', same, same ? 'the host key is the pinned one' : 'the host key is not the pinned one');
  }
  return { valid: checks.every(({ passed }) => passed), checks, receipt };
}

const bytesOf = (encoding: 'hex' | 'base64', bytesMin: number, bytesMax: number) =>
  z
    .string()
    .transform((text) => new Uint8Array(Buffer.from(text, encoding)))
    .refine((bytes) => bytes.length >= bytesMin && bytes.length <= bytesMax, `must be ${encoding} of the right length`);

const schema = z.strictObject({
  sallyport: z.literal('receipt', 'must be "receipt": this is no receipt file'),
  version: z.literal(FILE_VERSION, `must be ${FILE_VERSION}, the version that this program knows`),
  customer: z.string().min(1).max(255),
  transactionId: bytesOf('hex', 16, 16),
  contentType: z.string().min(1).max(128),
  document: bytesOf('base64', 0, TRANSACTION_BODY_BYTES_MAX),
  receipt: bytesOf('base64', 0, FILE_BYTES_MAX),
  hostKey: bytesOf('hex', 32, 32),
});

export function encodeReceiptFile(evidence: ReceiptEvidence): string {
  const file: z.input<typeof schema> = {
    sallyport: 'receipt',
    version: FILE_VERSION,
    customer: evidence.customerId,
    transactionId: hex(evidence.transactionId),
    contentType: evidence.contentType,
    document: Buffer.from(evidence.body).toString('base64'),
    receipt: Buffer.from(evidence.receipt).toString('base64'),
    hostKey: hex(evidence.hostKey),
  };
  return `${JSON.stringify(file, null, 2)}\n`;
}

/** Writes a receipt file. A receipt holds no secret, but the document is the customer's: mode 0600. */
export async function writeReceiptFile(path: string, evidence: ReceiptEvidence): Promise<void> {
  try {
    await writeFile(path, encodeReceiptFile(evidence), { mode: 0o600, flush: true });
  } catch (error) {
    throw new SallyportError('BAD_FILE', `cannot write the receipt file ${path}: ${messageOf(error)}`, {
      cause: error,
      transactionId: hex(evidence.transactionId),
    });
  }
}

/** Reads a receipt file; its receipt is not yet checked. Throws BAD_FILE. */
export async function readReceiptFile(path: string): Promise<ReceiptEvidence> {
  let content: Uint8Array;
  try {
    content = await readFile(path);
  } catch (error) {
    throw new SallyportError('BAD_FILE', `cannot read the receipt file ${path}: ${messageOf(error)}`, { cause: error });
  }
  const parsed = content.length > FILE_BYTES_MAX ? undefined : schema.safeParse(parseJson(content));
  if (parsed === undefined || !parsed.success) {
    const faults = parsed?.error.issues.map((issue) => `${issue.path.join('.') || 'the file'}: ${issue.message}`) ?? [];
    throw new SallyportError('BAD_FILE', [`${path} is not a receipt file`, ...faults].join('\n'));
  }
  const { data } = parsed;
  return {
    customerId: data.customer,
    transactionId: data.transactionId,
    contentType: data.contentType,
    body: data.document,
    receipt: data.receipt,
    hostKey: data.hostKey,
  };
}

function parseJson(content: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(content));
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
