/** What the shell gets back. The table of docs/CLI.md, and the one place where an error code becomes an exit code. */

import type { ErrorCode } from '../errors.ts';

export const EXIT = {
  /** Done as asked. */
  OK: 0,
  /** Understood and refused, nothing half done: a refused payment, a receipt that does not verify, a name already taken. */
  REFUSED: 1,
  /** A wrong option, argument, setting or file. */
  USAGE: 2,
  /** Unreachable or busy: the same command can succeed later. */
  RETRY: 3,
  /** One side's identity was not accepted by the other, or the channel was tampered with. */
  IDENTITY: 4,
  /** A transaction was sent and its outcome is not known: the same id must be asked again. */
  UNKNOWN: 5,
  /** The ledger could not be opened, read or written, or does not verify. */
  LEDGER: 6,
  /** A bug of this program (sysexits.h EX_SOFTWARE). */
  INTERNAL: 70,
  /** A load run that must not be believed: its generator was the limit. */
  UNTRUSTED: 98,
  /** A threshold or gate that was asked for was not kept. */
  THRESHOLD: 99,
  /** Ended by SIGINT before it was done (128 + 2, as shells have it). */
  INTERRUPTED: 130,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

const EXIT_BY_ERROR = {
  BAD_FRAME: EXIT.IDENTITY,
  UNSUPPORTED_VERSION: EXIT.USAGE,
  NO_COMMON_PARAMETERS: EXIT.USAGE,
  BUSY: EXIT.RETRY,
  BAD_COOKIE: EXIT.RETRY,
  TIMEOUT: EXIT.RETRY,
  BAD_CLAIM: EXIT.RETRY,
  KEY_EXCHANGE_FAILED: EXIT.IDENTITY,
  AUTH_FAILED: EXIT.IDENTITY,
  NOT_AUTHENTICATED: EXIT.IDENTITY,
  TRANSACTION_MALFORMED: EXIT.REFUSED,
  IDEMPOTENCY_CONFLICT: EXIT.REFUSED,
  TOO_LARGE: EXIT.REFUSED,
  LIMIT: EXIT.RETRY,
  SHUTDOWN: EXIT.RETRY,
  INTERNAL: EXIT.RETRY,
  HOST_KEY_MISMATCH: EXIT.IDENTITY,
  BAD_OFFER_SIGNATURE: EXIT.IDENTITY,
  PARAMETER_MISMATCH: EXIT.IDENTITY,
  DOWNGRADE: EXIT.IDENTITY,
  TRUNCATED: EXIT.RETRY,
  DECRYPT_FAILED: EXIT.IDENTITY,
  BAD_RECEIPT: EXIT.UNKNOWN,
  UNREACHABLE: EXIT.RETRY,
  OUTCOME_UNKNOWN: EXIT.UNKNOWN,
  BAD_ARGUMENT: EXIT.USAGE,
  BAD_PUBLIC_VALUE: EXIT.IDENTITY,
  BAD_CONFIGURATION: EXIT.USAGE,
  BAD_FILE: EXIT.USAGE,
  LEDGER_TOO_NEW: EXIT.LEDGER,
  LEDGER_CORRUPT: EXIT.LEDGER,
  LEDGER_UNAVAILABLE: EXIT.LEDGER,
  NOT_FOUND: EXIT.REFUSED,
  ALREADY_EXISTS: EXIT.REFUSED,
  STILL_USED: EXIT.REFUSED,
} as const satisfies Record<ErrorCode, ExitCode>;

export function exitCodeOf(code: ErrorCode): ExitCode {
  return EXIT_BY_ERROR[code];
}
