/** The customer's side of a session, both connections: its states, what it hears, what it asks for. The machine is customer.ts. */

import type { CustomerKeyJob, CustomerKeys } from '../crypto/customer-keys.ts';
import type { SignedOffer } from '../crypto/identity.ts';
import type { KemKeyPair } from '../crypto/kem.ts';
import type { SessionKeys } from '../crypto/key-schedule.ts';
import type { Suite } from '../crypto/suite.ts';
import type { AlertCode } from '../errors.ts';
import type { Auth } from '../wire/auth.ts';
import type { Hello } from '../wire/hello.ts';
import type { Offer } from '../wire/offer.ts';
import type { Receipt } from '../wire/receipt.ts';
import type { RefusalCode } from '../wire/refusal.ts';
import type { ConnectionEffect, ConnectionEvent } from './connection-events.ts';
import type { CustomerMethodStep, StepEffect } from './method-steps.ts';
import type { RecordChannel } from './record-channel.ts';
import type { SessionEnd } from './session-end.ts';

/**
 * `offer`: from `connect` to the first port to the whole answer. `ready`: from `connect` to the second port to AUTH_RESULT, or to a CLOSE
 * that is sent before it behind requests. `answer`: from a request, or the answer before, to the oldest one's answer. `close`: from CLOSE to
 * the server's CLOSE.
 */
export type CustomerDeadline = 'offer' | 'ready' | 'answer' | 'close';
export type CustomerPhase = CustomerState['phase'];

/** Fresh random values and keys of one session. The machine owns and wipes them. */
export interface CustomerMaterial {
  /** 32 bytes. */
  readonly customerRandom: Uint8Array;
  /** 32 bytes. Secret until it is sent. */
  readonly claimSecret: Uint8Array;
  /** 41 bytes: b is as many of them as the group that is chosen wants. Secret. */
  readonly exponentBytes: Uint8Array;
  /** Exactly when the policy accepts ML-KEM-768. Secret. */
  readonly kemKeys: KemKeyPair | undefined;
}

/** A transaction or query of the caller, by the caller's own number. */
export type CustomerRequest =
  | {
      readonly kind: 'transaction';
      readonly ref: number;
      /** 16 bytes. */
      readonly transactionId: Uint8Array;
      readonly contentType: string;
      /** At most 61,440 bytes. */
      readonly body: Uint8Array;
    }
  | {
      readonly kind: 'query';
      readonly ref: number;
      /** 4 bytes. */
      readonly queryId: Uint8Array;
      readonly contentType: string;
      /** At most 4096 bytes. */
      readonly body: Uint8Array;
    };

/** What every state that is not over carries: who the customer is and what it wants. */
export interface CustomerWishes {
  /** Not sent yet, in order. Together with what is unanswered at most UNANSWERED_MAX. */
  readonly waiting: readonly CustomerRequest[];
  /** The caller wants no more: CLOSE follows the last request. */
  readonly closeWanted: boolean;
  /** Transactions asked for in this session. */
  readonly transactions: number;
}

/** Before the keys: identity and material, each wiped by the transition that uses it up. */
export interface CustomerOpening extends CustomerWishes {
  readonly identity: Auth;
  readonly material: CustomerMaterial;
  readonly hello: Hello;
  readonly helloFrame: Uint8Array;
}

export interface CustomerOffered extends CustomerOpening {
  readonly offer: Offer;
  readonly offerFrame: Uint8Array;
}

/** With keys. */
export interface CustomerConnected extends CustomerWishes {
  readonly channel: RecordChannel;
  /** Sent, in order; answers come in this order. */
  readonly unanswered: readonly CustomerRequest[];
  /** CLOSE has left: with the first flight, when the caller wanted no more by then. */
  readonly closeSent: boolean;
}

export type CustomerState =
  | ({ readonly phase: 'idle' } & CustomerWishes)
  | ({ readonly phase: 'connectingFirst' } & CustomerOpening)
  | ({ readonly phase: 'awaitingOffer' } & CustomerOpening)
  | ({ readonly phase: 'solvingPuzzle' } & CustomerOpening)
  /** A person decides about a host key met for the first time. */
  | ({ readonly phase: 'decidingHostKey' } & CustomerOffered)
  | ({ readonly phase: 'verifyingOffer' } & CustomerOffered)
  /** The second connection is made while the keys are. */
  | ({
      readonly phase: 'joining';
      readonly identity: Auth;
      readonly suite: Suite;
      readonly connected: boolean;
      readonly made:
        | { readonly customerKeyFrame: Uint8Array; readonly publicValue: Uint8Array; readonly keys: SessionKeys }
        | undefined;
      /** HELLO and OFFER frames' length: where CUSTOMER_KEY begins in the transcript. */
      readonly customerKeyOffset: number;
    } & CustomerWishes)
  | ({ readonly phase: 'awaitingFinished' } & CustomerConnected)
  | ({ readonly phase: 'awaitingAuthResult' } & CustomerConnected)
  | ({ readonly phase: 'ready' } & CustomerConnected)
  /** The identity was verified and CLOSE was sent. */
  | ({ readonly phase: 'closing' } & CustomerConnected)
  | { readonly phase: 'closed' };

export type CustomerEvent =
  | ConnectionEvent<CustomerDeadline>
  /** The first event. `identity` is a copy for the machine, which wipes its credential. */
  | { readonly kind: 'start'; readonly identity: Auth; readonly material: CustomerMaterial }
  /** The connection that was asked for last is there. One that cannot be made is `lost`. */
  | { readonly kind: 'connected' }
  /** Answers `solvePuzzle`. 8 bytes. */
  | { readonly kind: 'puzzleSolved'; readonly solution: Uint8Array }
  /** Answers `decideHostKey`. */
  | { readonly kind: 'hostKeyDecided'; readonly accepted: boolean }
  /** Answers `verifyOffer`. */
  | { readonly kind: 'offerVerified'; readonly valid: boolean }
  /** Answers `makeKeys`. */
  | { readonly kind: 'keysMade'; readonly result: CustomerKeys }
  /** The caller's request; the caller has asked `hasRoom`. Allowed in every state. */
  | { readonly kind: 'request'; readonly request: CustomerRequest }
  /** The caller wants no more than it asked for. */
  | { readonly kind: 'close' }
  /** The caller gives up. */
  | { readonly kind: 'cancel' };

/** What became of a request. Every request gets exactly one. */
export type CustomerAnswer =
  /** Its transaction_id is the request's; its signature and body_hash are the caller's to check. */
  | { readonly kind: 'receipt'; readonly receipt: Receipt; readonly bytes: Uint8Array }
  | { readonly kind: 'refusal'; readonly code: RefusalCode; readonly retryAfterMs: number; readonly text: string }
  | {
      readonly kind: 'answer';
      readonly status: AlertCode | undefined;
      readonly contentType: string;
      readonly body: Uint8Array;
    }
  /** The session ended first. `sent`: its bytes went to the socket and may have been looked at, so a transaction's outcome is not known. */
  | { readonly kind: 'unanswered'; readonly sent: boolean };

export type CustomerEffect =
  | ConnectionEffect<CustomerDeadline>
  /** The first port, as configured. The connection before it, if any, has been destroyed. */
  | { readonly kind: 'connectFirst' }
  /** `host` empty: the host of the first port. */
  | { readonly kind: 'connectSecond'; readonly host: string; readonly port: number }
  /** Search 8 bytes (puzzle.ts), a slice at a time: `puzzleSolved` answers. */
  | { readonly kind: 'solvePuzzle'; readonly cookie: Uint8Array; readonly bits: number }
  /** First use: show the fingerprint to a person, answer `hostKeyDecided`. */
  | { readonly kind: 'decideHostKey'; readonly hostKey: Uint8Array; readonly fingerprint: string }
  /** crypto/identity.ts `verifyOffer`: `offerVerified` answers. */
  | {
      readonly kind: 'verifyOffer';
      readonly hostKey: Uint8Array;
      readonly offer: SignedOffer;
      readonly signature: Uint8Array;
    }
  /** crypto/customer-keys.ts `makeCustomerKeys`: `keysMade` answers. The receiver owns the job's secrets. */
  | { readonly kind: 'makeKeys'; readonly job: CustomerKeyJob }
  /** The offer passed every check: pin `hostKey`, remember `nextHostKey` as announced (none: forget an earlier one). */
  | {
      readonly kind: 'learnedHostKeys';
      readonly hostKey: Uint8Array;
      readonly nextHostKey: Uint8Array | undefined;
      readonly by: 'pin' | 'succession' | 'first-use';
    }
  /** The server proved its keys and verified the identity. */
  | { readonly kind: 'ready' }
  | { readonly kind: 'answered'; readonly ref: number; readonly answer: CustomerAnswer }
  | StepEffect<CustomerMethodStep>
  /** The last effect of all. */
  | { readonly kind: 'ended'; readonly end: SessionEnd<CustomerPhase> };
