/** `sallyport pay --batch`: checked whole, journalled before it is sent, continued where it stopped. */

import { readFile, stat } from 'node:fs/promises';
import { readCustomerFile } from '../../customer/customer-file.ts';
import type { Customer } from '../../customer/index.ts';
import { SallyportError } from '../../errors.ts';
import { checkAmountOfLedger } from '../batch/amount-check.ts';
import { BATCH_BYTES_MAX, type BatchFault, type BatchRow, formatOfName, parseBatch } from '../batch/batch-file.ts';
import { hashOfBatch } from '../batch/batch-hash.ts';
import { type BatchEnd, runBatch } from '../batch/batch-run.ts';
import { type Journal, openJournal } from '../batch/journal-file.ts';
import { customerFileOf, openCustomer } from '../customer-command.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { type Output, UsageError } from '../output.ts';
import { startProgress } from '../progress.ts';
import { sentenceOfStatus } from '../transfer-status.ts';
import type { PayOptions } from './pay.ts';

/** Half of what the protocol lets a session have unanswered: the next ones are on their way while the ledger commits. */
const IN_FLIGHT_PER_SESSION = 32;
const REFUSED_SHOWN_MAX = 20;

export async function payBatch(options: PayOptions & { readonly batch: string }, output: Output): Promise<ExitCode> {
  const rows = await readBatch(options.batch, options);
  const { customerId } = await readCustomerFile(customerFileOf(options));
  const journal = await openJournal(options.journal ?? `${options.batch}.journal.jsonl`, {
    batch: hashOfBatch(rows),
    customer: customerId,
    rows: rows.length,
  });
  try {
    if (journal.resumed) {
      output.note(`going on with ${journal.path}: ${journal.state.settled.size} of ${rows.length} are settled`);
    }
    const { end, interrupted } = await runInterruptible(options, output, rows, journal);
    report(options.batch, journal.path, end, output);
    if (end.error !== undefined) throw end.error;
    if (interrupted && end.tally.open > 0) return EXIT.INTERRUPTED;
    return end.tally.refused.length === 0 ? EXIT.OK : EXIT.REFUSED;
  } finally {
    await journal.close();
  }
}

async function readBatch(path: string, options: PayOptions): Promise<readonly BatchRow[]> {
  let content: Uint8Array;
  try {
    const { size } = await stat(path);
    if (size > BATCH_BYTES_MAX)
      throw new UsageError(`the batch ${path} has ${size} bytes and may have ${BATCH_BYTES_MAX}`, 'Split it.');
    content = await readFile(path);
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new SallyportError(
      'BAD_FILE',
      `cannot read the batch ${path}: ${error instanceof Error ? error.message : error}`,
    );
  }
  const defaults = {
    ...(options.from === undefined ? {} : { from: options.from }),
    ...(options.currency === undefined ? {} : { currency: options.currency }),
  };
  const result = parseBatch(content, formatOfName(path), defaults, checkAmountOfLedger);
  if (result.kind === 'rows') return result.rows;
  const shown = result.faults.map((fault) => `${path}:${sentenceOfFault(fault)}`);
  const more = result.count > shown.length ? [`… and ${result.count - shown.length} more`] : [];
  throw new UsageError(
    [`the batch ${path} is not right, and nothing of it was paid:`, ...shown, ...more].join('\n'),
    'Correct these lines and run the same command again.',
  );
}

function sentenceOfFault({ line, column, fault }: BatchFault): string {
  return column === '' ? `${line}: the line ${fault}` : `${line}: ${column} ${fault}`;
}

/**
 * The first interrupt stops beginning new payments and waits for those under way; the second waits for nothing: the journal's ids settle
 * them in the next run.
 */
async function runInterruptible(
  options: PayOptions,
  output: Output,
  rows: readonly BatchRow[],
  journal: Journal,
): Promise<{ end: BatchEnd; interrupted: boolean }> {
  const stop = new AbortController();
  const abandon = new AbortController();
  const onSignal = (): void => {
    if (stop.signal.aborted) {
      abandon.abort();
      return;
    }
    stop.abort();
    output.note('\nstopping: payments under way are waited for; interrupt again to leave at once');
  };
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal);
  const open = rows.length - journal.state.settled.size;
  const sessions = Math.max(1, Math.min(options.concurrency, Math.ceil(open / IN_FLIGHT_PER_SESSION)));
  const payers: Customer[] = [];
  const progress = startProgress(output, 'paying', rows.length, journal.state.settled.size);
  try {
    for (let index = 0; index < sessions; index++) {
      // One of them speaks: a server that is away is away for all.
      const voice = index === 0 ? output : output.silent();
      payers.push(await openCustomer(options, voice, abandon.signal));
    }
    const end = await runBatch({
      rows,
      log: journal,
      payers,
      inFlight: IN_FLIGHT_PER_SESSION,
      stop: stop.signal,
      onProgress: (done, refused) => progress.update(done, refused === 0 ? '' : `${refused} refused`),
    });
    return { end, interrupted: stop.signal.aborted };
  } finally {
    progress.stop();
    await Promise.all(payers.map((payer) => payer.close()));
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
  }
}

function report(path: string, journalPath: string, { tally, error }: BatchEnd, output: Output): void {
  if (output.json) {
    output.document({ batch: path, journal: journalPath, ...tally, complete: tally.open === 0 });
    return;
  }
  const { refused } = tally;
  if (refused.length > 0) {
    output.table(
      [
        { title: 'line', align: 'right', value: (row) => String(row.line) },
        { title: 'not paid because', value: (row) => sentenceOfStatus(row.status) },
        { title: 'transaction', value: (row) => row.transactionId },
      ],
      refused.slice(0, REFUSED_SHOWN_MAX),
      '',
    );
    if (refused.length > REFUSED_SHOWN_MAX) output.line(`… and ${refused.length - REFUSED_SHOWN_MAX} more`);
    output.line();
  }
  const mark = tally.open === 0 && refused.length === 0 ? output.style('green', '✓') : output.style('yellow', '!');
  const earlier = tally.resumed === 0 ? '' : ` (${tally.resumed} settled by an earlier run)`;
  output.line(
    `${mark} ${tally.committed} of ${tally.rows} paid, ${refused.length} refused, ${tally.open} open${earlier}`,
  );
  if (tally.open > 0) {
    output.line(
      `  Run the same command again to go on${error === undefined ? '' : ' when the error below is cured'}; nothing is paid twice.`,
    );
  }
}
