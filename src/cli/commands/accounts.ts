/** `sallyport accounts`: open them, and see what is in all of them. */

import type { Account } from '../../ledger/accounts.ts';
import { formatAmount, parseAmount } from '../../ledger/amounts.ts';
import { LIST_PAGE_MAX } from '../../limits.ts';
import { jsonOption, onAction, type Register, withExamples } from '../invocation.ts';
import { nextCommand } from '../next-command.ts';
import { configOption, type OperatorOptions, stateOption, withOperatorState } from '../operator-state.ts';
import { UsageError } from '../output.ts';
import { isoTimeOfUs } from '../times.ts';

interface OpenOptions extends OperatorOptions {
  readonly owner: string;
  readonly currency: string;
  readonly limit: string;
}

interface ListOptions extends OperatorOptions {
  readonly owner?: string;
}

export const registerAccounts: Register = (parent, invocation) => {
  const group = parent.command('accounts').description('open accounts and list them');

  const open = group
    .command('open')
    .description('open an account for a customer')
    .argument('<account>', 'its id, such as alice.eur')
    .requiredOption('--owner <customer>', 'the customer whose account it is')
    .requiredOption('--currency <code>', 'an ISO 4217 currency, such as EUR')
    .option('--limit <decimal>', 'the lowest balance a payment may leave; negative for a credit line', '0')
    .addOption(stateOption())
    .addOption(configOption())
    .addOption(jsonOption());
  withExamples(open, [
    ['sallyport accounts open alice.eur --owner alice --currency EUR', 'an account that cannot be overdrawn'],
    ['sallyport accounts open shop.jpy --owner shop --currency JPY --limit=-50000', 'one with a credit line'],
  ]);
  onAction<OpenOptions>(open, invocation, async ([id], { owner, currency, limit, ...options }, output) => {
    const minor = parseLimit(limit, currency);
    const account = await withOperatorState(options, ({ ledger }) =>
      ledger.openAccount({ id: id!, owner, currency, limit: minor }),
    );
    if (output.json) {
      output.document({ account: describe(account) });
      return;
    }
    output.line(`${output.style('green', '✓')} opened ${account.id} for ${account.owner}, in ${account.currency}`);
    output.note(
      `\nNext: ${nextCommand(['fund', account.id, '100'], { state: options.state, config: options.config })}`,
    );
  });

  const list = group
    .command('list')
    .description("show every account, the operator's own included; balances of a currency add up to zero")
    .option('--owner <customer>', 'only accounts of this customer')
    .addOption(stateOption())
    .addOption(configOption())
    .addOption(jsonOption());
  withExamples(list, [['sallyport accounts list --owner alice', 'the accounts of alice']]);
  onAction<ListOptions>(list, invocation, async (_args, { owner, ...options }, output) => {
    const accounts = await withOperatorState(options, async ({ ledger }) => {
      const all: Account[] = [];
      for (;;) {
        const after = all.at(-1)?.id;
        const page = await ledger.listAccounts({
          limit: LIST_PAGE_MAX,
          ...(owner === undefined ? {} : { owner }),
          ...(after === undefined ? {} : { after }),
        });
        all.push(...page);
        if (page.length < LIST_PAGE_MAX) return all;
      }
    });
    if (output.json) {
      output.document({ accounts: accounts.map(describe) });
      return;
    }
    output.table(
      [
        { title: 'account', value: ({ id }) => id },
        { title: 'owner', value: (account) => account.owner },
        { title: 'balance', align: 'right', value: (account) => formatAmount(account.balance, account.currency) },
        { title: 'currency', value: ({ currency }) => currency },
        { title: 'limit', align: 'right', value: limitOf },
        {
          title: 'status',
          value: ({ status }) => status,
          format: ({ status }) => (status === 'open' ? undefined : 'yellow'),
        },
      ],
      accounts,
      'No accounts yet: open one with "sallyport accounts open".',
    );
  });
};

function limitOf({ limit, currency }: Account): string {
  return limit === undefined ? 'none' : formatAmount(limit, currency);
}

function parseLimit(text: string, currency: string): bigint {
  const parsed = parseAmount(text.replace(/^-/, ''), currency);
  if (!parsed.ok) throw new UsageError(`the account cannot be opened: ${parsed.reason}`);
  return text.startsWith('-') ? -parsed.minor : parsed.minor;
}

function describe(account: Account): object {
  return {
    id: account.id,
    owner: account.owner,
    currency: account.currency,
    balance: formatAmount(account.balance, account.currency),
    limit: account.limit === undefined ? null : formatAmount(account.limit, account.currency),
    status: account.status,
    openedTime: isoTimeOfUs(account.openedTimeUs),
  };
}
