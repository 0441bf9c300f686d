/** The server's side of a connection to a second port: its states, what it hears, what it asks for. The machine is second-port.ts. */

import type { ArrivalJob } from '../crypto/arrival-keys.ts';
import type { SessionKeys } from '../crypto/key-schedule.ts';
import type { AeadName } from '../crypto/suite.ts';
import type { AlertCode } from '../errors.ts';
import type { Auth } from '../wire/auth.ts';
import type { CustomerKey } from '../wire/customer-key.ts';
import type { InnerMessage } from '../wire/inner.ts';
import type { RefusalCode } from '../wire/refusal.ts';
import type { ConnectionEffect, ConnectionEvent } from './connection-events.ts';
import type { ClaimTerms, LeasedSession } from './leased-session.ts';
import type { ServerMethodStep, StepEffect } from './method-steps.ts';
import type { RecordChannel } from './record-channel.ts';
import type { SessionEnd } from './session-end.ts';

export type SecondPortDeadline = 'customerKey' | 'auth' | 'idle' | 'session' | 'linger';
export type SecondPortPhase = SecondPortState['phase'];

/** What an authenticated session carries. */
export interface Serving {
  readonly channel: RecordChannel;
  readonly customerId: string;
  /** In the order they came; answers leave in this order. At most UNANSWERED_MAX. */
  readonly unanswered: readonly UnansweredRequest[];
  /** Of the oldest unanswered request; the others follow. */
  readonly firstRef: number;
  /** Bytes of the unanswered documents, together. */
  readonly unansweredBytes: number;
  readonly transactions: number;
  /** The peer does not read fast enough: no further request is read until it does. */
  readonly writeBlocked: boolean;
}

export interface UnansweredRequest {
  readonly kind: 'transaction' | 'query';
  /** transaction_id (16) or query_id (4); a copy. */
  readonly id: Uint8Array;
  readonly bytes: number;
  /** Once it is there: inner type and content, waiting for the answers before it. */
  readonly answer: InnerMessage | undefined;
}

export type SecondPortState =
  | { readonly phase: 'awaitingCustomerKey' }
  | { readonly phase: 'awaitingLease'; readonly frame: Uint8Array; readonly customerKey: CustomerKey }
  | { readonly phase: 'awaitingSession'; readonly frame: Uint8Array; readonly customerKey: CustomerKey }
  | { readonly phase: 'awaitingKeys'; readonly sessionId: Uint8Array; readonly aead: AeadName }
  | { readonly phase: 'awaitingAuth'; readonly channel: RecordChannel }
  | { readonly phase: 'awaitingIdentity'; readonly channel: RecordChannel; readonly customerId: string }
  | ({ readonly phase: 'serving' } & Serving)
  /** CLOSE came: what is owed is answered, then our own CLOSE is sent. */
  | ({ readonly phase: 'finishing' } & Serving)
  /** The server stops: what is owed is answered, then ERROR SHUTDOWN is sent. */
  | ({ readonly phase: 'draining'; readonly retryAfterMs: number } & Serving)
  | { readonly phase: 'lingering'; readonly end: SessionEnd<SecondPortPhase> }
  | { readonly phase: 'closed' };

/** What became of a transaction. */
export type TransactionResult =
  /** The signed receipt, durable, as it goes on the wire. */
  | { readonly kind: 'receipt'; readonly receipt: Uint8Array }
  /** Nothing was stored. `text`: at most 512 bytes of UTF-8. */
  | { readonly kind: 'refusal'; readonly code: RefusalCode; readonly retryAfterMs: number; readonly text: string };

/** `status` undefined: answered; else the code of why not. */
export interface QueryResult {
  readonly status: AlertCode | undefined;
  readonly contentType: string;
  readonly body: Uint8Array;
}

export type SecondPortEvent =
  | ConnectionEvent<SecondPortDeadline>
  /** The first event: the socket was accepted. */
  | { readonly kind: 'accepted' }
  /** Answers `findLease`. */
  | { readonly kind: 'leaseFound'; readonly terms: ClaimTerms | undefined }
  /** Answers `takeLease`: the session, now owned by this machine; undefined when it was used or expired in the meantime. */
  | { readonly kind: 'leaseTaken'; readonly session: LeasedSession | undefined }
  /** Another socket of this port made the right claim. */
  | { readonly kind: 'displaced' }
  /** Answers `makeKeys`. The machine owns the keys from here. */
  | { readonly kind: 'keysMade'; readonly keys: SessionKeys }
  | {
      readonly kind: 'keysRefused';
      readonly code: 'KEY_EXCHANGE_FAILED' | 'BUSY' | 'SHUTDOWN' | 'INTERNAL';
      readonly retryAfterMs: number;
    }
  /** Answers `verifyIdentity`. */
  | { readonly kind: 'identity'; readonly verified: boolean }
  | { readonly kind: 'identityUnknown'; readonly code: 'BUSY' | 'INTERNAL'; readonly retryAfterMs: number }
  /** Answers `submit`, in any order; `ref` is the effect's. */
  | { readonly kind: 'submitted'; readonly ref: number; readonly result: TransactionResult }
  /** Answers `query`, in any order. */
  | { readonly kind: 'queried'; readonly ref: number; readonly result: QueryResult }
  /** The socket's buffer is above its high-water mark, or below it again. */
  | { readonly kind: 'writeBlocked' }
  | { readonly kind: 'writeDrained' }
  | { readonly kind: 'shutdown'; readonly retryAfterMs: number };

export type SecondPortEffect =
  | ConnectionEffect<SecondPortDeadline>
  /** Look up the lease of this port (shared mode: of this session id) and answer `leaseFound`. Nothing is used up. */
  | { readonly kind: 'findLease'; readonly sessionId: Uint8Array }
  /**
   * The claim is right: use the lease up, close the other sockets waiting there (`displaced` to each), answer `leaseTaken`. Once: a lease
   * that is taken or over answers undefined.
   */
  | { readonly kind: 'takeLease'; readonly sessionId: Uint8Array }
  /** Checks, Z, keys, customer_finished, in the pool (crypto/arrival-keys.ts): `keysMade` or `keysRefused` answers. */
  | { readonly kind: 'makeKeys'; readonly job: ArrivalJob }
  /** Compare with what enrolment stored, always the same work: `identity` or `identityUnknown` answers. The receiver wipes it after use. */
  | { readonly kind: 'verifyIdentity'; readonly presented: Auth }
  | {
      readonly kind: 'submit';
      readonly ref: number;
      readonly customerId: string;
      readonly transactionId: Uint8Array;
      readonly contentType: string;
      readonly body: Uint8Array;
    }
  | {
      readonly kind: 'query';
      readonly ref: number;
      readonly customerId: string;
      readonly contentType: string;
      readonly body: Uint8Array;
    }
  | StepEffect<ServerMethodStep>
  /** The last effect of all. */
  | { readonly kind: 'ended'; readonly end: SessionEnd<SecondPortPhase> };
