/** Sealing and opening records beside bare AES-256-GCM of the same length. */

import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { openRecord, sealedBytes, sealRecord } from '../../../src/crypto/records.ts';
import { assert } from '../../../src/errors.ts';
import type { BenchPair } from '../subject.ts';

const CONTENT_BYTES = 256;
const TRANSACTION = 0x13;

export function recordPairs(): BenchPair[] {
  const keys = { key: new Uint8Array(randomBytes(32)), iv: new Uint8Array(randomBytes(12)) };
  const content = new Uint8Array(randomBytes(CONTENT_BYTES));
  const header = Uint8Array.of(0x05, 0x01, sealedBytes(CONTENT_BYTES) >> 8, sealedBytes(CONTENT_BYTES) & 0xff);
  const plaintext = new Uint8Array(sealedBytes(CONTENT_BYTES) - 16);
  const roundTrip = (sequence: number) =>
    openRecord('AES-256-GCM', keys, sequence, sealRecord('AES-256-GCM', keys, sequence, header, TRANSACTION, content));
  const opened = roundTrip(7);
  assert(
    opened.kind === 'opened' && Buffer.compare(opened.content, content) === 0,
    'a record opens to what was sealed',
  );
  return [
    {
      name: 'record, 256 B',
      what: 'sealing and opening one record of 256 bytes',
      reference: 'bare AES-256-GCM',
      subject: (iterations) => {
        for (let i = 0; i < iterations; i += 1) roundTrip(i & 0xffff);
      },
      referenceWork: (iterations) => {
        for (let i = 0; i < iterations; i += 1) {
          const cipher = createCipheriv('aes-256-gcm', keys.key, keys.iv);
          const sealed = Buffer.concat([cipher.update(plaintext), cipher.final()]);
          const decipher = createDecipheriv('aes-256-gcm', keys.key, keys.iv);
          decipher.setAuthTag(cipher.getAuthTag());
          decipher.update(sealed);
          decipher.final();
        }
      },
    },
  ];
}
