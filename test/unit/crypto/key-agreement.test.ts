import { beforeAll, describe, expect, it } from 'vitest';
import { type ArrivalJob, makeArrivals } from '../../../src/crypto/arrival-keys.ts';
import { makeCustomerKeys } from '../../../src/crypto/customer-keys.ts';
import { randomExponent } from '../../../src/crypto/exponent.ts';
import { GROUP_NAMES, GROUPS, type GroupName } from '../../../src/crypto/groups.ts';
import { hostKeyOfSeed, rawHostPublicKey, verifyOffer } from '../../../src/crypto/identity.ts';
import { type Crypto, loadCrypto } from '../../../src/crypto/index.ts';
import { decapsulateWith, encapsulateTo, generateKemKeyPair, kemKeyPairOfSeed } from '../../../src/crypto/kem.ts';
import { makeOffers } from '../../../src/crypto/offer-keys.ts';
import { isPublicValue } from '../../../src/crypto/public-value.ts';

let crypto: Crypto;
beforeAll(async () => {
  crypto = await loadCrypto();
});

const HOST_KEY = hostKeyOfSeed(new Uint8Array(32).fill(1));
const NONE = new Uint8Array(0);
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

function offerJob(group: GroupName, kemKey: Uint8Array) {
  const length = GROUPS[group].byteLength;
  const helloFrame = new Uint8Array(90).fill(1);
  const unsignedOffer = new Uint8Array(50 + length + kemKey.length);
  return { group, kemKey, helloFrame, unsignedOffer, publicValueOffset: 50, kemCiphertextOffset: 50 + length };
}

/** Both sides over one transcript; `tamper` may change what the server gets. */
function agree(group: GroupName, tamper: (job: ArrivalJob) => ArrivalJob = (job) => job) {
  const a = randomExponent(group);
  const offer = makeOffers(crypto, HOST_KEY, [offerJob(group, NONE)], [a])[0]!;
  if (!offer.ok) throw new Error('an offer');
  const customer = makeCustomerKeys(crypto, {
    group,
    exponent: randomExponent(group),
    peerPublicValue: offer.publicValue,
    kemPrivateKey: undefined,
    kemCiphertext: NONE,
    transcript: new Uint8Array(100 + GROUPS[group].byteLength + 32),
    publicValueOffset: 100,
  });
  if (!customer.ok) throw new Error('customer keys');
  const job: ArrivalJob = {
    group,
    exponent: a,
    publicValue: offer.publicValue,
    peerPublicValue: customer.publicValue,
    kemSecret: offer.kemSecret,
    transcript: customer.transcript,
  };
  return { customer, job, arrival: makeArrivals(crypto, [tamper(job)])[0]! };
}

describe('both sides', () => {
  it.each(GROUP_NAMES)('make the same keys: %s', (group) => {
    const { customer, arrival, job } = agree(group);
    expect(arrival.ok).toBe(true);
    if (!arrival.ok) return;
    expect(hex(arrival.keys.customer.key)).toBe(hex(customer.keys.customer.key));
    expect(hex(arrival.keys.server.key)).toBe(hex(customer.keys.server.key));
    expect(hex(arrival.keys.serverFinished)).toBe(hex(customer.keys.serverFinished));
    expect(job.exponent.every((byte) => byte === 0)).toBe(true);
  });

  it('in a batch of mixed groups, each as alone', () => {
    const pairs = (['ffdhe3072', 'ffdhe2048', 'ffdhe3072'] as const).map((group) => {
      const a = randomExponent(group);
      const offer = makeOffers(crypto, HOST_KEY, [offerJob(group, NONE)], [a])[0]!;
      return { group, a, offer };
    });
    const together = makeOffers(
      crypto,
      HOST_KEY,
      pairs.map(({ group }) => offerJob(group, NONE)),
      pairs.map(({ a }) => a),
    );
    expect(together.map((offer) => offer.ok && hex(offer.unsignedOffer))).toEqual(
      pairs.map(({ offer }) => offer.ok && hex(offer.unsignedOffer)),
    );
  });
});

describe('an offer', () => {
  it('is signed, and carries Ys and the ciphertext in their places', () => {
    const { publicKey, privateKey } = generateKemKeyPair();
    const job = { ...offerJob('ffdhe2048', publicKey), unsignedOffer: new Uint8Array(50 + 256 + 1088) };
    const offer = makeOffers(crypto, HOST_KEY, [job], [randomExponent('ffdhe2048')])[0]!;
    if (!offer.ok) throw new Error('an offer');
    const signed = { helloFrame: job.helloFrame, unsignedOffer: offer.unsignedOffer };
    expect(verifyOffer(rawHostPublicKey(HOST_KEY), signed, offer.signature)).toBe(true);
    expect(hex(offer.unsignedOffer.subarray(50, 306))).toBe(hex(offer.publicValue));
    expect(hex(decapsulateWith(privateKey, offer.unsignedOffer.subarray(306, 306 + 1088)))).toBe(hex(offer.kemSecret));
    expect(job.unsignedOffer.every((byte) => byte === 0)).toBe(true);
  });

  it('is not made for an encapsulation key that fails the modulus check (FIPS 203 section 7.2)', () => {
    const job = offerJob('ffdhe2048', new Uint8Array(1184).fill(0xff));
    expect(makeOffers(crypto, HOST_KEY, [job], [randomExponent('ffdhe2048')])).toEqual([
      { ok: false, code: 'KEY_EXCHANGE_FAILED' },
    ]);
  });

  it('is signed with the others of its batch, once, and one that cannot be made keeps no other from it', () => {
    const jobs = [
      offerJob('ffdhe2048', NONE),
      offerJob('ffdhe2048', new Uint8Array(1184).fill(0xff)),
      { ...offerJob('ffdhe2048', NONE), helloFrame: new Uint8Array(90).fill(2) },
      offerJob('ffdhe3072', NONE),
    ];
    const exponents = jobs.map(({ group }) => randomExponent(group));
    const offers = makeOffers(crypto, HOST_KEY, jobs, exponents);
    expect(offers.map(({ ok }) => ok)).toEqual([true, false, true, true]);
    const made = offers.flatMap((offer, index) =>
      offer.ok ? [{ ...offer, helloFrame: jobs[index]!.helloFrame }] : [],
    );
    for (const offer of made) expect(verifyOffer(rawHostPublicKey(HOST_KEY), offer, offer.signature)).toBe(true);
    expect(new Set(made.map(({ signature }) => hex(signature.subarray(-64)))).size).toBe(1);
    expect(verifyOffer(rawHostPublicKey(HOST_KEY), made[0]!, made[1]!.signature)).toBe(false);
  });
});

describe('an arrival is refused, always by the same code,', () => {
  const p = GROUPS.ffdhe2048.p();
  const plus = (delta: number): Uint8Array => {
    const value = BigInt(`0x${hex(p)}`) + BigInt(delta);
    return new Uint8Array(Buffer.from(value.toString(16).padStart(512, '0'), 'hex'));
  };
  const small = (value: number): Uint8Array => {
    const bytes = new Uint8Array(256);
    bytes[255] = value;
    return bytes;
  };
  it.each([
    ['0', small(0)],
    ['1', small(1)],
    ['p-1', plus(-1)],
    ['p', plus(0)],
    ['p+1', plus(1)],
    ['all ones', new Uint8Array(256).fill(0xff)],
    ['a byte less', new Uint8Array(255).fill(5)],
    ['a byte more', new Uint8Array(257).fill(5)],
    ["another group's share", new Uint8Array(384).fill(5)],
    ['nothing', NONE],
  ])('with Yc of %s', (_, peerPublicValue) => {
    const { arrival, job } = agree('ffdhe2048', (original) => ({ ...original, peerPublicValue }));
    expect(arrival).toEqual({ ok: false, code: 'KEY_EXCHANGE_FAILED' });
    expect(job.exponent.every((byte) => byte === 0)).toBe(true);
  });

  it('with an echo of Ys', () => {
    const { arrival } = agree('ffdhe2048', (job) => ({ ...job, peerPublicValue: Uint8Array.from(job.publicValue) }));
    expect(arrival.ok).toBe(false);
  });

  it('with any change of the transcript or of customer_finished', () => {
    for (const at of [0, 99, 100, 200, 356, 370, 387]) {
      const { arrival } = agree('ffdhe2048', (job) => {
        const transcript = Uint8Array.from(job.transcript);
        transcript[at]! ^= 0x10;
        return { ...job, transcript };
      });
      expect(arrival.ok, `byte ${at}`).toBe(false);
    }
  });

  it('without harm to others of its batch', () => {
    const good = agree('ffdhe2048');
    const again = agree('ffdhe2048', (job) => ({ ...job, peerPublicValue: small(1) }));
    expect([good.arrival.ok, again.arrival.ok]).toEqual([true, false]);
    const fresh = [0, 1, 2].map(() => {
      let kept: ArrivalJob | undefined;
      agree('ffdhe2048', (job) => {
        kept = { ...job, exponent: Uint8Array.from(job.exponent) };
        return job;
      });
      return kept!;
    });
    const results = makeArrivals(crypto, [fresh[0]!, { ...fresh[1]!, peerPublicValue: small(0) }, fresh[2]!]);
    expect(results.map(({ ok }) => ok)).toEqual([true, false, true]);
  });
});

describe('public values', () => {
  it.each(GROUP_NAMES)('of %s are 2 to p-2', (group) => {
    const p = BigInt(`0x${hex(GROUPS[group].p())}`);
    const length = GROUPS[group].byteLength;
    const bytes = (value: bigint) => new Uint8Array(Buffer.from(value.toString(16).padStart(2 * length, '0'), 'hex'));
    const verdicts = [0n, 1n, 2n, 3n, 256n, p - 3n, p - 2n, p - 1n, p, p + 1n].map((value) =>
      isPublicValue(group, bytes(value)),
    );
    expect(verdicts).toEqual([false, false, true, true, true, true, true, false, false, false]);
    expect(isPublicValue(group, bytes(5n).subarray(1))).toBe(false);
  });
});

describe('ML-KEM-768', () => {
  it('gives both sides one secret, and another one for an altered ciphertext', () => {
    const { publicKey, privateKey } = generateKemKeyPair();
    const { ciphertext, secret } = encapsulateTo(publicKey)!;
    expect([publicKey.length, ciphertext.length, secret.length]).toEqual([1184, 1088, 32]);
    expect(hex(decapsulateWith(privateKey, ciphertext))).toBe(hex(secret));
    const altered = Uint8Array.from(ciphertext);
    altered[0]! ^= 1;
    expect(hex(decapsulateWith(privateKey, altered))).not.toBe(hex(secret));
  });

  it('takes no key of another length or beyond the modulus', () => {
    const { publicKey } = kemKeyPairOfSeed(new Uint8Array(64));
    expect(encapsulateTo(publicKey)).toBeDefined();
    expect(encapsulateTo(publicKey.subarray(1))).toBeUndefined();
    const beyond = Uint8Array.from(publicKey);
    // Two 12-bit coefficients of 0xfff, above q = 3329.
    beyond.fill(0xff, 0, 3);
    expect(encapsulateTo(beyond)).toBeUndefined();
  });
});
