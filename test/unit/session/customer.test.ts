import { beforeAll, describe, expect, it } from 'vitest';
import { GROUPS } from '../../../src/crypto/groups.ts';
import {
  hostKeyFingerprint,
  hostKeyOfSeed,
  rawHostPublicKey,
  signOffer,
  verifyOffer,
} from '../../../src/crypto/identity.ts';
import { type Crypto, loadCrypto } from '../../../src/crypto/index.ts';
import { generateKemKeyPair } from '../../../src/crypto/kem.ts';
import type { SessionKeys } from '../../../src/crypto/key-schedule.ts';
import { type CustomerMachine, createCustomer } from '../../../src/session/customer.ts';
import type {
  CustomerEffect,
  CustomerEvent,
  CustomerRequest,
  CustomerState,
} from '../../../src/session/customer-interface.ts';
import type { CustomerContext } from '../../../src/session/customer-opening.ts';
import { hasRoom } from '../../../src/session/customer-requests.ts';
import { PUZZLE_BITS_ACCEPTED_MAX } from '../../../src/session/puzzle.ts';
import { openChannel, openMessage, type RecordChannel, sealMessage } from '../../../src/session/record-channel.ts';
import { UNANSWERED_MAX } from '../../../src/session/request-limits.ts';
import { encodeAlert, encodeAlertFrame } from '../../../src/wire/alert.ts';
import { encodeAnswer } from '../../../src/wire/answer.ts';
import { frameOf } from '../../../src/wire/frame.ts';
import { decodeHello } from '../../../src/wire/hello.ts';
import type { InnerType } from '../../../src/wire/inner.ts';
import { encodeOffer, type Offer } from '../../../src/wire/offer.ts';
import { encodeUnsignedReceipt } from '../../../src/wire/receipt.ts';
import { encodeRefusal } from '../../../src/wire/refusal.ts';
import { encodeRetry } from '../../../src/wire/retry.ts';

let crypto: Crypto;
beforeAll(async () => {
  crypto = await loadCrypto();
});

const filled = (length: number, byte: number): Uint8Array => new Uint8Array(length).fill(byte);
const HOST_KEY = hostKeyOfSeed(filled(32, 1));
const PINNED = rawHostPublicKey(HOST_KEY);
const EVIL_KEY = hostKeyOfSeed(filled(32, 0x66));
const EVIL = rawHostPublicKey(EVIL_KEY);
const NONE = new Uint8Array(0);
const GROUP = GROUPS.ffdhe2048;

class Bench {
  readonly machine: CustomerMachine;
  state: CustomerState;
  effects: readonly CustomerEffect[] = [];
  readonly all: CustomerEffect[] = [];
  helloFrame: Uint8Array = NONE;
  readonly keys: SessionKeys = keysOf();
  server: RecordChannel = openChannel('server', 'AES-256-GCM', keysOf());

  constructor(context: Partial<CustomerContext> = {}) {
    this.machine = createCustomer({
      hashing: crypto,
      policy: { groups: ['ffdhe2048'], kems: ['none'], aeads: ['AES-256-GCM'] },
      pins: { hostKey: PINNED, nextHostKey: undefined },
      trustOnFirstUse: false,
      secondHosts: [],
      ...context,
    });
    this.state = this.machine.initial;
  }

  step(event: CustomerEvent): this {
    const next = this.machine.step(this.state, event);
    this.state = next.state;
    this.effects = next.effects;
    this.all.push(...next.effects);
    for (const effect of next.effects) {
      if (effect.kind !== 'send') continue;
      const frame = frameOf(effect.bytes);
      if (frame?.type === 'HELLO') this.helloFrame = effect.bytes;
      if (frame?.type === 'RECORD') {
        const opened = openMessage(this.server, effect.bytes);
        if (opened.kind !== 'message') throw new Error(opened.what);
        this.server = opened.channel;
        this.heard.push(opened.message.type);
      }
    }
    return this;
  }

  /** Inner messages of the customer, in order. */
  readonly heard: string[] = [];

  begin(kem = false): this {
    return this.step({
      kind: 'start',
      identity: { customerId: 'alice', profile: [], credential: filled(32, 9) },
      material: {
        customerRandom: filled(32, 2),
        claimSecret: filled(32, 3),
        exponentBytes: filled(41, 4),
        kemKeys: kem ? generateKemKeyPair() : undefined,
      },
    }).step({ kind: 'connected' });
  }

  frame(bytes: Uint8Array): this {
    const frame = frameOf(bytes);
    if (frame === undefined) throw new Error('a frame');
    const expected = this.machine.expects(this.state);
    if (expected.kind !== 'frames' || !expected.types.includes(frame.type))
      return this.step({ kind: 'frameRefused', code: 'BAD_FRAME', what: 'not expected' });
    return this.step({ kind: 'frame', frame });
  }

  /** An offer, and the true answer about its signature. */
  offer(offerFrame: Uint8Array): this {
    this.frame(offerFrame);
    return this.answerSignature();
  }

  answerSignature(): this {
    const asked = this.effects.find((effect) => effect.kind === 'verifyOffer');
    if (asked === undefined) return this;
    return this.step({ kind: 'offerVerified', valid: verifyOffer(asked.hostKey, asked.helloFrame, asked.offerFrame) });
  }

  /** Up to the flight of the second port, with keys that the test knows. */
  join(): this {
    return this.begin().move();
  }

  /** From HELLO to the same. */
  move(): this {
    this.offer(signed(this, {}));
    const asked = this.effects.find((effect) => effect.kind === 'makeKeys')!;
    this.step({ kind: 'connected' });
    return this.step({
      kind: 'keysMade',
      result: { ok: true, publicValue: filled(256, 5), transcript: asked.job.transcript, keys: this.keys },
    });
  }

  say(type: InnerType, content: Uint8Array): this {
    const sealed = sealMessage(this.server, type, content);
    this.server = sealed.channel;
    return this.frame(sealed.bytes);
  }

  ready(): this {
    return this.join().say('FINISHED', filled(32, 0x53)).say('AUTH_RESULT', Uint8Array.of(0));
  }

  get end(): unknown {
    const ended = this.all.filter((effect) => effect.kind === 'ended');
    expect(ended.length).toBeLessThanOrEqual(1);
    return ended[0]?.end;
  }

  get kinds(): string[] {
    return this.all.map(({ kind }) => kind);
  }

  answersOf(ref: number) {
    return this.all.flatMap((effect) => (effect.kind === 'answered' && effect.ref === ref ? [effect.answer] : []));
  }
}

function keysOf(): SessionKeys {
  return {
    customer: { key: filled(32, 0xc1), iv: filled(12, 0xc2) },
    server: { key: filled(32, 0x51), iv: filled(12, 0x52) },
    serverFinished: filled(32, 0x53),
  };
}

function offerOf(changes: Partial<Offer>): Offer {
  return {
    serverRandom: filled(32, 1),
    sessionId: filled(16, 2),
    version: 1,
    group: GROUP.id,
    kem: 0,
    aead: 0x0002,
    secondPort: 20_000,
    secondHost: '',
    leaseMs: 10_000,
    leaseToken: filled(32, 3),
    g: Uint8Array.of(2),
    p: GROUP.p(),
    publicValue: filled(256, 0x44),
    kemCiphertext: NONE,
    hostKey: PINNED,
    nextHostKey: NONE,
    signature: filled(64, 0),
    ...changes,
  };
}

/** An offer with these changes, rightly signed: what a dishonest server, or one with a stolen key, could send. */
function signed(bench: Bench, changes: Partial<Offer>, key = HOST_KEY, helloFrame = bench.helloFrame): Uint8Array {
  const frame = encodeOffer(offerOf(changes));
  frame.set(signOffer(key, helloFrame, frame.subarray(0, -64)), frame.length - 64);
  return frame;
}

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

describe('requests', () => {
  it('are answered in order, each once', () => {
    const bench = new Bench().ready();
    bench.step({ kind: 'request', request: payment(1) }).step({ kind: 'request', request: payment(2) });
    bench.step({ kind: 'request', request: question(3) });
    bench
      .say('RECEIPT', receiptOf(1))
      .say('REFUSAL', encodeRefusal({ transactionId: filled(16, 2), code: 'BUSY', retryAfterMs: 4, text: 'later' }));
    bench.say(
      'ANSWER',
      encodeAnswer({ queryId: filled(4, 3), status: undefined, contentType: 'a/b', body: filled(2, 2) }),
    );
    expect([1, 2, 3].map((ref) => bench.answersOf(ref).map(({ kind }) => kind))).toEqual([
      ['receipt'],
      ['refusal'],
      ['answer'],
    ]);
    expect(bench.effects.at(-1)).toEqual({ kind: 'clearDeadline', name: 'answer' });
  });

  it.each([
    ["another transaction's receipt", (bench: Bench) => bench.say('RECEIPT', receiptOf(2))],
    [
      'a refusal of another',
      (bench: Bench) =>
        bench.say('REFUSAL', encodeRefusal({ transactionId: filled(16, 9), code: 'BUSY', retryAfterMs: 0, text: '' })),
    ],
    [
      'an answer to no query',
      (bench: Bench) =>
        bench.say('ANSWER', encodeAnswer({ queryId: filled(4, 1), status: undefined, contentType: 'a/b', body: NONE })),
    ],
    ['a receipt cut off', (bench: Bench) => bench.say('RECEIPT', receiptOf(1).subarray(1))],
    ['CLOSE that was not asked for', (bench: Bench) => bench.say('CLOSE', NONE)],
    ['a second FINISHED', (bench: Bench) => bench.say('FINISHED', filled(32, 0x53))],
    ['a TRANSACTION', (bench: Bench) => bench.say('TRANSACTION', filled(30, 1))],
  ])('are not answered by %s', (_, say) => {
    const bench = new Bench().ready().step({ kind: 'request', request: payment(1) });
    say(bench);
    expect(bench.end).toMatchObject({ kind: 'refused', code: 'BAD_FRAME' });
    expect(bench.answersOf(1)).toEqual([{ kind: 'unanswered', sent: true }]);
  });

  it('are at most 64 at once', () => {
    const bench = new Bench().ready();
    for (let ref = 0; ref < UNANSWERED_MAX; ref++) bench.step({ kind: 'request', request: payment(ref) });
    expect(hasRoom(bench.state, 'transaction')).toBe(false);
    expect(() => bench.step({ kind: 'request', request: payment(99) })).toThrow(/asks for room/);
    bench.say('RECEIPT', receiptOf(0));
    expect(hasRoom(bench.state, 'transaction')).toBe(true);
  });

  it('end with CLOSE behind the last one, and the server answers with its own', () => {
    const bench = new Bench()
      .ready()
      .step({ kind: 'request', request: payment(1) })
      .step({ kind: 'close' });
    expect(bench.heard).toEqual(['AUTH', 'TRANSACTION', 'CLOSE']);
    bench.say('RECEIPT', receiptOf(1)).say('CLOSE', NONE);
    expect(bench.end).toEqual({ kind: 'completed' });
    expect(bench.step({ kind: 'request', request: payment(2) }).answersOf(2)).toEqual([
      { kind: 'unanswered', sent: false },
    ]);
  });

  it('take CLOSE along in the first flight when nothing more is wanted by then', () => {
    const bench = new Bench()
      .begin()
      .step({ kind: 'request', request: payment(1) })
      .step({ kind: 'close' })
      .move();
    expect(bench.heard).toEqual(['AUTH', 'TRANSACTION', 'CLOSE']);
    bench.say('FINISHED', bench.keys.serverFinished).say('AUTH_RESULT', Uint8Array.of(0));
    // An answer is owed: its deadline runs, and that of CLOSE not yet.
    expect(bench.effects).not.toContainEqual({ kind: 'setDeadline', name: 'close' });
    bench.say('RECEIPT', receiptOf(1));
    expect(bench.effects).toContainEqual({ kind: 'setDeadline', name: 'close' });
    expect(bench.answersOf(1)).toMatchObject([{ kind: 'receipt' }]);
    bench.say('CLOSE', NONE);
    expect(bench.end).toEqual({ kind: 'completed' });
  });

  it('take CLOSE along while the server has not answered yet, once', () => {
    const bench = new Bench()
      .join()
      .step({ kind: 'request', request: payment(1) })
      .step({ kind: 'close' })
      .step({ kind: 'close' });
    expect(bench.heard).toEqual(['AUTH', 'TRANSACTION', 'CLOSE']);
    bench.say('FINISHED', bench.keys.serverFinished).say('AUTH_RESULT', Uint8Array.of(9));
    // It was not looked at: the outcome is known.
    expect(bench.answersOf(1)).toEqual([{ kind: 'unanswered', sent: false }]);
    expect(bench.end).toMatchObject({ kind: 'alertReceived', code: 'AUTH_FAILED' });
  });

  it('that are owed make CLOSE a lie', () => {
    const bench = new Bench()
      .ready()
      .step({ kind: 'request', request: payment(1) })
      .step({ kind: 'close' })
      .say('CLOSE', NONE);
    expect(bench.end).toMatchObject({ kind: 'refused', code: 'BAD_FRAME' });
  });

  it('are told the ERROR of the server', () => {
    const bench = new Bench().ready().step({ kind: 'request', request: payment(1) });
    bench.say('ERROR', encodeAlert({ code: 'SHUTDOWN', retryAfterMs: 700 }));
    expect(bench.end).toMatchObject({ kind: 'alertReceived', code: 'SHUTDOWN', retryAfterMs: 700 });
  });

  it.each(['offer', 'ready', 'answer', 'close'] as const)('end by the deadline %s', (name) => {
    const bench = new Bench()
      .ready()
      .step({ kind: 'request', request: payment(1) })
      .step({ kind: 'deadline', name });
    expect(bench.end).toMatchObject({ kind: 'timeout', deadline: name });
    expect(bench.answersOf(1)).toEqual([{ kind: 'unanswered', sent: true }]);
  });

  it('that were never sent are told so', () => {
    const bench = new Bench();
    bench
      .step({ kind: 'request', request: payment(1) })
      .begin()
      .step({ kind: 'lost' });
    expect(bench.answersOf(1)).toEqual([{ kind: 'unanswered', sent: false }]);
    expect(bench.end).toMatchObject({ kind: 'lost', phase: 'awaitingOffer' });
  });
});

function payment(ref: number): CustomerRequest {
  return { kind: 'transaction', ref, transactionId: filled(16, ref), contentType: 'a/b', body: filled(3, ref) };
}

function question(ref: number): CustomerRequest {
  return { kind: 'query', ref, queryId: filled(4, ref), contentType: 'a/b', body: filled(3, ref) };
}

function receiptOf(ref: number): Uint8Array {
  const unsigned = encodeUnsignedReceipt({
    transactionId: filled(16, ref),
    outcome: 'processed',
    sequence: 1n,
    committedTimeUs: 1n,
    bodyHash: filled(32, 1),
    resultContentType: 'a/b',
    result: filled(1, 1),
    keyId: filled(8, 1),
  });
  return Uint8Array.from([...unsigned, ...filled(64, 1)]);
}
