/** One session as the customer library uses it: what `SessionClient` does over sockets, and what tests do without any. */

import type { AlertCode, SallyportError } from '../errors.ts';
import type { CustomerMethodStep, StepDetail, StepFacts } from '../session/method-steps.ts';
import type { CustomerIdentity } from './customer-identity.ts';
import type { HostKeys } from './host-keys.ts';

/** One step of the method as the customer took it; holds no secret. */
export interface CustomerStep {
  readonly step: CustomerMethodStep;
  /** Public values by name, abbreviated. */
  readonly detail: StepDetail;
}

export interface TransactionRequest {
  /** 16 bytes. */
  readonly transactionId: Uint8Array;
  readonly contentType: string;
  readonly body: Uint8Array;
}

export interface QueryRequest {
  readonly contentType: string;
  readonly body: Uint8Array;
}

/** The session ended before the answer. */
export interface Unanswered {
  readonly kind: 'unanswered';
  readonly error: SallyportError;
  /** Whether bytes of the request may have reached the server. */
  readonly sent: boolean;
}

export type TransactionAnswer =
  /** The bytes of a RECEIPT, not yet verified, and the host key of the session. */
  | { readonly kind: 'receipt'; readonly receipt: Uint8Array; readonly hostKey: Uint8Array }
  | { readonly kind: 'refusal'; readonly code: AlertCode; readonly text: string; readonly retryAfterMs: number }
  | Unanswered;

export type QueryAnswer =
  | { readonly kind: 'answer'; readonly contentType: string; readonly body: Uint8Array }
  | { readonly kind: 'refusal'; readonly code: AlertCode }
  | Unanswered;

/** Opens by itself when made; takes requests at once and sends what it can with its first flight. */
export interface CustomerSession {
  /** False once it ended, is ending, or has carried all the transactions that one session may. */
  readonly accepting: boolean;
  /** Fulfilled when the server proved its identity and verified the customer's; rejects with a SallyportError otherwise. */
  readonly ready: Promise<void>;
  /** Fulfilled when nothing of it is left. Never rejects. */
  readonly ended: Promise<void>;
  /** Never rejects. */
  transact(request: TransactionRequest): Promise<TransactionAnswer>;
  /** Never rejects. */
  query(request: QueryRequest): Promise<QueryAnswer>;
  /** Sends CLOSE behind what was asked, waits for the answers and the server's CLOSE. Never rejects. */
  close(): Promise<void>;
  /** Ends at once; what is unanswered is answered so. */
  abort(error: SallyportError): void;
}

/** What opens sessions for a customer: `SessionClient` over sockets. */
export type OpenSession = (identity: CustomerIdentity, hooks: SessionHooks) => CustomerSession;

export interface SessionHooks {
  readonly confirmHostKey: ((hostKey: Uint8Array) => Promise<boolean>) | undefined;
  readonly onStep: (step: CustomerMethodStep, facts: StepFacts) => void;
  readonly onHostKeys: (keys: HostKeys) => void;
  /** An address of this machine to connect from; as the system chooses when left out. */
  readonly localAddress?: string;
}
