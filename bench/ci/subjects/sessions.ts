/** Whole sessions over loopback beside the least that two connections can cost, and the handshake's cryptography beside OpenSSL's. */

import {
  createPublicKey,
  decapsulate,
  diffieHellman,
  encapsulate,
  generateKeyPairSync,
  randomBytes,
  sign,
  verify,
} from 'node:crypto';
import { connect, createServer } from 'node:net';
import { GROUPS } from '../../../src/crypto/groups.ts';
import { loadCrypto } from '../../../src/crypto/index.ts';
import { decapsulateWith, encapsulateTo, generateKemKeyPair } from '../../../src/crypto/kem.ts';
import { assert } from '../../../src/errors.ts';
import { opensslPrivateKey, opensslPublicKey } from '../../../test/equivalence/openssl-reference.ts';
import { openBenchServer } from '../bench-server.ts';
import type { BenchPair } from '../subject.ts';

const ECHO_BYTES = 512;
/** Enough that the pool's batches and the ledger's group commit show. */
const AT_ONCE = 8;

export async function sessionPairs(parent: string): Promise<BenchPair[]> {
  const bench = await openBenchServer(parent);
  const echo = createServer((socket) => {
    socket.on('error', () => socket.destroy());
    socket.pipe(socket);
  });
  await new Promise<void>((resolve) => echo.listen(0, '127.0.0.1', resolve));
  const address = echo.address();
  assert(address !== null && typeof address === 'object', 'the echo server has a port');
  const echoes = async (iterations: number): Promise<void> => {
    for (let i = 0; i < iterations; i += 1) {
      await echoOnce(address.port);
      await echoOnce(address.port);
    }
  };
  const sessions = (workload: string) => async (iterations: number) => {
    for (let i = 0; i < iterations; i += 1) await bench.session(workload);
  };
  return [
    {
      name: 'session, handshake',
      what: 'one session over loopback: two connections, key exchange, identity',
      reference: 'two TCP echoes',
      subject: sessions('handshake'),
      referenceWork: echoes,
    },
    {
      name: 'session, one payment',
      what: 'the same with one durable, receipted payment',
      reference: 'two TCP echoes',
      subject: sessions('payment'),
      referenceWork: echoes,
    },
    {
      name: `sessions, ${AT_ONCE} payments at once`,
      what: `${AT_ONCE} sessions with a payment each, begun together`,
      reference: 'two TCP echoes',
      subject: async (iterations) => {
        for (let i = 0; i < iterations; i += 1) {
          await Promise.all(Array.from({ length: AT_ONCE }, () => bench.session('payment')));
        }
      },
      referenceWork: echoes,
      close: async () => {
        await bench.close();
        await new Promise((resolve) => echo.close(resolve));
      },
    },
  ];
}

function echoOnce(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, noDelay: true });
    let received = 0;
    socket.on('connect', () => socket.write(new Uint8Array(ECHO_BYTES)));
    socket.on('data', (bytes) => {
      received += bytes.length;
      if (received === ECHO_BYTES) socket.end();
    });
    socket.on('close', () => (received === ECHO_BYTES ? resolve() : reject(new Error('the echo was cut off'))));
    socket.on('error', reject);
  });
}

/** The cryptography of both sides of one handshake, without sockets, frames and ledger. */
export async function handshakePairs(): Promise<BenchPair[]> {
  const group = GROUPS.ffdhe3072;
  const core = await loadCrypto();
  core.warmUp(['ffdhe3072']);
  const host = generateKeyPairSync('ed25519');
  const message = new Uint8Array(randomBytes(3_000));
  const both = (
    publicValue: (exponent: Uint8Array) => Uint8Array,
    sharedValue: (exponent: Uint8Array, peer: Uint8Array) => Uint8Array,
    kem: () => void,
  ): void => {
    const a = new Uint8Array(randomBytes(35));
    const b = new Uint8Array(randomBytes(35));
    const ys = publicValue(a);
    const signature = sign(null, message, host.privateKey);
    kem();
    assert(verify(null, message, host.publicKey, signature), 'the offer verifies');
    const yc = publicValue(b);
    assert(Buffer.compare(sharedValue(b, ys), sharedValue(a, yc)) === 0, 'both sides have the same value');
  };
  const opensslKeys = generateKeyPairSync('ml-kem-768');
  // OpenSSL's power of g is that of any base: it has no table.
  const g = new Uint8Array(group.byteLength);
  g[g.length - 1] = group.g;
  const openssl = (exponent: Uint8Array, peer: Uint8Array): Uint8Array => {
    const shared = diffieHellman({
      privateKey: opensslPrivateKey(group, exponent),
      publicKey: opensslPublicKey(group, peer),
    });
    return Buffer.concat([Buffer.alloc(group.byteLength - shared.length), shared]);
  };
  return [
    {
      name: 'handshake cryptography, both sides',
      what: 'four exponentiations in ffdhe3072, ML-KEM-768, signature and its verification',
      reference: 'node:crypto',
      subject: (iterations) => {
        for (let i = 0; i < iterations; i += 1) {
          both(
            (exponent) => core.publicValue('ffdhe3072', exponent),
            (exponent, peer) => core.sharedValue('ffdhe3072', exponent, peer),
            () => {
              const keys = generateKemKeyPair();
              const encapsulated = encapsulateTo(keys.publicKey);
              assert(encapsulated !== undefined, 'a fresh key is accepted');
              decapsulateWith(keys.privateKey, encapsulated.ciphertext);
            },
          );
        }
      },
      referenceWork: (iterations) => {
        for (let i = 0; i < iterations; i += 1) {
          both(
            (exponent) => openssl(exponent, g),
            openssl,
            () => {
              const { ciphertext } = encapsulate(createPublicKey(opensslKeys.privateKey));
              generateKeyPairSync('ml-kem-768');
              decapsulate(opensslKeys.privateKey, ciphertext);
            },
          );
        }
      },
    },
  ];
}
