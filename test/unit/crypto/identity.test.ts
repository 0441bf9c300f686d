import { createHash, generateKeyPairSync, sign } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import {
  hostKeyFingerprint,
  hostKeyId,
  hostKeyOfSeed,
  rawHostPublicKey,
  signOffers,
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
    expect(hex(sign(null, Uint8Array.of(0x72), key))).toBe(hex(signature));
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
  const offer = { helloFrame: new Uint8Array(100).fill(2), unsignedOffer: new Uint8Array(200).fill(3) };
  const other = { ...offer, helloFrame: new Uint8Array(100).fill(4) };

  it('holds for this HELLO, this OFFER and this key', () => {
    const [signature] = signOffers(key, [offer]);
    expect(verifyOffer(publicKey, offer, signature!)).toBe(true);
    expect(verifyOffer(publicKey, other, signature!)).toBe(false);
    expect(verifyOffer(rawHostPublicKey(hostKeyOfSeed(new Uint8Array(32).fill(9))), offer, signature!)).toBe(false);
  });

  it('holds for no other: every flipped bit of HELLO and OFFER', () => {
    const signed = { ...offer, signature: signOffers(key, [other, offer])[1]! };
    for (const part of ['helloFrame', 'unsignedOffer', 'signature'] as const) {
      for (let bit = 0; bit < signed[part].length * 8; bit += 5) {
        const flipped = Uint8Array.from(signed[part]);
        flipped[bit >>> 3]! ^= 1 << (bit & 7);
        const altered = { ...signed, [part]: flipped };
        expect(verifyOffer(publicKey, altered, altered.signature), `${part}, bit ${bit}`).toBe(false);
      }
    }
  });

  it('is false, and no error, for keys and signatures that are none', () => {
    const message = offer.unsignedOffer;
    expect(verifyHostSignature(new Uint8Array(31), message, new Uint8Array(65))).toBe(false);
    expect(verifyHostSignature(publicKey, message, new Uint8Array(0))).toBe(false);
    expect(verifyHostSignature(publicKey, message, new Uint8Array(64))).toBe(false);
    expect(verifyHostSignature(publicKey, message, new Uint8Array(65))).toBe(false);
    expect(verifyHostSignature(new Uint8Array(32).fill(0xff), message, new Uint8Array(65))).toBe(false);
  });
});
