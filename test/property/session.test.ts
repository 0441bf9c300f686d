import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { GROUPS } from '../../src/crypto/groups.ts';
import { hostKeyOfSeed, rawHostPublicKey } from '../../src/crypto/identity.ts';
import { type Crypto, loadCrypto } from '../../src/crypto/index.ts';
import type { SessionKeys } from '../../src/crypto/key-schedule.ts';
import { sealedBytes, sealRecord } from '../../src/crypto/records.ts';
import { createCustomer } from '../../src/session/customer.ts';
import type { CustomerEffect, CustomerEvent, CustomerState } from '../../src/session/customer-interface.ts';
import { Driver } from '../../src/session/driver.ts';
import { createFirstPort } from '../../src/session/first-port.ts';
import type { FirstPortEffect, FirstPortEvent, FirstPortState } from '../../src/session/first-port-interface.ts';
import { createSecondPort } from '../../src/session/second-port.ts';
import type { SecondPortEffect, SecondPortEvent, SecondPortState } from '../../src/session/second-port-interface.ts';
import { encodeAlertFrame } from '../../src/wire/alert.ts';
import { encodeAuth } from '../../src/wire/auth.ts';
import { encodeCustomerKey } from '../../src/wire/customer-key.ts';
import { encodeHeader } from '../../src/wire/frame.ts';
import { encodeHello } from '../../src/wire/hello.ts';
import { INNER_TYPES } from '../../src/wire/inner.ts';
import { encodeSignedOffer, encodeUnsignedOffer } from '../../src/wire/offer.ts';
import { encodeRetry } from '../../src/wire/retry.ts';
import { MESSAGES } from './wire-messages.ts';

/** Whatever a peer sends, before and after it holds the keys: a machine goes on or ends; it never throws, and never ends twice. */

let crypto: Crypto;
beforeAll(async () => {
  crypto = await loadCrypto();
});

const RUNS = 200;
const filled = (length: number, byte: number) => new Uint8Array(length).fill(byte);
const NONE = filled(0, 0);
const HOST_KEY = rawHostPublicKey(hostKeyOfSeed(filled(32, 1)));
const POLICY = { groups: ['ffdhe2048'], kems: ['none'], aeads: ['AES-256-GCM'] } as const;
const keysOf = (): SessionKeys => ({
  customer: { key: filled(32, 1), iv: filled(12, 2) },
  server: { key: filled(32, 3), iv: filled(12, 4) },
  serverFinished: filled(32, 5),
});

const HELLO = encodeHello({
  customerRandom: filled(32, 1),
  claimCommitment: filled(32, 2),
  versions: [1],
  groups: [0x0100],
  kems: [0],
  aeads: [2],
  kemKey: NONE,
  hostKeyHint: NONE,
  cookie: NONE,
  puzzleSolution: NONE,
});
const CUSTOMER_KEY = encodeCustomerKey({
  sessionId: filled(16, 1),
  leaseToken: filled(32, 2),
  claimSecret: filled(32, 3),
  publicValue: filled(256, 4),
  finished: filled(32, 5),
});
const UNSIGNED_OFFER = encodeUnsignedOffer({
  serverRandom: filled(32, 1),
  sessionId: filled(16, 2),
  version: 1,
  group: 0x0100,
  kem: 0,
  aead: 2,
  secondPort: 20_000,
  secondHost: '',
  leaseMs: 10_000,
  leaseToken: filled(32, 3),
  g: Uint8Array.of(2),
  p: GROUPS.ffdhe2048.p(),
  publicValue: filled(256, 4),
  kemCiphertext: NONE,
  hostKey: HOST_KEY,
  nextHostKey: NONE,
});
const OFFER = encodeSignedOffer(UNSIGNED_OFFER, Uint8Array.of(0, ...filled(64, 5)));

/** Streams that are nearly right: good frames with a piece cut out and another put in, or rubbish. */
function streams(...frames: readonly Uint8Array[]): fc.Arbitrary<Uint8Array> {
  const altered = fc
    .tuple(
      fc.array(fc.constantFrom(...frames), { minLength: 1, maxLength: 3 }),
      fc.nat(),
      fc.nat({ max: 8 }),
      fc.uint8Array({ maxLength: 8 }),
    )
    .map(([chosen, at, drop, put]) => {
      const bytes = Uint8Array.from(chosen.flatMap((frame) => [...frame]));
      const start = at % bytes.length;
      return Uint8Array.from([...bytes.subarray(0, start), ...put, ...bytes.subarray(start + drop)]);
    });
  return fc.oneof({ weight: 5, arbitrary: altered }, { weight: 1, arbitrary: fc.uint8Array({ maxLength: 300 }) });
}

/** Feeds a driver in pieces, then FIN, then the end of the connection; how often the machine ended. */
function feed(
  driver: { receive(bytes: Uint8Array): void; peerEnded(): void; dispatch(event: { kind: 'lost' }): void },
  bytes: Uint8Array,
  piece: number,
): void {
  for (let at = 0; at < bytes.length; at += piece) driver.receive(bytes.subarray(at, at + piece));
  driver.peerEnded();
  driver.dispatch({ kind: 'lost' });
}

const pieces = fc.constantFrom(1, 3, 64, 10_000);

describe('strangers', () => {
  it('cannot break the first port', () => {
    fc.assert(
      fc.property(streams(HELLO), pieces, (bytes, piece) => {
        const effects: string[] = [];
        const driver: Driver<FirstPortState, FirstPortEvent, FirstPortEffect> = new Driver(
          createFirstPort({ policy: POLICY, hostKey: HOST_KEY }),
          (effect) => effects.push(effect.kind),
        );
        driver.dispatch({ kind: 'accepted' });
        feed(driver, bytes, piece);
        expect(effects.filter((kind) => kind === 'ended')).toEqual(['ended']);
      }),
      { numRuns: RUNS },
    );
  });

  it('cannot break the second port', () => {
    fc.assert(
      fc.property(streams(CUSTOMER_KEY), pieces, (bytes, piece) => {
        const effects: string[] = [];
        const driver: Driver<SecondPortState, SecondPortEvent, SecondPortEffect> = new Driver(
          createSecondPort({ hashing: crypto }),
          (effect) => {
            effects.push(effect.kind);
            if (effect.kind === 'findLease') driver.dispatch({ kind: 'leaseFound', terms: undefined });
          },
        );
        driver.dispatch({ kind: 'accepted' });
        feed(driver, bytes, piece);
        expect(effects.filter((kind) => kind === 'ended')).toEqual(['ended']);
        expect(effects).not.toContain('takeLease');
      }),
      { numRuns: RUNS },
    );
  });

  it('cannot bring a customer to the second port', () => {
    const alert = encodeAlertFrame({ code: 'BUSY', retryAfterMs: 1 });
    const retry = encodeRetry({ puzzleBits: 0, cookie: filled(9, 1) });
    fc.assert(
      fc.property(streams(OFFER, retry, alert), pieces, (bytes, piece) => {
        const effects: string[] = [];
        const driver: Driver<CustomerState, CustomerEvent, CustomerEffect> = new Driver(customer(), (effect) => {
          effects.push(effect.kind);
          if (effect.kind === 'verifyOffer') driver.dispatch({ kind: 'offerVerified', valid: false });
        });
        begin(driver);
        feed(driver, bytes, piece);
        driver.dispatch({ kind: 'cancel' });
        expect(effects.filter((kind) => kind === 'ended')).toEqual(['ended']);
        expect(effects).not.toContain('connectSecond');
      }),
      { numRuns: RUNS },
    );
  });
});

/** Inner messages that a peer with the keys may send: right ones, right ones in the wrong place, and anything. */
const inner = fc.array(
  fc.oneof(
    ...MESSAGES.map(({ name, values, encode }) =>
      fc.tuple(
        fc.constant(typeOf(name)),
        values.map((value) => encode(value)),
      ),
    ),
    fc.tuple(fc.constant(INNER_TYPES.CLOSE as number), fc.constant(NONE)),
    fc.tuple(fc.integer({ min: 1, max: 255 }), fc.uint8Array({ maxLength: 200 })),
  ),
  { maxLength: 6 },
);

/** Plain messages go under the type of a RECEIPT: they are rubbish to whoever opens it. */
function typeOf(name: string): number {
  return name in INNER_TYPES ? INNER_TYPES[name as keyof typeof INNER_TYPES] : INNER_TYPES.RECEIPT;
}

function seal(keys: SessionKeys['server'], sequence: number, type: number, content: Uint8Array): Uint8Array {
  return sealRecord('AES-256-GCM', keys, sequence, encodeHeader('RECORD', sealedBytes(content.length)), type, content);
}

describe('peers that hold the keys', () => {
  it('cannot break the server', () => {
    fc.assert(
      fc.property(inner, fc.boolean(), (messages, withAuth) => {
        const effects: string[] = [];
        const driver: Driver<SecondPortState, SecondPortEvent, SecondPortEffect> = new Driver(
          createSecondPort({ hashing: { sha256: () => filled(32, 9) } }),
          (effect) => {
            effects.push(effect.kind);
            if (effect.kind === 'verifyIdentity') driver.dispatch({ kind: 'identity', verified: true });
            if (effect.kind === 'submit') {
              const result = { kind: 'refusal', code: 'BUSY', retryAfterMs: 1, text: '' } as const;
              driver.dispatch({ kind: 'submitted', ref: effect.ref, result });
            }
            if (effect.kind === 'query') {
              const result = { status: undefined, contentType: 'a/b', body: NONE };
              driver.dispatch({ kind: 'queried', ref: effect.ref, result });
            }
          },
        );
        driver.dispatch({ kind: 'accepted' });
        driver.receive(CUSTOMER_KEY);
        driver.dispatch({
          kind: 'leaseFound',
          terms: { sessionId: filled(16, 1), leaseToken: filled(32, 2), claimCommitment: filled(32, 9) },
        });
        driver.dispatch({
          kind: 'leaseTaken',
          session: {
            terms: { sessionId: filled(16, 1), leaseToken: filled(32, 2), claimCommitment: filled(32, 9) },
            suite: { group: 'ffdhe2048', kem: 'none', aead: 'AES-256-GCM' },
            transcript: NONE,
            publicValue: NONE,
            exponent: NONE,
            kemSecret: NONE,
          },
        });
        driver.dispatch({ kind: 'keysMade', keys: keysOf() });
        const auth = encodeAuth({ customerId: 'a', profile: [], credential: filled(32, 1) });
        const all: (readonly [number, Uint8Array])[] = withAuth
          ? [[INNER_TYPES.AUTH, auth], ...messages]
          : [...messages];
        const bytes = all.flatMap(([type, content], sequence) => [...seal(keysOf().customer, sequence, type, content)]);
        feed(driver, Uint8Array.from(bytes), 700);
        driver.dispatch({ kind: 'deadline', name: 'linger' });
        expect(effects.filter((kind) => kind === 'ended')).toEqual(['ended']);
        if (!withAuth && messages[0]?.[0] !== INNER_TYPES.AUTH) expect(effects).not.toContain('submit');
      }),
      { numRuns: RUNS },
    );
  });

  it('cannot break a customer', () => {
    fc.assert(
      fc.property(inner, (messages) => {
        const effects: CustomerEffect[] = [];
        const driver: Driver<CustomerState, CustomerEvent, CustomerEffect> = new Driver(customer(), (effect) => {
          if (effect.kind === 'pauseReading' || effect.kind === 'resumeReading') return;
          effects.push(effect);
          // The checks of an offer are tested elsewhere: here this server is the right one.
          if (effect.kind === 'verifyOffer') driver.dispatch({ kind: 'offerVerified', valid: true });
          if (effect.kind === 'connectSecond') driver.connectionChanged();
          if (effect.kind === 'makeKeys') {
            const { transcript } = effect.job;
            driver.dispatch({
              kind: 'keysMade',
              result: { ok: true, publicValue: filled(256, 1), transcript, keys: keysOf() },
            });
          }
        });
        for (const ref of [1, 2]) {
          const transactionId = filled(16, ref);
          driver.dispatch({
            kind: 'request',
            request: { kind: 'transaction', ref, transactionId, contentType: 'a/b', body: NONE },
          });
        }
        begin(driver);
        driver.receive(OFFER);
        driver.dispatch({ kind: 'connected' });
        const opening: (readonly [number, Uint8Array])[] = [
          [INNER_TYPES.FINISHED, filled(32, 5)],
          [INNER_TYPES.AUTH_RESULT, Uint8Array.of(0)],
        ];
        const bytes = [...opening, ...messages].flatMap(([type, content], sequence) => [
          ...seal(keysOf().server, sequence, type, content),
        ]);
        feed(driver, Uint8Array.from(bytes), 700);
        expect(effects.filter(({ kind }) => kind === 'ready').length).toBe(1);
        expect(effects.filter(({ kind }) => kind === 'ended').length).toBe(1);
        expect(effects.filter(({ kind }) => kind === 'answered').length).toBe(2);
      }),
      { numRuns: RUNS },
    );
  });
});

function customer() {
  return createCustomer({
    hashing: { sha256: () => filled(32, 9) },
    policy: POLICY,
    pins: { hostKey: HOST_KEY, nextHostKey: undefined },
    trustOnFirstUse: false,
    secondHosts: [],
  });
}

function begin(driver: Driver<CustomerState, CustomerEvent, CustomerEffect>): void {
  driver.dispatch({
    kind: 'start',
    identity: { customerId: 'a', profile: [], credential: filled(32, 1) },
    material: {
      customerRandom: filled(32, 1),
      claimSecret: filled(32, 2),
      exponentBytes: filled(41, 3),
      kemKeys: undefined,
    },
  });
  driver.dispatch({ kind: 'connected' });
}
