/** What every command of a customer has in common: its options, its Customer, its remarks, its interrupt. */

import { createInterface } from 'node:readline/promises';
import { type Command, Option } from 'commander';
import { Customer, type CustomerOptions as CustomerClassOptions, hostKeyFingerprint } from '../customer/index.ts';
import { durationMs, jsonOption } from './invocation.ts';
import { type Output, printable, UsageError } from './output.ts';
import { traceSteps } from './trace.ts';

export interface CustomerCommandOptions {
  readonly customer?: string;
  readonly retryFor: number;
  readonly traceSteps?: number;
}

/** Adds --customer, --retry-for and --json; `retryFor` is the default, such as 10s. */
export function addCustomerOptions(command: Command, retryFor: string): void {
  command
    .addOption(
      new Option('--customer <file>', 'the customer file that "sallyport enroll" wrote').env('SALLYPORT_CUSTOMER'),
    )
    .addOption(
      new Option('--retry-for <duration>', 'for how long to try again when the server is busy or away')
        .argParser(durationMs)
        .default(durationMs(retryFor), retryFor),
    )
    .addOption(jsonOption())
    // Steps of the method as JSON lines on an inherited file descriptor: how the demo sees what its customers do.
    .addOption(new Option('--trace-steps <fd>').argParser(Number).hideHelp());
}

/** Opens the customer, runs `work`, which asks for one thing, closes the customer; SIGINT and SIGTERM abort what is waited for. */
export async function withCustomer<Result>(
  options: CustomerCommandOptions,
  output: Output,
  work: (customer: Customer) => Promise<Result>,
): Promise<Result> {
  const interrupt = new AbortController();
  const onSignal = (): void => interrupt.abort();
  process.once('SIGINT', onSignal).once('SIGTERM', onSignal);
  try {
    await using customer = await openCustomer(options, output, interrupt.signal, { idleMs: 0 });
    return await work(customer);
  } finally {
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
  }
}

/** Not mandatory to the parser, which would complain of it before it names a mistyped option. */
export function customerFileOf({ customer }: CustomerCommandOptions): string {
  if (customer !== undefined) return customer;
  throw new UsageError('no customer file is named', 'Name it with --customer FILE, or in SALLYPORT_CUSTOMER.');
}

/** A Customer that says on stderr what it does besides what it was asked for. */
export async function openCustomer(
  options: CustomerCommandOptions,
  output: Output,
  signal: AbortSignal,
  more: Pick<CustomerClassOptions, 'idleMs'> = {},
): Promise<Customer> {
  const customer = await Customer.fromFile(customerFileOf(options), {
    ...more,
    retryForMs: options.retryFor,
    signal,
    ...(output.interactive ? { confirmHostKey: (key: Uint8Array) => askForTrust(key, output) } : {}),
  });
  customer.on('retry', ({ error, delayMs }) => {
    output.note(`${printable(error.message)}; trying again in ${(delayMs / 1_000).toFixed(1)} s`);
  });
  customer.on('hostKeys', ({ nextHostKey }) => {
    if (nextHostKey !== undefined) {
      output.note(`the server announced its next host key, ${hostKeyFingerprint(nextHostKey)}; it is remembered`);
    }
  });
  customer.on('warning', (message) => output.warn(message));
  if (options.traceSteps !== undefined) traceSteps(customer, options.traceSteps);
  return customer;
}

/** Trust on first use is a person's decision: the word must be typed out. */
async function askForTrust(hostKey: Uint8Array, output: Output): Promise<boolean> {
  output.note('This customer has not met its server before. The server shows the host key');
  output.note(`  ${hostKeyFingerprint(hostKey)}`);
  output.note('Compare it with what its operator told you ("sallyport keys show" at the server).');
  const questions = createInterface({ input: process.stdin, output: output.stderr });
  try {
    return (await questions.question('Trust it from now on? Type yes: ')).trim().toLowerCase() === 'yes';
  } finally {
    questions.close();
  }
}
