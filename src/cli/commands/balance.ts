/** `sallyport balance`: the customer's own accounts. */

import { addCustomerOptions, type CustomerCommandOptions, withCustomer } from '../customer-command.ts';
import { onAction, type Register, withExamples } from '../invocation.ts';

export const registerBalance: Register = (parent, invocation) => {
  const balance = parent.command('balance').description('show your accounts and what is in them');
  addCustomerOptions(balance, '0s');
  withExamples(balance, [['sallyport balance --customer alice.json', 'all accounts of alice']]);
  onAction<CustomerCommandOptions>(balance, invocation, async (_args, options, output) => {
    const accounts = await withCustomer(options, output, (customer) => customer.balance());
    if (output.json) {
      output.document({ accounts });
      return;
    }
    output.table(
      [
        { title: 'account', value: (account) => account.id },
        { title: 'balance', align: 'right', value: (account) => account.balance },
        { title: 'currency', value: (account) => account.currency },
        { title: 'limit', align: 'right', value: (account) => account.limit },
      ],
      accounts,
      'No accounts yet: the operator opens them with "sallyport accounts open".',
    );
  });
};
