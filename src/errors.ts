/**
 * The one error class and the one error table of the product.
 *
 * A code says whose fault it is, which alert byte the peer gets (docs/PROTOCOL.md, "Errors"), and whether trying again can help.
 * Bytes from a peer never throw inside `wire/` or `session/`: there, decoders return values that carry one of these codes.
 */

/** Whose fault an error is: of the other side, of the load, of the machine, or of the code or person that called. */
export type Fault = 'peer' | 'load' | 'environment' | 'caller';

/** Whether the same request can succeed later: at once on a new session, after the stated delay, or not without a change. */
export type Retry = 'now' | 'later' | 'never';

interface ErrorRow {
  readonly fault: Fault;
  /** The byte of the ERROR message on the wire; undefined for what is never sent. */
  readonly alert?: number;
  readonly retry: Retry;
  /** What happened and what to do next, for a person; an error's own message is put before it when there is one. */
  readonly advice: string;
}

export const ERRORS = {
  // On the wire, in the order of docs/PROTOCOL.md.
  BAD_FRAME: {
    fault: 'peer',
    alert: 0x01,
    retry: 'never',
    advice:
      'The peer sent bytes that are not a Sallyport/1 message in this place; check that both sides speak Sallyport/1 on this port.',
  },
  UNSUPPORTED_VERSION: {
    fault: 'peer',
    alert: 0x02,
    retry: 'never',
    advice: 'The two sides share no protocol version; update the older one.',
  },
  NO_COMMON_PARAMETERS: {
    fault: 'peer',
    alert: 0x03,
    retry: 'never',
    advice: 'The two sides share no group, KEM or cipher; compare the policies of customer and server.',
  },
  BUSY: {
    fault: 'load',
    alert: 0x04,
    retry: 'later',
    advice: 'The server has no free port or no room in its queue; try again after the stated delay.',
  },
  BAD_COOKIE: {
    fault: 'peer',
    alert: 0x05,
    retry: 'now',
    advice: 'The retry cookie or puzzle solution was not accepted; start again from the first port.',
  },
  TIMEOUT: {
    fault: 'peer',
    alert: 0x06,
    retry: 'now',
    advice: 'A message did not arrive within its limit; start a new session.',
  },
  BAD_CLAIM: {
    fault: 'peer',
    alert: 0x07,
    retry: 'now',
    advice:
      'The second port did not accept the claim (unknown, expired, used or wrong); start again from the first port.',
  },
  KEY_EXCHANGE_FAILED: {
    fault: 'peer',
    alert: 0x08,
    retry: 'now',
    advice: 'The key exchange did not agree; if it repeats, something between the two sides alters the traffic.',
  },
  AUTH_FAILED: {
    fault: 'peer',
    alert: 0x09,
    retry: 'never',
    advice:
      'The identity was not verified; compare the customer file and profile with what was enrolled, or have it enrolled anew.',
  },
  NOT_AUTHENTICATED: {
    fault: 'peer',
    alert: 0x0a,
    retry: 'never',
    advice: 'A transaction came before the identity was verified; send the profile first.',
  },
  TRANSACTION_MALFORMED: {
    fault: 'peer',
    alert: 0x0b,
    retry: 'never',
    advice: 'The transaction document could not be understood; correct it and send it with a new id.',
  },
  IDEMPOTENCY_CONFLICT: {
    fault: 'peer',
    alert: 0x0c,
    retry: 'never',
    advice: 'This transaction id was used before with another document; use a fresh id for a new transaction.',
  },
  TOO_LARGE: {
    fault: 'peer',
    alert: 0x0d,
    retry: 'never',
    advice: 'The document is larger than the protocol allows; split it.',
  },
  LIMIT: {
    fault: 'peer',
    alert: 0x0e,
    retry: 'now',
    advice: 'The session reached one of its limits (time, records or transactions); go on in a new session.',
  },
  SHUTDOWN: {
    fault: 'environment',
    alert: 0x0f,
    retry: 'later',
    advice: 'The server is shutting down; try again when it is back.',
  },
  INTERNAL: {
    fault: 'environment',
    alert: 0x10,
    retry: 'later',
    advice: 'The server failed inside; its log names the cause. Ask again with the same transaction id.',
  },

  // At the customer only.
  HOST_KEY_MISMATCH: {
    fault: 'peer',
    retry: 'never',
    advice:
      'The server does not hold the host key this customer pinned. Somebody may be between you and it: do not go on before its operator confirms the new fingerprint.',
  },
  BAD_OFFER_SIGNATURE: {
    fault: 'peer',
    retry: 'never',
    advice: "The server's offer is not signed by its host key: it was altered on the way, or comes from somebody else.",
  },
  PARAMETER_MISMATCH: {
    fault: 'peer',
    retry: 'never',
    advice:
      'The offer has other public numbers than the named group, or leads to another host than this customer allows: do not use this server before its operator has explained it.',
  },
  DOWNGRADE: {
    fault: 'peer',
    retry: 'never',
    advice:
      "The server chose less than this customer's policy allows; do not lower the policy unless its operator asks for it by another way.",
  },
  TRUNCATED: {
    fault: 'peer',
    retry: 'now',
    advice:
      'The connection ended without a CLOSE: what was not receipted is unknown. Ask again with the same transaction id.',
  },
  DECRYPT_FAILED: {
    fault: 'peer',
    retry: 'now',
    advice: 'A record did not decrypt: it was altered, or the keys differ. Start a new session.',
  },
  BAD_RECEIPT: {
    fault: 'peer',
    retry: 'never',
    advice:
      "The receipt is not signed by the server's key or does not belong to this transaction; treat the outcome as unknown and ask the operator.",
  },
  UNREACHABLE: {
    fault: 'environment',
    retry: 'later',
    advice: 'No connection could be made; check address, port and that the server runs.',
  },
  OUTCOME_UNKNOWN: {
    fault: 'environment',
    retry: 'now',
    advice:
      'The transaction was sent and no receipt came back: it may or may not have taken effect. Ask again with the same id to learn which.',
  },

  // Local.
  BAD_ARGUMENT: { fault: 'caller', retry: 'never', advice: 'Correct the value and call again.' },
  BAD_PUBLIC_VALUE: {
    fault: 'peer',
    retry: 'never',
    advice: 'The peer value is not in 2 to p-2 or has the wrong length: it must not be used.',
  },
  BAD_CONFIGURATION: {
    fault: 'caller',
    retry: 'never',
    advice: 'Correct the named setting; --print-config shows where each value comes from.',
  },
  BAD_FILE: { fault: 'environment', retry: 'never', advice: 'The file was left as it was.' },
  LEDGER_TOO_NEW: {
    fault: 'environment',
    retry: 'never',
    advice: 'This ledger was written by a newer Sallyport; run that version, or restore a backup.',
  },
  LEDGER_CORRUPT: {
    fault: 'environment',
    retry: 'never',
    advice: 'The ledger does not verify and was left untouched; restore the newest backup that verifies.',
  },
  LEDGER_UNAVAILABLE: {
    fault: 'environment',
    retry: 'later',
    advice: 'The ledger could not be read or written; see the message for the cause (disk full, permissions).',
  },
  NOT_FOUND: { fault: 'caller', retry: 'never', advice: 'List what exists and name one of those.' },
  ALREADY_EXISTS: { fault: 'caller', retry: 'never', advice: 'Choose another name, or use what is there.' },
  STILL_USED: {
    fault: 'caller',
    retry: 'never',
    advice: 'Nothing was removed; first see to it that nothing needs it.',
  },
} as const satisfies Record<string, ErrorRow>;

export type ErrorCode = keyof typeof ERRORS;

/** The codes that have an alert byte, that is, those a peer can be told. */
export type AlertCode = {
  [Code in ErrorCode]: (typeof ERRORS)[Code] extends { alert: number } ? Code : never;
}[ErrorCode];

const CODE_BY_ALERT: ReadonlyMap<number, AlertCode> = new Map(
  Object.entries(ERRORS).flatMap(([code, row]) => ('alert' in row ? [[row.alert, code as AlertCode] as const] : [])),
);

/** The alert byte of a code. */
export function alertOf(code: AlertCode): number {
  return ERRORS[code].alert;
}

/** The code of an alert byte, or undefined when the byte is none of this protocol's. */
export function codeOfAlert(alert: number): AlertCode | undefined {
  return CODE_BY_ALERT.get(alert);
}

/**
 * What the product throws. `message` says what happened and to what; `advice` says what to do next; neither ever holds a secret.
 */
export class SallyportError extends Error {
  readonly code: ErrorCode;
  /** With BUSY and SHUTDOWN: how long the peer asked to wait, in milliseconds. */
  readonly retryAfterMs: number | undefined;
  /** The transaction it is about, in hex, when it is about one: what a caller needs to ask again. */
  readonly transactionId: string | undefined;

  constructor(
    code: ErrorCode,
    message: string,
    options: { cause?: unknown; retryAfterMs?: number; transactionId?: string } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'SallyportError';
    this.code = code;
    this.retryAfterMs = options.retryAfterMs;
    this.transactionId = options.transactionId;
  }

  get fault(): Fault {
    return ERRORS[this.code].fault;
  }

  get retry(): Retry {
    return ERRORS[this.code].retry;
  }

  get advice(): string {
    return ERRORS[this.code].advice;
  }
}

/** A bug, not a condition: kept in production, so that a broken invariant stops the operation and not the ledger's truth. */
export function assert(condition: unknown, invariant: string): asserts condition {
  if (!condition) throw new Error(`invariant broken: ${invariant}`);
}
