import { createCipheriv, createDecipheriv } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import {
  openRecord,
  PLAINTEXT_BYTES_MAX,
  RECORD_CONTENT_BYTES_MAX,
  RECORDS_MAX,
  sealedBytes,
  sealRecord,
} from '../../../src/crypto/records.ts';
import type { AeadName } from '../../../src/crypto/suite.ts';

const AEADS: readonly AeadName[] = ['AES-256-GCM', 'ChaCha20-Poly1305'];
const KEYS = { key: new Uint8Array(32).fill(3), iv: Uint8Array.from({ length: 12 }, (_, index) => index + 1) };
const OTHER = { key: new Uint8Array(32).fill(4), iv: KEYS.iv };

function headerFor(bodyBytes: number): Uint8Array {
  return Uint8Array.of(5, 1, bodyBytes >>> 8, bodyBytes & 0xff);
}

function seal(aead: AeadName, sequence: number, type: number, content: Uint8Array, keys = KEYS): Uint8Array {
  return sealRecord(aead, keys, sequence, headerFor(sealedBytes(content.length)), type, content);
}

describe.each(AEADS)('records of %s', (aead) => {
  it.each([0, 1, 62, 63, 64, 127, 128, 700, RECORD_CONTENT_BYTES_MAX - 1, RECORD_CONTENT_BYTES_MAX])(
    'carry %i bytes of content',
    (length) => {
      const content = new Uint8Array(length).fill(9);
      const record = seal(aead, 0, 0x13, content);
      expect((record.length - 20) % 64).toBe(0);
      expect(record.length - 20).toBe(Math.max(64, Math.ceil((length + 1) / 64) * 64));
      expect(openRecord(aead, KEYS, 0, record)).toEqual({ kind: 'opened', type: 0x13, content: Buffer.from(content) });
    },
  );

  it('are those of section 4.2: nonce, associated data, padding', () => {
    const record = seal(aead, 0x0102, 0x19, Uint8Array.of(1, 0, 0));
    const nonce = Uint8Array.from(KEYS.iv);
    nonce[10]! ^= 0x01;
    nonce[11]! ^= 0x02;
    const name = aead === 'AES-256-GCM' ? 'aes-256-gcm' : 'chacha20-poly1305';
    const decipher = createDecipheriv(name as 'aes-256-gcm', KEYS.key, nonce, { authTagLength: 16 });
    decipher.setAAD(record.subarray(0, 4), { plaintextLength: 64 });
    decipher.setAuthTag(record.subarray(-16));
    const plaintext = Buffer.concat([decipher.update(record.subarray(4, -16)), decipher.final()]);
    expect(plaintext.toString('hex')).toBe(Buffer.concat([Buffer.of(1, 0, 0, 0x19), Buffer.alloc(60)]).toString('hex'));
  });

  it('keep zeros at the end of the content', () => {
    const content = Uint8Array.of(7, 0, 0, 0);
    expect(openRecord(aead, KEYS, 0, seal(aead, 0, 0x13, content))).toMatchObject({ content: Buffer.from(content) });
  });

  it('do not open with any bit flipped', () => {
    const record = seal(aead, 5, 0x13, Uint8Array.of(1, 2, 3));
    for (let bit = 0; bit < record.length * 8; bit++) {
      const flipped = Uint8Array.from(record);
      flipped[bit >>> 3]! ^= 1 << (bit & 7);
      expect(openRecord(aead, KEYS, 5, flipped), `bit ${bit}`).toEqual({ kind: 'decryptFailed' });
    }
    expect(openRecord(aead, KEYS, 5, record).kind).toBe('opened');
  });

  it('do not open in another place or under other keys: swapped, dropped, repeated, reflected', () => {
    const records = [0, 1, 2].map((sequence) => seal(aead, sequence, 0x13, Uint8Array.of(sequence)));
    expect(openRecord(aead, KEYS, 0, records[1]!).kind).toBe('decryptFailed');
    expect(openRecord(aead, KEYS, 1, records[2]!).kind).toBe('decryptFailed');
    expect(openRecord(aead, KEYS, 1, records[0]!).kind).toBe('decryptFailed');
    expect(openRecord(aead, OTHER, 0, records[0]!).kind).toBe('decryptFailed');
    expect(openRecord(aead, { key: KEYS.key, iv: KEYS.iv.toReversed() }, 0, records[0]!).kind).toBe('decryptFailed');
    expect(records.map((record, sequence) => openRecord(aead, KEYS, sequence, record).kind)).toEqual(
      Array(3).fill('opened'),
    );
  });

  it('never say the same twice: the same content at another place is another record', () => {
    const records = Array.from({ length: 50 }, (_, sequence) =>
      Buffer.from(seal(aead, sequence, 0x13, Uint8Array.of(1))).toString('hex'),
    );
    expect(new Set(records).size).toBe(50);
  });

  it('have a plaintext that is not all zeros, and no more padding than needed', () => {
    for (const [plaintext, kind] of [
      [Uint8Array.of(...new Uint8Array(127), 0x13), 'opened'],
      [Uint8Array.of(...new Uint8Array(64), 0x13, ...new Uint8Array(63)), 'opened'],
      [Uint8Array.of(...new Uint8Array(63), 0x13, ...new Uint8Array(64)), 'malformed'],
      [new Uint8Array(64), 'malformed'],
      [new Uint8Array(128), 'malformed'],
    ] as const)
      expect(openRecord(aead, KEYS, 0, encryptPlain(aead, plaintext)).kind).toBe(kind);
  });
});

/** A record of exactly this plaintext, made with node:crypto and not with the code under test. */
function encryptPlain(aead: AeadName, plaintext: Uint8Array): Uint8Array {
  const name = aead === 'AES-256-GCM' ? 'aes-256-gcm' : 'chacha20-poly1305';
  const header = headerFor(plaintext.length + 16);
  const cipher = createCipheriv(name as 'aes-256-gcm', KEYS.key, KEYS.iv, { authTagLength: 16 });
  cipher.setAAD(header, { plaintextLength: plaintext.length });
  return Uint8Array.from([...header, ...cipher.update(plaintext), ...cipher.final(), ...cipher.getAuthTag()]);
}

describe('the sealer', () => {
  it('has numbers for 65,536 records and no more', () => {
    expect(seal('AES-256-GCM', RECORDS_MAX - 1, 1, new Uint8Array(0)).length).toBe(84);
    expect(() => seal('AES-256-GCM', RECORDS_MAX, 1, new Uint8Array(0))).toThrow(/65,536 records/);
  });

  it('takes what fits the length field and no more', () => {
    expect(sealedBytes(RECORD_CONTENT_BYTES_MAX)).toBe(PLAINTEXT_BYTES_MAX + 16);
    expect(() => sealedBytes(RECORD_CONTENT_BYTES_MAX + 1)).toThrow(/fits one record/);
    expect(() => seal('AES-256-GCM', 0, 0, new Uint8Array(0))).toThrow(/not zero/);
  });
});
