/** `sallyport serve`: the security server, until it is told to stop. */

import { writeSync } from 'node:fs';
import { resolve } from 'node:path';
import { Option } from 'commander';
import { pino } from 'pino';
import { addressOf } from '../../customer/connection.ts';
import { SallyportError } from '../../errors.ts';
import { loadProcessors } from '../../ledger/processor-registry.ts';
import type { AdminServer } from '../../server/admin/admin-server.ts';
import { resolveConfiguration } from '../../server/configuration.ts';
import type { SecurityServer } from '../../server/index.ts';
import { requireListenable } from '../../server/listen-error.ts';
import { jsonOption, onAction, type Register, withExamples } from '../invocation.ts';
import { nextCommand } from '../next-command.ts';
import { operate } from '../operate.ts';
import type { Output } from '../output.ts';
import { addSettingOptions, flagsOf, printConfiguration, settingText } from '../setting-options.ts';
import { encodeTracedStep } from '../trace.ts';

interface Options extends Readonly<Record<string, unknown>> {
  readonly config?: string;
  readonly printConfig?: true;
  readonly checkConfig?: true;
  readonly logFile?: string;
  readonly traceSteps?: number;
}

export const registerServe: Register = (parent, invocation) => {
  const serve = parent
    .command('serve')
    .description('run the security server; makes host key, pepper and ledger on first use')
    .option('--config <file>', 'configuration file, TOML (default: ./sallyport.toml if there is one; SALLYPORT_CONFIG)')
    .option('--print-config', 'show every setting, its value and where it comes from, and exit')
    .option(
      '--check-config',
      'say whether the configuration is right, processor modules and addresses included, and exit',
    )
    .option('--log-file <file>', 'write the log (JSON lines) there instead of to standard error')
    .addOption(jsonOption())
    .addOption(new Option('--trace-steps <fd>').argParser(Number).hideHelp());
  addSettingOptions(serve);
  withExamples(serve, [
    ['sallyport serve', 'on embedded defaults, state in ./sallyport-state'],
    ['sallyport serve --host 0.0.0.0 --state /var/lib/sallyport --log-file /var/log/sallyport.log', 'for a network'],
    ['SALLYPORT_FIRST_PORT=7000 sallyport serve --print-config', 'what would be in force, and why'],
  ]);
  onAction<Options>(serve, invocation, async (_args, options, output) => {
    const sources = { file: options.config, environment: process.env, flags: flagsOf(options) };
    const resolved = resolveConfiguration(sources);
    if (options.printConfig) {
      printConfiguration(resolved, output);
      return undefined;
    }
    const { configuration } = resolved;
    if (options.checkConfig) {
      await loadProcessors(configuration.processors, process.cwd());
      await requireListenable('the first port', configuration.host, 'first');
      if (configuration['admin-port'] !== 'off')
        await requireListenable('the admin address', configuration['admin-host'], 'admin');
      if (output.json) output.document({ right: true });
      else output.line(`${output.style('green', '✓')} the configuration is right`);
      return undefined;
    }
    const destination = openLog(options.logFile);
    const logger = pino({ level: configuration['log-level'], timestamp: pino.stdTimeFunctions.isoTime }, destination);
    return operate({
      configuration,
      resolve: () => resolveConfiguration(sources).configuration,
      logger,
      // After whoever rotates logs has moved the file away.
      reopenLog: () => {
        if (options.logFile !== undefined) destination.reopen();
      },
      environment: process.env,
      onStarted: (server, admin) => {
        if (options.traceSteps !== undefined) traceServer(server, options.traceSteps);
        announce(server, admin, options, output);
      },
      note: (text) => output.note(text),
    });
  });
};

/** Synchronous: the last lines before an end are there, and a line costs microseconds. */
function openLog(path: string | undefined): ReturnType<typeof pino.destination> {
  if (path === undefined) return pino.destination({ dest: 2, sync: true });
  try {
    return pino.destination({ dest: path, sync: true, mode: 0o600 });
  } catch (cause) {
    throw new SallyportError('BAD_FILE', `the log file ${path} cannot be written: ${(cause as Error).message}`, {
      cause,
    });
  }
}

/** Steps go to an inherited descriptor: how the demo sees what the server does. */
function traceServer(server: SecurityServer, descriptor: number): void {
  server.on('step', ({ step, detail }) => {
    writeSync(descriptor, encodeTracedStep({ at: process.hrtime.bigint(), side: 'server', step, detail }));
  });
}

/** On stdout: for a person what to know and what to type next, for a program one line of JSON. */
function announce(server: SecurityServer, admin: AdminServer | undefined, options: Options, output: Output): void {
  const { configuration, state, address, fingerprint } = server;
  const firstPort = { host: address.host, port: address.port };
  if (output.json) {
    output.jsonLine({
      event: 'serving',
      firstPort,
      secondPorts: settingText(configuration['second-ports']),
      fingerprint,
      hostKey: Buffer.from(state.hostPublicKey).toString('hex'),
      state: resolve(state.path),
      created: state.created,
      admin: admin === undefined ? null : admin.address,
      pid: process.pid,
    });
    return;
  }
  output.line(output.style('bold', 'Sallyport serves.'));
  output.line();
  output.pairs([
    ['  first port', addressOf(firstPort.host, firstPort.port)],
    ['  second ports', secondPortsText(configuration['second-ports'], configuration['port-mode'])],
    ['  host key', fingerprint],
    ['  state', `${resolve(state.path)}${state.created.length === 0 ? '' : '  (made just now)'}`],
    ['  admin page', adminText(admin)],
    ['  log', options.logFile === undefined ? 'standard error, JSON lines' : resolve(options.logFile)],
  ]);
  output.line();
  output.line('Make a customer next, from another terminal in this directory:');
  output.line();
  output.line(`  ${output.style('bold', enrollCommand(server, options))}`);
  output.line();
}

function adminText(admin: AdminServer | undefined): string {
  if (admin === undefined) return 'off; --admin-port 7920 opens it';
  return `http://${addressOf(admin.address.host, admin.address.port)}/`;
}

function secondPortsText(supply: unknown, mode: string): string {
  const ports = settingText(supply);
  const shown = ports.startsWith('any:') ? `${ports.slice(4)}, chosen by the system` : ports;
  return mode === 'exclusive' ? `${shown}, one for each session` : `${shown}, shared by all sessions`;
}

/** With what enroll would not find by itself: files and ports that were named on this command line, or the port of a socket that was passed. */
function enrollCommand({ state, address, configuration }: SecurityServer, options: Options): string {
  const moved = options.firstPort !== undefined || configuration['first-port'] !== address.port;
  const host = address.host === '0.0.0.0' || address.host === '::' ? '127.0.0.1' : address.host;
  return nextCommand(['enroll', 'alice', '--profile', 'email=alice@example.com'], {
    config: options.config,
    state: options.state === undefined ? undefined : state.path,
    server: moved ? addressOf(host, address.port) : undefined,
  });
}
