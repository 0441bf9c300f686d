/** The WebAssembly core beside OpenSSL: exponentiation, SHA-256, HMAC, HKDF. */

import { createHash, createHmac, diffieHellman, hkdfSync, randomBytes } from 'node:crypto';
import { GROUPS, type GroupName } from '../../../src/crypto/groups.ts';
import { type Crypto, loadCrypto } from '../../../src/crypto/index.ts';
import { assert } from '../../../src/errors.ts';
import { opensslPrivateKey, opensslPublicKey } from '../../../test/equivalence/openssl-reference.ts';
import type { BenchPair } from '../subject.ts';

/** Exponents of the protocol: 29, 35 and 41 bytes. */
const EXPONENT_BYTES: Readonly<Record<GroupName, number>> = { ffdhe2048: 29, ffdhe3072: 35, ffdhe4096: 41 };

export async function kernelPairs(): Promise<BenchPair[]> {
  const crypto = await loadCrypto();
  crypto.warmUp(['ffdhe2048', 'ffdhe3072']);
  return [
    ...(['ffdhe2048', 'ffdhe3072'] as const).flatMap((group) => exponentiations(crypto, group)),
    ...hashes(crypto),
  ];
}

function exponentiations(crypto: Crypto, name: GroupName): BenchPair[] {
  const group = GROUPS[name];
  const exponent = new Uint8Array(randomBytes(EXPONENT_BYTES[name]));
  const peer = crypto.publicValue(name, new Uint8Array(randomBytes(EXPONENT_BYTES[name])));
  const privateKey = opensslPrivateKey(group, exponent);
  const publicKey = opensslPublicKey(group, peer);
  const pairs = Array.from({ length: BATCH }, () => ({ exponent, peerPublicValue: peer }));
  const shared = crypto.sharedValue(name, exponent, peer);
  assert(Buffer.compare(shared, diffieHellman({ privateKey, publicKey })) === 0, 'both compute the same value');
  const referenceWork = (iterations: number): void => {
    for (let i = 0; i < iterations; i += 1) diffieHellman({ privateKey, publicKey });
  };
  return [
    {
      name: `shared value ${name}`,
      what: 'one exponentiation of a peer value in the WebAssembly core',
      reference: 'node:crypto',
      subject: (iterations) => {
        for (let i = 0; i < iterations; i += 1) crypto.sharedValue(name, exponent, peer);
      },
      referenceWork,
    },
    {
      name: `shared values ${name}, batch of ${BATCH}`,
      what: `${BATCH} exponentiations in one call, as the server's pool makes them`,
      reference: 'node:crypto',
      subject: (iterations) => {
        for (let i = 0; i < iterations; i += 1) crypto.sharedValues(name, pairs);
      },
      referenceWork,
    },
    {
      name: `public value ${name}`,
      what: 'one power of g by the table',
      reference: 'node:crypto',
      subject: (iterations) => {
        for (let i = 0; i < iterations; i += 1) crypto.publicValue(name, exponent);
      },
      referenceWork,
    },
  ];
}

const BATCH = 4;

function hashes(crypto: Crypto): BenchPair[] {
  const message = new Uint8Array(randomBytes(1_024));
  const key = new Uint8Array(randomBytes(32));
  const label = new Uint8Array(randomBytes(48));
  assert(
    Buffer.compare(crypto.sha256(message), createHash('sha256').update(message).digest()) === 0,
    'both hash to the same value',
  );
  return [
    {
      name: 'sha-256, 1 KiB',
      what: 'one hash of 1024 bytes',
      reference: 'node:crypto',
      subject: (iterations) => {
        for (let i = 0; i < iterations; i += 1) crypto.sha256(message);
      },
      referenceWork: (iterations) => {
        for (let i = 0; i < iterations; i += 1) createHash('sha256').update(message).digest();
      },
    },
    {
      name: 'hmac-sha-256, 48 B',
      what: 'one MAC of 48 bytes',
      reference: 'node:crypto',
      subject: (iterations) => {
        for (let i = 0; i < iterations; i += 1) crypto.hmacSha256(key, label);
      },
      referenceWork: (iterations) => {
        for (let i = 0; i < iterations; i += 1) createHmac('sha256', key).update(label).digest();
      },
    },
    {
      name: 'hkdf-sha-256, 32 B',
      what: 'extract and expand of one key',
      reference: 'node:crypto',
      subject: (iterations) => {
        for (let i = 0; i < iterations; i += 1) crypto.hkdfExpand(crypto.hkdfExtract(key, message), label, 32);
      },
      referenceWork: (iterations) => {
        for (let i = 0; i < iterations; i += 1) hkdfSync('sha256', message, key, label, 32);
      },
    },
  ];
}
