import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { loadCrypto } from '../../crypto/index.ts';
import { SallyportError } from '../../errors.ts';
import { SqliteStorage } from '../../ledger/storage/sqlite.ts';
import { inspectLedger } from '../../ledger/storage/sqlite-check.ts';
import { guardedAsync, requireWritable } from '../../ledger/storage/sqlite-open.ts';
import type { ServerConfiguration } from '../settings.ts';
import {
  checkBacklog,
  checkClock,
  checkDescriptors,
  checkEphemeralRange,
  checkKernel,
  checkPortsInUse,
  checkReach,
  checkSecretFile,
  type Finding,
  type PlannedServer,
} from './checks.ts';
import { type HostFacts, readHostFacts } from './host-facts.ts';
import { examineReach } from './reach.ts';

/** Files of the state directory that hold secrets. */
const SECRET_FILES = /^(host-key\.pem|next-host-key\.pem|admin-token|pepper\.\d+)$/;

/**
 * Everything `sallyport doctor` looks at, for a server with this configuration on this machine. Changes nothing; listens on the first port
 * for a moment when nothing else does.
 */
export async function examine(
  configuration: ServerConfiguration,
  facts: HostFacts = readHostFacts(),
): Promise<Finding[]> {
  const planned = plannedServer(configuration);
  const { host, 'first-port': port, 'advertised-host': advertised } = configuration;
  const reach = await examineReach({ host, port, advertised, inUse: facts.listeningPorts.has(port) });
  const state = existsSync(configuration.state);
  return [
    checkDescriptors(planned, facts),
    checkEphemeralRange(planned, facts),
    checkPortsInUse(planned, facts),
    checkBacklog(planned, facts),
    checkKernel((await loadCrypto({ quads: configuration.kernel === 'quads' })).kernel),
    ...(state ? checkSecrets(configuration.state) : [checkSecretFile(configuration.state, undefined)]),
    ...(await checkLedgerAndClock(join(configuration.state, 'ledger.sqlite'))),
    checkReach(`${advertised === '' ? host : advertised}:${port}`, reach),
  ];
}

export function plannedServer(configuration: ServerConfiguration): PlannedServer {
  const supply = configuration['second-ports'];
  return {
    firstPort: configuration['first-port'],
    secondPorts: supply.kind === 'range' ? [supply.first, supply.last] : undefined,
    // In shared mode the ports are few and the sessions are what takes descriptors.
    secondPortCount:
      configuration['port-mode'] === 'shared'
        ? configuration['shared-sessions-max']
        : supply.kind === 'range'
          ? supply.last - supply.first + 1
          : supply.count,
    backlog: configuration.backlog,
  };
}

function checkSecrets(state: string): Finding[] {
  const names = readdirSync(state).filter((name) => SECRET_FILES.test(name));
  return ['.', ...names].map((name) => checkSecretFile(join(state, name), statSync(join(state, name)).mode));
}

async function checkLedgerAndClock(path: string): Promise<Finding[]> {
  // The version in use was made before it was installed.
  const builtMs = statSync(new URL('../../../package.json', import.meta.url)).mtimeMs;
  const storage = new SqliteStorage({ path, readOnly: true });
  try {
    requireWritable(path);
    await storage.open();
    await guardedAsync(path, () => inspectLedger(path, 'tail'));
    const head = await storage.read((reader) => reader.head());
    const found = `${path} opens, and is in order up to its last entry, ${head.sequence}`;
    return [{ check: 'ledger', verdict: 'good', found, advice: '' }, checkClock(Date.now(), builtMs, head.timeUs)];
  } catch (error) {
    const clock = checkClock(Date.now(), builtMs, undefined);
    if (!(error instanceof SallyportError)) throw error;
    if (error.code === 'NOT_FOUND')
      return [
        {
          check: 'ledger',
          verdict: 'warning',
          found: `${path} is not there yet`,
          advice: 'It is made at the first start.',
        },
        clock,
      ];
    return [{ check: 'ledger', verdict: 'bad', found: error.message, advice: error.advice }, clock];
  } finally {
    await storage.close();
  }
}
