/** What a machine hears from and says to the connection it lives on. Both machines of the server and the customer's share these. */

import type { AlertCode } from '../errors.ts';
import type { Frame } from '../wire/frame.ts';

/** What comes from a connection. `Driver` (driver.ts) makes the first three of bytes. */
export type ConnectionEvent<Deadline extends string> =
  | { readonly kind: 'frame'; readonly frame: Frame }
  /** A header that cannot be allowed to go on. */
  | { readonly kind: 'frameRefused'; readonly code: AlertCode; readonly what: string }
  /** Bytes came while the peer had to wait. */
  | { readonly kind: 'unexpectedBytes' }
  /** The peer sends no more (FIN). Sockets are half-open: what is still owed can be sent. */
  | { readonly kind: 'end' }
  /** The connection is gone: closed in both directions, reset, or an error of the socket. Always the last event, unless `destroy` was said. */
  | { readonly kind: 'lost' }
  /** A deadline that was set and not cleared has passed. */
  | { readonly kind: 'deadline'; readonly name: Deadline };

/** What is done to a connection. */
export type ConnectionEffect<Deadline extends string> =
  | { readonly kind: 'send'; readonly bytes: Uint8Array }
  /**
   * Send what is owed, then FIN; every deadline set before is void. A `linger` deadline follows: when the peer ends too, the machine says
   * `destroy`, and when it passes, `reset`. Until then the peer's bytes are read and thrown away, since closing with bytes unread would send
   * a reset that can overtake our last word.
   */
  | { readonly kind: 'end' }
  /**
   * Send what is owed, then close both directions: for a peer that has said all it may say, so that nothing of it can be left unread. A
   * `linger` deadline guards a peer that does not read; `lost` comes when it is done.
   */
  | { readonly kind: 'close' }
  /** Close at once; every deadline is void. No event of this connection is heard after it. Without a connection, nothing to do. */
  | { readonly kind: 'destroy' }
  /** `destroy`, and what the peer has not taken by now is thrown away: nobody keeps it for a peer that does not read. */
  | { readonly kind: 'reset' }
  /** Absolute, from now; set again it starts anew. How long each one is belongs to configuration (docs/PROTOCOL.md section 5). */
  | { readonly kind: 'setDeadline'; readonly name: Deadline }
  | { readonly kind: 'clearDeadline'; readonly name: Deadline };
