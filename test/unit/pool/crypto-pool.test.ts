import { generateKeyPairSync } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ArrivalJob } from '../../../src/crypto/arrival-keys.ts';
import { randomExponent } from '../../../src/crypto/exponent.ts';
import { GROUPS } from '../../../src/crypto/groups.ts';
import { rawHostPublicKey, verifyOffer } from '../../../src/crypto/identity.ts';
import { type Crypto, loadCrypto } from '../../../src/crypto/index.ts';
import { beginKeySchedule, customerFinished, sessionKeys } from '../../../src/crypto/key-schedule.ts';
import type { OfferJob } from '../../../src/crypto/offer-keys.ts';
import { CryptoPool } from '../../../src/pool/crypto-pool.ts';

const { privateKey: hostKey } = generateKeyPairSync('ed25519');
const kem = generateKeyPairSync('ml-kem-768');
const GROUP = 'ffdhe2048';
const BYTES = GROUPS[GROUP].byteLength;
const KEM_BYTES = 1088;
let crypto: Crypto;
let pool: CryptoPool;
const failures: Error[] = [];

/** An OFFER of two fields, Ys and ciphertext, is all the pool looks at. */
function offerJob(kemKey: Uint8Array = new Uint8Array(kem.publicKey.export({ format: 'raw-public' }))): OfferJob {
  const ciphertextBytes = kemKey.length === 0 ? 0 : KEM_BYTES;
  return {
    group: GROUP,
    kemKey,
    helloFrame: new Uint8Array([1, 2, 3]),
    unsignedOffer: new Uint8Array(10 + BYTES + ciphertextBytes),
    publicValueOffset: 10,
    kemCiphertextOffset: 10 + BYTES,
  };
}

function arrivalJob(exponent = randomExponent(GROUP)): { job: ArrivalJob; b: Uint8Array } {
  const b = randomExponent(GROUP);
  const publicValue = crypto.publicValue(GROUP, exponent);
  const beginning = new Uint8Array([9, 8, 7]);
  const schedule = beginKeySchedule(
    crypto,
    crypto.sha256(beginning),
    crypto.sharedValue(GROUP, b, publicValue),
    new Uint8Array(0),
  );
  const transcript = new Uint8Array([...beginning, ...customerFinished(crypto, schedule)]);
  const peerPublicValue = crypto.publicValue(GROUP, b);
  return { job: { group: GROUP, exponent, publicValue, peerPublicValue, kemSecret: new Uint8Array(0), transcript }, b };
}

beforeAll(async () => {
  crypto = await loadCrypto();
  pool = await CryptoPool.start({
    threads: 2,
    queueMax: 64,
    groups: [GROUP],
    hostKey,
    onWorkerFailure: (error) => failures.push(error),
  });
});

afterAll(() => pool.close());

describe('the crypto pool', () => {
  it('makes offers: fresh values, encapsulated and signed, secrets included', async () => {
    const job = offerJob();
    const [first, second] = await Promise.all([pool.makeOffer(job), pool.makeOffer(job)]);
    for (const made of [first!, second!]) {
      expect(crypto.publicValue(GROUP, made.exponent)).toEqual(made.publicValue);
      expect(made.exponent).toHaveLength(GROUPS[GROUP].exponentByteLength);
      expect(made.unsignedOffer.subarray(10, 10 + BYTES)).toEqual(made.publicValue);
      expect(made.kemSecret).toHaveLength(32);
      const signed = { helloFrame: job.helloFrame, unsignedOffer: made.unsignedOffer };
      expect(verifyOffer(rawHostPublicKey(hostKey), signed, made.signature)).toBe(true);
    }
    expect(first!.publicValue).not.toEqual(second!.publicValue);
  });

  it('makes an offer without ML-KEM, and none for a bad ML-KEM key', async () => {
    expect((await pool.makeOffer(offerJob(new Uint8Array(0))))!.kemSecret).toHaveLength(0);
    expect(await pool.makeOffer(offerJob(new Uint8Array(1184).fill(0xff)))).toBeUndefined();
  });

  it('makes the keys that the customer makes, and wipes what it was given', async () => {
    const { job, b } = arrivalJob();
    const schedule = beginKeySchedule(
      crypto,
      crypto.sha256(job.transcript.subarray(0, 3)),
      crypto.sharedValue(GROUP, b, job.publicValue),
      job.kemSecret,
    );
    expect(await pool.makeKeys(job)).toEqual(sessionKeys(crypto, schedule, crypto.sha256(job.transcript)));
    expect(job.exponent.every((byte) => byte === 0)).toBe(true);
  });

  it('refuses bad values and bad MACs in one batch with good ones, each by itself', async () => {
    const jobs = Array.from({ length: 6 }, () => arrivalJob().job);
    jobs[1] = { ...jobs[1]!, peerPublicValue: new Uint8Array(BYTES) };
    jobs[2] = { ...jobs[2]!, peerPublicValue: jobs[2]!.publicValue };
    jobs[3] = { ...jobs[3]!, peerPublicValue: new Uint8Array(BYTES - 1).fill(7) };
    jobs[4]!.transcript[10]! ^= 1;
    const made = await Promise.all(jobs.map((job) => pool.makeKeys(job)));
    expect(made.map((keys) => keys !== undefined)).toEqual([true, false, false, false, false, true]);
  });

  it('sends what arrives together as one batch a worker, and counts it', async () => {
    const before = pool.gauges;
    await Promise.all(Array.from({ length: 12 }, () => pool.makeOffer(offerJob(new Uint8Array(0)))));
    const after = pool.gauges;
    expect(after.jobs - before.jobs).toBe(12);
    expect(after.batches - before.batches).toBe(2);
    expect(after.batchSizes[6 - 1]! - before.batchSizes[6 - 1]!).toBe(2);
    expect(after).toMatchObject({ queued: 0, running: 0, threads: 2 });
  });

  it('counts passes of the kernel, and those with every lane taken, for each kind of job by itself', async () => {
    const before = pool.gauges;
    await Promise.all([pool.makeKeys(arrivalJob().job), pool.makeOffer(offerJob(new Uint8Array(0)))]);
    const mixed = pool.gauges;
    expect([mixed.passes - before.passes, mixed.fullPasses - before.fullPasses]).toEqual([2, 0]);
    await Promise.all(Array.from({ length: 6 }, () => pool.makeOffer(offerJob(new Uint8Array(0)))));
    const pairs = pool.gauges;
    // Two idle workers: four and two.
    expect([pairs.passes - mixed.passes, pairs.fullPasses - mixed.fullPasses]).toEqual([3, 3]);
  });

  it('answers BUSY beyond its queue, with a time to wait, and does the rest', async () => {
    const attempts = await Promise.allSettled(
      Array.from({ length: 70 }, () => pool.makeOffer(offerJob(new Uint8Array(0)))),
    );
    const refused = attempts.filter((attempt) => attempt.status === 'rejected');
    expect(refused).toHaveLength(6);
    for (const { reason } of refused) expect(reason).toMatchObject({ code: 'BUSY', retryAfterMs: expect.any(Number) });
  });

  it('fails the batch of a worker that throws, and goes on', async () => {
    const broken = { ...offerJob(), group: 'ffdhe9999' as typeof GROUP };
    await expect(pool.makeOffer(broken)).rejects.toMatchObject({ code: 'INTERNAL' });
    expect(failures).toHaveLength(1);
    expect(await pool.makeOffer(offerJob(new Uint8Array(0)))).toBeDefined();
  });
});

describe('a worker that is stuck', () => {
  it('is ended with its batch, which fails, and another takes its place', async () => {
    const ended: Error[] = [];
    const limit = { ms: 1 };
    const onWorkerFailure = (error: Error): number => ended.push(error);
    const options = { threads: 1, queueMax: 64, groups: [GROUP], hostKey, onWorkerFailure } as const;
    const stuck = await CryptoPool.start(
      Object.defineProperty({ ...options }, 'batchTimeMaxMs', { get: () => limit.ms }),
    );
    try {
      const lost = Array.from({ length: 16 }, () => arrivalJob().job);
      const outcomes = await Promise.allSettled(lost.map((job) => stuck.makeKeys(job)));
      for (const outcome of outcomes)
        expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'INTERNAL' } });
      expect(lost.every(({ exponent }) => exponent.every((byte) => byte === 0))).toBe(true);
      expect(ended).toHaveLength(1);
      limit.ms = 30_000;
      expect(await stuck.makeKeys(arrivalJob().job)).toBeDefined();
      expect(stuck.gauges).toMatchObject({ queued: 0, running: 0, threads: 1 });
    } finally {
      await stuck.close();
    }
  });
});

describe('a pool with the kernel of four', () => {
  it('makes the same keys', async () => {
    const fours = await CryptoPool.start({ threads: 1, queueMax: 32, groups: [GROUP], hostKey, quads: true });
    try {
      const arrivals = Array.from({ length: 6 }, () => arrivalJob());
      const expected = arrivals.map(({ job, b }) => {
        const z = crypto.sharedValue(GROUP, b, job.publicValue);
        const schedule = beginKeySchedule(crypto, crypto.sha256(job.transcript.subarray(0, 3)), z, job.kemSecret);
        return sessionKeys(crypto, schedule, crypto.sha256(job.transcript));
      });
      expect(await Promise.all(arrivals.map(({ job }) => fours.makeKeys(job)))).toEqual(expected);
    } finally {
      await fours.close();
    }
  });
});

describe('a closed pool', () => {
  it('refuses what waits and what comes with SHUTDOWN', async () => {
    const closing = await CryptoPool.start({ threads: 1, queueMax: 8, groups: [GROUP], hostKey });
    const waiting = closing.makeOffer(offerJob());
    const { job } = arrivalJob();
    const arriving = closing.makeKeys(job);
    const settled = Promise.allSettled([waiting, arriving]);
    await closing.close();
    for (const outcome of await settled)
      expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'SHUTDOWN' } });
    expect(job.exponent.every((byte) => byte === 0)).toBe(true);
    await expect(closing.makeOffer(offerJob())).rejects.toMatchObject({ code: 'SHUTDOWN' });
  });
});
