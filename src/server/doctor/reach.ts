import { lookup } from 'node:dns/promises';
import { once } from 'node:events';
import { connect, createServer, type Server } from 'node:net';
import { isLoopbackAddress } from '../admin/access.ts';
import type { Reach } from './checks.ts';

/** A port that answers at all does so within this, in milliseconds; a firewall that drops never does. */
const CONNECT_TIMEOUT_MS = 3_000;

export interface ReachPlan {
  /** What the server listens on. */
  readonly host: string;
  readonly port: number;
  /** What customers are told; empty: `host`. */
  readonly advertised: string;
  /** Whether something listens on the port already: then it is taken for the server. */
  readonly inUse: boolean;
}

/**
 * Connects to the address that customers are given, and sees whether it leads here. When nothing listens there yet, a trial listener is
 * opened for the time of the look, so that the answer is proof.
 */
export async function examineReach({ host, port, advertised, inUse }: ReachPlan): Promise<Reach> {
  const everywhere = host === '0.0.0.0' || host === '::';
  if (advertised === '' && everywhere) return tryConnection('127.0.0.1', host, port, inUse);
  const target = advertised === '' ? host : advertised;
  if (isLoopbackAddress(target)) return { kind: 'loopback' };
  return tryConnection(target, host, port, inUse);
}

async function tryConnection(target: string, host: string, port: number, inUse: boolean): Promise<Reach> {
  let address: string;
  try {
    ({ address } = await lookup(target));
  } catch (error) {
    return { kind: 'unresolved', reason: (error as Error).message };
  }
  if (inUse) {
    const failure = await reasonNotReached(address, port);
    return failure === undefined ? { kind: 'reached', by: 'this server' } : { kind: 'failed', reason: failure };
  }
  const trial = createServer((socket) => socket.on('error', () => socket.destroy()).end());
  try {
    trial.listen({ host, port });
    await once(trial, 'listening');
    const arrived = arrival(trial);
    const failure = await reasonNotReached(address, (trial.address() as { readonly port: number }).port);
    if (failure !== undefined) return { kind: 'failed', reason: failure };
    return (await arrived) ? { kind: 'reached', by: 'a trial listener' } : { kind: 'someone-else' };
  } catch (error) {
    return { kind: 'failed', reason: `no trial listener could be opened: ${(error as Error).message}` };
  } finally {
    await new Promise((resolve) => trial.close(resolve));
  }
}

/** Whether a connection arrives within the time. */
function arrival(server: Server): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), CONNECT_TIMEOUT_MS);
    timer.unref();
    server.once('connection', () => {
      clearTimeout(timer);
      resolve(true);
    });
  });
}

function reasonNotReached(host: string, port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: CONNECT_TIMEOUT_MS });
    const end = (reason: string | undefined): void => {
      socket.destroy();
      resolve(reason);
    };
    socket.once('connect', () => end(undefined));
    socket.once('timeout', () => end(`no answer within ${CONNECT_TIMEOUT_MS / 1_000} s`));
    socket.once('error', (error) => end(error.message));
  });
}
