/** `sallyport receipt verify`: offline, against the host key in the receipt file or a pinned one. */

import { readCustomerFile } from '../../customer/customer-file.ts';
import { type ReceiptVerification, readReceiptFile, verifyReceipt } from '../../customer/receipt-file.ts';
import { EXIT } from '../exit-codes.ts';
import { jsonOption, onAction, type Register, withExamples } from '../invocation.ts';
import { type Output, printable, UsageError } from '../output.ts';
import { isoTimeOfUs } from '../times.ts';

interface Options {
  readonly hostKey?: string;
  readonly customer?: string;
}

export const registerReceipt: Register = (parent, invocation) => {
  const group = parent.command('receipt').description('check receipts');
  const verify = group
    .command('verify')
    .description('check a receipt file offline: its document, customer, host key and signature')
    .argument('<file>', 'a receipt file, as pay --receipt and send --receipt write it')
    .option('--host-key <hex>', 'the host key it must be signed by, 64 hexadecimal digits')
    .option('--customer <file>', 'a customer file whose pinned host key it must be signed by')
    .addOption(jsonOption());
  withExamples(verify, [
    ['sallyport receipt verify rent.receipt.json', 'is the receipt what it says?'],
    ['sallyport receipt verify rent.receipt.json --customer alice.json', 'and from the server that alice pinned?'],
  ]);
  onAction<Options>(verify, invocation, async ([path], options, output) => {
    const evidence = await readReceiptFile(path!);
    const verification = verifyReceipt(evidence, await pinnedKey(options));
    if (output.json) output.document(describe(path!, evidence.customerId, verification));
    else show(path!, evidence.customerId, verification, output);
    return verification.valid ? EXIT.OK : EXIT.REFUSED;
  });
};

async function pinnedKey(options: Options): Promise<Uint8Array | undefined> {
  if (options.hostKey !== undefined && options.customer !== undefined) {
    throw new UsageError('--host-key and --customer both name a pinned key', 'Give one of them.');
  }
  if (options.customer !== undefined) {
    const { hostKey } = await readCustomerFile(options.customer);
    if (hostKey === undefined) throw new UsageError(`the customer file ${options.customer} has pinned no host key yet`);
    return hostKey;
  }
  if (options.hostKey === undefined) return undefined;
  if (!/^[0-9a-f]{64}$/i.test(options.hostKey)) {
    throw new UsageError(
      '--host-key must be an Ed25519 public key of 64 hexadecimal digits',
      '"sallyport keys show" prints it.',
    );
  }
  return new Uint8Array(Buffer.from(options.hostKey, 'hex'));
}

function describe(path: string, customer: string, { valid, checks, receipt }: ReceiptVerification): unknown {
  return {
    file: path,
    valid,
    customer,
    checks,
    ...(receipt === undefined
      ? {}
      : {
          receipt: {
            transactionId: Buffer.from(receipt.transactionId).toString('hex'),
            outcome: receipt.outcome,
            sequence: receipt.sequence.toString(),
            committedTime: isoTimeOfUs(receipt.committedTimeUs),
            resultContentType: receipt.resultContentType,
            result: Buffer.from(receipt.result).toString('utf8'),
          },
        }),
  };
}

function show(path: string, customer: string, { valid, checks, receipt }: ReceiptVerification, output: Output): void {
  const width = Math.max(...checks.map(({ name }) => name.length));
  for (const { name, passed, detail } of checks) {
    const mark = passed ? output.style('green', '✓') : output.style('red', '✗');
    output.line(`${mark} ${name.padEnd(width)}  ${printable(detail)}`);
  }
  output.line();
  if (valid && receipt !== undefined) {
    output.pairs([
      ['customer', customer],
      ['outcome', receipt.outcome],
      ['sequence', receipt.sequence.toString()],
      ['committed', isoTimeOfUs(receipt.committedTimeUs)],
      ['result', Buffer.from(receipt.result).toString('utf8').slice(0, 1_000)],
    ]);
    output.line();
  }
  output.line(
    valid
      ? output.style('green', `${path} is a valid receipt.`)
      : output.style('red', `${path} is not a valid receipt.`),
  );
}
