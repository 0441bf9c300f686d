import { beforeAll, describe, expect, it } from 'vitest';
import { GROUPS } from '../../../src/crypto/groups.ts';
import { type Crypto, loadCrypto } from '../../../src/crypto/index.ts';
import type { SessionKeys } from '../../../src/crypto/key-schedule.ts';
import { ERRORS } from '../../../src/errors.ts';
import { commitClaim } from '../../../src/session/claim.ts';
import type { LeasedSession } from '../../../src/session/leased-session.ts';
import { openChannel, openMessage, type RecordChannel, sealMessage } from '../../../src/session/record-channel.ts';
import { TRANSACTIONS_PER_SESSION_MAX, UNANSWERED_MAX } from '../../../src/session/request-limits.ts';
import { createSecondPort, type SecondPortMachine } from '../../../src/session/second-port.ts';
import type { SecondPortEffect, SecondPortEvent, SecondPortState } from '../../../src/session/second-port-interface.ts';
import { encodeAuth } from '../../../src/wire/auth.ts';
import { encodeCustomerKey } from '../../../src/wire/customer-key.ts';
import { frameOf } from '../../../src/wire/frame.ts';
import type { InnerType } from '../../../src/wire/inner.ts';
import { encodeQuery } from '../../../src/wire/query.ts';
import { encodeUnsignedReceipt } from '../../../src/wire/receipt.ts';
import { encodeTransaction } from '../../../src/wire/transaction.ts';

let crypto: Crypto;
beforeAll(async () => {
  crypto = await loadCrypto();
});

const filled = (length: number, byte: number): Uint8Array => new Uint8Array(length).fill(byte);
const CLAIM_SECRET = filled(32, 3);
const CUSTOMER_KEY = {
  sessionId: filled(16, 1),
  leaseToken: filled(32, 2),
  claimSecret: CLAIM_SECRET,
  publicValue: filled(256, 5),
  finished: filled(32, 6),
};
const AUTH = encodeAuth({ customerId: 'alice', profile: [], credential: filled(32, 9) });
const id = (number: number): Uint8Array =>
  Uint8Array.from({ length: 16 }, (_, at) => (at === 15 ? number & 0xff : number >>> 8));

/** The machine, stepped by hand, with a customer's end of the records. */
class Bench {
  readonly machine: SecondPortMachine = createSecondPort({ hashing: crypto });
  state: SecondPortState = this.machine.initial;
  /** What the last step asked for. */
  effects: readonly SecondPortEffect[] = [];
  readonly sent: string[] = [];
  readonly keys: SessionKeys = {
    customer: { key: filled(32, 0xc1), iv: filled(12, 0xc2) },
    server: { key: filled(32, 0x51), iv: filled(12, 0x52) },
    serverFinished: filled(32, 0x53),
  };
  customer: RecordChannel = openChannel('customer', 'AES-256-GCM', {
    customer: { key: filled(32, 0xc1), iv: filled(12, 0xc2) },
    server: { key: filled(32, 0x51), iv: filled(12, 0x52) },
    serverFinished: filled(32, 0x53),
  });

  step(event: SecondPortEvent): this {
    const next = this.machine.step(this.state, event);
    this.state = next.state;
    this.effects = next.effects;
    for (const effect of next.effects) if (effect.kind === 'send') this.sent.push(this.#read(effect.bytes));
    return this;
  }

  /** A record of the customer. */
  say(type: InnerType, content: Uint8Array): this {
    const sealed = sealMessage(this.customer, type, content);
    this.customer = sealed.channel;
    return this.record(sealed.bytes);
  }

  record(bytes: Uint8Array): this {
    const frame = frameOf(bytes);
    if (frame === undefined) throw new Error('a frame');
    return this.step({ kind: 'frame', frame });
  }

  get kinds(): string[] {
    return this.effects.map(({ kind }) => kind);
  }

  get end(): unknown {
    return this.state.phase === 'lingering' ? this.state.end : this.effects.find(({ kind }) => kind === 'ended');
  }

  get expects(): string {
    return this.machine.expects(this.state).kind;
  }

  /** A message of the server by name: `plain ERROR BUSY`, `FINISHED`, `ERROR LIMIT`. */
  #read(bytes: Uint8Array): string {
    const frame = frameOf(bytes)!;
    if (frame.type === 'ERROR') return `plain ERROR ${nameOf(frame.body[0]!)}`;
    const opened = openMessage(this.customer, bytes);
    if (opened.kind !== 'message') throw new Error(opened.what);
    this.customer = opened.channel;
    const { type, content } = opened.message;
    return type === 'ERROR' ? `ERROR ${nameOf(content[0]!)}` : type;
  }
}

function nameOf(alert: number): string {
  return Object.entries(ERRORS).find(([, row]) => 'alert' in row && row.alert === alert)![0];
}

function session(): LeasedSession {
  return {
    terms: {
      sessionId: filled(16, 1),
      leaseToken: filled(32, 2),
      claimCommitment: commitClaim(crypto, CLAIM_SECRET),
    },
    suite: { group: 'ffdhe2048', kem: 'none', aead: 'AES-256-GCM' },
    transcript: filled(100, 4),
    publicValue: filled(256, 7),
    exponent: filled(29, 8),
    kemSecret: filled(0, 0),
  };
}

const arrived = (customerKey = CUSTOMER_KEY): Bench =>
  new Bench().step({ kind: 'accepted' }).record(encodeCustomerKey(customerKey));
const keyed = (): Bench => {
  const bench = arrived()
    .step({ kind: 'leaseFound', terms: session().terms })
    .step({ kind: 'leaseTaken', session: session() });
  return bench.step({ kind: 'keysMade', keys: bench.keys });
};
const serving = (): Bench => keyed().say('AUTH', AUTH).step({ kind: 'identity', verified: true });
const transaction = (number: number, body = filled(3, 1)): Uint8Array =>
  encodeTransaction({ transactionId: id(number), contentType: 'a/b', body });
const receiptOf = (number: number, result = filled(1, 1)): SecondPortEvent & { kind: 'submitted' } => {
  const unsigned = encodeUnsignedReceipt({
    transactionId: id(number),
    outcome: 'processed',
    sequence: 1n,
    committedTimeUs: 1n,
    bodyHash: filled(32, 1),
    resultContentType: 'a/b',
    result,
    salt: filled(16, 1),
    keyId: filled(8, 1),
  });
  return {
    kind: 'submitted',
    ref: number,
    result: { kind: 'receipt', receipt: Uint8Array.from([...unsigned, 0, ...filled(64, 1)]) },
  };
};

describe('the claim', () => {
  it('is right with all three values, and uses the lease up', () => {
    const bench = arrived();
    expect(bench.effects.at(-1)).toEqual({ kind: 'findLease', sessionId: CUSTOMER_KEY.sessionId });
    expect(bench.step({ kind: 'leaseFound', terms: session().terms }).kinds).toEqual(['takeLease']);
    const taken = bench.step({ kind: 'leaseTaken', session: session() });
    expect(taken.effects.at(-1)).toMatchObject({
      kind: 'makeKeys',
      job: { group: 'ffdhe2048', peerPublicValue: filled(256, 5) },
    });
    const job = taken.effects.at(-1) as Extract<SecondPortEffect, { kind: 'makeKeys' }>;
    expect(
      Buffer.from(job.job.transcript).equals(Buffer.concat([filled(100, 4), encodeCustomerKey(CUSTOMER_KEY)])),
    ).toBe(true);
  });

  it.each([
    ['another session', { ...CUSTOMER_KEY, sessionId: filled(16, 0xaa) }],
    ['a stolen token without the preimage', { ...CUSTOMER_KEY, claimSecret: filled(32, 0xaa) }],
    ['the preimage without the token', { ...CUSTOMER_KEY, leaseToken: filled(32, 0xaa) }],
    [
      'all of it wrong',
      { ...CUSTOMER_KEY, sessionId: filled(16, 0), leaseToken: filled(32, 0), claimSecret: filled(32, 0) },
    ],
  ])('is wrong with %s: the lease is not touched', (_, customerKey) => {
    const bench = arrived(customerKey).step({ kind: 'leaseFound', terms: session().terms });
    expect(bench.sent).toEqual(['plain ERROR BAD_CLAIM']);
    expect(bench.kinds).not.toContain('takeLease');
    expect(bench.end).toMatchObject({ kind: 'alertSent', code: 'BAD_CLAIM' });
  });

  it('says the same to an unknown, an expired and a used lease (a replayed flight)', () => {
    const unknown = arrived().step({ kind: 'leaseFound', terms: undefined });
    const used = arrived()
      .step({ kind: 'leaseFound', terms: session().terms })
      .step({ kind: 'leaseTaken', session: undefined });
    expect(unknown.sent).toEqual(['plain ERROR BAD_CLAIM']);
    expect(used.sent).toEqual(unknown.sent);
    expect(used.kinds).toEqual(unknown.kinds);
  });

  it('of another socket closes this one without a word', () => {
    const bench = new Bench().step({ kind: 'accepted' }).step({ kind: 'displaced' });
    expect(bench.kinds).toEqual(['destroy', 'ended']);
    expect(bench.end).toMatchObject({ end: { kind: 'displaced' } });
  });
});

describe('before the identity', () => {
  it('FINISHED is the first record, and AUTH_RESULT the second', () => {
    expect(serving().sent).toEqual(['FINISHED', 'AUTH_RESULT']);
  });

  it('nothing is read while somebody else works', () => {
    expect(arrived().expects).toBe('pause');
    expect(arrived().step({ kind: 'leaseFound', terms: session().terms }).expects).toBe('pause');
    expect(keyed().expects).toBe('frames');
    expect(keyed().say('AUTH', AUTH).expects).toBe('pause');
  });

  it.each(['TRANSACTION', 'QUERY', 'CLOSE', 'FINISHED'] as const)('%s before AUTH is NOT_AUTHENTICATED', (type) => {
    const bench = keyed().say(type, filled(type === 'CLOSE' ? 0 : 40, 1));
    expect(bench.sent).toEqual(['FINISHED', 'ERROR NOT_AUTHENTICATED']);
    expect(bench.kinds).not.toContain('submit');
  });

  it('a failed key exchange is said in the plain, before any record', () => {
    const bench = arrived()
      .step({ kind: 'leaseFound', terms: session().terms })
      .step({ kind: 'leaseTaken', session: session() });
    bench.step({ kind: 'keysRefused', code: 'KEY_EXCHANGE_FAILED', retryAfterMs: 0 });
    expect(bench.sent).toEqual(['plain ERROR KEY_EXCHANGE_FAILED']);
  });

  it('an identity that is not verified gets AUTH_RESULT and CLOSE, and what was sent ahead is not looked at', () => {
    const bench = keyed().say('AUTH', AUTH).step({ kind: 'identity', verified: false });
    expect(bench.sent).toEqual(['FINISHED', 'AUTH_RESULT', 'CLOSE']);
    expect(bench.expects).toBe('ignore');
    expect(bench.end).toMatchObject({ kind: 'alertSent', code: 'AUTH_FAILED' });
  });

  it('an identity that cannot be looked up is an ERROR', () => {
    const bench = keyed().say('AUTH', AUTH).step({ kind: 'identityUnknown', code: 'BUSY', retryAfterMs: 70 });
    expect(bench.sent).toEqual(['FINISHED', 'ERROR BUSY']);
  });

  it('a malformed AUTH is BAD_FRAME, one too large TOO_LARGE', () => {
    expect(keyed().say('AUTH', AUTH.subarray(1)).sent.at(-1)).toMatch(/^ERROR (BAD_FRAME|TOO_LARGE)$/);
    expect(
      keyed()
        .say('AUTH', Uint8Array.of(65, ...filled(65, 0x61), 0, ...filled(32, 1)))
        .sent.at(-1),
    ).toBe('ERROR TOO_LARGE');
  });
});

describe('a record that does not decrypt', () => {
  it.each([['altered', (bytes: Uint8Array) => bytes.map((byte, at) => (at === 30 ? byte ^ 1 : byte))]])(
    '%s: the connection ends without a word and the keys are wiped',
    (_, change) => {
      const bench = keyed();
      const before = bench.sent.length;
      bench.record(change(sealMessage(bench.customer, 'AUTH', AUTH).bytes));
      expect(bench.kinds).toEqual(['destroy', 'ended']);
      expect(bench.sent.length).toBe(before);
      expect(bench.end).toMatchObject({ end: { kind: 'refused', code: 'DECRYPT_FAILED' } });
      expect(bench.keys.customer.key.every((byte) => byte === 0)).toBe(true);
    },
  );

  it('reflected: the server does not take its own record', () => {
    const bench = arrived()
      .step({ kind: 'leaseFound', terms: session().terms })
      .step({ kind: 'leaseTaken', session: session() });
    const { effects } = bench.step({ kind: 'keysMade', keys: bench.keys });
    const own = effects.find((effect) => effect.kind === 'send')!;
    bench.record(own.bytes);
    expect(bench.kinds).toEqual(['destroy', 'ended']);
  });

  it('repeated, swapped or with one left out', () => {
    for (const order of [[0, 0], [1], [0, 2]]) {
      const bench = serving();
      const records: Uint8Array[] = [];
      let channel = bench.customer;
      for (const number of [0, 1, 2]) {
        const sealed = sealMessage(channel, 'TRANSACTION', transaction(number));
        channel = sealed.channel;
        records.push(sealed.bytes);
      }
      for (const index of order) bench.record(records[index]!);
      expect(bench.kinds, order.join()).toEqual(['destroy', 'ended']);
    }
  });
});

describe('requests', () => {
  it('are answered in the order they came, whatever order the results come in', () => {
    const bench = serving().say('TRANSACTION', transaction(0)).say('TRANSACTION', transaction(1));
    bench.say('QUERY', encodeQuery({ queryId: filled(4, 2), contentType: 'a/b', body: filled(0, 0) }));
    bench.step({ kind: 'queried', ref: 2, result: { status: undefined, contentType: 'a/b', body: filled(1, 1) } });
    expect(bench.sent.slice(2)).toEqual([]);
    bench.step(receiptOf(1));
    expect(bench.sent.slice(2)).toEqual([]);
    bench.step({
      kind: 'submitted',
      ref: 0,
      result: { kind: 'refusal', code: 'BUSY', retryAfterMs: 5, text: 'later' },
    });
    expect(bench.sent.slice(2)).toEqual(['REFUSAL', 'RECEIPT', 'ANSWER']);
    expect(bench.effects.at(-1)).toEqual({ kind: 'setDeadline', name: 'idle' });
  });

  it('are read no further at 64 unanswered, and again at 63', () => {
    const bench = serving();
    for (let number = 0; number < UNANSWERED_MAX; number++) {
      expect(bench.expects).toBe('frames');
      bench.say('TRANSACTION', transaction(number));
    }
    expect(bench.expects).toBe('pause');
    bench.step(receiptOf(0));
    expect(bench.expects).toBe('frames');
  });

  it('are read no further when their documents are large', () => {
    const bench = serving();
    let count = 0;
    for (; bench.expects === 'frames'; count++) bench.say('TRANSACTION', transaction(count, filled(61_440, 1)));
    expect(count).toBe(5);
  });

  it('are read no further while the customer does not read', () => {
    const bench = serving().step({ kind: 'writeBlocked' });
    expect(bench.expects).toBe('pause');
    expect(bench.step({ kind: 'writeDrained' }).expects).toBe('frames');
  });

  it('are at most 1,000 transactions', () => {
    const bench = serving();
    for (let number = 0; number < TRANSACTIONS_PER_SESSION_MAX; number++)
      bench.say('TRANSACTION', transaction(number)).step(receiptOf(number));
    expect(bench.expects).toBe('frames');
    bench.say('TRANSACTION', transaction(TRANSACTIONS_PER_SESSION_MAX));
    expect(bench.sent.at(-1)).toBe('ERROR LIMIT');
    expect(bench.kinds).not.toContain('submit');
  });

  it('that are too large or malformed end the session', () => {
    const large = Uint8Array.of(...filled(16, 1), 3, 0x61, 0x2f, 0x62, 0xf0, 0x01, ...filled(61_441, 1));
    expect(serving().say('TRANSACTION', large).sent.at(-1)).toBe('ERROR TOO_LARGE');
    expect(serving().say('TRANSACTION', filled(10, 1)).sent.at(-1)).toBe('ERROR BAD_FRAME');
    expect(serving().say('QUERY', filled(2, 1)).sent.at(-1)).toBe('ERROR BAD_FRAME');
  });

  it.each(['AUTH', 'FINISHED', 'AUTH_RESULT', 'RECEIPT', 'REFUSAL', 'ANSWER', 'ERROR'] as const)(
    '%s is no request',
    (type) => {
      expect(serving().say(type, AUTH).sent.at(-1)).toBe('ERROR BAD_FRAME');
    },
  );

  it('with a receipt of another transaction are a bug that stops the operation', () => {
    const bench = serving().say('TRANSACTION', transaction(0));
    expect(() => bench.step({ ...receiptOf(7), ref: 0 })).toThrow(/receipt is of its transaction/);
    expect(() => bench.step({ ...receiptOf(0), ref: 4 })).toThrow(/waits for it/);
  });
});

describe('the end', () => {
  it('after CLOSE comes when all that is owed is answered', () => {
    const bench = serving().say('TRANSACTION', transaction(0)).say('CLOSE', filled(0, 0));
    expect(bench.sent.slice(2)).toEqual([]);
    expect(bench.expects).toBe('nothing');
    bench.step({ kind: 'end' }).step(receiptOf(0));
    expect(bench.sent.slice(2)).toEqual(['RECEIPT', 'CLOSE']);
    expect(bench.end).toEqual({ kind: 'completed' });
    expect(bench.kinds.slice(-2)).toEqual(['close', 'setDeadline']);
    expect(bench.step({ kind: 'lost' }).kinds).toEqual(['destroy', 'ended']);
    expect(bench.keys.server.key.every((byte) => byte === 0)).toBe(true);
  });

  it('at once when nothing is owed', () => {
    expect(serving().say('CLOSE', filled(0, 0)).sent.at(-1)).toBe('CLOSE');
    expect(serving().say('CLOSE', filled(1, 0)).sent.at(-1)).toBe('ERROR BAD_FRAME');
  });

  it('without CLOSE is a truncation', () => {
    const bench = serving().say('TRANSACTION', transaction(0)).step({ kind: 'end' });
    expect(bench.kinds).toEqual(['destroy', 'ended']);
    expect(bench.end).toMatchObject({ end: { kind: 'truncated', phase: 'serving' } });
    expect(bench.step(receiptOf(0)).effects).toEqual([]);
  });

  it('with bytes after CLOSE is BAD_FRAME', () => {
    const bench = serving()
      .say('TRANSACTION', transaction(0))
      .say('CLOSE', filled(0, 0))
      .step({ kind: 'unexpectedBytes' });
    expect(bench.sent.at(-1)).toBe('ERROR BAD_FRAME');
  });

  it.each([
    ['customerKey', () => new Bench().step({ kind: 'accepted' }), 'plain ERROR TIMEOUT'],
    ['auth', keyed, 'ERROR TIMEOUT'],
    ['idle', serving, 'ERROR TIMEOUT'],
    ['session', serving, 'ERROR LIMIT'],
  ] as const)('by the deadline %s', (name, make, said) => {
    const bench = make().step({ kind: 'deadline', name });
    expect(bench.sent.at(-1)).toBe(said);
    expect(bench.end).toMatchObject({ kind: 'timeout', deadline: name });
    expect(bench.step({ kind: 'deadline', name: 'linger' }).kinds).toEqual(['reset', 'ended']);
  });

  it('not by a deadline that no longer matters', () => {
    expect(serving().step({ kind: 'deadline', name: 'auth' }).effects).toEqual([]);
    expect(serving().say('TRANSACTION', transaction(0)).step({ kind: 'deadline', name: 'idle' }).effects).toEqual([]);
  });

  it('by shutdown says SHUTDOWN, after what is owed', () => {
    expect(new Bench().step({ kind: 'shutdown', retryAfterMs: 9 }).sent).toEqual(['plain ERROR SHUTDOWN']);
    const bench = serving().say('TRANSACTION', transaction(0)).step({ kind: 'shutdown', retryAfterMs: 9 });
    expect(bench.expects).toBe('pause');
    expect(bench.step(receiptOf(0)).sent.slice(2)).toEqual(['RECEIPT', 'ERROR SHUTDOWN']);
  });

  it('wipes secrets that come too late', () => {
    const bench = arrived().step({ kind: 'lost' });
    const late = session();
    bench.step({ kind: 'leaseTaken', session: late }).step({ kind: 'keysMade', keys: bench.keys });
    expect(bench.effects).toEqual([]);
    expect(
      [late.exponent, bench.keys.customer.key, bench.keys.server.key].every((secret) =>
        secret.every((byte) => byte === 0),
      ),
    ).toBe(true);
  });

  it('every step of the method was shown, in order, without a secret', () => {
    const shown: string[] = [];
    const bench = new Bench();
    const note = (): void => {
      for (const effect of bench.effects)
        if (effect.kind === 'step') {
          shown.push(effect.step);
          expect(JSON.stringify(effect.detail)).not.toMatch(/(03){8}|(08){8}|(09){8}|(c1){8}|(51){8}/);
        }
    };
    const events: SecondPortEvent[] = [
      { kind: 'accepted' },
      { kind: 'frame', frame: frameOf(encodeCustomerKey(CUSTOMER_KEY))! },
      { kind: 'leaseFound', terms: session().terms },
      { kind: 'leaseTaken', session: session() },
      { kind: 'keysMade', keys: bench.keys },
    ];
    for (const event of events) {
      bench.step(event);
      note();
    }
    bench.say('AUTH', AUTH);
    note();
    bench.step({ kind: 'identity', verified: true });
    note();
    bench.say('TRANSACTION', transaction(0));
    note();
    bench.step(receiptOf(0));
    note();
    bench.say('CLOSE', filled(0, 0));
    note();
    expect(shown).toEqual([
      'customer-moved',
      'claim-accepted',
      'customer-value-received',
      'shared-value-made',
      'keys-made',
      'profile-received',
      'profile-compared',
      'transaction-decrypted',
      'transaction-processed',
      'closed',
    ]);
    expect(GROUPS.ffdhe2048.byteLength).toBe(CUSTOMER_KEY.publicValue.length);
  });
});
