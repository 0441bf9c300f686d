import type { KeyObject } from 'node:crypto';
import { assert, type ErrorCode, SallyportError } from '../errors.ts';
import { TRANSACTION_ID_BYTES } from '../limits.ts';
import { type CustomerRecord, type CustomerStatus, DIGEST_BYTES } from './identity.ts';
import type { LedgerService, RefusalCode, SubmitResult, SubmittedTransaction } from './service.ts';
import type { LedgerCheck } from './storage/sqlite-check.ts';

/** What the ledger's thread is started with. */
export interface ThreadSettings {
  readonly path: string;
  readonly pagesMax: number | undefined;
  readonly check: LedgerCheck;
  readonly privateKey: KeyObject;
  readonly processors: readonly string[];
  readonly baseDirectory: string;
}

/** Every method but `submit`, which has a packed message of its own. */
export type CallName = Exclude<keyof LedgerService, 'submit'>;

export interface Call {
  readonly method: CallName;
  readonly parameters: readonly unknown[];
}

/** Transactions side by side in one buffer, which is handed over and not copied: id (16) and body of each, in order. */
export interface PackedTransactions {
  readonly customerIds: readonly string[];
  readonly contentTypes: readonly string[];
  readonly bodyLengths: readonly number[];
  readonly bytes: Uint8Array<ArrayBuffer>;
}

export interface PackedResults {
  readonly results: readonly (
    | { readonly receiptLength: number; readonly replayed: boolean }
    | { readonly code: RefusalCode; readonly text: string }
  )[];
  readonly bytes: Uint8Array<ArrayBuffer>;
}

export interface ThreadError {
  readonly code: ErrorCode;
  readonly message: string;
}

export type Outcome<T> = { readonly value: T } | { readonly error: ThreadError };

export type ToThread =
  | { readonly kind: 'submit'; readonly transactions: PackedTransactions }
  | { readonly kind: 'calls'; readonly calls: readonly Call[] }
  | { readonly kind: 'close' };

export type FromThread =
  | { readonly kind: 'ready' }
  | { readonly kind: 'failed'; readonly error: ThreadError }
  | { readonly kind: 'submitted'; readonly outcome: Outcome<PackedResults> }
  | { readonly kind: 'called'; readonly outcomes: readonly Outcome<unknown>[] }
  | { readonly kind: 'processor-failed'; readonly contentType: string; readonly message: string };

export function packTransactions(transactions: readonly SubmittedTransaction[]): PackedTransactions {
  const size = transactions.reduce((sum, { body }) => sum + TRANSACTION_ID_BYTES + body.length, 0);
  const bytes = new Uint8Array(size);
  let at = 0;
  for (const { transactionId, body } of transactions) {
    bytes.set(transactionId, at);
    bytes.set(body, at + TRANSACTION_ID_BYTES);
    at += TRANSACTION_ID_BYTES + body.length;
  }
  return {
    customerIds: transactions.map(({ customerId }) => customerId),
    contentTypes: transactions.map(({ contentType }) => contentType),
    bodyLengths: transactions.map(({ body }) => body.length),
    bytes,
  };
}

export function unpackTransactions(packed: PackedTransactions): SubmittedTransaction[] {
  let at = 0;
  return packed.customerIds.map((customerId, index) => {
    const bodyAt = at + TRANSACTION_ID_BYTES;
    const transactionId = packed.bytes.subarray(at, bodyAt);
    at = bodyAt + packed.bodyLengths[index]!;
    return {
      customerId,
      transactionId,
      contentType: packed.contentTypes[index]!,
      body: packed.bytes.subarray(bodyAt, at),
    };
  });
}

export function packResults(results: readonly SubmitResult[]): PackedResults {
  const receipts = results.flatMap((result) => (result.kind === 'receipt' ? [result.receipt] : []));
  const bytes = new Uint8Array(receipts.reduce((sum, receipt) => sum + receipt.length, 0));
  let at = 0;
  for (const receipt of receipts) {
    bytes.set(receipt, at);
    at += receipt.length;
  }
  return {
    results: results.map((result) =>
      result.kind === 'receipt'
        ? { receiptLength: result.receipt.length, replayed: result.replayed }
        : { code: result.code, text: result.text },
    ),
    bytes,
  };
}

export function unpackResults(packed: PackedResults): SubmitResult[] {
  let at = 0;
  const results = packed.results.map((result): SubmitResult => {
    if ('code' in result) return { kind: 'refusal', ...result };
    // A copy, so that whoever keeps one receipt does not keep the batch.
    const receipt = packed.bytes.slice(at, at + result.receiptLength);
    at += result.receiptLength;
    return { kind: 'receipt', receipt, replayed: result.replayed };
  });
  assert(at === packed.bytes.length, 'packed receipts end where their bytes end');
  return results;
}

/** Records side by side: reading many small objects costs more than comparing what is in them. */
export interface PackedRecords {
  /** Undefined where there is no record; the other lists have something in that place all the same. */
  readonly ids: readonly (string | undefined)[];
  readonly statuses: readonly CustomerStatus[];
  readonly pepperVersions: readonly number[];
  readonly createdTimesUs: readonly bigint[];
  readonly tags: readonly (readonly string[])[];
  /** 32 bytes each: of every record its fields' in their order, then its credential's. */
  readonly digests: Uint8Array;
}

export function packRecords(records: readonly (CustomerRecord | undefined)[]): PackedRecords {
  const digests = records.flatMap((record) =>
    record === undefined ? [] : [...record.fields.map(({ digest }) => digest), record.credentialDigest],
  );
  const bytes = new Uint8Array(digests.length * DIGEST_BYTES);
  for (const [index, digest] of digests.entries()) bytes.set(digest, index * DIGEST_BYTES);
  return {
    ids: records.map((record) => record?.id),
    statuses: records.map((record) => record?.status ?? 'disabled'),
    pepperVersions: records.map((record) => record?.pepperVersion ?? 0),
    createdTimesUs: records.map((record) => record?.createdTimeUs ?? 0n),
    tags: records.map((record) => record?.fields.map(({ tag }) => tag) ?? []),
    digests: bytes,
  };
}

/** The records again; their digests are views. */
export function unpackRecords(packed: PackedRecords): (CustomerRecord | undefined)[] {
  let at = 0;
  const digest = (): Uint8Array => {
    at += DIGEST_BYTES;
    return packed.digests.subarray(at - DIGEST_BYTES, at);
  };
  const records = packed.ids.map((id, index): CustomerRecord | undefined =>
    id === undefined
      ? undefined
      : {
          id,
          status: packed.statuses[index]!,
          pepperVersion: packed.pepperVersions[index]!,
          createdTimeUs: packed.createdTimesUs[index]!,
          fields: packed.tags[index]!.map((tag) => ({ tag, digest: digest() })),
          credentialDigest: digest(),
        },
  );
  assert(at === packed.digests.length, 'packed records end where their digests end');
  return records;
}

/** An error as it crosses the threads; bugs are INTERNAL. */
export function threadErrorOf(error: unknown): ThreadError {
  if (error instanceof SallyportError) return { code: error.code, message: error.message };
  return { code: 'INTERNAL', message: error instanceof Error ? (error.stack ?? error.message) : String(error) };
}

export function errorOf(error: ThreadError): SallyportError {
  return new SallyportError(error.code, error.message);
}
