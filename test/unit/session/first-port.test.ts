import { describe, expect, it } from 'vitest';
import { hostKeyOfSeed, rawHostPublicKey } from '../../../src/crypto/identity.ts';
import { DEFAULT_SUITE_POLICY } from '../../../src/crypto/suite.ts';
import { createFirstPort } from '../../../src/session/first-port.ts';
import type {
  FirstPortEffect,
  FirstPortEvent,
  FirstPortState,
  SecondPortLease,
} from '../../../src/session/first-port-interface.ts';
import { encodeAlertFrame } from '../../../src/wire/alert.ts';
import { frameOf } from '../../../src/wire/frame.ts';
import { encodeHello, type Hello } from '../../../src/wire/hello.ts';
import { decodeOffer, encodeSignedOffer } from '../../../src/wire/offer.ts';

const filled = (length: number, byte: number): Uint8Array => new Uint8Array(length).fill(byte);
const HOST_KEY = rawHostPublicKey(hostKeyOfSeed(filled(32, 1)));
const NONE = new Uint8Array(0);
const HELLO: Hello = {
  customerRandom: filled(32, 1),
  claimCommitment: filled(32, 2),
  versions: [1],
  groups: [0x0100, 0x0102, 0x0101],
  kems: [0x0201],
  aeads: [0x001d, 0x0002],
  kemKey: filled(1184, 3),
  hostKeyHint: NONE,
  cookie: NONE,
  puzzleSolution: NONE,
};
const LEASE: SecondPortLease = {
  secondPort: 20_001,
  secondHost: '',
  leaseMs: 10_000,
  serverRandom: filled(32, 4),
  sessionId: filled(16, 5),
  leaseToken: filled(32, 6),
};

class Bench {
  readonly machine = createFirstPort({ policy: DEFAULT_SUITE_POLICY, hostKey: HOST_KEY });
  state: FirstPortState = this.machine.initial;
  effects: readonly FirstPortEffect[] = [];

  step(event: FirstPortEvent): this {
    const next = this.machine.step(this.state, event);
    this.state = next.state;
    this.effects = next.effects;
    return this;
  }

  hello(changes: Partial<Hello> = {}): this {
    return this.step({ kind: 'accepted' }).step({
      kind: 'frame',
      frame: frameOf(encodeHello({ ...HELLO, ...changes }))!,
    });
  }

  get kinds(): string[] {
    return this.effects.map(({ kind }) => kind);
  }

  get sent(): Uint8Array | undefined {
    return this.effects.find((effect) => effect.kind === 'send')?.bytes;
  }
}

const admitted = (): Bench => new Bench().hello().step({ kind: 'admission', verdict: { kind: 'admitted' } });
const leased = (): Bench => admitted().step({ kind: 'leased', lease: LEASE });
const MADE = () =>
  ({
    kind: 'offerMade',
    unsignedOffer: filled(1900, 1),
    signature: Uint8Array.of(0, ...filled(64, 2)),
    publicValue: filled(384, 7),
    exponent: filled(35, 8),
    kemSecret: filled(32, 9),
  }) as const;

describe('the first port', () => {
  it('asks admission, a port and the pool, in this order, and opens the lease before it sends', () => {
    const bench = new Bench().hello();
    expect(bench.kinds).toEqual(['clearDeadline', 'step', 'admit']);
    expect(bench.step({ kind: 'admission', verdict: { kind: 'admitted' } }).kinds).toEqual(['lease']);
    expect(bench.step({ kind: 'leased', lease: LEASE }).kinds).toEqual(['makeOffer']);
    expect(bench.step(MADE()).kinds).toEqual(['openLease', 'send', 'step', 'close', 'setDeadline']);
    expect(bench.step({ kind: 'end' }).kinds).toEqual(['destroy', 'ended']);
    expect(bench.effects.at(-1)).toEqual({ kind: 'ended', end: { kind: 'offered' } });
  });

  it('chooses by its own preference among what both accept', () => {
    const asked = leased().effects[0] as Extract<FirstPortEffect, { kind: 'makeOffer' }>;
    const offer = decodeOffer(encodeSignedOffer(asked.job.unsignedOffer, MADE().signature).subarray(4));
    expect(offer).toMatchObject({
      ok: true,
      value: { version: 1, group: 0x0101, kem: 0x0201, aead: 0x0002, secondPort: 20_001 },
    });
    const job = asked.job;
    expect(job.kemKey).toEqual(HELLO.kemKey);
    expect([job.publicValueOffset, job.kemCiphertextOffset]).toEqual([
      32 + 16 + 9 + 1 + 4 + 32 + 3 + 2 + 384 + 2,
      32 + 16 + 9 + 1 + 4 + 32 + 3 + 2 + 384 + 2 + 384 + 2,
    ]);
  });

  it.each([
    ['group', { groups: [0x0017, 0x0100] }],
    ['KEM', { kems: [0x0000], kemKey: NONE }],
    ['cipher', { aeads: [0x0001] }],
    ['version', { versions: [2, 3] }],
  ] as const)('answers NO_COMMON_PARAMETERS with no common %s', (_, changes) => {
    const bench = new Bench().hello(changes);
    expect(bench.sent).toEqual(encodeAlertFrame({ code: 'NO_COMMON_PARAMETERS', retryAfterMs: 0 }));
    expect(bench.kinds).not.toContain('admit');
  });

  it.each([
    ['BUSY', 300],
    ['BAD_COOKIE', 0],
    ['SHUTDOWN', 50],
  ] as const)('says %s when admission does', (code, retryAfterMs) => {
    const bench = new Bench().hello().step({ kind: 'admission', verdict: { kind: 'refused', code, retryAfterMs } });
    expect(bench.sent).toEqual(encodeAlertFrame({ code, retryAfterMs }));
  });

  it('sends RETRY once, and BUSY to who comes back', () => {
    const verdict = { kind: 'retry', puzzleBits: 3, cookie: filled(9, 9) } as const;
    const first = new Bench().hello().step({ kind: 'admission', verdict });
    expect(frameOf(first.sent!)?.type).toBe('RETRY');
    expect(first.state).toMatchObject({ phase: 'lingering', end: { kind: 'retryAsked' } });
    const again = new Bench().hello({ cookie: filled(9, 9) }).step({ kind: 'admission', verdict });
    expect(again.sent).toEqual(encodeAlertFrame({ code: 'BUSY', retryAfterMs: 0 }));
  });

  it('lets nothing follow HELLO', () => {
    for (const make of [() => new Bench().hello(), admitted, leased]) {
      const bench = make();
      expect(bench.machine.expects(bench.state)).toEqual({ kind: 'nothing' });
      bench.step({ kind: 'unexpectedBytes' });
      expect(bench.sent).toEqual(encodeAlertFrame({ code: 'BAD_FRAME', retryAfterMs: 0 }));
    }
  });

  it('gives a port back that it will not offer', () => {
    for (const event of [
      { kind: 'lost' },
      { kind: 'unexpectedBytes' },
      { kind: 'shutdown', retryAfterMs: 1 },
      { kind: 'offerRefused', code: 'BUSY', retryAfterMs: 1 },
    ] as const)
      expect(leased().step(event).effects, event.kind).toContainEqual({ kind: 'releaseLease', lease: LEASE });
    const late = admitted().step({ kind: 'lost' }).step({ kind: 'leased', lease: LEASE });
    expect(late.effects).toEqual([{ kind: 'releaseLease', lease: LEASE }]);
  });

  it('wipes the secrets of an offer that comes too late', () => {
    const made = MADE();
    const bench = leased().step({ kind: 'lost' }).step(made);
    expect(bench.effects).toEqual([]);
    expect([...made.exponent, ...made.kemSecret].every((byte) => byte === 0)).toBe(true);
  });

  it('sends the offer to a customer that closed its own direction', () => {
    expect(leased().step({ kind: 'end' }).step(MADE()).kinds).toContain('send');
    expect(new Bench().step({ kind: 'accepted' }).step({ kind: 'end' }).kinds).toEqual(['destroy', 'ended']);
  });

  it('waits for HELLO no longer than its deadline', () => {
    const bench = new Bench().step({ kind: 'accepted' }).step({ kind: 'deadline', name: 'hello' });
    expect(bench.sent).toEqual(encodeAlertFrame({ code: 'TIMEOUT', retryAfterMs: 0 }));
    expect(bench.step({ kind: 'deadline', name: 'linger' }).kinds).toEqual(['reset', 'ended']);
    expect(bench.step({ kind: 'lost' }).effects).toEqual([]);
  });
});
