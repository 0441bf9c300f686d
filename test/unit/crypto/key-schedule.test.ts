import { createHash, createHmac, hkdfSync } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import { type Crypto, loadCrypto } from '../../../src/crypto/index.ts';
import {
  beginKeySchedule,
  customerFinished,
  sessionKeys,
  wipeKeySchedule,
  wipeSessionKeys,
} from '../../../src/crypto/key-schedule.ts';

let crypto: Crypto;
beforeAll(async () => {
  crypto = await loadCrypto();
});

const filled = (length: number, byte: number): Uint8Array => new Uint8Array(length).fill(byte);
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const th1 = createHash('sha256').update('one').digest();
const th2 = createHash('sha256').update('two').digest();

/** docs/PROTOCOL.md section 6, written again over node:crypto. */
function expected(z: Uint8Array, k: Uint8Array, label: string, length: number): Buffer {
  const info = Buffer.concat([Buffer.from(`sallyport/1 ${label}\0`), th1]);
  return Buffer.from(hkdfSync('sha256', Buffer.concat([z, k]), th1, info, length));
}

describe('the key schedule', () => {
  it.each([
    ['with ML-KEM', 32],
    ['without', 0],
  ])('is that of section 6, %s', (_, kemBytes) => {
    const z = filled(256, 0x11);
    const k = filled(kemBytes, 0x22);
    const schedule = beginKeySchedule(crypto, th1, z, k);
    const keys = sessionKeys(crypto, schedule, th2);
    expect(hex(keys.customer.key)).toBe(hex(expected(z, k, 'customer key', 32)));
    expect(hex(keys.customer.iv)).toBe(hex(expected(z, k, 'customer iv', 12)));
    expect(hex(keys.server.key)).toBe(hex(expected(z, k, 'server key', 32)));
    expect(hex(keys.server.iv)).toBe(hex(expected(z, k, 'server iv', 12)));
    const mac = (label: string, hash: Uint8Array) =>
      createHmac('sha256', expected(z, k, label, 32))
        .update(hash)
        .digest('hex');
    expect(hex(customerFinished(crypto, schedule))).toBe(mac('customer finished', th1));
    expect(hex(keys.serverFinished)).toBe(mac('server finished', th2));
  });

  it('keeps leading zeros of Z', () => {
    const z = filled(256, 0x11);
    z[0] = 0;
    const stripped = z.subarray(1);
    const key = (value: Uint8Array) =>
      hex(sessionKeys(crypto, beginKeySchedule(crypto, th1, value, filled(0, 0)), th2).server.key);
    expect(key(z)).not.toBe(key(stripped));
    expect(key(z)).toBe(hex(expected(z, filled(0, 0), 'server key', 32)));
  });

  it('gives other keys for another Z, K or transcript, and none twice', () => {
    const all = [
      beginKeySchedule(crypto, th1, filled(256, 1), filled(32, 2)),
      beginKeySchedule(crypto, th1, filled(256, 3), filled(32, 2)),
      beginKeySchedule(crypto, th1, filled(256, 1), filled(32, 4)),
      beginKeySchedule(crypto, th2, filled(256, 1), filled(32, 2)),
    ].flatMap((schedule) => {
      const { customer, server, serverFinished } = sessionKeys(crypto, schedule, th2);
      return [customer.key, customer.iv, server.key, server.iv, serverFinished, customerFinished(crypto, schedule)].map(
        hex,
      );
    });
    expect(new Set(all).size).toBe(24);
  });

  it('leaves what it was given to its owner, and wipes what it made', () => {
    const z = filled(256, 1);
    const k = filled(32, 2);
    const schedule = beginKeySchedule(crypto, th1, z, k);
    const keys = sessionKeys(crypto, schedule, th2);
    expect([z[0], k[0]]).toEqual([1, 2]);
    wipeKeySchedule(schedule);
    wipeSessionKeys(keys);
    const left = [
      schedule.prk,
      keys.customer.key,
      keys.customer.iv,
      keys.server.key,
      keys.server.iv,
      keys.serverFinished,
    ];
    expect(left.every((secret) => secret.every((byte) => byte === 0))).toBe(true);
  });
});
