/**
 * A server in operation, from its start to its end: what its operator tells it by signals.
 *
 *   SIGTERM, SIGINT   drain, then end; once more: end at once
 *   SIGHUP            read configuration and keys again, reopen the log file
 *   SIGUSR2           hand the first port over to a new process with the same command line, drain, end
 */

import type { Logger } from 'pino';
import { AdminServer } from '../server/admin/admin-server.ts';
import { SecurityServer } from '../server/index.ts';
import type { ServerConfiguration } from '../server/settings.ts';
import { openAdminToken } from '../server/state-directory.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { findPredecessor, handOver } from './handover.ts';
import { inheritedFirstPort, notifyServiceManager, type ServiceState } from './service-manager.ts';

export interface Operation {
  readonly configuration: ServerConfiguration;
  /** Reads the configuration again, from where it came. */
  readonly resolve: () => ServerConfiguration;
  readonly logger: Logger;
  readonly reopenLog: () => void;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly onStarted: (server: SecurityServer, admin: AdminServer | undefined) => void;
  /** Tells the person who watches. */
  readonly note: (text: string) => void;
}

/** Runs a server until it is told to end. Rejects as SecurityServer.start and AdminServer.start do. */
export async function operate(operation: Operation): Promise<ExitCode> {
  const { configuration, logger, environment } = operation;
  const predecessor = findPredecessor(environment);
  const surroundings = { admin: undefined as AdminServer | undefined };
  const tellManager = async (state: ServiceState): Promise<void> => {
    const failure = await notifyServiceManager(environment, state, process.pid);
    if (failure !== undefined) logger.warn({ event: 'notify-failed', reason: failure });
  };
  // From before the start: a signal that comes during it stops the server as soon as it stands.
  const told = untilSignalled();
  // A server started by itself opens its admin address first, to say "starting"; a successor when the one before has closed it.
  if (predecessor === undefined) surroundings.admin = await startAdmin(configuration);
  const server = await SecurityServer.start({
    configuration,
    logger,
    firstPortDescriptor: inheritedFirstPort(environment, process.pid),
    beforeServing: predecessor === undefined ? undefined : () => predecessor.take(),
  });
  if (predecessor !== undefined) surroundings.admin = await startSuccessorsAdmin(configuration, logger);
  surroundings.admin?.attach(server);
  operation.onStarted(server, surroundings.admin);
  predecessor?.serving();
  await tellManager('READY=1');

  const onHangUp = (): void => reload(server, operation);
  const hangUps = process.on('SIGHUP', onHangUp);
  const handedOver = untilHandedOver(server, operation, async () => surroundings.admin?.close());
  const ending = await Promise.race([told.then(() => 'told' as const), handedOver.promise]);
  handedOver.cancel();
  hangUps.off('SIGHUP', onHangUp);

  if (ending === 'told') {
    await tellManager('STOPPING=1');
    operation.note(
      `\nstopping: sessions that run have ${server.configuration['drain-ms'] / 1_000} s to finish; interrupt again to leave at once`,
    );
  }
  const leave = (): void => process.exit(EXIT.INTERRUPTED);
  process.once('SIGINT', leave).once('SIGTERM', leave);
  await server.stop();
  if (ending === 'told') await surroundings.admin?.close();
  process.off('SIGINT', leave).off('SIGTERM', leave);
  operation.note('stopped');
  return ending === 'lost' ? EXIT.RETRY : EXIT.OK;
}

function startAdmin({
  'admin-host': host,
  'admin-port': port,
  state,
}: ServerConfiguration): Promise<AdminServer | undefined> {
  if (port === 'off') return Promise.resolve(undefined);
  return AdminServer.start({ host, port, token: () => openAdminToken(state) });
}

/** A successor that has taken the first port serves, with or without its admin address. */
async function startSuccessorsAdmin(
  configuration: ServerConfiguration,
  logger: Logger,
): Promise<AdminServer | undefined> {
  try {
    return await startAdmin(configuration);
  } catch (error) {
    logger.error({ event: 'admin-failed', reason: (error as Error).message });
    return undefined;
  }
}

/** A configuration that is wrong, or keys that cannot be read, leave everything as it is. */
function reload(server: SecurityServer, { resolve, reopenLog, logger, note }: Operation): void {
  try {
    reopenLog();
    const { changed, waiting } = server.reload(resolve());
    note(`reloaded: ${changed.join(', ') || 'nothing changed'}`);
    if (waiting.length > 0) note(`waiting for a restart: ${waiting.join(', ')}`);
  } catch (error) {
    logger.error({ event: 'reload-failed', reason: (error as Error).message });
    note(`not reloaded: ${(error as Error).message}`);
  }
}

/** Hands over at SIGUSR2, until it succeeds; `lost` when this server had retired and its successor did not come up. */
function untilHandedOver(
  server: SecurityServer,
  { logger, note }: Operation,
  closeAdmin: () => Promise<unknown>,
): { readonly promise: Promise<'handed over' | 'lost'>; cancel(): void } {
  const { promise, resolve } = Promise.withResolvers<'handed over' | 'lost'>();
  const progress = { running: false };
  const abort = new AbortController();
  const start = async (): Promise<void> => {
    if (progress.running) return;
    if (server.configuration['port-mode'] === 'shared') {
      const reason = 'shared second ports cannot be listened on by two servers; stop this one, then start the next';
      logger.error({ event: 'handover-failed', reason });
      note(`not handed over: ${reason}`);
      return;
    }
    progress.running = true;
    logger.info({ event: 'handover-started' });
    try {
      const pid = await handOver(server, { beforeRetiring: closeAdmin, signal: abort.signal });
      logger.info({ event: 'handed-over', pid });
      note(`handed over to process ${pid}`);
      progress.running = false;
      resolve('handed over');
    } catch (error) {
      logger.error({ event: 'handover-failed', reason: (error as Error).message });
      note(`not handed over: ${(error as Error).message}`);
      if (server.draining && !abort.signal.aborted) resolve('lost');
      progress.running = false;
    }
  };
  const onSignal = (): void => void start();
  process.on('SIGUSR2', onSignal);
  const cancel = (): void => {
    process.off('SIGUSR2', onSignal);
    // Only while a successor has not taken over: afterwards it would be the server that serves.
    if (progress.running) abort.abort();
  };
  return { promise, cancel };
}

function untilSignalled(): Promise<void> {
  return new Promise((stop) => {
    process.once('SIGINT', () => stop()).once('SIGTERM', () => stop());
  });
}
