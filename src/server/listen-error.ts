import { once } from 'node:events';
import { createServer } from 'node:net';
import { SallyportError } from '../errors.ts';

/**
 * What a failed `listen` means for the operator. UNREACHABLE when another process is in the way, BAD_CONFIGURATION when this machine cannot do it.
 * `prefix`: of the settings, `first` or `admin`.
 */
export function listenError(
  what: string,
  address: { readonly host: string; readonly port: number },
  cause: unknown,
  prefix: 'first' | 'admin',
): SallyportError {
  const { code, message } = cause as NodeJS.ErrnoException;
  const where = `${what} ${address.host}:${address.port}`;
  const hostSetting = prefix === 'first' ? '--host' : '--admin-host';
  switch (code) {
    case 'EADDRINUSE':
      return new SallyportError(
        'UNREACHABLE',
        `${where} could not be opened: another process listens there; stop it, or choose another port with --${prefix}-port`,
        { cause },
      );
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
    case 'EINVAL':
      return new SallyportError(
        'BAD_CONFIGURATION',
        `${where} could not be opened: ${address.host} is no address of this machine; name one of its own with ${hostSetting}, or 0.0.0.0`,
        { cause },
      );
    case 'EACCES':
      return new SallyportError(
        'BAD_CONFIGURATION',
        `${where} could not be opened: ports below 1024 need a privilege; choose one above with --${prefix}-port, or let systemd pass the socket`,
        { cause },
      );
    default:
      return new SallyportError('UNREACHABLE', `${where} could not be opened: ${message}`, { cause });
  }
}

/** Throws listenError when this machine cannot listen on `host` at all, whatever the port. */
export async function requireListenable(what: string, host: string, prefix: 'first' | 'admin'): Promise<void> {
  const trial = createServer();
  trial.listen({ host, port: 0 });
  try {
    await once(trial, 'listening');
  } catch (cause) {
    throw listenError(what, { host, port: 0 }, cause, prefix);
  }
  trial.close();
  await once(trial, 'close');
}
