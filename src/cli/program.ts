/** The command tree: what exists, in the order a newcomer needs it. */

import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import type { Invocation, Register } from './invocation.ts';

/**
 * Commands by the heading under which help lists them. Each is loaded when it is called, and all of them for help: a payment does not
 * wait for the server's modules.
 */
const COMMANDS: readonly (readonly [heading: string, commands: Readonly<Record<string, () => Promise<Register>>>])[] = [
  ['To begin with:', { demo: async () => (await import('./commands/demo.ts')).registerDemo }],
  [
    'For the operator:',
    {
      serve: async () => (await import('./commands/serve.ts')).registerServe,
      doctor: async () => (await import('./commands/doctor.ts')).registerDoctor,
      enroll: async () => (await import('./commands/enroll.ts')).registerEnroll,
      customers: async () => (await import('./commands/customers.ts')).registerCustomers,
      accounts: async () => (await import('./commands/accounts.ts')).registerAccounts,
      fund: async () => (await import('./commands/fund.ts')).registerFund,
      ledger: async () => (await import('./commands/ledger.ts')).registerLedger,
      keys: async () => (await import('./commands/keys.ts')).registerKeys,
    },
  ],
  [
    'For customers:',
    {
      pay: async () => (await import('./commands/pay.ts')).registerPay,
      send: async () => (await import('./commands/send.ts')).registerSend,
      balance: async () => (await import('./commands/balance.ts')).registerBalance,
      history: async () => (await import('./commands/history.ts')).registerHistory,
      receipt: async () => (await import('./commands/receipt.ts')).registerReceipt,
    },
  ],
  [
    'For measuring:',
    {
      load: async () => (await import('./commands/load.ts')).registerLoad,
      compare: async () => (await import('./commands/compare.ts')).registerCompare,
    },
  ],
];

/** The program for an argument vector: with the one command that it names, or with all when it names none. */
export async function createProgram(invocation: Invocation, argv: readonly string[]): Promise<Command> {
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
  const named = COMMANDS.some(([, commands]) => Object.hasOwn(commands, argv[0] ?? '')) ? argv[0] : undefined;
  for (const [heading, commands] of COMMANDS) {
    program.commandsGroup(heading);
    for (const [name, load] of Object.entries(commands)) {
      if (named === undefined || name === named) (await load())(program, invocation);
    }
  }
  return program;
}

/** The package's version; the file is two folders up both as source and as compiled. */
function readVersion(): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  return (manifest as { readonly version: string }).version;
}
