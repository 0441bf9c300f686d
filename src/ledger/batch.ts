import { timingSafeEqual } from 'node:crypto';
import { assert } from '../errors.ts';
import { RECEIPT_RESULT_BYTES_MAX, REFUSAL_TEXT_BYTES_MAX, TRANSFERS_PER_TRANSACTION_MAX } from '../limits.ts';
import { decodeReceipt, isContentType, type ReceiptOutcome } from '../wire/receipt.ts';
import type { Account } from './accounts.ts';
import { quote } from './amounts.ts';
import { type ChainHead, linkEntries, type TransactionEntry } from './entry.ts';
import type { Plan, Processor, ProcessorAnswer, TransferPlan } from './processor.ts';
import type { ProcessorRegistry } from './processor-registry.ts';
import { type ReceiptDraft, type ReceiptSigner, sealReceipts, transactionHash } from './receipts.ts';
import type { RefusalCode, SubmitResult, SubmittedTransaction } from './service.ts';
import type { Snapshot, SnapshotKeys, TransactionKey, WriteSet } from './storage/storage.ts';
import { applyTransfers, isReference, type TransferOutcome, type WorkingAccounts } from './transfers.ts';

/** A processor that threw or broke its contract, or a bug met at one transaction: for the operator's log, never for the customer. */
export type ReportProcessorFailure = (contentType: string, cause: unknown) => void;

/** What a transaction needs besides the state of the ledger; computed once, however often the commit is tried. */
export interface PreparedTransaction {
  readonly transaction: SubmittedTransaction;
  readonly bodyHash: Uint8Array;
  readonly processor: Processor | undefined;
  readonly plan: Plan | { readonly kind: 'failed' };
}

const INTERNAL_TEXT =
  'The server could not process this document; its operator has the cause. Nothing was done: send it again later.';

/** Hashes a transaction and has its processor plan it. */
export function prepareTransaction(
  transaction: SubmittedTransaction,
  processors: ProcessorRegistry,
  report: ReportProcessorFailure,
): PreparedTransaction {
  const bodyHash = transactionHash(transaction.contentType, transaction.body);
  const processor = processors.get(transaction.contentType);
  return { transaction, bodyHash, processor, plan: planOf(transaction, processor, processors, report) };
}

function planOf(
  transaction: SubmittedTransaction,
  processor: Processor | undefined,
  processors: ProcessorRegistry,
  report: ReportProcessorFailure,
): PreparedTransaction['plan'] {
  if (processor === undefined) {
    const known = [...processors.keys()].join(', ');
    return {
      kind: 'malformed',
      reason: `This server does not process ${quote(transaction.contentType)}, only ${known}.`,
    };
  }
  try {
    const { customerId, transactionId, body } = transaction;
    const plan = processor.plan(body, { customerId, transactionId });
    if (plan.kind === 'malformed') return { kind: 'malformed', reason: String(plan.reason) };
    assert(plan.kind === 'transfers' && Array.isArray(plan.transfers), 'a plan is malformed or has transfers');
    if (plan.transfers.length > TRANSFERS_PER_TRANSACTION_MAX)
      return {
        kind: 'malformed',
        reason: `The document has ${plan.transfers.length} transfers; at most ${TRANSFERS_PER_TRANSACTION_MAX} are allowed, split it.`,
      };
    for (const transfer of plan.transfers) {
      assert(typeof transfer.amount === 'bigint', 'a transfer’s amount is a bigint of minor units');
      assert(isReference(transfer.reference), 'a transfer’s reference is text of at most 140 bytes');
      // What the ledger cannot hold is no account and no currency; the length keeps it out of every query.
      assert(
        transfer.debitAccount.length <= 64 && transfer.creditAccount.length <= 64,
        'account ids have at most 64 bytes',
      );
      assert(typeof transfer.currency === 'string' && transfer.currency.length <= 8, 'a currency is a short code');
    }
    return plan;
  } catch (cause) {
    report(transaction.contentType, cause);
    return { kind: 'failed' };
  }
}

/** Everything the batch needs from the storage. */
export function keysOf(
  batch: readonly PreparedTransaction[],
): SnapshotKeys & { readonly transactions: TransactionKey[] } {
  const accounts = new Set<string>();
  const customers = new Set<string>();
  const transactions: TransactionKey[] = [];
  for (const { transaction, plan } of batch) {
    transactions.push(transaction);
    customers.add(transaction.customerId);
    if (plan.kind !== 'transfers') continue;
    for (const transfer of plan.transfers) accounts.add(transfer.debitAccount).add(transfer.creditAccount);
  }
  return { accounts, customers, transactions };
}

export interface BatchDependencies {
  readonly signer: ReceiptSigner;
  readonly timeUs: bigint;
  readonly report: ReportProcessorFailure;
}

export interface ExecutedBatch {
  /** One for each transaction, in order; true once `writes` are committed. */
  readonly results: SubmitResult[];
  /** Undefined when nothing is to be written. */
  readonly writes: WriteSet | undefined;
}

/** What a customer gets when the server failed at its transaction, and at no other. */
export function internalRefusal(): SubmitResult {
  return refusal('INTERNAL', INTERNAL_TEXT);
}

/** A transaction that will be stored: all of its entry but the receipt, and what that says. */
interface ProcessedTransaction {
  readonly entry: Omit<TransactionEntry, 'receipt'>;
  readonly bodyHash: Uint8Array;
  readonly outcome: ReceiptOutcome;
  readonly answer: ProcessorAnswer;
}

/** What became of a transaction whose receipt is not signed yet. */
interface Processed {
  readonly kind: 'processed';
  readonly processed: ProcessedTransaction;
  readonly replayed: boolean;
}

/** Executes transactions in order over a snapshot, and signs their receipts together: pure but for the signer. */
export function executeBatch(
  batch: readonly PreparedTransaction[],
  snapshot: Snapshot,
  dependencies: BatchDependencies,
): ExecutedBatch {
  const accounts: WorkingAccounts = new Map(snapshot.accounts);
  const processed = new Map<string, ProcessedTransaction>();
  const executed = batch.map((prepared, index): SubmitResult | Processed => {
    const { customerId, transactionId } = prepared.transaction;
    const key = `${customerId}\0${Buffer.from(transactionId).toString('latin1')}`;
    const stored = snapshot.receipts[index];
    if (stored !== undefined) return replay(stored, prepared.bodyHash);
    const earlier = processed.get(key);
    if (earlier !== undefined)
      return timingSafeEqual(earlier.bodyHash, prepared.bodyHash)
        ? { kind: 'processed', processed: earlier, replayed: true }
        : conflict();
    const place = next(snapshot.head, processed.size, dependencies.timeUs);
    const made = execute(prepared, place, accounts, snapshot, dependencies.report);
    if (made.kind === 'processed') processed.set(key, made.processed);
    return made;
  });
  const stored = [...processed.values()];
  const receipts = sealReceipts(dependencies.signer, stored.map(draftOf));
  const receiptOf = new Map(stored.map((each, index) => [each, receipts[index]!]));
  const results = executed.map((each): SubmitResult => {
    if (each.kind !== 'processed') return each;
    return { kind: 'receipt', receipt: receiptOf.get(each.processed)!, replayed: each.replayed };
  });
  if (stored.length === 0) return { results, writes: undefined };
  const entries = stored.map(({ entry }, index): TransactionEntry => ({ ...entry, receipt: receipts[index]! }));
  const linked = linkEntries(snapshot.head, entries);
  return {
    results,
    writes: {
      entries: entries.map((entry, index) => ({ entry, chain: linked.chains[index]! })),
      accounts: changedAccounts(snapshot.accounts, accounts),
      customers: [],
      head: linked.head,
    },
  };
}

/** A transaction that was not there before. Changes `accounts`, unless it is refused. */
function execute(
  { transaction, bodyHash, plan, processor }: PreparedTransaction,
  place: Pick<TransactionEntry, 'sequence' | 'timeUs'>,
  accounts: WorkingAccounts,
  snapshot: Snapshot,
  report: ReportProcessorFailure,
): SubmitResult | Processed {
  if (plan.kind === 'failed') return internalRefusal();
  if (plan.kind === 'malformed') return refusal('TRANSACTION_MALFORMED', plan.reason);
  assert(processor !== undefined, 'only a processor makes a plan of transfers');
  const { customerId, transactionId, contentType, body } = transaction;
  const requester = { customerId, disabled: snapshot.customers.get(customerId)?.status === 'disabled' };
  const applied = applyTransfers(accounts, requester, plan.transfers, plan.atomic);
  const answer = answerOf(processor, plan, applied.outcomes, report);
  if (answer === undefined) {
    for (const [id, account] of applied.before) accounts.set(id, account);
    return internalRefusal();
  }
  const { committed } = applied;
  const entry = {
    kind: 'transaction',
    ...place,
    customerId,
    transactionId,
    contentType,
    body,
    transfers: committed,
  } as const;
  return {
    kind: 'processed',
    processed: { entry, bodyHash, outcome: outcomeOf(applied.outcomes), answer },
    replayed: false,
  };
}

function draftOf({ entry, bodyHash, outcome, answer }: ProcessedTransaction): ReceiptDraft {
  return {
    customerId: entry.customerId,
    fields: {
      transactionId: entry.transactionId,
      outcome,
      sequence: entry.sequence,
      committedTimeUs: entry.timeUs,
      bodyHash,
      resultContentType: answer.contentType,
      result: answer.body,
    },
  };
}

/** Sequence and time of the n-th new entry. The journal's time does not run backwards, whatever the machine's clock does. */
function next(head: ChainHead, added: number, nowUs: bigint): { sequence: bigint; timeUs: bigint } {
  return { sequence: head.sequence + BigInt(added) + 1n, timeUs: nowUs > head.timeUs ? nowUs : head.timeUs };
}

function replay(stored: Uint8Array, bodyHash: Uint8Array): SubmitResult {
  const receipt = decodeReceipt(stored);
  assert(receipt !== undefined, 'a stored receipt decodes');
  return timingSafeEqual(receipt.bodyHash, bodyHash)
    ? { kind: 'receipt', receipt: stored, replayed: true }
    : conflict();
}

function conflict(): SubmitResult {
  return refusal(
    'IDEMPOTENCY_CONFLICT',
    'This transaction id was used before with another document; use a fresh id for a new transaction.',
  );
}

function outcomeOf(outcomes: readonly TransferOutcome[]): ReceiptOutcome {
  const committed = outcomes.filter((outcome) => outcome === 'committed').length;
  if (committed === outcomes.length) return 'processed';
  return committed === 0 ? 'refused' : 'partly';
}

function answerOf(
  processor: Processor,
  plan: TransferPlan,
  outcomes: readonly TransferOutcome[],
  report: ReportProcessorFailure,
): ProcessorAnswer | undefined {
  try {
    const answer = processor.answer(plan, outcomes);
    assert(isContentType(answer.contentType), 'an answer has a content type of 1 to 128 bytes of printable ASCII');
    assert(answer.body instanceof Uint8Array, 'an answer’s body is bytes');
    assert(answer.body.length <= RECEIPT_RESULT_BYTES_MAX, 'an answer has at most 60,000 bytes');
    return answer;
  } catch (cause) {
    report(processor.contentType, cause);
    return undefined;
  }
}

function changedAccounts(before: ReadonlyMap<string, Account>, after: WorkingAccounts): Account[] {
  return [...after.values()].filter((account) => before.get(account.id) !== account);
}

function refusal(code: RefusalCode, text: string): SubmitResult {
  return { kind: 'refusal', code, text: shorten(text) };
}

/** The text within REFUSAL_TEXT_BYTES_MAX bytes of UTF-8, cut between characters. */
function shorten(text: string): string {
  const wellFormed = text.toWellFormed();
  if (Buffer.byteLength(wellFormed) <= REFUSAL_TEXT_BYTES_MAX) return wellFormed;
  let kept = '';
  let size = 0;
  for (const character of wellFormed) {
    size += Buffer.byteLength(character);
    if (size > REFUSAL_TEXT_BYTES_MAX - 3) break;
    kept += character;
  }
  return `${kept}…`;
}
