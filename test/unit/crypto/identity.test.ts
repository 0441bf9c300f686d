import { createHash, generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import {
  hostKeyFingerprint,
  hostKeyId,
  hostKeyOfSeed,
  rawHostPublicKey,
  signOffer,
  verifyHostSignature,
  verifyOffer,
} from '../../../src/crypto/identity.ts';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const unhex = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'hex'));

describe('host keys', () => {
  it('are those of RFC 8032 section 7.1, test 2', () => {
    const key = hostKeyOfSeed(unhex('4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb'));
    const raw = rawHostPublicKey(key);
    expect(hex(raw)).toBe('3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c');
    const signature = unhex(
      '92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00',
    );
    expect(verifyHostSignature(raw, Uint8Array.of(0x72), signature)).toBe(true);
    expect(verifyHostSignature(raw, Uint8Array.of(0x73), signature)).toBe(false);
  });

  it('have an id and a fingerprint', () => {
    const raw = new Uint8Array(32).fill(5);
    expect(hex(hostKeyId(raw))).toBe(
      createHash('sha256').update('sallyport/1 host key\0').update(raw).digest('hex').slice(0, 16),
    );
    expect(hostKeyFingerprint(raw)).toMatch(/^SHA256:[A-Za-z0-9+/]{43}$/);
    expect(hostKeyFingerprint(raw)).toContain(createHash('sha256').update(raw).digest('base64').slice(0, 43));
  });

  it('give their public half from either half, and are Ed25519', () => {
    const { publicKey, privateKey } = generateKeyPairSync('ed25519');
    expect(hex(rawHostPublicKey(privateKey))).toBe(hex(rawHostPublicKey(publicKey)));
    expect(() => rawHostPublicKey(generateKeyPairSync('x25519').publicKey)).toThrow(/Ed25519/);
  });
});

describe('the signature of an offer', () => {
  const key = hostKeyOfSeed(new Uint8Array(32).fill(1));
  const publicKey = rawHostPublicKey(key);
  const hello = new Uint8Array(100).fill(2);
  const unsigned = new Uint8Array(200).fill(3);
  const offer = Uint8Array.from([...unsigned, ...signOffer(key, hello, unsigned)]);

  it('holds for this HELLO, this OFFER and this key', () => {
    expect(verifyOffer(publicKey, hello, offer)).toBe(true);
    expect(verifyOffer(rawHostPublicKey(hostKeyOfSeed(new Uint8Array(32).fill(9))), hello, offer)).toBe(false);
  });

  it('holds for no other: every flipped bit of HELLO and OFFER', () => {
    for (const [at, bytes] of [
      ['hello', hello],
      ['offer', offer],
    ] as const) {
      for (let bit = 0; bit < bytes.length * 8; bit += 5) {
        const flipped = Uint8Array.from(bytes);
        flipped[bit >>> 3]! ^= 1 << (bit & 7);
        const valid = at === 'hello' ? verifyOffer(publicKey, flipped, offer) : verifyOffer(publicKey, hello, flipped);
        expect(valid, `${at}, bit ${bit}`).toBe(false);
      }
    }
  });

  it('is false, and no error, for keys and signatures that are none', () => {
    expect(verifyHostSignature(new Uint8Array(31), hello, new Uint8Array(64))).toBe(false);
    expect(verifyHostSignature(publicKey, hello, new Uint8Array(63))).toBe(false);
    expect(verifyHostSignature(publicKey, hello, new Uint8Array(64))).toBe(false);
    expect(verifyHostSignature(new Uint8Array(32).fill(0xff), hello, new Uint8Array(64))).toBe(false);
  });
});
