/**
 * A restart without a refused customer. The running server starts its successor (the same command line, so a new version and a new
 * configuration) as a child that inherits the listening socket of the first port:
 *
 *   successor                          predecessor
 *   starts, warms up; {ready} -------> stops accepting; closes second ports nobody holds
 *             <------- {yours, held}   lists those that sessions hold
 *   passes them over; accepts
 *   {serving} -----------------------> drains, ends
 *
 * Between the two, customers wait in the socket's own queue, which belongs to both. A successor that fails before {ready} has changed
 * nothing: the predecessor goes on. What is left between {ready} and {serving} is to accept at a socket that listens already.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Server } from 'node:net';
import type { SecurityServer } from '../server/index.ts';
import { HANDOVER_NAME } from './service-manager.ts';

type FromSuccessor = { readonly kind: 'ready' } | { readonly kind: 'serving' };
interface FromPredecessor {
  readonly kind: 'yours';
  /** Second ports that sessions of the predecessor hold. */
  readonly held: readonly number[];
}

/** Opening the ledger and warming up the crypto threads take seconds on a slow machine, never this. */
const START_LIMIT_MS = 60_000;

/** The successor's side: undefined in a server that was started by itself. */
export interface Predecessor {
  /** Asks for the first port; fulfilled with the second ports to pass over. Also when the predecessor is gone: then nobody holds any. */
  take(): Promise<readonly number[]>;
  /** Says that customers are served now; the predecessor drains. */
  serving(): void;
}

export function findPredecessor(environment: Readonly<Record<string, string | undefined>>): Predecessor | undefined {
  if (environment.LISTEN_FDNAMES !== HANDOVER_NAME || process.send === undefined) return undefined;
  return {
    take: async () => {
      const gone = once(process, 'disconnect').then((): FromPredecessor => ({ kind: 'yours', held: [] }));
      const answered = once(process, 'message').then(([message]) => message as FromPredecessor);
      send({ kind: 'ready' });
      return (await Promise.race([answered, gone])).held;
    },
    serving: () => {
      send({ kind: 'serving' });
      process.disconnect?.();
    },
  };
}

/** A predecessor that has ended in the meantime needs no word any more. */
function send(message: FromSuccessor): void {
  process.send?.(message, undefined, undefined, () => undefined);
}

/**
 * The predecessor's side: starts the successor and hands over. Fulfilled with its pid when it serves: then this server has retired and is
 * to be stopped. Rejected when it did not come to that; this server goes on unless it is `draining`. `beforeRetiring` is called when the
 * successor is ready; `signal` gives the handover up, and ends a successor that has not taken over.
 */
export async function handOver(
  server: SecurityServer,
  { beforeRetiring, signal }: { readonly beforeRetiring: () => Promise<unknown>; readonly signal: AbortSignal },
): Promise<number> {
  const successor = startSuccessor(server, signal);
  const ended = once(successor, 'exit').then(([code, signal]) => {
    throw new Error(`the successor ended (${signal ?? `exit code ${code}`}); its own words are above`);
  });
  ended.catch(() => undefined);
  const failed = once(successor, 'error').then(([error]) => {
    throw error as Error;
  });
  failed.catch(() => undefined);
  const timer = setTimeout(() => successor.kill('SIGKILL'), START_LIMIT_MS);
  try {
    await Promise.race([heard(successor, 'ready'), ended, failed]);
    await beforeRetiring();
    const serving = heard(successor, 'serving');
    const yours: FromPredecessor = { kind: 'yours', held: server.retire() };
    successor.send(yours);
    await Promise.race([serving, ended, failed]);
    return successor.pid!;
  } finally {
    clearTimeout(timer);
    if (successor.connected) successor.disconnect();
    successor.unref();
  }
}

function startSuccessor(server: SecurityServer, signal: AbortSignal): ChildProcess {
  const [program, ...args] = process.argv.slice(1);
  return spawn(process.execPath, [...process.execArgv, program!, ...args], {
    signal,
    env: { ...process.env, LISTEN_FDS: '1', LISTEN_PID: undefined, LISTEN_FDNAMES: HANDOVER_NAME },
    stdio: ['ignore', 'inherit', 'inherit', descriptorOf(server.listener), 'ipc'],
  });
}

/**
 * The descriptor of a listening socket. Node hands a server's handle to a child of its own making only over IPC, bound to its cluster
 * module; the number itself is on the handle, undocumented and unchanged since Node 0.x, so its absence is an error that is said.
 */
function descriptorOf(listener: Server): number {
  const { _handle: handle } = listener as unknown as { readonly _handle?: { readonly fd?: unknown } };
  if (typeof handle?.fd === 'number' && handle.fd >= 0) return handle.fd;
  throw new Error(
    'this system does not say which descriptor the first port has; stop this server, then start the next',
  );
}

async function heard(successor: ChildProcess, kind: FromSuccessor['kind']): Promise<void> {
  for (;;) {
    const [message] = (await once(successor, 'message')) as [FromSuccessor];
    if (message.kind === kind) return;
  }
}
