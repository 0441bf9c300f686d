/** `sallyport send`: any document, for whichever processor of the server understands it. */

import { readFile } from 'node:fs/promises';
import { buffer } from 'node:stream/consumers';
import { newTransactionId, type Settlement, writeReceiptFile } from '../../customer/index.ts';
import { SallyportError } from '../../errors.ts';
import { addCustomerOptions, type CustomerCommandOptions, withCustomer } from '../customer-command.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { onAction, type Register, withExamples } from '../invocation.ts';
import { type Output, printable } from '../output.ts';
import { isoTimeOfUs } from '../times.ts';

interface Options extends CustomerCommandOptions {
  readonly type: string;
  readonly id?: string;
  readonly receipt?: string;
}

export const registerSend: Register = (parent, invocation) => {
  const send = parent
    .command('send')
    .description('send a transaction document, and print the result in its receipt')
    .argument('<file>', 'the document, at most 61,440 bytes; - for standard input')
    .requiredOption('--type <content-type>', 'what the document is, such as application/pain.001+xml')
    .option('--id <hex>', 'the transaction id (32 hexadecimal digits), to ask again for a document sent before')
    .option('--receipt <file>', 'write the receipt there, for "sallyport receipt verify"');
  addCustomerOptions(send, '15s');
  withExamples(send, [
    [
      'sallyport send salaries.xml --type application/pain.001+xml --customer alice.json --receipt salaries.receipt.json',
      'credit transfers in the language of banks',
    ],
  ]);
  onAction<Options>(send, invocation, async ([path], options, output) => {
    const body = await readDocument(path!);
    const transactionId = options.id ?? newTransactionId();
    output.note(`transaction ${transactionId}`);
    const settlement = await withCustomer(options, output, (customer) =>
      customer.send({ contentType: options.type, body, transactionId }),
    ).catch((error: unknown) => {
      if (error instanceof SallyportError && error.code === 'OUTCOME_UNKNOWN') {
        output.note(`to ask again, run the same command with --id ${transactionId}`);
      }
      throw error;
    });
    if (options.receipt !== undefined) await writeReceiptFile(options.receipt, settlement.evidence);
    show(settlement, options.receipt, output);
    return exitCodeOfOutcome(settlement);
  });
};

/** A result that took effect in part is not what was asked for: scripts look at the result before they go on. */
function exitCodeOfOutcome({ outcome }: Settlement): ExitCode {
  return outcome === 'processed' ? EXIT.OK : EXIT.REFUSED;
}

async function readDocument(path: string): Promise<Uint8Array> {
  try {
    return path === '-' ? await buffer(process.stdin) : await readFile(path);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new SallyportError('BAD_FILE', `cannot read the document ${path}: ${reason}`, { cause: error });
  }
}

function show(settlement: Settlement, receiptFile: string | undefined, output: Output): void {
  const facts = {
    transactionId: settlement.transactionId,
    outcome: settlement.outcome,
    sequence: settlement.sequence.toString(),
    committedTime: isoTimeOfUs(settlement.committedTimeUs),
    resultContentType: settlement.resultContentType,
  };
  const text = textOf(settlement.result);
  if (output.json) {
    output.document({
      ...facts,
      ...(text === undefined ? { resultBase64: Buffer.from(settlement.result).toString('base64') } : { result: text }),
      receiptFile: receiptFile ?? null,
    });
    return;
  }
  const good = settlement.outcome === 'processed';
  output.line(`${good ? output.style('green', '✓') : output.style('red', '✗')} ${settlement.outcome}`);
  output.pairs([
    ['  sequence', facts.sequence],
    ['  time', facts.committedTime],
    ['  result', facts.resultContentType],
    ...(receiptFile === undefined ? [] : [['  receipt', receiptFile] as const]),
  ]);
  output.line();
  if (text === undefined) output.line(`(${settlement.result.length} bytes that are no text; see --json)`);
  else for (const line of text.split('\n')) output.line(printable(line));
}

function textOf(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    if (error instanceof TypeError) return undefined;
    throw error;
  }
}
