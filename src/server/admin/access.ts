import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import ipaddr from 'ipaddr.js';

/** Why a request is not answered, or undefined when it is. */
export type Denial = 'wrong-host' | 'unauthorized';

/** Decides who may look. Nothing here can be changed by a request: the admin server only reads. */
export interface Access {
  denial(request: IncomingMessage): Denial | undefined;
}

/**
 * On loopback, whoever is on this machine may look, and the Host header must name loopback too: a web page elsewhere that points its own
 * name at 127.0.0.1 (DNS rebinding) is refused.
 */
export const LOOPBACK_ACCESS: Access = {
  denial: ({ headers }) => (isLoopbackHost(headers.host) ? undefined : 'wrong-host'),
};

/**
 * With a token: `Authorization: Bearer TOKEN`, or for browsers, which ask for it by themselves, Basic with any name and the token as
 * password. Compared by digest, in constant time.
 */
export function tokenAccess(token: string): Access {
  const expected = digest(token);
  return {
    denial: ({ headers }) => {
      const presented = presentedToken(headers.authorization);
      return presented !== undefined && timingSafeEqual(digest(presented), expected) ? undefined : 'unauthorized';
    },
  };
}

/** Whether an address to listen on can be reached from this machine alone. A name counts only if it is localhost. */
export function isLoopbackAddress(host: string): boolean {
  if (host === 'localhost') return true;
  return ipaddr.isValid(host) && ipaddr.process(host).range() === 'loopback';
}

function isLoopbackHost(header: string | undefined): boolean {
  // `[::1]:7920`, `127.0.0.1`, `localhost:7920`: the port may differ, as it does through a tunnel.
  const match = /^(?:\[([0-9a-f:.]+)\]|([a-z0-9.-]+))(?::\d{1,5})?$/i.exec(header ?? '');
  const name = match?.[1] ?? match?.[2];
  return name !== undefined && isLoopbackAddress(name.toLowerCase());
}

function presentedToken(authorization: string | undefined): string | undefined {
  const [, scheme, credentials] = /^(Bearer|Basic) +(\S+) *$/i.exec(authorization ?? '') ?? [];
  if (scheme === undefined || credentials === undefined) return undefined;
  if (scheme.toLowerCase() === 'bearer') return credentials;
  const pair = Buffer.from(credentials, 'base64').toString('utf8');
  const colon = pair.indexOf(':');
  return colon < 0 ? undefined : pair.slice(colon + 1);
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
