/** The command tree: what exists, in the order a newcomer needs it. */

import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { registerAccounts } from './commands/accounts.ts';
import { registerBalance } from './commands/balance.ts';
import { registerCompare } from './commands/compare.ts';
import { registerCustomers } from './commands/customers.ts';
import { registerEnroll } from './commands/enroll.ts';
import { registerFund } from './commands/fund.ts';
import { registerHistory } from './commands/history.ts';
import { registerKeys } from './commands/keys.ts';
import { registerLedger } from './commands/ledger.ts';
import { registerPay } from './commands/pay.ts';
import { registerReceipt } from './commands/receipt.ts';
import { registerSend } from './commands/send.ts';
import { registerServe } from './commands/serve.ts';
import type { Invocation, Register } from './invocation.ts';

/** Command files, by the heading under which help lists them. */
const COMMANDS: readonly (readonly [heading: string, registers: readonly Register[]])[] = [
  [
    'For the operator:',
    [registerServe, registerEnroll, registerCustomers, registerAccounts, registerFund, registerLedger, registerKeys],
  ],
  ['For customers:', [registerPay, registerSend, registerBalance, registerHistory, registerReceipt]],
  ['For measuring:', [registerCompare]],
];

export function createProgram(invocation: Invocation): Command {
  const program = new Command('sallyport');
  program
    .description(
      'A security server that gives every customer a second port, fresh keys, and a durable, receipted transaction.',
    )
    .version(readVersion(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print help')
    .helpCommand('help [command]', 'print help for a command')
    .showSuggestionAfterError(true)
    .configureHelp({ showGlobalOptions: false, styleTitle: (title) => title })
    .configureOutput({
      writeOut: (text) => invocation.streams.stdout.write(text),
      writeErr: (text) => invocation.streams.stderr.write(text),
      // `main` prints errors, as it prints all others.
      outputError: () => {},
      getOutHelpWidth: () => invocation.streams.stdout.columns ?? 100,
      getErrHelpWidth: () => invocation.streams.stderr.columns ?? 100,
    })
    .exitOverride()
    .addHelpText('after', '\nStart here: sallyport demo     Everything else: sallyport help COMMAND, docs/CLI.md');
  for (const [heading, registers] of COMMANDS) {
    program.commandsGroup(heading);
    for (const register of registers) register(program, invocation);
  }
  return program;
}

/** The package's version; the file is two folders up both as source and as compiled. */
function readVersion(): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  return (manifest as { readonly version: string }).version;
}
