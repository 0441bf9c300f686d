/** The server's side of a connection to the first port: its states, what it hears, what it asks for. The machine is first-port.ts. */

import type { OfferJob } from '../crypto/offer-keys.ts';
import type { Suite } from '../crypto/suite.ts';
import type { ReceivedHello } from '../wire/hello.ts';
import type { ConnectionEffect, ConnectionEvent } from './connection-events.ts';
import type { LeasedSession } from './leased-session.ts';
import type { ServerMethodStep, StepEffect } from './method-steps.ts';
import type { SessionEnd } from './session-end.ts';

export type FirstPortDeadline = 'hello' | 'linger';
export type FirstPortPhase = FirstPortState['phase'];

export type FirstPortState =
  | { readonly phase: 'awaitingHello' }
  | {
      readonly phase: 'awaitingAdmission';
      readonly helloFrame: Uint8Array;
      readonly hello: ReceivedHello;
      readonly suite: Suite;
    }
  | {
      readonly phase: 'awaitingLease';
      readonly helloFrame: Uint8Array;
      readonly hello: ReceivedHello;
      readonly suite: Suite;
    }
  | {
      readonly phase: 'awaitingOffer';
      readonly helloFrame: Uint8Array;
      readonly hello: ReceivedHello;
      readonly suite: Suite;
      readonly lease: SecondPortLease;
    }
  /** The last word was sent; the peer reads it and closes, or the linger deadline passes. */
  | { readonly phase: 'lingering'; readonly end: SessionEnd<FirstPortPhase> }
  | { readonly phase: 'closed' };

/** A second port held for this customer, and the fresh random values of its session. */
export interface SecondPortLease {
  /** 1024 to 65535. */
  readonly secondPort: number;
  /** Empty: the host of the first port; else an IP address or name in ASCII, at most 64 bytes. */
  readonly secondHost: string;
  readonly leaseMs: number;
  /** 32 bytes, fresh. */
  readonly serverRandom: Uint8Array;
  /** 16 bytes, fresh. */
  readonly sessionId: Uint8Array;
  /** 32 bytes, fresh. */
  readonly leaseToken: Uint8Array;
}

/** What admission found (quotas, cookie, load). */
export type AdmissionVerdict =
  | { readonly kind: 'admitted' }
  | { readonly kind: 'retry'; readonly puzzleBits: number; readonly cookie: Uint8Array }
  | {
      readonly kind: 'refused';
      readonly code: 'BUSY' | 'BAD_COOKIE' | 'SHUTDOWN' | 'INTERNAL';
      readonly retryAfterMs: number;
    };

export type FirstPortEvent =
  | ConnectionEvent<FirstPortDeadline>
  /** The first event: the socket was accepted. */
  | { readonly kind: 'accepted' }
  /** Answers `admit`. */
  | { readonly kind: 'admission'; readonly verdict: AdmissionVerdict }
  /** Answers `lease`; a lease that comes too late is given back by `releaseLease`. */
  | { readonly kind: 'leased'; readonly lease: SecondPortLease }
  | { readonly kind: 'leaseRefused'; readonly code: 'BUSY' | 'SHUTDOWN' | 'INTERNAL'; readonly retryAfterMs: number }
  /** Answers `makeOffer`: what OFFER is put together from, and the secrets of the session. */
  | {
      readonly kind: 'offerMade';
      readonly unsignedOffer: Uint8Array;
      readonly signature: Uint8Array;
      readonly publicValue: Uint8Array;
      readonly exponent: Uint8Array;
      readonly kemSecret: Uint8Array;
    }
  | {
      readonly kind: 'offerRefused';
      readonly code: 'KEY_EXCHANGE_FAILED' | 'BUSY' | 'SHUTDOWN' | 'INTERNAL';
      readonly retryAfterMs: number;
    }
  /** The server stops: say SHUTDOWN where that can still be said. */
  | { readonly kind: 'shutdown'; readonly retryAfterMs: number };

export type FirstPortEffect =
  | ConnectionEffect<FirstPortDeadline>
  /**
   * Ask admission about this HELLO: `admission` answers. `boundHello` is what a cookie binds (the HELLO frame's body without its last two
   * fields); cookie and solution are empty when none came.
   */
  | {
      readonly kind: 'admit';
      readonly boundHello: Uint8Array;
      readonly cookie: Uint8Array;
      readonly puzzleSolution: Uint8Array;
    }
  /** Take a second port out of the range for this customer: `leased` or `leaseRefused` answers. */
  | { readonly kind: 'lease' }
  /** Exponent, Ys, ML-KEM and signature, in the pool (crypto/offer-keys.ts): `offerMade` or `offerRefused` answers. */
  | { readonly kind: 'makeOffer'; readonly job: OfferJob }
  /** The session exists from now: listen for its customer. Comes before the OFFER is sent. The receiver owns the secrets. */
  | { readonly kind: 'openLease'; readonly lease: SecondPortLease; readonly session: LeasedSession }
  /** A port that was leased and will not be offered. */
  | { readonly kind: 'releaseLease'; readonly lease: SecondPortLease }
  | StepEffect<ServerMethodStep>
  /** The last effect of all. */
  | { readonly kind: 'ended'; readonly end: SessionEnd<FirstPortPhase> };
