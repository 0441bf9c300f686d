/** `sallyport fund`: money from the operator's equity account, as a transaction like all others. */

import { randomBytes } from 'node:crypto';
import { decodeTransferStatus } from '../../customer/answers.ts';
import { SallyportError } from '../../errors.ts';
import { equityAccountId } from '../../ledger/accounts.ts';
import { formatAmount, parseAmount } from '../../ledger/amounts.ts';
import { TRANSACTION_ID_BYTES } from '../../limits.ts';
import { decodeReceipt } from '../../wire/receipt.ts';
import { EXIT } from '../exit-codes.ts';
import { jsonOption, onAction, type Register, withExamples } from '../invocation.ts';
import { configOption, type OperatorOptions, stateOption, withOperatorState } from '../operator-state.ts';
import { UsageError } from '../output.ts';
import { sentenceOfStatus } from '../transfer-status.ts';

interface Options extends OperatorOptions {
  readonly reference?: string;
  readonly id?: string;
}

export const registerFund: Register = (parent, invocation) => {
  const fund = parent
    .command('fund')
    .description("put money into an account, from the operator's equity account of its currency")
    .argument('<account>', 'the account to credit')
    .argument('<amount>', "a decimal of the account's currency, such as 100.00")
    .option('--reference <text>', 'a text for the history, at most 140 bytes')
    .option('--id <hex>', 'a transaction id (32 hexadecimal digits): the same id funds once')
    .addOption(stateOption())
    .addOption(configOption())
    .addOption(jsonOption());
  withExamples(fund, [['sallyport fund alice.eur 100.00 --reference "opening balance"', 'credits 100 euros']]);
  onAction<Options>(fund, invocation, async ([accountId, text], options, output) => {
    const transactionId = transactionIdOf(options.id);
    output.note(`transaction ${Buffer.from(transactionId).toString('hex')}`);
    const { account, status, sequence } = await withOperatorState(options, async ({ ledger, storage }) => {
      const account = (await storage.load({ accounts: [accountId!] })).accounts.get(accountId!);
      if (account === undefined) throw new SallyportError('NOT_FOUND', `there is no account ${accountId}`);
      const amount = parseAmount(text!, account.currency);
      if (!amount.ok) throw new UsageError(amount.reason);
      const result = await ledger.fund({
        account: accountId!,
        amount: amount.minor,
        transactionId,
        ...(options.reference === undefined ? {} : { reference: options.reference }),
      });
      if (result.kind === 'refusal') throw new SallyportError(result.code, result.text);
      const receipt = decodeReceipt(result.receipt);
      return {
        account: { id: account.id, currency: account.currency, amount: formatAmount(amount.minor, account.currency) },
        status: receipt === undefined ? undefined : decodeTransferStatus(receipt.result),
        sequence: receipt?.sequence.toString() ?? '',
      };
    });
    const committed = status === 'committed';
    if (output.json) {
      output.document({
        transactionId: Buffer.from(transactionId).toString('hex'),
        account: account.id,
        amount: account.amount,
        currency: account.currency,
        status,
        sequence,
      });
    } else if (committed) {
      output.line(
        `${output.style('green', '✓')} ${account.amount} ${account.currency} from ${equityAccountId(account.currency)} to ${account.id}`,
      );
    } else {
      output.line(`${output.style('red', '✗')} not funded: ${sentenceOfStatus(status ?? 'refused')}`);
    }
    return committed ? EXIT.OK : EXIT.REFUSED;
  });
};

function transactionIdOf(text: string | undefined): Uint8Array {
  if (text === undefined) return new Uint8Array(randomBytes(TRANSACTION_ID_BYTES));
  if (!/^[0-9a-fA-F]{32}$/.test(text)) throw new UsageError('--id must be 32 hexadecimal digits');
  return new Uint8Array(Buffer.from(text, 'hex'));
}
