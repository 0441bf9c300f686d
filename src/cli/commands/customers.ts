/** `sallyport customers`: who is enrolled, and who may no longer come in. */

import type { Command } from 'commander';
import type { CustomerRecord, CustomerStatus } from '../../ledger/identity.ts';
import { LIST_PAGE_MAX } from '../../limits.ts';
import { type Invocation, jsonOption, onAction, type Register, withExamples } from '../invocation.ts';
import { configOption, type OperatorOptions, stateOption, withOperatorState } from '../operator-state.ts';
import { isoTimeOfUs } from '../times.ts';

export const registerCustomers: Register = (parent, invocation) => {
  const group = parent.command('customers').description('list customers, disable and enable them');
  const list = group
    .command('list')
    .description('show every customer')
    .addOption(stateOption())
    .addOption(configOption())
    .addOption(jsonOption());
  withExamples(list, [['sallyport customers list', 'who is enrolled']]);
  onAction<OperatorOptions>(list, invocation, async (_args, options, output) => {
    const customers = await withOperatorState(options, async ({ ledger }) => {
      const all: CustomerRecord[] = [];
      for (;;) {
        const after = all.at(-1)?.id;
        const page = await ledger.listCustomers({ limit: LIST_PAGE_MAX, ...(after === undefined ? {} : { after }) });
        all.push(...page);
        if (page.length < LIST_PAGE_MAX) return all;
      }
    });
    if (output.json) {
      output.document({ customers: customers.map(describe) });
      return;
    }
    output.table(
      [
        { title: 'customer', value: ({ id }) => id },
        {
          title: 'status',
          value: ({ status }) => status,
          format: ({ status }) => (status === 'active' ? 'green' : 'yellow'),
        },
        { title: 'profile fields', value: ({ fields }) => fields.map(({ tag }) => tag).join(', ') },
        { title: 'enrolled', value: ({ createdTimeUs }) => isoTimeOfUs(createdTimeUs).replace(/\.\d+Z$/, 'Z') },
      ],
      customers,
      'No customers yet: make one with "sallyport enroll".',
    );
  });
  registerStatusChange(
    group,
    invocation,
    'disable',
    'disabled',
    'let a customer in no more; sessions that are open are refused payments',
  );
  registerStatusChange(group, invocation, 'enable', 'active', 'let a disabled customer in again');
};

function registerStatusChange(
  group: Command,
  invocation: Invocation,
  name: string,
  status: CustomerStatus,
  description: string,
): void {
  const command = group
    .command(name)
    .description(description)
    .argument('<customer>', 'its id')
    .addOption(stateOption())
    .addOption(configOption())
    .addOption(jsonOption());
  withExamples(command, [[`sallyport customers ${name} alice`, 'takes effect at once']]);
  onAction<OperatorOptions>(command, invocation, async ([id], options, output) => {
    const record = await withOperatorState(options, ({ ledger }) => ledger.setCustomerStatus(id!, status));
    if (output.json) output.document({ customer: describe(record) });
    else output.line(`${output.style('green', '✓')} ${record.id} is ${record.status}`);
  });
}

function describe(record: CustomerRecord): object {
  return {
    id: record.id,
    status: record.status,
    profile: record.fields.map(({ tag }) => tag),
    enrolledTime: isoTimeOfUs(record.createdTimeUs),
  };
}
