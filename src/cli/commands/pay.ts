/** `sallyport pay`: one payment, or a batch of them. */

import type { Command } from 'commander';
import { newTransactionId, type PaymentSettlement, writeReceiptFile } from '../../customer/index.ts';
import { SallyportError } from '../../errors.ts';
import { checkAmountOfLedger } from '../batch/amount-check.ts';
import { addCustomerOptions, type CustomerCommandOptions, withCustomer } from '../customer-command.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { integerBetween, onAction, type Register, withExamples } from '../invocation.ts';
import { type Output, UsageError } from '../output.ts';
import { isoTimeOfUs } from '../times.ts';
import { sentenceOfStatus } from '../transfer-status.ts';
import { payBatch } from './pay-batch.ts';

export interface PayOptions extends CustomerCommandOptions {
  readonly from?: string;
  readonly to?: string;
  readonly amount?: string;
  readonly currency?: string;
  readonly reference?: string;
  readonly id?: string;
  readonly receipt?: string;
  readonly batch?: string;
  readonly journal?: string;
  readonly concurrency: number;
}

/** Sessions of one batch: more do not pay faster than one ledger commits, and each holds a port of the server. */
const CONCURRENCY_MAX = 64;
const CONCURRENCY_DEFAULT = 4;

export const registerPay: Register = (parent, invocation) => {
  const pay = parent
    .command('pay')
    .description('pay from one of your accounts, once or a whole file of payments')
    .option('--from <account>', 'the account that pays')
    .option('--to <account>', 'the account that is paid')
    .option('--amount <decimal>', 'the amount, such as 12.50')
    .option('--currency <code>', 'the currency, such as EUR')
    .option('--reference <text>', 'a text for both sides, at most 140 bytes')
    .option('--id <hex>', 'the transaction id (32 hexadecimal digits), to ask again for a payment made before')
    .option('--receipt <file>', 'write the receipt there, for "sallyport receipt verify"')
    .option('--batch <file>', 'pay every row of a CSV or JSON Lines file')
    .option('--journal <file>', "the batch's journal (default: FILE.journal.jsonl)")
    .option(
      '--concurrency <sessions>',
      'how many sessions a batch uses at once',
      integerBetween(1, CONCURRENCY_MAX),
      CONCURRENCY_DEFAULT,
    );
  addCustomerOptions(pay, '15s');
  withExamples(pay, [
    ['sallyport pay --customer alice.json --from alice.eur --to bob.eur --amount 12.50 --currency EUR', 'one payment'],
    [
      'sallyport pay --customer alice.json --batch salaries.csv --from alice.eur --currency EUR',
      'a file with the columns to,amount,reference; run it again after an interruption',
    ],
  ]);
  onAction<PayOptions>(pay, invocation, async (_args, options, output) => {
    if (options.batch !== undefined) {
      refuseTogether(pay, ['to', 'amount', 'reference', 'id', 'receipt'], '--batch');
      return payBatch({ ...options, batch: options.batch }, output);
    }
    refuseTogether(pay, ['journal', 'concurrency'], 'a single payment');
    return payOnce(options, output);
  });
};

/** Options that mean nothing in this place are refused: money is not moved on half an understanding. */
function refuseTogether(command: Command, names: readonly string[], place: string): void {
  const given = names.find((name) => command.getOptionValueSource(name) === 'cli');
  if (given !== undefined) throw new UsageError(`--${given} has no meaning with ${place}`, 'Leave one of them out.');
}

async function payOnce(options: PayOptions, output: Output): Promise<ExitCode> {
  const { from, to, amount, currency } = options;
  if (from === undefined || to === undefined || amount === undefined || currency === undefined) {
    const missing = (['from', 'to', 'amount', 'currency'] as const).filter((name) => options[name] === undefined);
    throw new UsageError(
      `a payment needs ${missing.map((name) => `--${name}`).join(', ')}`,
      'Or name a file of payments with --batch. See "sallyport pay --help".',
    );
  }
  const fault = checkAmountOfLedger(amount, currency);
  if (fault !== undefined) throw new UsageError(fault.fault);
  const transactionId = options.id ?? newTransactionId();
  // Shown before anything is sent: whatever happens to this process, the payment can be asked for again by its id.
  output.note(`transaction ${transactionId}`);
  const reference = options.reference ?? '';
  const settlement = await withCustomer(options, output, (customer) =>
    customer.pay({ from, to, amount, currency, reference, transactionId }),
  ).catch((error: unknown) => {
    if (error instanceof SallyportError && error.code === 'OUTCOME_UNKNOWN') {
      output.note(`to ask again, run the same command with --id ${transactionId}`);
    }
    throw error;
  });
  if (options.receipt !== undefined) await writeReceiptFile(options.receipt, settlement.evidence);
  if (output.json) output.document({ ...describePayment(settlement), receiptFile: options.receipt ?? null });
  else showPayment(settlement, { from, to, amount, currency, receiptFile: options.receipt }, output);
  return settlement.status === 'committed' ? EXIT.OK : EXIT.REFUSED;
}

function describePayment(settlement: PaymentSettlement): object {
  return {
    transactionId: settlement.transactionId,
    status: settlement.status,
    outcome: settlement.outcome,
    sequence: settlement.sequence.toString(),
    committedTime: isoTimeOfUs(settlement.committedTimeUs),
  };
}

interface Paid {
  readonly from: string;
  readonly to: string;
  readonly amount: string;
  readonly currency: string;
  readonly receiptFile: string | undefined;
}

function showPayment(settlement: PaymentSettlement, paid: Paid, output: Output): void {
  const what = `${paid.amount} ${paid.currency} from ${paid.from} to ${paid.to}`;
  if (settlement.status === 'committed') output.line(`${output.style('green', '✓')} paid ${what}`);
  else output.line(`${output.style('red', '✗')} not paid: ${what}: ${sentenceOfStatus(settlement.status)}`);
  output.pairs([
    ['  sequence', settlement.sequence.toString()],
    ['  time', isoTimeOfUs(settlement.committedTimeUs)],
    ...(paid.receiptFile === undefined ? [] : [['  receipt', paid.receiptFile] as const]),
  ]);
}
