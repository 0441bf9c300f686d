/** The ways a session, or one connection of it, comes to its end: one line of the log, one result at the customer. */

import type { AlertCode, ErrorCode } from '../errors.ts';

export type SessionEnd<Phase extends string = string> =
  /** First port: the offer was sent; the session goes on at the second port. */
  | { readonly kind: 'offered' }
  /** First port: the customer was asked to come back with a cookie. */
  | { readonly kind: 'retryAsked' }
  /** Both sides sent CLOSE. */
  | { readonly kind: 'completed' }
  /** The peer's end came without CLOSE. */
  | { readonly kind: 'truncated'; readonly phase: Phase }
  /** The connection was lost, or was never made. */
  | { readonly kind: 'lost'; readonly phase: Phase }
  | { readonly kind: 'timeout'; readonly phase: Phase; readonly deadline: string }
  /** We told the peer. `what` is for the log: never a secret, never a byte of a profile. */
  | { readonly kind: 'alertSent'; readonly code: AlertCode; readonly phase: Phase; readonly what: string }
  | { readonly kind: 'alertReceived'; readonly code: AlertCode; readonly phase: Phase; readonly retryAfterMs: number }
  /** Ended without a word: a record that did not decrypt, or what the customer found and tells nobody on the wire. */
  | { readonly kind: 'refused'; readonly code: ErrorCode; readonly phase: Phase; readonly what: string }
  /** Another socket made the right claim. */
  | { readonly kind: 'displaced' }
  /** Our own side gave it up. */
  | { readonly kind: 'cancelled'; readonly phase: Phase };
