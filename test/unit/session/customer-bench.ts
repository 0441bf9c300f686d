import { expect } from 'vitest';
import { GROUPS } from '../../../src/crypto/groups.ts';
import { hostKeyOfSeed, rawHostPublicKey, signOffers, verifyOffer } from '../../../src/crypto/identity.ts';
import { loadCrypto } from '../../../src/crypto/index.ts';
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
import { openChannel, openMessage, type RecordChannel, sealMessage } from '../../../src/session/record-channel.ts';
import { frameOf } from '../../../src/wire/frame.ts';
import type { InnerType } from '../../../src/wire/inner.ts';
import { encodeSignedOffer, encodeUnsignedOffer, type Offer } from '../../../src/wire/offer.ts';

const CRYPTO = await loadCrypto();

export const filled = (length: number, byte: number): Uint8Array => new Uint8Array(length).fill(byte);
export const HOST_KEY = hostKeyOfSeed(filled(32, 1));
export const PINNED = rawHostPublicKey(HOST_KEY);
export const EVIL_KEY = hostKeyOfSeed(filled(32, 0x66));
export const EVIL = rawHostPublicKey(EVIL_KEY);
export const NONE = new Uint8Array(0);
export const GROUP = GROUPS.ffdhe2048;

/** A customer's machine, step by step, with the keys of the server it talks to. */
export class Bench {
  readonly machine: CustomerMachine;
  state: CustomerState;
  effects: readonly CustomerEffect[] = [];
  readonly all: CustomerEffect[] = [];
  helloFrame: Uint8Array = NONE;
  readonly keys: SessionKeys = keysOf();
  server: RecordChannel = openChannel('server', 'AES-256-GCM', keysOf());

  constructor(context: Partial<CustomerContext> = {}) {
    this.machine = createCustomer({
      hashing: CRYPTO,
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
    return this.step({ kind: 'offerVerified', valid: verifyOffer(asked.hostKey, asked.offer, asked.signature) });
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

  /** Deadlines that are running. */
  get deadlines(): string[] {
    const running = new Set<string>();
    for (const effect of this.all) {
      if (effect.kind === 'setDeadline') running.add(effect.name);
      if (effect.kind === 'clearDeadline') running.delete(effect.name);
      if (effect.kind === 'destroy') running.clear();
    }
    return [...running];
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

function offerOf(changes: Partial<Offer>): Omit<Offer, 'signature'> {
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
    ...changes,
  };
}

/** An offer with these changes, rightly signed: what a dishonest server, or one with a stolen key, could send. */
export function signed(
  bench: Bench,
  changes: Partial<Offer>,
  key = HOST_KEY,
  helloFrame = bench.helloFrame,
): Uint8Array {
  const unsignedOffer = encodeUnsignedOffer(offerOf(changes));
  return encodeSignedOffer(unsignedOffer, signOffers(key, [{ helloFrame, unsignedOffer }])[0]!);
}

export function payment(ref: number): CustomerRequest {
  return { kind: 'transaction', ref, transactionId: filled(16, ref), contentType: 'a/b', body: filled(3, ref) };
}
