import { describe, expect, it } from 'vitest';
import type { SessionKeys } from '../../../src/crypto/key-schedule.ts';
import {
  RECORD_BYTES_TOTAL_MAX,
  RECORD_CONTENT_BYTES_MAX,
  RECORDS_MAX,
  sealRecord,
} from '../../../src/crypto/records.ts';
import { hasRoomFor, openChannel, openMessage, sealMessage, wipeChannel } from '../../../src/session/record-channel.ts';

const filled = (length: number, byte: number): Uint8Array => new Uint8Array(length).fill(byte);
const keysOf = (): SessionKeys => ({
  customer: { key: filled(32, 1), iv: filled(12, 2) },
  server: { key: filled(32, 3), iv: filled(12, 4) },
  serverFinished: filled(32, 5),
});
const channels = () =>
  [openChannel('customer', 'AES-256-GCM', keysOf()), openChannel('server', 'AES-256-GCM', keysOf())] as const;

describe('a record channel', () => {
  it('carries messages both ways, each direction counted by itself', () => {
    const [customer, server] = channels();
    const asked = sealMessage(customer, 'QUERY', filled(3, 1));
    const heard = openMessage(server, asked.bytes);
    expect(heard).toMatchObject({
      kind: 'message',
      message: { type: 'QUERY' },
      channel: { received: { records: 1, bytes: 84 }, sent: { records: 0 } },
    });
    const answered = sealMessage(server, 'ANSWER', filled(3, 2));
    expect(openMessage(asked.channel, answered.bytes)).toMatchObject({ kind: 'message', message: { type: 'ANSWER' } });
  });

  it('does not take its own direction', () => {
    const [customer] = channels();
    expect(openMessage(customer, sealMessage(customer, 'QUERY', filled(1, 1)).bytes)).toMatchObject({
      code: 'DECRYPT_FAILED',
    });
  });

  it('refuses an inner type that is unknown', () => {
    const [customer, server] = channels();
    for (const type of [0x01, 0x0f, 0x1a, 0xff]) {
      const bytes = sealRecord(
        'AES-256-GCM',
        customer.keys.customer,
        0,
        Uint8Array.of(5, 1, 0, 80),
        type,
        filled(1, 1),
      );
      expect(openMessage(server, bytes), `type ${type}`).toMatchObject({ kind: 'refused', code: 'BAD_FRAME' });
    }
  });

  it('has room for so many records, and always for a last word', () => {
    const [customer] = channels();
    const at = (records: number) => ({ ...customer, sent: { records, bytes: 0 } });
    expect(hasRoomFor(at(RECORDS_MAX - 3), 10)).toBe(true);
    expect(hasRoomFor(at(RECORDS_MAX - 2), 10)).toBe(false);
    expect(sealMessage(at(RECORDS_MAX - 1), 'CLOSE', filled(0, 0)).channel.sent.records).toBe(RECORDS_MAX);
    expect(() => sealMessage(at(RECORDS_MAX), 'CLOSE', filled(0, 0))).toThrow(/65,536 records|below its caps/);
  });

  it('has room for so many bytes', () => {
    const [customer] = channels();
    const at = (bytes: number) => ({ ...customer, sent: { records: 0, bytes } });
    const record = 4 + 65_488;
    const reserve = 2 * 84;
    expect(hasRoomFor(at(RECORD_BYTES_TOTAL_MAX - reserve - record), RECORD_CONTENT_BYTES_MAX)).toBe(true);
    expect(hasRoomFor(at(RECORD_BYTES_TOTAL_MAX - reserve - record + 1), RECORD_CONTENT_BYTES_MAX)).toBe(false);
  });

  it('takes so many records and bytes, and then says LIMIT', () => {
    const [, server] = channels();
    const bytes = filled(84, 1);
    const at = (received: { records: number; bytes: number }) => openMessage({ ...server, received }, bytes);
    expect(at({ records: RECORDS_MAX - 1, bytes: 0 })).toMatchObject({ code: 'DECRYPT_FAILED' });
    expect(at({ records: RECORDS_MAX, bytes: 0 })).toMatchObject({ code: 'LIMIT' });
    expect(at({ records: 0, bytes: RECORD_BYTES_TOTAL_MAX - 84 })).toMatchObject({ code: 'DECRYPT_FAILED' });
    expect(at({ records: 0, bytes: RECORD_BYTES_TOTAL_MAX - 83 })).toMatchObject({ code: 'LIMIT' });
  });

  it('is wiped whole', () => {
    const [customer] = channels();
    wipeChannel(customer);
    const { keys } = customer;
    expect(
      [keys.customer.key, keys.customer.iv, keys.server.key, keys.server.iv, keys.serverFinished].every((secret) =>
        secret.every((byte) => byte === 0),
      ),
    ).toBe(true);
  });
});
