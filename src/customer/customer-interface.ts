/** What goes into and comes out of a Customer. */

import type { SallyportError } from '../errors.ts';
import type { ReceiptOutcome } from '../wire/receipt.ts';
import type { CustomerStep, OpenSession } from './customer-session.ts';
import type { HostKeys } from './host-keys.ts';
import type { ReceiptEvidence } from './receipt-file.ts';
import type { Transfer } from './transfer.ts';

/** Any document for a processor of the server. */
export interface Document {
  readonly contentType: string;
  /** At most 61,440 bytes. */
  readonly body: Uint8Array;
  /** 16 bytes, or 32 hexadecimal digits; random when left out. The same id with the same document is the same transaction. */
  readonly transactionId?: Uint8Array | string;
}

export interface Payment extends Transfer {
  readonly transactionId?: Uint8Array | string;
}

/** A transaction that is settled: the receipt was verified before this was made. */
export interface Settlement {
  /** 32 hexadecimal digits. */
  readonly transactionId: string;
  /** `refused`: nothing took effect; `partly`: the result says what did. */
  readonly outcome: ReceiptOutcome;
  /** Of the transaction in the ledger. */
  readonly sequence: bigint;
  readonly committedTimeUs: bigint;
  readonly resultContentType: string;
  readonly result: Uint8Array;
  /** All that `verifyReceipt` and `writeReceiptFile` need. */
  readonly evidence: ReceiptEvidence;
}

export interface PaymentSettlement extends Settlement {
  /** `committed`, or why not: the names are in docs/LEDGER.md. */
  readonly status: string;
}

export interface HistoryPage {
  /** Entries older than this sequence, or where a page before said `next`. */
  readonly before?: string;
  /** At most 100. */
  readonly limit?: number;
}

/** A try that failed and is followed by another. */
export interface RetryNotice {
  readonly error: SallyportError;
  readonly attempt: number;
  readonly delayMs: number;
}

export interface CustomerOptions {
  /** For how long requests are tried again, in milliseconds; 0: one try. Default 60,000. */
  readonly retryForMs?: number;
  /**
   * After how many milliseconds without a request the session is closed. Default 2,000. 0: no session is kept for a later request; requests
   * made in one turn of the event loop share one, whose CLOSE travels with them, which saves both sides a round trip.
   */
  readonly idleMs?: number;
  /** For `tofu` customers without a pinned key: whether this host key is to be trusted from now on. Without it, it is not. */
  readonly confirmHostKey?: (hostKey: Uint8Array) => Promise<boolean>;
  /** Ends all waiting when it aborts: what was sent and has no receipt by then is OUTCOME_UNKNOWN. */
  readonly signal?: AbortSignal;
}

export interface CustomerInternals {
  /** Sockets when left out. */
  readonly openSession?: OpenSession;
  /** Where host keys are kept; nowhere beyond this object when left out. */
  readonly remember?: (keys: HostKeys) => Promise<void>;
}

export interface CustomerEvents {
  /** Every step of the method, as the session takes it. Holds no secret. */
  step: [step: CustomerStep];
  retry: [notice: RetryNotice];
  /** A valid offer pinned a key for the first time, followed an announced one, or announced the next. */
  hostKeys: [keys: HostKeys];
  /** Something that does not stop the work, such as a customer file that could not be updated. */
  warning: [message: string];
}
