/** `sallyport history`: what moved on one account, newest first. */

import type { History } from '../../customer/index.ts';
import { addCustomerOptions, type CustomerCommandOptions, withCustomer } from '../customer-command.ts';
import { integerBetween, onAction, type Register, withExamples } from '../invocation.ts';
import type { Output } from '../output.ts';

interface Options extends CustomerCommandOptions {
  readonly limit: number;
  readonly before?: string;
}

/** What the protocol allows in one answer. */
const LIMIT_MAX = 100;
const LIMIT_DEFAULT = 20;

export const registerHistory: Register = (parent, invocation) => {
  const history = parent
    .command('history')
    .description('show what moved on one of your accounts, newest first')
    .argument('<account>', 'one of your own accounts')
    .option('--limit <count>', `how many entries, at most ${LIMIT_MAX}`, integerBetween(1, LIMIT_MAX), LIMIT_DEFAULT)
    .option('--before <sequence>', 'only entries older than this one; what a page says is where the next begins');
  addCustomerOptions(history, '0s');
  withExamples(history, [
    ['sallyport history alice.eur --customer alice.json', 'the newest entries'],
    ['sallyport history alice.eur --customer alice.json --before 1200', 'those older than entry 1200'],
  ]);
  onAction<Options>(history, invocation, async ([account], options, output) => {
    const { limit, before } = options;
    const page = await withCustomer(options, output, (customer) =>
      customer.history(account!, { limit, ...(before === undefined ? {} : { before }) }),
    );
    if (output.json) output.document({ account, ...page });
    else show(account!, page, output);
  });
};

function show(account: string, { entries, more, next }: History, output: Output): void {
  output.table(
    [
      { title: 'sequence', align: 'right', value: (entry) => entry.sequence },
      { title: 'time', value: (entry) => entry.time.replace(/\.\d+Z$/, 'Z') },
      { title: 'from or to', value: (entry) => (entry.from === account ? `→ ${entry.to}` : `← ${entry.from}`) },
      { title: 'amount', align: 'right', value: (entry) => entry.amount },
      { title: 'balance', align: 'right', value: (entry) => entry.balance },
      { title: 'currency', value: (entry) => entry.currency },
      { title: 'reference', value: (entry) => entry.reference },
    ],
    entries,
    `Nothing has moved on ${account}.`,
  );
  if (more && next !== undefined) output.note(`\nThere are older entries: add --before ${next}`);
}
