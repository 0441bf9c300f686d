/** Pays the rows of a batch that have no receipt yet: several sessions, many transactions in each, every answer noted as it comes. */

import type { Settlement } from '../../customer/customer-interface.ts';
import { encodeTransfer, TRANSFER_TYPE } from '../../customer/transfer.ts';
import { type ErrorCode, SallyportError } from '../../errors.ts';
import { decodeReceipt } from '../../wire/receipt.ts';
import type { BatchRow } from './batch-file.ts';
import type { JournalState, SettledRow } from './journal.ts';

/** What a batch needs of a Customer. */
export interface Payer {
  send(document: { contentType: string; body: Uint8Array; transactionId: string }): Promise<Settlement>;
}

/** What a batch needs of a journal. */
export interface SettlementLog {
  readonly state: JournalState;
  settle(row: number, settled: SettledRow): void;
}

/** A row that will not be paid, and the ledger's or the server's word for why. */
export interface RefusedRow {
  readonly line: number;
  readonly transactionId: string;
  readonly status: string;
}

export interface BatchTally {
  readonly rows: number;
  readonly committed: number;
  /** In the order of the file. */
  readonly refused: readonly RefusedRow[];
  /** Rows that had their receipt from an earlier run. */
  readonly resumed: number;
  /** Rows that have neither receipt nor refusal. */
  readonly open: number;
}

export interface BatchEnd {
  readonly tally: BatchTally;
  /** Why rows are still open; undefined when none is, or when `stop` ended the run. */
  readonly error: SallyportError | undefined;
}

export interface BatchRun {
  readonly rows: readonly BatchRow[];
  readonly log: SettlementLog;
  /** One session each. */
  readonly payers: readonly Payer[];
  /** Transactions under way in each session; the protocol allows 64. */
  readonly inFlight: number;
  /** No new payment is begun once it aborts; those under way are waited for. */
  readonly stop: AbortSignal;
  readonly onProgress: (done: number, refused: number) => void;
}

/** These settle a row without a receipt: the server understood the document and will never take it under this id. */
const FINAL_REFUSALS: ReadonlySet<ErrorCode> = new Set(['TRANSACTION_MALFORMED', 'IDEMPOTENCY_CONFLICT', 'TOO_LARGE']);

/** Runs until every row is settled, the first error that concerns more than its row, or `stop`. */
export async function runBatch(run: BatchRun): Promise<BatchEnd> {
  const { rows, log } = run;
  const statuses = rows.map((_, row) => statusOf(log.state.settled.get(row)));
  let done = statuses.filter((status) => status !== undefined).length;
  let refused = statuses.filter((status) => status !== undefined && status !== 'committed').length;
  const resumed = done;
  let next = 0;
  let failure: SallyportError | undefined;
  run.onProgress(done, refused);

  const takeRow = (): number | undefined => {
    while (next < rows.length && statuses[next] !== undefined) next++;
    return next < rows.length && failure === undefined && !run.stop.aborted ? next++ : undefined;
  };
  const work = async (payer: Payer): Promise<void> => {
    for (let row = takeRow(); row !== undefined; row = takeRow()) {
      let settled: SettledRow;
      try {
        settled = await payRow(payer, rows[row]!, log.state.ids[row]!);
      } catch (error) {
        if (!(error instanceof SallyportError)) throw error;
        failure ??= error;
        return;
      }
      log.settle(row, settled);
      statuses[row] = statusOf(settled);
      done++;
      if (statuses[row] !== 'committed') refused++;
      run.onProgress(done, refused);
    }
  };
  await Promise.all(run.payers.flatMap((payer) => Array.from({ length: run.inFlight }, () => work(payer))));

  const tally: BatchTally = {
    rows: rows.length,
    committed: statuses.filter((status) => status === 'committed').length,
    refused: rows.flatMap(({ line }, row) => {
      const status = statuses[row];
      return status === undefined || status === 'committed'
        ? []
        : [{ line, transactionId: log.state.ids[row]!, status }];
    }),
    resumed,
    open: statuses.filter((status) => status === undefined).length,
  };
  return { tally, error: failure };
}

async function payRow(payer: Payer, row: BatchRow, transactionId: string): Promise<SettledRow> {
  try {
    const document = { contentType: TRANSFER_TYPE, body: encodeTransfer(row.transfer), transactionId };
    return { kind: 'receipt', receipt: (await payer.send(document)).evidence.receipt };
  } catch (error) {
    if (!(error instanceof SallyportError) || !FINAL_REFUSALS.has(error.code)) throw error;
    return { kind: 'refusal', code: error.code, text: error.message };
  }
}

/** The ledger's word for a settled row; undefined for one that is open, or whose noted receipt is none: it is asked again. */
function statusOf(settled: SettledRow | undefined): string | undefined {
  if (settled === undefined) return undefined;
  if (settled.kind === 'refusal') return settled.code;
  const receipt = decodeReceipt(settled.receipt);
  if (receipt === undefined) return undefined;
  if (receipt.outcome === 'processed') return 'committed';
  return statusInResult(receipt.result) ?? receipt.outcome;
}

function statusInResult(result: Uint8Array): string | undefined {
  try {
    const value = JSON.parse(Buffer.from(result).toString('utf8')) as { readonly status?: unknown } | null;
    return typeof value?.status === 'string' ? value.status : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
