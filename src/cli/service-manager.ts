/** What a service manager (systemd) and this process tell each other: a socket that listens already, "ready" and "stopping". */

import { execFile } from 'node:child_process';

type Environment = Readonly<Record<string, string | undefined>>;

/** The first descriptor that is passed (sd_listen_fds(3), SD_LISTEN_FDS_START). */
const FIRST_DESCRIPTOR = 3;
/** Says that the socket comes from the server before this one, which could not know our pid. */
export const HANDOVER_NAME = 'sallyport-handover';
/** systemd-notify answers in milliseconds; a hanging one must not hold the server up. */
const NOTIFY_TIMEOUT_MS = 5_000;

/** The descriptor of a first port that listens already; undefined when none was passed to this process. */
export function inheritedFirstPort(environment: Environment, pid: number): number | undefined {
  const { LISTEN_FDS: count, LISTEN_PID: owner, LISTEN_FDNAMES: names } = environment;
  const ours = owner === String(pid) || names === HANDOVER_NAME;
  return ours && Number(count) >= 1 ? FIRST_DESCRIPTOR : undefined;
}

export type ServiceState = 'READY=1' | 'STOPPING=1';

/**
 * Tells systemd, when it asked for it (Type=notify), by its own program: it is where systemd is, and Node has no datagram sockets of the
 * Unix family. Resolves to why that failed, if it did: a server is not stopped by it.
 */
export function notifyServiceManager(
  environment: Environment,
  state: ServiceState,
  pid: number,
): Promise<string | undefined> {
  if (environment.NOTIFY_SOCKET === undefined || environment.NOTIFY_SOCKET === '') return Promise.resolve(undefined);
  // The pid makes this process the service's main one: after a handover it is another.
  const args = [state, ...(state === 'READY=1' ? [`MAINPID=${pid}`] : [])];
  return new Promise((resolve) => {
    execFile('systemd-notify', args, { timeout: NOTIFY_TIMEOUT_MS }, (error) => resolve(error?.message));
  });
}
