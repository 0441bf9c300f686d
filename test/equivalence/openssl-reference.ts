/**
 * node:crypto (OpenSSL) as the reference for the ffdhe groups, through keys in DER (PKCS #3 parameters, RFC 5208, RFC 5280).
 * `crypto.createDiffieHellman(p)` would do too, but tests p for primality at each object, which takes seconds.
 */

import { createPrivateKey, createPublicKey, diffieHellman, type KeyObject } from 'node:crypto';
import type { Group } from '../../src/crypto/groups.ts';

function der(tag: number, ...contents: Uint8Array[]): Buffer {
  const content = Buffer.concat(contents);
  const { length } = content;
  const header =
    length < 0x80 ? [tag, length] : length < 0x100 ? [tag, 0x81, length] : [tag, 0x82, length >> 8, length & 255];
  return Buffer.concat([Buffer.from(header), content]);
}

function integer(bytes: Uint8Array): Buffer {
  let from = 0;
  while (from < bytes.length - 1 && bytes[from] === 0) from++;
  const value = bytes.subarray(from);
  return der(0x02, (value[0] ?? 0) & 0x80 ? Buffer.concat([Buffer.of(0), value]) : value);
}

/** PKCS #3 dhKeyAgreement, 1.2.840.113549.1.3.1, with p and g. */
function algorithm(group: Group): Buffer {
  const identifier = Buffer.from('06092a864886f70d010301', 'hex');
  return der(0x30, identifier, der(0x30, integer(group.p()), integer(Uint8Array.of(group.g))));
}

export function opensslPrivateKey(group: Group, exponent: Uint8Array): KeyObject {
  const key = der(0x30, integer(Uint8Array.of(0)), algorithm(group), der(0x04, integer(exponent)));
  return createPrivateKey({ key, format: 'der', type: 'pkcs8' });
}

export function opensslPublicKey(group: Group, value: Uint8Array): KeyObject {
  const key = der(0x30, algorithm(group), der(0x03, Buffer.of(0), integer(value)));
  return createPublicKey({ key, format: 'der', type: 'spki' });
}

/** peer^exponent mod p, left-padded to |p| bytes. */
export function opensslSharedValue(group: Group, exponent: Uint8Array, peer: Uint8Array): Uint8Array {
  const shared = diffieHellman({
    privateKey: opensslPrivateKey(group, exponent),
    publicKey: opensslPublicKey(group, peer),
  });
  return Buffer.concat([Buffer.alloc(group.byteLength - shared.length), shared]);
}
