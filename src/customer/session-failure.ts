/** How a session ended, as the error that its unanswered requests get. */

import { hostKeyFingerprint } from '../crypto/identity.ts';
import { type AlertCode, type ErrorCode, SallyportError } from '../errors.ts';
import type { CustomerPhase } from '../session/customer-interface.ts';
import type { SessionEnd } from '../session/session-end.ts';

export interface SessionPlace {
  readonly customerId: string;
  /** The connection that was tried or used last, such as 127.0.0.1:20117. */
  readonly address: string;
  /** Whether that connection was ever made. */
  readonly connected: boolean;
  /** What the socket said, if it said something. */
  readonly socketError: Error | undefined;
  /** The host key that this customer pinned. */
  readonly pinned: Uint8Array | undefined;
}

/** Never the word success: whoever gets this still has a request without an answer, or a session that was not made. */
export function errorOfEnd(end: SessionEnd<CustomerPhase>, place: SessionPlace): SallyportError {
  const { address } = place;
  switch (end.kind) {
    case 'completed':
      return new SallyportError('LIMIT', `the session with ${address} was closed before this was asked`);
    case 'truncated':
      return new SallyportError('TRUNCATED', `${address} ended the connection without CLOSE (${end.phase})`);
    case 'lost':
      return place.connected
        ? new SallyportError('TRUNCATED', `the connection to ${address} was lost (${end.phase}${because(place)})`, {
            cause: place.socketError,
          })
        : new SallyportError('UNREACHABLE', `cannot connect to ${address}${because(place)}`, {
            cause: place.socketError,
          });
    case 'timeout':
      return place.connected
        ? new SallyportError('TIMEOUT', `${address} did not answer in time (${end.deadline})`)
        : new SallyportError('UNREACHABLE', `cannot connect to ${address}: no answer in time`);
    case 'alertReceived':
      return new SallyportError(end.code, sentenceOfAlert(end.code, place), {
        ...(end.retryAfterMs === 0 ? {} : { retryAfterMs: end.retryAfterMs }),
      });
    case 'alertSent':
    case 'refused':
      return new SallyportError(end.code, `${address}: ${end.what}${expectation(end.code, place)}`);
    case 'cancelled':
      return new SallyportError('UNREACHABLE', `the session with ${address} was given up (${end.phase})`);
    case 'offered':
    case 'retryAsked':
    case 'displaced':
      return new SallyportError(
        'BAD_FRAME',
        `the session with ${address} ended as no customer's session does (${end.kind})`,
      );
  }
}

/** What a person compares the shown fingerprint with. */
function expectation(code: ErrorCode, { pinned }: SessionPlace): string {
  if (code !== 'HOST_KEY_MISMATCH') return '';
  return pinned === undefined ? ', and none is pinned' : `, and the pinned one is ${hostKeyFingerprint(pinned)}`;
}

const SENTENCES: Partial<Record<AlertCode, (place: SessionPlace) => string>> = {
  BUSY: ({ address }) => `the server at ${address} is busy`,
  SHUTDOWN: ({ address }) => `the server at ${address} is shutting down`,
  AUTH_FAILED: ({ address, customerId }) =>
    `the server at ${address} did not verify the identity of customer ${customerId}`,
  INTERNAL: ({ address }) => `the server at ${address} failed inside`,
};

function sentenceOfAlert(code: AlertCode, place: SessionPlace): string {
  return SENTENCES[code]?.(place) ?? `the server at ${place.address} ended the session with ${code}`;
}

const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'connection reset',
  EHOSTUNREACH: 'no route to the host',
  ENETUNREACH: 'no route to the network',
  ENOTFOUND: 'no such host',
  EAI_AGAIN: 'the host name cannot be resolved now',
  ETIMEDOUT: 'no answer in time',
  EPIPE: 'connection closed',
};

function because({ socketError }: SessionPlace): string {
  if (socketError === undefined) return '';
  const { code } = socketError as NodeJS.ErrnoException;
  return `: ${(code === undefined ? undefined : REASONS[code]) ?? code ?? socketError.message}`;
}
