import { describe, expect, it } from 'vitest';
import { GROUPS } from '../../../src/crypto/groups.ts';
import { hostKeyFingerprint } from '../../../src/crypto/identity.ts';
import { PUZZLE_BITS_ACCEPTED_MAX } from '../../../src/session/puzzle.ts';
import { sealMessage } from '../../../src/session/record-channel.ts';
import { encodeAlertFrame } from '../../../src/wire/alert.ts';
import { frameOf } from '../../../src/wire/frame.ts';
import { decodeHello } from '../../../src/wire/hello.ts';
import type { Offer } from '../../../src/wire/offer.ts';
import { encodeRetry } from '../../../src/wire/retry.ts';
import { Bench, EVIL, EVIL_KEY, filled, GROUP, HOST_KEY, PINNED, payment, signed } from './customer-bench.ts';

const numberOf = (value: bigint): Uint8Array =>
  new Uint8Array(Buffer.from(value.toString(16).padStart(512, '0'), 'hex'));
const P = BigInt(`0x${Buffer.from(GROUP.p()).toString('hex')}`);

describe('an offer is refused before the second port is touched:', () => {
  const cases: readonly (readonly [string, Partial<Offer>, string])[] = [
    [
      'a group that was not offered',
      { group: 0x0101, p: GROUPS.ffdhe3072.p(), publicValue: filled(384, 4) },
      'DOWNGRADE',
    ],
    ['a group that nobody knows', { group: 0x0017 }, 'DOWNGRADE'],
    ['a KEM that was not offered', { kem: 0x0201, kemCiphertext: filled(1088, 1) }, 'DOWNGRADE'],
    ['a cipher that was not offered', { aead: 0x001d }, 'DOWNGRADE'],
    ['another version', { version: 2 }, 'DOWNGRADE'],
    ['another prime', { p: numberOf(P - 2n) }, 'PARAMETER_MISMATCH'],
    ["another group's prime", { p: GROUPS.ffdhe3072.p() }, 'PARAMETER_MISMATCH'],
    ['a prime with one bit flipped', { p: numberOf(P ^ (1n << 700n)) }, 'PARAMETER_MISMATCH'],
    ['another generator', { g: Uint8Array.of(5) }, 'PARAMETER_MISMATCH'],
    ['the generator 1', { g: Uint8Array.of(1) }, 'PARAMETER_MISMATCH'],
    ['a ciphertext that was not agreed', { kemCiphertext: filled(1088, 1) }, 'PARAMETER_MISMATCH'],
    ['a second port of the system', { secondPort: 1023 }, 'PARAMETER_MISMATCH'],
    ['another host', { secondHost: '198.51.100.7' }, 'PARAMETER_MISMATCH'],
    ['Ys = 0', { publicValue: numberOf(0n) }, 'KEY_EXCHANGE_FAILED'],
    ['Ys = 1', { publicValue: numberOf(1n) }, 'KEY_EXCHANGE_FAILED'],
    ['Ys = p-1', { publicValue: numberOf(P - 1n) }, 'KEY_EXCHANGE_FAILED'],
    ['Ys = p', { publicValue: numberOf(P) }, 'KEY_EXCHANGE_FAILED'],
    ['Ys = p+1', { publicValue: numberOf(P + 1n) }, 'KEY_EXCHANGE_FAILED'],
    ['Ys of another length', { publicValue: filled(384, 4) }, 'KEY_EXCHANGE_FAILED'],
  ];
  it.each(cases)('%s', (_, changes, code) => {
    const bench = new Bench().begin();
    bench.offer(signed(bench, changes));
    expect(bench.end).toMatchObject({ kind: 'refused', code });
    expect(bench.kinds).not.toContain('connectSecond');
    expect(bench.kinds).not.toContain('makeKeys');
    expect(bench.kinds).not.toContain('learnedHostKeys');
  });

  it('a host key that is not the pin, with a good signature of its own', () => {
    const bench = new Bench().begin();
    bench.offer(signed(bench, { hostKey: EVIL }, EVIL_KEY));
    expect(bench.end).toMatchObject({ kind: 'refused', code: 'HOST_KEY_MISMATCH' });
    expect(bench.kinds).not.toContain('verifyOffer');
  });

  it('the pinned key over a signature of another', () => {
    const bench = new Bench().begin();
    bench.offer(signed(bench, {}, EVIL_KEY));
    expect(bench.end).toMatchObject({ kind: 'refused', code: 'BAD_OFFER_SIGNATURE' });
  });

  it('a redirected second port: any change after signing', () => {
    const bench = new Bench().begin();
    const frame = signed(bench, {});
    // The two bytes of second_port, behind header, randoms, session, version and three choices.
    frame[4 + 32 + 16 + 7]! ^= 1;
    bench.offer(frame);
    expect(bench.end).toMatchObject({ kind: 'refused', code: 'BAD_OFFER_SIGNATURE' });
  });

  it('a replayed offer: signed for another HELLO', () => {
    const bench = new Bench().begin();
    const other = Uint8Array.from(bench.helloFrame);
    other[5]! ^= 1;
    bench.offer(signed(bench, {}, HOST_KEY, other));
    expect(bench.end).toMatchObject({ kind: 'refused', code: 'BAD_OFFER_SIGNATURE' });
  });

  it('in the order of the checks: what is wrong first is told', () => {
    const wrong = { publicValue: numberOf(0n), g: Uint8Array.of(5), version: 2 };
    const told = (changes: Partial<Offer>, key = HOST_KEY) => {
      const bench = new Bench().begin();
      return (bench.offer(signed(bench, changes, key)).end as { code: string }).code;
    };
    expect(told({ ...wrong, hostKey: EVIL }, EVIL_KEY)).toBe('HOST_KEY_MISMATCH');
    expect(told(wrong, EVIL_KEY)).toBe('BAD_OFFER_SIGNATURE');
    expect(told(wrong)).toBe('DOWNGRADE');
    expect(told({ ...wrong, version: 1 })).toBe('PARAMETER_MISMATCH');
    expect(told({ publicValue: numberOf(0n) })).toBe('KEY_EXCHANGE_FAILED');
  });
});

describe('an offer that passes', () => {
  it('moves the customer to its port', () => {
    const bench = new Bench().begin();
    bench.offer(signed(bench, { secondPort: 1024 }));
    expect(bench.all).toContainEqual({ kind: 'connectSecond', host: '', port: 1024 });
    expect(bench.all).toContainEqual({ kind: 'learnedHostKeys', hostKey: PINNED, nextHostKey: undefined, by: 'pin' });
  });

  it('may name a host that the configuration allows', () => {
    const bench = new Bench({ secondHosts: ['second.example'] }).begin();
    bench.offer(signed(bench, { secondHost: 'second.example' }));
    expect(bench.all).toContainEqual({ kind: 'connectSecond', host: 'second.example', port: 20_000 });
  });

  it('may come under the announced next key, and announces the one after', () => {
    const bench = new Bench({ pins: { hostKey: PINNED, nextHostKey: EVIL } }).begin();
    bench.offer(signed(bench, { hostKey: EVIL, nextHostKey: filled(32, 8) }, EVIL_KEY));
    expect(bench.all).toContainEqual({
      kind: 'learnedHostKeys',
      hostKey: EVIL,
      nextHostKey: filled(32, 8),
      by: 'succession',
    });
  });

  it('on first use is decided by a person', () => {
    const tofu = { pins: { hostKey: undefined, nextHostKey: undefined }, trustOnFirstUse: true };
    const yes = new Bench(tofu).begin();
    yes.offer(signed(yes, {}));
    expect(yes.effects).toContainEqual({
      kind: 'decideHostKey',
      hostKey: PINNED,
      fingerprint: hostKeyFingerprint(PINNED),
    });
    yes.step({ kind: 'hostKeyDecided', accepted: true }).answerSignature();
    expect(yes.all).toContainEqual({
      kind: 'learnedHostKeys',
      hostKey: PINNED,
      nextHostKey: undefined,
      by: 'first-use',
    });
    const no = new Bench(tofu).begin();
    no.offer(signed(no, {})).step({ kind: 'hostKeyDecided', accepted: false });
    expect(no.end).toMatchObject({ code: 'HOST_KEY_MISMATCH' });
    const nobody = new Bench({ ...tofu, trustOnFirstUse: false }).begin();
    nobody.offer(signed(nobody, {}));
    expect(nobody.end).toMatchObject({ code: 'HOST_KEY_MISMATCH' });
  });
});

describe('RETRY', () => {
  const hello = (frame: Uint8Array) => {
    const decoded = decodeHello(frame.subarray(4));
    if (!decoded.ok) throw new Error(decoded.what);
    return decoded.value;
  };

  it('brings the same HELLO again, with cookie and solution', () => {
    const bench = new Bench().begin();
    const first = hello(bench.helloFrame);
    bench.frame(encodeRetry({ puzzleBits: 9, cookie: filled(20, 7) }));
    expect(bench.effects.at(-2)).toEqual({ kind: 'solvePuzzle', cookie: filled(20, 7), bits: 9 });
    bench.step({ kind: 'puzzleSolved', solution: filled(8, 6) }).step({ kind: 'connected' });
    const second = hello(bench.helloFrame);
    expect(second.bound).toEqual(first.bound);
    expect([second.cookie, second.puzzleSolution]).toEqual([filled(20, 7), filled(8, 6)]);
    bench.offer(signed(bench, {}));
    expect(bench.kinds).toContain('connectSecond');
  });

  it('without a puzzle comes back at once', () => {
    const bench = new Bench().begin().frame(encodeRetry({ puzzleBits: 0, cookie: filled(1, 7) }));
    expect(bench.effects.map(({ kind }) => kind)).toEqual(['step', 'destroy', 'connectFirst', 'setDeadline']);
  });

  it('a second time ends it', () => {
    const bench = new Bench()
      .begin()
      .frame(encodeRetry({ puzzleBits: 0, cookie: filled(1, 7) }))
      .step({ kind: 'connected' });
    bench.frame(encodeRetry({ puzzleBits: 0, cookie: filled(1, 8) }));
    expect(bench.end).toMatchObject({ kind: 'refused', code: 'BUSY' });
  });

  it('with a puzzle beyond what a customer works', () => {
    const ask = (puzzleBits: number) => new Bench().begin().frame(encodeRetry({ puzzleBits, cookie: filled(1, 7) }));
    expect(ask(PUZZLE_BITS_ACCEPTED_MAX).kinds).toContain('solvePuzzle');
    expect(ask(PUZZLE_BITS_ACCEPTED_MAX + 1).end).toMatchObject({ kind: 'refused', code: 'BUSY' });
  });
});

describe('the second port', () => {
  it('gets CUSTOMER_KEY, AUTH and the first requests in one flight', () => {
    const bench = new Bench();
    bench.step({ kind: 'request', request: payment(1) });
    bench.join();
    const types = bench.all.flatMap((effect) => (effect.kind === 'send' ? [frameOf(effect.bytes)!.type] : []));
    expect(types).toEqual(['HELLO', 'CUSTOMER_KEY', 'RECORD', 'RECORD']);
    expect(bench.heard).toEqual(['AUTH', 'TRANSACTION']);
  });

  it('may say a plain ERROR in place of its first record', () => {
    const bench = new Bench().join().frame(encodeAlertFrame({ code: 'BAD_CLAIM', retryAfterMs: 0 }));
    expect(bench.end).toMatchObject({ kind: 'alertReceived', code: 'BAD_CLAIM' });
  });

  it('may not say it after its first record', () => {
    const bench = new Bench()
      .join()
      .say('FINISHED', filled(32, 0x53))
      .frame(encodeAlertFrame({ code: 'BUSY', retryAfterMs: 1 }));
    expect(bench.end).toMatchObject({ kind: 'refused', code: 'BAD_FRAME' });
  });

  it.each([
    ['a wrong server_finished', 'FINISHED', filled(32, 0x54)],
    ['a short server_finished', 'FINISHED', filled(31, 0x53)],
    ['anything before FINISHED', 'AUTH_RESULT', Uint8Array.of(0)],
  ] as const)('%s is KEY_EXCHANGE_FAILED', (_, type, content) => {
    const bench = new Bench().join().say(type, content);
    expect(bench.end).toMatchObject({ kind: 'refused', code: 'KEY_EXCHANGE_FAILED' });
    expect(bench.kinds).not.toContain('ready');
  });

  it('is not believed when its record does not decrypt', () => {
    const bench = new Bench().join();
    const { bytes } = sealMessage(bench.server, 'FINISHED', filled(32, 0x53));
    bytes[20]! ^= 1;
    expect(bench.frame(bytes).end).toMatchObject({ kind: 'refused', code: 'DECRYPT_FAILED' });
    expect(bench.keys.server.key.every((byte) => byte === 0)).toBe(true);
  });

  it('that refuses the identity ends it with AUTH_FAILED', () => {
    const bench = new Bench().join().say('FINISHED', filled(32, 0x53)).say('AUTH_RESULT', Uint8Array.of(9));
    expect(bench.end).toMatchObject({ kind: 'alertReceived', code: 'AUTH_FAILED' });
  });

  it('that closes without CLOSE has truncated the session, in every phase', () => {
    const phases = [() => new Bench().begin(), () => new Bench().join(), () => new Bench().ready()];
    for (const make of phases) expect(make().step({ kind: 'end' }).end).toMatchObject({ kind: 'truncated' });
    const paid = new Bench()
      .ready()
      .step({ kind: 'request', request: payment(1) })
      .step({ kind: 'end' });
    expect(paid.answersOf(1)).toEqual([{ kind: 'unanswered', sent: true }]);
  });
});
